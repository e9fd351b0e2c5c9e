"""The ONNX graph of a BERT-like encoder with int8 weights, written node by node.

Every linear layer is one 8-bit matrix product. What enters it is rounded to 8 bits by a scale that
does not depend on what else is in the batch, as it does where ONNX Runtime finds one scale for each
batch. Few channels of a BERT reach ten times further than the others and would leave those few
steps, so channels are evened out beforehand, as in SmoothQuant (Xiao et al., 2023), and the
furthest may be multiplied apart in float32, as in LLM.int8() (Dettmers et al., 2022). After GELU it
is few tokens that reach far: there each token has a scale of its own.

Attention, layer norms, GELU, pooling and heads stay in float32. The graph is meant to be run as it
is, without ONNX Runtime's own fusions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

#: The linear layers of a transformer layer, in the order of computation.
PARTS = ("attention_in", "attention_out", "feed_in", "feed_out")
_OPSET, _IR = 21, 10
_MICROSOFT = "com.microsoft"
# On processors without VNNI the products of two neighbouring pairs are added up in 16 bits.
_MOST_CODE = 127
_MOST_ACTIVATION = 255


@dataclass(frozen=True, slots=True)
class Codes:
    """A matrix as int8 numbers times a float32 scale.

    Attributes:
        values: int8.
        scale: float32, one a column of a layer's weights (columns,), or one a row of a table of
            embeddings (rows, 1).
    """

    values: NDArray[np.int8]
    scale: Floats

    def decode(self) -> Floats:
        """Give the matrix back, up to rounding."""
        return np.asarray(self.values * self.scale, np.float32)


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear layer: `round(x * spread) @ weights + x[outliers] @ outlier_weights + bias`.

    Attributes:
        weights: int8 of shape (inputs, outputs), already divided by `spread`, row by row; 0 for
            the outliers.
        bias: float32 of shape (outputs,).
        spread: float32 of shape (inputs,): what each channel of the input is multiplied by; None
            for nothing.
        outliers: int64 of shape (few,): channels that are multiplied apart, in float32.
        outlier_weights: float32 of shape (few, outputs).
        scale: float32: one step of the rounded input.
        zero: uint8: which step is 0.
        least_reach: float32: each token's input is divided by how far it reaches, but never by
            less than this; None for one scale for all tokens.
    """

    weights: Codes
    bias: Floats
    spread: Floats | None
    outliers: NDArray[np.int64]
    outlier_weights: Floats
    scale: np.float32
    zero: np.uint8
    least_reach: np.float32 | None = None


@dataclass(frozen=True, slots=True)
class Norm:
    """A layer norm: what it multiplies by and adds, each of shape (hidden,)."""

    weight: Floats
    bias: Floats


@dataclass(frozen=True, slots=True)
class Layer:
    """One transformer layer.

    Attributes:
        linear: by part; `attention_in` gives queries, keys and values side by side.
        attention_norm: after attention.
        feed_norm: after the feed-forward part.
    """

    linear: Mapping[str, Linear]
    attention_norm: Norm
    feed_norm: Norm


@dataclass(frozen=True, slots=True)
class Encoder:
    """All numbers of an encoder with its heads.

    Attributes:
        words: the table of word embeddings, by rows.
        positions: the same of positions, with the one token type that is used added in.
        norm: of the embeddings.
        layers: from the lowest.
        heads: float32 of shape (hidden, labels of all tags).
        heads_bias: of shape (labels of all tags,).
        attention_heads: how many a layer has.
        epsilon: of all layer norms.
        configuration: JSON that `Tagger` is made from again.
    """

    words: Codes
    positions: Codes
    norm: Norm
    layers: Sequence[Layer]
    heads: Floats
    heads_bias: Floats
    attention_heads: int
    epsilon: float
    configuration: str


