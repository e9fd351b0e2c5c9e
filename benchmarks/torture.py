"""Kills a tagging run again and again, and shows that nothing is lost, doubled or changed.

    python benchmarks/torture.py                # 200 kills, 50,000 good rows, 1,000 hostile ones

A process of its own tags the files. It is killed with SIGKILL: at a failpoint (`MURMURE_FAILPOINT`:
a part half written, written but not in its place, in its place but not in the manifest, its
rejects half written), or from outside once new rows are on the disk. Then it is started again.
Whenever a run comes to its end, its folder must be, byte for byte, that of a run that nobody
interrupted, and a new run is begun until the kills are done. Most of a short run's time would go
into imports and the model: one process loads them, and each run is a fork of it. Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.hostile import MAX_TEXT, POISON, Expected, write_posts
from benchmarks.measuring import machine, versions
from murmure.batch import verify
from murmure.batch.worker import ColumnPredictor, Columns, load_predictor

_ROOT = Path(__file__).parent.parent
FAILPOINTS = ("mid-part", "before-rename", "before-manifest", "mid-reject")
_OUTSIDE = "outside"
_SEED = 20261122
_TOO_LONG = 1200.0

# Reads one run's options a line, and tells the process id of its fork, then how that ended.
_STARTER = """
import json, os, sys, traceback
sys.path[:0] = {path!r}
from importlib import import_module
import duckdb, pyarrow.csv, pyarrow.parquet
from murmure.batch import failpoints, tag_file

module, name = {load!r}.split(":")
load = getattr(import_module(module), name)
loaded = load({model!r}, None)

def load_here(model, catalog):
    return loaded

def work(failpoint, sources, out, jobs, **options):
    failpoints._WANTED = failpoint
    here = load_here if jobs == 1 else load  # worker processes load it themselves
    tag_file(sources, out, jobs=jobs, load_predictor=here, **options)

