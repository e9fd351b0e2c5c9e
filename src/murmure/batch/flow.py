"""Rows on their way: read in fixed chunks, tagged elsewhere meanwhile, handed on in order."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from murmure.batch.blocks import Reject
from murmure.batch.columns import Plan
from murmure.batch.inputs import Input
from murmure.batch.lines import MAX_EXCERPT
from murmure.batch.pool import NOTHING, Tagged, Tagger
from murmure.batch.rows import Chunk, to_chunk
from murmure.batch.values import BAD_ORDER
from murmure.batch.worker import NOT_TAGGED, Failed
from murmure.errors import InputError, RunError

#: So many different texts in a chunk that fail to the last one show a fault of the model.
_TELLING = 64
#: What a run says as soon as it meets a date of which nobody has said what stands first.
_UNSURE_DATES = (
    "created_at is written like 12/03/2026, and is left empty: to have it read, stop (Ctrl-C) and "
    "start anew with --overwrite and --dates day-first (12 March) or month-first"
)
#: Seconds after which a thread that waits looks whether it still should.
_PATIENCE = 0.1


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


def read_ahead(chunks: Iterator[Chunk], *, most: int = 2) -> Generator[Chunk, None, None]:
    """Yields what an iterator yields, which a thread of its own asks for beforehand.

    Args:
        chunks: closed when this iterator is.
        most: how many chunks wait at a time.
    """
    waiting: queue.Queue[Chunk | BaseException | None] = queue.Queue(most)
    stopped = threading.Event()

    def hand_over(item: Chunk | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                return waiting.put(item, timeout=_PATIENCE)
            except queue.Full:
                continue

    def read() -> None:
        end: BaseException | None = None
        try:
            for chunk in chunks:
                hand_over(chunk)
                if stopped.is_set():
                    break
        except BaseException as error:
            end = error
        hand_over(end)

    reader = threading.Thread(target=read, name="murmure-reader", daemon=True)
    reader.start()
    try:
        while (item := waiting.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        reader.join()
        if isinstance(chunks, Generator):
            chunks.close()


def _as_they_come(chunks: Iterator[Chunk]) -> Generator[Chunk, None, None]:
    yield from chunks


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The texts of a chunk as they go to the tagger: each once, the short ones first.

    Texts of like length fill a model's batches without padding. The order is the same whenever
    the same texts come, and so are the tags.

    Attributes:
        texts: n distinct texts.
        places: for each post of the chunk the position of its text, int64 of shape (posts,).
    """

    texts: pa.Array
    places: NDArray[np.int64]

    @classmethod
    def of(cls, texts: pa.Array) -> Window:
        """Lays out texts.

        Example:
            >>> window = Window.of(pa.array(["bon café", "ok", "bon café", "non"]))
            >>> window.texts.to_pylist(), window.places.tolist()
            (['ok', 'non', 'bon café'], [2, 0, 2, 1])
        """
        encoded = texts.dictionary_encode()
        distinct = encoded.dictionary
        order = np.argsort(pc.utf8_length(distinct).to_numpy(), kind="stable")
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        places = rank[encoded.indices.to_numpy()]
        return cls(texts=distinct.take(pa.array(order)), places=places)

    def spread(self, tagged: pa.RecordBatch, failed: Failed) -> tuple[pa.RecordBatch, Failed]:
        """Gives every post the tags of its text, or the reason why there are none.

        Args:
            tagged: the tags of the texts that could be tagged, in their order.
            failed: the positions of the others, with the reason.

        Returns:
            the tags of the posts that have any, in the chunk's order, and the positions of the
            others in the chunk.
        """
        if not failed:
            return tagged.take(pa.array(self.places)), []
        reasons = dict(failed)
        lost = np.zeros(len(self.texts), bool)
        lost[list(reasons)] = True
        row = np.cumsum(~lost) - 1
        posts_lost = lost[self.places]
        kept = tagged.take(pa.array(row[self.places[~posts_lost]]))
        return kept, [(int(at), reasons[int(self.places[at])]) for at in np.flatnonzero(posts_lost)]


