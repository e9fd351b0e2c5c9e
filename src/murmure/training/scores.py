"""How right a model is: macro-F1, per-label scores, calibration error, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murmure.schema import LABELS, TAGS
from murmure.tagging.columns import most_probable

Floats = NDArray[np.float32]
Codes = NDArray[np.int8]

_BINS = 15
_DRAWS = 1000


def confusion(true: NDArray[Any], chosen: NDArray[Any], labels: int) -> NDArray[np.int64]:
    """Count posts by true label (rows) and chosen label (columns)."""
    pairs = true.astype(np.int64) * labels + chosen
    return np.bincount(pairs, minlength=labels * labels).reshape(labels, labels)


def f1_scores(table: NDArray[Any]) -> NDArray[np.float64]:
    """Give each label's F1 from confusions (..., labels, labels); 0 where nothing is right.

    Example:
        >>> f1_scores(np.array([[8, 2], [0, 5]])).round(3)
        array([0.889, 0.833])
    """
    right = np.diagonal(table, axis1=-2, axis2=-1)
    either = table.sum(axis=-1) + table.sum(axis=-2)
    return np.where(either > 0, 2 * right / np.maximum(either, 1), 0.0)


def macro_f1(table: NDArray[Any]) -> float:
    """Average the F1 of the labels that some post has."""
    return float(f1_scores(table)[table.sum(axis=1) > 0].mean())


def calibration_error(scores: Floats, right: NDArray[np.bool_]) -> float:
    """Give the expected calibration error over 15 bins of equal mass.

    Args:
        scores: the probability of the chosen label.
        right: whether it was right.

    Source: Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian
    Binning" (AAAI 2015), with quantile bins.
    """
    order = np.argsort(scores, kind="stable")
    bins = [rows for rows in np.array_split(order, _BINS) if len(rows)]
    gaps = [len(rows) * abs(scores[rows].mean() - right[rows].mean()) for rows in bins]
    return float(sum(gaps) / len(order))


def interval(true: Codes, chosen: NDArray[Any], labels: int, *, seed: int = 0) -> list[float]:
    """Give the 95 % bootstrap interval of macro-F1, over posts drawn with replacement."""
    random = np.random.default_rng(seed)
    counts = confusion(true, chosen, labels)
    draws = random.multinomial(len(true), (counts / counts.sum()).ravel(), size=_DRAWS)
    tables = draws.reshape(_DRAWS, labels, labels)
    present = counts.sum(axis=1) > 0
    scores = f1_scores(tables)[:, present].mean(axis=1)
    return [float(bound) for bound in np.quantile(scores, [0.025, 0.975])]


def measure(
    probabilities: Mapping[str, Floats], labels: Mapping[str, Codes]
) -> dict[str, dict[str, Any]]:
    """Measure every tag that has labels.

    Args:
        probabilities: per tag an array (n, labels).
        labels: per tag the true labels, -1 where there is none.

    Returns:
        Per tag: `posts`, `macro_f1`, its `interval`, `calibration_error`, `labels` with
        precision, recall, F1 and posts of each, and the `confusion`.
    """
    chosen = most_probable(probabilities)
    return {
        tag: _measure_tag(tag, probabilities[tag], chosen[tag], labels[tag])
        for tag in TAGS
        if (labels[tag] >= 0).any()
    }


def _measure_tag(tag: str, table: Floats, chosen: NDArray[np.intp], true: Codes) -> dict[str, Any]:
    labelled = true >= 0
    table, chosen, true = table[labelled], chosen[labelled], true[labelled]
    counts = confusion(true, chosen, len(LABELS[tag]))
    score = np.take_along_axis(table, chosen[:, None], axis=1)[:, 0]
    f1 = f1_scores(counts)
    predicted, present = counts.sum(axis=0), counts.sum(axis=1)
    return {
        "posts": len(true),
        "macro_f1": macro_f1(counts),
        "interval": interval(true, chosen, len(LABELS[tag])),
        "calibration_error": calibration_error(score, chosen == true),
        "labels": {
            name: {
                "precision": float(counts[row, row] / predicted[row]) if predicted[row] else None,
                "recall": float(counts[row, row] / present[row]) if present[row] else None,
                "f1": float(f1[row]) if present[row] else None,
                "posts": int(present[row]),
            }
            for row, name in enumerate(LABELS[tag])
        },
        "confusion": counts.tolist(),
    }
