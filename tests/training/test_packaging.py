"""From a trained tagger to a model folder: its tokenizer."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra dev or train")

from murmure.errors import InputError
from murmure.training.packaging import load_tokenizer


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
