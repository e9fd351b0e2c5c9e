"""Runs that are killed again and again: nothing lost, nothing doubled, every byte the same.

`MURMURE_KILLS=200` runs the whole of it; `benchmarks/torture.py` does the same with a real model.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from benchmarks.hostile import KINDS, write_posts
from benchmarks.torture import Torture
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from murmure.batch.failpoints import VARIABLE
from murmure.errors import InputError
from tests.batch.runs import read_bytes
from tests.processes import environment

_KILLS = int(os.environ.get("MURMURE_KILLS", "12"))
_IS_WHOLE = _KILLS >= 200


def test_killed_runs_lose_double_and_change_nothing(tmp_path: Path) -> None:
    good, hostile = (50_000, 1_000) if _IS_WHOLE else (600, 100)
    expected = write_posts(tmp_path, good=good, hostile=hostile)
    assert len(expected.hostile) == KINDS == 20
    assert expected.rows == good + hostile
    torture = Torture(
        tmp_path,
        expected,
        load="tests.batch.fakes:load_fake",
        model="fast",
        part_rows=500 if _IS_WHOLE else 70,
    )
    for _ in torture.run(_KILLS):
        pass
    assert torture.kills.total() == _KILLS
    assert torture.finished >= 1


_LINES = st.one_of(
    st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")),
    st.sampled_from([b'{"text": "a"', b"[]", b'{"text": null}', b'{"text": " "}', b"\xff{}"]),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(_LINES, max_size=20), chunk_rows=st.integers(1, 5))
def test_any_hostile_lines_leave_the_good_ones_between_them(
    lines: list[bytes], chunk_rows: int, tmp_path: Path
) -> None:
    good = [b'{"text": "good %d"}' % number for number in range(len(lines) + 1)]
    between = [part for pair in zip(good, lines, strict=False) for part in pair]
    data = b"\n".join([*between, good[-1]]) + b"\n"
    try:
        posts, faults = read_bytes(tmp_path, "any.jsonl", data, chunk_rows=chunk_rows)
    except InputError as error:
        assert "and most other rows are like it" in str(error)
        return
    texts = [post["text"] for post in posts]
    expected = [f"good {number}" for number in range(len(lines) + 1)]
    assert [text for text in texts if text in expected] == expected
    assert len(posts) + len(faults) == sum(map(bool, map(bytes.strip, data.split(b"\n"))))


_RUN = """
import sys, time
from pathlib import Path
from murmure.batch import tag_file
from tests.batch.fakes import load_fake

def wait(_):
    Path(sys.argv[2], "told").write_text("")
    time.sleep(60)

tag_file(sys.argv[1], Path(sys.argv[2], "out"), jobs=2, load_predictor=load_fake, progress=wait)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_workers_end_with_the_run_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "a"}\n')
    command = [sys.executable, "-c", _RUN, str(tmp_path / "a.jsonl"), str(tmp_path)]
    with subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE) as process:
        while not (tmp_path / "told").exists():
            assert process.poll() is None
            time.sleep(0.02)
        workers = _children(process.pid)
        process.kill()
    assert len(workers) == 2
    for _ in range(500):
        if not any(map(_runs, workers)):
            break
        time.sleep(0.02)
    assert not any(map(_runs, workers))


def _stat(pid: str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["X", "0"]


def _children(parent: int) -> list[str]:
    pids = [path.name for path in Path("/proc").iterdir() if path.name.isdigit()]
    return [pid for pid in pids if _stat(pid)[1] == str(parent)]


def _runs(pid: str) -> bool:
    return _stat(pid)[0] not in {"X", "Z"}


_FULL = """
import resource, signal, sys
from tests.batch.runs import tag

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
tag(sys.argv[1], sys.argv[2], part_rows=100, chunk_rows=30)
"""


@pytest.mark.parametrize("room", [200, 6_000, 10_000])
def test_run_goes_on_once_there_is_room_for_its_files_again(room: int, tmp_path: Path) -> None:
    from tests.batch.runs import contents, tag

    rows = "".join(f'{{"text": "post {n}", "n": {n * 7919}}}\nbroken {n}\n' for n in range(300))
    (tmp_path / "a.jsonl").write_text(rows)
    tag(tmp_path / "a.jsonl", tmp_path / "whole", part_rows=100, chunk_rows=30)
    out = tmp_path / "out"
    command = [sys.executable, "-c", _FULL, str(tmp_path / "a.jsonl"), str(out), str(room)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "RunError" in done.stderr
    assert "same command goes on from the last finished part" in done.stderr
    tag(tmp_path / "a.jsonl", out, part_rows=100, chunk_rows=30)
    assert contents(out) == contents(tmp_path / "whole")


def test_failpoint_kills_where_it_is_told_to_and_nowhere_else() -> None:
    code = (
        "from murmure.batch.failpoints import reach; reach('a'); reach('b'); reach('b'); print(1)"
    )
    for wanted, expected in (("b:2", -signal.SIGKILL), ("b:3", 0), ("a", -signal.SIGKILL)):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**environment(), VARIABLE: wanted},
            capture_output=True,
            check=False,
        )
        assert done.returncode == expected
