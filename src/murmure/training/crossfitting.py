"""Calibrating by the folds: every post's probabilities come from fits that never saw it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from murmure.schema import LABELS, TAGS
from murmure.tagging.calibration import Calibration, VectorScaling
from murmure.tagging.columns import most_probable
from murmure.training.calibrating import fit_languages, fit_mixture, fit_threshold
from murmure.training.corpora import Corpora
from murmure.training.labels import MISSING

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Mixture = dict[str, tuple[float, float]]


def calibrate(
    logits: Mapping[str, Floats],
    measured: Corpora,
    *,
    language: VectorScaling,
    balance: Mapping[str, float],
    disclosed: Mask,
    spread: float | None = None,
    rows: Mask | None = None,
) -> Calibration:
    """Fit every tag but language, on posts drawn at random within their source.

    Posts sought out because they are hard would bias it.

    Args:
        logits: out of fold, per tag an array (posts, labels); language's calibrated already
            by `language`.
        measured: the posts, with their labels.
        language: the fit of the language tag, which is trained apart.
        balance: per tag, as `fit_scaling` takes it.
        disclosed: whether the rules found a disclosure in each post.
        spread: as `fit_languages` takes it.
        rows: fit on these alone.
    """
    drawn = measured.draw == "source"
    if rows is not None:
        drawn = drawn & rows
    names = np.array(LABELS["language"])
    spoken = np.asarray(names[np.argmax(logits["language"], axis=1)], np.str_)
    fits: dict[str, dict[str, VectorScaling]] = {"language": {"any": language}}
    for tag in TAGS[1:]:
        chosen = drawn & (measured.labels[tag] != MISSING)
        fits[tag] = fit_languages(
            logits[tag][chosen],
            measured.labels[tag][chosen],
            spoken[chosen],
            balance=balance[tag],
            spread=spread,
        )
    right = measured.labels["sponsored"][drawn & disclosed] == LABELS["sponsored"].index("yes")
    # Laplace's rule of succession: how often a disclosure that the rules find is one.
    return Calibration(fits, float((right.sum() + 1) / (len(right) + 2)))


def calibrate_across(
    logits: Mapping[str, Floats],
    measured: Corpora,
    folds: NDArray[np.int64],
    *,
    language: VectorScaling,
    balance: Mapping[str, float],
    disclosed: Mask,
    spread: float | None = None,
    rows: Mask | None = None,
) -> dict[str, Floats]:
    """Calibrate each fold by the others, so that the calibration too is measured out of fold.

    Takes what `calibrate` takes, and the `folds` of the posts.
    """
    fitted = np.ones(len(folds), np.bool_) if rows is None else rows
    probabilities = {tag: np.zeros_like(table) for tag, table in logits.items()}
    for fold in np.unique(folds):
        held = folds == fold
        calibration = calibrate(
            logits,
            measured,
            language=language,
            balance=balance,
            disclosed=disclosed,
            spread=spread,
            rows=fitted & ~held,
        )
        told = {tag: table[held] for tag, table in logits.items()}
        for tag, table in calibration(told, disclosed=disclosed[held]).items():
            probabilities[tag][held] = table
    return probabilities


def mix(
    logits: Mapping[str, Floats], companion: Mapping[str, Floats], mixture: Mixture
) -> dict[str, Floats]:
    """Weigh an encoder's logits with a companion's log-probabilities, tag by tag."""
    return {
        tag: np.asarray(share * logits[tag] + other * companion[tag], np.float32)
        for tag, (share, other) in mixture.items()
    }


def fit_mixtures(
    logits: Mapping[str, Floats],
    companion: Mapping[str, Floats],
    measured: Corpora,
    *,
    rows: Mask | None = None,
) -> Mixture:
    """Fit how much the encoder and its companion count, by tag, on out-of-fold logits of both."""
    mixture = {}
    for tag, table in logits.items():
        chosen = measured.labels[tag] != MISSING
        if rows is not None:
            chosen &= rows
        mixture[tag] = fit_mixture(
            table[chosen], companion[tag][chosen], measured.labels[tag][chosen]
        )
    return mixture


def fit_thresholds(
    probabilities: Mapping[str, Floats], measured: Corpora, *, rows: Mask | None = None
) -> dict[str, float]:
    """Give each tag's score below which the model is wrong more often than right.

    Args:
        probabilities: out of fold, per tag an array (posts, labels).
        measured: the posts; those not drawn at random count for nothing.
        rows: fit on these alone.
    """
    drawn = measured.draw == "source"
    if rows is not None:
        drawn = drawn & rows
    chosen = most_probable(probabilities)
    thresholds = {}
    for tag in TAGS:
        some = drawn & (measured.labels[tag] != MISSING)
        scores = np.take_along_axis(probabilities[tag], chosen[tag][:, None], axis=1)[:, 0]
        right = chosen[tag] == measured.labels[tag]
        thresholds[tag] = round(fit_threshold(scores[some], right[some]), 4)
    return thresholds
