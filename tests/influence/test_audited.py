"""Numbers after an audit: right whatever the model says, and narrower where it says it well."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from murmure.influence.audited import Audited, from_sample


def estimate(said: np.ndarray, sampled: np.ndarray, labels: np.ndarray, **others: Any) -> Audited:
    """Estimate from what was said of all posts, of which some were labelled."""
    return from_sample(said.sum(axis=0), len(said), said[sampled], labels, **others)


def bags(sharpness: float, bias: float, many: int = 400) -> list[tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(7)
    made = []
    for _ in range(many):
        truth = (generator.random(2000) < 0.2).astype(float)
        scores = sharpness * (truth - 0.5) + generator.normal(size=2000) + bias
        made.append((1 / (1 + np.exp(-scores)), truth))
    return made


@pytest.mark.parametrize(("sharpness", "bias"), [(4.0, 0.0), (4.0, 2.0), (0.0, 0.0)])
def test_intervals_cover_whatever_the_model_s_errors(sharpness: float, bias: float) -> None:
    generator = np.random.default_rng(1)
    covered, errors = [], []
    for said, truth in bags(sharpness, bias):
        sampled = generator.choice(len(truth), 300, replace=False)
        found = estimate(said[:, None], sampled, truth[sampled, None])
        covered.append(found.low[0] <= truth.sum() <= found.high[0])
        errors.append(found.estimate[0] - truth.sum())
    assert 0.93 <= np.mean(covered) <= 0.985
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(len(errors))


def test_a_good_model_makes_intervals_narrower_and_a_useless_one_no_wider() -> None:
    widths = {}
    for sharpness in (0.0, 5.0):
        said, truth = bags(sharpness, 0.0, 1)[0]
        sampled = np.arange(300)
        found = estimate(said[:, None], sampled, truth[sampled, None])
        nothing = estimate(np.zeros((2000, 1)), sampled, truth[sampled, None])
        widths[sharpness] = (found.high - found.low)[0] / (nothing.high - nothing.low)[0]
    assert widths[5.0] < 0.7
    assert widths[0.0] < 1.02


def test_who_is_drawn_more_often_counts_for_less() -> None:
    truth = np.concatenate([np.ones(100), np.zeros(900)])
    sampled = np.concatenate([np.arange(50), np.arange(100, 190)])
    weights = np.concatenate([np.full(50, 2.0), np.full(90, 10.0)])
    said = np.zeros((1000, 1))
    found = estimate(said, sampled, truth[sampled, None], weights=weights)
    assert found.estimate[0] == pytest.approx(100)
    assert estimate(said, sampled, truth[sampled, None]).estimate[0] > 300


def test_posts_of_one_author_tell_less_than_those_of_many() -> None:
    truth = np.tile(np.repeat([1.0, 0.0], 10), 50)[:, None]
    said, sampled = np.full((1000, 1), 0.5), np.arange(200)
    each = estimate(said, sampled, truth[:200])
    together = estimate(said, sampled, truth[:200], clusters=np.arange(200) // 10)
    assert (together.high - together.low)[0] > 2 * (each.high - each.low)[0]


def test_the_model_s_estimate_helps_unless_the_labels_speak_against_it() -> None:
    generator = np.random.default_rng(4)
    truth = (generator.random((5000, 1)) < 0.3).astype(float)
    said = np.full((5000, 1), 0.3)
    sampled = generator.choice(5000, 300, replace=False)
    right = (np.array([truth.sum()]), np.array([60.0]))
    wrong = (np.array([4000.0]), np.array([60.0]))
    alone = estimate(said, sampled, truth[sampled])
    helped = estimate(said, sampled, truth[sampled], model=right)
    misled = estimate(said, sampled, truth[sampled], model=wrong)
    assert (helped.high - helped.low)[0] < 0.7 * (alone.high - alone.low)[0]
    assert misled.low[0] <= truth.sum() <= misled.high[0]


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_labels_that_all_say_the_same_leave_a_doubt(label: float) -> None:
    labels = np.full((50, 1), label)
    found = estimate(np.full((1000, 1), label), np.arange(50), labels)
    assert found.estimate[0] == pytest.approx(1000 * label)
    assert (found.high - found.low)[0] > 20
    assert 0 <= found.low[0] <= found.high[0] <= 1000
