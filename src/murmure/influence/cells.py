"""What is known of a model's errors: how the posts of each class spread over what it says.

Posts are told apart by their cell (`grid`). Each question has bins of its own (`bins`), which tell
how common its answers are in a slice. For the table of all classes there is one more cut of the
cells, into kinds: posts of which the model says about the same of all tags together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from murmure.influence.bins import Bins, make_bins
from murmure.influence.classes import CLASSES, QUESTIONS, Flags, Question
from murmure.influence.clustering import cluster, nearest
from murmure.influence.grid import Cell, Grid, make_grid
from murmure.influence.posteriors import NEITHER, Joint, Numbers, Sample, fit_joint

Table = NDArray[np.float64]

#: Names kinds among the bins of questions.
OVERALL = "kinds"

# How many kinds there are at most; fewer where the calibration sample is small.
_MOST_KINDS = 160
_POSTS_A_KIND = 12
# An origin with fewer calibration posts tells nothing of how origins differ.
_FEWEST_OF_ORIGIN = 30
# How many posts of all languages a kind's posts of one language lean on.
_LEANING = 3.0
# The share of a class's posts that look like any post: the dozen calibration posts of a kind cannot
# show that there are none.
_MISLABELLED = 0.01


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of a model, and how classes spread over them.

    Attributes:
        grid: gives the cell of a post.
        bins: of each question, by name.
        kind: of each cell.
        joint: gives the classes' probabilities of a post.
        ratios: of shape (languages and neither, kinds, classes): how much likelier a post of the
            class is of the kind than any post is.
        shares: of shape (languages and neither, kinds): how the calibration posts of a language
            spread over the kinds.
        labelled: of shape (languages and neither, classes): how many calibration posts there are.
        leanings: of shape (origins, classes): how much more posts of each class there are among an
            origin's calibration posts than the joint says, as a share.
        origins: how many calibration posts each of these origins has.
    """

    grid: Grid
    bins: Mapping[str, Bins]
    kind: NDArray[np.uint8]
    joint: Joint
    ratios: Table
    shares: Table
    labelled: Numbers
    leanings: Table
    origins: Numbers

    def bins_of(self, names: Iterable[str]) -> dict[str, NDArray[np.uint8]]:
        """The bin of each cell, by question, and its kind.

        Args:
            names: of questions; `OVERALL` for the kinds.
        """
        return {name: self.kind if name == OVERALL else self.bins[name].of for name in names}

    def assign(self, probabilities: Mapping[str, NDArray[np.float32]]) -> Cell:
        """The cell of each post, from the model's probabilities by tag."""
        return self.grid.assign(probabilities)

    def mixed(self, language: int) -> Table:
        """Probabilities of the classes in each kind before any slice is looked at."""
        table: Table = self.ratios[language] * self.joint.priors[language]
        table /= table.sum(axis=1, keepdims=True)
        return table

    def spread(self, member: Flags, language: int) -> tuple[Table, Table]:
        """How posts of some classes, and all others, spread over what the model says.

        Args:
            member: of shape (classes,): which classes.
            language: position in `posteriors.LANGUAGES`, or `NEITHER` for any.

        Returns:
            Two arrays of equal length that sum to 1.
        """
        inside, outside = self._spread(member, language)
        return inside / inside.sum(), outside / outside.sum()

    def _spread(self, member: Flags, language: int) -> tuple[Table, Table]:
        for name, question in QUESTIONS.items():
            for place, answer in enumerate(question.member):
                if (same := bool((answer == member).all())) or (answer != member).all():
                    bins = self.bins[name]
                    found = bins.spread(place, language)
                    return found if same else found[::-1]
        # What no question asks is read from the table of classes, which kinds tell.
        share, prior = self.shares[language], self.joint.priors[language]
        ratios = self.ratios[language] * prior * share[:, None]
        return ratios @ member.astype(float), ratios @ (~member).astype(float)


