"""Two models on the same posts: how much better one is, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murmure.schema import LABELS, TAGS
from murmure.tagging.columns import most_probable
from murmure.training.scores import confusion, f1_scores, macro_f1, middle, resample

Floats = NDArray[np.float32]
Codes = NDArray[np.int8]


def compare(
    probabilities: Mapping[str, Floats],
    others: Mapping[str, Floats],
    labels: Mapping[str, Codes],
) -> dict[str, dict[str, Any]]:
    """Set two models side by side, for every tag that has labels.

    Paired bootstrap: both models are measured on the same posts drawn with replacement, so that
    what makes a draw hard for both does not blur the difference. Source: Efron and Tibshirani,
    "An Introduction to the Bootstrap" (1993).

    Args:
        probabilities: of one model, per tag an array (n, labels).
        others: of the other, for the same posts in the same order.
        labels: per tag the true labels, -1 where there is none.

    Returns:
        Per tag: `posts`, `macro_f1` of the one, of the `other`, their `difference` (above 0 where
        the one is better) and its 95 % `interval`.
    """
    chosen, chosen_by_other = most_probable(probabilities), most_probable(others)
    compared = {}
    for tag in TAGS:
        rows = labels[tag] >= 0
        if rows.any():
            compared[tag] = _compare(
                labels[tag][rows], chosen[tag][rows], chosen_by_other[tag][rows], len(LABELS[tag])
            )
    return compared


def _compare(
    true: Codes, one: NDArray[np.intp], other: NDArray[np.intp], labels: int
) -> dict[str, Any]:
    """Compare the labels that two models chose."""
    kinds = (true.astype(np.int64) * labels + one) * labels + other
    counts = np.bincount(kinds, minlength=labels**3).reshape((labels,) * 3)
    draws = resample(counts)
    present = counts.sum(axis=(1, 2)) > 0
    of_one = f1_scores(draws.sum(axis=3))[:, present].mean(axis=1)
    of_other = f1_scores(draws.sum(axis=2))[:, present].mean(axis=1)
    scores = [macro_f1(confusion(true, chosen, labels)) for chosen in (one, other)]
    return {
        "posts": len(true),
        "macro_f1": scores[0],
        "other": scores[1],
        "difference": scores[0] - scores[1],
        "interval": middle(of_one - of_other),
    }
