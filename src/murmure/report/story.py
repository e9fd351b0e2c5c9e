"""Says in a few sentences per brand what the counts show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median, median_low

from murmure.report import crowd as crowds
from murmure.report.crowd import Crowd
from murmure.report.periods import Period
from murmure.report.slices import ALL, Slice, Slices
from murmure.report.words import Words
from murmure.schema import LABELS

#: Under so many organic voices a brand's numbers are marked as resting on few people.
FEW_VOICES = 30
#: A worst period is told from so many bad experiences on, and only at twice the usual.
_WORTH_TELLING = 5
_SPONSORED_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Story:
    """What is said of one brand.

    Attributes:
        entity: the brand.
        sentences: about its organic posts over the whole period, plain text.
    """

    entity: str
    sentences: tuple[str, ...]


def tell(
    slices: Slices,
    *,
    brands: Sequence[str],
    axis: Sequence[Period],
    words: Words,
    crowd: Mapping[str, Crowd],
) -> list[Story]:
    """The sentences of each brand that has any post.

    Every number in them is one of the counts table or of the crowd; a worst period is told where
    its bad experiences are at least 5 and twice the median of the periods, and no alert tells of
    it. That is a description, not a test, as the alerts are.
    """
    stories = []
    for entity in brands:
        where = Slice(entity)
        if not slices.value(Slice(entity, promotion=ALL), "posts"):
            continue
        sentences = [
            *_influence(slices, where, words),
            *_worst(slices, where, axis, words),
            *_sponsored(slices, entity, axis, words),
            crowds.tell(crowd.get(entity), words),
        ]
        stories.append(Story(entity, tuple(filter(None, sentences))))
    return stories


def _influence(slices: Slices, where: Slice, words: Words) -> list[str]:
    voices = slices.value(where, "voices") or 0
    cell = slices.cell(where, "influence")
    if cell is None or cell.value is None or not voices:
        return []
    rounded = round(cell.value)
    if cell.low is not None and cell.high is not None and cell.low <= 0 <= cell.high:
        ends = {"low": words.signed(cell.low), "high": words.signed(cell.high)}
        interval = words("chart.from_to", **ends)
        told = words("story.influence_unclear", n=words.signed(cell.value), interval=interval)
    else:
        way = "up" if rounded > 0 else "down" if rounded < 0 else "even"
        told = words(f"story.influence_{way}", n=words.number(abs(rounded)))
    sentences = [told]
    if voices < FEW_VOICES:
        sentences.append(words("story.thin", voices=words.count("voices", voices)))
    counts = {name: slices.value(where, name) for name in ("advocates", "detractors")}
    if any(counts.values()):
        people = {name: words.count(name, value or 0) for name, value in counts.items()}
        sentences.append(_capital(words("story.people", **people)))
    return sentences


def _worst(slices: Slices, where: Slice, axis: Sequence[Period], words: Words) -> list[str]:
    bad = [slices.value(where, "bad", period.window) or 0 for period in axis]
    if len(bad) < 3 or max(bad) < max(_WORTH_TELLING, 2 * median(bad)):
        return []
    period = axis[bad.index(max(bad))]
    if slices.value(where, "alert", period.window) == 1:
        return []
    told = {"window": _capital(period.long), "bad": words.count("bad", max(bad))}
    told["period"] = words.table["chart"]["periods"][period.kind]
    roots = {
        label: slices.value(where, f"bad:{label}", period.window) or 0
        for label in LABELS["touchpoint"]
        if label != "none"
    }
    root = max(roots, key=lambda label: roots[label])
    if roots[root] * 2 < max(bad) or root == "other":
        return [words("story.worst", **told)]
    name = words.name("touchpoint", root)
    return [words("story.worst_touchpoint", **told, n=words.number(roots[root]), touchpoint=name)]


def _sponsored(slices: Slices, entity: str, axis: Sequence[Period], words: Words) -> list[str]:
    every = slices.value(Slice(entity, promotion=ALL), "posts") or 0
    sponsored = slices.value(Slice(entity, promotion="sponsored"), "posts") or 0
    if not every or sponsored / every < _SPONSORED_SHARE:
        return []
    return [
        words("story.sponsored", percent=words.percent(sponsored / every)),
        *_wave(slices, entity, axis, words),
    ]


def _wave(slices: Slices, entity: str, axis: Sequence[Period], words: Words) -> list[str]:
    """How many spoke organically when most spoke for pay."""
    voices = {
        promotion: [
            slices.value(Slice(entity, promotion=promotion), "voices", period.window) or 0
            for period in axis
        ]
        for promotion in ("organic", "sponsored")
    }
    top = max(voices["sponsored"], default=0)
    if len(axis) < 3 or top < _WORTH_TELLING or top < 2 * median(voices["sponsored"]):
        return []
    at = voices["sponsored"].index(top)
    period, after = axis[at], voices["organic"][at + 1 : at + 2]
    return [
        words(
            "story.wave",
            sponsored=words.count("voices", top),
            window=period.long,
            organic=words.number(voices["organic"][at]),
            next=words.number(after[0]) if after else words("table.unknown"),
            median=words.number(median_low(voices["organic"])),
            period=words.table["chart"]["periods"][period.kind],
        )
    ]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
