"""Reliability diagrams as pictures; needs matplotlib, which nothing else here does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from murmure.errors import UsageError
from murmure.schema import TAGS
from murmure.training.reliability import error_of

Bins = Sequence[Mapping[str, Any]]

_INK, _GREY, _PALE = "#22303c", "#8a949c", "#e3e7ea"
# Distinct for colour-blind readers and in grey print.
_COLOURS = {"as sure as right": "#5b6770", "too sure": "#d1495b", "not sure enough": "#2a7fb8"}
_MARKERS = {"as sure as right": "o", "too sure": "v", "not sure enough": "^"}
_PANEL = 2.5


def require() -> None:
    """See that plots can be drawn, before anything long is done for them.

    Raises:
        UsageError: if matplotlib is not installed.
    """
    if find_spec("matplotlib") is None:
        raise UsageError("plots need matplotlib: python -m pip install 'murmure[train]'")


def reliability(models: Mapping[str, Mapping[str, Bins]], file: Path) -> None:
    """Draw a row of reliability diagrams for each model, one for each tag.

    Each mark is a bin: how sure the model was on average, and how often it was right, with its
    95 % interval; the horizontal line spans the bin's scores. On the diagonal, scores mean what
    they say. Source: Niculescu-Mizil and Caruana, "Predicting Good Probabilities With Supervised
    Learning" (ICML 2005).

    Args:
        models: per model and tag its bins, as `reliability.reliability` gives them.
        file: the PNG to write; its folder is made if need be.

    Raises:
        UsageError: if matplotlib is not installed.
    """
    require()
    from matplotlib.figure import Figure

    tags = [tag for tag in TAGS if any(tag in cut for cut in models.values())]
    below = 0.45 if len(tags) > 1 else 1.2
    size = (_PANEL * len(tags) + 0.3, (_PANEL + 0.45) * len(models) + below)
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    grid = figure.subplots(len(models), len(tags), squeeze=False)
    for row, (model, cut) in zip(grid, models.items(), strict=True):
        for axes, tag in zip(row, tags, strict=True):
            if tag in cut:
                _draw(axes, tag, cut[tag], least=_least([one.get(tag) for one in models.values()]))
            else:
                axes.spines[:].set_visible(False)
                axes.set(xticks=[], yticks=[])
        row[0].set_ylabel(f"{model}\nshare that is right", color=_INK, fontsize=8)
        for axes in row[[tag in cut for tag in tags]]:
            axes.set_xlabel("score of the label chosen", color=_INK, fontsize=8)
    _explain(figure, wide=len(tags) > 1)
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, metadata={"Software": None})


def _least(cuts: Sequence[Bins | None]) -> float:
    """Give where the axes of a tag begin: a tenth below all that is shown."""
    shown = [min(one["low"], one["interval"][0]) for cut in cuts if cut is not None for one in cut]
    return min(math.floor(float(min(shown)) * 10) / 10, 0.9)


def _draw(axes: Any, tag: str, cut: Bins, *, least: float) -> None:  # noqa: ANN401 - matplotlib's
    axes.plot([least, 1], [least, 1], color=_GREY, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    for one in cut:
        judged = _judge(one)
        low, high = one["interval"]
        colour = _COLOURS[judged]
        axes.hlines(one["right"], one["low"], one["high"], color=colour, linewidth=0.9, alpha=0.45)
        axes.vlines(one["score"], low, high, color=colour, linewidth=1.1)
        axes.plot(
            one["score"], one["right"], _MARKERS[judged], color=colour, markersize=4, zorder=3,
            markeredgecolor="white", markeredgewidth=0.5,
        )  # fmt: skip
    room = (1 - least) * 0.03
    axes.set(xlim=(least - room, 1 + room), ylim=(least - room, 1 + room), aspect="equal")
    axes.set_title(tag, fontsize=10, color=_INK, loc="left", fontweight="bold")
    posts = sum(one["posts"] for one in cut)
    each = round(posts / len(cut))
    told = f"calibration error {error_of(cut):.3f}\n{posts:,} posts\n{len(cut)} bins of {each:,}"
    axes.text(
        0.97, 0.04, told,
        transform=axes.transAxes, ha="right", va="bottom", fontsize=7, color=_INK, linespacing=1.35,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85},
    )  # fmt: skip
    step = 0.2 if least < 0.5 else 0.1
    ticks = [tick / 10 for tick in range(round(least * 10), 11)]
    ticks = [tick for tick in ticks if abs(round((1 - tick) / step) * step - (1 - tick)) < 1e-6]
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.tick_params(labelsize=7, colors=_INK, length=2.5, width=0.6)
    axes.grid(color=_PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color=_GREY, linewidth=0.6)


def _judge(one: Mapping[str, Any]) -> str:
    low, high = one["interval"]
    if low <= one["score"] <= high:
        return "as sure as right"
    return "too sure" if one["score"] > high else "not sure enough"


def _explain(figure: Any, *, wide: bool) -> None:  # noqa: ANN401 - matplotlib's
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], color=colour, marker=_MARKERS[name], markersize=4, linewidth=1.1, label=name)
        for name, colour in _COLOURS.items()
    ]
    parts = ["each mark is a bin", "vertical: 95 % interval of the share", "horizontal: its scores"]
    figure.legend(
        handles=marks, loc="outside lower center", ncols=3 if wide else 1, fontsize=7.5,
        title=("; " if wide else "\n").join(parts), title_fontsize=7.5, frameon=False,
        labelcolor=_INK,
    )  # fmt: skip
