"""Tagging in a process of its own: reads texts on standard input, writes tags to standard output.

Started by `murmure.batch.processes`, which runs `main` in a fresh Python. Messages are pickles, one
after the other; both ends are murmure itself. Arrow is left to the process that started this one:
it would take 40 MB in each worker.
"""

from __future__ import annotations

import gc
import importlib.abc
import os
import pickle
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from murmure.errors import MurmureError
from murmure.halving import by_halves

if TYPE_CHECKING:
    import pyarrow as pa


class Columns(Protocol):
    """Tags of many posts, as columns; where several processes tag, picklable."""

    def to_arrow(self) -> list[pa.Array]:
        """One array for each of `schema.result_fields()`."""
        ...


class ColumnPredictor(Protocol):
    """The part of a `Predictor` that a run needs."""

    @property
    def name(self) -> str:
        """What the model is called."""
        ...

    @property
    def fingerprint(self) -> str:
        """What tells this model from every other; it says nothing of the catalogue."""
        ...

    def predict_columns(self, texts: Sequence[str], /) -> Columns:
        """The tags of so many texts, in their order."""
        ...


#: Makes a predictor from a model's name or folder and a catalogue's file.
LoadPredictor = Callable[[str, Path | None], ColumnPredictor]

#: Which texts, by position, could not be tagged, and why.
Failed = list[tuple[int, str]]


def load_predictor(model: str, catalog: Path | None) -> ColumnPredictor:
    """Loads one of murmure's own models.

    Raises:
        ModelError: no such model, or a damaged one.
        InputError: the catalogue cannot be read.
    """
    from murmure.tagging import Predictor

    if catalog is None:
        return Predictor.from_pretrained(model)
    from murmure.catalog import Catalog

    return Predictor.from_pretrained(model, catalog=Catalog.load(catalog))


# What `mallopt` calls the most heaps that threads have of their own.
_ARENAS = -8


class _Without(importlib.abc.MetaPathFinder):
    """Hides what other libraries import wherever they find it, and murmure has no use for.

    pyarrow imports pandas, 30 MB; spaCy imports torch through thinc, 180 MB and over a second.
    Whoever else asks for torch gets it.
    """

    def find_spec(self, name: str, *_: object) -> None:
        asking = sys.modules.get("thinc.compat")
        if name == "pandas" or (
            name in {"torch", "cupy"} and asking is not None and not hasattr(asking, "has_torch")
        ):
            raise ModuleNotFoundError(f"murmure does without {name} here", name=name)


def hide_unused() -> None:
    """Keeps out what other libraries load for nothing, where murmure is all that runs."""
    sys.meta_path.insert(0, _Without())


def share_freed() -> None:
    """Lets all threads use what any of them freed, where the GNU C library allocates."""
    import ctypes

    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(_ARENAS, 1)


def spare_memory() -> None:
    """Keeps down what this process holds, where it does nothing but murmure's own work."""
    hide_unused()
    share_freed()
    import pyarrow as pa

    # Arrow's own allocators keep for themselves what they have freed.
    pa.set_memory_pool(pa.system_memory_pool())


#: What a reject says first whose text the tagger failed on.
NOT_TAGGED = "could not be tagged"


def tell_failed(failed: Sequence[tuple[int, Exception]]) -> Failed:
    """Why texts could not be tagged, as a reject says it."""
    return [
        (position, f"{NOT_TAGGED}: {type(error).__name__}: {error}") for position, error in failed
    ]


#: A post that needs all that is loaded no earlier than with the first such post.
_NEEDS_ALL = "Un café #ad"


def fork_workers(
    links: Sequence[int], requests: BinaryIO, answers: BinaryIO
) -> tuple[BinaryIO, BinaryIO]:
    """Forks a worker for each of some sockets, which share what this process has loaded.

    Closes the sockets of those that it cannot fork.

    Args:
        links: what the workers are to serve over.
        requests: what this process serves over.
        answers: the same.

    Returns:
        In each process what it is to serve over itself; it holds no other's open, so that each
        sees its own end.
    """
    # What is collected or tracked no more is not written to, and stays shared.
    gc.collect()
    gc.freeze()
    # Those that end leave nothing to be waited for.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    waiting = list(links)
    while waiting:
        link = waiting.pop()
        if not _is_forked():
            os.close(link)
            continue
        for other in waiting:
            os.close(other)
        requests.close()
        answers.close()
        os.dup2(link, 0)
        return os.fdopen(0, "rb", closefd=False), os.fdopen(link, "wb")
    return requests, answers


def _is_forked() -> bool:
    """Forks this process if that can be done, and tells whether it is the new one."""
    # Threads would be missing in it, and what they had locked stay locked.
    if _has_threads():
        return False
    try:
        return os.fork() == 0
    except OSError:
        return False


def _has_threads() -> bool:
    """Whether this process has more threads than one, or may have."""
    try:
        return len(list(Path("/proc/self/task").iterdir())) > 1
    except OSError:
        return True


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Loads the predictor that the first message names, then tags until the input ends."""

    def answer(message: object) -> None:
        pickle.dump(message, answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()

    try:
        # What comes in was written by the process that started this one.
        path, setup, links = pickle.load(requests)  # noqa: S301
        sys.path[:] = path
        load, model, catalog = pickle.loads(setup)  # noqa: S301
        if load is load_predictor:
            hide_unused()
            share_freed()
        predictor: ColumnPredictor = load(model, catalog)
        if links:
            # Where it fails, it fails again with a post, and is told of that.
            with suppress(Exception):
                predictor.predict_columns([_NEEDS_ALL])
            requests, answers = fork_workers(links, requests, answers)
        answer(("ready", predictor.name, predictor.fingerprint, os.getpid()))
    except Exception as error:
        answer(("failed", *describe(error)))
        return

    def predict(texts: Sequence[str]) -> tuple[Columns, int]:
        return predictor.predict_columns(texts), len(texts)

    while True:
        try:
            texts = pickle.load(requests)  # noqa: S301
        except (EOFError, ConnectionError, pickle.UnpicklingError):
            # Whoever asked is gone, perhaps in the middle of a question.
            return
        found, failed = by_halves(predict, texts)
        answer((found, tell_failed(failed)))


def describe(error: Exception) -> tuple[str, str]:
    """The kind of an error of murmure's own (empty for others), and its message."""
    if isinstance(error, MurmureError):
        return type(error).__name__, str(error)
    return "", f"{type(error).__name__}: {error}"


def main() -> None:
    """Serves over the standard streams; what others print goes to standard error."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        serve(requests, answers)
    except (ConnectionError, KeyboardInterrupt):
        # Whoever asked is gone; nothing can be told any more.
        os._exit(0)
