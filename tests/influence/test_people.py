"""Numbers of people from probabilities of their posts."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murmure.influence.people import EXACT, at_least_one, outnumber


@settings(max_examples=40)
@given(posts=st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 0.5)), min_size=1, max_size=5))
def test_a_few_posts_are_weighed_exactly(posts: list[tuple[float, float]]) -> None:
    plus, minus = np.array(posts).T
    above = 0.0
    for signs in product((1, -1, 0), repeat=len(posts)):
        chances = [{1: p, -1: m, 0: 1 - p - m}[s] for s, (p, m) in zip(signs, posts, strict=True)]
        above += float(np.prod(chances)) if sum(signs) > 0 else 0.0
    found, _ = outnumber(plus, minus, np.array([0]))
    assert found[0] == pytest.approx(above, abs=1e-9)


def test_many_posts_are_nearly_exact() -> None:
    generator = np.random.default_rng(0)
    plus, minus = generator.uniform(0, 0.4, 30), generator.uniform(0, 0.4, 30)
    draws = generator.random((200_000, 30))
    balance = (draws < plus).sum(axis=1) - (draws > 1 - minus).sum(axis=1)
    assert len(plus) > EXACT
    above, below = outnumber(plus, minus, np.array([0]))
    assert above[0] == pytest.approx((balance > 0).mean(), abs=0.01)
    assert below[0] == pytest.approx((balance < 0).mean(), abs=0.01)


def test_labels_that_are_certain_count_as_they_are() -> None:
    starts = np.array([0, 3, 4])
    plus, minus = np.array([1.0, 1, 0, 0, 0]), np.array([0.0, 0, 1, 1, 0])
    above, below = outnumber(plus, minus, starts)
    assert above.tolist() == [1, 0, 0]
    assert below.tolist() == [0, 1, 0]
    assert at_least_one(plus, starts) == pytest.approx([1, 0, 0])


def test_whoever_may_be_sponsored_once_likely_is_with_many_posts() -> None:
    chances = np.full(10, 0.3)
    assert at_least_one(chances, np.array([0]))[0] == pytest.approx(1 - 0.7**10)
    assert at_least_one(np.zeros(0), np.zeros(0, np.int64)).size == 0
