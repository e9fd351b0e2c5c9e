"""Measures how right corrected counts are, and writes results, tables and plot.

    python -m benchmarks.counting.run                        # base and fast: some 35 minutes
    python -m benchmarks.counting.run --model fast --splits 4 --without-peers

All it needs is a model folder: bags are drawn from one half of its `calibration.parquet`, and the
estimator learns from the other, both drawn anew `--splits` times. What each split gave is kept in
`--work`, so that a run that was stopped goes on where it was: as long as the calibration sample,
the settings and the code are the same. Needs the extra `benchmarks`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.counting.methods import AUDIT
from benchmarks.counting.origins import measure_origin, origins
from benchmarks.counting.protocol import SIZES
from benchmarks.counting.splits import (
    Columns,
    measure_ours,
    measure_peers,
    read_columns,
    read_posts,
    write_columns,
)
from benchmarks.counting.summary import (
    cell_numbers,
    summarize,
    summarize_origins,
    totals,
    verdicts,
)
from benchmarks.counting.table import write
from benchmarks.measuring import machine, versions

RESULTS = Path(__file__).parent / "results"
WORK = Path("build") / "counting"


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of work, whose columns go into one file.

    Attributes:
        folder: of the model.
        file: where its columns go.
        kind: "ours", "peers" or "origin".
        split: its number.
        bags: in each cell.
        some: of these, how many quapy's methods see; 0 is none.
        seed: of all random numbers.
        origin: the one left out.
    """

    folder: Path
    file: Path
    kind: str
    split: int
    bags: int
    some: int
    seed: int
    origin: str = ""


def work(part: Part) -> Path:
    """Does one piece of work."""
    if part.kind == "ours":
        columns = measure_ours(part.folder, split=part.split, bags=part.bags, seed=part.seed)
    elif part.kind == "peers":
        columns = measure_peers(
            part.folder, split=part.split, bags=part.bags, seed=part.seed, some=part.some
        )
    else:
        columns = measure_origin(
            part.folder, origin=part.origin, seed=part.seed, peers=part.some > 0
        )
    write_columns(columns, part.file)
    return part.file


def plan(folder: Path, options: argparse.Namespace) -> list[Part]:
    """All pieces of work for a model: our own first, since quapy's take longest."""
    some = 0 if options.without_peers else options.peer_bags
    kept = options.work / f"{folder.name}-{fingerprint(folder)}"

    def part(kind: str, name: str, number: int, origin: str = "") -> Part:
        file = kept / f"{kind}-{options.seed}-{name}-{number:04}.parquet"
        return Part(folder, file, kind, number, options.bags, some, options.seed, origin)

    parts = [part("ours", f"{options.bags}", split) for split in range(options.splits)]
    if not options.without_origins:
        name = "with" if some else "without"
        parts += [part("origin", name, at, it) for at, it in enumerate(origins(folder))]
    if some:
        name = f"{options.bags}-{some}"
        parts += [part("peers", name, split) for split in range(options.splits)]
    return parts


def fingerprint(folder: Path) -> str:
    """What the results of a split depend on but for the settings: posts, estimator, benchmark."""
    posts = (folder / "calibration.parquet").read_bytes()
    return hashlib.sha256(_code() + posts).hexdigest()[:12]


@lru_cache(maxsize=1)
def _code() -> bytes:
    own = Path(__file__).parent
    files = {own / f"{name}.py" for name in ("methods", "origins", "peers", "protocol", "splits")}
    loaded = (module for name, module in sys.modules.items() if name.startswith("murmure.infl"))
    files |= {Path(module.__file__) for module in loaded if module.__file__}
    return b"".join(file.read_bytes() for file in sorted(files))


def do(parts: Iterable[Part], jobs: int) -> None:
    """Does what was not done before."""
    left = [part for part in parts if not part.file.exists()]
    for part in left:
        part.file.parent.mkdir(parents=True, exist_ok=True)
    if jobs == 1:
        for done, part in enumerate(left, 1):
            _told(work(part), done, len(left))
        return
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(work, part) for part in left]
        for done, future in enumerate(as_completed(futures), 1):
            _told(future.result(), done, len(left))


def _told(file: Path, done: int, of: int) -> None:
    now = datetime.now(UTC).strftime("%H:%M:%S")
    sys.stderr.write(f"{now} {done} of {of}: {file.stem}\n")
    sys.stderr.flush()


def gather(folder: Path, parts: Sequence[Part], options: argparse.Namespace) -> dict[str, Any]:
    """The result of a model from what its splits gave."""
    files = {
        kind: [part.file for part in parts if part.kind == kind]
        for kind in ("ours", "peers", "origin")
    }
    columns = often_enough(read_columns(files["ours"], files["peers"]), options)
    cells = summarize(columns)
    found = totals(columns, cells)
    left: dict[str, Any] = {}
    if files["origin"]:
        alone = read_columns(files["origin"], [])
        rows = [dict(zip(alone, row, strict=True)) for row in zip(*alone.values(), strict=True)]
        left = {
            "summary": summarize_origins(alone),
            "rows": [{name: _plain(value) for name, value in row.items()} for row in rows],
        }
    calibration = (folder / "calibration.parquet").read_bytes()
    peers = max((cell["ACC"]["bags"] for cell in cells if "ACC" in cell), default=0)
    return {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "name": folder.name,
        "calibration_sha256": hashlib.sha256(calibration).hexdigest(),
        "posts": len(read_posts(folder)),
        "splits": options.splits,
        "bags_a_cell": max(cell["bags"] for cell in cells),
        "fewest_bags_a_cell": min(cell["bags"] for cell in cells),
        "peer_bags_a_cell": peers,
        "seed": options.seed,
        "sizes": [size for size in SIZES if any(cell["size"] == size for cell in cells)],
        "audit_labels": AUDIT,
        "machine": machine(),
        "versions": versions(("murmure", "numpy", "scipy", "quapy")),
        "verdicts": verdicts(found),
        "totals": found,
        "cells": cells,
        "leave_one_origin_out": left,
    }


def often_enough(columns: Columns, options: argparse.Namespace) -> Columns:
    """The bags of cells that came up in 5 of 6 splits: in others some label's posts are too few."""
    cell = cell_numbers(columns)
    kept = np.bincount(cell)[cell] >= 5 / 6 * options.splits * options.bags
    return {name: values[kept] for name, values in columns.items()}


def _plain(value: Any) -> Any:  # noqa: ANN401 - a number or a name, as numpy has it
    value = value.item()
    return round(value, 3) if isinstance(value, float) else value


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the measurement."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--model", nargs="+", default=["base", "fast"], help="names or folders of models"
    )
    parser.add_argument("--splits", type=int, default=50, help="how often halves are drawn")
    parser.add_argument("--bags", type=int, default=24, help="bags a cell and split")
    parser.add_argument("--peer-bags", type=int, default=1, help="of these, quapy's methods see")
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--without-origins", action="store_true", help="leave no origin out")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--work", type=Path, default=WORK, help="where results of splits are kept")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    from murmure.tagging.folder import ModelFolder

    options.out.mkdir(parents=True, exist_ok=True)
    for model in options.model:
        folder = Path(ModelFolder.open(model).path)
        parts = plan(folder, options)
        do(parts, options.jobs)
        result = gather(folder, parts, options)
        name = f"counting-{folder.name}"
        text = json.dumps(result, indent=1, allow_nan=False)
        (options.out / f"{name}.json").write_text(text + "\n", encoding="utf-8")
        write(result, options.out, name)


if __name__ == "__main__":
    main()
