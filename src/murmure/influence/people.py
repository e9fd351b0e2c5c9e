"""How many people say so, from what the model says of their posts.

A person who wrote three posts, each bad with a probability of .6, is not a detractor for sure:
numbers of people are sums of the probabilities that a person's posts, taken together, say so.
Posts of one person are taken to be independent given what the model says of each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float64]
Numbers = NDArray[np.int64]

#: Beyond this many posts a person's balance is taken for normal.
EXACT = 8


def outnumber(plus: Table, minus: Table, starts: Numbers) -> tuple[Table, Table]:
    """How likely each person's posts of one kind outnumber those of another, and the reverse.

    Args:
        plus: the probability that each post is of the one kind, posts of one person together.
        minus: the same for the other kind; no post is of both.
        starts: where each person's posts begin.

    Returns:
        The probabilities that the difference is above 0, and below, one each a person. Exact up
        to `EXACT` posts a person, normal with a correction for continuity beyond.

    Example:
        >>> above, below = outnumber(np.array([0.6, 0.5]), np.array([0.1, 0.2]), np.array([0]))
        >>> round(float(above[0]), 2)  # both, or one and the other neither
        0.63
    """
    lengths = np.diff(np.append(starts, len(plus)))
    above, below = np.zeros(len(starts)), np.zeros(len(starts))
    single = lengths == 1
    above[single], below[single] = plus[starts[single]], minus[starts[single]]
    for length in range(2, EXACT + 1):
        people = np.flatnonzero(lengths == length)
        if len(people):
            posts = starts[people][:, None] + np.arange(length)
            above[people], below[people] = _difference(plus[posts], minus[posts])
    many = np.flatnonzero(lengths > EXACT)
    if len(many):
        above[many], below[many] = _normal(plus, minus, starts, lengths, many)
    return above, below


def at_least_one(chance: Table, starts: Numbers) -> Table:
    """How likely at least one of each person's posts says so.

    Args:
        chance: the probability that each post does, posts of one person together.
        starts: where each person's posts begin.

    Example:
        >>> at_least_one(np.array([0.5, 0.5, 0.2]), np.array([0, 2])).round(2)
        array([0.75, 0.2 ])
    """
    if not len(starts):
        return np.zeros(0)
    logs = np.log1p(-np.minimum(chance, 1 - 1e-12))
    found: Table = -np.expm1(np.add.reduceat(logs, starts))
    return found


def _difference(plus: Table, minus: Table) -> tuple[Table, Table]:
    """Poisson-binomial differences by adding one post after the other; rows are people."""
    people, length = plus.shape
    chances = np.zeros((people, 2 * length + 1))
    chances[:, length] = 1.0
    for post in range(length):
        up, down = plus[:, post, None], minus[:, post, None]
        new = chances * (1 - up - down)
        new[:, 1:] += chances[:, :-1] * up
        new[:, :-1] += chances[:, 1:] * down
        chances = new
    return chances[:, length + 1 :].sum(axis=1), chances[:, :length].sum(axis=1)


def _normal(
    plus: Table, minus: Table, starts: Numbers, lengths: Numbers, many: Numbers
) -> tuple[Table, Table]:
    from scipy.special import ndtr

    where = np.concatenate([np.arange(starts[p], starts[p] + lengths[p]) for p in many])
    own = np.concatenate([[0], np.cumsum(lengths[many])[:-1]])
    balance = plus[where] - minus[where]
    mean = np.add.reduceat(balance, own)
    variance = np.add.reduceat(plus[where] + minus[where] - balance**2, own)
    deviation = np.sqrt(np.maximum(variance, 1e-9))
    return ndtr((mean - 0.5) / deviation), ndtr((-mean - 0.5) / deviation)