def make_cells(sample: Sample) -> Cells:
    """Learns a model's cells from its calibration sample.

    Args:
        sample: labelled posts, drawn at random within their sources.
    """
    joint = fit_joint(sample)
    chances = joint(sample.probabilities, sample.languages)
    grid = make_grid(sample.probabilities)
    cell, middles = grid.assign(sample.probabilities), grid.probabilities()
    many = int(np.clip(len(sample) // _POSTS_A_KIND, 1, _MOST_KINDS))
    of_cells = joint(middles, np.full(len(grid), NEITHER))
    roots = np.sqrt(of_cells)
    centres = cluster(roots[cell], many)
    kind = nearest(roots, centres).astype(np.uint8)
    of_posts = _unseen(sample)
    bins = {
        name: make_bins(
            question,
            sample,
            cell,
            chances=_answers(question, sample.probabilities, of_posts),
            middles=_answers(question, middles, of_cells),
        )
        for name, question in QUESTIONS.items()
    }
    ratios, shares, labelled = _spread_kinds(sample, joint, chances, kind[cell], len(centres))
    return Cells(
        grid, bins, kind, joint, ratios, shares, labelled,
        *_origins(sample, chances),
    )  # fmt: skip


def _spread_kinds(
    sample: Sample, joint: Joint, chances: NDArray[np.float32], kind: NDArray[np.uint8], kinds: int
) -> tuple[Table, Table, Numbers]:
    single = chances / joint.priors[sample.languages]
    pooled = _means(single, kind, kinds, np.ones(len(CLASSES)), 1e-6)
    held = np.bincount(kind, minlength=kinds) / len(kind)
    ratios, shares, labelled = [], [], []
    for language in range(NEITHER):
        rows = sample.languages == language
        ratios.append(_means(single[rows], kind[rows], kinds, pooled, _LEANING))
        here = np.bincount(kind[rows], minlength=kinds) + _LEANING * held
        shares.append(here / here.sum())
        labelled.append(np.bincount(sample.classes[rows], minlength=len(CLASSES)))
    everywhere = np.bincount(sample.classes, minlength=len(CLASSES))
    return (
        _MISLABELLED + (1 - _MISLABELLED) * np.array([*ratios, pooled]),
        np.array([*shares, held]),
        np.array([*labelled, everywhere]),
    )


def _unseen(sample: Sample) -> NDArray[np.float32]:
    """Probabilities of the classes by a joint that was learned on the other half of the posts.

    By the joint that learned from them they would seem surer than new posts are.
    """
    chances = np.empty((len(sample), len(CLASSES)), np.float32)
    half = np.random.default_rng(2026).permutation(len(sample)) % 2 == 0
    for rows in (half, ~half):
        some = sample.take(rows)
        learned = fit_joint(sample.take(~rows), apart=False)
        chances[rows] = learned(some.probabilities, some.languages)
    return chances


def _answers(
    question: Question,
    probabilities: Mapping[str, NDArray[np.float32]],
    classes: NDArray[np.float32],
) -> Table:
    """What the model says of a question: of a tag's what it says of the tag, else the joint."""
    if question.name in probabilities:
        return probabilities[question.name].astype(np.float64)
    return classes.astype(np.float64) @ question.member.T


def _origins(sample: Sample, chances: NDArray[np.float32]) -> tuple[Table, Numbers]:
    names, origin = np.unique(sample.origins, return_inverse=True)
    sums = np.zeros((len(names), len(CLASSES)))
    np.add.at(sums, (origin, sample.classes), 1.0)
    np.subtract.at(sums, origin, chances)
    posts = np.bincount(origin, minlength=len(names))
    large = posts >= _FEWEST_OF_ORIGIN
    return sums[large] / posts[large, None], posts[large]


def _means(
    values: NDArray[np.float64], kind: NDArray[np.uint8], kinds: int, near: Table, leaning: float
) -> Table:
    """The means of values of each kind, leaning on others where a kind has few."""
    sums = np.zeros((kinds, values.shape[1])) + leaning * near
    np.add.at(sums, kind, values)
    means: Table = sums / (np.bincount(kind, minlength=kinds) + leaning)[:, None]
    return means
