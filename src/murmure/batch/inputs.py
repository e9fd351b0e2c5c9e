"""The inputs of a run: looked through once before it starts, then read in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from murmure.batch.blocks import Reader
from murmure.batch.columns import Plan, make_plan
from murmure.batch.delimited import COMMON, DelimitedReader, Dialect, survey_delimited
from murmure.batch.jsonl import JsonLinesReader, survey_json_lines
from murmure.batch.parquet import ParquetReader, survey_parquet
from murmure.batch.sources import Source, sha256_of
from murmure.errors import InputError
from murmure.schema import POST_COLUMNS


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
    """

    source: Source
    columns: pa.Schema
    rows: int
    size: int
    modified: int
    sha256: str
    dialect: Dialect = COMMON
    encoding: str = "utf-8"

    def open(self, plan: Plan) -> Reader:
        """A reader from the first row on.

        Raises:
            InputError: the file is not as it was when it was looked through.
        """
        self.check_unchanged()
        if self.source.format == "parquet":
            return ParquetReader(self.source, plan=plan)
        if self.source.format == "jsonl":
            return JsonLinesReader(self.source, plan=plan, posts=plan.posts, encoding=self.encoding)
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
        InputError: empty, damaged, in another encoding, or without what every source needs.
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
    sources: Sequence[Source], *, encoding: str, columns: Mapping[str, str]
) -> tuple[list[Input], Plan]:
    """Looks through all sources and plans the run's columns.

    Raises:
        InputError: as `survey`, or a source has no text column, or none that `columns` names.
    """
    posts = {name: columns.get(name, name) for name in POST_COLUMNS}
    inputs = [survey(source, encoding=encoding, posts=posts) for source in sources]
    plan = make_plan([(one.source.shown, one.columns) for one in inputs], columns)
    return inputs, plan
