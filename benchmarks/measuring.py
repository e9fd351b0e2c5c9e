"""What a command takes: its time, its processors' time, the memory of all its processes."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

#: Seconds between two looks at the memory.
_EVERY = 0.05
_MEBIBYTE = 2**20
#: One thread a process: whoever wants more processors takes more processes.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a command took.

    Attributes:
        seconds: from its start to its end, start-up included.
        cpu_seconds: of all its processes, in user and system mode.
    """

    seconds: float
    cpu_seconds: float


def _environment() -> dict[str, str]:
    return {**os.environ, **dict.fromkeys(_THREADS, "1")}


def time_command(command: Sequence[str]) -> Timing:
    """Runs a command to its end.

    Raises:
        RuntimeError: it failed.
    """
    before, began = _children(), time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=_environment())
    timing = Timing(time.perf_counter() - began, _children() - before)
    _check(done.returncode, command, done.stderr)
    return timing


def _check(code: int, command: Sequence[str], said: str = "") -> None:
    if code:
        raise RuntimeError(f"{' '.join(command)} ended with code {code}\n{said}".rstrip())


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@dataclass(frozen=True, slots=True)
class Memory:
    """What all processes of a command held at one moment.

    Attributes:
        seconds: since its start.
        rss: in MiB, the sum of what is resident, shared pages counted each time.
        pss: in MiB, the same with each shared page counted once.
        processes: how many there were.
    """

    seconds: float
    rss: float
    pss: float
    processes: int


def watch_memory(command: Sequence[str], *, every: float = _EVERY) -> Iterator[Memory]:
    """Runs a command to its end, and yields what it holds every so many seconds.

    Raises:
        RuntimeError: it failed.
    """
    import psutil

    none, began = subprocess.DEVNULL, time.perf_counter()
    with subprocess.Popen(command, env=_environment(), stdout=none, stderr=none) as run:
        root = psutil.Process(run.pid)
        while run.poll() is None:
            found = [_memory(process.pid) for process in _tree(root)]
            yield Memory(
                seconds=time.perf_counter() - began,
                rss=sum(rss for rss, _ in found) / _MEBIBYTE,
                pss=sum(pss for _, pss in found) / _MEBIBYTE,
                processes=sum(rss > 0 for rss, _ in found),
            )
            time.sleep(every)
    _check(run.returncode, command)


def peak_memory(command: Sequence[str]) -> dict[str, float]:
    """Runs a command to its end, and tells the most memory that it held, in MiB.

    Returns:
        `rss`, `pss` and `processes` as in `Memory`, each at its most.

    Raises:
        RuntimeError: it failed.
    """
    peak = {"rss": 0.0, "pss": 0.0, "processes": 0.0}
    for now in watch_memory(command):
        peak = {name: max(most, getattr(now, name)) for name, most in peak.items()}
    return {name: round(most, 1) for name, most in peak.items()}


def _tree(root: psutil.Process) -> list[psutil.Process]:
    import psutil

    try:
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _memory(pid: int) -> tuple[int, int]:
    """RSS and PSS of a process in bytes; nothing of one that is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()[1:]
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0
    sizes = {
        name: 1024 * int(size.split()[0]) for name, size in (line.split(":") for line in lines)
    }
    return sizes.get("Rss", 0), sizes.get("Pss", 0)


def summarize(posts: int, timings: Iterable[Timing]) -> dict[str, float]:
    """Posts a second over several rounds: median, least and most; and the medians of the times.

    Example:
        >>> summarize(1000, [Timing(1.0, 1.5), Timing(2.0, 1.5), Timing(4.0, 1.7)])
        {'posts_per_second': 500, 'least': 250, 'most': 1000, 'seconds': 2.0, 'cpu_seconds': 1.5}
    """
    taken = list(timings)
    seconds = [timing.seconds for timing in taken]
    return {
        "posts_per_second": round(posts / median(seconds)),
        "least": round(posts / max(seconds)),
        "most": round(posts / min(seconds)),
        "seconds": round(median(seconds), 3),
        "cpu_seconds": round(median(timing.cpu_seconds for timing in taken), 3),
    }


def machine() -> dict[str, object]:
    """What the measures were taken on, and how busy it was."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "load_before": [round(load, 2) for load in os.getloadavg()],
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def versions(packages: Iterable[str]) -> dict[str, str]:
    """The versions of Python and of packages that are installed."""
    found = {name: metadata.version(name) for name in packages}
    return {"python": platform.python_version(), **found}
