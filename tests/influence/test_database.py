"""Reading the posts of runs, whatever ails their parts."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from murmure.errors import RunError, UsageError
from murmure.influence import count
from murmure.influence.audit import draw_sample
from murmure.influence.database import connect, scan
from murmure.influence.runs import open_runs
from tests.runs import write_run


def damage(part: Path, column: str) -> None:
    """Overwrites the head of a column's first page."""
    group = pq.read_metadata(part).row_group(0)
    (chunk,) = [
        chunk
        for chunk in map(group.column, range(group.num_columns))
        if chunk.path_in_schema == column
    ]
    content = bytearray(part.read_bytes())
    first = chunk.dictionary_page_offset or chunk.data_page_offset
    content[first : first + 12] = b"\xff" * 12
    part.write_bytes(content)


def test_a_damaged_page_is_told_with_what_to_do(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [{"author": "ana"}] * 20)
    damage(run / "part-00000.parquet", "text")
    for read in (count, lambda folder: draw_sample(folder, size=5)):
        with pytest.raises(RunError, match=r"run: cannot be read through .*murmure tag --verify"):
            read(run)


@pytest.mark.parametrize("own", ["likes", "file_row_number"])
def test_what_the_folder_is_called_is_no_column(tmp_path: Path, own: str) -> None:
    folder = write_run(tmp_path / "author=bob", [{"author": "ana"}, {"author": "cleo"}])
    part = folder / "part-00000.parquet"
    table = pq.read_table(part)
    pq.write_table(table.append_column(own, pa.array([7, 7])), part)
    runs = open_runs([folder])
    with connect(runs) as connection:
        query = f"SELECT number, author FROM {scan(runs[0].parts, ['author'])}"
        assert sorted(connection.execute(query).fetchall()) == [(0, "ana"), (1, "cleo")]


@pytest.mark.parametrize(
    "error", [duckdb.OutOfMemoryException("no memory\nmore"), pa.ArrowInvalid("no memory")]
)
def test_whatever_stops_the_reading_is_told_in_a_line(tmp_path: Path, error: Exception) -> None:
    runs = open_runs([write_run(tmp_path / "run", [{}])])
    with pytest.raises(RunError, match=r"^[^\n]*\(no memory\)[^\n]*make room in"), connect(runs):
        raise error


def test_errors_of_our_own_pass_as_they_are() -> None:
    told = UsageError("--by country: unknown")
    with pytest.raises(UsageError) as found, connect([]):
        raise told
    assert found.value is told
