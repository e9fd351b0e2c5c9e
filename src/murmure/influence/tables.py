"""The counts table: its columns, and how it is written to a file."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

from murmure.errors import InputError, UsageError
from murmure.guard import guard

#: The columns that say which posts a number is about; "all" is over everything.
SLICE_COLUMNS = ("entity", "window", "language", "channel", "media", "promotion")
#: The columns that say which number it is.
METRIC_COLUMNS = ("metric", "experience", "touchpoint", "sentiment")
#: The numbers: labels counted, corrected, its interval, and the posts it rests on.
NUMBER_COLUMNS = ("raw", "estimate", "low", "high", "n")
#: How many labels by hand the estimate rests on; 0 where it rests on the model alone.
LABELS_COLUMN = "labels"

# The columns whose texts are the user's, and may be many.
_INDEXES = {name: pa.int32() for name in ("entity", "window", "channel")}

#: How many significant digits a number in CSV has after its point at most.
_CSV_DIGITS = 6
#: Up to this power, doubles hold powers of ten exactly.
_MOST_DECIMALS = 22


def counts_schema() -> pa.Schema:
    """The columns of a counts table: texts from a dictionary, of which millions take little room.

    Example:
        >>> counts_schema().field("metric").type.value_type
        DataType(string)
    """
    texts = [
        pa.field(name, pa.dictionary(_INDEXES.get(name, pa.int8()), pa.string()), nullable=False)
        for name in SLICE_COLUMNS + METRIC_COLUMNS
    ]
    numbers = [pa.field(name, pa.float64()) for name in NUMBER_COLUMNS[:-1]]
    counted = [
        pa.field("n", pa.int64(), nullable=False),
        pa.field(LABELS_COLUMN, pa.int32(), nullable=False),
    ]
    return pa.schema([*texts, *numbers, *counted])


def write_counts(counts: pa.Table, output: str | Path) -> None:
    """Writes a counts table.

    A file appears whole or not at all. In CSV, which people read, numbers are rounded to 6
    significant digits (before the point they have them all), and a cell that a spreadsheet would
    take for a formula gets an apostrophe before it (`murmure.guard`).

    Args:
        counts: the table.
        output: a file that ends in .parquet, .csv or .jsonl, or "-" for CSV on standard output.

    Raises:
        UsageError: when the name ends otherwise.
        InputError: when the file cannot be written, or its folder is not there.

    Example:
        >>> write_counts(counts_schema().empty_table(), "counts.xlsx")
        Traceback (most recent call last):
        murmure.errors.UsageError: counts.xlsx: ends in none of .parquet, .csv, .jsonl; rename it
    """
    if str(output) == "-":
        sys.stdout.flush()
        _write_csv(counts, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    path = Path(output)
    write = check_output(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as sink:
            write(counts, sink)
        unfinished.replace(path)
    except OSError as error:
        message = f"cannot be written ({error.strerror}); choose another --output"
        raise InputError(message, file=path) from None
    finally:
        unfinished.unlink(missing_ok=True)


def check_output(output: str | Path) -> Callable[[pa.Table, IO[bytes]], None]:
    """The writer for a name, before the counting, which takes time.

    Raises:
        UsageError: when the name ends in no known format.
        InputError: when its folder is not there.
    """
    if str(output) == "-":
        return _write_csv
    path = Path(output)
    writer = _WRITERS.get(path.suffix.lower())
    if writer is None:
        raise UsageError(f"{output}: ends in none of {', '.join(_WRITERS)}; rename it")
    if not path.parent.is_dir():
        raise InputError("its folder is not there; make it first", file=output)
    return writer


def rounded(numbers: pa.Array) -> pa.Array:
    """Numbers with 6 significant digits, or as many as they have before the point.

    Example:
        >>> rounded(pa.array([4.951277338489823, 0.0012345678, 1234567.8, None])).to_pylist()
        [4.95128, 0.00123457, 1234568.0, None]
    """
    values = numbers.to_numpy(zero_copy_only=False)
    size = np.abs(values, out=np.ones_like(values), where=np.isfinite(values) & (values != 0))
    decimals = np.clip(_CSV_DIGITS - 1 - np.floor(np.log10(size)), 0, _MOST_DECIMALS)
    # Divided by a power of ten, a whole number gives the double that is written so briefly.
    scale = 10.0**decimals
    return pa.array(np.rint(values * scale) / scale, mask=numbers.is_null().to_numpy(False))


def _write_csv(counts: pa.Table, sink: IO[bytes]) -> None:
    from pyarrow import csv

    plain = _plain_schema()
    options = csv.WriteOptions(quoting_style="needed", quoting_header="none")
    with csv.CSVWriter(sink, plain, write_options=options) as writer:
        for batch in counts.to_batches(max_chunksize=100_000):
            columns = [
                _as_cells(column, field.type)
                for column, field in zip(batch.columns, plain, strict=True)
            ]
            writer.write_batch(pa.record_batch(columns, schema=plain))


def _as_cells(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if pa.types.is_string(kind):
        return guard(column.cast(kind))
    return rounded(column) if pa.types.is_floating(kind) else column


def _write_jsonl(counts: pa.Table, sink: IO[bytes]) -> None:
    for batch in counts.to_batches(max_chunksize=10_000):
        lines = (json.dumps(row, ensure_ascii=False) for row in batch.to_pylist())
        sink.write("".join(f"{line}\n" for line in lines).encode())


def _write_parquet(counts: pa.Table, sink: IO[bytes]) -> None:
    import pyarrow.parquet as pq

    # Without Arrow's own schema the file's texts are plain texts, whoever reads them.
    pq.write_table(counts, sink, compression="zstd", store_schema=False)


def _plain_schema() -> pa.Schema:
    return pa.schema(
        field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field
        for field in counts_schema()
    )


_WRITERS: dict[str, Callable[[pa.Table, IO[bytes]], None]] = {
    ".parquet": _write_parquet,
    ".csv": _write_csv,
    ".jsonl": _write_jsonl,
}
