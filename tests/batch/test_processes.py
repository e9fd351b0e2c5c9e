"""Workers that the first one forks: each holds its own link alone, and ends with the run."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from murmure.batch.pool import PoolTagger, make_tagger
from murmure.batch.processes import Worker, start_workers
from tests.batch.fakes import ENDLESS, load_fake, load_with_thread
from tests.processes import environment

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks on Linux alone")


@pytest.fixture
def workers() -> Iterator[Sequence[Worker]]:
    found = start_workers(pickle.dumps((load_fake, "fast", None)), jobs=3, share=True)
    for worker in found:
        worker.describe()
    yield found
    close(found)


def close(workers: Sequence[Worker]) -> None:
    for worker in reversed(workers):
        worker.kill()
    for worker in workers:
        worker.end(seconds=5)


def stat(pid: int | str) -> list[str]:
    """State and parent of a process, and more; of one that is gone, as of a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["Z", "0"]


def end_soon(*pids: int | str | None) -> bool:
    for _ in range(500):
        if all(stat(str(pid))[0] in "XZ" for pid in pids):
            return True
        time.sleep(0.02)
    return False


def links(pid: int | None) -> set[str]:
    """The pipes and sockets that a process holds open, standard error left out."""
    folder = Path(f"/proc/{pid}/fd")
    named = {one.name: str(one.readlink()) for one in folder.iterdir()}
    errors = named["2"]
    return {name for name in named.values() if name.startswith(("pipe:", "socket:"))} - {errors}


def test_first_worker_forks_the_others(workers: Sequence[Worker]) -> None:
    first, *others = workers
    assert {worker.describe() for worker in workers} == {first.describe()}
    assert [stat(str(worker.pid))[1] for worker in others] == [str(first.pid)] * 2
    assert len({worker.pid for worker in workers}) == 3


def test_no_worker_holds_what_another_is_asked_over(workers: Sequence[Worker]) -> None:
    of_first, *of_others = (links(worker.pid) for worker in workers)
    assert len(of_first) == 2
    assert [len(of_one) for of_one in of_others] == [1, 1]
    assert len(of_first.union(*of_others)) == 4


def test_each_forked_worker_ends_with_its_own_input(workers: Sequence[Worker]) -> None:
    first, second, third = workers
    third.end(seconds=5)
    assert end_soon(third.pid)
    assert [len(worker.ask(["a"])[0]) for worker in (first, second)] == [1, 1]
    second.end(seconds=5)
    assert end_soon(second.pid)
    assert len(first.ask(["a"])[0]) == 1


def test_forked_workers_outlive_the_first(workers: Sequence[Worker]) -> None:
    first, *others = workers
    first.kill()
    assert end_soon(first.pid)
    assert [len(worker.ask(["a"])[0]) for worker in others] == [1, 1]
    first.restart()
    assert len(first.ask(["a"])[0]) == 1


def test_forked_worker_that_is_killed_leaves_nothing_behind(workers: Sequence[Worker]) -> None:
    killed = workers[1]
    killed.kill()
    for _ in range(500):
        if not Path(f"/proc/{killed.pid}").exists():
            break
        time.sleep(0.02)
    assert not Path(f"/proc/{killed.pid}").exists()


def test_killed_worker_is_replaced_by_a_process_of_its_own(workers: Sequence[Worker]) -> None:
    killed = workers[1]
    before = killed.pid
    assert before is not None
    os.kill(before, signal.SIGKILL)
    killed.restart()
    assert len(killed.ask(["a"])[0]) == 1
    assert killed.pid != before
    assert stat(str(killed.pid))[1] == str(os.getpid())


def test_nothing_runs_on_once_a_pool_is_closed_at_work() -> None:
    pool = PoolTagger("fast", catalog=None, jobs=3, load=load_fake, share=True)
    for _ in range(3):
        pool.submit(pa.array([ENDLESS]))
    while any(worker._ready is None for worker in pool._workers):
        time.sleep(0.02)
    pids = [worker.pid for worker in pool._workers]
    time.sleep(0.1)
    pool.close()
    pool.close()
    assert len(set(pids)) == 3
    assert end_soon(*pids)


def test_pool_can_be_closed_while_the_model_is_loaded() -> None:
    pool = PoolTagger("fast", catalog=None, jobs=3, load=load_fake, share=True)
    first = pool._workers[0].pid
    pool.close()
    assert end_soon(first)


def test_workers_are_fresh_where_loading_leaves_a_thread() -> None:
    pool = PoolTagger("fast", catalog=None, jobs=2, load=load_with_thread, share=True)
    futures = [pool.submit(pa.array(["a", "b"])) for _ in range(8)]
    assert [(future.result()[0].num_rows, future.result()[1]) for future in futures] == [
        (2, [])
    ] * 8
    asked = [worker.pid for worker in pool._workers if worker.pid is not None]
    assert {stat(str(pid))[1] for pid in asked} == {str(os.getpid())}
    pool.close()
    assert end_soon(*asked)


@pytest.mark.parametrize(("model", "shared"), [("fast", True), ("base", False)])
def test_linear_models_alone_are_shared(model: str, shared: bool) -> None:
    tagger = make_tagger(model, catalog=None, jobs=2)
    assert isinstance(tagger, PoolTagger)
    # Of a forked process the number is told once it is there.
    assert (tagger._workers[1].pid is None) == shared
    tagger.close()


_RUN = """
import pickle, sys, time
from murmure.batch.processes import start_workers
from tests.batch.fakes import load_fake

workers = start_workers(pickle.dumps((load_fake, "fast", None)), jobs=3, share=True)
for worker in workers:
    worker.describe()
print(*[worker.pid for worker in workers], flush=True)
time.sleep(600)
"""


def test_forked_workers_end_with_the_run_that_is_killed() -> None:
    command = [sys.executable, "-c", _RUN]
    with subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pids = process.stdout.readline().decode().split()
        process.kill()
    assert len(set(pids)) == 3
    assert end_soon(*pids)


def test_interrupting_the_run_leaves_its_workers_to_it(workers: Sequence[Worker]) -> None:
    groups = {os.getpgid(worker.pid) for worker in workers if worker.pid is not None}
    assert groups == {workers[0].pid}
    assert os.getpgid(0) not in groups
