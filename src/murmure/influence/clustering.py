"""k-means: groups of posts of which a model says about the same."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]

_ROUNDS = 12
# So many points at a time: their distances stay in the processor's cache.
_BLOCK = 1024
# An answer that next to no post has does not get groups as if it were common.
_FEW = 5.0


def cluster(points: Points, many: int, *, weights: NDArray[np.float64] | None = None) -> Points:
    """Finds the middles of groups: Lloyd's rounds from points spread out by distance.

    The same points give the same groups.

    Args:
        points: of shape (points, dimensions), one at least.
        many: how many groups are wanted; there are fewer where points coincide.
        weights: how much each point counts, above 0; all alike where None.

    Returns:
        The middles, of shape (groups, dimensions); each is nearest to some point.

    Example:
        >>> cluster(np.array([[0.0], [0.2], [5.0], [5.0]], np.float32), 2).ravel().round(1)
        array([5. , 0.1], dtype=float32)
    """
    generator = np.random.default_rng(0)
    weight = np.ones(len(points)) if weights is None else weights
    chosen = [int(generator.integers(len(points)))]
    away = ((points - points[chosen[0]]) ** 2).sum(axis=1)
    for _ in range(many - 1):
        if float(away.sum(dtype=np.float64)) < 1e-9:
            break
        reached = np.cumsum(away * weight)
        chosen.append(int(np.searchsorted(reached, float(generator.random()) * reached[-1])))
        chosen[-1] = min(chosen[-1], len(points) - 1)
        away = np.minimum(away, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    centres = points[chosen]
    for _ in range(_ROUNDS):
        group = nearest(points, centres)
        held = np.bincount(group, weight, minlength=len(centres))
        sums = np.zeros(centres.shape)
        np.add.at(sums, group, points * weight[:, None])
        centres = (sums[held > 0] / held[held > 0, None]).astype(np.float32)
    kept: Points = centres[np.unique(nearest(points, centres))]
    return kept


def evenly(chances: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Weights with which the posts of each answer, rare or common, count about alike together.

    Args:
        chances: of shape (posts, answers): what a model says of posts; the likeliest tells.

    Example:
        >>> evenly(np.array([[0.9, 0.1]] * 5 + [[0.2, 0.8]])).round(2)
        array([0.1 , 0.1 , 0.1 , 0.1 , 0.1 , 0.17])
    """
    likeliest = chances.argmax(axis=1)
    posts = np.bincount(likeliest, minlength=chances.shape[1])
    weights: NDArray[np.float64] = 1 / (posts[likeliest] + _FEW)
    return weights


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
