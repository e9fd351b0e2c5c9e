"""How far an estimated number may be from the true one.

The truth meant is the number of posts, of those in the slice, that a careful reader would put into
an answer. Two things keep an estimate from it: which of the slice's posts the model happens to err
on, and that its errors are known from a finite calibration sample. Both are in the variance:

    Var(estimate / n) = (1 - I s) / (n I)  +  (t^2 V1 / n1 + (1 - t)^2 V0 / n0) / I^2

with t the prevalence, s = t (1 - t), I what one post tells of t (Fisher's information of a mixture
of two known distributions over cells), V1 and V0 the variances of the score in posts of the answer
and in others, and n1 and n0 how many of either the calibration sample has. The first term is the
variance of the maximum likelihood estimate less that of the mix itself, since a slice is the very
posts that were counted and no sample of others (the missing information principle: Orchard and
Woodbury, 1972). The interval is the set of prevalences that the estimate does not speak against
(Wilson, 1927), so that it never leaves [0, n] and stays wide where the estimate is 0.

Where posts are no mix of the calibration sample's classes (`misfit`), estimates are adapted less,
and a third variance is added: that between what the model says and what is so in each of the
calibration sample's origins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from murmure.influence.cells import Cells
from murmure.influence.classes import Flags

Table = NDArray[np.float64]

_BLOCK = 100_000
# Cells were made from the very posts that tell how well they separate: what is told of new posts is
# less by this much (found on halves of the fast model's calibration sample: benchmarks/counting).
_OPTIMISM_OF_POSTS = 1.15
_OPTIMISM_OF_CALIBRATION = 1.5
# With fewer origins, how they differ is not known, and taken for five points.
_FEWEST_ORIGINS = 5
_BETWEEN_UNKNOWN = 0.05**2
#: Prevalences at which variances are worked out: closer together near 0 and 1.
GRID: Table = np.sin(np.linspace(0, np.pi / 2, 49)) ** 2


@dataclass(frozen=True, slots=True)
class Errors:
    """How well the cells tell one answer from all others, at each prevalence of `GRID`.

    Attributes:
        information: what one post tells of the prevalence.
        calibration: variance of the estimate that is due to the calibration sample.
        between: variance of unadapted shares between origins, beyond chance.
    """

    information: Table
    calibration: Table
    between: float = 0.0

    @property
    def told(self) -> Table:
        """How much of what labels would tell the model tells, from 0 to 1."""
        return np.minimum(self.information * GRID * (1 - GRID), 1.0)

    def variance(
        self, n: Table, strength: Table | float = 0.0, *, distrust: Table | float = 0.0
    ) -> Table:
        """Variance of an estimated prevalence, of shape (numbers, prevalences).

        Args:
            n: posts that each number rests on.
            strength: how many labelled posts the parent's prevalence, which the estimate leans
                on, is worth; 0 where it leans on none.
            distrust: how far the estimate was not adapted, from 0 to 1.
        """
        n = np.maximum(np.asarray(n, float), 1e-9)[:, None]
        strength = np.broadcast_to(np.asarray(strength, float), n.shape[:1])[:, None]
        spread = GRID * (1 - GRID)
        missing = 1 - self.told
        with np.errstate(divide="ignore", invalid="ignore"):
            held = np.where(strength > 0, strength / spread, 0.0)
            known = n * self.information + held
            lean = np.where(np.isfinite(known), (n + strength) * self.information / known, 0.0)
            # Without a parent this is (1 - I s) / (n I).
            from_posts = missing * spread / n + missing**2 / known
        apart = np.broadcast_to(np.asarray(distrust, float), n.shape[:1])[:, None] * self.between
        variance: Table = (
            _OPTIMISM_OF_POSTS * from_posts
            + _OPTIMISM_OF_CALIBRATION * lean**2 * self.calibration
            + apart
        )
        return variance

    def deviation(
        self,
        share: Table,
        n: Table,
        strength: Table | float = 0.0,
        *,
        distrust: Table | float = 0.0,
    ) -> Table:
        """Standard deviation of each share, of shape (numbers,)."""
        variance = self.variance(n, strength, distrust=distrust)
        right = np.clip(np.searchsorted(GRID, share), 1, len(GRID) - 1)
        rows = np.arange(len(share))
        part = (share - GRID[right - 1]) / (GRID[right] - GRID[right - 1])
        between = (1 - part) * variance[rows, right - 1] + part * variance[rows, right]
        deviation: Table = np.sqrt(np.maximum(between, 0.0))
        return deviation

    def bounds(
        self,
        share: Table,
        n: Table,
        *,
        z: float,
        strength: Table | float = 0.0,
        distrust: Table | float = 0.0,
    ) -> tuple[Table, Table]:
        """The interval of each share.

        Args:
            share: estimated prevalences.
            n: posts that each rests on.
            z: how many standard deviations make the interval, 1.96 for 95 %.
            strength: as in `variance`.
            distrust: as in `variance`.

        Returns:
            Lower and upper bounds, `share` between them; 0 and 1 where n is 0.
        """
        low, high = np.empty(len(share)), np.empty(len(share))
        strengths = np.broadcast_to(np.asarray(strength, float), len(share))
        distrusts = np.broadcast_to(np.asarray(distrust, float), len(share))
        for start in range(0, len(share), _BLOCK):
            rows = slice(start, start + _BLOCK)
            reach = z * np.sqrt(self.variance(n[rows], strengths[rows], distrust=distrusts[rows]))
            low[rows] = _crossing(GRID + reach - share[rows, None])
            high[rows] = 1 - _crossing((share[rows, None] - GRID + reach)[:, ::-1])
        empty = n <= 0
        low[empty], high[empty] = 0.0, 1.0
        return np.minimum(low, share), np.maximum(high, share)


# The grid is symmetric, so that one search serves both ends.
def _crossing(above: Table) -> Table:
    """The first prevalence at which each row is no longer below 0, between the grid's points."""
    inside = above >= 0
    first = np.where(inside.any(axis=1), inside.argmax(axis=1), len(GRID) - 1)
    rows = np.arange(len(above))
    before = np.maximum(first - 1, 0)
    left, right = above[rows, before], above[rows, first]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(first > 0, np.clip(left / (left - right), 0, 1), 0.0)
    part = np.nan_to_num(part, nan=0.0)
    found: Table = GRID[before] + part * (GRID[first] - GRID[before])
    return found


