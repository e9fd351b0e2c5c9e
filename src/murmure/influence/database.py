# ruff: noqa: S608 - every name in this SQL is murmure's own, every value is quoted
"""DuckDB over the parts of runs: posts are read where they lie, never loaded whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from tempfile import TemporaryDirectory, gettempdir
from typing import TYPE_CHECKING

from murmure.errors import RunError
from murmure.influence.runs import Part, Run

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: What DuckDB may hold in memory; beyond it writes to a temporary folder.
MEMORY_LIMIT = "1GB"

_ROW = "file_row_number"
_FILE = "murmure_part_file"


@contextmanager
def connect(runs: Sequence[Run]) -> Iterator[DuckDBPyConnection]:
    """A DuckDB of its own for the time of the block, which knows the parts of `runs`.

    Raises:
        RunError: where posts cannot be read within the block, since a part is damaged, or since
            room or memory is short.
    """
    import duckdb
    import pyarrow as pa

    try:
        with _connected(runs) as connection:
            yield connection
    except (duckdb.Error, pa.ArrowException) as error:
        reason = str(error).partition("\n")[0]
        folders = ", ".join(str(run.folder) for run in runs) or "the posts"
        message = f"{folders}: cannot be read through ({reason}); see with murmure tag --verify"
        message += f" whether a part is damaged, or make room in {gettempdir()}"
        raise RunError(message) from error


@contextmanager
def _connected(runs: Sequence[Run]) -> Iterator[DuckDBPyConnection]:
    import duckdb

    with TemporaryDirectory(prefix="murmure-count-") as folder:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": folder,
            "autoinstall_known_extensions": "false",
        }
        with duckdb.connect(":memory:", config=settings) as connection:
            connection.execute("CREATE TABLE parts (file VARCHAR, first BIGINT)")
            for run in runs:
                rows = [(part.file.as_posix(), part.first) for part in run.parts]
                if rows:
                    connection.executemany("INSERT INTO parts VALUES (?, ?)", rows)
            yield connection


def quote(text: str) -> str:
    """`text` as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def scan(parts: Sequence[Part], columns: Sequence[str]) -> str:
    """SQL of a table of the parts' posts, in order.

    Args:
        parts: at least one, all of one run: runs may differ in the columns that pass through.
        columns: which of the posts' columns.

    Returns:
        A subquery in brackets with the column `number` (the post's place among all posts of all
        runs) and `columns`.
    """
    selected = ", ".join(f'"{name}"' for name in columns)
    if _has_column(parts[0], _ROW):  # the user's own column of that name hides DuckDB's
        each = (
            f"SELECT {part.first} + row_number() OVER () - 1 AS number, {selected} "
            f"FROM read_parquet([{_pattern(part)}], hive_partitioning = false)"
            for part in parts
        )
        return f"({' UNION ALL '.join(each)})"
    files = ", ".join(map(_pattern, parts))
    return (
        f"(SELECT first + {_ROW} AS number, {selected} "
        f"FROM read_parquet([{files}], hive_partitioning = false, {_ROW} = true, "
        f"filename = '{_FILE}') JOIN parts ON parts.file = {_FILE})"
    )


def chunks(runs: Sequence[Run], rows: int) -> Iterator[list[Part]]:
    """The parts in groups that hold about `rows` posts each, never of two runs."""
    for run in runs:
        group: list[Part] = []
        held = 0
        for part in run.parts:
            if not part.rows:
                continue
            if group and held + part.rows > rows:
                yield group
                group, held = [], 0
            group.append(part)
            held += part.rows
        if group:
            yield group


def _has_column(part: Part, name: str) -> bool:
    import pyarrow.parquet as pq

    return name in {column.lower() for column in pq.read_schema(part.file).names}


def _pattern(part: Part) -> str:
    """The part's path as DuckDB takes it: a pattern, in which only the path itself fits."""
    path = part.file.as_posix()
    return quote("".join(f"[{sign}]" if sign in "[*?" else sign for sign in path))
