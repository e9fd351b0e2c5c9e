"""The result in short: totals over cells, a table in Markdown, and a plot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.counting.methods import QUAPY

#: Bags of this many posts and more are what coverage is pooled over.
LARGE = 200


def totals(
    records: Mapping[tuple[str, str, str, int, float], Mapping[str, list[float]]],
) -> dict[str, Any]:
    """Figures pooled over cells, by tag: mean absolute errors in points, coverage, widths."""
    by_tag: dict[str, list[tuple[tuple[str, str, str, int, float], Mapping[str, list[float]]]]]
    by_tag = defaultdict(list)
    for cell, record in records.items():
        by_tag[cell[1]].append((cell, record))
        by_tag["all"].append((cell, record))
    return {tag: _total(some) for tag, some in sorted(by_tag.items())}


def _total(
    cells: Iterable[tuple[tuple[str, str, str, int, float], Mapping[str, list[float]]]],
) -> dict[str, Any]:
    cells = list(cells)
    total: dict[str, Any] = {"cells": len(cells)}
    for name in ("raw", "ours", "audited", *QUAPY):
        errors = [
            (cell[3], cell[4], np.array(record[name])) for cell, record in cells if record.get(name)
        ]
        if not errors:
            continue
        # Each cell weighs the same, however many bags it has.
        mae = np.mean([100 * np.abs(values).mean() / size for size, _, values in errors])
        total[name] = {"mae": round(float(mae), 3)}
        rare = [
            np.abs(values).mean() / (size * prevalence)
            for size, prevalence, values in errors
            if prevalence <= 0.05
        ]
        if rare:
            total[name]["relative_error_rare"] = round(float(np.mean(rare)), 3)
        large = [(c, r) for c, r in cells if c[3] >= LARGE and r.get(f"{name}_covers")]
        if large:
            covers = [np.mean(r[f"{name}_covers"]) for _, r in large]
            widths = [np.mean(r[f"{name}_width"]) / c[3] for c, r in large]
            total[name]["coverage"] = round(float(np.mean(covers)), 4)
            total[name]["least_coverage"] = round(float(np.min(covers)), 4)
            total[name]["width"] = round(100 * float(np.mean(widths)), 3)
    large = [(c, r) for c, r in cells if c[3] >= LARGE]
    if large:
        oracle = np.mean([np.mean(r["oracle_width"]) / c[3] for c, r in large])
        total["oracle_width"] = round(100 * float(oracle), 3)
    both = [(c, r) for c, r in cells if r.get("audited_width")]
    if both:
        before = np.mean([np.mean(r["ours_width"]) / c[3] for c, r in both])
        after = np.mean([np.mean(r["audited_width"]) / c[3] for c, r in both])
        total["audited_narrower"] = round(float(1 - after / before), 3)
    _pair(total, cells)
    return total


def _pair(total: dict[str, Any], cells: Iterable[tuple[Any, Mapping[str, list[float]]]]) -> None:
    """Our absolute errors less each of quapy's on the same bags, with a 95 % interval."""
    for name in QUAPY:
        differences = []
        for cell, record in cells:
            if not record.get(name) or not record.get("paired"):
                continue
            ours = np.array([record["ours"][int(at)] for at in record["paired"]])
            theirs = np.array(record[name])
            differences.append(100 * (np.abs(ours) - np.abs(theirs)).mean() / cell[3])
        if len(differences) > 1:
            mean = float(np.mean(differences))
            half = 1.96 * float(np.std(differences, ddof=1)) / np.sqrt(len(differences))
            total[name]["ours_less_this"] = [round(v, 3) for v in (mean, mean - half, mean + half)]


def write(result: Mapping[str, Any], folder: Path, name: str) -> None:
    """Writes the table and the plot beside the results."""
    (folder / f"{name}.md").write_text(markdown(result), encoding="utf-8")
    plot(result, folder / f"{name}.png")


def markdown(result: Mapping[str, Any]) -> str:
    """The totals as a table."""
    methods = [m for m in ("raw", "ours", "audited", *QUAPY) if m in result["totals"]["all"]]
    head = ["tag", *(f"MAE {m}" for m in methods), "coverage", "least", "width / oracle's"]
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for tag, total in result["totals"].items():
        cells = [f"{total[m]['mae']:.2f}" if m in total else "–" for m in methods]
        ours = total["ours"]
        ratio = "–"
        if "width" in ours and total.get("oracle_width"):
            ratio = f"{ours['width'] / total['oracle_width']:.2f}"
        cover = [
            f"{100 * ours[k]:.1f} %" if k in ours else "–" for k in ("coverage", "least_coverage")
        ]
        lines.append(f"| {' | '.join([tag, *cells, *cover, ratio])} |")
    return "\n".join(lines) + "\n"


def plot(result: Mapping[str, Any], file: Path) -> None:
    """Mean absolute error against the true prevalence, by method."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4), constrained_layout=True)
    cells = result["cells"]
    prevalences = sorted({cell["prevalence"] for cell in cells})
    for method in ("raw", "ours", *QUAPY):
        errors = []
        for prevalence in prevalences:
            some = [
                c[method]["mae"] for c in cells if c["prevalence"] == prevalence and method in c
            ]
            errors.append(np.mean(some) if some else np.nan)
        if not np.all(np.isnan(errors)):
            axes[0].plot([100 * p for p in prevalences], errors, marker="o", label=method)
    axes[0].set(xlabel="true prevalence, %", ylabel="mean absolute error, points")
    axes[0].legend()
    covered = [(c["size"], 100 * c["ours"]["coverage"]) for c in cells]
    axes[1].scatter(*zip(*covered, strict=True), s=8, alpha=0.5)
    axes[1].axhline(95, linewidth=1)
    axes[1].set(xscale="log", xlabel="posts a bag", ylabel="coverage of 95 % intervals, %")
    figure.savefig(file, dpi=110)
    plt.close(figure)
