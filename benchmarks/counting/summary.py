"""From bags to figures: errors, coverage and widths by cell and tag, and what they must reach.

Bags of one split share their calibration half, so that they are not independent: whatever is said
to be sure rests on the means of splits, with Student's t. (All splits cut the same posts anew; what
another sample of posts would do to the figures, none of this tells.) Cells weigh the same within
a tag, however many bags they have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.counting.peers import PEERS
from benchmarks.counting.splits import CELL, PEOPLE

Table = NDArray[np.float64]
Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]
Columns = Mapping[str, NDArray[Any]]

METHODS = ("raw", "ours", "audited", *PEERS)
#: Those that give intervals.
BOUNDED = ("ours", "audited")
#: Bags of this many posts and more are what coverage is pooled over.
LARGE = 200
#: Labels of this many percent and fewer are rare.
RARE = 5
#: No cell's coverage may be significantly below this.
LEAST_COVERAGE = 0.9


def points(columns: Columns, method: str) -> Table:
    """Errors in points: of 100 posts (or people) how many too many, NaN where not measured."""
    error: Table = 100 * (columns[method] - columns["truth"]) / np.maximum(columns["n"], 1)
    return error


def covers(columns: Columns, method: str) -> Table:
    """1 where an interval holds the truth, 0 where not, NaN where there is none."""
    low, high, truth = (columns[name] for name in (f"{method}_low", f"{method}_high", "truth"))
    inside = (low <= truth + 1e-9) & (high >= truth - 1e-9)
    found: Table = np.where(np.isnan(low), np.nan, inside)
    return found


def widths(columns: Columns, method: str) -> Table:
    """Widths of intervals in points."""
    wide: Table = columns[f"{method}_high"] - columns[f"{method}_low"]
    found: Table = 100 * wide / np.maximum(columns["n"], 1)
    return found


def split_means(values: Table, cell: Numbers, split: Numbers) -> Table:
    """Means by split, of shape (splits,), in which each cell weighs the same; NaN is left out."""
    known = ~np.isnan(values)
    values, cell, split = values[known], cell[known], split[known]
    pairs, at = np.unique(np.stack([cell, split]), axis=1, return_inverse=True)
    means = np.bincount(at.ravel(), values) / np.bincount(at.ravel())
    _, place = np.unique(pairs[1], return_inverse=True)
    found: Table = np.bincount(place, means) / np.bincount(place)
    return found


def interval(means: Table) -> list[float]:
    """A mean with its 95 % interval: mean, low, high; low and high are the mean of one split."""
    from scipy.stats import t as student

    mean = float(means.mean())
    if len(means) < 2:
        return [round(mean, 4)] * 3
    error = float(means.std(ddof=1)) / np.sqrt(len(means))
    half = float(student.ppf(0.975, len(means) - 1)) * error
    return [round(value, 4) for value in (mean, mean - half, mean + half)]


def below(means: Table, least: float) -> float:
    """How likely means of splits are so low where the true mean is `least` (one-sided t-test)."""
    from scipy.stats import t as student

    mean, many = float(means.mean()), len(means)
    if mean >= least or many < 2:
        return 1.0
    error = float(means.std(ddof=1)) / np.sqrt(many)
    return float(student.cdf((mean - least) / max(error, 1e-12), many - 1))


def holm(chances: Sequence[float]) -> list[float]:
    """Chances of many tests, adjusted so that none is significant by number alone (Holm, 1979).

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(chances)
    adjusted = np.empty(len(chances))
    most = 0.0
    for rank, place in enumerate(order):
        most = max(most, (len(chances) - rank) * chances[place])
        adjusted[place] = min(most, 1.0)
    return [float(round(value, 10)) for value in adjusted]


