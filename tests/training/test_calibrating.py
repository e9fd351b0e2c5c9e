"""Fits of calibrations: known scales are found again from labels drawn by them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from murmure.tagging.calibration import VectorScaling
from murmure.training.calibrating import fit_languages, fit_scaling, fit_threshold

TRUE = VectorScaling((0.5, 1.5, 1.0), (0.4, -0.4, 0.0))


def draw(
    fit: VectorScaling, posts: int, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Logits, and labels that are as probable as the fit says."""
    random = np.random.default_rng(seed)
    logits = random.normal(scale=2, size=(posts, 3)).astype(np.float32)
    edges = fit(logits).cumsum(axis=1)
    labels = (random.random((posts, 1)) > edges[:, :-1]).sum(axis=1)
    return logits, labels.astype(np.int8)


def test_known_scales_and_shifts_are_recovered() -> None:
    logits, labels = draw(TRUE, 20_000)
    found = fit_scaling(logits, labels)
    assert found.scale == pytest.approx(TRUE.scale, abs=0.1)
    # A shift common to all labels changes nothing.
    shift = np.array(found.shift) - np.mean(found.shift)
    assert shift == pytest.approx(np.array(TRUE.shift), abs=0.1)


def test_no_post_of_a_language_leaves_the_common_fit() -> None:
    logits, labels = draw(TRUE, 500)
    fits = fit_languages(logits, labels, np.full(500, "fr"), balance=0.0)
    assert fits["en"].scale == pytest.approx(fits["any"].scale)
    assert fits["en"].shift == pytest.approx(fits["any"].shift)


def test_balance_gives_probability_to_rare_labels() -> None:
    logits, labels = draw(VectorScaling((1.0, 1.0, 1.0), (2.0, 0.0, -1.0)), 5000)
    plain, balanced = (fit_scaling(logits, labels, balance=b)(logits) for b in (0.0, 0.7))
    shares = np.bincount(labels, minlength=3) / len(labels)
    assert plain.mean(axis=0) == pytest.approx(shares, abs=0.01)
    assert balanced[:, 2].mean() > plain[:, 2].mean() + 0.03


def test_weights_count_posts_more_than_once() -> None:
    logits, labels = draw(TRUE, 300)
    twice = np.where(labels == 0, np.float32(2), np.float32(1))
    rows = np.repeat(np.arange(300), twice.astype(int))
    weighed, repeated = (
        fit_scaling(logits, labels, weights=twice),
        fit_scaling(logits[rows], labels[rows]),
    )
    assert weighed.scale == pytest.approx(repeated.scale, abs=1e-3)


@pytest.mark.parametrize(
    ("right", "expected"),
    [([True] * 4, 0.0), ([False] * 4, 0.9), ([False, False, True, True], 0.7)],
)
def test_below_the_threshold_a_model_is_wrong_more_often_than_right(
    right: list[bool], expected: float
) -> None:
    scores, order = np.array([0.3, 0.5, 0.7, 0.9], np.float32), [2, 0, 3, 1]
    found = fit_threshold(scores[order], np.array(right)[order])
    assert found == pytest.approx(expected)
    assert not any(np.array(right)[scores < expected])
