"""Prevalences of answers in slices, by expectation-maximisation over histograms of bins.

After Saerens, Latinne and Decaestecker (2002), "Adjusting the outputs of a classifier to new a
priori probabilities", Neural Computation 14: posteriors that presuppose one mix of classes are
adapted to the mix found in the very slice, which maximises the likelihood of what the classifier
said of its posts. Over bins it is the same computation as over posts, post by post of equal
posteriors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float64]

_ROUNDS = 200
# A slice is done when a round moves no prevalence by more than such a part of a post, or, where it
# holds many or few posts, by more than the tolerances.
_OF_A_POST = 0.01
_TOLERANCES = 1e-5, 1e-3
# A prevalence never quite leaves what it started from, so that more posts can bring it back.
_LEAST = 1e-7


def adapt(histograms: Table, likelihoods: Table, start: Table) -> Table:
    """The prevalences that make the histograms likeliest.

    Args:
        histograms: of shape (slices, bins): posts in each bin.
        likelihoods: of shape (bins, answers): how likely each bin is under each answer, up to
            a factor of the bin's own.
        start: of shape (answers,) or (slices, answers): where to begin, all above 0.

    Returns:
        An array (slices, answers) whose rows sum to 1; where a slice is empty, its start.

    Example:
        >>> likelihoods = np.array([[0.9, 0.2], [0.1, 0.8]])
        >>> adapt(np.array([[55.0, 45.0]]), likelihoods, np.array([0.5, 0.5])).round(3)
        array([[0.5, 0.5]])
        >>> adapt(np.array([[0.0, 0.0]]), likelihoods, np.array([0.5, 0.5])).round(3)
        array([[0.5, 0.5]])
    """
    found = np.broadcast_to(start, (len(histograms), likelihoods.shape[1])).astype(float)
    totals = histograms.sum(axis=1)
    active = np.flatnonzero(totals > 0)
    shares = histograms[active] / totals[active, None]
    tolerance = np.clip(_OF_A_POST / totals[active], *_TOLERANCES)
    current = np.maximum(found[active], _LEAST)
    for _ in range(_ROUNDS):
        once = _step(shares, likelihoods, current)
        twice = _step(shares, likelihoods, once)
        new = _leap(current, once, twice)
        # A leap may end where the likelihood is less: one more step from there puts it right.
        new = _step(shares, likelihoods, new)
        moved = np.abs(new - current).max(axis=1) > tolerance
        found[active] = new
        if not moved.any():
            break
        active, shares, current = active[moved], shares[moved], new[moved]
        tolerance = tolerance[moved]
    return found


def expect(histograms: Table, likelihoods: Table, prevalences: Table) -> Table:
    """The number of posts of each answer that is to be expected, of shape (slices, answers).

    Args:
        histograms: of shape (slices, bins).
        likelihoods: of shape (bins, answers).
        prevalences: of shape (slices, answers), as `adapt` found them, on these posts or others.
    """
    mixture = prevalences @ likelihoods.T
    np.maximum(mixture, 1e-300, out=mixture)
    np.divide(histograms, mixture, out=mixture)
    expected: Table = prevalences * (mixture @ likelihoods)
    return expected


def _step(shares: Table, likelihoods: Table, prevalences: Table) -> Table:
    new = expect(shares, likelihoods, prevalences)
    new = np.maximum(new, _LEAST)
    total: Table = new / new.sum(axis=1, keepdims=True)
    return total


def _leap(current: Table, once: Table, twice: Table) -> Table:
    """Where steps that shrink at the rate seen would end (SQUAREM: Varadhan and Roland, 2008)."""
    first = once - current
    second = twice - once - first
    size = np.sqrt((second**2).sum(axis=1))
    pace = np.sqrt((first**2).sum(axis=1)) / np.maximum(size, 1e-12)
    pace = np.clip(pace, 1.0, 30.0)[:, None]
    leapt = current + 2 * pace * first + pace**2 * second
    bad = (leapt <= 0).any(axis=1)
    leapt[bad] = twice[bad]
    total: Table = leapt / leapt.sum(axis=1, keepdims=True)
    return total
