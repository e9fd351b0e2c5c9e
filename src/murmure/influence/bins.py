"""Bins: the cells of a grid, put together by what they tell of one question.

For each question the cells of which the model answers it about alike are one bin. A slice is a
histogram over a question's bins, and costs the same to adapt whether it holds ten posts or a
million; since each question has bins of its own, next to nothing is lost against adapting post by
post.

What the model says is calibrated anew for each question: by one temperature and a shift for each
answer, learned on the calibration posts of all languages together (bias-corrected temperature
scaling: Alexandari, Kundaje and Shrikumar, 2020). So few numbers are learned surely from few posts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from murmure.influence.classes import Question
from murmure.influence.clustering import cluster, evenly, nearest
from murmure.influence.grid import Cell
from murmure.influence.posteriors import NEITHER, Sample

Table = NDArray[np.float64]

# How many bins there are at most, for each pair of answers, and how many calibration posts each
# needs.
_BINS_A_PAIR = 7
_POSTS_A_BIN = 5
# How many posts of all languages a language's mix and spread lean on.
_LEANING = 5.0
# The share of an answer's posts that look like any post: however sure a model is, a few thousand
# calibration posts cannot show that there are none.
_MISLABELLED = 0.001
# Probabilities below this are taken for it.
_FLOOR = 1e-6
# How firmly temperature and shifts stay near none.
_FIRMNESS = 1.0


@dataclass(frozen=True, slots=True)
class Bins:
    """The bins of a question.

    Attributes:
        of: of each cell of the grid its bin.
        chances: of shape (bins, answers): probabilities of the answers of the posts in a bin.
        priors: of shape (languages and neither, answers): how common each is among the calibration
            posts of a language; what `chances` presuppose.
        shares: of shape (languages and neither, bins): how calibration posts spread over the bins.
    """

    of: NDArray[np.uint8]
    chances: Table
    priors: Table
    shares: Table

    def __len__(self) -> int:
        """Return the number of bins."""
        return len(self.chances)

    def likelihoods(self, language: int) -> Table:
        """How much likelier a bin is in each answer than at large, of shape (bins, answers).

        Args:
            language: position in `posteriors.LANGUAGES`, or `NEITHER`.
        """
        ratios: Table = self.chances / self.priors[language]
        return _MISLABELLED + (1 - _MISLABELLED) * ratios

    def spread(self, answer: int, language: int) -> tuple[Table, Table]:
        """How posts of an answer, and all others, spread over the bins, each up to a factor.

        Args:
            answer: its place.
            language: as above.
        """
        chance, prior = self.chances[:, answer], self.priors[language, answer]
        inside, outside = (
            (_MISLABELLED + (1 - _MISLABELLED) * ratio) * self.shares[language]
            for ratio in (chance / prior, (1 - chance) / (1 - prior))
        )
        return inside, outside


def make_bins(
    question: Question, sample: Sample, cell: Cell, *, chances: Table, middles: Table
) -> Bins:
    """Makes the bins of a question.

    Args:
        question: which.
        sample: labelled posts.
        cell: of each of them.
        chances: what the model says of them, of shape (posts, answers).
        middles: what it says of posts in the middle of each cell, of shape (cells, answers).
    """
    truth = question.member[:, sample.classes].argmax(axis=0)
    scaling = _fit(chances, truth)
    said, of_cells = _apply(scaling, chances), _apply(scaling, middles)
    most = min(_BINS_A_PAIR * len(question.answers) ** 2, len(sample) // _POSTS_A_BIN)
    centres = cluster(np.sqrt(said, dtype=np.float32), max(most, 1), weights=evenly(said))
    used, of = np.unique(nearest(np.sqrt(of_cells, dtype=np.float32), centres), return_inverse=True)
    place = of[cell]
    # A bin that no calibration post is in says what its middle says.
    sums = 1e-3 * centres[used].astype(np.float64) ** 2
    np.add.at(sums, place, said)
    priors, shares = [], []
    held = _normal(np.bincount(place, minlength=len(used)).astype(np.float64) + 1e-3)
    general = _normal(said.sum(axis=0, dtype=np.float64) + 1e-3)
    for language in range(NEITHER):
        rows = sample.languages == language
        priors.append(_normal(said[rows].sum(axis=0, dtype=np.float64) + _LEANING * general))
        here = np.bincount(place[rows], minlength=len(used))
        shares.append(_normal(here + _LEANING * held))
    return Bins(
        of.astype(np.uint8),
        sums / sums.sum(axis=1, keepdims=True),
        np.array([*priors, general]),
        np.array([*shares, held]),
    )


def _fit(chances: Table, truth: NDArray[np.intp]) -> Table:
    """The temperature's inverse, then a shift for each answer, by penalised maximum likelihood."""
    from scipy.optimize import minimize

    logs = np.log(np.maximum(chances, _FLOOR))
    rows = np.arange(len(truth))
    start = np.zeros(1 + logs.shape[1])
    start[0] = 1.0

    def loss(values: Table) -> tuple[float, Table]:
        said = _softmax(values[0] * logs + values[1:])
        value = -np.log(np.maximum(said[rows, truth], 1e-300)).sum()
        said[rows, truth] -= 1
        slope = np.concatenate([[(said * logs).sum()], said.sum(axis=0)])
        moved = values - start
        return float(value + 0.5 * _FIRMNESS * (moved**2).sum()), slope + _FIRMNESS * moved

    found: Table = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return found


def _apply(scaling: Table, chances: Table) -> Table:
    return _softmax(scaling[0] * np.log(np.maximum(chances, _FLOOR)) + scaling[1:])


def _softmax(scores: Table) -> Table:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    table: Table = powers / powers.sum(axis=1, keepdims=True)
    return table


def _normal(values: Table) -> Table:
    total: Table = values / values.sum()
    return total
