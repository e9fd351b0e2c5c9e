"""Bins of scores, what the calibration error makes of them, and abstention."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from murmure.schema import LABELS, TAGS
from murmure.training.reliability import abstention, bins, error_of, reliability, wilson
from murmure.training.scores import calibration_error

SCORES = st.lists(st.tuples(st.floats(0.25, 1, width=32), st.booleans()), min_size=1, max_size=80)


@given(SCORES)
def test_bins_hold_every_post_once_and_give_the_same_calibration_error(
    posts: list[tuple[float, bool]],
) -> None:
    scores = np.array([score for score, _ in posts], np.float32)
    right = np.array([was_right for _, was_right in posts])
    cut = bins(scores, right)
    assert sum(one["posts"] for one in cut) == len(posts)
    assert max(one["posts"] for one in cut) - min(one["posts"] for one in cut) <= 1
    assert error_of(cut) == pytest.approx(calibration_error(scores, right), abs=1e-6)
    for one in cut:
        assert one["low"] - 1e-6 <= one["score"] <= one["high"] + 1e-6
        assert one["interval"][0] - 1e-9 <= one["right"] <= one["interval"][1] + 1e-9
    for lower, higher in pairwise(cut):
        assert lower["high"] <= higher["low"]


@given(st.integers(1, 400), st.data())
def test_an_interval_of_a_share_stays_within_nought_and_one(
    posts: int, data: st.DataObject
) -> None:
    right = data.draw(st.integers(0, posts))
    low, high = wilson(right, posts)
    assert 0 <= low <= right / posts + 1e-9
    assert right / posts - 1e-9 <= high <= 1
    mirrored = wilson(posts - right, posts)
    assert [1 - mirrored[1], 1 - mirrored[0]] == pytest.approx([low, high])


def world(
    score: float, right: int, posts: int
) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.int8]]]:
    """Posts said to be sponsored with one score, of which some are."""
    tables = {tag: np.full((posts, len(LABELS[tag])), 0.5, np.float32) for tag in TAGS}
    tables["sponsored"] = np.tile(np.array([score, 1 - score], np.float32), (posts, 1))
    labels = {tag: np.full(posts, -1, np.int8) for tag in TAGS}
    labels["sponsored"] = (np.arange(posts) >= right).astype(np.int8)
    return tables, labels


def test_only_tags_with_labels_are_cut() -> None:
    tables, labels = world(0.9, 80, 100)
    labels["sponsored"][90:] = -1
    cut = reliability(tables, labels)
    assert list(cut) == ["sponsored"]
    assert sum(one["posts"] for one in cut["sponsored"]) == 90
    assert error_of(cut["sponsored"]) == pytest.approx(
        calibration_error(np.full(90, 0.9, np.float32), labels["sponsored"][:90] == 0)
    )


def test_abstention_tells_how_often_and_whether_the_model_was_right() -> None:
    tables, labels = world(0.9, 80, 100)
    tables["sponsored"][:20] = (0.55, 0.45)
    labels["sponsored"][:15] = 1
    thresholds = dict.fromkeys(TAGS, 0.6)
    found = abstention(tables, labels, thresholds)
    assert list(found) == ["sponsored"]
    assert found["sponsored"] == {
        "threshold": 0.6,
        "posts": 100,
        "abstained": 0.2,
        "right_kept": 0.75,
        "right_abstained": 0.25,
    }
    assert (
        abstention(tables, labels, dict.fromkeys(TAGS, 0.0))["sponsored"]["right_abstained"] is None
    )
    assert abstention(tables, labels, dict.fromkeys(TAGS, 1.0))["sponsored"]["right_kept"] is None
