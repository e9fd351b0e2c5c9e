"""The ONNX model with int8 weights says what the torch model says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from murmure.errors import ConfigurationError, InputError
from murmure.schema import LABELS
from tests.encoders import POSTS, make_posts, make_tagger, write_tokenizer

pytest.importorskip("torch")

import torch

from murmure.training.export import export, measure
from murmure.training.graph import encode_columns, encode_rows


@pytest.fixture(scope="module")
def tokenizer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer"))


def _windows(tokenizer_file: Path, count: int = 60) -> list[list[int]]:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.enable_truncation(32)
    return [tokenizer.encode(f"query: {post}").ids for post in make_posts(count, seed=1)]


def _pad(windows: list[list[int]]) -> tuple[Any, Any]:
    longest = max(map(len, windows))
    tokens = np.array([row + [7] * (longest - len(row)) for row in windows])
    mask = np.array([[1] * len(row) + [0] * (longest - len(row)) for row in windows])
    return tokens, mask


def _torch_logits(tagger: Any, windows: list[list[int]]) -> Any:
    tokens, mask = map(torch.tensor, _pad(windows))
    with torch.no_grad():
        return tagger(tokens, mask).logits.numpy()


def _onnx_logits(folder: Path, windows: list[list[int]]) -> Any:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(folder / "model.onnx"))
    tokens, mask = _pad(windows)
    return session.run(["logits"], {"input_ids": tokens, "attention_mask": mask})[0]


def _agreement(one: Any, other: Any, tags: list[str]) -> float:
    ends = np.cumsum([len(LABELS[tag]) for tag in tags])[:-1]
    pairs = zip(np.split(one, ends, axis=1), np.split(other, ends, axis=1), strict=True)
    return float(np.mean([(a.argmax(1) == b.argmax(1)).mean() for a, b in pairs]))


@pytest.mark.parametrize("architecture", ["bert", "xlm-roberta"])
def test_labels_are_those_of_torch(tokenizer_file: Path, tmp_path: Path, architecture: str) -> None:
    tagger = make_tagger(tokenizer_file, architecture=architecture)
    told = export(tagger, tokenizer_file, tmp_path, texts=make_posts(200))
    assert told == {"tags": tagger.config.tags, "prefix": "query: ", "longest": 32}
    windows = _windows(tokenizer_file)
    expected, found = _torch_logits(tagger, windows), _onnx_logits(tmp_path, windows)
    assert np.abs(expected).max() > 1
    assert np.abs(expected - found).max() < 0.4
    assert _agreement(expected, found, tagger.config.tags) >= 0.98


def test_a_channel_that_reaches_far_does_not_drown_the_others(
    tokenizer_file: Path, tmp_path: Path
) -> None:
    tagger = make_tagger(tokenizer_file)
    for layer in tagger.encoder.encoder.layer:
        # One channel far out after the attention's norm, and one after GELU, as in real encoders.
        layer.attention.output.LayerNorm.weight.data[3] *= 30
        layer.intermediate.dense.bias.data[5] += 60
    export(tagger, tokenizer_file, tmp_path, texts=make_posts(200))
    windows = _windows(tokenizer_file)
    found = _onnx_logits(tmp_path, windows)
    assert np.abs(_torch_logits(tagger, windows) - found).max() < 0.3


def test_some_tags_are_enough(tokenizer_file: Path, tmp_path: Path) -> None:
    tagger = make_tagger(tokenizer_file, tags=["sentiment", "sponsored"])
    told = export(tagger, tokenizer_file, tmp_path, texts=POSTS)
    assert told["tags"] == ["sentiment", "sponsored"]
    assert _onnx_logits(tmp_path, _windows(tokenizer_file, 3)).shape == (3, 5)


def test_the_tokenizer_loses_what_training_set(tokenizer_file: Path, tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(tmp_path / "set.json"))
    export(make_tagger(tokenizer_file), tmp_path / "set.json", tmp_path / "out", texts=POSTS)
    content = json.loads((tmp_path / "out" / "tokenizer.json").read_text("utf-8"))
    assert content["truncation"] is None
    assert content["padding"] is None
    assert content["model"] == json.loads(tokenizer_file.read_text("utf-8"))["model"]


def test_the_table_of_words_takes_a_byte_a_number(tokenizer_file: Path, tmp_path: Path) -> None:
    import onnx

    tagger = make_tagger(tokenizer_file)
    export(tagger, tokenizer_file, tmp_path, texts=POSTS)
    model = onnx.load(tmp_path / "model.onnx")
    types = {one.name: one.data_type for one in model.graph.initializer}
    assert types["words.values"] == onnx.TensorProto.INT8
    weights = sum(
        np.prod(one.dims) for one in model.graph.initializer if one.name.endswith(".values")
    )
    assert weights == sum(
        value.numel()
        for name, value in tagger.encoder.state_dict().items()
        if value.ndim == 2 and "token_type" not in name
    )


def test_without_posts_or_with_another_encoder_it_is_refused(
    tokenizer_file: Path, tmp_path: Path
) -> None:
    tagger = make_tagger(tokenizer_file)
    with pytest.raises(InputError, match="expected some posts"):
        export(tagger, tokenizer_file, tmp_path, texts=[])
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(InputError, match=r"bad.json: does not hold a tokenizer"):
        export(tagger, tmp_path / "bad.json", tmp_path, texts=POSTS)
    tagger.encoder.config.hidden_act = "relu"
    with pytest.raises(ConfigurationError, match="exact GELU"):
        export(tagger, tokenizer_file, tmp_path, texts=POSTS)
    tagger.encoder.config.model_type = "distilbert"
    with pytest.raises(ConfigurationError, match="one of bert, roberta"):
        export(tagger, tokenizer_file, tmp_path, texts=POSTS)


def test_a_tokenizer_of_another_model_is_refused(tokenizer_file: Path, tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    tokenizer.add_tokens(["marelle-x"])
    tokenizer.save(str(tmp_path / "more.json"))
    with pytest.raises(InputError, match="the model knows"):
        export(make_tagger(tokenizer_file), tmp_path / "more.json", tmp_path, texts=POSTS)


def test_padding_is_not_measured(tokenizer_file: Path) -> None:
    tagger = make_tagger(tokenizer_file)
    windows = [[0, 2], [0, *range(10, 30), 2]]
    together, apart = measure(tagger, windows), [measure(tagger, [one]) for one in windows]
    for number, layer in enumerate(together):
        for part, reach in layer.items():
            alone = np.minimum(apart[0][number][part].lowest, apart[1][number][part].lowest)
            np.testing.assert_allclose(reach.lowest, alone, atol=1e-5)


_MATRICES = arrays.arrays(
    np.float32,
    st.tuples(st.integers(1, 9), st.integers(1, 5)),
    elements=st.floats(-8, 8, width=32),
)


@given(_MATRICES)
def test_no_two_products_overflow_16_bits(weights: Any) -> None:
    codes = encode_columns(weights)
    values = codes.values.astype(int)
    pairs = values[: len(values) // 2 * 2].reshape(-1, 2, values.shape[1])
    highest = np.maximum(pairs, 0).sum(axis=1) * 255
    lowest = np.minimum(pairs, 0).sum(axis=1) * 255
    assert highest.max(initial=0) <= 2**15 - 1
    assert lowest.min(initial=0) >= -(2**15)
    assert (np.abs(codes.decode() - weights) <= codes.scale * 0.501 + 1e-30).all()


@given(_MATRICES)
def test_rows_are_rounded_to_half_a_step(table: Any) -> None:
    codes = encode_rows(table)
    assert (np.abs(codes.decode() - table) <= codes.scale * 0.501 + 1e-30).all()
