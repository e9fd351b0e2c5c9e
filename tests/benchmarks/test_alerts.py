"""The simulated counts that alerts are measured on."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.alerts import draw_counts, measure_cell, rate, tag


@pytest.mark.parametrize("spread", [1.0, 2.0, 3.0])
def test_counts_have_the_mean_the_spread_and_the_correlation_asked_for(spread: float) -> None:
    generator = np.random.default_rng(0)
    counts = draw_counts(generator, np.full((400, 60), 40.0), spread=spread, correlation=0.6)
    assert counts.mean() == pytest.approx(40, rel=0.03)
    assert counts.var() == pytest.approx(40 * spread, rel=0.15)
    neighbours = np.corrcoef(counts[:, 1:].ravel(), counts[:, :-1].ravel())[0, 1]
    assert neighbours == pytest.approx(0.6 * (spread - 1) / spread, abs=0.06)


def test_estimates_are_right_on_average() -> None:
    generator = np.random.default_rng(1)
    told = tag(generator, np.full(4000, 50), np.full(4000, 450))
    assert told["estimate"].mean() == pytest.approx(50, rel=0.02)
    assert told["raw"].mean() == pytest.approx(0.75 * 50 + 0.02 * 450, rel=0.02)


def test_a_cell_is_the_same_for_the_same_seed() -> None:
    options = {"spread": 1.0, "correlation": 0.0}
    first = measure_cell(7, **options, brand_years=4, rises=4)
    assert first == measure_cell(7, **options, brand_years=4, rises=4)
    assert first["true"]["seen"] == 4
    assert rate(0, 10)["low"] == 0
