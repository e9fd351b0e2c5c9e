"""Rows on their way: read in fixed chunks, tagged elsewhere meanwhile, handed on in order."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import pyarrow as pa

from murmure.batch.blocks import Reject
from murmure.batch.columns import Plan
from murmure.batch.inputs import Input
from murmure.batch.lines import MAX_EXCERPT
from murmure.batch.pool import NOTHING, Tagged, Tagger
from murmure.batch.rows import Chunk, to_chunk
from murmure.errors import InputError, RunError

#: A chunk of at least so many posts that fails to the last one shows a fault of the model.
_TELLING = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Where a run's parts, chunks and texts end.

    Attributes:
        part_rows: input rows a part.
        chunk_rows: input rows, at most, that go to the tagger together.
        max_text: characters that a text may have.
    """

    part_rows: int
    chunk_rows: int
    max_text: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedChunk:
    """Rows of one source, done.

    Attributes:
        source: index of the source.
        first_row: number of the first row, over all sources, from 0.
        rows: how many input rows they were: the rows of `batch` and of `rejects`.
        batch: the tagged rows.
        rejects: the others, in order.
        warnings: how often something was put right, by what it was.
    """

    source: int
    first_row: int
    rows: int
    batch: pa.RecordBatch
    rejects: Sequence[Reject]
    warnings: Counter[str]


def read_chunks(
    inputs: Sequence[Input], plan: Plan, *, limits: Limits, done: Sequence[int]
) -> Iterator[Chunk]:
    """Yields the rows of all inputs in chunks that never cross a part or an input.

    Args:
        inputs: in order.
        plan: the run's columns.
        limits: where parts, chunks and texts end.
        done: how many rows of each input an earlier run has done.

    Raises:
        InputError: an input is damaged, or was changed since it was looked through.
    """
    position = sum(done)
    last = max((number for number, rows in enumerate(done) if rows), default=0)
    for number, one in enumerate(inputs):
        if number < last:
            continue
        reader = one.open(plan)
        try:
            reader.skip(done[number])
            rows = done[number]
            while True:
                room = limits.part_rows - position % limits.part_rows
                block = reader.read(min(limits.chunk_rows, room))
                if block is None:
                    break
                position += block.rows
                rows += block.rows
                yield to_chunk(
                    block,
                    source=number,
                    label=one.source.label,
                    plan=plan,
                    posts=plan,
                    max_text=limits.max_text,
                )
        finally:
            reader.close()
        one.check_unchanged()
        if one.source.format in {"jsonl", "parquet"} and rows != one.rows:
            message = f"gave {rows} rows, but {one.rows} when it was looked through"
            raise InputError(message, file=one.source.shown)


def tag_chunks(
    chunks: Iterable[Chunk], tagger: Tagger, *, first_row: int = 0
) -> Iterator[TaggedChunk]:
    """Tags chunks, several at once, and yields them in their order.

    Raises:
        RunError: the model fails on every post of a chunk.
    """
    under_way: deque[tuple[int, Chunk, Future[Tagged]]] = deque()
    position = first_row
    for chunk in chunks:
        under_way.append((position, chunk, _submit(chunk, tagger)))
        position += chunk.rows
        while len(under_way) >= tagger.in_flight:
            yield _done(*under_way.popleft())
    while under_way:
        yield _done(*under_way.popleft())


def _submit(chunk: Chunk, tagger: Tagger) -> Future[Tagged]:
    if chunk.posts.num_rows:
        return tagger.submit(chunk.posts.column("text"))
    future: Future[Tagged] = Future()
    future.set_result((NOTHING, []))
    return future


def _done(first_row: int, chunk: Chunk, future: Future[Tagged]) -> TaggedChunk:
    tagged, failed = future.result()
    posts, rejects = chunk.posts, list(chunk.rejects)
    if failed:
        if len(failed) == posts.num_rows >= _TELLING:
            message = f"the model failed on all of {len(failed)} posts in a row, which is no fault"
            raise RunError(f"{message} of the posts: {failed[0][1]}")
        for position, reason in failed:
            rejects.append(
                Reject(
                    row=int(chunk.numbers[position]),
                    line=int(chunk.lines[position]),
                    reason=reason,
                    raw=posts.column("text")[position].as_py()[:MAX_EXCERPT],
                    id=posts.column("id")[position].as_py(),
                )
            )
        rejects.sort(key=lambda reject: reject.row)
        lost = {position for position, _ in failed}
        posts = posts.filter(pa.array([i not in lost for i in range(posts.num_rows)]))
    fields = [*posts.schema, *tagged.schema]
    batch = pa.RecordBatch.from_arrays([*posts.columns, *tagged.columns], schema=pa.schema(fields))
    if batch.num_rows + len(rejects) != chunk.rows:
        message = f"{chunk.rows} rows in, but {batch.num_rows} tagged and {len(rejects)} rejected"
        raise RunError(f"{message}; please report this")
    return TaggedChunk(
        source=chunk.source,
        first_row=first_row,
        rows=chunk.rows,
        batch=batch,
        rejects=rejects,
        warnings=chunk.warnings,
    )
