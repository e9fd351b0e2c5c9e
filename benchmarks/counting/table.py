"""The result as tables in Markdown, and as a plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.counting.summary import BOUNDED, LARGE, METHODS, RARE


def write(result: Mapping[str, Any], folder: Path, name: str) -> None:
    """Writes the tables and the plot beside the results."""
    (folder / f"{name}.md").write_text(markdown(result), encoding="utf-8")
    plot(result, folder / f"{name}.png")


def markdown(result: Mapping[str, Any]) -> str:
    """What was measured, in words and tables."""
    totals = result["totals"]
    people = totals.get("people")
    parts = [
        f"# Counts by the model {result['name']}\n",
        f"{totals['all']['bags']:,} bags in {totals['all']['cells']} cells (language, label, size, "
        f"prevalence) from {result['splits']} splits of {result['posts']:,} labelled posts, "
        f"{result['bags_a_cell']:,} bags a cell at most; quapy's methods on "
        f"{result['peer_bags_a_cell']:,} of these. Measured {result['measured']}; errors in "
        "points, of which 100 are all posts of a bag. How: `benchmarks/README.md`.\n",
        "## What it must reach\n",
        _rows(
            ["target", "wanted", "found", "met"],
            [
                [row["target"], row["wanted"], _told(row["value"]), "yes" if row["met"] else "no"]
                for row in result["verdicts"]
            ],
        ),
        "## Mean absolute error\n",
        _errors(totals),
        "## Bias, and relative error of rare labels\n",
        f"Bias: the mean over cells of each cell's bias, its sign left out. Rare: {RARE} % of a "
        "bag's posts or fewer; 1 is an error as large as the number itself.\n",
        _biases(totals),
        f"## Intervals, bags of {LARGE} posts and more\n",
        _coverage(totals),
    ]
    if people:
        parts += [
            "## People\n",
            "Detractors: people whose own bad organic posts outnumber their good ones. Of 100 "
            f"people, raw counts are off by {people['raw']['mae']:.2f}, estimates by "
            f"{people['ours']['mae']:.2f} (bias {people['ours']['bias']:+.2f}); "
            f"{100 * people['ours']['coverage']:.1f} % of intervals hold the truth.\n"
            if "coverage" in people["ours"]
            else "Too few posts.\n",
        ]
    left = result["leave_one_origin_out"]
    if left:
        parts += [
            "## Leave one origin out\n",
            "Each origin's posts as one bag a language, with all other origins to learn from.\n",
            _origins(left["summary"], "tag"),
            _origins(left["summary"], "origin"),
        ]
    return "\n".join(parts)


def tell(result: Mapping[str, Any]) -> str:
    """What README.md says of it: a small table, the intervals, and what was missed."""
    totals, left = result["totals"], result["leave_one_origin_out"]["summary"]["all"]
    rows = []
    for tag, total in totals.items():
        if best := total.get("best_peer"):
            found = [total[method]["mae"] for method in ("raw", "ours", best)]
            raw, ours, theirs = map(_number, found)
            rows.append([tag, raw, ours, f"{theirs} ({best})"])
    head = ["", "counting labels", "murmure", "the best of quapy's"]
    audited = [cell for cell in result["cells"] if "audited" in cell]
    before, after = (
        _number(float(np.mean([cell[method]["mae"] for cell in audited])) if audited else None)
        for method in ("ours", "audited")
    )
    labels = result["audit_labels"]
    margins, joint = (_percent(totals[name]["ours"]["coverage"]) for name in ("margins", "joint"))
    missed = [
        f"{row['target']} {_told(row['value'])}, wanted {row['wanted']}"
        for row in result["verdicts"]
        if not row["met"]
    ]
    return "\n".join(
        [
            f"How far counts of 100 posts are off, on average over {totals['all']['bags']:,} bags "
            f"of posts that no model was trained on, tagged with `{result['name']}`:\n",
            _rows(head, rows),
            "A tag's labels are what the tag's own question finds; the joint is read from the "
            "table of all classes, as every number in a counts table is. How questions and table "
            "are put together was chosen on bags of the same posts, drawn otherwise. In the bags "
            f"of more than {labels} posts, {labels} labels by hand take murmure from {before} to "
            f"{after}.\n",
            f"Intervals of 95 % hold the truth in {margins} of the bags of {LARGE} posts and more, "
            f"in {joint} for the joint (organic, own, negative). Where the genre changes too (each "
            "origin left out in turn), correcting does not help: estimates are off by "
            f"{_number(left['ours']['mae'])}, plain counts by {_number(left['raw']['mae'])}, and "
            f"only {_percent(left['ours']['coverage'])} of the intervals hold the truth; with an "
            f"audit of half of an origin's posts, {labels} at most, "
            f"{_number(left['audited']['mae'])} and {_percent(left['audited']['coverage'])}. "
            f"Missed: {'; '.join(missed) or 'nothing'}.\n",
            f"Made with `python -m benchmarks.counting.run --model {result['name']} --splits "
            f"{result['splits']} --seed {result['seed']}`; all tables are in "
            f"[`counting-{result['name']}.md`](benchmarks/counting/results/"
            f"counting-{result['name']}.md).\n",
        ]
    )


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _told(value: object) -> str:
    if isinstance(value, list):
        return f"{value[0]:+.2f} ({value[1]:+.2f} to {value[2]:+.2f})"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _number(value: float | None, places: int = 2) -> str:
    return "–" if value is None else f"{value:.{places}f}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _errors(totals: Mapping[str, Any]) -> str:
    methods = [m for m in METHODS if m in totals["all"] and m != "audited"]
    paired = "ours_on_their_bags" in totals["all"]
    head = ["tag", *methods, *(["ours on quapy's bags", "less the best of quapy's"] * paired)]
    rows = []
    for tag, total in totals.items():
        row = [tag, *(_number(total.get(m, {}).get("mae")) for m in methods)]
        if paired:
            best = total.get("best_peer")
            less = f"{best}: {_told(total[best]['ours_less_this'])}" if best else "–"
            row += [_number(total.get("ours_on_their_bags")), less]
        rows.append(row)
    return _rows(head, rows)


def _biases(totals: Mapping[str, Any]) -> str:
    methods = [m for m in METHODS if m in totals["all"] and m != "audited"]
    head = ["tag", *(f"bias {m}" for m in methods), *(f"rare {m}" for m in methods)]
    rows = [
        [
            tag,
            *(_number(total.get(m, {}).get("bias_of_cells")) for m in methods),
            *(_number(total.get(m, {}).get("relative_rare")) for m in methods),
        ]
        for tag, total in totals.items()
    ]
    return _rows(head, rows)


def _coverage(totals: Mapping[str, Any]) -> str:
    head = [
        "tag", "coverage (95 %)", "least of a cell", "cells below 90 % (Holm)", "width",
        "to the oracle's", "after 300 labels: coverage", "MAE", "narrower by",
    ]  # fmt: skip
    rows = []
    for tag, total in totals.items():
        ours, audited = total["ours"], total.get("audited", {})
        if "coverage" not in ours:
            continue
        low, high = ours["coverage_interval"]
        rows.append(
            [
                tag, f"{_percent(ours['coverage'])} ({100 * low:.1f} to {100 * high:.1f})",
                _percent(ours["least_coverage"]), str(ours["cells_below"]),
                _number(ours["width"]), _number(total.get("width_to_oracle")),
                _percent(audited.get("coverage")), _number(audited.get("mae")),
                _percent(total.get("audited_narrower")),
            ]
        )  # fmt: skip
    return _rows(head, rows)


def _origins(summary: Mapping[str, Any], kind: str) -> str:
    methods = [m for m in METHODS if m in summary["all"]]
    head = [kind, "numbers", "distrust", *methods]
    head += [f"{what} {m}" for m in BOUNDED for what in ("coverage", "width")]
    rows = []
    for name, total in [*summary[kind].items(), ("all", summary["all"])]:
        row = [name, str(total["numbers"]), _number(total["distrust"])]
        row += [_number(total[m]["mae"]) for m in methods]
        for m in BOUNDED:
            row += [_percent(total[m]["coverage"]), _number(total[m]["width"], 1)]
        rows.append(row)
    return _rows(head, rows)


def plot(result: Mapping[str, Any], file: Path) -> None:
    """Errors against the true prevalence, coverage against size, and origins left out."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    mpl.rcdefaults()  # quapy sets a style of its own
    figure, axes = plt.subplots(1, 3, figsize=(15, 4.2), constrained_layout=True)
    cells = [cell for cell in result["cells"] if cell["tag"] != "people"]
    percents = sorted({cell["percent"] for cell in cells})
    for method in METHODS:
        if method == "audited" or not any(method in cell for cell in cells):
            continue
        means = [
            _mean([c[method]["mae"] for c in cells if c["percent"] == percent and method in c])
            for percent in percents
        ]
        style = {"linewidth": 2.5, "color": "black"} if method == "ours" else {"linewidth": 1.2}
        axes[0].plot(percents, means, marker="o", markersize=3, label=method, **style)
    axes[0].set(xlabel="true prevalence, %", ylabel="mean absolute error, points", ylim=(0, None))
    axes[0].legend(frameon=False)
    sizes = sorted({cell["size"] for cell in cells})
    for tag in sorted({cell["tag"] for cell in cells}):
        covered = [
            _mean([100 * c["ours"]["coverage"] for c in cells if (c["tag"], c["size"]) == (tag, s)])
            for s in sizes
        ]
        axes[1].plot(sizes, covered, marker="o", markersize=3, label=tag)
    axes[1].axhline(95, linewidth=1, color="gray")
    axes[1].set(xscale="log", xlabel="posts a bag", ylabel="coverage of 95 % intervals, %")
    axes[1].legend(frameon=False)
    left = result["leave_one_origin_out"]
    if left:
        _plot_origins(axes[2], left["summary"]["origin"])
    else:
        axes[2].set_axis_off()
    figure.savefig(file, dpi=110)
    plt.close(figure)


def _plot_origins(axis: Any, origins: Mapping[str, Any]) -> None:  # noqa: ANN401
    names = sorted(origins, key=lambda name: origins[name]["ours"]["mae"])
    for method, marker in (("raw", "x"), ("ours", "o"), ("audited", "+")):
        found = [origins[name][method]["mae"] for name in names]
        axis.plot(found, range(len(names)), marker, markersize=5, label=method)
    axis.set_yticks(range(len(names)), names, fontsize=7)
    axis.set(xlabel="mean absolute error, points", title="each origin left out")
    axis.legend(frameon=False)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