def encode_columns(weights: Floats) -> Codes:
    """Round a layer's weights to int8, column by column, as finely as every processor can use.

    With AVX2 alone, ONNX Runtime adds two neighbouring products of an activation (up to 255) and a
    weight in 16 bits, and cuts off what does not fit. Columns in which that could happen get a
    scale that rules it out; most keep nearly all of the 8 bits.

    Args:
        weights: of shape (inputs, outputs).
    """
    highest = np.abs(weights).max(axis=0) / _MOST_CODE
    even = weights[: len(weights) // 2 * 2].reshape(-1, 2, weights.shape[1])
    same_sign = np.sign(even[:, 0]) == np.sign(even[:, 1])
    pairs = np.where(same_sign, np.abs(even).sum(axis=1), 0).max(axis=0, initial=0)
    # Rounding may add half a step to either of the two.
    most = np.iinfo(np.int16).max // _MOST_ACTIVATION - 1
    scale = np.maximum(np.maximum(highest, pairs / most), np.finfo(np.float32).tiny)
    scale = scale.astype(np.float32)
    return Codes(np.rint(weights / scale).clip(-_MOST_CODE, _MOST_CODE).astype(np.int8), scale)


def encode_rows(table: Floats) -> Codes:
    """Round a table of embeddings to int8, row by row."""
    highest = np.abs(table).max(axis=1, keepdims=True) / _MOST_CODE
    scale = np.maximum(highest, np.finfo(np.float32).tiny).astype(np.float32)
    return Codes(np.rint(table / scale).clip(-_MOST_CODE, _MOST_CODE).astype(np.int8), scale)


class _Graph:
    """Collects nodes and constants."""

    def __init__(self) -> None:
        from onnx import NodeProto

        self.nodes: list[NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}

    def constant(self, name: str, value: object) -> str:
        self.constants[name] = np.asarray(value)
        return name

    def add(self, kind: str, given: Sequence[str], name: str, **attributes: Any) -> str:  # noqa: ANN401
        self.add_all(kind, given, [name], **attributes)
        return name

    def add_all(
        self,
        kind: str,
        given: Sequence[str],
        names: Sequence[str],
        **attributes: Any,  # noqa: ANN401
    ) -> None:
        from onnx import helper

        self.nodes.append(helper.make_node(kind, given, names, name=names[0], **attributes))

    def norm(self, given: str, norm: Norm, name: str, epsilon: float) -> str:
        weight = self.constant(f"{name}.weight", norm.weight)
        bias = self.constant(f"{name}.bias", norm.bias)
        return self.add("LayerNormalization", [given, weight, bias], name, axis=-1, epsilon=epsilon)

    def linear(self, given: str, linear: Linear, name: str) -> str:
        read = given
        if linear.spread is not None:
            spread = self.constant(f"{name}.spread", linear.spread)
            read = self.add("Mul", [given, spread], f"{name}.even")
        reach = None
        if linear.least_reach is not None:
            last = self.constant("last", np.array([-1], np.int64))
            least = self.constant(f"{name}.least_reach", linear.least_reach)
            highest = self.add("ReduceMax", [given, last], f"{name}.highest", keepdims=1)
            reach = self.add("Max", [highest, least], f"{name}.reach")
            read = self.add("Div", [read, reach], f"{name}.within")
        scale = self.constant(f"{name}.input_scale", linear.scale)
        zero = self.constant(f"{name}.input_zero", linear.zero)
        rounded = self.add("QuantizeLinear", [read, scale, zero], f"{name}.rounded")
        values = self.constant(f"{name}.values", linear.weights.values)
        columns = self.constant(f"{name}.scale", linear.weights.scale)
        no_shift = self.constant(f"{name}.zero", np.zeros(len(linear.bias), np.int8))
        bias = self.constant(f"{name}.bias", linear.bias)
        factors = [rounded, values, scale, columns, zero, no_shift]
        product = f"{name}.product"
        if reach is None:
            self.add("MatMulIntegerToFloat", [*factors, bias], product, domain=_MICROSOFT)
        else:
            within = self.add("MatMulIntegerToFloat", factors, f"{name}.short", domain=_MICROSOFT)
            scaled = self.add("Mul", [within, reach], f"{name}.scaled")
            self.add("Add", [scaled, bias], product)
        if not len(linear.outliers):
            return product
        which = self.constant(f"{name}.outliers", linear.outliers)
        weights = self.constant(f"{name}.outlier_weights", linear.outlier_weights)
        apart = self.add("Gather", [given, which], f"{name}.apart", axis=-1)
        added = self.add("MatMul", [apart, weights], f"{name}.added")
        return self.add("Add", [product, added], name)


def make_model(encoder: Encoder) -> bytes:
    """Write an encoder as an ONNX model.

    Its inputs are `input_ids` and `attention_mask`, int64 of shape (posts, tokens), padded on the
    right; its output is `logits`, float32 of shape (posts, labels of all tags).
    """
    from onnx import TensorProto, helper, numpy_helper

    graph = _Graph()
    graph.add("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    state = _embed(graph, encoder)
    for number, layer in enumerate(encoder.layers):
        state = _transform(graph, state, layer=layer, name=f"layer.{number}", encoder=encoder)
    pooled = _mean_over_tokens(graph, state)
    heads = graph.constant("heads.weight", encoder.heads)
    bias = graph.constant("heads.bias", encoder.heads_bias)
    graph.add("Gemm", [pooled, heads, bias], "logits")

    shape = ["posts", "tokens"]
    given = [
        helper.make_tensor_value_info(name, TensorProto.INT64, shape)
        for name in ("input_ids", "attention_mask")
    ]
    width = encoder.heads.shape[1]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["posts", width])
    constants = [numpy_helper.from_array(value, key) for key, value in graph.constants.items()]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "murmure", given, [output], constants),
        opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid(_MICROSOFT, 1)],
        ir_version=_IR,
        producer_name="murmure",
    )
    helper.set_model_props(model, {"murmure.configuration": encoder.configuration})
    written: bytes = model.SerializeToString()
    return written


