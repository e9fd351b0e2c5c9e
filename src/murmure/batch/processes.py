"""Worker processes as the run sees them: asked over pipes, started again where they have died.

Each is a fresh Python that loads the model, or, on Linux, forked by the first one after it has
loaded it: what they never write to (libraries, the model) they then hold together.
"""

from __future__ import annotations

import os
import pickle
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from murmure import errors
from murmure.batch.worker import Columns, Failed
from murmure.errors import ModelError, MurmureError, RunError

#: What a worker found: columns with how many texts they are of, and which texts failed.
Answer = tuple[Sequence[tuple[Columns, int]], Failed]

#: Each worker is one of several: threads within it would only get in the others' way.
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",  # murmure's encoder too
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
# How long a process that is killed may take to be gone.
_LAST_SECONDS = 1.0


class LostError(Exception):
    """No tags came back."""


class WorkerDiedError(LostError):
    """A worker process ended in the middle of its work."""


class _Forked:
    """A process that the first worker forks: no child of this one, which knows it by a socket.

    It has the parts of `subprocess.Popen` that are used here.

    Args:
        link: the other end is the process's alone, and closes when it ends.
    """

    def __init__(self, link: socket.socket) -> None:
        self._link = link
        self.stdin = link.makefile("wb")
        self.stdout = link.makefile("rb")
        #: Told with the first answer; until then the process does nothing but wait.
        self.pid: int | None = None

    def kill(self) -> None:
        """Ends the process at once; one that is told nothing ends with its input."""
        # The number of a process that has ended may be another's.
        if self.pid is not None and not self._has_ended(0):
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._has_ended(_LAST_SECONDS)

    def wait(self, timeout: float | None = None) -> int:
        """Closes the process's input, and waits until it has ended."""
        with suppress(OSError):
            self._link.shutdown(socket.SHUT_WR)
        if not self._has_ended(timeout):
            raise subprocess.TimeoutExpired("forked worker", timeout or 0)
        self._link.close()
        return 0

    def _has_ended(self, seconds: float | None) -> bool:
        if self._link.fileno() < 0:
            return True
        poll = select.poll()
        # That the other end hung up is told without being asked for.
        poll.register(self._link, 0)
        return bool(poll.poll(None if seconds is None else seconds * 1000))


class Worker:
    """One worker process, started again where it has died.

    Args:
        setup: what loads the model, pickled.
        others: sockets of workers that this one forks once it has loaded the model.
        forked: the process, where another worker forks it.
    """

    def __init__(
        self, setup: bytes, *, others: Sequence[int] = (), forked: _Forked | None = None
    ) -> None:
        self._setup = setup
        self._ready: tuple[str, str] | None = None
        self._process: subprocess.Popen[bytes] | _Forked = forked or self._start(others)

    def _start(self, others: Sequence[int] = ()) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
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
            pass_fds=others,
        )
        # Whether it has died already is seen when it is asked.
        with suppress(WorkerDiedError):
            _send(process, (list(sys.path), self._setup, list(others)))
        return process

    @property
    def pid(self) -> int | None:
        """The process's number; None while it is not known."""
        return self._process.pid

    def describe(self) -> tuple[str, str]:
        """The model's name and fingerprint, once it is loaded.

        Raises:
            MurmureError: it could not be loaded.
            WorkerDiedError: the first worker did not fork this one.
        """
        if self._ready is None:
            try:
                kind, *rest = _receive(self._process)
            except WorkerDiedError as error:
                if isinstance(self._process, _Forked):
                    raise
                code = self._process.wait()
                message = f"a tagging process ended with code {code} while it loaded the model"
                raise RunError(message) from error
            if kind == "failed":
                raise _remade(*rest)
            name, fingerprint, pid = rest
            if isinstance(self._process, _Forked):
                self._process.pid = pid
            self._ready = (name, fingerprint)
        return self._ready

    def ask(self, texts: list[str]) -> Answer:
        """Tags texts.

        Raises:
            WorkerDiedError: the process ended instead of answering.
        """
        self.describe()
        _send(self._process, texts)
        answer: Answer = _receive(self._process)
        return answer

    def restart(self) -> None:
        """Starts a new process in place of the dead one."""
        self.end(seconds=0)
        self._ready = None
        self._process = self._start()

    def end(self, *, seconds: float) -> None:
        """Ends the process, by force where it has not ended within so many seconds."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(ConnectionError):
                    stream.close()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """Ends the process at once."""
        self._process.kill()


def start_workers(setup: bytes, *, jobs: int, share: bool) -> list[Worker]:
    """So many workers, each a fresh process, or all but the first forked by it.

    A worker that is to be forked and is not (the first has threads, or died) is found dead when it
    is first asked, and its fresh process loads the model as any other.
    """
    if not share or sys.platform != "linux":
        return [Worker(setup) for _ in range(jobs)]
    links = [socket.socketpair() for _ in range(jobs - 1)]
    try:
        first = Worker(setup, others=[theirs.fileno() for _, theirs in links])
    finally:
        for _, theirs in links:
            theirs.close()
    return [first, *(Worker(setup, forked=_Forked(ours)) for ours, _ in links)]


def _send(process: subprocess.Popen[bytes] | _Forked, message: object) -> None:
    try:
        if process.stdin is None:
            raise WorkerDiedError
        pickle.dump(message, process.stdin, protocol=pickle.HIGHEST_PROTOCOL)
        process.stdin.flush()
    except (ConnectionError, ValueError) as error:
        raise WorkerDiedError from error


def _receive(process: subprocess.Popen[bytes] | _Forked) -> Any:  # noqa: ANN401 - of two messages
    try:
        # What comes back was written by murmure's own worker.
        return pickle.load(process.stdout)  # type: ignore[arg-type]  # noqa: S301
    except (EOFError, OSError, ValueError, pickle.UnpicklingError) as error:
        raise WorkerDiedError from error


def _remade(kind: str, message: str) -> MurmureError:
    """The error that a worker told of, of the same kind and with the same message."""
    known = getattr(errors, kind, None) if kind else None
    if not (isinstance(known, type) and issubclass(known, MurmureError)):
        return ModelError(f"the model cannot be loaded: {message}")
    error = known.__new__(known, message)
    error.args = (message,)
    return error
