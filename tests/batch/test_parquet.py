"""Parquet: types kept, bad strings set aside, damage named."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from murmure.errors import InputError
from tests.batch.runs import manifest, rejects, rows, tag, texts


def write(folder: Path, columns: dict[str, Any], **options: Any) -> Path:
    path = folder / "a.parquet"
    pq.write_table(pa.table(columns), path, **options)
    return path


def strings(*values: bytes) -> pa.Array:
    """A string column that holds these very bytes."""
    return pa.array(values, pa.binary()).view(pa.string())


def test_passed_through_columns_keep_their_types(tmp_path: Path) -> None:
    columns = {
        "text": pa.array(["a", "b"]),
        "n": pa.array([1, None], pa.int16()),
        "price": pa.array([Decimal("1.50"), None]),
        "when": pa.array([datetime(2026, 3, 1), None], pa.timestamp("ms")),
        "tags": pa.array([["x"], []], pa.list_(pa.string())),
        "user": pa.array([{"name": "Léa"}, None]),
        "raw": pa.array([b"\xff", None]),
        "kind": pa.array(["u", "v"]).dictionary_encode(),
        "language": pa.array(["de", "fr"]),
    }
    tag(write(tmp_path, columns), tmp_path / "out")
    written = pq.ParquetFile(tmp_path / "out/part-00000.parquet").schema_arrow
    for name in ("n", "price", "when", "tags", "user", "raw", "kind"):
        assert written.field(name).type == columns[name].type
    assert written.field("input_language").type == pa.string()


def test_own_columns_of_other_types_become_text_and_utc(tmp_path: Path) -> None:
    columns = {
        "text": pa.array(["a", "b"]).dictionary_encode(),
        "id": pa.array([7, None], pa.int64()),
        "author": pa.array([7.0, float("nan")]),
        "channel": pa.array(["x", ""]).dictionary_encode(),
        "created_at": pa.array([1710000000, None], pa.int64()),
    }
    tag(write(tmp_path, columns), tmp_path / "out")
    first, second = rows(tmp_path / "out")
    assert (first["id"], first["author"], first["channel"]) == ("7", "7", "x")
    assert first["created_at"] == datetime(2024, 3, 9, 16, 0, tzinfo=UTC)
    assert second["id"].startswith("made-")
    assert (second["author"], second["channel"], second["created_at"]) == (None, None, None)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.large_binary()])
def test_text_that_is_not_utf8_costs_its_row(kind: pa.DataType, tmp_path: Path) -> None:
    binary = pa.large_binary() if "large" in str(kind) else pa.binary()
    values = [b"caf\xc3\xa9", b"caf\xe9", None, b"", b"\xed\xa0\x80", b"b\0c"]
    column = pa.array(values, binary)
    column = column if column.type == kind else column.view(kind)
    tag(write(tmp_path, {"text": column}), tmp_path / "out")
    assert texts(tmp_path / "out") == ["café", "b\0c"]
    reasons = [(one["line"], one["reason"], one["raw"]) for one in rejects(tmp_path / "out")]
    assert reasons == [
        (2, "not UTF-8: column 'text'", "caf\\xe9"),
        (3, "text is null", None),
        (4, "text is empty", ""),
        (5, "not UTF-8: column 'text'", "\\xed\\xa0\\x80"),
    ]


def test_other_column_that_is_not_utf8_costs_its_row(tmp_path: Path) -> None:
    columns = {"text": pa.array(["a", "b"]), "author": strings(b"\xe9", b"u")}
    tag(write(tmp_path, columns), tmp_path / "out")
    assert texts(tmp_path / "out") == ["b"]
    assert rejects(tmp_path / "out")[0]["reason"] == "not UTF-8: column 'author'"


def test_long_posts_come_in_short_chunks(tmp_path: Path) -> None:
    path = write(tmp_path, {"text": pa.array(["é" * 900_000, "b", "c" * 1_000_001] * 10)})
    summary = tag(path, tmp_path / "out", chunk_rows=7)
    assert (summary.tagged, summary.rejected) == (20, 10)
    assert [reject["line"] for reject in rejects(tmp_path / "out")] == list(range(3, 31, 3))


def test_same_rows_give_the_same_parts_whatever_the_row_groups(tmp_path: Path) -> None:
    kinds = pa.array([f"kind {number * 7 % 13}" for number in range(100)])
    posts = {
        "text": [f"post {number}" for number in range(100)],
        "kind": kinds.dictionary_encode(),
    }
    parts = []
    for group in (1, 7, 100):
        folder = tmp_path / str(group)
        folder.mkdir()
        tag(
            write(folder, posts, row_group_size=group),
            folder / "out",
            part_rows=40,
            chunk_rows=11,
        )
        parts.append([part["sha256"] for part in manifest(folder / "out")["parts"]])
    assert len(parts[0]) == 3
    assert parts[0] == parts[1] == parts[2]
    told = [row["kind"] for row in rows(tmp_path / "7/out")]
    assert told == kinds.to_pylist()


@pytest.mark.parametrize("part_format", ["parquet", "jsonl", "csv"])
def test_categories_of_several_files_stay_what_they_stand_for(
    part_format: str, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    kinds = [["u", None, "v", "=w"], ["z", "u", "u", None]]
    for name, values in zip("ab", kinds, strict=True):
        kind = pa.array(values).dictionary_encode()
        ordered = pa.DictionaryArray.from_arrays(kind.indices, kind.dictionary, ordered=True)
        columns = {"text": ["1", "", "2", "3"], "kind": kind, "rank": ordered}
        pq.write_table(pa.table(columns), tmp_path / f"in/{name}.parquet")
    tag(tmp_path / "in", tmp_path / "out", format=part_format)
    part = tmp_path / f"out/part-00000.{part_format}"
    expected = ["u", "v", "=w", "z", "u", None]
    if part_format == "parquet":
        table = pq.read_table(part)
        assert table["kind"].to_pylist() == table["rank"].to_pylist() == expected
        assert table.schema.field("rank").type == pa.dictionary(
            pa.int32(), pa.string(), ordered=True
        )
    elif part_format == "jsonl":
        told = [json.loads(line)["kind"] for line in part.read_text().splitlines()]
        assert told == expected
    else:
        told = [row["kind"] for row in csv.DictReader(part.read_text().splitlines())]
        assert told == ["u", "v", "'=w", "z", "u", ""]
    assert tag(tmp_path / "out", tmp_path / "again").tagged == 6


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"text": [1]}, r"a\.parquet, column 'text': holds int64, not text"),
        ({"body": ["a"]}, r"a\.parquet: no column 'text'.*--columns text=body"),
    ],
)
def test_table_without_text_is_refused(
    columns: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        tag(write(tmp_path, columns), tmp_path / "out")


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1" + b"x" * 99 + b"PAR1", b"text\na\n"])
def test_file_that_is_not_parquet_is_refused(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.parquet: is (empty|not sound Parquet)"):
        tag(tmp_path / "a.parquet", tmp_path / "out")


def test_damage_in_the_middle_is_named_and_keeps_the_parts_before(tmp_path: Path) -> None:
    posts = {"text": [f"post {number} " + "x" * 99 for number in range(4000)]}
    path = write(tmp_path, posts, row_group_size=1000, write_page_checksum=True, compression="none")
    data = bytearray(path.read_bytes())
    at = data.rindex(b"post 2500 ")
    data[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.parquet: is not sound Parquet .* with row 2001"):
        tag(path, tmp_path / "out", part_rows=1000, chunk_rows=500)
    assert len(manifest(tmp_path / "out")["parts"]) == 2
