"""Runs that are killed anywhere, and what they come to when they are started again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from murmure.batch import Progress
from tests.batch.runs import contents, manifest, tag

OPTIONS: dict[str, Any] = {"part_rows": 20, "chunk_rows": 7}


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files with bad rows in between, 95 rows in all."""
    folder = tmp_path_factory.mktemp("posts")
    posts = [{"text": "x" * (number % 9), "n": number} for number in range(33)]
    lines = [json.dumps(post) if number % 5 else "broken" for number, post in enumerate(posts)]
    (folder / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")
    rows = "".join(f'{number},"a\nb"\n' if number % 4 else '7,"stray\n' for number in range(30))
    (folder / "b.csv").write_text(f"n,text\n{rows}", encoding="utf-8")
    column = pa.array([None if number % 6 == 0 else f"p{number}" for number in range(32)])
    pq.write_table(pa.table({"text": column}), folder / "c.parquet", row_group_size=5)
    return folder


@pytest.fixture(scope="module")
def whole(source: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run comes to that nobody interrupts."""
    out = tmp_path_factory.mktemp("whole") / "out"
    tag(source, out, **OPTIONS)
    assert len(manifest(out)["parts"]) == 5
    return contents(out)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kills=st.lists(st.integers(0, 15), min_size=1, max_size=3))
def test_run_killed_after_any_chunk_gives_the_same_bytes(
    kills: list[int],
    source: Path,
    whole: dict[str, bytes],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    out = tmp_path_factory.mktemp("killed") / "out"
    for kill in kills:
        chunks = iter(range(100))

        def die(_: Progress, chunks: Any = chunks, kill: int = kill) -> None:
            if next(chunks) >= kill:
                raise Killed

        try:
            tag(source, out, progress=die, **OPTIONS)
        except Killed:
            continue
    tag(source, out, **OPTIONS)
    assert contents(out) == whole


def test_run_goes_on_where_it_was(source: Path, tmp_path: Path) -> None:
    def die(progress: Progress) -> None:
        if progress.rows >= 60:
            raise Killed

    with pytest.raises(Killed):
        tag(source, tmp_path / "out", progress=die, **OPTIONS)
    assert not manifest(tmp_path / "out")["complete"]
    seen: list[Progress] = []
    summary = tag(source, tmp_path / "out", progress=seen.append, **OPTIONS)
    assert summary.resumed == 60
    assert seen[0].rows - seen[0].resumed <= OPTIONS["chunk_rows"]
    assert not summary.already_done


_CHILD = """
import os, sys
from pathlib import Path
from tests.batch.runs import tag

flush, left = os.fsync, [int(sys.argv[3])]

def fsync(handle):
    flush(handle)
    left[0] -= 1
    if left[0] < 0:
        os._exit(9)

os.fsync = fsync
tag(sys.argv[1], sys.argv[2], part_rows=20, chunk_rows=7)
"""


@pytest.mark.parametrize("count", [0, 2, 3, 4, 5, 6, 7, 9])
def test_process_that_ends_at_any_write_leaves_a_run_that_goes_on(
    count: int, source: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
    command = [sys.executable, "-c", _CHILD, str(source), str(out), str(count)]
    assert subprocess.run(command, check=False, env=environment).returncode == 9
    tag(source, out, **OPTIONS)
    assert contents(out) == whole


def test_half_written_files_of_a_killed_run_are_removed(
    source: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"

    def die(progress: Progress) -> None:
        if progress.rows >= 40:
            raise Killed

    with pytest.raises(Killed):
        tag(source, out, progress=die, **OPTIONS)
    (out / ".part-00002.parquet.tmp").write_bytes(b"half")
    (out / "part-00002.parquet").write_bytes(b"whole, but not in the manifest")
    with (out / "rejects.jsonl").open("a") as file:
        file.write('{"half a rej')
    tag(source, out, **OPTIONS)
    assert contents(out) == whole


def test_overwriting_leaves_nothing_of_the_run_before(
    source: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    tag(source, tmp_path / "out", part_rows=9, max_text=3)
    tag(source, tmp_path / "out", overwrite=True, **OPTIONS)
    assert contents(tmp_path / "out") == whole
