"""Taggers: in this process, or spread over worker processes that may die."""

from __future__ import annotations

import os
import pickle
import queue
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from murmure.batch.processes import Answer, LostError, Worker, WorkerDiedError, start_workers
from murmure.batch.sources import Source
from murmure.batch.worker import (
    NOT_TAGGED,
    ColumnPredictor,
    Columns,
    Failed,
    LoadPredictor,
    load_predictor,
    tell_failed,
)
from murmure.errors import RunError
from murmure.halving import by_halves
from murmure.schema import result_fields
from murmure.tagging.folder import kind_of

RESULT_SCHEMA = pa.schema(result_fields())
#: The tags of no texts.
NOTHING = pa.RecordBatch.from_pylist([], schema=RESULT_SCHEMA)

#: What was tagged, and which texts could not be.
Tagged = tuple[pa.RecordBatch, Failed]

_LAST_SECONDS = 5.0
#: Bytes of input below which it takes longer to start processes than to tag.
_SMALL = 2**20


def default_jobs(sources: Sequence[Source] | None) -> int:
    """One process a core; one alone for inputs so small that starting more takes longer."""
    if sources is not None and sum(one.path.stat().st_size for one in sources) < _SMALL:
        return 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def to_batch(columns: Columns, rows: int) -> pa.RecordBatch:
    """The tags of so many texts as rows.

    Raises:
        ValueError: there are more or fewer.
    """
    batch = pa.RecordBatch.from_arrays(columns.to_arrow(), schema=RESULT_SCHEMA)
    if batch.num_rows != rows:
        raise ValueError(f"{rows} texts came back as {batch.num_rows} rows")
    return batch


def _join(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches([NOTHING, *batches])


class Tagger(Protocol):
    """Tags texts, now or later.

    Attributes:
        in_flight: how many chunks may be under way at once.
    """

    in_flight: int

    def describe(self) -> tuple[str, str]:
        """The model's name and fingerprint.

        Raises:
            MurmureError: the model or the catalogue could not be loaded.
        """
        ...

    def submit(self, texts: pa.Array) -> Future[Tagged]:
        """Hands over texts to be tagged."""
        ...

    def close(self) -> None:
        """Ends the workers."""
        ...


def make_tagger(
    model: str, *, catalog: Path | None, jobs: int, load: LoadPredictor | None = None
) -> Tagger:
    """A tagger in this process for one job, with worker processes for several."""
    chosen = load or load_predictor
    if jobs == 1 or not sys.executable:
        return InProcessTagger(model, catalog=catalog, load=chosen)
    # ONNX Runtime starts threads as soon as it is imported, and these are lost where one forks.
    share = chosen is load_predictor and kind_of(model) == "linear"
    return PoolTagger(model, catalog=catalog, jobs=jobs, load=chosen, share=share)


class InProcessTagger:
    """Tags in a thread of this process, while others read and write."""

    in_flight = 2

    def __init__(self, model: str, *, catalog: Path | None, load: LoadPredictor) -> None:
        self._load = load
        self._given = (model, catalog)
        self._predictor: ColumnPredictor | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="murmure-tagger")

    def describe(self) -> tuple[str, str]:
        """The model's name and fingerprint."""
        predictor = self._loaded()
        return predictor.name, predictor.fingerprint

    def submit(self, texts: pa.Array) -> Future[Tagged]:
        """Hands over texts to the thread."""
        self._loaded()
        return self._thread.submit(self._tag, texts)

    def close(self) -> None:
        """Waits for what the thread is at, and gives up the rest."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _tag(self, texts: pa.Array) -> Tagged:
        predict = self._loaded().predict_columns
        batches, failed = by_halves(
            lambda part: to_batch(predict(part), len(part)), texts.to_pylist()
        )
        return _join(batches), tell_failed(failed)

    def _loaded(self) -> ColumnPredictor:
        if self._predictor is None:
            self._predictor = self._load(*self._given)
        return self._predictor


class PoolTagger:
    """Tags in several worker processes.

    A worker that dies on a chunk is started again and the chunk tried once more, then by halves,
    until the one post that kills workers is found and rejected.

    Args:
        share: whether the first worker may fork the others, which then hold the model together;
            otherwise, and where it cannot, each loads its own.
    """

    def __init__(
        self,
        model: str,
        *,
        catalog: Path | None,
        jobs: int,
        load: LoadPredictor,
        share: bool = False,
    ) -> None:
        setup = pickle.dumps((load, model, catalog))
        self._workers = start_workers(setup, jobs=jobs, share=share)
        self._idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="murmure-worker")
        self._closing = False
        self.in_flight = 2 * jobs + 1

    def describe(self) -> tuple[str, str]:
        """The model's name and fingerprint."""
        return self._workers[0].describe()

    def submit(self, texts: pa.Array) -> Future[Tagged]:
        """Hands over texts to the next worker that is idle."""
        return self._threads.submit(self._tag, texts)

    def close(self) -> None:
        """Ends the workers, whatever they are at."""
        self._closing = True
        # The first comes last: it is the one to clear away those that it forked.
        for worker in reversed(self._workers):
            worker.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for worker in self._workers:
            worker.end(seconds=_LAST_SECONDS)

    def _tag(self, texts: pa.Array) -> Tagged:
        worker = self._idle.get()
        try:
            try:
                return self._ask(worker, texts)
            except LostError:
                return self._tag_apart(worker, texts)
        finally:
            self._idle.put(worker)

    def _ask(self, worker: Worker, texts: pa.Array) -> Tagged:
        try:
            return _tagged(worker.ask(texts.to_pylist()))
        except WorkerDiedError:
            if self._closing:
                raise RunError("the run was stopped") from None
            worker.restart()
            raise

    def _tag_apart(self, worker: Worker, texts: pa.Array) -> Tagged:
        """Tags again, by halves, what a worker died on."""
        try:
            return self._ask(worker, texts)
        except LostError as error:
            if len(texts) == 1:
                why = str(error) or "the tagging process died on this post"
                return NOTHING, [(0, f"{NOT_TAGGED}: {why}")]
        middle = len(texts) // 2
        first, failed = self._tag_apart(worker, texts[:middle])
        second, also = self._tag_apart(worker, texts[middle:])
        failed += [(middle + position, reason) for position, reason in also]
        return _join([first, second]), failed


def _tagged(answer: Answer) -> Tagged:
    """A worker's answer as rows.

    Raises:
        LostError: it makes none.
    """
    found, failed = answer
    try:
        return _join([to_batch(columns, rows) for columns, rows in found]), failed
    except Exception as error:
        raise LostError(f"{type(error).__name__}: {error}") from error
