"""Two models on the same posts."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from murmure.schema import LABELS, TAGS
from murmure.training.comparing import compare
from murmure.training.scores import interval

Tables = dict[str, NDArray[np.float32]]


def tables(sentiment: NDArray[np.int64]) -> Tables:
    found = {tag: np.ones((len(sentiment), len(LABELS[tag])), np.float32) for tag in TAGS}
    return found | {"sentiment": np.eye(3, dtype=np.float32)[sentiment]}


def world(posts: int, wrong: float, seed: int) -> tuple[dict[str, NDArray[np.int8]], Tables]:
    random = np.random.default_rng(seed)
    true = random.integers(0, 3, posts)
    chosen = np.where(random.random(posts) < wrong, (true + 1) % 3, true)
    labels = {tag: np.full(posts, -1, np.int8) for tag in TAGS}
    return labels | {"sentiment": true.astype(np.int8)}, tables(chosen)


def test_a_model_beside_itself_differs_by_nothing() -> None:
    labels, one = world(200, 0.3, seed=0)
    assert list(compare(one, one, labels)) == ["sentiment"]
    found = compare(one, one, labels)["sentiment"]
    assert (found["difference"], found["interval"]) == (0, [0, 0])
    assert found["posts"] == 200


def test_swapping_the_models_turns_the_difference_round() -> None:
    labels, one = world(300, 0.1, seed=0)
    other = tables(np.where(np.arange(300) % 4 == 0, 0, labels["sentiment"]))
    there, back = (compare(*models, labels)["sentiment"] for models in ((one, other), (other, one)))
    assert there["macro_f1"] == back["other"]
    assert there["difference"] == pytest.approx(-back["difference"])
    low, high = there["interval"]
    assert [-high, -low] == pytest.approx(back["interval"], abs=0.02)


def test_pairs_tell_more_than_two_intervals_apart() -> None:
    """A model that is right on ten posts more, and else makes the same mistakes."""
    labels, other = world(400, 0.3, seed=1)
    chosen = other["sentiment"].argmax(axis=1)
    mended = np.flatnonzero(chosen != labels["sentiment"])[:10]
    better = chosen.copy()
    better[mended] = labels["sentiment"][mended]
    found = compare(tables(better), other, labels)["sentiment"]
    assert found["difference"] == pytest.approx(0.025, abs=0.01)
    assert found["interval"][0] > 0
    apart = [interval(labels["sentiment"], answer, 3) for answer in (better, chosen)]
    assert apart[0][0] < apart[1][1]  # which overlap
    assert found["interval"][1] - found["interval"][0] < (apart[0][1] - apart[0][0]) / 2


def test_posts_without_a_label_are_left_out() -> None:
    labels, one = world(100, 0.2, seed=2)
    labels["sentiment"][50:] = -1
    found = compare(one, one, labels)["sentiment"]
    assert found["posts"] == 50
