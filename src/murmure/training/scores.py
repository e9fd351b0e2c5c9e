"""How right a model is: macro-F1, per-label scores, calibration, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murmure.schema import LABELS, TAGS
from murmure.tagging.columns import most_probable

Floats = NDArray[np.float32]
Codes = NDArray[np.int8]

#: How many bins of equal mass a calibration error is taken over.
BINS = 15
_DRAWS = 1000
_BOUNDS = (0.025, 0.975)
# What a probability counts as at least, so that one sure mistake is not infinitely bad.
_LEAST = 1e-6


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


def recalls(table: NDArray[Any]) -> NDArray[np.float64]:
    """Give each label's recall from confusions (..., labels, labels); 0 where no post has it."""
    right, present = np.diagonal(table, axis1=-2, axis2=-1), table.sum(axis=-1)
    return np.where(present > 0, right / np.maximum(present, 1), 0.0)


def macro_recall(table: NDArray[Any]) -> float:
    """Average the recall of the labels that some post has.

    Source: Barbieri, Camacho-Collados, Espinosa-Anke and Neves, "TweetEval" (Findings of EMNLP
    2020), which ranks sentiment by it.

    Example:
        >>> macro_recall(np.array([[8, 2], [0, 5]]))
        0.9
    """
    return float(recalls(table)[table.sum(axis=1) > 0].mean())


def brier_score(table: Floats, true: Codes) -> float:
    """Give the mean squared distance of probabilities (n, labels) from the truth: 0 to 2.

    Source: Brier, "Verification of Forecasts Expressed in Terms of Probability" (1950).
    """
    truth = np.eye(table.shape[1])[true]
    return float(((table - truth) ** 2).sum(axis=1).mean())


def log_loss(table: Floats, true: Codes) -> float:
    """Give the mean negative log-likelihood, in nats; no probability counts as less than 1e-6."""
    given = np.take_along_axis(table, true[:, None].astype(np.intp), axis=1)[:, 0]
    return float(-np.log(np.maximum(given.astype(float), _LEAST)).mean())


def calibration_error(scores: Floats, right: NDArray[np.bool_]) -> float:
    """Give the expected calibration error over 15 bins of equal mass.

    Args:
        scores: the probability of the chosen label.
        right: whether it was right.

    Source: Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian
    Binning" (AAAI 2015), with quantile bins.
    """
    order = np.argsort(scores, kind="stable")
    bins = [rows for rows in np.array_split(order, BINS) if len(rows)]
    gaps = [len(rows) * abs(scores[rows].mean() - right[rows].mean()) for rows in bins]
    return float(sum(gaps) / len(order))


def resample(counts: NDArray[Any], *, seed: int = 0) -> NDArray[np.int64]:
    """Draw posts with replacement, a thousand times.

    Posts that are alike in what is counted are alike in what is measured, so that drawing from
    the counts is drawing posts.

    Args:
        counts: posts by kind, of any shape.
        seed: of the draws.

    Returns:
        Of shape (draws, *counts.shape).
    """
    random = np.random.default_rng(seed)
    draws = random.multinomial(counts.sum(), (counts / counts.sum()).ravel(), size=_DRAWS)
    return np.asarray(draws.reshape(_DRAWS, *counts.shape), np.int64)


def middle(values: NDArray[np.float64]) -> list[float]:
    """Give the bounds of the middle 95 % of some draws."""
    return [float(bound) for bound in np.quantile(values, _BOUNDS)]


def interval(true: Codes, chosen: NDArray[Any], labels: int, *, seed: int = 0) -> list[float]:
    """Give the 95 % bootstrap interval of macro-F1, over posts drawn with replacement."""
    counts = confusion(true, chosen, labels)
    present = counts.sum(axis=1) > 0
    return middle(f1_scores(resample(counts, seed=seed))[:, present].mean(axis=1))


def measure(
    probabilities: Mapping[str, Floats], labels: Mapping[str, Codes]
) -> dict[str, dict[str, Any]]:
    """Measure every tag that has labels.

    Args:
        probabilities: per tag an array (n, labels).
        labels: per tag the true labels, -1 where there is none.

    Returns:
        Per tag: `posts`, `macro_f1`, its `interval`, `macro_recall` and `macro_recall_interval`,
        `calibration_error`, `brier`, `log_loss`, `labels` with precision, recall, F1 and posts of
        each, and the `confusion` (true labels in rows).
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
        "macro_recall": macro_recall(counts),
        "macro_recall_interval": middle(recalls(resample(counts))[:, present > 0].mean(axis=1)),
        "calibration_error": calibration_error(score, chosen == true),
        "brier": brier_score(table, true),
        "log_loss": log_loss(table, true),
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
