"""Figures of parts of the posts, on labels and mistakes placed by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from murmure.schema import LABELS, TAGS
from murmure.training import slices

FRENCH, ENGLISH = 0, 1


def blank(posts: int) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.int8]]]:
    """Probabilities that say the last label, and no true label."""
    tables = {tag: np.zeros((posts, len(LABELS[tag])), np.float32) for tag in TAGS}
    for table in tables.values():
        table[:, -1] = 1
    return tables, {tag: np.full(posts, -1, np.int8) for tag in TAGS}


def sentiments(
    true: list[int], chosen: list[int]
) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.int8]]]:
    tables, labels = blank(len(true))
    tables["sentiment"] = np.eye(3, dtype=np.float32)[chosen]
    labels["sentiment"] = np.array(true, np.int8)
    return tables, labels


def test_a_slice_counts_the_labels_that_enough_of_its_posts_have() -> None:
    # One lone neutral post, read wrongly, says nothing of the slice.
    tables, labels = sentiments([0] * 30 + [2] * 20 + [1], [0] * 30 + [2] * 20 + [0])
    found = slices.by_slice(tables, labels, np.full(51, "forum"))
    assert list(found) == ["forum"]
    assert list(found["forum"]) == ["sentiment"]
    scores = found["forum"]["sentiment"]
    assert scores["posts"] == 51
    assert scores["labels"] == {"negative": 30, "positive": 20}
    assert scores["macro_f1"] == pytest.approx((60 / 61 + 1) / 2)
    low, high = scores["interval"]
    assert low < scores["macro_f1"] < high == 1


@pytest.mark.parametrize(
    ("true", "names"),
    [
        ([0, 2] * 24 + [0], ["forum"] * 49),  # too few posts
        ([0] * 60, ["forum"] * 60),  # one label alone
        ([0] * 60 + [2] * 9, ["forum"] * 69),  # the other too rare
        ([-1] * 60, ["forum"] * 60),  # no label
        ([0, 2] * 30, [""] * 60),  # of no slice
    ],
)
def test_what_is_too_little_to_tell_makes_no_slice(true: list[int], names: list[str]) -> None:
    tables, labels = sentiments(true, [max(code, 0) for code in true])
    assert slices.by_slice(tables, labels, np.array(names)) == {}


def test_the_worst_slice_is_the_one_that_was_spoilt() -> None:
    true = [0, 1, 2] * 100
    names = np.array([("forum", "shop", "video")[post // 100] for post in range(300)])
    chosen = [2 - code if name == "shop" else code for code, name in zip(true, names, strict=True)]
    tables, labels = sentiments(true, chosen)
    origins = slices.by_slice(tables, labels, names)
    (worst,) = slices.worst({"language": {}, "origin": origins}).values()
    assert (worst["by"], worst["slice"]) == ("origin", "shop")
    assert worst["macro_f1"] == pytest.approx(1 / 3)
    assert origins["forum"]["sentiment"]["macro_f1"] == 1


def gap_of(french_wrong: float, posts: int = 600, seed: int = 0) -> dict[str, Any]:
    random = np.random.default_rng(seed)
    true = random.integers(0, 3, posts)
    spoken = np.arange(posts) % 2
    wrong = random.random(posts) < np.where(spoken == FRENCH, french_wrong, 0.2)
    tables, labels = sentiments(true.tolist(), np.where(wrong, (true + 1) % 3, true).tolist())
    return slices.gap(tables, labels, spoken)


def test_the_gap_is_below_zero_where_french_is_read_worse() -> None:
    found = gap_of(0.4)["sentiment"]
    assert found["labels"] == ["negative", "neutral", "positive"]
    assert found["difference"] == pytest.approx(found["fr"] - found["en"])
    assert found["difference"] == pytest.approx(-0.2, abs=0.07)
    low, high = found["interval"]
    assert low < found["difference"] < high < 0


def test_the_interval_of_no_gap_holds_zero_most_of_the_time() -> None:
    held = 0
    for seed in range(40):
        low, high = gap_of(0.2, seed=seed)["sentiment"]["interval"]
        held += low <= 0 <= high
    assert 34 <= held <= 40


def test_the_gap_is_over_labels_with_fifty_posts_in_each_language() -> None:
    # 60 positive posts in French, 40 in English: not counted, however well they are read.
    true = [0] * 60 + [1] * 60 + [2] * 60 + [0] * 60 + [1] * 60 + [2] * 40
    spoken = np.array([FRENCH] * 180 + [ENGLISH] * 160)
    tables, labels = sentiments(true, true)
    assert slices.gap(tables, labels, spoken)["sentiment"]["labels"] == ["negative", "neutral"]
    assert slices.gap(tables, labels, np.zeros(340, int)) == {}


def test_a_posts_language_is_the_labelled_one_or_else_the_tagged_one() -> None:
    tables, labels = blank(3)
    tables["language"] = np.eye(4, dtype=np.float32)[[ENGLISH, ENGLISH, FRENCH]]
    labels["language"] = np.array([FRENCH, -1, -1], np.int8)
    spoken = slices.spoken(tables, labels)
    assert slices.name_languages(spoken).tolist() == ["fr", "en", "fr"]
