"""Says in a few sentences per brand what the counts show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

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
    slices: Slices, *, brands: Sequence[str], axis: Sequence[Period], words: Words
) -> list[Story]:
    """The sentences of each brand that has any post.

    Every number in them is one of the counts table; a worst period is told where its bad
    experiences are at least 5 and twice the median of the periods. That is a description, not a
    test: alerts come with the influence metrics.
    """
    stories = []
    for entity in brands:
        where = Slice(entity)
        if not slices.value(Slice(entity, promotion=ALL), "posts"):
            continue
        sentences = [
            *_influence(slices, where, words),
            *_worst(slices, where, axis, words),
            *_sponsored(slices, entity, words),
        ]
        stories.append(Story(entity, tuple(sentences)))
    return stories


def _influence(slices: Slices, where: Slice, words: Words) -> list[str]:
    voices = slices.value(where, "voices") or 0
    influence = slices.value(where, "influence")
    if influence is None or not voices:
        return []
    rounded = round(influence)
    way = "up" if rounded > 0 else "down" if rounded < 0 else "even"
    sentences = [words(f"story.influence_{way}", n=words.number(abs(rounded)))]
    if voices < FEW_VOICES:
        sentences.append(words("story.thin", voices=words.count("voices", voices)))
    counts = {name: slices.value(where, name) for name in ("advocates", "detractors")}
    if any(counts.values()):
        told = {name: words.count(name, value or 0) for name, value in counts.items()}
        sentences.append(_capital(words("story.people", **told)))
    return sentences


def _worst(slices: Slices, where: Slice, axis: Sequence[Period], words: Words) -> list[str]:
    bad = [slices.value(where, "bad", period.window) or 0 for period in axis]
    if len(bad) < 3 or max(bad) < max(_WORTH_TELLING, 2 * median(bad)):
        return []
    period = axis[bad.index(max(bad))]
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


def _sponsored(slices: Slices, entity: str, words: Words) -> list[str]:
    every = slices.value(Slice(entity, promotion=ALL), "posts") or 0
    sponsored = slices.value(Slice(entity, promotion="sponsored"), "posts") or 0
    if not every or sponsored / every < _SPONSORED_SHARE:
        return []
    return [words("story.sponsored", percent=words.percent(sponsored / every))]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
