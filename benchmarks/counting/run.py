"""Measures how right corrected counts are, and writes results, table and plot.

    python -m benchmarks.counting.run                    # the full run: hours
    python -m benchmarks.counting.run --bags 20 --splits 4 --without-quapy

All it needs is a model folder: bags are drawn from one half of its `calibration.parquet`, and the
estimator learns from the other, both drawn anew `--splits` times. Needs the extra `benchmarks`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.counting.methods import AUDIT, QUAPY, Found, Ours, Quapy, audit, oracle_width
from benchmarks.counting.protocol import TARGETS, Bags, draw_bags, halves, predicted_classes
from murmure.influence.cells import make_cells
from murmure.influence.classes import QUESTIONS, TAG_QUESTIONS
from murmure.influence.correcting import FEWEST_LABELLED
from murmure.influence.posteriors import LANGUAGES, Sample, read_sample

RESULTS = Path(__file__).parent / "results"

#: One cell of the protocol: language, tag, label, size, prevalence.
Cell = tuple[str, str, str, int, float]
#: What is kept of the bags of a cell, one number a bag: errors in posts, and whether intervals
#: hold the truth, and their widths.
Record = dict[str, list[float]]


def measure_split(
    number: int, *, model: str, bags: int, quapy_bags: int, seed: int
) -> dict[Cell, Record]:
    """Bags of all cells from one pair of halves."""
    from murmure.tagging.folder import ModelFolder

    generator = np.random.default_rng([seed, number])
    sample = read_sample(ModelFolder.open(model).path)
    sample = sample.take(sample.languages < len(LANGUAGES))
    calibration, pool = halves(sample, generator)
    ours = Ours(make_cells(calibration), pool)
    predicted = predicted_classes(pool)
    quapy: dict[str, Quapy] = {}
    records: dict[Cell, Record] = {}
    for drawn in draw_bags(pool, bags=bags, generator=generator):
        tag = drawn.target.tag
        if quapy_bags and tag not in quapy:
            quapy[tag] = Quapy(calibration, tag)
        record = _measure(drawn, ours, pool, predicted, generator)
        if quapy_bags:
            _compare(record, drawn, quapy[tag], pool, quapy_bags)
        target = drawn.target
        language = LANGUAGES[drawn.language]
        records[language, tag, target.label, drawn.size, drawn.prevalence] = record
    return records


def _measure(
    drawn: Bags,
    ours: Ours,
    pool: Sample,
    predicted: np.ndarray[Any, Any],
    generator: np.random.Generator,
) -> Record:
    member, truth = drawn.target.member, drawn.positives
    record: Record = defaultdict(list)
    raw = member[predicted[drawn.posts]].sum(axis=1)
    record["raw"] = (raw - truth).tolist()
    found = ours(drawn.posts, drawn.target, drawn.language)
    _interval(record, "ours", found[0], truth)
    here = pool.languages == drawn.language
    has, gets = member[pool.classes[here]], member[predicted[here]]
    width = oracle_width(gets[has].mean(), gets[~has].mean(), truth, drawn.size)
    record["oracle_width"] = [width] * len(drawn.posts)
    if drawn.size > 2 * AUDIT:
        _interval(
            record, "audited",
            audit(ours, drawn.posts, member[pool.classes], found, generator), truth,
        )  # fmt: skip
    return record


def _interval(record: Record, name: str, found: Found, truth: int) -> None:
    assert found.low is not None
    assert found.high is not None
    record[name] = (found.estimate - truth).tolist()
    inside = (found.low <= truth + 1e-9) & (found.high >= truth - 1e-9)
    record[f"{name}_covers"] = inside.astype(float).tolist()
    record[f"{name}_width"] = (found.high - found.low).tolist()


def _compare(record: Record, drawn: Bags, quapy: Quapy, pool: Sample, bags: int) -> None:
    question = QUESTIONS["own"] if quapy.tag == "joint" else TAG_QUESTIONS[quapy.tag]
    place = 1 if quapy.tag == "joint" else question.answers.index(drawn.target.label)
    said = quapy.probabilities(pool)
    for posts in drawn.posts[:bags]:
        shares = quapy(said[posts], place)
        for name, share in shares.items():
            record[name].append(share * drawn.size - drawn.positives)


def leave_one_origin_out(model: str, *, fewest: int = 50) -> list[dict[str, Any]]:
    """Each source's own posts as one bag a language, with all other sources to learn from."""
    from murmure.tagging.folder import ModelFolder

    sample = read_sample(ModelFolder.open(model).path)
    sample = sample.take(sample.languages < len(LANGUAGES))
    rows = []
    for origin in np.unique(sample.origins):
        inside = sample.origins == origin
        if inside.sum() < fewest or (~inside).sum() < FEWEST_LABELLED:
            continue
        pool = sample.take(inside)
        ours = Ours(make_cells(sample.take(~inside)), pool)
        predicted = predicted_classes(pool)
        for language, name in enumerate(LANGUAGES):
            posts = np.flatnonzero(pool.languages == language)[None]
            if posts.shape[1] < fewest:
                continue
            for target in TARGETS:
                truth = int(target.member[pool.classes[posts[0]]].sum())
                found, _, _ = ours(posts, target, language)
                assert found.low is not None
                assert found.high is not None
                rows.append(
                    {
                        "origin": str(origin), "language": name, "tag": target.tag,
                        "label": target.label, "posts": posts.shape[1], "truth": truth,
                        "raw": int(target.member[predicted[posts[0]]].sum()),
                        "estimate": round(float(found.estimate[0]), 2),
                        "low": round(float(found.low[0]), 2),
                        "high": round(float(found.high[0]), 2),
                    }
                )  # fmt: skip
    return rows


