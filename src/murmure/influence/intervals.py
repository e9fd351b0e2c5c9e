"""How far an estimated number may be from the true one.

The truth meant is the number of posts, of those in the slice, that a careful reader would put into
an answer. Two things keep an estimate from it: which of the slice's posts the model happens to err
on, and that its errors are known from a finite calibration sample. Both are in the variance:

    Var(estimate / n) = (1 - I s) / (n I)  +  (t^2 V1 / n1 + (1 - t)^2 V0 / n0) / I^2

with t the prevalence, s = t (1 - t), I what one post tells of t (Fisher's information of a mixture
of two known distributions over bins), V1 and V0 the variances of the score in posts of the answer
and in others, and n1 and n0 how many of either the calibration sample has. The first term is the
variance of the maximum likelihood estimate less that of the mix itself, since a slice is the very
posts that were counted and no sample of others (the missing information principle: Orchard and
Woodbury, 1972). The interval is the set of prevalences that the estimate does not speak against
(Wilson, 1927), so that it never leaves [0, n] and stays wide where the estimate is 0.

Posts of one author are alike, and the model errs alike on them; copies of one post it tags alike,
and errs on all of them or on none. So n is the number of posts over

    1 + (r sum m (m - 1) + sum c (c - 1)) / sum m,

with m the posts of each author in the slice, echoes left out, r how far the errors on two of them
correlate, and c the copies of each post in the slice, the first among them (the design effect of
clusters of unequal size: Kish, 1965). Numbers that leave echoes out have no c.

Where posts are no mix of the calibration sample's classes (`misfit`), estimates are adapted less,
and a third variance is added: that between what the model says and what is so in each of the
calibration sample's origins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from murmure.influence.cells import Cells
from murmure.influence.classes import Flags

Table = NDArray[np.float64]

# So many variances are looked at together.
_BLOCK = 1_000_000
# How far the model's errors on two posts of one author correlate: the mean over all labels, with
# authors simulated as in benchmarks/counting, half of whom always say the same.
_LIKENESS = 0.11
# Numbers of posts are rounded to such a part, so that fewer variances are worked out.
_ROUNDING = 0.01
# With fewer origins, how they differ is not known, and taken for five points.
_FEWEST_ORIGINS = 5
_BETWEEN_UNKNOWN = 0.05**2
#: Prevalences at which variances are worked out: closer together near 0 and 1.
GRID: Table = np.sin(np.linspace(0, np.pi / 2, 49)) ** 2


def independent(posts: Table, pairs: Table, copies: Table | None = None) -> Table:
    """How many posts of different people the posts of each slice are worth.

    Args:
        posts: of each slice.
        pairs: of each slice, for each post how many others its author wrote there, added up.
        copies: of each slice, for each post how many others there are copies of the same, added
            up; where None there are none.

    Example:
        >>> independent(np.array([10.0, 10.0]), np.array([0.0, 90.0])).round(1)
        array([10.,  5.])
        >>> independent(np.array([10.0]), np.array([0.0]), np.array([90.0])).round(1)
        array([1.])
    """
    alike = _LIKENESS * pairs
    if copies is not None:
        alike = alike + copies
    crowded = np.flatnonzero(alike > 0)
    worth = np.array(posts, float)
    some = worth[crowded]
    logs = np.log(some / (1 + alike[crowded] / some))
    worth[crowded] = np.exp(_ROUNDING * np.rint(logs / _ROUNDING))
    return worth


@dataclass(frozen=True, slots=True)
class Errors:
    """How well what the model says tells one answer from all others, at each prevalence of `GRID`.

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
            n: posts that each number rests on, worth as many as `independent` says.
            strength: how many labelled posts the parent's prevalence, which the estimate leans
                on, is worth; 0 where it leans on none.
            distrust: how far the estimate was not adapted, from 0 to 1.
        """
        variance: Table = _variances([self], n, strength, distrust)[0]
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
        like = Sizes.of(n, strength, distrust)
        low, high = find_bounds([self], like, share[None], z=z)
        return low[0], high[0]


@dataclass(frozen=True, slots=True)
class Sizes:
    """What variances depend on, told once where several numbers rest on the same.

    Attributes:
        n, strength, distrust: the distinct combinations.
        place: of each number its combination.
    """

    n: Table
    strength: Table
    distrust: Table
    place: NDArray[np.intp]

    @staticmethod
    def of(n: Table, strength: Table | float, distrust: Table | float) -> Sizes:
        """Finds what is distinct.

        Args:
            n: as in `Errors.variance`, as are the others.
            strength: as above.
            distrust: as above.
        """
        n = np.asarray(n, float)
        parts = [n, np.broadcast_to(strength, n.shape), np.broadcast_to(distrust, n.shape)]
        columns = np.array(parts, float)
        varied = columns[:2] if np.ndim(distrust) == 0 or not len(n) else columns
        code = np.zeros(len(n), np.int64)
        for column in varied:
            values, codes = np.unique(column, return_inverse=True)
            code = code * len(values) + codes
        _, first, place = np.unique(code, return_index=True, return_inverse=True)
        some = columns[:, first]
        return Sizes(some[0], some[1], some[2], place)


def find_bounds(
    errors: Sequence[Errors],
    like: Sizes,
    share: Table,
    *,
    z: float,
    wanted: NDArray[np.bool_] | None = None,
) -> tuple[Table, Table]:
    """The intervals of several kinds of numbers that rest on the same posts.

    Args:
        errors: of each kind.
        like: the posts of each number.
        share: estimated prevalences, of shape (kinds, numbers).
        z: how many standard deviations make the interval.
        wanted: of the same shape: which are worked out; all where None. The others are from 0 to 1.

    Returns:
        Lower and upper bounds of that shape, as `Errors.bounds` gives them.
    """
    low, high = np.zeros(share.shape), np.ones(share.shape)
    some = np.broadcast_to(like.n[like.place] > 0, share.shape)
    if wanted is not None:
        some = some & wanted
    step = max(1, _BLOCK // max(len(like.n) * len(GRID), 1))
    for start in range(0, len(errors), step):
        kinds = slice(start, start + step)
        variances = _variances(errors[kinds], like.n, like.strength, like.distrust)
        reach = z * np.sqrt(variances)
        kind, number = np.nonzero(some[kinds])
        rows, found = kind * len(like.n) + like.place[number], share[kinds][kind, number]
        low[start + kind, number] = np.minimum(_crossing(GRID + reach, rows, found), found)
        # The grid is symmetric, so that one search serves both ends.
        above = 1 - _crossing((reach - GRID)[:, :, ::-1], rows, -found)
        high[start + kind, number] = np.maximum(above, found)
    return low, high


def _variances(
    errors: Sequence[Errors], n: Table, strength: Table | float, distrust: Table | float
) -> Table:
    """As `Errors.variance` for several kinds of numbers, of shape (kinds, numbers, prevalences)."""
    information, calibration = (
        np.array([getattr(one, name) for one in errors])[:, None]
        for name in ("information", "calibration")
    )
    between = np.array([one.between for one in errors])[:, None, None]
    n = np.maximum(np.asarray(n, float), 1e-9)[:, None]
    strength = np.broadcast_to(np.asarray(strength, float), n.shape[:1])[:, None]
    distrust = np.broadcast_to(np.asarray(distrust, float), n.shape[:1])[:, None]
    spread = GRID * (1 - GRID)
    missing = 1 - np.minimum(information * spread, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        held = np.where(strength > 0, strength / spread, 0.0)
        known = n * information + held
        lean = np.where(np.isfinite(known), (n + strength) * information / known, 0.0)
        # Without a parent this is (1 - I s) / (n I).
        from_posts = missing * spread / n + missing**2 / known
    variances: Table = from_posts + lean**2 * calibration + distrust * between
    return variances


def _crossing(values: Table, rows: NDArray[np.intp], target: Table) -> Table:
    """The first prevalence, between the grid's points, at which values reach a target.

    Args:
        values: of shape (kinds, sizes, prevalences).
        rows: of each number its kind and size, as one number.
        target: of each number.
    """
    points = len(GRID)
    # What was reached once stays so: the first place is found by halving.
    most = np.maximum.accumulate(values, axis=2).ravel()
    rows = rows * points
    first = np.zeros(target.shape, np.int64)
    width = 1 << (points - 1).bit_length()
    while width > 1:
        width //= 2
        middle = np.minimum(first + width, points) - 1
        first = np.where(most[rows + middle] < target, middle + 1, first)
    first = np.minimum(first, points - 1)
    before = np.maximum(first - 1, 0)
    flat = values.ravel()
    left, right = flat[rows + before] - target, flat[rows + first] - target
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
    inside, outside = cells.spread(member, language)
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
