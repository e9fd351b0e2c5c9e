"""Reading a run's parts again: how many rows they hold, and all rows but some."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from murmure.batch.files import put_in_place, temporary
from murmure.batch.lines import MAX_LINE
from murmure.batch.sources import sha256_of
from murmure.batch.writers import PartFormat, open_part
from murmure.errors import RunError
from murmure.guard import unguard

_ROWS = 2_048
_ERRORS = (OSError, ValueError, KeyError, StopIteration, csv.Error, pa.ArrowException)

#: One row of text: one of its values, and its bytes.
_TextRow = tuple[str | None, bytes]


def values(path: Path, part_format: PartFormat, column: str) -> Iterator[str | None]:
    """One of a post's text columns, such as `author`, of every row of a part, in order.

    Raises:
        RunError: the part cannot be read.
    """
    try:
        if part_format == "parquet":
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(_ROWS, columns=[column], use_threads=False):
                    yield from batch.column(column).to_pylist()
        else:
            for value, _ in _text_rows(path, part_format, column):
                yield value
    except _ERRORS as error:
        raise RunError(f"{path}: cannot be read ({error})") from error


def write_without(
    path: Path, out: Path, part_format: PartFormat, dropped: Callable[[str | None], bool]
) -> tuple[int, str]:
    """Writes a part again without the rows of some authors.

    Args:
        path: the part.
        out: where the rest goes.
        part_format: of both.
        dropped: tells whether an author's rows are left out.

    Returns:
        the size and SHA-256 of what was written.

    Raises:
        RunError: the part cannot be read.
    """
    try:
        if part_format == "parquet":
            return _parquet_without(path, out, dropped)
        return _text_without(path, out, part_format, dropped)
    except pa.ArrowException as error:
        raise RunError(f"{path}: cannot be read ({error})") from error


def _parquet_without(
    path: Path, out: Path, dropped: Callable[[str | None], bool]
) -> tuple[int, str]:
    with pq.ParquetFile(path) as file:
        writer = open_part(out, file.schema_arrow, "parquet")
        for batch in file.iter_batches(_ROWS, use_threads=False):
            kept = [not dropped(author) for author in batch.column("author").to_pylist()]
            writer.write(batch.filter(pa.array(kept, pa.bool_())))
    return writer.finish()


def _text_without(
    path: Path, out: Path, part_format: PartFormat, dropped: Callable[[str | None], bool]
) -> tuple[int, str]:
    written = temporary(out)
    with written.open("wb") as file:
        if part_format == "csv":
            file.write(next(_records(path))[1])
        for author, row in _text_rows(path, part_format, "author"):
            if not dropped(author):
                file.write(row)
    size, sha256 = written.stat().st_size, sha256_of(written)
    put_in_place(written, out)
    return size, sha256


def _text_rows(path: Path, part_format: PartFormat, column: str) -> Iterator[_TextRow]:
    if part_format == "jsonl":
        with path.open("rb") as file:
            for line in file:
                yield json.loads(line).get(column), line
        return
    records = _records(path)
    header, _ = next(records)
    position = header.index(column)
    for fields, raw in records:
        if len(fields) != len(header):
            raise ValueError(f"{len(fields)} fields, the header has {len(header)}")
        yield unguard(fields[position]) or None, raw


def _records(path: Path) -> Iterator[tuple[Sequence[str], bytes]]:
    """The records of a CSV part, each with its bytes, over however many lines."""
    csv.field_size_limit(max(csv.field_size_limit(), 2 * MAX_LINE))
    taken: list[str] = []

    def lines() -> Iterator[str]:
        with path.open(encoding="utf-8", newline="\n") as file:
            for line in file:
                taken.append(line)
                yield line

    for fields in csv.reader(lines(), strict=True):
        yield fields, "".join(taken).encode()
        taken.clear()
