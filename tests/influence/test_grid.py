"""The grid of what a model says of posts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murmure.influence.clustering import cluster, nearest
from murmure.influence.grid import make_grid
from murmure.schema import LABELS
from tests.influence.simulated import MIX, draw_classes, tag_posts


@pytest.fixture(scope="module")
def said() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return dict(tag_posts(draw_classes(1500, generator, MIX), generator).probabilities)


def test_the_middle_of_a_cell_says_about_what_its_posts_say(said: dict[str, np.ndarray]) -> None:
    grid = make_grid(said)
    middle, cell = grid.probabilities(), grid.assign(said)
    for tag in ("sentiment", "experience", "touchpoint", "sponsored"):
        assert middle[tag].shape == (len(grid), len(LABELS[tag]))
        np.testing.assert_allclose(middle[tag].sum(axis=1), 1, rtol=1e-5)
        assert np.abs(middle[tag][cell] - said[tag]).mean() < 0.05


def test_the_middle_of_a_cell_lies_in_it(said: dict[str, np.ndarray]) -> None:
    grid = make_grid(said)
    cell = grid.assign(said)
    middle = {tag: table[cell] for tag, table in grid.probabilities().items()}
    assert (grid.assign(middle) == cell).mean() > 0.9


def test_a_grid_stays_small_however_different_posts_are(said: dict[str, np.ndarray]) -> None:
    generator = np.random.default_rng(1)
    wild = {
        tag: generator.dirichlet(np.ones(len(LABELS[tag])), 3000).astype(np.float32) for tag in said
    }
    assert len(make_grid(wild)) <= 200_000
    assert make_grid(wild).assign(wild).max() < len(make_grid(wild))


def test_one_post_makes_a_grid_of_one_cell(said: dict[str, np.ndarray]) -> None:
    grid = make_grid({tag: table[:1] for tag, table in said.items()})
    assert len(grid) == 1
    assert set(grid.assign(said).tolist()) == {0}


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 60), st.integers(1, 12), st.integers(0, 1000))
def test_every_group_is_somebodys_nearest(points: int, many: int, seed: int) -> None:
    table = np.random.default_rng(seed).random((points, 3)).round(1).astype(np.float32)
    centres = cluster(table, many)
    assert 1 <= len(centres) <= many
    assert len(np.unique(nearest(table, centres))) == len(centres)
