"""Estimates of simulated posts whose truth is known: how often intervals cover it."""

from __future__ import annotations

import numpy as np
import pytest

from murmure.influence.cells import Cells, make_cells
from murmure.influence.classes import CLASSES
from murmure.influence.correction import Corrector
from murmure.influence.crowds import meet
from murmure.influence.estimates import Estimator
from murmure.influence.layout import make_layout
from murmure.influence.material import sort_rows
from tests.influence.simulated import MIX, draw_classes, tag_posts

_ENTITIES = 300


@pytest.fixture(scope="module")
def cells() -> Cells:
    generator = np.random.default_rng(0)
    return make_cells(tag_posts(draw_classes(1500, generator, MIX), generator))


@pytest.mark.parametrize("copies", [(10, 60), (50, 200), (200, 500)])
def test_intervals_of_posts_cover_though_many_copy_one(
    cells: Cells, copies: tuple[int, int]
) -> None:
    generator = np.random.default_rng(2)
    classes, of, entity, family = [], [], [], []
    distinct = 0
    # Each entity has posts of its own, and one that is copied many times.
    for brand in range(1, _ENTITIES + 1):
        shares = generator.dirichlet(5 * np.array(list(MIX.values())))
        alone, many = int(generator.integers(60, 300)), int(generator.integers(*copies))
        classes.append(draw_classes(alone + 1, generator, dict(zip(MIX, shares, strict=True))))
        of.append(distinct + np.minimum(np.arange(alone + many), alone))
        entity.append(np.full(alone + many, brand))
        family.append(np.where(np.arange(alone + many) < alone, 0, brand))
        distinct += alone + 1
    place, who = np.concatenate(of), np.concatenate(entity)
    posts = len(place)
    said = tag_posts(np.concatenate(classes), generator)
    one = np.ones(2 * posts, np.int8)
    copied = np.append(False, np.diff(place) == 0)
    material = sort_rows(
        np.concatenate([np.zeros(posts, np.int64), who]),
        {
            "win": one,
            "language": one,
            "channel": one,
            "author": np.tile(np.arange(1, posts + 1, dtype=np.int32), 2),
            "echo": np.tile(copied, 2),
            "family": np.tile(np.concatenate(family).astype(np.int32), 2),
            "said": one.astype(np.uint8),
            "cell": np.tile(cells.assign(said.probabilities)[place], 2),
        },
        entities=("all", *map(str, range(_ENTITIES))),
        labels={
            "win": ("all", "2026-W11"),
            "language": ("all", "fr"),
            "channel": ("all", "x"),
            "media": ("all", "social"),
        },
        kinds=np.array([0, 1]),
        groups={},
    )
    estimator = Estimator(Corrector(cells), 1.96)
    estimator.estimate(meet(make_layout(material, range(1), ())))
    layout = make_layout(material, range(1, _ENTITIES + 1), ())
    found = estimator.estimate(meet(layout))
    rows = layout.rows[0, np.arange(_ENTITIES) * layout.windows, 0]
    covered = []
    for sentiment in ("negative", "neutral", "positive"):
        number = found["all", "posts", "all", "all", sentiment]
        is_so = np.array([one[0] == sentiment for one in CLASSES])[said.classes[place]]
        truth = np.bincount(who, is_so, minlength=_ENTITIES + 1)[1:]
        covered.append((number.low[rows] <= truth) & (truth <= number.high[rows]))
    # Were copies counted like other posts, two intervals in three would.
    assert np.all(np.mean(covered, axis=1) >= 0.9)
