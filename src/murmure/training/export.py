"""From a trained torch model to the files that tagging reads: `model.onnx` and `tokenizer.json`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import nn

from murmure.errors import ConfigurationError, InputError
from murmure.tagging.encoder import MODEL, TOKENIZER, Reader
from murmure.text import encoder_texts
from murmure.training.encoder import Tagger
from murmure.training.graph import (
    PARTS,
    Encoder,
    Layer,
    Linear,
    Norm,
    encode_columns,
    encode_rows,
    make_model,
)

Floats = NDArray[np.float32]

#: Encoders that are BERT in all but the numbers of their positions.
ARCHITECTURES = ("bert", "roberta", "xlm-roberta", "camembert")
#: What a card says of the numbers.
SCHEME = (
    "int8 per output channel; activations in int8, but for the furthest reaching channels, in "
    "ranges that were fixed on training posts or are each token's own, so that no post's reading "
    "depends on its neighbours"
)
#: How many texts the range of every layer's input is measured on, at most.
_MEASURED = 256
_BATCH = 16
# How much of a channel's reach moves from the input into the weights; measured on the shipped
# encoder, see models/base/EXPERIMENTS.md.
_SPREAD = {"attention_in": 0.9, "attention_out": 0.9, "feed_in": 0.8}
# How many of the furthest reaching channels are multiplied apart.
_OUTLIERS = {"attention_in": 0, "attention_out": 0, "feed_in": 4}
# Where each token has a scale of its own: after GELU, which never gives less than this.
_BY_TOKEN = "feed_out"  # noqa: S105 - a part of a layer
_LEAST_GELU = 0.17
# So much of a token's range is kept for what is below 0.
_BELOW = 0.12
_LEAST = np.float32(1e-6)
_STEPS = 255


@dataclass(frozen=True, slots=True)
class Reach:
    """Between what the channels of a layer's input lie, each of shape (inputs,)."""

    lowest: Floats
    highest: Floats


def export(
    tagger: Tagger, tokenizer_file: str | Path, folder: str | Path, *, texts: Sequence[str]
) -> dict[str, Any]:
    """Write `model.onnx`, with int8 weights, and `tokenizer.json`.

    Args:
        tagger: over a BERT-like encoder.
        tokenizer_file: the `tokenizer.json` that it was trained with.
        folder: where they are written; made if need be.
        texts: raw posts like those to be tagged, a few hundred; those of training will do. They
            tell how far the inputs of each layer reach. No text is kept.

    Returns:
        The settings that the model folder's manifest needs: `tags`, `prefix`, `longest`.

    Raises:
        ConfigurationError: if the encoder is of another architecture.
        InputError: if there are no texts, or the tokenizer has more tokens than the model.
    """
    check_exportable(tagger.encoder.config)
    if not texts:
        raise InputError("expected some posts to measure the layers on, but there are none")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = _plain_tokenizer(Path(tokenizer_file))
    tokenizer = Tokenizer.from_str(written)
    known = tagger.encoder.config.vocab_size
    if tokenizer.get_vocab_size() > known:
        message = f"has {tokenizer.get_vocab_size()} tokens, but the model knows {known}"
        raise InputError(message, file=tokenizer_file)
    reader = Reader.make(
        tokenizer,
        prefix=tagger.config.prefix,
        longest=tagger.config.longest,
        windows=1,
        overlap=0,
    )
    reaches = measure(tagger, reader.read(encoder_texts(list(texts[:_MEASURED]))).tokens)
    (folder / MODEL).write_bytes(make_model(quantize(tagger, reaches)))
    (folder / TOKENIZER).write_text(written, "utf-8")
    return {
        "tags": list(tagger.config.tags),
        "prefix": tagger.config.prefix,
        "longest": tagger.config.longest,
    }


