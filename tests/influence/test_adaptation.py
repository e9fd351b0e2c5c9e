"""Adapted prevalences: against plain expectation-maximisation, and on mixtures that are known."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from murmure.influence.adaptation import adapt, expect


def plain(posts: np.ndarray, likelihoods: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Saerens, Latinne and Decaestecker (2002), post by post."""
    found = start
    for _ in range(5000):
        posteriors = likelihoods[posts] * found
        posteriors /= posteriors.sum(axis=1, keepdims=True)
        found = posteriors.mean(axis=0)
    return found


def test_histograms_give_what_posts_one_by_one_give() -> None:
    generator = np.random.default_rng(3)
    likelihoods = generator.dirichlet(np.ones(12), 3).T
    posts = generator.choice(12, 300, p=likelihoods @ np.array([0.2, 0.5, 0.3]))
    start = np.full(3, 1 / 3)
    histogram = np.bincount(posts, minlength=12)[None].astype(float)
    expected = plain(posts, likelihoods, start)
    np.testing.assert_allclose(adapt(histogram, likelihoods, start)[0], expected, atol=1e-3)


def test_a_mix_far_from_the_calibration_s_is_found() -> None:
    likelihoods = np.array([[0.7, 0.1, 0.1], [0.2, 0.8, 0.2], [0.1, 0.1, 0.7]])
    mix = np.array([0.02, 0.08, 0.9])
    found = adapt((likelihoods @ mix)[None] * 1e6, likelihoods, np.full(3, 1 / 3))
    np.testing.assert_allclose(found[0], mix, atol=2e-3)


@settings(max_examples=50)
@given(
    histogram=st.lists(st.integers(0, 50), min_size=6, max_size=6),
    seed=st.integers(0, 1000),
)
def test_prevalences_sum_to_one_and_expected_posts_to_all(histogram: list[int], seed: int) -> None:
    likelihoods = np.random.default_rng(seed).dirichlet(np.ones(6), 3).T + 1e-9
    histograms = np.array([histogram], float)
    found = adapt(histograms, likelihoods, np.full(3, 1 / 3))
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)
    np.testing.assert_allclose(expect(histograms, likelihoods, found).sum(), sum(histogram))


def test_slices_do_not_touch_each_other() -> None:
    generator = np.random.default_rng(1)
    likelihoods = generator.dirichlet(np.ones(8), 4).T
    histograms = generator.integers(0, 30, (20, 8)).astype(float)
    together = adapt(histograms, likelihoods, np.full(4, 0.25))
    alone = [adapt(row[None], likelihoods, np.full(4, 0.25))[0] for row in histograms]
    np.testing.assert_allclose(together, alone, atol=1e-9)
