"""Which posts a training reads, in which order, and what their labels weigh."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmure.training.batches import class_weights, deal, draw, label_weights, repeat
from murmure.training.corpora import Corpora
from murmure.training.labels import MISSING
from tests.training.tiny import make_posts


def corpora_of(names: list[str], labels: list[int], *, weak: bool = False) -> Corpora:
    count = len(names)
    from murmure.schema import TAGS

    return Corpora(
        texts=["x"] * count,
        corpus=np.array(names),
        origin=np.array(names),
        key=np.array([str(row) for row in range(count)]),
        draw=np.full(count, "source"),
        validation=np.zeros(count, bool),
        labels={tag: np.array(labels, np.int8) for tag in TAGS},
        weak={tag: np.full(count, weak) for tag in TAGS},
    )


KNOBS = {"sponsored": {"balance": 0.0, "others": 0.25, "weak": 0.5, "weights": {"near": 0.75}}}


def test_labels_of_other_corpora_and_derived_ones_weigh_less() -> None:
    posts = corpora_of(["target", "else", "else"], [0, 1, MISSING])
    weights = label_weights(posts, ["sponsored"], target="target", settings=KNOBS)
    assert weights["sponsored"].tolist() == [1.0, 0.25, 0.0]
    posts = corpora_of(["target", "else"], [0, 1], weak=True)
    weights = label_weights(posts, ["sponsored"], target="target", settings=KNOBS)
    assert weights["sponsored"].tolist() == [0.5, 0.125]


def test_labels_of_a_corpus_named_weigh_what_is_said() -> None:
    posts = corpora_of(["near", "else", "target"], [0, 1, 1])
    weights = label_weights(posts, ["sponsored"], target="target", settings=KNOBS)
    assert weights["sponsored"].tolist() == [0.75, 0.25, 1.0]


@given(st.lists(st.integers(0, 2), min_size=1, max_size=50), st.floats(0, 1))
def test_class_weights_leave_the_average_post_at_one(labels: list[int], balance: float) -> None:
    codes = np.array(labels, np.int8)
    weights = class_weights(codes, "sentiment", balance=balance)
    assert weights[codes].mean() == pytest.approx(1, rel=1e-4)
    counts = np.bincount(codes, minlength=3)
    rarest, commonest = np.argmin(np.where(counts, counts, 99)), np.argmax(counts)
    assert weights[rarest] >= weights[commonest] - 1e-6


def test_a_higher_temperature_favours_small_corpora() -> None:
    corpus = np.array(["large"] * 900 + ["small"] * 100)

    def share(temperature: float) -> float:
        rows = draw(corpus, posts=2000, temperature=temperature, weights={}, seed=0)
        return float((corpus[rows] == "small").mean())

    assert share(1.0) == pytest.approx(0.1, abs=0.03)
    assert share(2.0) == pytest.approx(0.25, abs=0.03)


def test_weights_of_single_corpora_count_in_the_draw() -> None:
    corpus = np.array(["a"] * 100 + ["b"] * 100)
    rows = draw(corpus, posts=1000, temperature=1.0, weights={"a": 0.0}, seed=0)
    assert set(corpus[rows]) == {"b"}
    assert not len(draw(corpus, posts=9, temperature=1.0, weights={"a": 0.0, "b": 0.0}, seed=0))


def test_no_post_is_drawn_twice_before_all_of_its_corpus_came_once() -> None:
    corpus = np.array(["a"] * 10 + ["b"] * 200)
    rows = draw(corpus, posts=150, temperature=5.0, weights={}, seed=3)
    times = np.bincount(rows, minlength=len(corpus))
    assert times[:10].min() >= 1
    assert times[:10].max() - times[:10].min() <= 1
    assert times[10:].max() == 1


@given(st.integers(1, 40), st.floats(0, 4), st.integers(0, 5))
def test_every_post_comes_as_often_as_the_epochs_say(count: int, epochs: float, seed: int) -> None:
    order = repeat(np.arange(count), epochs=epochs, seed=seed)
    assert len(order) == round(count * epochs)
    times = np.bincount(order, minlength=count)
    assert times.max() - times.min() <= 1


@given(st.lists(st.integers(1, 60), min_size=1, max_size=200), st.integers(1, 9))
def test_batches_hold_every_post_once_and_are_the_same_each_time(
    lengths: list[int], size: int
) -> None:
    order = np.random.default_rng(1).permutation(len(lengths))
    batches = deal(order, np.array(lengths), size=size, seed=2)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(lengths)))
    assert max(len(batch) for batch in batches) <= size
    again = deal(order, np.array(lengths), size=size, seed=2)
    assert all((one == two).all() for one, two in zip(batches, again, strict=True))


def test_batches_are_of_alike_lengths() -> None:
    lengths = np.random.default_rng(0).integers(1, 100, 640)
    batches = deal(np.arange(640), lengths, size=20, seed=0)
    padding = sum(lengths[batch].max() * len(batch) for batch in batches) / lengths.sum()
    assert padding < 1.15


def test_posts_are_read_as_padded_tokens() -> None:
    posts = make_posts(["awful machine", "lovely"], sentiment=[0, 2])
    ids, mask = posts.read(np.array([1, 0]))
    assert ids.shape == mask.shape == (2, 4)
    assert mask.sum(dim=1).tolist() == [3, 4]
    assert ids[0, -1] == 1  # the padding


def test_a_text_longer_than_the_model_is_cut() -> None:
    posts = make_posts(["machine " * 5000], sentiment=[0])
    ids, _ = posts.read(np.array([0]))
    assert ids.shape == (1, 16)
    assert posts.lengths.tolist() == [16 * 12]
