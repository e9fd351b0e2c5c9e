"""Tells in words which bad experiences outrun what the earlier windows make plausible.

Whether there is an alert, and how many times the usual a window has, is said by the counts (the
metrics `alert` and `velocity`); here it becomes a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from murmure.influence.alerts import BASELINE, FEWEST_HISTORY, find_velocity
from murmure.report.periods import Period
from murmure.report.slices import Cell, Slice, Slices
from murmure.report.words import Words
from murmure.schema import LABELS

#: A touchpoint is named where it makes up so much of the rise.
_MOST_OF_THE_RISE = 0.5
#: From which factor on a rise has a word of its own, the greatest first.
_RISES = ((9.5, "ten"), (4.5, "times"), (3.5, "four"), (2.5, "three"), (1.75, "two"), (0.0, "more"))
#: The usual must be so many for a rise to be told as so many times the usual.
_LEAST_USUAL = 1.0


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of one brand.

    Attributes:
        entity: the brand.
        window: its place on the time axis.
        sentence: what happened, and to how many people.
        detail: the posts behind it, beside the usual.
    """

    entity: str
    window: int
    sentence: str
    detail: str


def find(
    slices: Slices, *, brands: Sequence[str], axis: Sequence[Period], words: Words
) -> list[Alert]:
    """The alerts of some brands, the latest first, of one window the largest first."""
    found = [
        (index, slices.value(Slice(entity), "bad", period.window) or 0.0, entity)
        for entity in brands
        for index, period in enumerate(axis)
        if slices.value(Slice(entity), "alert", period.window) == 1
    ]
    found.sort(key=lambda one: (-one[0], -one[1], one[2]))
    return [_told(slices, entity, index, axis, words) for index, _, entity in found]


def watched(slices: Slices, *, brands: Sequence[str], axis: Sequence[Period]) -> bool:
    """Whether any window has enough earlier ones for an alert."""
    return any(
        slices.value(Slice(entity), "alert", period.window) is not None
        for entity in brands
        for period in axis
    )


def none_told(*, watched: bool, words: Words) -> str:
    """What is said where there is no alert."""
    if watched:
        return words("alert.none")
    return words("alert.too_early", n=words.number(FEWEST_HISTORY))


def _told(slices: Slices, entity: str, index: int, axis: Sequence[Period], words: Words) -> Alert:
    where, window = Slice(entity), axis[index].window
    times = slices.cell(where, "velocity", window)
    factor, touchpoint = None if times is None else times.value, _main(slices, where, index, axis)
    about = "alert.bad"
    if touchpoint is not None:
        label, factor = touchpoint
        about = f"alert.bad_{label}"
    happened = words(about) + " " + _rise(factor, words)
    people = slices.cell(where, "detractors", window)
    if people is not None and people.value and round(people.value):
        told = words.count("unhappy", people.value) + _interval(people, words)
        happened += words("alert.people", people=told)
    bad = slices.cell(where, "bad", window) or Cell(0.0, 0)
    posts = words.count("bad", bad.value or 0) + _interval(bad, words)
    detail = words("alert.posts", posts=posts)
    if times is not None and times.value is not None:
        detail += words(
            "alert.usual",
            times=words.number(times.value, 1) + _interval(times, words, decimals=1),
            n=words.number(min(index, BASELINE)),
            periods=words.table["alert"]["periods"][axis[index].kind],
        )
    sentence = axis[index].name + words("head.colon") + happened + "."
    return Alert(entity, index, sentence, detail + ".")


def _main(
    slices: Slices, where: Slice, index: int, axis: Sequence[Period]
) -> tuple[str, float | None] | None:
    """The touchpoint that most of the rise comes from, and how many times the usual it has."""
    first = max(0, index - BASELINE)
    windows = [period.window for period in axis[first : index + 1]]

    def series(metric: str) -> list[float]:
        return [slices.value(where, metric, window) or 0.0 for window in windows]

    def rise(numbers: list[float]) -> float:
        return numbers[-1] - sum(numbers[:-1]) / max(1, len(numbers) - 1)

    labels = [label for label in LABELS["touchpoint"] if label not in {"none", "other"}]
    by_label = {label: series(f"bad:{label}") for label in labels}
    label = max(labels, key=lambda name: rise(by_label[name]))
    whole = rise(series("bad"))
    if whole <= 0 or rise(by_label[label]) < _MOST_OF_THE_RISE * whole:
        return None
    usual = by_label[label][-1] - rise(by_label[label])
    return label, find_velocity(by_label[label])[-1] if usual >= _LEAST_USUAL else None


def _rise(factor: float | None, words: Words) -> str:
    if factor is None:
        return words("alert.rise_new")
    name = next(name for least, name in _RISES if factor >= least)
    return words(f"alert.rise_{name}", n=words.number(factor))


def _interval(cell: Cell, words: Words, *, decimals: int = 0) -> str:
    if cell.low is None or cell.high is None:
        return ""
    low, high = (words.number(end, decimals) for end in (cell.low, cell.high))
    return f" [{low}–{high}]"