#: A chunk on its way: its first row, itself, its texts, and their tags to come.
_UnderWay = tuple[int, Chunk, Window, "Future[Tagged]"]


def tag_chunks(
    chunks: Iterator[Chunk],
    tagger: Tagger,
    *,
    first_row: int = 0,
    ahead: bool = True,
    notice: Callable[[str], None] | None = None,
) -> Iterator[TaggedChunk]:
    """Tags chunks, several at once, and yields them in their order.

    Reading goes on in a thread of its own, and tagging wherever the tagger does it, while whoever
    asks for the chunks writes them.

    Args:
        chunks: as they are read.
        tagger: what tags them.
        first_row: number of the first row, over all sources.
        ahead: whether they are read in a thread; not from what may never go on, such as a pipe.
        notice: is told once, before such rows are tagged, that dates are not understood.

    Raises:
        RunError: the model fails on every post of a chunk.
    """
    under_way: deque[_UnderWay] = deque()
    position = first_row
    with contextlib.closing(read_ahead(chunks) if ahead else _as_they_come(chunks)) as coming:
        fault: Exception | None = None
        while True:
            try:
                chunk = next(coming, None)
            except Exception as error:
                # What was sound before the fault is done all the same.
                fault, chunk = error, None
            if chunk is None:
                break
            if notice is not None and chunk.warnings[BAD_ORDER]:
                notice(_UNSURE_DATES)
                notice = None
            window = Window.of(chunk.posts.column("text"))
            under_way.append((position, chunk, window, _submit(window, tagger)))
            position += chunk.rows
            while len(under_way) >= tagger.in_flight:
                yield _done(*under_way.popleft())
        while under_way:
            yield _done(*under_way.popleft())
        if fault is not None:
            raise fault


def unless_all_fail(chunks: Iterator[TaggedChunk], *, tagged: int = 0) -> Iterator[TaggedChunk]:
    """Yields the chunks of a run, and ends with an error where the tagger failed on every post.

    One post may well be at fault; where there are several and none was tagged, the tagger is.

    Args:
        chunks: as they are tagged.
        tagged: how many rows the run had tagged before.

    Raises:
        RunError: two posts or more were to be tagged, and none could be.
    """
    failed = 0
    why = ""
    for chunk in chunks:
        yield chunk
        tagged += chunk.batch.num_rows
        for reject in chunk.rejects if not tagged else ():
            if reject.reason.startswith(NOT_TAGGED):
                failed += 1
                why = reject.reason
    if failed > 1 and not tagged:
        raise RunError(
            f"the model failed on all {failed} posts, which is no fault of theirs: {why}"
        )


def _submit(window: Window, tagger: Tagger) -> Future[Tagged]:
    if len(window.texts):
        return tagger.submit(window.texts)
    future: Future[Tagged] = Future()
    future.set_result((NOTHING, []))
    return future


def _done(first_row: int, chunk: Chunk, window: Window, future: Future[Tagged]) -> TaggedChunk:
    tagged, texts_failed = future.result()
    if len(texts_failed) == len(window.texts) >= _TELLING:
        message = f"the model failed on all of {len(texts_failed)} texts in a row, which is no"
        raise RunError(f"{message} fault of the posts: {texts_failed[0][1]}")
    tagged, failed = window.spread(tagged, texts_failed)
    posts, rejects = chunk.posts, list(chunk.rejects)
    if failed:
        for position, reason in failed:
            rejects.append(
                Reject(
                    row=int(chunk.numbers[position]),
                    line=int(chunk.lines[position]),
                    reason=reason,
                    raw=posts.column("text")[position].as_py()[:MAX_EXCERPT],
                    id=posts.column("id")[position].as_py(),
                    author=posts.column("author")[position].as_py(),
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
