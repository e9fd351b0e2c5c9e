"""The way back: a shipped ONNX model with int8 weights as a torch model that trains further."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murmure.errors import ModelError
from murmure.schema import LABELS
from murmure.tagging.encoder import MODEL
from murmure.training.encoder import Tagger, TaggerConfiguration
from murmure.training.export import first_position
from murmure.training.graph import PARTS

_NORMS = {"attention_norm": "attention.output.LayerNorm", "feed_norm": "output.LayerNorm"}
_SELF = tuple(f"attention.self.{name}" for name in ("query", "key", "value"))
_PLACES = {
    "attention_in": _SELF,
    "attention_out": ("attention.output.dense",),
    "feed_in": ("intermediate.dense",),
    "feed_out": ("output.dense",),
}


def read_back(folder: str | Path) -> Tagger:
    """Turn a model folder's encoder into a torch model with float32 weights.

    The weights are those that the folder's model computes with; what int8 rounded away is lost.

    Args:
        folder: a model folder of kind `encoder`, as `murmure.training.export` writes it. A
            companion in it is left aside.

    Raises:
        ModelError: if it holds no such model.
    """
    file = Path(folder) / MODEL
    constants, configuration = _open(file)
    try:
        tagger = Tagger(TaggerConfiguration.from_dict(json.loads(configuration)))
        state = tagger.state_dict()
        state |= _to_torch(_state(constants, tagger))
        tagger.load_state_dict(state)
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        raise ModelError(f"does not hold a whole encoder ({error})", file=file) from error
    tagger.eval()
    return tagger


def _open(file: Path) -> tuple[dict[str, NDArray[Any]], str]:
    import onnx
    from onnx import numpy_helper

    try:
        model = onnx.load(file)
    except Exception as error:  # also a kind of protobuf's own
        raise ModelError(f"cannot be read ({error}); fetch the model again", file=file) from error
    told = {entry.key: entry.value for entry in model.metadata_props}
    if "murmure.configuration" not in told:
        message = "was not written by murmure; torch weights cannot be read back from it"
        raise ModelError(message, file=file)
    constants = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    return constants, told["murmure.configuration"]


def _state(constants: dict[str, NDArray[Any]], tagger: Tagger) -> dict[str, NDArray[Any]]:
    """Name the constants as torch does."""
    embeddings = "encoder.embeddings."
    # Rows that no text reads, and token types, which were added into the positions, come back as 0.
    whole = np.zeros(tagger.encoder.embeddings.position_embeddings.weight.shape, np.float32)
    types = np.zeros(tagger.encoder.embeddings.token_type_embeddings.weight.shape, np.float32)
    positions = constants["positions.values"] * constants["positions.scale"]
    start = first_position(tagger.encoder.config)
    whole[start : start + len(positions)] = positions
    state = {
        f"{embeddings}word_embeddings.weight": constants["words.values"] * constants["words.scale"],
        f"{embeddings}position_embeddings.weight": whole,
        f"{embeddings}token_type_embeddings.weight": types,
        f"{embeddings}LayerNorm.weight": constants["embedding_norm.weight"],
        f"{embeddings}LayerNorm.bias": constants["embedding_norm.bias"],
    }
    for number in range(tagger.encoder.config.num_hidden_layers):
        layer, torch_layer = f"layer.{number}", f"encoder.encoder.layer.{number}"
        for part in PARTS:
            weights, bias = _linear(constants, f"{layer}.{part}")
            places = _PLACES[part]
            for place, rows, shift in zip(
                places, np.split(weights, len(places)), np.split(bias, len(places)), strict=True
            ):
                state[f"{torch_layer}.{place}.weight"] = rows
                state[f"{torch_layer}.{place}.bias"] = shift
        for norm, place in _NORMS.items():
            for name in ("weight", "bias"):
                state[f"{torch_layer}.{place}.{name}"] = constants[f"{layer}.{norm}.{name}"]
    start = 0
    for tag in tagger.config.tags:
        columns = slice(start, start + len(LABELS[tag]))
        state[f"heads.{tag}.weight"] = constants["heads.weight"][:, columns].T
        state[f"heads.{tag}.bias"] = constants["heads.bias"][columns]
        start = columns.stop
    return state


def _linear(constants: dict[str, NDArray[Any]], name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Give a layer's weights (outputs, inputs) and bias."""
    weights = constants[f"{name}.values"] * constants[f"{name}.scale"]
    if f"{name}.spread" in constants:
        weights = weights * constants[f"{name}.spread"][:, None]
    if f"{name}.outliers" in constants:
        weights[constants[f"{name}.outliers"]] = constants[f"{name}.outlier_weights"]
    return weights.T, constants[f"{name}.bias"]


def _to_torch(state: dict[str, NDArray[Any]]) -> dict[str, Any]:
    import torch

    return {
        name: torch.from_numpy(np.ascontiguousarray(value, np.float32).copy())
        for name, value in state.items()
    }
