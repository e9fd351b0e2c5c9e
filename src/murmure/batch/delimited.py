"""CSV and TSV: the dialect found out, quoted line ends kept, bad records set aside one by one."""

from __future__ import annotations

import csv
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import pyarrow as pa

from murmure.batch.blocks import MAX_BLOCK_CHARACTERS, Block, Reject
from murmure.batch.columns import Plan, unique_names
from murmure.batch.jsonl import not_of_encoding
from murmure.batch.lines import (
    MAX_LINE,
    Line,
    open_text,
    read_lines,
    undecodable,
    undecodable_reason,
    whole_excerpt,
)
from murmure.batch.sources import EmptyFileError, Source
from murmure.batch.values import string_array
from murmure.errors import InputError

_SEPARATORS = ",;\t|"
_SAMPLE_LINES = 200
_SAMPLE_CHARACTERS = 2**20


class Dialect(NamedTuple):
    r"""How the fields of a file are told apart.

    Attributes:
        separator: between fields.
        quote: around fields that hold separators, quotes or line ends; doubled within them.
        escape: what may stand before a quote within a field instead, such as a backslash.
    """

    separator: str = ","
    quote: str = '"'
    escape: str | None = None

    def reader(self, lines: Iterable[str]) -> Iterator[list[str]]:
        """Parses lines, strictly."""
        return csv.reader(
            lines,
            delimiter=self.separator,
            quotechar=self.quote,
            escapechar=self.escape,
            strict=True,
        )


#: Commas, and double quotes that are doubled.
COMMON = Dialect()


class Record(NamedTuple):
    """One record: where it begins, its fields or else what is wrong, and how it was written."""

    line: int
    fields: list[str]
    fault: str | None
    raw: str


class _TooLongError(Exception):
    """A record that grew beyond what is held in memory."""


