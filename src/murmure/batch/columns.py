"""How the columns of the inputs become the columns of a run: renames, clashes, types."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from murmure.batch.dates import DateOrder
from murmure.batch.lines import without_surrogates
from murmure.errors import InputError, UsageError
from murmure.schema import POST_COLUMNS, post_fields, result_fields

#: Marks a string column whose values are JSON: nested values, or values of several kinds.
JSON_MARK = {b"murmure": b"json"}
#: Marks an integer column of an input none of whose values is beyond a float's reach.
EXACT_MARK = {b"murmure": b"exact"}
EXACT_INTEGER = 2**53

# fmt: off
_LIKELY_TEXT = (
    "text", "body", "content", "message", "texte", "contenu", "full_text", "post", "comment",
    "commentaire", "review", "avis", "tweet", "verbatim", "description", "caption", "msg",
    "selftext",
)
# fmt: on
_MOST_SHOWN = 12
_WIDEST = 64


@dataclass(frozen=True, slots=True)
class Extra:
    """A column that is passed through.

    Attributes:
        source: its name in the inputs.
        field: its name, type and mark in the run.
    """

    source: str
    field: pa.Field

    @property
    def is_json(self) -> bool:
        """Whether its values are written as JSON text."""
        return is_json(self.field)


@dataclass(frozen=True, slots=True)
class Plan:
    """Where each column of a run comes from.

    Attributes:
        posts: for each of murmure's own columns, the input column that fills it.
        extras: the columns passed through, in the order first met.
        dates: what stands first in dates such as 12/03/2026; None where nobody has said.
    """

    posts: Mapping[str, str]
    extras: tuple[Extra, ...] = ()
    dates: DateOrder | None = None

    def row_schema(self) -> pa.Schema:
        """The columns of a row before tagging."""
        return pa.schema([*post_fields(), *(extra.field for extra in self.extras)])

    def schema(self) -> pa.Schema:
        """The columns of a tagged row, in order."""
        return pa.schema([*self.row_schema(), *result_fields()])


def is_json(field: pa.Field) -> bool:
    """Whether a column's values are JSON text."""
    return field.metadata is not None and field.metadata.get(b"murmure") == b"json"


def parse_columns(given: str | Mapping[str, str] | None) -> dict[str, str]:
    """Reads `text=body,author=user` as which input column fills which of murmure's.

    Raises:
        UsageError: not of this form, not a column that murmure has, or one named twice.

    Example:
        >>> parse_columns("text=body,author=user")
        {'text': 'body', 'author': 'user'}
        >>> parse_columns("title=head")
        Traceback (most recent call last):
            ...
        murmure.errors.UsageError: --columns: murmure has no column 'title'; it has id, text, \
author, created_at, channel, repost_of, in_reply_to
    """
    if given is None:
        return {}
    pairs: Iterable[tuple[str, str]]
    if isinstance(given, str):
        parts = [part for part in given.split(",") if part.strip()]
        if wrong := [part for part in parts if "=" not in part]:
            raise UsageError(f"--columns: expected OURS=YOURS as in text=body, got {wrong[0]!r}")
        split = [part.partition("=") for part in parts]
        pairs = [(ours.strip(), yours.strip()) for ours, _, yours in split]
    else:
        pairs = given.items()
    columns: dict[str, str] = {}
    for ours, yours in pairs:
        if ours not in POST_COLUMNS:
            raise UsageError(
                f"--columns: murmure has no column {ours!r}; it has {', '.join(POST_COLUMNS)}"
            )
        if ours in columns:
            raise UsageError(f"--columns: {ours!r} is given twice")
        if not yours:
            raise UsageError(f"--columns: no column is named for {ours!r}")
        columns[ours] = yours
    return columns


def make_plan(
    surveyed: Sequence[tuple[str, pa.Schema]], columns: Mapping[str, str] | None = None
) -> Plan:
    """Plans the columns of a run from the columns of its inputs.

    A column that several inputs hold with different types gets a type that holds them all:
    the wider number, where that has every digit of each, else text, else JSON text.

    Args:
        surveyed: each input's name and its columns; an input without rows may have none.
        columns: which input column fills which of murmure's, where the names differ.

    Raises:
        InputError: an input has no text column, or lacks one that `columns` names.
    """
    posts = {name: (columns or {}).get(name, name) for name in POST_COLUMNS}
    fields: dict[str, list[pa.Field]] = {}
    for shown, schema in surveyed:
        if not schema.names:
            continue
        for ours, yours in (columns or {}).items():
            if yours not in schema.names:
                message = f"no column {yours!r}, which --columns gives for {ours!r}"
                raise InputError(f"{message}; {_found(schema.names)}", file=shown)
        if posts["text"] not in schema.names:
            raise InputError(_no_text(schema.names), file=shown)
        for column in schema:
            fields.setdefault(column.name, []).append(column)
    used = set(posts.values())
    taken = {name.casefold() for name in pa.schema([*post_fields(), *result_fields()]).names}
    extras = []
    for source, found in fields.items():
        if source not in used:
            common = common_field(found)
            extras.append(Extra(source, common.with_name(free_name(source, taken))))
    return Plan(posts, tuple(extras))


