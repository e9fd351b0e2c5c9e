"""The inputs of a run: looked through once before it starts, then read in order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from murmure.batch.blocks import Block, Reader
from murmure.batch.columns import Plan, make_plan
from murmure.batch.dates import DateOrder
from murmure.batch.delimited import COMMON, DelimitedReader, Dialect, survey_delimited
from murmure.batch.jsonl import JsonLinesReader, survey_json_lines
from murmure.batch.parquet import ParquetReader, survey_parquet
from murmure.batch.sources import EmptyFileError, Source, sha256_of
from murmure.errors import InputError
from murmure.schema import POST_COLUMNS


class _NoRows:
    """Reads a file without anything in it."""

    def read(self, rows: int) -> Block | None:
        """Nothing."""

    def skip(self, rows: int) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One source, looked through.

    Attributes:
        source: the file.
        columns: the columns it has, with the types that hold their values.
        rows: how many rows; of CSV, where a record may take several lines, about how many.
        size: its bytes.
        modified: when it was last changed, in nanoseconds since 1970.
        sha256: of its bytes.
        dialect: of a CSV file.
        encoding: of a text file.
        is_empty: whether there is nothing in it, not even a header.
    """

    source: Source
    columns: pa.Schema
    rows: int
    size: int
    modified: int
    sha256: str
    dialect: Dialect = COMMON
    encoding: str = "utf-8"
    is_empty: bool = False

    def open(self, plan: Plan) -> Reader:
        """A reader from the first row on.

        Raises:
            InputError: the file is not as it was when it was looked through.
        """
        self.check_unchanged()
        if self.is_empty:
            return _NoRows()
        if self.source.format == "parquet":
            return ParquetReader(self.source, plan=plan)
        if self.source.format == "jsonl":
            return JsonLinesReader(self.source, plan=plan, posts=plan, encoding=self.encoding)
        return DelimitedReader(self.source, plan=plan, dialect=self.dialect, encoding=self.encoding)

    def check_unchanged(self) -> None:
        """Makes sure that the file is still the one that was looked through.

        Raises:
            InputError: it is not.
        """
        try:
            status = self.source.path.stat()
        except OSError as error:
            message = f"cannot be read any more: {error.strerror or error}"
            raise InputError(message, file=self.source.shown) from error
        if (status.st_size, status.st_mtime_ns) != (self.size, self.modified):
            message = "was changed while it was being read; start again with --overwrite"
            raise InputError(message, file=self.source.shown)


def survey(source: Source, *, encoding: str, posts: Mapping[str, str]) -> Input:
    """Looks through a whole source: what columns it has, and whether it can be read at all.

    Raises:
        EmptyFileError: nothing in it.
        InputError: damaged, in another encoding, or without what every source needs.
    """
    status = source.path.stat()
    dialect = COMMON
    if source.format == "parquet":
        columns, rows = survey_parquet(source, posts)
    elif source.format == "jsonl":
        columns, rows = survey_json_lines(source, encoding)
    else:
        columns, rows, dialect = survey_delimited(source, encoding, text_column=posts["text"])
    return Input(
        source=source,
        columns=columns,
        rows=rows,
        size=status.st_size,
        modified=status.st_mtime_ns,
        sha256=sha256_of(source.path),
        dialect=dialect,
        encoding=encoding,
    )


def survey_all(
    sources: Sequence[Source],
    *,
    encoding: str,
    columns: Mapping[str, str],
    dates: DateOrder | None = None,
    notice: Callable[[str], None] = lambda _: None,
) -> tuple[list[Input], Plan]:
    """Looks through all sources and plans the run's columns.

    Args:
        sources: what is to be read.
        encoding: of text files.
        columns: which input column fills which of murmure's, where the names differ.
        dates: what stands first in dates such as 12/03/2026.
        notice: is told which sources are empty, where others are not.

    Raises:
        EmptyFileError: nothing is in any of them.
        InputError: as `survey`, or a source has no text column, or none that `columns` names.
    """
    posts = {name: columns.get(name, name) for name in POST_COLUMNS}
    inputs: list[Input] = []
    for source in sources:
        try:
            inputs.append(survey(source, encoding=encoding, posts=posts))
        except EmptyFileError:
            if len(sources) == 1:
                raise
            status = source.path.stat()
            empty = Input(
                source=source,
                columns=pa.schema([]),
                rows=0,
                size=status.st_size,
                modified=status.st_mtime_ns,
                sha256=sha256_of(source.path),
                is_empty=True,
            )
            inputs.append(empty)
    if all(one.is_empty for one in inputs):
        raise EmptyFileError("is empty, as are all others", file=inputs[0].source.shown)
    for one in inputs:
        if one.is_empty:
            notice(f"{one.source.shown}: is empty, so no post of it")
    plan = make_plan([(one.source.shown, one.columns) for one in inputs], columns)
    return inputs, replace(plan, dates=dates)
