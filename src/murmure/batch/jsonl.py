"""JSON lines: one object a line; blank lines are no rows."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from murmure.batch.blocks import MAX_BLOCK_CHARACTERS, Block, Reject
from murmure.batch.columns import EXACT_INTEGER, EXACT_MARK, JSON_MARK, Extra, Plan
from murmure.batch.lines import (
    MAX_LINE,
    Line,
    excerpt,
    open_text,
    read_lines,
    undecodable,
    undecodable_reason,
    whole_excerpt,
    without_surrogates,
)
from murmure.batch.sources import EmptyFileError, Source
from murmure.batch.values import string_array, time_array, to_json
from murmure.errors import InputError

#: More different keys than this are no table.
MAX_COLUMNS = 1_000

#: Rows nested deeper than this are rejected; Python could not write them again.
MAX_DEPTH = 100

_KINDS = {bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "an object"}
_SIMPLE_KINDS = {type(None): "null", bool: "bool", float: "float", str: "string"}
_INT64 = 2**63


def text_fault(value: object) -> str | None:
    """What is wrong with a value as a post's text; None for strings and null.

    Example:
        >>> text_fault("ok"), text_fault(42)
        (None, 'text is a number, not a string')
    """
    if value is None or isinstance(value, str):
        return None
    return f"text is {_KINDS.get(type(value), 'not a string')}, not a string"


def parse_line(line: Line, encoding: str) -> dict[str, Any] | str:
    """The object of one line; where there is none, the reason as a string."""
    if line.overlong:
        return f"line longer than {MAX_LINE} characters"
    byte = undecodable(line.text)
    return _parse(line.text) if byte is None else undecodable_reason(byte, encoding)


def _parse(text: str) -> dict[str, Any] | str:
    too_deep = f"nested deeper than {MAX_DEPTH} levels"
    try:
        row = json.loads(text.rstrip())
    except json.JSONDecodeError as error:
        return f"not JSON: {error.msg.removesuffix(' at')} at character {error.colno}"
    except (ValueError, RecursionError) as error:
        return too_deep if isinstance(error, RecursionError) else f"not JSON: {error}"
    if not isinstance(row, dict):
        return f"not a JSON object: {_KINDS.get(type(row), 'null' if row is None else 'a string')}"
    if text.count("[") + text.count("{") > MAX_DEPTH and _deeper(row, MAX_DEPTH):
        return too_deep
    # Only an escape can put half a character into a key.
    if "\\u" in text and not all(map(str.isascii, row)):
        return {without_surrogates(key): value for key, value in row.items()}
    return row


def _deeper(value: object, levels: int) -> bool:
    layer = [value]
    for _ in range(levels):
        inner: list[object] = []
        for item in layer:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        layer = [item for item in inner if isinstance(item, dict | list)]
        if not layer:
            return False
    return True


class JsonLinesReader:
    """Reads objects, one a line, and sorts out the lines that hold none.

    Args:
        source: the file.
        plan: which keys fill which columns; None for a stream whose keys are not known
            beforehand, where everything that is not a post's goes through as JSON text.
        posts: which keys fill murmure's own columns, and how dates are written.
        encoding: of the file.
        stream: read instead of opening the file.
    """

    def __init__(
        self,
        source: Source,
        *,
        plan: Plan | None,
        posts: Plan,
        encoding: str = "utf-8",
        stream: io.TextIOWrapper | None = None,
    ) -> None:
        self._stream = stream or open_text(source, encoding=encoding, newline="\n")
        self._plan = plan
        self._posts = posts.posts
        self._dates = posts.dates
        self._encoding = encoding
        self._lines = (line for line in read_lines(self._stream, source) if line.text.strip())
        self._row = 0

    def skip(self, rows: int) -> None:
        """Passes over so many rows."""
        for _ in range(rows):
            if next(self._lines, None) is None:
                return
            self._row += 1

    def close(self) -> None:
        """Closes the file."""
        self._stream.close()

    def read(self, rows: int) -> Block | None:
        """The next block of at most so many rows; None at the end."""
        first, size = self._row, 0
        objects: list[dict[str, Any]] = []
        numbers: list[int] = []
        lines: list[int] = []
        rejects: list[Reject] = []
        while self._row - first < rows and size < MAX_BLOCK_CHARACTERS:
            line = next(self._lines, None)
            if line is None:
                break
            size += len(line.text)
            row = parse_line(line, self._encoding)
            fault = row if isinstance(row, str) else self._text_fault(row)
            if isinstance(row, str) or fault is not None:
                unread = isinstance(row, str)
                known: Mapping[str, Any] = {} if isinstance(row, str) else row
                reject = Reject(
                    row=self._row,
                    line=line.number,
                    reason=str(fault),
                    raw=whole_excerpt(line.text) if unread else excerpt(line.text),
                    id=self._plain(known, "id"),
                    author=self._plain(known, "author"),
                )
                rejects.append(reject)
            else:
                objects.append(row)
                numbers.append(self._row)
                lines.append(line.number)
            self._row += 1
        if self._row == first:
            return None
        warnings: Counter[str] = Counter()
        extras = self._extras(objects)
        return Block(
            first=first,
            rows=self._row - first,
            columns=self._columns(objects, extras, warnings),
            numbers=numbers,
            lines=lines,
            rejects=rejects,
            warnings=warnings,
            json_columns=frozenset(extra.source for extra in extras if extra.is_json),
        )

    def _text_fault(self, row: Mapping[str, Any]) -> str | None:
        name = self._posts["text"]
        return text_fault(row[name]) if name in row else "text is missing"

    def _plain(self, row: Mapping[str, Any], ours: str) -> str | None:
        value = row.get(self._posts[ours])
        return None if value is None else string_array([value], Counter())[0].as_py()

    def _extras(self, objects: Sequence[Mapping[str, Any]]) -> Sequence[Extra]:
        if self._plan is not None:
            return self._plan.extras
        used = set(self._posts.values())
        keys = dict.fromkeys(key for row in objects for key in row if key not in used)
        return [Extra(key, pa.field(key, pa.string(), metadata=JSON_MARK)) for key in keys]

    def _columns(
        self,
        objects: Sequence[Mapping[str, Any]],
        extras: Sequence[Extra],
        warnings: Counter[str],
    ) -> dict[str, pa.Array]:
        columns = {}
        for ours, key in self._posts.items():
            values = [row.get(key) for row in objects]
            times = ours == "created_at" and not all(type(value) is str for value in values)
            columns[key] = (
                time_array(values, warnings, self._dates)
                if times
                else string_array(values, warnings)
            )
        for extra in extras:
            key = extra.source
            if extra.is_json:
                texts = [to_json(row[key]) if key in row else None for row in objects]
                columns[key] = pa.array(texts, pa.string())
            elif pa.types.is_string(extra.field.type):
                columns[key] = string_array([row.get(key) for row in objects], warnings)
            else:
                columns[key] = pa.array([row.get(key) for row in objects], extra.field.type)
        return columns


def survey_json_lines(source: Source, encoding: str) -> tuple[pa.Schema, int]:
    """The keys of a file's objects with the Arrow types that hold their values, and its rows.

    Raises:
        InputError: damaged, empty, not of the encoding for the most part, a JSON array, or of
            more than `MAX_COLUMNS` different keys.
    """
    kinds: dict[str, set[str]] = {}
    rows = undecoded = 0
    first_bad = (0, 0)
    stream = open_text(source, encoding=encoding, newline="\n")
    with stream:
        line = None
        for line in read_lines(stream, source):
            if not line.text.strip():
                continue
            if not rows:
                _refuse_other_json(line, source)
            rows += 1
            row = parse_line(line, encoding)
            if isinstance(row, str):
                byte = None if line.overlong else undecodable(line.text)
                if byte is not None:
                    first_bad = first_bad if undecoded else (line.number, byte)
                    undecoded += 1
                continue
            for key, value in row.items():
                kind = _SIMPLE_KINDS.get(type(value)) or _kind(value)
                if key in kinds:
                    kinds[key].add(kind)
                else:
                    kinds[key] = {kind}
            if len(kinds) > MAX_COLUMNS:
                message = f"more than {MAX_COLUMNS} different keys; put the varying ones in one"
                raise InputError(message, file=source.shown, line=line.number)
    if line is None:
        raise EmptyFileError("is empty", file=source.shown)
    if undecoded * 2 > rows:
        raise not_of_encoding(source, encoding, *first_bad)
    return pa.schema([_field(key, found) for key, found in kinds.items()]), rows


def not_of_encoding(source: Source, encoding: str, line: int, byte: int) -> InputError:
    """The error for a file most of whose rows are not of the declared encoding."""
    message = undecodable_reason(byte, encoding).partition(";")[0]
    message += ", and most other rows are like it; give the file's encoding, as in"
    return InputError(f"{message} --encoding cp1252", file=source.shown, line=line)


def _refuse_other_json(line: Line, source: Source) -> None:
    start = line.text.strip()
    if start.startswith("["):
        message = "is a JSON array; write one object a line, for instance with jq -c '.[]'"
        raise InputError(message, file=source.shown, line=line.number)
    if start == "{":
        message = "one JSON object over several lines; write one a line, for instance with jq -c ."
        raise InputError(message, file=source.shown, line=line.number)


def _kind(value: object) -> str:
    """What column could hold a value: an integer beyond a float's reach is `long`."""
    if not isinstance(value, int) or isinstance(value, bool):
        return _SIMPLE_KINDS.get(type(value), "json")
    if abs(value) <= EXACT_INTEGER:
        return "int"
    return "long" if -_INT64 <= value < _INT64 else "json"


def _field(key: str, kinds: set[str]) -> pa.Field:
    found = kinds - {"null"}
    for allowed, arrow in (
        (set(), pa.null()),
        ({"bool"}, pa.bool_()),
        ({"int", "long"}, pa.int64()),
        ({"int", "float"}, pa.float64()),
        ({"string"}, pa.string()),
    ):
        if found <= allowed:
            return pa.field(key, arrow, metadata=EXACT_MARK if found == {"int"} else None)
    return pa.field(key, pa.string(), metadata=JSON_MARK)