def cell_numbers(columns: Columns) -> Numbers:
    """A number of the cell of each row."""
    codes = np.zeros(len(columns["bag"]), np.int64)
    for name in CELL:
        values, code = np.unique(columns[name], return_inverse=True)
        codes = codes * len(values) + code
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def summarize(columns: Columns) -> list[dict[str, Any]]:
    """One row a cell: bags, and by method bias, absolute error, coverage and width, in points."""
    number = cell_numbers(columns)
    order = np.argsort(number, kind="stable")
    rows = []
    for at in np.split(order, np.flatnonzero(np.diff(number[order])) + 1):
        part = {name: values[at] for name, values in columns.items()}
        row: dict[str, Any] = {name: part[name][0].item() for name in CELL}
        row["bags"], row["splits"] = len(at), len(np.unique(part["split"]))
        for method in METHODS:
            if method in part and not np.isnan(part[method]).all():
                row[method] = _figures(part, method)
        row["oracle_width"] = _mean(100 * part["oracle_width"] / part["n"])
        rows.append(row)
    large = [row for row in rows if row["size"] >= LARGE]
    for row, chance in zip(large, holm([row["ours"]["below"] for row in large]), strict=True):
        row["ours"]["below_holm"] = round(chance, 5)
    return rows


def _figures(part: Columns, method: str) -> dict[str, Any]:
    error = points(part, method)
    some = ~np.isnan(error)
    found: dict[str, Any] = {
        "bags": int(some.sum()),
        "bias": _mean(error),
        "mae": _mean(np.abs(error)),
    }
    if part["percent"][0] <= RARE:
        off = np.abs(part[method] - part["truth"]) / np.maximum(part["truth"], 1)
        found["relative"] = _mean(off)
    if method in BOUNDED:
        inside = covers(part, method)
        found["coverage"], found["width"] = _mean(inside), _mean(widths(part, method))
    if method == "ours":
        means = split_means(inside, np.zeros(len(inside), np.int64), part["split"])
        found["below"] = below(means, LEAST_COVERAGE)
    return found


def _mean(values: Table) -> float | None:
    known = values[~np.isnan(values)]
    return round(float(known.mean()), 4) if len(known) else None


