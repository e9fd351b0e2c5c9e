"""Parquet: streamed in small batches, whatever the size of its row groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from murmure.batch.blocks import MAX_BLOCK_CHARACTERS, Block, Reject
from murmure.batch.columns import EXACT_INTEGER, EXACT_MARK, Plan, unique_names
from murmure.batch.lines import MAX_EXCERPT
from murmure.batch.sources import EmptyFileError, Source
from murmure.batch.values import as_text, empty_to_null
from murmure.errors import InputError

_MAX_BATCH_ROWS = 2_048
_MAX_BATCH_BYTES = 4 * 2**20
_READ_BUFFER = 2**20
_ERRORS = (pa.ArrowException, OSError)


def _open(source: Source) -> pq.ParquetFile:
    if source.path.stat().st_size == 0:
        raise EmptyFileError("is empty", file=source.shown)
    try:
        return pq.ParquetFile(
            source.path, buffer_size=_READ_BUFFER, pre_buffer=False, page_checksum_verification=True
        )
    except _ERRORS as error:
        raise _damaged(source, error) from error


def _damaged(source: Source, error: BaseException, *, row: int | None = None) -> InputError:
    first = str(error).strip().partition("\n")[0]
    message = f"is not sound Parquet ({first})"
    if row is not None:
        message += f", in the row group that begins with row {row}"
    return InputError(message, file=source.shown)


class ParquetReader:
    """Reads a Parquet file as the columns that it has, types kept.

    Args:
        source: the file.
        plan: which columns fill which.

    Raises:
        InputError: not Parquet, or damaged; while reading, too.
    """

    def __init__(self, source: Source, *, plan: Plan) -> None:
        self._source = source
        self._file = _open(source)
        self._names = unique_names(self._file.schema_arrow.names)
        wanted = {*plan.posts.values(), *(extra.source for extra in plan.extras)}
        self._wanted = [(i, name) for i, name in enumerate(self._names) if name in wanted]
        self._text = plan.posts["text"]
        self._author = plan.posts["author"]
        self._row = 0
        self._pending: list[pa.RecordBatch] = []
        self._batches = self._read_batches(0)

    def skip(self, rows: int) -> None:
        """Passes over so many rows; row groups that hold none but these are not read."""
        metadata = self._file.metadata
        group, before = 0, 0
        while (
            group < metadata.num_row_groups
            and before + metadata.row_group(group).num_rows <= self._row + rows
        ):
            before += metadata.row_group(group).num_rows
            group += 1
        self._row += rows
        self._batches = self._read_batches(group, skip=self._row - before)

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def read(self, rows: int) -> Block | None:
        """The next block of at most so many rows; None at the end."""
        batch = self._take(rows)
        if batch is None:
            return None
        first = self._row
        self._row += batch.num_rows
        numbers: Sequence[int] = range(first, self._row)
        rejects: list[Reject] = []
        batch = with_strings(batch, self._names.index(self._text))
        try:
            batch.validate(full=True)
        except pa.ArrowInvalid:
            batch, numbers, rejects = sort_out(batch, self._names, numbers, author=self._author)
        columns = {name: batch.column(position) for position, name in self._wanted}
        return Block(
            first=first,
            rows=self._row - first,
            columns=columns,
            numbers=numbers,
            lines=[number + 1 for number in numbers],
            rejects=rejects,
        )

    def _read_batches(self, group: int, *, skip: int = 0) -> Iterator[pa.RecordBatch]:
        """Batches from a row group on, less so many rows, of a size that memory allows."""
        metadata = self._file.metadata
        size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
        mean = max(1, size // max(1, metadata.num_rows))
        rows = max(1, min(_MAX_BATCH_ROWS, _MAX_BATCH_BYTES // mean))
        before = sum(metadata.row_group(i).num_rows for i in range(group))
        # One row group after the other: what is damaged then costs no sound rows before it.
        for number in range(group, metadata.num_row_groups):
            try:
                for batch in self._file.iter_batches(rows, row_groups=[number], use_threads=False):
                    kept = batch.slice(min(skip, batch.num_rows))
                    skip -= batch.num_rows - kept.num_rows
                    if kept.num_rows:
                        yield kept
            except _ERRORS as error:
                raise _damaged(self._source, error, row=before + 1) from error
            before += metadata.row_group(number).num_rows

    def _take(self, rows: int) -> pa.RecordBatch | None:
        """As many rows as a block may have, in one batch."""
        held = sum(batch.num_rows for batch in self._pending)
        sizes = [characters(batch) for batch in self._pending]
        while held < rows and sum(size.sum() for size in sizes) < MAX_BLOCK_CHARACTERS:
            batch = next(self._batches, None)
            if batch is None:
                break
            self._pending.append(batch)
            held += batch.num_rows
            sizes.append(characters(batch))
        if not held:
            return None
        total = np.cumsum(np.concatenate(sizes))
        full = int(np.searchsorted(total, MAX_BLOCK_CHARACTERS)) + 1
        count = min(rows, held, full)
        taken: list[pa.RecordBatch] = []
        while count:
            batch = self._pending.pop(0)
            taken.append(batch.slice(0, count))
            if batch.num_rows > count:
                self._pending.insert(0, batch.slice(count))
            count -= taken[-1].num_rows
        return taken[0] if len(taken) == 1 else pa.concat_batches(taken)


def with_strings(batch: pa.RecordBatch, position: int) -> pa.RecordBatch:
    """The batch with a text column of bytes seen as strings, still to be validated."""
    column = batch.column(position)
    strings = {pa.binary(): pa.string(), pa.large_binary(): pa.large_string()}
    if column.type not in strings:
        return batch
    name = batch.schema.field(position).name
    return batch.set_column(position, name, column.view(strings[column.type]))


def sort_out(
    batch: pa.RecordBatch, names: Sequence[str], numbers: Sequence[int], *, author: str = "author"
) -> tuple[pa.RecordBatch, Sequence[int], list[Reject]]:
    """Sets aside the rows whose strings are not UTF-8, which Arrow only finds when asked.

    Args:
        batch: the rows.
        names: of its columns, as a reject tells them.
        numbers: of its rows.
        author: which column tells the author, if any does.
    """
    rejects = []
    sound = [True] * batch.num_rows
    for position, number in enumerate(numbers):
        row = batch.slice(position, 1)
        try:
            row.validate(full=True)
        except pa.ArrowInvalid:
            sound[position] = False
            reason, raw = _fault(row, names)
            reject = Reject(
                row=number,
                line=number + 1,
                reason=reason,
                raw=raw,
                author=_author(row, names, author),
            )
            rejects.append(reject)
    kept = [number for number, good in zip(numbers, sound, strict=True) if good]
    return batch.filter(pa.array(sound)), kept, rejects


def _author(row: pa.RecordBatch, names: Sequence[str], author: str) -> str | None:
    if author not in names:
        return None
    column = row.column(list(names).index(author))
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return None
    found: str | None = empty_to_null(as_text(column, Counter()))[0].as_py()
    return found


def _fault(row: pa.RecordBatch, names: Sequence[str]) -> tuple[str, str | None]:
    for position, name in enumerate(names):
        column = row.column(position)
        try:
            column.validate(full=True)
        except pa.ArrowInvalid:
            if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
                return f"not UTF-8: column {name!r}", None
            wide = pa.types.is_large_string(column.type)
            value = column.view(pa.large_binary() if wide else pa.binary())[0].as_py()
            return f"not UTF-8: column {name!r}", value[:MAX_EXCERPT].decode(
                "utf-8", "backslashreplace"
            )
    return "not sound", None


def characters(batch: pa.RecordBatch) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """How many bytes the strings of each row take."""
    total = np.zeros(batch.num_rows, dtype=np.int64)
    for column in batch.columns:
        kind = column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind):
            total += pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
    return total


def survey_parquet(source: Source, posts: Mapping[str, str]) -> tuple[pa.Schema, int]:
    """The columns of a Parquet file and its rows.

    Raises:
        InputError: not Parquet, or its text column holds something other than text.
    """
    with _open(source) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
        exact = _exact(schema, file.metadata)
    names = unique_names(schema.names)
    fields = [
        pa.field(name, field.type, metadata=EXACT_MARK if field.name in exact else None)
        for name, field in zip(names, schema, strict=True)
    ]
    text = next((field.type for field in fields if field.name == posts["text"]), None)
    if text is not None and not holds_text(text):
        message = f"holds {text}, not text; name the text column with --columns text=NAME"
        raise InputError(message, file=source.shown, column=posts["text"])
    return pa.schema(fields), rows


def _exact(schema: pa.Schema, metadata: pq.FileMetaData) -> set[str]:
    """The long integers that a float holds to the last digit, by what the file says of them."""
    exact = {field.name for field in schema if field.type in {pa.int64(), pa.uint64()}}
    for group in range(metadata.num_row_groups if exact else 0):
        row_group = metadata.row_group(group)
        for position in range(row_group.num_columns):
            column = row_group.column(position)
            if column.path_in_schema in exact and not _is_exact(column):
                exact.discard(column.path_in_schema)
    return exact


def _is_exact(column: pq.ColumnChunkMetaData) -> bool:
    told = column.statistics
    if told is None or not told.has_min_max:
        return told is not None and told.has_null_count and not told.num_values
    return bool(told.min >= -EXACT_INTEGER and told.max <= EXACT_INTEGER)


def holds_text(kind: pa.DataType) -> bool:
    """Whether a column of this type can be a post's text."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_null(kind)
    )
