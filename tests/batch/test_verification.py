"""Folders proved whole, and faults told with the file's name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from murmure.batch import verify
from murmure.batch.files import locked
from murmure.batch.manifest import read_manifest
from murmure.errors import InputError, RunError
from tests.batch.runs import tag


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A finished run over 11 rows, 2 of them rejected, in parts of 4."""
    lines = ["broken" if n in {3, 9} else f'{{"text": "post {n}"}}' for n in range(11)]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    tag(tmp_path / "a.jsonl", tmp_path / "out", part_rows=4)
    return tmp_path / "out"


def test_whole_folder_is_counted_anew(out: Path) -> None:
    found = verify(out, out.parent / "a.jsonl")
    assert found.is_whole
    assert (found.rows, found.tagged, found.rejected, found.parts, found.inputs) == (11, 9, 2, 3, 1)


def change_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def drop_row(out: Path) -> None:
    table = pq.read_table(out / "part-00001.parquet")
    pq.write_table(table.slice(1), out / "part-00001.parquet")


def edit_manifest(out: Path, old: str, new: str) -> None:
    path = out / "manifest.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda out: change_byte(out / "part-00001.parquet"), "part-00001.parquet: its SHA-256"),
        (lambda out: (out / "part-00002.parquet").unlink(), "part-00002.parquet: is missing"),
        (drop_row, "part-00001.parquet: holds 3 rows, but the manifest says 4"),
        (lambda out: change_byte(out / "rejects.jsonl"), "rejects.jsonl"),
        (lambda out: (out / "rejects.jsonl").unlink(), "rejects.jsonl: is missing"),
        (lambda out: (out / "rejects.jsonl").write_text(""), "rejects.jsonl: lists 0 rows of a.js"),
        (lambda out: (out / "part-9.parquet").touch(), "part-9.parquet: is not named"),
        (lambda out: edit_manifest(out, '"tagged": 9', '"tagged": 8'), "manifest.json: tagged"),
        (lambda out: edit_manifest(out, '"encoding": "utf-8"', '"encoding": "x"'), "configuration"),
        (lambda out: edit_manifest(out, '"name": "fake"', '"name": "fare"'), "manifest.json: was"),
        (lambda out: (out.parent / "a.jsonl").write_text("{}"), "a.jsonl: was changed"),
    ],
)
def test_what_is_wrong_is_named(damage: Callable[[Path], object], message: str, out: Path) -> None:
    damage(out)
    found = verify(out, out.parent / "a.jsonl")
    assert not found.is_whole
    assert any(message in fault for fault in found.faults), found.faults


@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_byte_that_is_changed_is_found(data: st.DataObject, out: Path) -> None:
    file = data.draw(st.sampled_from(sorted(out.iterdir())))
    whole = file.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    changed = bytearray(whole)
    changed[place] ^= data.draw(st.integers(1, 255))
    file.write_bytes(changed)
    try:
        found = verify(out)
        assert not found.is_whole
        assert any(file.name in fault for fault in found.faults), found.faults
    except RunError as error:
        assert "manifest.json" in str(error)
    finally:
        file.write_bytes(whole)
    assert verify(out).is_whole


def test_unfinished_run_is_not_whole(out: Path) -> None:
    manifest = read_manifest(out)
    assert manifest is not None
    manifest.complete = False
    manifest.write(out)
    assert (verify(out).is_whole, verify(out).faults) == (False, ())


def test_other_inputs_are_told(out: Path) -> None:
    (out.parent / "b.jsonl").write_text("{}")
    found = verify(out, out.parent / "b.jsonl").faults
    assert found == (
        "a.jsonl: was tagged, but is not among the inputs given",
        "b.jsonl: is given, but was not tagged",
    )


def test_folder_without_a_run_or_in_use_is_refused(out: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        verify(out / "none")
    with pytest.raises(InputError, match="not a run's folder"):
        verify(out.parent)
    with locked(out), pytest.raises(RunError, match="another murmure run is writing here"):
        verify(out)
