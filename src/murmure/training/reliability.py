"""Whether scores mean what they say: how often posts of one score are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murmure.schema import TAGS
from murmure.tagging.columns import most_probable
from murmure.training.scores import BINS

Floats = NDArray[np.float32]
Codes = NDArray[np.int8]

# The 97.5 % point of the normal distribution.
_WIDTH = 1.959963984540054


def wilson(right: int, posts: int) -> list[float]:
    """Give the 95 % interval of a share.

    Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference" (1927).

    Example:
        >>> [round(bound, 3) for bound in wilson(9, 10)]
        [0.596, 0.982]
    """
    share, square = right / posts, _WIDTH**2
    middle = (share + square / (2 * posts)) / (1 + square / posts)
    half = (
        _WIDTH
        / (1 + square / posts)
        * (share * (1 - share) / posts + square / (4 * posts**2)) ** 0.5
    )
    return [max(middle - half, 0.0), min(middle + half, 1.0)]


def bins(scores: Floats, right: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Cut posts into 15 bins of equal mass by their score.

    Args:
        scores: the probability of the chosen label, of shape (n,).
        right: whether it was right, of shape (n,).

    Returns:
        From the lowest scores up, per bin: `posts`, their `low`est, `high`est and mean
        `score`, the share that was `right` and its 95 % `interval`.
    """
    order = np.argsort(scores, kind="stable")
    return [
        {
            "posts": len(rows),
            "low": float(scores[rows[0]]),
            "high": float(scores[rows[-1]]),
            "score": float(scores[rows].mean()),
            "right": float(right[rows].mean()),
            "interval": wilson(int(right[rows].sum()), len(rows)),
        }
        for rows in np.array_split(order, BINS)
        if len(rows)
    ]


def error_of(cut: Sequence[Mapping[str, Any]]) -> float:
    """Give the expected calibration error of bins: what `scores.calibration_error` gives."""
    posts = sum(one["posts"] for one in cut)
    return float(sum(one["posts"] * abs(one["score"] - one["right"]) for one in cut) / posts)


def reliability(
    probabilities: Mapping[str, Floats], labels: Mapping[str, Codes]
) -> dict[str, list[dict[str, Any]]]:
    """Give the bins of every tag that has labels.

    Args:
        probabilities: per tag an array (n, labels).
        labels: per tag the true labels, -1 where there is none.
    """
    chosen = most_probable(probabilities)
    cut = {}
    for tag in TAGS:
        rows = labels[tag] >= 0
        if rows.any():
            scores = np.take_along_axis(probabilities[tag], chosen[tag][:, None], axis=1)[:, 0]
            cut[tag] = bins(scores[rows], (chosen[tag] == labels[tag])[rows])
    return cut


def abstention(
    probabilities: Mapping[str, Floats],
    labels: Mapping[str, Codes],
    thresholds: Mapping[str, float],
) -> dict[str, dict[str, Any]]:
    """Tell of every tag that has labels how often a model abstains, and whether it should.

    Args:
        probabilities: per tag an array (n, labels).
        labels: per tag the true labels, -1 where there is none.
        thresholds: per tag the score below which the model abstains.

    Returns:
        Per tag: `threshold`, `posts`, the share `abstained`, and how often the most probable label
        is right where the model spoke (`right_kept`) and where it abstained (`right_abstained`);
        None where there is no such post.
    """
    chosen = most_probable(probabilities)
    told = {}
    for tag in TAGS:
        rows = labels[tag] >= 0
        if not rows.any():
            continue
        scores = np.take_along_axis(probabilities[tag], chosen[tag][:, None], axis=1)[rows, 0]
        right, below = (chosen[tag] == labels[tag])[rows], scores < thresholds[tag]
        told[tag] = {
            "threshold": thresholds[tag],
            "posts": int(rows.sum()),
            "abstained": float(below.mean()),
            "right_kept": float(right[~below].mean()) if not below.all() else None,
            "right_abstained": float(right[below].mean()) if below.any() else None,
        }
    return told
