"""Writing tagged rows: Parquet parts that appear whole, and JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from murmure.batch.columns import is_json
from murmure.batch.files import put_in_place, temporary
from murmure.batch.sources import sha256_of
from murmure.batch.values import json_line
from murmure.schema import TAGS

#: A row group is closed after so many rows or bytes, so that memory stays flat.
_GROUP_ROWS = 16_384
_GROUP_BYTES = 12 * 2**20
_FEW_VALUES = [*TAGS, "channel", "disclosure"]


class PartWriter:
    """Writes one part; under its name there is a whole file or none.

    Args:
        path: the part's name.
        schema: its columns.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._schema = schema
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

    def _flush(self) -> None:
        if self._held:
            table = pa.Table.from_batches(self._held, schema=self._schema)
            self._writer.write_table(table, row_group_size=max(1, table.num_rows))
            self._held = []

    def finish(self) -> tuple[int, str]:
        """Puts the part in its place, and returns its size and SHA-256."""
        self._flush()
        self._writer.close()
        written = temporary(self._path)
        size, sha256 = written.stat().st_size, sha256_of(written)
        put_in_place(written, self._path)
        return size, sha256

    def abandon(self) -> None:
        """Gives the part up."""
        self._held = []
        try:
            self._writer.close()
        finally:
            temporary(self._path).unlink(missing_ok=True)


def json_rows(batch: pa.RecordBatch) -> Iterator[str]:
    """Each row as one line of JSON: times in ISO 8601, what is no number as null.

    Columns of JSON text become what they say; where they are null they are left out.
    """
    unpacked = [field.name for field in batch.schema if is_json(field)]
    for row in batch.to_pylist():
        for name in unpacked:
            text = row.pop(name)
            if text is not None:
                row[name] = json.loads(text)
        yield json_line(row)