def first_position(configuration: Any) -> int:  # noqa: ANN401 - of any encoder of transformers
    """Which row of the table of positions belongs to a text's first token."""
    return 0 if configuration.model_type == "bert" else int(configuration.pad_token_id) + 1


def measure(tagger: Tagger, windows: Sequence[Sequence[int]]) -> list[dict[str, Reach]]:
    """Find how far the inputs of all linear layers reach.

    Args:
        tagger: is run as it is.
        windows: the tokens of texts, special tokens included.

    Returns:
        Per layer and part, over all tokens; not where each token has a scale of its own.
    """
    layers = tagger.encoder.encoder.layer
    found: list[dict[str, Reach]] = [{} for _ in layers]
    tagger.eval()
    with torch.inference_mode(), _watching(layers, found) as mask:
        order = sorted(windows, key=len)
        for start in range(0, len(order), _BATCH):
            batch = [list(window) for window in order[start : start + _BATCH]]
            longest = max(map(len, batch))
            ids = torch.tensor([row + [0] * (longest - len(row)) for row in batch])
            real = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in batch])
            mask[:] = [real.bool()]
            tagger(ids.to(tagger.device), real.to(tagger.device))
    return found


@contextmanager
def _watching(layers: nn.ModuleList, found: list[dict[str, Reach]]) -> Iterator[list[torch.Tensor]]:
    """Note what enters the linear layers, while the mask of real tokens is in the list given."""
    mask: list[torch.Tensor] = []

    def watch(number: int, part: str, module: nn.Module) -> Any:  # noqa: ANN401 - a handle
        def note(_: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
            values = given[0].detach().cpu().float()[mask[0]].numpy()
            lowest, highest = values.min(axis=0), values.max(axis=0)
            before = found[number].get(part)
            if before is not None:
                lowest = np.minimum(lowest, before.lowest)
                highest = np.maximum(highest, before.highest)
            found[number][part] = Reach(lowest, highest)

        return module.register_forward_pre_hook(note)

    handles = [
        watch(number, part, _modules(layer)[part][0])
        for number, layer in enumerate(layers)
        for part in PARTS
        if part != _BY_TOKEN
    ]
    try:
        yield mask
    finally:
        for handle in handles:
            handle.remove()


def quantize(tagger: Tagger, reaches: Sequence[dict[str, Reach]]) -> Encoder:
    """Round a model's weights to int8, and choose how its layers' inputs are rounded."""
    body = tagger.encoder
    configuration = body.config
    start = first_position(configuration)
    embeddings = body.embeddings
    positions = _array(embeddings.position_embeddings.weight)[start:]
    positions = positions + _array(embeddings.token_type_embeddings.weight)[0]
    heads: list[Any] = [tagger.heads[tag] for tag in tagger.config.tags]
    return Encoder(
        words=encode_rows(_array(embeddings.word_embeddings.weight)),
        positions=encode_rows(positions),
        norm=_norm(embeddings.LayerNorm),
        layers=[
            _layer(layer, reach) for layer, reach in zip(body.encoder.layer, reaches, strict=True)
        ],
        heads=np.concatenate([_array(head.weight) for head in heads]).T.copy(),
        heads_bias=np.concatenate([_array(head.bias) for head in heads]),
        attention_heads=configuration.num_attention_heads,
        epsilon=configuration.layer_norm_eps,
        configuration=json.dumps(tagger.config.to_dict(), sort_keys=True),
    )


def _layer(layer: Any, reach: dict[str, Reach]) -> Layer:  # noqa: ANN401 - transformers' own
    modules = _modules(layer)
    return Layer(
        linear={part: _linear(modules[part], reach.get(part), part) for part in PARTS},
        attention_norm=_norm(layer.attention.output.LayerNorm),
        feed_norm=_norm(layer.output.LayerNorm),
    )


def _linear(modules: Sequence[nn.Linear], reach: Reach | None, part: str) -> Linear:
    if reach is None:
        return _linear_by_token(modules)
    weights = np.concatenate([_array(module.weight) for module in modules]).T
    bias = np.concatenate([_array(module.bias) for module in modules])
    furthest = np.maximum(np.abs(reach.lowest), np.abs(reach.highest)).clip(_LEAST)
    count = min(_OUTLIERS[part], len(furthest) // 8)
    outliers = np.sort(np.argsort(-furthest)[:count]).astype(np.int64)
    others = np.setdiff1d(np.arange(len(furthest)), outliers)
    outlier_weights, weights = weights[outliers], weights.copy()
    # What is multiplied apart must not be counted twice, nor stretch the scale.
    weights[outliers] = 0
    spread = _spread(furthest, weights, _SPREAD[part])
    lowest = min(float((reach.lowest * spread)[others].min()), 0.0)
    highest = max(float((reach.highest * spread)[others].max()), float(_LEAST))
    scale = np.float32((highest - lowest) / _STEPS)
    return Linear(
        weights=encode_columns(np.asarray(weights / spread[:, None], np.float32)),
        bias=bias,
        spread=spread,
        outliers=outliers,
        outlier_weights=outlier_weights,
        scale=scale,
        zero=np.uint8(round(-lowest / float(scale))),
    )


def _linear_by_token(modules: Sequence[nn.Linear]) -> Linear:
    (module,) = modules
    weights = _array(module.weight).T
    scale = np.float32((1 + _BELOW) / _STEPS)
    return Linear(
        weights=encode_columns(weights),
        bias=_array(module.bias),
        spread=None,
        outliers=np.zeros(0, np.int64),
        outlier_weights=weights[:0],
        scale=scale,
        zero=np.uint8(round(_BELOW / float(scale))),
        least_reach=np.float32(_LEAST_GELU / _BELOW),
    )


def _spread(furthest: Floats, weights: Floats, strength: float) -> Floats:
    """Give what each channel is multiplied by, so that all reach about as far."""
    heaviest = np.abs(weights).max(axis=1).clip(_LEAST)
    stretch = np.log(furthest) * strength - np.log(heaviest) * (1 - strength)
    return np.asarray(np.exp(stretch.mean() - stretch), np.float32)


def _modules(layer: Any) -> dict[str, tuple[nn.Linear, ...]]:  # noqa: ANN401 - transformers' own
    own = layer.attention.self
    return {
        "attention_in": (own.query, own.key, own.value),
        "attention_out": (layer.attention.output.dense,),
        "feed_in": (layer.intermediate.dense,),
        "feed_out": (layer.output.dense,),
    }


def _norm(module: nn.LayerNorm) -> Norm:
    return Norm(_array(module.weight), _array(module.bias))


def _array(tensor: torch.Tensor) -> Floats:
    return np.asarray(tensor.detach().cpu().float().numpy())


def check_exportable(configuration: Any) -> None:  # noqa: ANN401 - of any encoder of transformers
    """See that an encoder can be exported: one like BERT, with exact GELU.

    Args:
        configuration: of the encoder, as `AutoConfig` reads it.

    Raises:
        ConfigurationError: if it is of another architecture.
    """
    if configuration.model_type not in ARCHITECTURES:
        raise ConfigurationError(
            "base.encoder",
            given=configuration.model_type,
            expected=f"an encoder that can be exported, one of {', '.join(ARCHITECTURES)}",
        )
    if configuration.hidden_act != "gelu":
        raise ConfigurationError(
            "base.encoder", given=configuration.hidden_act, expected="an encoder with exact GELU"
        )


def _plain_tokenizer(file: Path) -> str:
    """Read a tokenizer without the truncation and padding that training may have set."""
    try:
        content = json.loads(file.read_text("utf-8"))
        content |= {"truncation": None, "padding": None}
        written = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        Tokenizer.from_str(written)
    except Exception as error:
        raise InputError(f"does not hold a tokenizer ({error})", file=file) from error
    return written
