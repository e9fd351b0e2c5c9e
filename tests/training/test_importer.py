"""The importer: the folder that it writes, as `transformers` reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from murmure.errors import ModelError, UsageError
from murmure.training.importer import CONFIGURATION, WEIGHTS, WORDS, import_encoder
from murmure.training.quantised import QuantisedFile
from murmure.training.vocabulary import Emoji
from tests.training.quantised_files import HIDDEN, INNER, LAYERS, PIECES, SPARE, TinyFile

NEW = (Emoji("🥹", ("😭", "tears love")), Emoji("🫠", ("café", "жж")))


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return TinyFile().write(tmp_path / "tiny.bin")


def write(tiny: Path, **options: Any) -> Path:
    made = import_encoder(tiny, tiny.parent / "encoder", **{"ids": None, "emoji": NEW} | options)
    return made.folder


def test_transformers_reads_the_folder(tiny: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = write(tiny)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    batch = tokenizer(["trop mignon🥹", "la vie"], padding=True, return_tensors="pt")
    rows = [tokenizer.convert_ids_to_tokens(row) for row in batch["input_ids"]]
    assert rows == [
        ["<s>", "▁trop", "▁mig", "non", "🥹", "</s>"],
        ["<s>", "▁la", "▁vie", "</s>", "<pad>", "<pad>"],
    ]
    assert (tokenizer.pad_token_id, tokenizer.mask_token_id) == (1, len(PIECES) - 1)
    assert tokenizer.model_max_length == model.config.max_position_embeddings
    with torch.no_grad():
        last = model.eval()(**batch).last_hidden_state
    assert last.shape == (2, 6, HIDDEN)
    assert torch.isfinite(last).all()


def test_every_number_of_the_body_is_one_of_the_file(tiny: Path) -> None:
    from transformers import BertModel

    load: Any = BertModel.from_pretrained
    _, loading = load(write(tiny), add_pooling_layer=False, output_loading_info=True)
    assert not any(loading[kind] for kind in ("missing_keys", "unexpected_keys"))
    assert not loading["mismatched_keys"]


def test_tensors_are_those_of_the_file(tiny: Path) -> None:
    found, file = load_file(write(tiny) / WEIGHTS), QuantisedFile(tiny)
    layer = f"encoder.layer.{LAYERS - 1}"
    for name, short, shape in (
        (f"{layer}.attention.self.key.weight", "l1.k.w", (HIDDEN, HIDDEN)),
        (f"{layer}.intermediate.dense.weight", "l1.fi.w", (INNER, HIDDEN)),
        (f"{layer}.output.dense.weight", "l1.fo.w", (HIDDEN, INNER)),
        (f"{layer}.output.LayerNorm.bias", "l1.oln.b", (HIDDEN,)),
        (f"{layer}.attention.output.LayerNorm.weight", "l1.aln.w", (HIDDEN,)),
    ):
        assert np.array_equal(found[name], file.tensor(short, *shape))
    words = file.tensor("emb.word", len(PIECES) + SPARE, HIDDEN)
    assert np.array_equal(found[WORDS][: len(PIECES)], words[: len(PIECES)])


def test_emoji_start_as_the_mean_of_what_they_are_like(tiny: Path) -> None:
    words = load_file(write(tiny) / WEIGHTS)[WORDS]

    def of(*pieces: str) -> Any:
        return words[[PIECES.index(piece) for piece in pieces]].mean(axis=0)

    assert len(words) == len(PIECES) + 2
    assert np.allclose(words[-2], (of("😭") + of("▁tears", "▁lo", "ve")) / 2)
    assert np.allclose(words[-1], of("▁café"))


def test_only_the_pieces_that_are_asked_for_are_there(tiny: Path) -> None:
    whole = load_file(write(tiny) / WEIGHTS)
    cut = load_file(write(tiny, ids=[20, 9], emoji=(), overwrite=True) / WEIGHTS)
    assert np.array_equal(cut[WORDS], whole[WORDS][[0, 1, 2, 3, 9, 20, len(PIECES) - 1]])
    assert all(np.array_equal(cut[name], whole[name]) for name in whole if name != WORDS)
    configuration = json.loads((tiny.parent / "encoder" / CONFIGURATION).read_text("utf-8"))
    assert configuration["vocab_size"] == 7


@pytest.mark.parametrize("text", ["la <s> vie</s>", "<mask>café <pad>", "<unk><unk>", "<s>trop"])
def test_special_tokens_written_in_posts_are_text_even_after_saving_again(
    text: str, tiny: Path
) -> None:
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    folder = write(tiny)
    AutoTokenizer.from_pretrained(folder).save_pretrained(folder.parent / "again")
    for saved in (folder, folder.parent / "again"):
        plain = Tokenizer.from_file(str(saved / "tokenizer.json")).encode(text)
        assert AutoTokenizer.from_pretrained(saved)(text)["input_ids"] == plain.ids
        inner = set(plain.tokens[1:-1])
        assert not inner & {"<s>", "</s>", "<pad>", "<mask>"}
        assert plain.ids[1:-1].count(1) == plain.ids[1:-1].count(0) == 0


def test_what_is_written_does_not_change_from_one_import_to_the_next(tiny: Path) -> None:
    first = {file.name: file.read_bytes() for file in write(tiny).iterdir()}
    again = {file.name: file.read_bytes() for file in write(tiny, overwrite=True).iterdir()}
    assert first == again
    assert len(first) == 4


def test_progress_is_told_for_every_tensor(tiny: Path) -> None:
    told: list[tuple[int, int]] = []
    write(tiny, progress=lambda done, total: told.append((done, total)))
    assert told == [(done, 37) for done in range(1, 38)]


def test_what_is_there_is_kept_unless_told_otherwise(tiny: Path) -> None:
    folder = write(tiny)
    before = (folder / WEIGHTS).read_bytes()
    with pytest.raises(UsageError, match=r"encoder: holds an encoder already; --overwrite repla"):
        write(tiny)
    assert (folder / WEIGHTS).read_bytes() == before
    write(tiny, ids=[9], overwrite=True)
    assert (folder / WEIGHTS).read_bytes() != before


def test_what_is_no_encoder_is_never_replaced(tiny: Path) -> None:
    (tiny.parent / "encoder").mkdir()
    (tiny.parent / "encoder" / "diary.txt").write_text("mine", "utf-8")
    with pytest.raises(UsageError, match=r"holds something else than an encoder; choose another"):
        write(tiny, overwrite=True)
    assert (tiny.parent / "encoder" / "diary.txt").read_text("utf-8") == "mine"
    (tiny.parent / "encoder" / "diary.txt").unlink()
    assert (write(tiny) / WEIGHTS).is_file()  # an empty folder is free


def test_a_damaged_file_leaves_nothing_and_replaces_nothing(tiny: Path) -> None:
    folder = write(tiny)
    before = (folder / WEIGHTS).read_bytes()
    tiny.write_bytes(tiny.read_bytes()[:-4])
    with pytest.raises(ModelError, match=r"ends before the end of tensor"):
        write(tiny, overwrite=True)
    assert (folder / WEIGHTS).read_bytes() == before
    assert sorted(file.name for file in tiny.parent.iterdir()) == ["encoder", "tiny.bin"]


@pytest.mark.parametrize("step", ["write_bytes", "rename"])
def test_a_full_disk_leaves_the_encoder_that_was_there(
    step: str, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tiny)
    before = (folder / WEIGHTS).read_bytes()
    plain = getattr(Path, step)

    def full(path: Path, *arguments: Any) -> Any:
        if step == "write_bytes" or (path.name.startswith(".") and not path.name.endswith("old")):
            raise OSError(28, "No space left on device", str(path))
        return plain(path, *arguments)

    monkeypatch.setattr(Path, step, full)
    with pytest.raises(OSError, match="No space left"):
        write(tiny, overwrite=True)
    monkeypatch.undo()
    assert (folder / WEIGHTS).read_bytes() == before
    assert sorted(file.name for file in tiny.parent.iterdir()) == ["encoder", "tiny.bin"]