def make_errors(cells: Cells, member: Flags, language: int) -> Errors:
    """How well one answer can be told from the rest.

    Args:
        cells: of the model.
        member: of shape (classes,): which classes the answer takes, some but not all.
        language: position in `posteriors.LANGUAGES`, or `NEITHER` for any.
    """
    ratios = cells.likelihoods(np.array([member, ~member]), language)
    inside, outside = (ratios * cells.shares[language][:, None]).T
    inside, outside = inside / inside.sum(), outside / outside.sum()
    mixture = GRID[:, None] * inside + (1 - GRID[:, None]) * outside
    score = (inside - outside) / np.maximum(mixture, 1e-12)
    information = np.maximum((score**2 * mixture).sum(axis=1), 1e-9)
    of_inside = (score**2) @ inside - (score @ inside) ** 2
    of_outside = (score**2) @ outside - (score @ outside) ** 2
    labelled = max(int(cells.labelled[language][member].sum()), 1)
    others = max(int(cells.labelled[language][~member].sum()), 1)
    spread = GRID**2 * of_inside / labelled + (1 - GRID) ** 2 * of_outside / others
    return Errors(information, spread / information**2, _between(cells, member))


def _between(cells: Cells, member: Flags) -> float:
    """Variance of what the model is off by between origins, beyond chance (method of moments)."""
    if len(cells.origins) < _FEWEST_ORIGINS:
        return _BETWEEN_UNKNOWN
    off = cells.leanings[:, member].sum(axis=1)
    share = cells.labelled[-1][member].sum() / max(cells.labelled[-1].sum(), 1)
    by_chance = share * (1 - share) / 2 / cells.origins
    return float(max((off**2 - by_chance).mean(), 0.0))
