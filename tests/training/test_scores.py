"""The measures, beside those of scikit-learn, and calibration errors known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from murmure.schema import LABELS, TAGS
from murmure.training.scores import (
    brier_score,
    calibration_error,
    confusion,
    f1_scores,
    interval,
    log_loss,
    macro_f1,
    macro_recall,
    measure,
)

sklearn_metrics = pytest.importorskip("sklearn.metrics", reason="needs the extra dev or train")


@pytest.mark.parametrize("seed", range(5))
def test_confusion_and_f1_are_those_of_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    true = random.integers(0, 4, 100).astype(np.int8)
    chosen = np.where(random.random(100) < 0.5, true, random.integers(0, 5, 100))
    table = confusion(true, chosen, 5)
    names = list(range(5))
    assert (table == sklearn_metrics.confusion_matrix(true, chosen, labels=names)).all()
    expected = sklearn_metrics.f1_score(true, chosen, labels=names, average=None, zero_division=0)
    assert f1_scores(table) == pytest.approx(expected)
    # The label 4 is chosen but no post has it: it lowers no average.
    assert macro_f1(table) == pytest.approx(expected[:4].mean())


@pytest.mark.parametrize(
    ("scores", "right", "error"),
    [
        ([0.8] * 150, [True, True, True, True, False] * 30, 0.0),
        ([1.0] * 30, [False] * 30, 1.0),
        ([0.9] * 150, [True] * 150, 0.1),
        # Wrong in both directions: the gaps of the bins do not cancel out.
        ([0.9] * 80 + [0.3] * 70, [False] * 80 + [True] * 70, (80 * 0.9 + 70 * 0.7) / 150),
        ([0.5], [True], 0.5),
    ],
)
def test_calibration_error_is_what_it_is_by_hand(
    scores: list[float], right: list[bool], error: float
) -> None:
    found = calibration_error(np.array(scores, np.float32), np.array(right))
    assert found == pytest.approx(error, abs=1e-6)


def test_calibrated_scores_have_a_small_error_and_sure_ones_a_large_one() -> None:
    random = np.random.default_rng(0)
    scores = random.random(20_000).astype(np.float32)
    right = random.random(20_000) < scores
    assert calibration_error(scores, right) < 0.02
    assert calibration_error(np.sqrt(scores), right) > 0.15


def test_an_interval_holds_the_score_and_narrows_with_more_posts() -> None:
    random = np.random.default_rng(0)
    widths = []
    for posts in (100, 10_000):
        true = random.integers(0, 3, posts).astype(np.int8)
        chosen = np.where(random.random(posts) < 0.8, true, random.integers(0, 3, posts))
        low, high = interval(true, chosen, 3)
        assert low < macro_f1(confusion(true, chosen, 3)) < high
        widths.append(high - low)
    assert widths[0] == pytest.approx(10 * widths[1], rel=0.4)


def test_only_labelled_posts_and_tags_are_measured() -> None:
    random = np.random.default_rng(0)
    tables = {
        tag: random.dirichlet(np.ones(len(LABELS[tag])), 4).astype(np.float32) for tag in TAGS
    }
    tables["sentiment"] = np.eye(3, dtype=np.float32)[[0, 1, 2, 2]]
    labels = {tag: np.full(4, -1, np.int8) for tag in TAGS}
    labels["sentiment"] = np.array([0, 1, -1, 1], np.int8)
    measured = measure(tables, labels)
    assert list(measured) == ["sentiment"]
    found = measured["sentiment"]
    assert found["posts"] == 3
    assert found["confusion"] == [[1, 0, 0], [0, 1, 1], [0, 0, 0]]
    assert found["macro_f1"] == pytest.approx((1 + 2 / 3) / 2)
    assert found["labels"]["neutral"] == {
        "precision": 1.0,
        "recall": 0.5,
        "f1": pytest.approx(2 / 3),
        "posts": 2,
    }
    assert found["labels"]["positive"] == {
        "precision": 0.0,
        "recall": None,
        "f1": None,
        "posts": 0,
    }


@pytest.mark.parametrize("seed", range(3))
def test_recall_brier_score_and_log_loss_are_those_of_scikit_learn(seed: int) -> None:
    random = np.random.default_rng(seed)
    table = random.dirichlet(np.ones(3), 200).astype(np.float32)
    true = random.integers(0, 3, 200).astype(np.int8)
    chosen = table.argmax(axis=1)
    assert macro_recall(confusion(true, chosen, 3)) == pytest.approx(
        sklearn_metrics.balanced_accuracy_score(true, chosen)
    )
    assert brier_score(table, true) == pytest.approx(
        sum(sklearn_metrics.brier_score_loss(true == code, table[:, code]) for code in range(3)),
        abs=1e-6,
    )
    assert log_loss(table, true) == pytest.approx(
        sklearn_metrics.log_loss(true, table.astype(float) / table.sum(axis=1, keepdims=True)),
        rel=1e-4,
    )


def test_a_sure_mistake_is_bad_and_not_infinitely_so() -> None:
    table = np.array([[1, 0, 0]], np.float32)
    assert brier_score(table, np.array([1], np.int8)) == 2
    assert log_loss(table, np.array([1], np.int8)) == pytest.approx(np.log(1e6))
    assert macro_recall(np.array([[0, 3, 0], [0, 0, 0], [0, 0, 2]])) == 0.5
