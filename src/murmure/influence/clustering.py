"""k-means: groups of posts of which a model says about the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]

_ROUNDS = 12
_BLOCK = 50_000


def cluster(points: Points, many: int) -> Points:
    """Finds the middles of groups: Lloyd's rounds from points spread out by distance.

    The same points give the same groups.

    Args:
        points: of shape (points, dimensions), one at least.
        many: how many groups are wanted; there are fewer where points coincide.

    Returns:
        The middles, of shape (groups, dimensions); each is nearest to some point.

    Example:
        >>> cluster(np.array([[0.0], [0.2], [5.0], [5.0]], np.float32), 2).ravel().round(1)
        array([5. , 0.1], dtype=float32)
    """
    generator = np.random.default_rng(0)
    chosen = [int(generator.integers(len(points)))]
    away = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    for _ in range(many - 1):
        total = float(away.sum(dtype=np.float64))
        if total < 1e-9:
            break
        place = float(generator.random()) * total
        chosen.append(int(np.searchsorted(np.cumsum(away, dtype=np.float64), place)))
        chosen[-1] = min(chosen[-1], len(points) - 1)
        away = np.minimum(away, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    centres = points[chosen]
    for _ in range(_ROUNDS):
        group = nearest(points, centres)
        held = np.bincount(group, minlength=len(centres))
        sums = np.zeros(centres.shape)
        np.add.at(sums, group, points)
        centres = (sums[held > 0] / held[held > 0, None]).astype(np.float32)
    kept: Points = centres[np.unique(nearest(points, centres))]
    return kept


def nearest(points: Points, centres: Points) -> NDArray[np.intp]:
    """The group of each point: that whose middle is nearest.

    Args:
        points: of shape (points, dimensions).
        centres: of shape (groups, dimensions).
    """
    half = 0.5 * (centres**2).sum(axis=1)
    found = np.empty(len(points), np.intp)
    for start in range(0, len(points), _BLOCK):
        rows = slice(start, start + _BLOCK)
        found[rows] = np.argmax(points[rows] @ centres.T - half, axis=1)
    return found
