"""Blocks of input columns turned into posts in the run's columns, and rejects."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import pyarrow as pa
import pyarrow.compute as pc

from murmure.batch.blocks import Block, Reject
from murmure.batch.columns import JSON_MARK, Extra, Plan, free_name
from murmure.batch.lines import MAX_EXCERPT
from murmure.batch.values import as_json, as_text, as_time, empty_to_null
from murmure.schema import POST_COLUMNS, post_fields, result_fields

_ID_BYTES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Rows of one source that go through tagging together.

    Attributes:
        source: index of the source among the run's.
        rows: how many input rows they were: those of `posts` and `rejects`.
        posts: the rows to tag, in the columns of `Plan.row_schema`.
        numbers: for each row of `posts` its number in the source, from 0.
        lines: for each row of `posts` the line it begins on, from 1.
        rejects: the rows that cannot be tagged, in order.
        warnings: how often something was put right, by what it was.
    """

    source: int
    rows: int
    posts: pa.RecordBatch
    numbers: Sequence[int]
    lines: Sequence[int]
    rejects: Sequence[Reject] = ()
    warnings: Counter[str] = field(default_factory=Counter)


def made_id(label: str, number: int, text: str) -> str:
    """An id for a post that came without one: the same whenever the same row is read.

    Example:
        >>> made_id("posts.csv", 0, "Bon café")
        'made-4d24230d12e43a8e2cb50917'
    """
    seed = f"{label}\0{number}\0{text}".encode("utf-8", "surrogatepass")
    return f"made-{blake2b(seed, digest_size=_ID_BYTES).hexdigest()}"


def to_chunk(
    block: Block, *, source: int, label: str, plan: Plan | None, posts: Plan, max_text: int
) -> Chunk:
    """Checks the texts of a block, makes what is missing, and gives every column its type.

    Args:
        block: what a reader read.
        source: index of its source.
        label: name of its source, for made ids.
        plan: the run's columns; None for a stream, whose extra columns are then taken as JSON
            text under whatever names the block has.
        posts: which input columns fill murmure's own.
        max_text: texts of more characters are rejected.
    """
    warnings = Counter(block.warnings)
    texts = as_text(block.columns[posts.posts["text"]], warnings)
    kept, faults = _faults(texts, max_text)
    numbers: Sequence[int] = block.numbers
    lines: Sequence[int] = block.lines
    columns = dict(block.columns)
    rejects = list(block.rejects)
    if faults:
        ids, authors = (
            _text_column(columns, posts.posts[ours], len(texts), Counter())
            for ours in ("id", "author")
        )
        for position, reason in faults:
            raw = texts[position].as_py()
            rejects.append(
                Reject(
                    row=int(numbers[position]),
                    line=int(lines[position]),
                    reason=reason,
                    raw=None if raw is None else raw[:MAX_EXCERPT],
                    id=ids[position].as_py(),
                    author=authors[position].as_py(),
                )
            )
        rejects.sort(key=lambda reject: reject.row)
        mask = pa.array(kept)
        columns = {name: column.filter(mask) for name, column in columns.items()}
        texts = texts.filter(mask)
        numbers = [number for number, keep in zip(numbers, kept, strict=True) if keep]
        lines = [line for line, keep in zip(lines, kept, strict=True) if keep]
    count = len(texts)
    made: dict[str, pa.Array] = {}
    for ours in POST_COLUMNS:
        name = posts.posts[ours]
        if ours == "text":
            made[ours] = texts
        elif ours == "created_at":
            made[ours] = as_time(columns.get(name, pa.nulls(count)), warnings, posts.dates)
        else:
            made[ours] = _text_column(columns, name, count, warnings)
    made["id"] = _with_ids(made["id"], texts, numbers, label)
    extras = plan.extras if plan is not None else _stream_extras(columns, posts)
    arrays = [made[field.name] for field in post_fields()]
    for extra in extras:
        column = columns.get(extra.source)
        done = extra.source in block.json_columns
        arrays.append(
            column if done and column is not None else _extra(column, extra, count, warnings)
        )
    schema = Plan(posts.posts, tuple(extras)).row_schema()
    return Chunk(
        source=source,
        rows=block.rows,
        posts=pa.RecordBatch.from_arrays(arrays, schema=schema),
        numbers=numbers,
        lines=lines,
        rejects=rejects,
        warnings=+warnings,
    )


def _faults(texts: pa.Array, max_text: int) -> tuple[list[bool], list[tuple[int, str]]]:
    """Which texts are kept, and for the others their position and what is wrong."""
    size = pc.binary_length(texts)
    blank = pc.equal(pc.binary_length(pc.utf8_ltrim_whitespace(texts)), 0)
    bounds = pc.max(size).as_py()
    good = pc.fill_null(pc.invert(blank), False)
    long = None
    if bounds is not None and bounds > max_text:
        long = pc.fill_null(pc.greater(pc.utf8_length(texts), max_text), False)
        good = pc.and_(good, pc.invert(long))
    if pc.all(good).as_py() is not False:
        return [], []
    faults = []
    kept = good.to_pylist()
    for position, keep in enumerate(kept):
        if keep:
            continue
        if not texts[position].is_valid:
            reason = "text is null"
        elif long is not None and long[position].as_py():
            reason = f"text longer than {max_text} characters"
        else:
            reason = "text is empty"
        faults.append((position, reason))
    return kept, faults


def _text_column(
    columns: dict[str, pa.Array], name: str, count: int, warnings: Counter[str]
) -> pa.Array:
    if name not in columns:
        return pa.nulls(count, pa.string())
    return empty_to_null(as_text(columns[name], warnings))


def _with_ids(ids: pa.Array, texts: pa.Array, numbers: Sequence[int], label: str) -> pa.Array:
    if not ids.null_count:
        return ids
    filled = [
        made_id(label, int(number), text.as_py()) if name is None else name
        for name, text, number in zip(ids.to_pylist(), texts, numbers, strict=True)
    ]
    return pa.array(filled, pa.string())


def _stream_extras(columns: dict[str, pa.Array], posts: Plan) -> list[Extra]:
    taken = {name.casefold() for name in pa.schema([*post_fields(), *result_fields()]).names}
    used = set(posts.posts.values())
    return [
        Extra(name, pa.field(free_name(name, taken), pa.string(), metadata=JSON_MARK))
        for name in columns
        if name not in used
    ]


def _extra(column: pa.Array | None, extra: Extra, count: int, warnings: Counter[str]) -> pa.Array:
    kind = extra.field.type
    if column is None:
        return pa.nulls(count, kind)
    if pa.types.is_null(column.type):
        return pa.nulls(count, kind)
    if extra.is_json:
        return as_json(column)
    if column.type == kind:
        return column
    if pa.types.is_string(kind):
        return as_text(column, warnings)
    return column.cast(kind, safe=False)
