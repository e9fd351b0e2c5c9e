"""Bags of labelled posts with prevalences that we choose.

The artificial-prevalence protocol (Forman, 2005; Esuli, Moreo and Sebastiani, 2023): bags are drawn
without replacement from labelled posts that neither trained the model (its probabilities are out of
fold) nor taught the estimator (the calibration half), with a given share of one label; whatever is
in the other posts stays as it is among them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murmure.influence.classes import CLASS_TAGS, CLASSES, TAG_QUESTIONS, where
from murmure.influence.posteriors import LANGUAGES, Sample

Numbers = NDArray[np.int64]

SIZES = (50, 200, 1000, 5000)
PREVALENCES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9)
#: A label needs as many distinct posts in the pool as a bag takes, and this many at least.
FEWEST = 5


@dataclass(frozen=True, slots=True)
class Target:
    """A label whose prevalence is set.

    Attributes:
        tag: the tag, or "joint".
        label: the label, or what the joint is.
        member: of shape (classes,): the classes that have it.
    """

    tag: str
    label: str
    member: NDArray[np.bool_]


#: The labels whose prevalence is varied: all of every tag but "none" and "no", which are the rest.
TARGETS = (
    *(
        Target(tag, label, where(**dict[str, Any]({tag: label})))
        for tag in CLASS_TAGS
        for label in TAG_QUESTIONS[tag].answers
        if label not in ("none", "no", "neutral")
    ),
    Target(
        "joint",
        "organic own negative",
        where(sentiment="negative", experience="own", sponsored="no"),
    ),
)


@dataclass(frozen=True, slots=True)
class Bags:
    """Bags of one cell of the protocol.

    Attributes:
        language: of all posts, position in `LANGUAGES`.
        target: the label set.
        size: posts a bag.
        prevalence: the share asked for.
        positives: posts of a bag that have the label.
        posts: of shape (bags, size): rows of the pool.
    """

    language: int
    target: Target
    size: int
    prevalence: float
    positives: int
    posts: Numbers


def halves(sample: Sample, generator: np.random.Generator) -> tuple[Sample, Sample]:
    """A calibration half and a pool, drawn anew."""
    order = generator.permutation(len(sample))
    middle = len(sample) // 2
    return sample.take(order[:middle]), sample.take(order[middle:])


def draw_bags(pool: Sample, *, bags: int, generator: np.random.Generator) -> Iterator[Bags]:
    """Draws bags of every cell for which the pool has enough distinct posts."""
    for language in range(len(LANGUAGES)):
        spoken = np.flatnonzero(pool.languages == language)
        for target in TARGETS:
            has = target.member[pool.classes[spoken]]
            yes, no = spoken[has], spoken[~has]
            for size in SIZES:
                for prevalence in PREVALENCES:
                    positives = round(size * prevalence)
                    negatives = size - positives
                    if positives < 1 or len(yes) < max(positives, FEWEST) or len(no) < negatives:
                        continue
                    posts = [
                        np.concatenate(
                            [
                                generator.choice(yes, positives, replace=False),
                                generator.choice(no, negatives, replace=False),
                            ]
                        )
                        for _ in range(bags)
                    ]
                    yield Bags(language, target, size, prevalence, positives, np.array(posts))


def predicted_classes(sample: Sample) -> Numbers:
    """The class of the labels that tagging would give each post."""
    from murmure.tagging.columns import most_probable

    place = {labels: number for number, labels in enumerate(CLASSES)}
    chosen = most_probable(sample.probabilities)
    names = [
        [TAG_QUESTIONS[tag].answers[label] for label in chosen[tag].tolist()] for tag in CLASS_TAGS
    ]
    return np.array([place[row] for row in zip(*names, strict=True)], np.int64)
