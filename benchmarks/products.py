"""The matrix products of an encoder, cut out of its graph to be run alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

#: Nodes that multiply matrices.
PRODUCTS = (
    "MatMul", "Gemm", "MatMulInteger", "MatMulIntegerToFloat", "QLinearMatMul", "QGemm",
    "DynamicQuantizeMatMul", "FusedMatMul",
)  # fmt: skip

Arrays = dict[str, NDArray[Any]]


def only_products(model: bytes) -> tuple[bytes, list[str], dict[str, tuple[str, str, str, int]]]:
    """Cuts a model down to its matrix products.

    Returns:
        the products as a model of their own; the names of the model's values that it takes; and
        for each attention node its queries, keys and values, and how many heads it has. Of these
        the products take `NODE.queries` (posts, heads, tokens, size), `NODE.keys` (posts, heads,
        size, tokens), `NODE.shares` (posts, heads, tokens, tokens) and `NODE.values`.
    """
    import onnx
    from onnx import TensorProto, helper

    whole = onnx.load_from_string(model)
    constants = {one.name for one in whole.graph.initializer}
    nodes, taken, attention, used = [], [], {}, set()
    floats: list[str] = []
    for node in whole.graph.node:
        if node.op_type in PRODUCTS:
            nodes.append(node)
            taken += [name for name in node.input if name and name not in constants]
            used |= set(node.input) & constants
        elif node.op_type == "MultiHeadAttention":
            heads = next(one.i for one in node.attribute if one.name == "num_heads")
            attention[node.name] = (*node.input[:3], heads)
            names = [f"{node.name}.{part}" for part in ("queries", "keys", "shares", "values")]
            floats += names
            for number in (0, 2):
                made = f"{names[number]}.product"
                nodes.append(helper.make_node("MatMul", names[number : number + 2], [made]))
    taken = list(dict.fromkeys(taken))
    given_out = {name for node in nodes for name in node.output}
    taken = [name for name in taken if name not in given_out]
    quantised = _bytes_taken(nodes)
    given = [
        helper.make_tensor_value_info(
            name, TensorProto.UINT8 if name in quantised else TensorProto.FLOAT, None
        )
        for name in [*taken, *floats]
    ]
    last = onnx.ValueInfoProto(name=nodes[-1].output[0])
    graph = helper.make_graph(
        nodes,
        "products",
        given,
        [last],
        [one for one in whole.graph.initializer if one.name in used],
    )
    products = helper.make_model(
        graph, opset_imports=list(whole.opset_import), ir_version=whole.ir_version
    )
    return products.SerializeToString(), taken, cast("Any", attention)


def _bytes_taken(nodes: Sequence[Any]) -> set[str]:
    quantised = ("MatMulInteger", "MatMulIntegerToFloat", "QLinearMatMul", "QGemm")
    return {node.input[0] for node in nodes if node.op_type in quantised}


def tell_all(model: bytes, names: Sequence[str]) -> bytes:
    """Gives the same model with more of its values as outputs."""
    import onnx

    whole = onnx.load_from_string(model)
    known = {one.name for one in whole.graph.output}
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in known)
    written: bytes = whole.SerializeToString()
    return written


def open_session(model: bytes) -> Any:  # noqa: ANN401 - ONNX Runtime is not typed
    """Opens a model as murmure does, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def attention_inputs(found: Arrays, attention: Mapping[str, tuple[str, str, str, int]]) -> Arrays:
    """What enters the products within attention: heads apart, the shares even."""
    made: Arrays = {}
    for name, (queries, keys, values, heads) in attention.items():
        apart = []
        for one in (queries, keys, values):
            posts, tokens, width = found[one].shape
            by_head = found[one].reshape(posts, tokens, heads, width // heads)
            apart.append(by_head.transpose(0, 2, 1, 3))
        tokens = apart[0].shape[2]
        shape = (*apart[0].shape[:2], tokens, tokens)
        made |= {
            f"{name}.queries": np.ascontiguousarray(apart[0]),
            f"{name}.keys": np.ascontiguousarray(apart[1].transpose(0, 1, 3, 2)),
            f"{name}.shares": np.full(shape, 1 / tokens, np.float32),
            f"{name}.values": np.ascontiguousarray(apart[2]),
        }
    return made
