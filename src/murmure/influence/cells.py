"""Cells: a few kinds of posts, told apart by what the model says of them.

Five million posts are too many to adapt one by one in every slice they are in. Posts of which the
model says about the same are put into one cell, after which a slice is a histogram over the cells,
and what is computed for a slice costs the same whether it holds ten posts or a million.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from murmure.influence.classes import CLASSES, Flags
from murmure.influence.posteriors import LANGUAGES, NEITHER, Joint, Numbers, Sample, fit_joint

Table = NDArray[np.float64]

#: How many cells there are at most; fewer where the calibration sample is small.
CELLS = 160
_POSTS_A_CELL = 12
_ROUNDS = 12
_BLOCK = 50_000
# An origin with fewer calibration posts tells nothing of how origins differ.
_FEWEST_OF_ORIGIN = 30
# How many posts of all languages a cell of one language leans on.
_LEANING = 3.0
# The share of posts that are in a class whatever they look like: people disagree on about as many,
# and a few labelled posts a cell cannot show that there are none.
_MISLABELLED = 0.01


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of a model, and how classes spread over them.

    Attributes:
        joint: gives the classes' probabilities of a post.
        centres: of shape (cells, classes): square roots of the probabilities in its middle.
        ratios: of shape (languages and neither, cells, classes): how much likelier a post of the
            class is in the cell than any post is.
        shares: of shape (languages and neither, cells): how the calibration posts of a language
            spread over the cells.
        labelled: of shape (languages and neither, classes): how many calibration posts there are.
        leanings: of shape (origins, classes): how much more posts of each class there are among an
            origin's calibration posts than the joint says, as a share.
        origins: how many calibration posts each of these origins has.
    """

    joint: Joint
    centres: NDArray[np.float32]
    ratios: Table
    shares: Table
    labelled: Numbers
    leanings: Table
    origins: Numbers

    def __len__(self) -> int:
        """Return the number of cells."""
        return len(self.centres)

    def assign(
        self, probabilities: Mapping[str, NDArray[np.float32]], languages: Numbers
    ) -> NDArray[np.uint8]:
        """The cell of each post: that whose middle is nearest (Hellinger distance)."""
        cells = np.empty(len(languages), np.uint8)
        for start in range(0, len(languages), _BLOCK):
            rows = slice(start, start + _BLOCK)
            block = {tag: table[rows] for tag, table in probabilities.items()}
            roots = np.sqrt(self.joint(block, languages[rows]))
            cells[rows] = np.argmax(roots @ self.centres.T - self._half(), axis=1)
        return cells

    def _half(self) -> NDArray[np.float32]:
        half: NDArray[np.float32] = 0.5 * (self.centres**2).sum(axis=1)
        return half

    def likelihoods(self, member: Flags, language: int) -> Table:
        """How much likelier a cell is in each answer of a question than at large.

        Args:
            member: of shape (answers, classes), as `classes.Question` has it.
            language: position in `LANGUAGES`, or `NEITHER`.

        Returns:
            An array (cells, answers). Within an answer the classes are mixed as in the
            calibration sample of that language.
        """
        prior = self.joint.priors[language]
        table: Table = (self.ratios[language] * prior) @ member.T.astype(float)
        table /= prior @ member.T
        return table

    def mixed(self, language: int) -> Table:
        """Probabilities of the classes in each cell before any slice is looked at."""
        table: Table = self.ratios[language] * self.joint.priors[language]
        table /= table.sum(axis=1, keepdims=True)
        return table


def make_cells(sample: Sample, *, joint: Joint | None = None) -> Cells:
    """Learns a model's cells from its calibration sample.

    Args:
        sample: labelled posts, drawn at random within their sources.
        joint: what gives the classes' probabilities; learned on the same sample where None.
    """
    joint = joint or fit_joint(sample)
    chances = joint(sample.probabilities, sample.languages)
    many = int(np.clip(len(sample) // _POSTS_A_CELL, 1, CELLS))
    centres, cell = _cluster(np.sqrt(chances), many)
    single = chances / joint.priors[sample.languages]
    pooled = _means(single, cell, len(centres), np.ones(len(CLASSES)), 1e-6)
    held = np.bincount(cell, minlength=len(centres)) / len(cell)
    ratios, shares, labelled = [], [], []
    for language in range(NEITHER):
        rows = sample.languages == language
        ratios.append(_means(single[rows], cell[rows], len(centres), pooled, _LEANING))
        here = np.bincount(cell[rows], minlength=len(centres)) + _LEANING * held
        shares.append(here / here.sum())
        labelled.append(np.bincount(sample.classes[rows], minlength=len(CLASSES)))
    everywhere = np.bincount(sample.classes, minlength=len(CLASSES))
    return Cells(
        joint,
        centres,
        _MISLABELLED + (1 - _MISLABELLED) * np.array([*ratios, pooled]),
        np.array([*shares, held]),
        np.array([*labelled, everywhere]),
        *_origins(sample, chances),
    )


def _origins(sample: Sample, chances: NDArray[np.float32]) -> tuple[Table, Numbers]:
    names, origin = np.unique(sample.origins, return_inverse=True)
    sums = np.zeros((len(names), len(CLASSES)))
    np.add.at(sums, (origin, sample.classes), 1.0)
    np.subtract.at(sums, origin, chances)
    posts = np.bincount(origin, minlength=len(names))
    large = posts >= _FEWEST_OF_ORIGIN
    return sums[large] / posts[large, None], posts[large]


def _means(
    values: NDArray[np.float64], cell: NDArray[np.intp], cells: int, near: Table, leaning: float
) -> Table:
    """The means of values in each cell, leaning on others where a cell has few."""
    sums = np.zeros((cells, values.shape[1])) + leaning * near
    np.add.at(sums, cell, values)
    means: Table = sums / (np.bincount(cell, minlength=cells) + leaning)[:, None]
    return means


def _cluster(
    points: NDArray[np.float32], many: int
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """k-means (Lloyd) from points spread out by distance, each in a cell that is not empty."""
    generator = np.random.default_rng(0)
    chosen = [int(generator.integers(len(points)))]
    nearest = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    for _ in range(many - 1):
        total = float(nearest.sum(dtype=np.float64))
        if total < 1e-9:
            break
        place = float(generator.random()) * total
        chosen.append(int(np.searchsorted(np.cumsum(nearest, dtype=np.float64), place)))
        chosen[-1] = min(chosen[-1], len(points) - 1)
        nearest = np.minimum(nearest, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    centres = points[chosen]
    for _ in range(_ROUNDS):
        cell = np.argmax(points @ centres.T - 0.5 * (centres**2).sum(axis=1), axis=1)
        held = np.bincount(cell, minlength=len(centres))
        sums = np.zeros(centres.shape)
        np.add.at(sums, cell, points)
        centres = (sums[held > 0] / held[held > 0, None]).astype(np.float32)
    cell = np.argmax(points @ centres.T - 0.5 * (centres**2).sum(axis=1), axis=1)
    kept, cell = np.unique(cell, return_inverse=True)
    return centres[kept], cell


__all__ = ["CELLS", "LANGUAGES", "NEITHER", "Cells", "make_cells"]
