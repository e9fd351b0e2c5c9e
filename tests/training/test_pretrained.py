"""The encoder that `base.encoder` names: what is refused, before a hub is asked or a post read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the extra dev or train")

from transformers import AutoConfig, PreTrainedTokenizerFast

from murmure.errors import ConfigurationError
from murmure.training.pretrained import find_encoder, open_tokenizer
from tests.encoders import make_tagger, write_tokenizer


def write_encoder(folder: Path, **changes: Any) -> Path:
    """Write an encoder's configuration and tokenizer, some of it changed."""
    file = write_tokenizer(folder)
    shape = make_tagger(file).encoder.config.to_dict() | changes
    (folder / "config.json").write_text(json.dumps(shape), "utf-8")
    PreTrainedTokenizerFast(tokenizer_file=str(file), pad_token="<pad>").save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    "name", ["build/encoder", "/nonexistent", "./made", "../a/b", "here/made", "made", "", "a/b/c"]
)
def test_an_absent_folder_is_refused_and_no_hub_is_asked(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(AutoConfig, "from_pretrained", never)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    with pytest.raises(ConfigurationError, match=r"base\.encoder: expected a folder that") as told:
        open_tokenizer(name)
    assert f"but was given {name!r}" in str(told.value)


def test_a_hub_id_and_a_folder_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_encoder("brizelo/small-encoder.v2") == "brizelo/small-encoder.v2"
    assert find_encoder(str(tmp_path)) == str(tmp_path)


def test_a_folder_or_hub_without_an_encoder_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match=r"base\.encoder: expected a folder that"):
        open_tokenizer(str(tmp_path))

    def away(*_: Any, **__: Any) -> None:
        raise OSError("no such model\nand many lines more")

    monkeypatch.setattr(AutoConfig, "from_pretrained", away)
    with pytest.raises(ConfigurationError, match=r"\(no such model\), but .*'brizelo/small'"):
        open_tokenizer("brizelo/small")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model_type": "distilbert"}, "one of bert, roberta, .*given 'distilbert'"),
        ({"hidden_act": "relu"}, "exact GELU, but was given 'relu'"),
        ({"vocab_size": 5}, "tokens of its tokenizer, but was given 5"),
    ],
)
def test_an_encoder_that_cannot_be_exported_is_refused(
    changes: dict[str, Any], told: str, tmp_path: Path
) -> None:
    folder = write_encoder(tmp_path, **changes)
    with pytest.raises(ConfigurationError, match=rf"base\.encoder: expected .*{told}"):
        open_tokenizer(str(folder))


def test_a_tokenizer_is_loaded_with_its_padding(tmp_path: Path) -> None:
    tokenizer = open_tokenizer(str(write_encoder(tmp_path)))
    assert tokenizer.pad_token_id == 1