def _embed(graph: _Graph, encoder: Encoder) -> str:
    from onnx import TensorProto

    values = graph.constant("words.values", encoder.words.values)
    scale = graph.constant("words.scale", encoder.words.scale)
    rows = graph.add("Gather", [values, "input_ids"], "words.rows")
    scales = graph.add("Gather", [scale, "input_ids"], "words.scales")
    floats = graph.add("Cast", [rows], "words.floats", to=TensorProto.FLOAT)
    words = graph.add("Mul", [floats, scales], "words")

    tokens = graph.add("Shape", ["input_ids"], "tokens", start=1, end=2)
    first = graph.constant("first", np.zeros(1, np.int64))
    values = graph.constant("positions.values", encoder.positions.values)
    scale = graph.constant("positions.scale", encoder.positions.scale)
    rows = graph.add("Slice", [values, first, tokens, first], "positions.rows")
    scales = graph.add("Slice", [scale, first, tokens, first], "positions.scales")
    floats = graph.add("Cast", [rows], "positions.floats", to=TensorProto.FLOAT)
    positions = graph.add("Mul", [floats, scales], "positions")
    both = graph.add("Add", [words, positions], "embedded")
    return graph.norm(both, encoder.norm, "embedding_norm", encoder.epsilon)


def _transform(graph: _Graph, state: str, *, layer: Layer, name: str, encoder: Encoder) -> str:
    """One layer. A layer norm follows each sum: fused into one node, the two are slower."""
    both = graph.linear(state, layer.linear["attention_in"], f"{name}.attention_in")
    parts = [f"{name}.{part}" for part in ("queries", "keys", "values")]
    graph.add_all("Split", [both], parts, axis=-1, num_outputs=3)
    context = graph.add(
        "MultiHeadAttention",
        [*parts, "", "mask"],
        f"{name}.context",
        domain=_MICROSOFT,
        num_heads=encoder.attention_heads,
    )
    attended = graph.linear(context, layer.linear["attention_out"], f"{name}.attention_out")
    total = graph.add("Add", [attended, state], f"{name}.attended")
    state = graph.norm(total, layer.attention_norm, f"{name}.attention_norm", encoder.epsilon)
    wide = graph.linear(state, layer.linear["feed_in"], f"{name}.feed_in")
    active = graph.add("Gelu", [wide], f"{name}.active", domain=_MICROSOFT)
    fed = graph.linear(active, layer.linear["feed_out"], f"{name}.feed_out")
    total = graph.add("Add", [fed, state], f"{name}.fed")
    return graph.norm(total, layer.feed_norm, f"{name}.feed_norm", encoder.epsilon)


def _mean_over_tokens(graph: _Graph, state: str) -> str:
    from onnx import TensorProto

    second = graph.constant("second", np.ones(1, np.int64))
    mask = graph.add("Cast", ["attention_mask"], "weights", to=TensorProto.FLOAT)
    count = graph.add("ReduceSum", [mask, second], "weights.sum", keepdims=1)
    share = graph.add("Div", [mask, count], "weights.share")
    row = graph.add("Unsqueeze", [share, second], "weights.row")
    mean = graph.add("MatMul", [row, state], "pooled.row")
    return graph.add("Squeeze", [mean, second], "pooled")
