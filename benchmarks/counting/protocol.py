"""Bags of labelled posts with prevalences that we choose, written by authors that we make up.

The artificial-prevalence protocol (Forman, 2005; Esuli, Moreo and Sebastiani, 2023): bags are drawn
without replacement from labelled posts that neither trained the model (its probabilities are out of
fold) nor taught the estimator (the calibration half), with a given share of one label; whatever is
in the other posts stays as it is among them.

The labelled posts tell no authors, so that these are simulated (`write_authors`). Numbers of posts
an author follow Fisher's logarithmic series, as numbers of posts in a crowd do, with a mean of 1.9:
58 % of authors write once, 7 % five times or more. All posts of an author are of one origin
and language, so that the tagger errs alike on them as it does within a genre. Half of the posts
are by people who say the same again and again, whose posts are all of one class as far as there are
such; half by people whose posts are any of that origin. Authors are drawn, not posts: a bag takes
all posts of an author that it can.
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

SIZES = (50, 200, 500, 1000, 2000, 5000)
PREVALENCES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9)
#: A label needs as many distinct posts in the pool as a bag takes, and this many at least.
FEWEST = 3
#: Of the logarithmic series of posts an author.
THETA = 0.7
#: The share of posts by people who say the same again and again.
STEADY = 0.5


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


#: The joint of which the prevalence is varied; that of "people" counts who says so.
JOINT = Target(
    "joint", "organic own negative", where(sentiment="negative", experience="own", sponsored="no")
)
#: The labels whose prevalence is varied: all of every tag but "none" and "no", which are the rest.
TARGETS = (
    *(
        Target(tag, label, where(**dict[str, Any]({tag: label})))
        for tag in CLASS_TAGS
        for label in TAG_QUESTIONS[tag].answers
        if label not in ("none", "no", "neutral")
    ),
    JOINT,
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


def write_authors(pool: Sample, generator: np.random.Generator) -> Numbers:
    """A number of the author of each post, by the model told above."""
    authors = np.empty(len(pool), np.int64)
    _, place = np.unique(pool.origins, return_inverse=True)
    kinds = place * (len(LANGUAGES) + 1) + pool.languages
    first = 0
    for kind in np.unique(kinds):
        posts = generator.permutation(np.flatnonzero(kinds == kind))
        steady = round(STEADY * len(posts))
        order = np.argsort(pool.classes[posts[:steady]], kind="stable")
        for part in (posts[:steady][order], posts[steady:]):
            many = generator.logseries(THETA, len(part))
            owner = np.repeat(np.arange(len(many)), many)[: len(part)]
            authors[part] = first + owner
            first += len(many)
    return np.unique(authors, return_inverse=True)[1].astype(np.int64)


def draw_bags(
    pool: Sample, authors: Numbers, *, bags: int, generator: np.random.Generator
) -> Iterator[Bags]:
    """Draws bags of every cell for which the pool has enough distinct posts."""
    people = int(authors.max()) + 1
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
                    # The same people come first among those who say so and those who do not.
                    keys = generator.random((bags, people))
                    posts = np.concatenate(
                        [
                            some[np.argsort(keys[:, authors[some]], axis=1)[:, :many]]
                            for some, many in ((yes, positives), (no, negatives))
                        ],
                        axis=1,
                    )
                    yield Bags(language, target, size, prevalence, positives, posts)


def predicted_classes(sample: Sample) -> Numbers:
    """The class of the labels that tagging would give each post."""
    from murmure.tagging.columns import most_probable

    place = {labels: number for number, labels in enumerate(CLASSES)}
    chosen = most_probable(sample.probabilities)
    names = [
        [TAG_QUESTIONS[tag].answers[label] for label in chosen[tag].tolist()] for tag in CLASS_TAGS
    ]
    return np.array([place[row] for row in zip(*names, strict=True)], np.int64)
