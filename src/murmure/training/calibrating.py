"""Fitting of calibrations and abstention thresholds on out-of-fold logits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from murmure.tagging.calibration import VectorScaling

Floats = NDArray[np.float32]

# How firmly scales stay near those of all languages together; few posts do not move them far.
_FIRMNESS = 2e-3


def fit_scaling(
    logits: Floats,
    labels: NDArray[np.int8],
    *,
    balance: float = 0.0,
    weights: Floats | None = None,
    near: VectorScaling | None = None,
) -> VectorScaling:
    """Fit scales and shifts by maximum likelihood.

    Args:
        logits: of shape (n, labels).
        labels: of shape (n,).
        balance: 0 is calibrated; above it, rare labels gain probability.
        weights: of shape (n,), if posts weigh differently.
        near: the fit to stay near.
    """
    classes = logits.shape[1]
    start = near or VectorScaling((1.0,) * classes, (0.0,) * classes)
    centre = np.concatenate([start.scale, start.shift])
    weight = np.ones(len(labels)) if weights is None else weights.astype(float)
    shares = np.maximum(np.bincount(labels, weight, minlength=classes) / weight.sum(), 1e-3)
    weight = weight * (1 / shares[labels]) ** balance
    weight /= weight.sum()
    scores = logits.astype(float)
    rows = np.arange(len(labels))

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scale, shift = parameters[:classes], parameters[classes:]
        scaled = scores * scale + shift
        scaled -= scaled.max(axis=1, keepdims=True)
        logs = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        error = np.exp(logs)
        error[rows, labels] -= 1
        error *= weight[:, None]
        away = parameters - centre
        value = -(weight * logs[rows, labels]).sum() + _FIRMNESS * (away**2).sum()
        slope = np.concatenate([(error * scores).sum(axis=0), error.sum(axis=0)])
        return float(value), slope + 2 * _FIRMNESS * away

    bounds = [(0.05, 20.0)] * classes + [(-20.0, 20.0)] * classes
    best = minimize(loss, centre, jac=True, method="L-BFGS-B", bounds=bounds).x
    return VectorScaling(tuple(best[:classes].tolist()), tuple(best[classes:].tolist()))


def fit_languages(
    logits: Floats,
    labels: NDArray[np.int8],
    languages: NDArray[np.str_],
    *,
    balance: float,
) -> dict[str, VectorScaling]:
    """Fit a tag for all languages, then near that fit for French and for English."""
    fits = {"any": fit_scaling(logits, labels, balance=balance)}
    for language in ("fr", "en"):
        rows = languages == language
        fits[language] = fits["any"]
        if rows.any():
            fits[language] = fit_scaling(
                logits[rows], labels[rows], balance=balance, near=fits["any"]
            )
    return fits


def fit_threshold(scores: Floats, right: NDArray[np.bool_]) -> float:
    """Give the score below which a model is wrong more often than right; 0 if there is none."""
    order = np.argsort(scores)
    accuracy = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    below = np.flatnonzero(accuracy < 0.5)
    return float(scores[order][below[-1]]) if len(below) else 0.0