for line in sys.stdin:
    process = os.fork()
    if not process:
        try:
            work(**json.loads(line))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    print(process, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""


class Poisonable:
    """A predictor that fails on poisonous texts, and is otherwise the real one."""

    def __init__(self, predictor: ColumnPredictor) -> None:
        self._predictor = predictor
        self.name, self.fingerprint = predictor.name, predictor.fingerprint

    def predict_columns(self, texts: Sequence[str], /) -> Columns:
        """The tags of texts.

        Raises:
            ValueError: one is poisonous.
        """
        if any(POISON in text for text in texts):
            raise ValueError("poison")
        return self._predictor.predict_columns(texts)


def load_poisonable(model: str, catalog: Path | None) -> Poisonable:
    """Loads a model that fails on poisonous texts."""
    return Poisonable(load_predictor(model, catalog))


class Starter:
    """Starts processes that tag, one at a time.

    Args:
        load: `module:function` that makes the predictor.
        model: its argument.
    """

    def __init__(self, *, load: str, model: str) -> None:
        path = [str(_ROOT), *filter(None, sys.path)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _STARTER.format(path=path, load=load, model=model)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # nothing that `has_ended` looks for waits here
        )

    def start(self, **options: Any) -> int:  # noqa: ANN401 - those of `tag_file`
        """Starts a process, and gives its id."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(options).encode() + b"\n")
        return self._number()

    def has_ended(self, *, within: float = 0.0) -> bool:
        """Whether the process has ended, or does so within so many seconds."""
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], within)[0])

    def end(self) -> int:
        """Waits for the process, and gives its exit code."""
        assert self.has_ended(within=_TOO_LONG), "a run does not come to its end"
        code = self._number()
        assert code in {0, -signal.SIGKILL}, f"a run ended with code {code}"
        return code

    def close(self) -> None:
        """Ends it."""
        self._process.communicate()

    def _number(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline() or 1)


class Torture:
    """Kills runs over the same files.

    Args:
        folder: can be thrown away.
        expected: the files, and what must become of their rows.
        load: `module:function` that makes the predictor.
        model: its argument.
        part_rows: input rows a part.
    """

    def __init__(
        self, folder: Path, expected: Expected, *, load: str, model: str, part_rows: int
    ) -> None:
        self._folder = folder
        self._expected = expected
        self._options: dict[str, Any] = {
            "sources": [str(source) for source in expected.sources],
            "model": model,
            "part_rows": part_rows,
            "chunk_rows": max(1, part_rows // 3),
            "max_text": MAX_TEXT,
        }
        self._chance = random.Random(_SEED)
        self._starter = Starter(load=load, model=model)
        self.kills: Counter[str] = Counter()
        self.finished = 0
        self.lost = self.doubled = self.changed = 0
        self.whole = self._uninterrupted()

    def run(self, kills: int) -> Iterator[int]:
        """Kills so many times, and yields how often it has; ends with a run that comes to its end.

        Raises:
            AssertionError: a run lost, doubled or changed something.
        """
        out = self._folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        ways = [*FAILPOINTS, _OUTSIDE]
        while self.kills.total() < kills:
            way = self._chance.choice(ways)
            if self._kill_once(out, way):
                self.kills[way] += 1
                yield self.kills.total()
            else:
                self._check(out)
        self._start(out)
        self._starter.end()
        self._check(out)
        self._starter.close()

    def _uninterrupted(self) -> Mapping[str, bytes]:
        out = self._folder / "whole"
        self._start(out)
        self._starter.end()
        ids, rejects = _written(out)
        self._compare(ids, self._expected.ids, "ids in the parts")
        self._compare(rejects, self._expected.rejects, "sources and lines in the rejects")
        found = verify(out, self._expected.sources)
        assert found.is_whole, found.faults
        assert found.rows == self._expected.rows, found
        return _contents(out)

    def _compare(self, found: Sequence[object], expected: Sequence[object], what: str) -> None:
        lost, more = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
        self.lost += lost.total()
        self.doubled += more.total()
        assert not lost, f"lost {what}: {list(lost)[:5]}"
        assert not more, f"too many {what}: {list(more)[:5]}"
        assert list(found) == list(expected), f"{what} in another order"

    def _start(self, out: Path, failpoint: str | None = None) -> int:
        # Workers have to load the model each: one run in five has them.
        jobs = self._chance.choice((1, 1, 1, 1, 2))
        return self._starter.start(failpoint=failpoint, out=str(out), jobs=jobs, **self._options)

    def _kill_once(self, out: Path, way: str) -> bool:
        """Starts a run and kills it; tells whether it was killed before it came to its end."""
        before = _parts(out)
        if way == _OUTSIDE:
            process = self._start(out)
            while not self._starter.has_ended() and not _parts(out) - before:
                time.sleep(0.005)
            time.sleep(self._chance.random() * 0.2)
            if not self._starter.has_ended():
                os.kill(process, signal.SIGKILL)
        else:
            self._start(out, f"{way}:{self._chance.randint(1, 4)}")
        return self._starter.end() != 0

    def _check(self, out: Path) -> None:
        found = _contents(out)
        assert sorted(found) == sorted(self.whole), sorted(found)
        changed = [name for name, data in found.items() if data != self.whole[name]]
        self.changed += len(changed)
        assert not changed, f"not as uninterrupted: {changed}"
        assert verify(out).is_whole
        self.finished += 1
        shutil.rmtree(out)


def _parts(out: Path) -> set[str]:
    return {path.name for path in out.glob("part-*")} if out.is_dir() else set()


def _contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()}


def _written(out: Path) -> tuple[list[str], list[tuple[str, int]]]:
    """The ids in a run's parts, and the sources and lines in its rejects."""
    import pyarrow.parquet as pq

    ids = [
        name
        for part in sorted(out.glob("part-*.parquet"))
        for name in pq.read_table(part, columns=["id"])["id"].to_pylist()
    ]
    lines = (out / "rejects.jsonl").read_text(encoding="utf-8").splitlines()
    rejects = [json.loads(line) for line in lines]
    return ids, [(one["source"], one["line"]) for one in rejects]


def main() -> None:
    """Runs the torture and writes what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--good", type=int, default=50_000)
    parser.add_argument("--hostile", type=int, default=1_000)
    parser.add_argument("--part-rows", type=int, default=500)
    parser.add_argument("--model", default="fast")
    parser.add_argument("--output", type=Path, default=_ROOT / "benchmarks/results/torture.json")
    options = parser.parse_args()
    on, began = machine(), time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="murmure-torture-") as name:
        folder = Path(name)
        expected = write_posts(folder, good=options.good, hostile=options.hostile)
        torture = Torture(
            folder,
            expected,
            load="benchmarks.torture:load_poisonable",
            model=options.model,
            part_rows=options.part_rows,
        )
        for number in torture.run(options.kills):
            sys.stderr.write(f"{number} kills, {time.perf_counter() - began:,.0f} s\n")
    result = {
        "benchmark": "torture",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": {"model": options.model, "part_rows": options.part_rows},
        "data": {
            "rows": expected.rows,
            "good": options.good,
            "hostile": expected.hostile,
            "hostile_in_all": sum(expected.hostile.values()),
            "tagged": len(expected.ids),
            "rejected": len(expected.rejects),
            "parts": len([one for one in torture.whole if one.startswith("part-")]),
        },
        "kills": torture.kills.total(),
        "kills_by_way": dict(sorted(torture.kills.items())),
        "runs_that_came_to_their_end": torture.finished,
        "rows_lost": torture.lost,
        "rows_doubled": torture.doubled,
        "files_changed": torture.changed,
        "seconds": round(time.perf_counter() - began),
        "machine": on,
        "versions": versions(("pyarrow", "numpy", "hypothesis")),
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.stderr.write(f"{options.output}: nothing lost, nothing doubled, every byte the same\n")


if __name__ == "__main__":
    main()
