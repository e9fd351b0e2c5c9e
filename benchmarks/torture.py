"""Kills a tagging run again and again, and shows that nothing is lost, doubled or changed.

    python benchmarks/torture.py                # 200 kills, 50,000 good rows, 1,000 hostile ones

A process of its own tags the files. It is killed with SIGKILL: at a failpoint (`MURMURE_FAILPOINT`:
a part half written, written but not in its place, in its place but not in the manifest, its
rejects half written), or from outside once new rows are on the disk. Then it is started again.
Whenever a run comes to its end, its folder must be, byte for byte, that of a run that nobody
interrupted, and a new run is begun until the kills are done. Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import random
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
from murmure.batch.failpoints import VARIABLE
from murmure.batch.worker import ColumnPredictor, Columns, load_predictor

_ROOT = Path(__file__).parent.parent
FAILPOINTS = ("mid-part", "before-rename", "before-manifest", "mid-reject")
_OUTSIDE = "outside"
_SEED = 20261122
_TOO_LONG = 600.0

_CHILD = """
import json, sys
sys.path[:0] = {path!r}
from importlib import import_module
from murmure.batch import tag_file

options = json.loads(sys.argv[1])
module, name = options.pop("load").split(":")
load = getattr(import_module(module), name)
tag_file(options.pop("sources"), options.pop("out"), load_predictor=load, **options)
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
            "load": load,
            "model": model,
            "part_rows": part_rows,
            "chunk_rows": max(1, part_rows // 3),
            "max_text": MAX_TEXT,
        }
        self._chance = random.Random(_SEED)
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
        self._end(self._start(out))
        self._check(out)

    def _uninterrupted(self) -> Mapping[str, bytes]:
        out = self._folder / "whole"
        self._end(self._start(out))
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

    def _start(self, out: Path, failpoint: str | None = None) -> subprocess.Popen[bytes]:
        environment = {**os.environ, VARIABLE: failpoint} if failpoint else {**os.environ}
        path = [str(_ROOT), *filter(None, sys.path)]
        options = {**self._options, "out": str(out), "jobs": self._chance.choice((1, 2))}
        return subprocess.Popen(
            [sys.executable, "-c", _CHILD.format(path=path), json.dumps(options)],
            env=environment,
            stderr=subprocess.PIPE,
        )

    @staticmethod
    def _end(process: subprocess.Popen[bytes]) -> int:
        _, errors = process.communicate(timeout=_TOO_LONG)
        assert process.returncode in {0, -signal.SIGKILL}, errors.decode()
        return process.returncode

    def _kill_once(self, out: Path, way: str) -> bool:
        """Starts a run and kills it; tells whether it was killed before it came to its end."""
        before = _parts(out)
        if way == _OUTSIDE:
            process = self._start(out)
            while process.poll() is None and not _parts(out) - before:
                time.sleep(0.005)
            time.sleep(self._chance.random() * 0.2)
            process.kill()
        else:
            process = self._start(out, f"{way}:{self._chance.randint(1, 4)}")
        return self._end(process) != 0

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
