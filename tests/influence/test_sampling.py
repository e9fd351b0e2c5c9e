"""How a sample is shared among strata."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from murmure.influence.sampling import LEAST, allocate, choose_units, cut_strata


@given(
    strata=st.lists(
        st.tuples(st.integers(1, 500), st.floats(0, 1)),
        min_size=1,
        max_size=8,
    ),
    size=st.integers(1, 600),
)
def test_every_unit_of_the_sample_is_allotted_and_no_stratum_gives_more_than_it_has(
    strata: list[tuple[int, float]], size: int
) -> None:
    sizes = np.array([units for units, _ in strata])
    drawn = allocate(sizes, np.array([deviation for _, deviation in strata]), size)
    assert drawn.sum() == min(size, sizes.sum())
    assert np.all(drawn >= 0)
    assert np.all(drawn <= sizes)
    if size >= np.minimum(sizes, LEAST).sum():
        assert np.all(drawn >= np.minimum(sizes, LEAST))


def test_unsure_strata_give_more() -> None:
    sure, unsure = allocate(np.array([500, 500]), np.array([0.1, 0.4]), 100)
    assert (sure, unsure) == (20, 80)


def test_weights_stand_for_all_units() -> None:
    codes = np.repeat([0, 1, 2], [700, 200, 100])
    units, weights = choose_units(np.random.default_rng(0), codes, np.linspace(0, 1, 1000), 50)
    assert len(set(units.tolist())) == 50
    assert np.bincount(codes[units], weights).round(6).tolist() == [700, 200, 100]


def test_strata_are_ordered_by_uncertainty() -> None:
    uncertain = np.random.default_rng(0).beta(1, 4, 2000)
    strata = cut_strata(uncertain, np.full(2000, ""))
    means = [uncertain[strata == name].mean() for name in sorted(set(strata))]
    assert len(means) == 5
    assert means == sorted(means)


def test_equal_uncertainty_makes_one_stratum_a_cell() -> None:
    strata = cut_strata(np.full(10, 0.3), np.repeat(["fr", "en"], 5))
    assert len(set(strata)) == 2
