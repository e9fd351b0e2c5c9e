"""Parts of JSON lines and CSV: what stands in them, and that it can be read back."""

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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from murmure.batch import tag_file
from murmure.batch.parts import values
from murmure.batch.writers import csv_cells
from murmure.errors import UsageError
from murmure.guard import unguard
from murmure.schema import TAGS
from tests.batch.fakes import load_fake
from tests.batch.runs import contents, manifest, rows, tag


def write(folder: Path, posts: dict[str, list[Any]]) -> Path:
    pq.write_table(pa.table(posts), folder / "a.parquet")
    return folder / "a.parquet"


def csv_rows(out: Path) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for part in sorted(out.glob("part-*.csv")):
        with part.open(encoding="utf-8", newline="") as file:
            found += csv.DictReader(file)
    return found


POSTS: dict[str, list[Any]] = {
    "id": ["p1", "p2", "p1"],
    "text": ["=SUM(1;2)", 'dit "oui"\r\net, voilà 😡', "'cité"],
    "author": ["@ana", None, "-ben"],
    "likes": [3, -4, None],
    "share": [0.5, None, -1.5],
    "seen": [datetime(2026, 3, 1, 10, tzinfo=UTC), None, datetime(2026, 3, 2, tzinfo=UTC)],
    "where": [["x", "y"], [], None],
    "+head": ["\tindented", "＝1", " =1"],
}


@pytest.mark.parametrize("part_format", ["jsonl", "csv"])
def test_parts_hold_the_same_rows_in_every_format(part_format: str, tmp_path: Path) -> None:
    source = write(tmp_path, POSTS)
    tag(source, tmp_path / "parquet", part_rows=2)
    summary = tag(source, tmp_path / "out", part_rows=2, format=part_format)
    assert summary.duplicate_ids == {"ids": 1, "rows": 2, "first": ["p1"]}
    told = manifest(tmp_path / "out")
    assert [part["file"] for part in told["parts"]] == [
        f"part-0000{number}.{part_format}" for number in (0, 1)
    ]
    expected = rows(tmp_path / "parquet")
    if part_format == "jsonl":
        found = [
            json.loads(line)
            for part in sorted((tmp_path / "out").glob("part-*.jsonl"))
            for line in part.read_text(encoding="utf-8").split("\n")[:-1]
        ]
        assert [list(row) for row in found] == [list(row) for row in expected]
        assert [row["likes"] for row in found] == POSTS["likes"]
        assert found[0]["seen"] == "2026-03-01T10:00:00+00:00"
        assert found[1]["where"] == []
    else:
        found = [
            {unguard(name): unguard(cell) for name, cell in row.items()}
            for row in csv_rows(tmp_path / "out")
        ]
        assert list(found[0]) == list(expected[0])
        assert [row["likes"] for row in found] == ["3", "-4", ""]
        assert [row["author"] for row in found] == ["@ana", "", "-ben"]
        assert json.loads(found[0]["where"]) == ["x", "y"]
    for column in ("id", "text", "+head", *TAGS):
        assert [row[column] for row in found] == [row[column] for row in expected]


def test_no_cell_of_csv_begins_a_formula(tmp_path: Path) -> None:
    tag(write(tmp_path, POSTS), tmp_path / "out", format="csv")
    texts = {"text", "author", "'+head"}
    for row in csv_rows(tmp_path / "out"):
        for name in texts:
            assert not row[name].lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "＝"))
    assert csv_rows(tmp_path / "out")[1]["likes"] == "-4"


@pytest.mark.parametrize("part_format", ["jsonl", "csv"])
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    written=st.lists(
        st.tuples(st.text(min_size=1).filter(str.strip), st.one_of(st.none(), st.text(min_size=1))),
        min_size=1,
        max_size=8,
    )
)
def test_authors_come_back_from_any_text(
    part_format: str, written: list[tuple[str, str | None]], tmp_path: Path
) -> None:
    texts, names = zip(*written, strict=True)
    source = write(tmp_path, {"text": list(texts), "author": pa.array(names, pa.string())})
    tag(source, tmp_path / "out", format=part_format, overwrite=True)
    part = tmp_path / "out" / f"part-00000.{part_format}"
    assert list(values(part, part_format, "author")) == list(names)  # type: ignore[arg-type]


def test_tagged_csv_can_be_tagged_again(tmp_path: Path) -> None:
    tag(write(tmp_path, POSTS), tmp_path / "out", format="csv")
    summary = tag(tmp_path / "out", tmp_path / "again")
    assert (summary.rows, summary.tagged) == (3, 3)


def test_values_of_any_type_become_cells() -> None:
    batch = pa.RecordBatch.from_arrays(
        [
            pa.array([b"caf\xc3\xa9\xff", None]),
            pa.array([10**15, 1], pa.int64()).cast(pa.timestamp("s")),
            pa.array([1.5, None]),
            pa.array([True, None]),
            pa.array([Decimal("-3.40"), None], pa.decimal128(10, 2)),
        ],
        names=["bytes", "far", "number", "truth", "price"],
    )
    cells = csv_cells(batch).to_pydict()
    assert cells["bytes"] == ["café\\xff", None]
    assert cells["far"] == [str(10**15), "1970-01-01T00:00:01"]
    assert (cells["number"], cells["truth"]) == ([1.5, None], [True, None])
    assert cells["price"] == ["-3.40", None]


@pytest.mark.parametrize("part_format", ["jsonl", "csv"])
def test_times_beyond_python_are_written_as_text(part_format: str, tmp_path: Path) -> None:
    fine = pa.array([1, None, 10**18 + 1], pa.int64()).cast(pa.timestamp("ns"))
    far = pa.array([10**15] * 3, pa.int64()).cast(pa.timestamp("s"))
    inner = pa.StructArray.from_arrays([fine], names=["at"])
    table = {"text": ["a", "b", "c"], "fine": fine, "far": far, "inner": inner}
    lists = pa.ListArray.from_arrays(pa.array([0, 1, 1, 3]), fine)
    pq.write_table(pa.table({**table, "lists": lists}), tmp_path / "a.parquet")
    summary = tag(tmp_path / "a.parquet", tmp_path / "out", format=part_format)
    assert summary.tagged == 3
    told = (tmp_path / "out" / f"part-00000.{part_format}").read_text()
    assert told.count("2001-09-09T01:46:40.000000001") == 3
    assert told.count(str(10**15)) == 3


@pytest.mark.parametrize(
    ("out", "part_format", "message"),
    [
        ("out", "xlsx", "--format: no parts are written as 'xlsx'; they are parquet, jsonl, csv"),
        ("-", "parquet", "--format: Parquet goes to a folder"),
    ],
)
def test_format_that_cannot_be_written_is_refused(
    out: str, part_format: str, message: str, tmp_path: Path
) -> None:
    where = out if out == "-" else tmp_path / out
    with pytest.raises(UsageError, match=message):
        tag_file(write(tmp_path, POSTS), where, format=part_format, load_predictor=load_fake)


def test_run_goes_on_in_its_own_format_alone(tmp_path: Path) -> None:
    from murmure.errors import RunError

    source = write(tmp_path, POSTS)
    tag(source, tmp_path / "out", format="csv")
    before = contents(tmp_path / "out")
    with pytest.raises(RunError, match=r"format \('csv', now 'parquet'\)"):
        tag(source, tmp_path / "out")
    assert contents(tmp_path / "out") == before
