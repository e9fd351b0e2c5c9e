"""From a trained tagger to a model folder: its tokenizer, and what is told of its companion."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra dev or train")

from murmure.errors import InputError
from murmure.tagging.folder import ModelFolder
from murmure.training.packaging import Companion, load_tokenizer


def write(file: Path, *special: str) -> Path:
    """Write a tokenizer of two words and some special tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    pieces = [*special, "[UNK]", "brizelo", "pad"]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(file))
    return file


@pytest.mark.parametrize("padding", ["<pad>", "[PAD]", "<|pad|>"])
def test_the_padding_is_the_tokenizers_own_and_no_token_joins(padding: str, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(write(tmp_path / "tokenizer.json", "[CLS]", padding))
    assert (tokenizer.pad_token, tokenizer.pad_token_id, len(tokenizer)) == (padding, 1, 5)
    assert tokenizer(["brizelo", "brizelo pad"], padding=True)["input_ids"] == [[3, 1], [3, 4]]


def test_a_tokenizer_without_padding_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"tokenizer\.json: has no padding token, such as <pad>"):
        load_tokenizer(write(tmp_path / "tokenizer.json", "[CLS]"))


def test_a_companion_knows_the_corpora_that_it_was_trained_on() -> None:
    companion = Companion.of(ModelFolder.open("fast"))
    assert {"annotated", "language"} <= companion.corpora
    assert companion.told["name"] == "fast"
    assert companion.told["posts"] == companion.training["posts"]
    # Where its files lay, and its licences, which the model beside it tells with its own.
    assert not {"configuration", "licences"} & companion.told.keys()


def test_a_companion_of_an_older_folder_tells_nothing() -> None:
    companion = replace(Companion.of(ModelFolder.open("fast")), training={})
    assert companion.told == {}
    assert companion.corpora == set()


def test_the_model_beside_an_encoder_is_told_of_by_its_folder() -> None:
    folder = ModelFolder.open("base")
    training = {"companion": {"name": "fast", "posts": {"sentiment": {"a": 1}}}}
    folder = replace(folder, manifest={**folder.manifest, "training": training})
    companion = Companion.of(folder)
    assert companion.told == training["companion"]
    assert companion.corpora == {"a"}
