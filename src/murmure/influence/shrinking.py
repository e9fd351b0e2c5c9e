"""Prevalences of small slices lean on their parent's: an empirical-Bayes Dirichlet prior.

A channel's week of five posts tells little by itself. Its prevalences are taken to be drawn from a
Dirichlet distribution around those of its parent (entity, window and channel lean on entity and
window, these on the entity, the entity on all entities). How strongly, in posts' worth, is learned
from how much further the slices of all entities together lie from their parents than chance alone
takes them (method of moments: Robbins, 1956; Efron and Morris, 1973).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float64]

#: The least and most that a parent's prevalence is worth, in posts.
WEAKEST, STRONGEST = 2.0, 1000.0
#: What it is worth where too few slices tell.
USUAL = 10.0
#: What the calibration sample's own mix is worth to all posts of a run: next to nothing.
ROOT = 1.0

_ENOUGH_POSTS = 5.0
_ENOUGH_SLICES = 8


def strength(children: Table, parents: Table, told: Table) -> float:
    """What a parent's prevalences are worth to its children, in posts.

    Args:
        children: prevalences by themselves, of shape (slices, answers).
        parents: those of each one's parent, of the same shape.
        told: how many labelled posts each child's posts are worth.

    Example:
        >>> parents = np.full((50, 2), 0.5)
        >>> strength(parents, parents, np.full(50, 100.0))
        1000.0
    """
    used = told >= _ENOUGH_POSTS
    if used.sum() < _ENOUGH_SLICES:
        return USUAL
    children, parents, told = children[used], parents[used], told[used, None]
    spread = parents * (1 - parents)
    beyond = ((children - parents) ** 2 - spread / told).sum() / max(float(spread.sum()), 1e-9)
    return float(np.clip(1 / max(beyond, 1e-9) - 1, WEAKEST, STRONGEST))


def shrink(children: Table, parents: Table, told: Table, strengths: Table | float) -> Table:
    """The children's prevalences, each row leaning on its parent's.

    Args:
        children: of shape (slices, answers).
        parents: of the same shape.
        told: how many labelled posts each child's posts are worth.
        strengths: what the parent is worth.

    Example:
        >>> shrink(np.array([[1.0, 0.0]]), np.array([[0.4, 0.6]]), np.array([5.0]), 10.0)
        array([[0.6, 0.4]])
    """
    own = (told / (told + strengths))[:, None]
    leaning: Table = own * children + (1 - own) * parents
    return leaning
