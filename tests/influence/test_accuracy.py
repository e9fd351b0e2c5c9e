"""How right the tagger is, from a sample."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmure.influence.accuracy import measure, share, wilson
from murmure.schema import TAGS


def audit(rows: list[dict[str, object]]) -> pa.Table:
    columns = ["audited", "stratum", "weight", *TAGS, *(f"{tag}_true" for tag in TAGS)]
    empty = {"audited": "a", "stratum": "all", "weight": 1.0}
    return pa.table({name: [{**empty, **row}.get(name) for row in rows] for name in columns})


def test_a_simple_sample_has_wilson_s_interval() -> None:
    hits, every = np.arange(100) < 80, np.ones(100)
    found = share(hits, every > 0, every, np.zeros(100, int), level=0.95)
    assert found.value == pytest.approx(0.8)
    expected = wilson(0.8, 100, level=0.95)
    assert (found.low, found.high) == pytest.approx(expected, abs=2e-3)


def test_weights_count() -> None:
    rows: list[dict[str, object]] = [
        {"sponsored": "yes", "sponsored_true": "yes", "weight": 9.0, "stratum": "sure"},
        {"sponsored": "yes", "sponsored_true": "no", "weight": 1.0, "stratum": "unsure"},
    ]
    (sponsored,) = measure(audit(rows))
    assert sponsored.tag == "sponsored"
    assert sponsored.accuracy.value == pytest.approx(0.9)
    assert sponsored.confusion["yes"] == {"yes": 1, "no": 1}
    assert sponsored.weighted["yes"]["no"] == pytest.approx(0.1)
    assert sponsored.found["yes"].value == 1
    assert sponsored.trusted["no"].value is None


def test_what_nobody_labelled_is_left_out() -> None:
    rows: list[dict[str, object]] = [{"sentiment": "neutral"}, {"sentiment": "neutral"}]
    assert measure(audit(rows)) == []


@given(
    rows=st.lists(
        st.tuples(st.booleans(), st.floats(0.5, 20), st.integers(0, 3)), min_size=1, max_size=40
    )
)
def test_intervals_hold_the_share(rows: list[tuple[bool, float, int]]) -> None:
    hits, weights, strata = (np.array(column) for column in zip(*rows, strict=True))
    found = share(hits, np.ones(len(rows)) > 0, weights, strata, level=0.95)
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= found.value + 1e-9
    assert found.value - 1e-9 <= found.high <= 1


def test_stratified_intervals_cover_the_truth() -> None:
    generator = np.random.default_rng(5)
    sizes, rates, drawn = np.array([8000, 2000]), np.array([0.95, 0.6]), np.array([60, 90])
    truth = float((sizes * rates).sum() / sizes.sum())
    covered = 0
    for _ in range(300):
        hits = np.concatenate([generator.random(n) < p for n, p in zip(drawn, rates, strict=True)])
        strata = np.repeat([0, 1], drawn)
        weights = (sizes / drawn)[strata]
        found = share(hits, weights > 0, weights, strata, level=0.95)
        covered += found.low is not None and found.low <= truth <= (found.high or 0)
    assert covered >= 0.9 * 300