def summarize(records: Mapping[Cell, Record]) -> list[dict[str, Any]]:
    """One row a cell: bags, and by method bias, absolute error, coverage and width, in points."""
    rows = []
    for cell, record in sorted(records.items()):
        language, tag, label, size, prevalence = cell
        row: dict[str, Any] = {
            "language": language, "tag": tag, "label": label,
            "size": size, "prevalence": prevalence, "bags": len(record["raw"]),
        }  # fmt: skip
        for name in ("raw", "ours", "audited", *QUAPY):
            if not record.get(name):
                continue
            errors = 100 * np.array(record[name]) / size
            row[name] = {
                "bags": len(errors),
                "bias": round(float(errors.mean()), 3),
                "mae": round(float(np.abs(errors).mean()), 3),
            }
            if f"{name}_covers" in record:
                row[name]["coverage"] = round(float(np.mean(record[f"{name}_covers"])), 4)
                width = 100 * np.mean(record[f"{name}_width"]) / size
                row[name]["width"] = round(float(width), 3)
        row["oracle_width"] = round(100 * float(np.mean(record["oracle_width"])) / size, 3)
        paired = [name for name in QUAPY if record.get(name)]
        if paired:
            some = len(record[paired[0]])
            # Ours on the very bags that quapy's methods saw.
            row["ours_paired_mae"] = round(_mae(_same_bags(record, some), size), 3)
        rows.append(row)
    return rows


def _same_bags(record: Record, some: int) -> list[float]:
    chosen = record.get("paired")
    return record["ours"][:some] if chosen is None else [record["ours"][int(at)] for at in chosen]


def _mae(errors: Sequence[float], size: int) -> float:
    return float(100 * np.abs(errors).mean() / size)


def merge(parts: Sequence[Mapping[Cell, Record]], quapy_bags: int) -> dict[Cell, Record]:
    """Joins the bags of all splits."""
    joined: dict[Cell, Record] = {}
    for part in parts:
        for cell, record in part.items():
            into = joined.setdefault(cell, defaultdict(list))
            start = len(into["raw"])
            if any(record.get(name) for name in QUAPY):
                some = min(quapy_bags, len(record["raw"]))
                into["paired"] += [float(start + at) for at in range(some)]
            for name, values in record.items():
                into[name] += values
    return joined


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the measurement."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--model", default="fast", help="a model's name or folder")
    parser.add_argument("--splits", type=int, default=25, help="how often halves are drawn")
    parser.add_argument("--bags", type=int, default=40, help="bags a cell and split")
    parser.add_argument("--quapy-bags", type=int, default=4, help="of these, quapy's methods see")
    parser.add_argument("--without-quapy", action="store_true")
    parser.add_argument("--without-origins", action="store_true", help="leave no origin out")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    quapy_bags = 0 if options.without_quapy else options.quapy_bags
    measure = partial(
        measure_split,
        model=options.model, bags=options.bags, quapy_bags=quapy_bags, seed=options.seed,
    )  # fmt: skip
    parts: list[dict[Cell, Record]] = []
    if options.jobs > 1:
        with ProcessPoolExecutor(options.jobs) as pool:
            for part in pool.map(measure, range(options.splits)):
                parts.append(part)
                sys.stderr.write(f"{len(parts)} of {options.splits} splits\n")
    else:
        parts = [measure(number) for number in range(options.splits)]
    records = merge(parts, quapy_bags)
    from benchmarks.counting.table import totals, write

    result = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "model": options.model, "splits": options.splits, "bags_a_split": options.bags,
        "quapy_bags_a_split": quapy_bags, "seed": options.seed, "audit_labels": AUDIT,
        "totals": totals(records),
        "cells": summarize(records),
        "leave_one_origin_out": []
        if options.without_origins
        else leave_one_origin_out(options.model),
    }  # fmt: skip
    options.out.mkdir(parents=True, exist_ok=True)
    name = f"counting-{Path(options.model).name}"
    text = json.dumps(result, indent=1, allow_nan=False)
    (options.out / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    write(result, options.out, name)


if __name__ == "__main__":
    main()
