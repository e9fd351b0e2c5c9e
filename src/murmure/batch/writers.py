"""Writing tagged rows: parts that appear whole, as Parquet, JSON lines or CSV."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import date, time
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from murmure.batch.columns import is_json
from murmure.batch.failpoints import reach
from murmure.batch.files import put_in_place, temporary
from murmure.batch.sources import sha256_of
from murmure.batch.values import as_json, json_line, plain_values
from murmure.guard import guard, guard_one
from murmure.schema import TAGS

#: How the parts of a run are written.
PartFormat = Literal["parquet", "jsonl", "csv"]
PART_FORMATS: tuple[PartFormat, ...] = ("parquet", "jsonl", "csv")

#: A row group is closed after so many rows or bytes, so that memory stays flat.
_GROUP_ROWS = 16_384
_GROUP_BYTES = 12 * 2**20
_FEW_VALUES = [*TAGS, "channel", "disclosure"]
_CSV = pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed")


class PartWriter(ABC):
    """Writes one part; under its name there is a whole file or none.

    Args:
        path: the part's name.
        schema: its columns.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._schema = schema

    @abstractmethod
    def write(self, batch: pa.RecordBatch) -> None:
        """Adds rows."""

    @abstractmethod
    def _close(self) -> None:
        """Ends the file."""

    def finish(self) -> tuple[int, str]:
        """Puts the part in its place, and returns its size and SHA-256."""
        self._close()
        written = temporary(self._path)
        size, sha256 = written.stat().st_size, sha256_of(written)
        reach("before-rename")
        put_in_place(written, self._path)
        return size, sha256

    def abandon(self) -> None:
        """Gives the part up."""
        try:
            self._close()
        finally:
            temporary(self._path).unlink(missing_ok=True)


class ParquetPart(PartWriter):
    """A part of Parquet, types and all."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        super().__init__(path, schema)
        self._held: list[pa.RecordBatch] = []
        self._writer = pq.ParquetWriter(
            temporary(path),
            schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=[name for name in _FEW_VALUES if name in schema.names],
        )

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds rows."""
        self._held.append(batch)
        rows = sum(held.num_rows for held in self._held)
        if rows >= _GROUP_ROWS or sum(held.nbytes for held in self._held) >= _GROUP_BYTES:
            self._flush()
        reach("mid-part")

    def _flush(self) -> None:
        if self._held:
            table = pa.Table.from_batches(self._held, schema=self._schema)
            self._writer.write_table(table, row_group_size=max(1, table.num_rows))
            self._held = []

    def _close(self) -> None:
        self._flush()
        self._writer.close()

    def abandon(self) -> None:
        """Gives the part up."""
        self._held = []
        super().abandon()


class TextPart(PartWriter):
    """A part of lines."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        super().__init__(path, schema)
        self._file = temporary(path).open("wb")
        self._file.write(self.head(schema))

    def write(self, batch: pa.RecordBatch) -> None:
        """Adds rows."""
        self._file.write(self.rows(batch))
        reach("mid-part")

    def _close(self) -> None:
        self._file.close()

    @staticmethod
    def head(schema: pa.Schema) -> bytes:
        """What stands before the rows."""
        del schema
        return b""

    @staticmethod
    @abstractmethod
    def rows(batch: pa.RecordBatch) -> bytes:
        """Rows as they are written."""


class JsonLinesPart(TextPart):
    """A part of JSON lines."""

    @staticmethod
    def rows(batch: pa.RecordBatch) -> bytes:
        """One line of JSON a row."""
        return "".join(json_rows(batch)).encode()


class CsvPart(TextPart):
    """A part of CSV: commas, UTF-8, a header, every text in quotes and guarded (`guard`)."""

    @staticmethod
    def head(schema: pa.Schema) -> bytes:
        """The header."""
        names = [guard_one(name).replace('"', '""') for name in schema.names]
        return (",".join(f'"{name}"' for name in names) + "\n").encode()

    @staticmethod
    def rows(batch: pa.RecordBatch) -> bytes:
        """One record a row; what is null is empty and stands without quotes."""
        sink = pa.BufferOutputStream()
        pyarrow.csv.write_csv(csv_cells(batch), sink, _CSV)
        return bytes(sink.getvalue())


_WRITERS: dict[PartFormat, type[PartWriter]] = {
    "parquet": ParquetPart,
    "jsonl": JsonLinesPart,
    "csv": CsvPart,
}
TEXT_PARTS: dict[PartFormat, type[TextPart]] = {"jsonl": JsonLinesPart, "csv": CsvPart}


def open_part(path: Path, schema: pa.Schema, part_format: PartFormat) -> PartWriter:
    """Begins a part of some format."""
    return _WRITERS[part_format](path, schema)


def json_rows(batch: pa.RecordBatch) -> Iterator[str]:
    """Each row as one line of JSON: times in ISO 8601, what is no number as null.

    Columns of JSON text become what they say; where they are null they are left out.
    """
    unpacked = [field.name for field in batch.schema if is_json(field)]
    names = batch.schema.names
    for cells in zip(*map(plain_values, batch.columns), strict=True):
        row = dict(zip(names, cells, strict=True))
        for name in unpacked:
            text = row.pop(name)
            if text is not None:
                row[name] = json.loads(text)
        yield json_line(row)


def csv_cells(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Rows whose columns are all numbers, truth values or guarded texts.

    Times become ISO 8601 with their zone; lists and objects become JSON.
    """
    return pa.RecordBatch.from_arrays(
        [_cells(column) for column in batch.columns], names=batch.schema.names
    )


def _cells(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return column
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return guard(column.cast(pa.string()))
    if pa.types.is_decimal(kind):
        return column.cast(pa.string())  # digits and a sign: no formula
    if pa.types.is_nested(kind):
        return guard(as_json(column))
    return guard(pa.array([_text(value) for value in plain_values(column)], pa.string()))


def _text(value: Any) -> str | None:  # noqa: ANN401 - whatever a column holds
    if value is None:
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value.isoformat() if isinstance(value, date | time) else value)