class _Feed:
    """Gives `csv.reader` one line at a time, and takes back those of a record that failed."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._returned: deque[Line] = deque()
        self.taken: list[Line] = []
        self._size = 0

    def __iter__(self) -> _Feed:
        return self

    def __next__(self) -> str:
        line = self._returned.popleft() if self._returned else next(self._lines)
        self.taken.append(line)
        self._size += len(line.text)
        if line.overlong or self._size > MAX_LINE:
            raise _TooLongError
        return line.text

    def begin(self) -> None:
        """Starts a record."""
        self.taken = []
        self._size = 0

    def give_back(self) -> None:
        """Returns all lines of the record but its first."""
        self._returned.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]


def read_records(
    lines: Iterator[Line], dialect: Dialect, *, width: int | None = None, encoding: str = "utf-8"
) -> Iterator[Record]:
    r"""Yields the records of a CSV file, the bad ones too; blank lines are none.

    A quote that is opened and never closed, or closed in the middle of a field, costs the one
    line it stands on: reading goes on with the next line. A record of another width than the
    header's is bad as a whole, unless it runs over several lines of which the second is sound by
    itself, for then a stray quote in the first has swallowed it.

    Args:
        lines: physical lines.
        dialect: of the file.
        width: how many fields a record has; None takes any.
        encoding: for the reason given where bytes are not of it.

    Example:
        >>> lines = [Line(1, '1,"a\n', False), Line(2, "2,b\n", False)]
        >>> [(record.fields, record.fault) for record in read_records(iter(lines), Dialect())]
        [([], 'CSV: unexpected end of data'), (['2', 'b'], None)]
    """
    csv.field_size_limit(max(csv.field_size_limit(), 2 * MAX_LINE))
    feed = _Feed(lines)
    reader = dialect.reader(feed)
    while True:
        feed.begin()
        fields: list[str] = []
        fault: str | None = None
        try:
            fields = next(reader)
        except StopIteration:
            return
        except _TooLongError:
            alone = len(feed.taken) == 1
            fault = f"line longer than {MAX_LINE} characters" if alone else "CSV: a stray quote"
            feed.give_back()
        except csv.Error as error:
            fault = f"CSV: {error}"
            feed.give_back()
        else:
            if not fields:
                continue
            if width is not None and len(fields) != width:
                fault = f"wrong number of fields: {len(fields)}, the header has {width}"
                if len(feed.taken) > 1 and _sound(feed.taken[1], dialect, width):
                    fault = "CSV: a stray quote"
                    feed.give_back()
        # Bytes that cannot be decoded explain a record better than the fields it fell into.
        bad = [byte for line in feed.taken if (byte := undecodable(line.text)) is not None]
        if bad:
            fault = undecodable_reason(bad[0], encoding)
        raw = "".join(line.text for line in feed.taken) if fault else ""
        yield Record(feed.taken[0].number, [] if fault else fields, fault, raw)


def _sound(line: Line, dialect: Dialect, width: int) -> bool:
    try:
        return len(next(dialect.reader([line.text]), [])) == width
    except csv.Error:
        return False


def find_dialect(lines: Sequence[Line], *, text_column: str, separators: str) -> Dialect:
    r"""Finds out a file's dialect from its first lines.

    The dialect that yields a header with the text column wins; then the one whose records most
    often have the header's width; then the one that gives more columns; then the commoner.

    Args:
        lines: the first ones of the file.
        text_column: what the text's column is called.
        separators: those that come into question, the commoner first.

    Example:
        >>> lines = ["id;text\n", '1;"a \\"b\\"; c"\n']
        >>> find_dialect([Line(n, text, False) for n, text in enumerate(lines, 1)],
        ...              text_column="text", separators=",;")
        Dialect(separator=';', quote='"', escape='\\')
    """
    dialects = [Dialect(separator) for separator in separators]
    if any('\\"' in line.text for line in lines):
        dialects += [Dialect(separator, escape="\\") for separator in separators]
    if lines and lines[0].text.startswith("'"):
        dialects += [Dialect(separator, quote="'") for separator in separators]

    def merit(dialect: Dialect) -> tuple[bool, float, int]:
        records = list(read_records(iter(lines), dialect))
        if not records or records[0].fault:
            return False, 0.0, 0
        width = len(records[0].fields)
        even = sum(len(record.fields) == width for record in records) / len(records)
        return text_column in records[0].fields, even, width

    return max(dialects, key=merit)


class DelimitedReader:
    """Reads the records of a CSV or TSV file as columns of strings.

    Args:
        source: the file.
        plan: which columns fill which.
        dialect: as `survey_delimited` found it.
        encoding: of the file.
    """

    def __init__(
        self, source: Source, *, plan: Plan, dialect: Dialect, encoding: str = "utf-8"
    ) -> None:
        self._stream = open_text(source, encoding=encoding, newline="")
        lines = read_lines(self._stream, source)
        header = next(read_records(lines, dialect, encoding=encoding), None)
        self._names = unique_names(header.fields if header else [])
        width = len(self._names)
        self._records = read_records(lines, dialect, width=width, encoding=encoding)
        wanted = {*plan.posts.values(), *(extra.source for extra in plan.extras)}
        self._wanted = [(i, name) for i, name in enumerate(self._names) if name in wanted]
        self._id = plan.posts["id"]
        self._row = 0

    def skip(self, rows: int) -> None:
        """Passes over so many rows."""
        for _ in islice(self._records, rows):
            self._row += 1

    def close(self) -> None:
        """Closes the file."""
        self._stream.close()

    def read(self, rows: int) -> Block | None:
        """The next block of at most so many rows; None at the end."""
        first, size = self._row, 0
        good: list[list[str]] = []
        numbers: list[int] = []
        lines: list[int] = []
        rejects: list[Reject] = []
        while self._row - first < rows and size < MAX_BLOCK_CHARACTERS:
            record = next(self._records, None)
            if record is None:
                break
            size += sum(map(len, record.fields)) + len(record.raw)
            if record.fault:
                rejects.append(
                    Reject(
                        row=self._row,
                        line=record.line,
                        reason=record.fault,
                        raw=whole_excerpt(record.raw),
                    )
                )
            else:
                good.append(record.fields)
                numbers.append(self._row)
                lines.append(record.line)
            self._row += 1
        if self._row == first:
            return None
        warnings: Counter[str] = Counter()
        return Block(
            first=first,
            rows=self._row - first,
            columns=self._columns(good, warnings),
            numbers=numbers,
            lines=lines,
            rejects=rejects,
            warnings=warnings,
        )

    def _columns(
        self, records: Sequence[Sequence[str]], warnings: Counter[str]
    ) -> Mapping[str, pa.Array]:
        return {
            name: string_array([record[position] for record in records], warnings)
            for position, name in self._wanted
        }


def survey_delimited(
    source: Source, encoding: str, *, text_column: str
) -> tuple[pa.Schema, int, Dialect]:
    """The columns of a CSV file, about how many rows it has (one a line), and its dialect.

    Raises:
        InputError: damaged, empty, without a readable header, or not of the encoding for the
            most part.
    """
    first: list[Line] = []
    read = sampled = filled = undecoded = 0
    first_bad = (0, 0)
    with open_text(source, encoding=encoding, newline="") as stream:
        for line in read_lines(stream, source):
            read += 1
            # Those before the header are no records, and would fill the sample.
            wanted = bool(first) or line.text.strip("\r\n") != ""
            if wanted and len(first) < _SAMPLE_LINES and sampled < _SAMPLE_CHARACTERS:
                first.append(line)
                sampled += len(line.text)
            if line.text.isspace():
                continue
            filled += 1
            byte = undecodable(line.text)
            if byte is not None:
                first_bad = first_bad if undecoded else (line.number, byte)
                undecoded += 1
                if filled == 1:
                    raise not_of_encoding(source, encoding, line.number, byte)
    if not read:
        raise EmptyFileError("is empty", file=source.shown)
    if not filled:
        message = "holds only blank lines; its first row must name the columns"
        raise InputError(message, file=source.shown)
    if undecoded * 2 > filled:
        raise not_of_encoding(source, encoding, *first_bad)
    separators = "\t" if source.format == "tsv" else _SEPARATORS
    dialect = find_dialect(first, text_column=text_column, separators=separators)
    header = next(read_records(iter(first), dialect))
    if header.fault:
        message = f"the header cannot be read ({header.fault})"
        raise InputError(message, file=source.shown, line=header.line)
    names = unique_names(header.fields)
    return pa.schema([(name, pa.string()) for name in names]), filled - 1, dialect
