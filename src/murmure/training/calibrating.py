"""Fitting of calibrations, mixtures and abstention thresholds on out-of-fold logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from murmure.errors import UsageError
from murmure.tagging.calibration import VectorScaling

Floats = NDArray[np.float32]
Kind = Literal["vector", "temperature"]

# How firmly scales stay near those of all languages together, as a share of the mean loss: the
# same however many posts there are. The fast model was fitted with it; `spread` is the better way.
_FIRMNESS = 2e-3
# Whatever the posts say, a model is believed a little and not without end.
_SCALES, _SHIFTS = (0.05, 20.0), (-20.0, 20.0)


def fit_scaling(
    logits: Floats,
    labels: NDArray[np.int8],
    *,
    balance: float = 0.0,
    weights: Floats | None = None,
    near: VectorScaling | None = None,
    spread: float | None = None,
) -> VectorScaling:
    """Fit scales and shifts by maximum likelihood.

    Args:
        logits: of shape (n, labels).
        labels: of shape (n,).
        balance: 0 is calibrated; above it, rare labels gain probability.
        weights: of shape (n,), if posts weigh differently.
        near: the fit to stay near; None for scales of 1 and shifts of 0.
        spread: the standard deviation of a Gaussian prior around `near`, which fades as posts
            grow; None for a penalty that does not.
    """
    classes = logits.shape[1]
    centre = _centre(near, classes)
    weight = _weigh(labels, weights, balance, classes)
    mean_loss = _loss(logits, labels, weight)
    bounds = [_SCALES] * classes + [_SHIFTS] * classes
    best = _fit(mean_loss, centre, bounds=bounds, firmness=_firmness(weight, spread))
    return VectorScaling(tuple(best[:classes].tolist()), tuple(best[classes:].tolist()))


def fit_temperature(
    logits: Floats,
    labels: NDArray[np.int8],
    *,
    balance: float = 0.0,
    weights: Floats | None = None,
    near: VectorScaling | None = None,
    spread: float | None = None,
) -> VectorScaling:
    """Fit one scale for all labels, and no shift: the label chosen never changes.

    Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks" (ICML 2017);
    the scale is one over their temperature.

    Args:
        logits: of shape (n, labels).
        labels: of shape (n,).
        balance: 0 is calibrated; above it, rare labels gain probability.
        weights: of shape (n,), if posts weigh differently.
        near: the fit whose scale to stay near.
        spread: as in `fit_scaling`.
    """
    classes = logits.shape[1]
    centre = _centre(near, classes)
    weight = _weigh(labels, weights, balance, classes)
    both = _loss(logits, labels, weight)

    def mean_loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        spread_out = np.concatenate([np.repeat(parameters, classes), np.zeros(classes)])
        value, slope = both(spread_out)
        return value, slope[:classes].sum(keepdims=True)

    firmness = _firmness(weight, spread)
    best = _fit(mean_loss, centre[:1], bounds=[_SCALES], firmness=firmness)
    return VectorScaling((float(best[0]),) * classes, (0.0,) * classes)


def fit_languages(
    logits: Floats,
    labels: NDArray[np.int8],
    languages: NDArray[np.str_],
    *,
    balance: float,
    kind: Kind = "vector",
    spread: float | None = None,
) -> dict[str, VectorScaling]:
    """Fit a tag for all languages, then near that fit for French and for English.

    Args:
        logits: of shape (n, labels).
        labels: of shape (n,).
        languages: of shape (n,), names such as `fr`.
        balance: as in `fit_scaling`.
        kind: a scale and a shift a label, or one scale in all.
        spread: as in `fit_scaling`.
    """
    fit = fit_scaling if kind == "vector" else fit_temperature
    fits = {"any": fit(logits, labels, balance=balance, spread=spread)}
    for language in ("fr", "en"):
        rows = languages == language
        fits[language] = fits["any"]
        if rows.any():
            fits[language] = fit(
                logits[rows], labels[rows], balance=balance, near=fits["any"], spread=spread
            )
    return fits


def fit_mixture(
    encoder: Floats,
    companion: Floats,
    labels: NDArray[np.int8],
    *,
    weights: Floats | None = None,
) -> tuple[float, float]:
    """Fit how much two models' logits weigh: `a * encoder + b * companion`.

    Logarithmic pooling with nonnegative weights by maximum likelihood, a convex problem; Genest
    and Zidek, "Combining Probability Distributions" (Statistical Science, 1986).

    Args:
        encoder: logits of shape (n, labels).
        companion: logits or log-probabilities of shape (n, labels).
        labels: of shape (n,).
        weights: of shape (n,), if posts weigh differently.

    Returns:
        `a` and `b`; 0 for a model that adds nothing to the other.

    Raises:
        UsageError: if there is no post, the shapes differ, or a number is not finite.

    Example:
        >>> sure = np.eye(2, dtype=np.float32)[[0, 1, 0, 1]]
        >>> a, b = fit_mixture(sure * 0, sure, np.array([0, 1, 1, 1], np.int8))
        >>> round(b, 2)  # right three times of four: log 3
        1.1
        >>> fit_mixture(sure, np.full_like(sure, -np.inf), np.array([0, 1, 1, 1], np.int8))
        Traceback (most recent call last):
            ...
        murmure.errors.UsageError: logits to be mixed must be finite; bound probabilities from below
    """
    if encoder.shape != companion.shape or len(labels) != len(encoder) or not len(labels):
        raise UsageError(
            f"logits of shapes {encoder.shape} and {companion.shape} with {len(labels)} labels "
            "cannot be mixed"
        )
    if not (np.isfinite(encoder).all() and np.isfinite(companion).all()):
        raise UsageError("logits to be mixed must be finite; bound probabilities from below")
    classes = encoder.shape[1]
    models = np.stack([encoder, companion]).astype(float)
    rows = np.arange(len(labels))
    weight = _weigh(labels, weights, 0.0, classes)

    def mean_loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logs = _log_softmax(np.tensordot(parameters, models, axes=1))
        error = np.exp(logs)
        error[rows, labels] -= 1
        error *= weight[:, None]
        return float(-(weight * logs[rows, labels]).sum()), (models * error).sum(axis=(1, 2))

    start = np.full(2, 0.5)
    best = _fit(mean_loss, start, bounds=[(0.0, _SCALES[1])] * 2, firmness=0.0)
    return float(best[0]), float(best[1])


def fit_threshold(scores: Floats, right: NDArray[np.bool_]) -> float:
    """Give the score below which a model is wrong more often than right; 0 if there is none."""
    order = np.argsort(scores)
    accuracy = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    below = np.flatnonzero(accuracy < 0.5)
    return float(scores[order][below[-1]]) if len(below) else 0.0


Loss = Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]]


def _centre(near: VectorScaling | None, classes: int) -> NDArray[np.float64]:
    start = near or VectorScaling((1.0,) * classes, (0.0,) * classes)
    return np.concatenate([start.scale, start.shift])


def _weigh(
    labels: NDArray[np.int8], weights: Floats | None, balance: float, classes: int
) -> NDArray[np.float64]:
    """Give weights that sum to 1."""
    weight = np.ones(len(labels)) if weights is None else weights.astype(float)
    shares = np.maximum(np.bincount(labels, weight, minlength=classes) / weight.sum(), 1e-3)
    weight = weight * (1 / shares[labels]) ** balance
    return np.asarray(weight / weight.sum(), float)


def _firmness(weight: NDArray[np.float64], spread: float | None) -> float:
    """Give what a squared distance costs beside the mean loss."""
    if spread is None:
        return _FIRMNESS
    # How many posts of equal weight tell as much (Kish, "Survey Sampling", 1965).
    posts = 1 / (weight**2).sum()
    return float(0.5 / spread**2 / posts)


def _log_softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    scores = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(scores - np.log(np.exp(scores).sum(axis=1, keepdims=True)))


def _loss(logits: Floats, labels: NDArray[np.int8], weight: NDArray[np.float64]) -> Loss:
    """Give the mean loss and its slope, as a function of scales and shifts."""
    scores = logits.astype(float)
    classes, rows = scores.shape[1], np.arange(len(labels))

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logs = _log_softmax(scores * parameters[:classes] + parameters[classes:])
        error = np.exp(logs)
        error[rows, labels] -= 1
        error *= weight[:, None]
        slope = np.concatenate([(error * scores).sum(axis=0), error.sum(axis=0)])
        return float(-(weight * logs[rows, labels]).sum()), slope

    return loss


def _fit(
    mean_loss: Loss,
    centre: NDArray[np.float64],
    *,
    bounds: list[tuple[float, float]],
    firmness: float,
) -> NDArray[np.float64]:
    def penalized(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        value, slope = mean_loss(parameters)
        away = parameters - centre
        return value + firmness * float((away**2).sum()), slope + 2 * firmness * away

    options: dict[str, Any] = {"jac": True, "method": "L-BFGS-B", "bounds": bounds}
    return np.asarray(minimize(penalized, centre, **options).x, float)