def free_name(source: str, taken: set[str]) -> str:
    """A name for a passed-through column that no other has, and takes it.

    Names are compared without regard to case, as databases do.

    Example:
        >>> taken = {"text", "sentiment"}
        >>> free_name("likes", taken), free_name("Sentiment", taken), free_name("Likes", taken)
        ('likes', 'input_Sentiment', 'input_Likes')
    """
    name = without_surrogates(source).replace("\0", "") or "unnamed"
    while name.casefold() in taken:
        name = f"input_{name}"
    taken.add(name.casefold())
    return name


def unique_names(names: Sequence[str]) -> list[str]:
    """Names of a header, none twice: a second `likes` becomes `likes_2`, no name `column_3`.

    Example:
        >>> unique_names(["text", "likes", "", "likes"])
        ['text', 'likes', 'column_3', 'likes_2']
    """
    unique: list[str] = []
    seen: set[str] = set()
    for position, given in enumerate(names, 1):
        base = given or f"column_{position}"
        name, count = base, 1
        while name in seen:
            count += 1
            name = f"{base}_{count}"
        seen.add(name)
        unique.append(name)
    return unique


def common_field(fields: Sequence[pa.Field]) -> pa.Field:
    """One field whose type holds the values of all, to the last digit.

    Example:
        >>> common_field([pa.field("likes", pa.int32()), pa.field("likes", pa.float32())]).type
        DataType(double)
        >>> common_field([pa.field("tweet", pa.int64()), pa.field("tweet", pa.float32())]).type
        DataType(string)
        >>> common_field([pa.field("likes", pa.int64()), pa.field("likes", pa.string())]).type
        DataType(string)
    """
    name = fields[0].name
    kinds = {field.type for field in fields if not pa.types.is_null(field.type)}
    if len(kinds) == 1 and pa.types.is_dictionary(kind := kinds.pop()):
        return pa.field(name, pa.dictionary(pa.int32(), kind.value_type, ordered=kind.ordered))
    # Categories beside plain values are passed on as what they stand for.
    dense = [f.type.value_type if pa.types.is_dictionary(f.type) else f.type for f in fields]
    types = {kind for kind in dense if not pa.types.is_null(kind)}
    nested = len(types) > 1 and any(pa.types.is_nested(kind) for kind in types)
    if nested or any(is_json(field) for field in fields):
        return pa.field(name, pa.string(), metadata=JSON_MARK)
    if len(types) <= 1:
        return pa.field(name, types.pop() if types else pa.string())
    return pa.field(name, _common_number(types, fields) or pa.string())


def _common_number(types: set[pa.DataType], fields: Sequence[pa.Field]) -> pa.DataType | None:
    """The type of number that has every digit of all; None where none has."""
    if all(pa.types.is_integer(kind) and kind != pa.uint64() for kind in types):
        return pa.int64()
    if all(map(pa.types.is_unsigned_integer, types)):
        return pa.uint64()
    return pa.float64() if all(map(_fits_float, fields)) else None


def _fits_float(field: pa.Field) -> bool:
    """Whether a float has every digit of a field's numbers."""
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_integer(kind) and kind.bit_width == _WIDEST:
        return field.metadata is not None and field.metadata.get(b"murmure") == b"exact"
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind))


def _found(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:_MOST_SHOWN]))
    more = len(names) - _MOST_SHOWN
    return f"found {shown}" + (f" and {more} more" if more > 0 else "")


def _no_text(names: Sequence[str]) -> str:
    return f"no column 'text'; {_found(names)}; name it with --columns text={likely_text(names)}"


def likely_text(names: Sequence[str]) -> str:
    """The column that most likely holds the posts' text; `NAME` where none looks like it.

    Example:
        >>> likely_text(["id", "Body", "user"]), likely_text(["a", "b"])
        ('Body', 'NAME')
    """
    folded = {name.casefold(): name for name in reversed(names)}
    for known in _LIKELY_TEXT:
        if known in folded:
            return folded[known]
    for known in _LIKELY_TEXT:
        for name, shown in folded.items():
            if known in name.replace("-", "_").split("_"):
                return shown
    near = difflib.get_close_matches("text", folded, n=1)
    return folded[near[0]] if near else "NAME"
