"""Taggers: in this process, or spread over worker processes that may die."""

from __future__ import annotations

import os
import pickle
import queue
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa

from murmure import errors
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
from murmure.errors import ModelError, MurmureError, RunError
from murmure.halving import by_halves
from murmure.schema import result_fields

RESULT_SCHEMA = pa.schema(result_fields())
#: The tags of no texts.
NOTHING = pa.RecordBatch.from_pylist([], schema=RESULT_SCHEMA)

#: What was tagged, and which texts could not be.
Tagged = tuple[pa.RecordBatch, Failed]

#: Each worker is one of several: threads within it would only get in the others' way.
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",  # murmure's encoder too
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
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
    return PoolTagger(model, catalog=catalog, jobs=jobs, load=chosen)


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


class _LostError(Exception):
    """No tags came back."""


class _WorkerDiedError(_LostError):
    """A worker process ended in the middle of its work."""


class _Worker:
    """One worker process, started again where it has died."""

    def __init__(self, setup: bytes) -> None:
        self._setup = setup
        self._ready: tuple[str, str] | None = None
        self._start()

    def _start(self) -> None:
        self._ready = None
        self._process = subprocess.Popen(
            [sys.executable, "-c", "from murmure.batch.worker import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={
                **_ONE_THREAD,
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
            # Ctrl-C is for the run alone, which ends its workers itself.
            process_group=0,
        )
        self._send((list(sys.path), self._setup), flush_only=True)

    def _send(self, message: object, *, flush_only: bool = False) -> None:
        stream = self._process.stdin
        try:
            if stream is None:
                raise _WorkerDiedError
            pickle.dump(message, stream, protocol=pickle.HIGHEST_PROTOCOL)
            stream.flush()
        except (BrokenPipeError, ValueError) as error:
            if not flush_only:
                raise _WorkerDiedError from error

    def _receive(self) -> Any:  # noqa: ANN401 - one of two messages
        try:
            # What comes back was written by murmure's own worker.
            return pickle.load(self._process.stdout)  # type: ignore[arg-type]  # noqa: S301
        except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
            raise _WorkerDiedError from error

    def describe(self) -> tuple[str, str]:
        """The model's name and fingerprint, once it is loaded."""
        if self._ready is None:
            try:
                kind, *rest = self._receive()
            except _WorkerDiedError as error:
                code = self._process.wait()
                message = f"a tagging process ended with code {code} while it loaded the model"
                raise RunError(message) from error
            if kind == "failed":
                raise _remade(*rest)
            self._ready = (rest[0], rest[1])
        return self._ready

    def ask(self, texts: pa.Array) -> Tagged:
        """Tags texts.

        Raises:
            _WorkerDiedError: the process ended instead of answering.
            _LostError: its answer makes no rows.
        """
        self.describe()
        self._send(texts.to_pylist())
        found, failed = self._receive()
        try:
            return _join([to_batch(columns, rows) for columns, rows in found]), failed
        except Exception as error:
            raise _LostError(f"{type(error).__name__}: {error}") from error

    def restart(self) -> None:
        """Starts a new process in place of the dead one."""
        self.end(seconds=0)
        self._start()

    def end(self, *, seconds: float) -> None:
        """Ends the process, by force where it has not ended within so many seconds."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    continue
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """Ends the process at once."""
        self._process.kill()


def _remade(kind: str, message: str) -> MurmureError:
    """The error that a worker told of, of the same kind and with the same message."""
    known = getattr(errors, kind, None) if kind else None
    if not (isinstance(known, type) and issubclass(known, MurmureError)):
        return ModelError(f"the model cannot be loaded: {message}")
    error = known.__new__(known, message)
    error.args = (message,)
    return error


class PoolTagger:
    """Tags in several worker processes, each with its own copy of the model.

    A worker that dies on a chunk is started again and the chunk tried once more, then by halves,
    until the one post that kills workers is found and rejected.
    """

    def __init__(self, model: str, *, catalog: Path | None, jobs: int, load: LoadPredictor) -> None:
        setup = pickle.dumps((load, model, catalog))
        self._workers = [_Worker(setup) for _ in range(jobs)]
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
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
        for worker in self._workers:
            worker.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for worker in self._workers:
            worker.end(seconds=_LAST_SECONDS)

    def _tag(self, texts: pa.Array) -> Tagged:
        worker = self._idle.get()
        try:
            try:
                return self._ask(worker, texts)
            except _LostError:
                return self._tag_apart(worker, texts)
        finally:
            self._idle.put(worker)

    def _ask(self, worker: _Worker, texts: pa.Array) -> Tagged:
        try:
            return worker.ask(texts)
        except _WorkerDiedError:
            if self._closing:
                raise RunError("the run was stopped") from None
            worker.restart()
            raise

    def _tag_apart(self, worker: _Worker, texts: pa.Array) -> Tagged:
        """Tags again, by halves, what a worker died on."""
        try:
            return self._ask(worker, texts)
        except _LostError as error:
            if len(texts) == 1:
                why = str(error) or "the tagging process died on this post"
                return NOTHING, [(0, f"{NOT_TAGGED}: {why}")]
        middle = len(texts) // 2
        first, failed = self._tag_apart(worker, texts[:middle])
        second, also = self._tag_apart(worker, texts[middle:])
        failed += [(middle + position, reason) for position, reason in also]
        return _join([first, second]), failed