def totals(columns: Columns, cells: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Figures by tag, of all tags together ("margins" are all but the joint), and of people."""
    tags = np.unique(columns["tag"])
    posts = [str(tag) for tag in tags if tag != PEOPLE]
    groups = {tag: [tag] for tag in posts}
    groups["margins"] = [tag for tag in posts if tag != "joint"]
    groups["all"] = posts
    if PEOPLE in tags:
        groups[PEOPLE] = [PEOPLE]
    number = cell_numbers(columns)
    return {name: _total(columns, number, cells, some) for name, some in groups.items() if some}


def _total(
    columns: Columns, number: Numbers, cells: Sequence[Mapping[str, Any]], tags: Sequence[str]
) -> dict[str, Any]:
    here = np.isin(columns["tag"], tags)
    part = {name: values[here] for name, values in columns.items()} | {"cell": number[here]}
    mine = [cell for cell in cells if cell["tag"] in tags]
    large = [cell for cell in mine if cell["size"] >= LARGE]
    total: dict[str, Any] = {"cells": len(mine), "bags": int(here.sum())}
    for method in METHODS:
        some = [cell[method] for cell in mine if method in cell]
        if not some:
            continue
        figures: dict[str, Any] = {
            "mae": _average(some, "mae"),
            "bias": _average(some, "bias"),
            "bias_of_cells": round(float(np.mean([abs(cell["bias"]) for cell in some])), 4),
            "relative_rare": _average(some, "relative"),
        }
        if method in BOUNDED:
            figures |= _intervals(part, method, [c[method] for c in large if method in c])
        total[method] = figures
    total["oracle_width"] = _average(large, "oracle_width")
    _narrowing(total, large)
    for method in PEERS:
        if method in total:
            ours, theirs = np.abs(points(part, "ours")), np.abs(points(part, method))
            means = split_means(ours - theirs, part["cell"], part["split"])
            total[method]["ours_less_this"] = interval(means)
            seen = np.where(np.isnan(theirs), np.nan, ours)
            total["ours_on_their_bags"] = round(
                float(split_means(seen, part["cell"], part["split"]).mean()), 4
            )
    if any(method in total for method in PEERS):
        known = [method for method in PEERS if method in total]
        total["best_peer"] = min(known, key=lambda method: total[method]["mae"])
    return total


def _average(rows: Sequence[Mapping[str, Any]], name: str) -> float | None:
    values = [row[name] for row in rows if row.get(name) is not None]
    return round(float(np.mean(values)), 4) if values else None


def _intervals(part: Columns, method: str, large: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    if not large:
        return {}
    inside = np.where(part["size"] >= LARGE, covers(part, method), np.nan)
    means = split_means(inside, part["cell"], part["split"])
    return {
        "coverage": _average(large, "coverage"),
        "coverage_interval": interval(means)[1:],
        "least_coverage": min(cell["coverage"] for cell in large),
        "cells_below": sum(cell.get("below_holm", 1.0) < 0.05 for cell in large),
        "width": _average(large, "width"),
    }


def _narrowing(total: dict[str, Any], large: Sequence[Mapping[str, Any]]) -> None:
    if total["oracle_width"] and total["ours"].get("width"):
        total["width_to_oracle"] = round(total["ours"]["width"] / total["oracle_width"], 3)
    both = [cell for cell in large if cell.get("audited", {}).get("width") is not None]
    if both:
        before = np.mean([cell["ours"]["width"] for cell in both])
        after = np.mean([cell["audited"]["width"] for cell in both])
        total["audited_narrower"] = round(float(1 - after / before), 3)
        total["coverage_unaudited"] = _average([cell["ours"] for cell in both], "coverage")


def verdicts(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What must be reached, and whether it is."""
    rows: list[dict[str, Any]] = []

    def add(target: str, wanted: str, value: object, met: bool) -> None:
        rows.append({"target": target, "wanted": wanted, "value": value, "met": bool(met)})

    tags = [name for name in found if name not in ("margins", "all", PEOPLE)]
    for tag in tags:
        total = found[tag]
        ratio = total["ours"]["mae"] / max(total["raw"]["mae"], 1e-9)
        add(f"{tag}: MAE to raw's", "at most 0.5", round(ratio, 3), ratio <= 0.5)
    for tag in tags:
        best = found[tag].get("best_peer")
        if best:
            less = found[tag][best]["ours_less_this"]
            add(f"{tag}: MAE less {best}'s", "not above 0 (95 %)", less, less[1] <= 0)
    for name in ("margins", "joint"):
        cover = found.get(name, {}).get("ours", {}).get("coverage")
        if cover is not None:
            met = 0.93 <= cover <= 0.97
            add(f"{name}: coverage, bags of {LARGE} and more", "0.93 to 0.97", cover, met)
    total = found["all"]
    if "coverage" in total["ours"]:
        worse = total["ours"]["cells_below"]
        add("cells covered less than 90 % (Holm)", "0", worse, worse == 0)
    if "width_to_oracle" in total:
        ratio = total["width_to_oracle"]
        add("width to the oracle's", "at most 1.5", ratio, ratio <= 1.5)
    if "audited_narrower" in total:
        less = total["audited_narrower"]
        add("narrower with 300 labels", "at least 0.3", less, less >= 0.3)
        cover = total["audited"]["coverage"]
        before = total["coverage_unaudited"]
        add("coverage with 300 labels", f"as without ({before})", cover, cover >= before - 0.01)
    return rows


def summarize_origins(columns: Columns) -> dict[str, Any]:
    """Figures of origins left out: by tag, and by origin."""
    part = dict(columns)
    found: dict[str, Any] = {}
    for kind in ("tag", "origin"):
        found[kind] = {
            str(name): _of_origins({k: v[part[kind] == name] for k, v in part.items()})
            for name in np.unique(part[kind])
        }
    found["all"] = _of_origins(part)
    return found


def _of_origins(part: Columns) -> dict[str, Any]:
    total: dict[str, Any] = {
        "numbers": len(part["truth"]),
        "posts": int(part["n"].max()),
        "distrust": _mean(part["distrust"]),
    }
    for method in METHODS:
        if method not in part:
            continue
        error = points(part, method)
        total[method] = {"mae": _mean(np.abs(error)), "bias": _mean(error)}
        if method in BOUNDED:
            total[method]["coverage"] = _mean(covers(part, method))
            total[method]["width"] = _mean(widths(part, method))
    return total
