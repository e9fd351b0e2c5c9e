"""Fits of calibrations: known scales are found again from labels drawn by them."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from murmure.errors import UsageError
from murmure.tagging.calibration import VectorScaling
from murmure.training.calibrating import (
    fit_languages,
    fit_mixture,
    fit_scaling,
    fit_temperature,
    fit_threshold,
)

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


def test_one_temperature_is_recovered_and_changes_no_label() -> None:
    logits, labels = draw(VectorScaling((0.4,) * 3, (0.0,) * 3), 20_000)
    found = fit_temperature(logits, labels)
    assert found.scale == pytest.approx((0.4,) * 3, abs=0.03)
    assert found.shift == (0.0,) * 3
    assert (found(logits).argmax(axis=1) == logits.argmax(axis=1)).all()


def test_languages_may_share_a_shape_of_one_scale() -> None:
    logits, labels = draw(TRUE, 2000)
    languages = np.where(np.arange(2000) % 2 == 0, "fr", "en")
    for fit in fit_languages(logits, labels, languages, balance=0.0, kind="temperature").values():
        assert len(set(fit.scale)) == 1
        assert set(fit.shift) == {0.0}


def test_a_prior_fades_with_more_posts_and_the_older_penalty_does_not() -> None:
    far = VectorScaling((4.0, 4.0, 4.0), (0.0, 0.0, 0.0))

    def away(posts: int, spread: float | None) -> float:
        logits, labels = draw(far, posts)
        found = fit_scaling(logits, labels, spread=spread)
        return abs(float(np.mean(found.scale)) - 4.0)

    assert away(50_000, 0.5) < 0.15
    assert away(50_000, None) > 1
    # A few posts alone move it little, the less the narrower it is.
    assert away(30, 0.1) > away(30, 1.0) > away(50_000, 1.0)


def test_a_mixture_finds_how_much_each_model_weighs() -> None:
    random = np.random.default_rng(1)
    encoder, companion = random.normal(scale=2, size=(2, 20_000, 3)).astype(np.float32)
    chances = VectorScaling((1.0,) * 3, (0.0,) * 3)(0.8 * encoder + 0.3 * companion)
    drawn = (random.random((20_000, 1)) > chances.cumsum(axis=1)[:, :-1]).sum(axis=1)
    assert fit_mixture(encoder, companion, drawn.astype(np.int8)) == pytest.approx(
        (0.8, 0.3), abs=0.03
    )


def test_a_model_that_knows_nothing_or_the_opposite_weighs_nothing() -> None:
    logits, labels = draw(VectorScaling((1.0,) * 3, (0.0,) * 3), 5000)
    noise = np.random.default_rng(2).normal(size=logits.shape).astype(np.float32)
    a, b = fit_mixture(logits + noise, -logits, labels)
    assert a > 0.5
    assert b == 0
    assert fit_mixture(noise, logits, labels) == pytest.approx((0.0, 1.0), abs=0.1)


def test_a_mixture_counts_posts_by_their_weights() -> None:
    logits, labels = draw(TRUE, 300)
    other = logits[:, ::-1].copy()
    twice = np.where(labels == 0, np.float32(2), np.float32(1))
    rows = np.repeat(np.arange(300), twice.astype(int))
    weighed = fit_mixture(logits, other, labels, weights=twice)
    assert weighed == pytest.approx(fit_mixture(logits[rows], other[rows], labels[rows]), abs=1e-3)
    assert weighed != pytest.approx(fit_mixture(logits, other, labels), abs=1e-2)


@pytest.mark.parametrize(
    ("encoder", "companion", "labels", "told"),
    [
        (np.zeros((2, 3)), np.zeros((2, 2)), [0, 1], "cannot be mixed"),
        (np.zeros((2, 3)), np.zeros((2, 3)), [0], "cannot be mixed"),
        (np.zeros((0, 3)), np.zeros((0, 3)), [], "cannot be mixed"),
        (np.zeros((1, 3)), np.full((1, 3), -np.inf), [0], "must be finite"),
        (np.full((1, 3), np.nan), np.zeros((1, 3)), [0], "must be finite"),
    ],
)
def test_what_cannot_be_mixed_is_refused(
    encoder: NDArray[np.float64], companion: NDArray[np.float64], labels: list[int], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        fit_mixture(
            encoder.astype(np.float32), companion.astype(np.float32), np.array(labels, np.int8)
        )
