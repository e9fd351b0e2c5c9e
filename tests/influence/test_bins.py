"""Bins of questions: on a tagger whose errors are known."""

from __future__ import annotations

import numpy as np
import pytest

from murmure.influence.adaptation import adapt
from murmure.influence.cells import Cells, make_cells
from murmure.influence.classes import OWN, QUESTIONS, TAG_QUESTIONS
from murmure.influence.posteriors import NEITHER, Sample
from tests.influence.simulated import MIX, draw_classes, place, tag_posts

BROKEN = {**MIX, place("negative", "own", "delivery", "no"): 0.5}


def posts(many: int, seed: int, mix: dict[int, float] = MIX) -> Sample:
    generator = np.random.default_rng(seed)
    return tag_posts(draw_classes(many, generator, mix), generator)


@pytest.fixture(scope="module")
def cells() -> Cells:
    return make_cells(posts(2000, 0))


@pytest.mark.parametrize("tag", TAG_QUESTIONS)
def test_hardly_anything_is_lost_against_adapting_post_by_post(cells: Cells, tag: str) -> None:
    bag = posts(3000, 5, BROKEN)
    bins = cells.bins[tag]
    counts = np.bincount(bins.of[cells.assign(bag.probabilities)], minlength=len(bins))
    found = adapt(counts[None].astype(np.float64), bins.likelihoods(NEITHER), bins.priors[NEITHER])[
        0
    ]
    said = bag.probabilities[tag].astype(np.float64)
    usual = posts(2000, 0).probabilities[tag].mean(axis=0).astype(np.float64)
    singly = adapt(np.ones((1, len(bag))), said / usual, usual)[0]
    truth = QUESTIONS[tag].member[:, bag.classes].mean(axis=1)
    assert np.abs(found - truth).max() < np.abs(singly - truth).max() + 0.02


def test_what_bins_say_is_calibrated_on_posts_they_were_not_made_of(cells: Cells) -> None:
    others = posts(4000, 9)
    cell = cells.assign(others.probabilities)
    for name, question in QUESTIONS.items():
        bins = cells.bins[name]
        said, truth = bins.chances[bins.of[cell]], question.member[:, others.classes].T
        np.testing.assert_allclose(said.mean(axis=0), truth.mean(axis=0), atol=0.02)


def test_every_bin_has_posts_and_chances_that_sum_to_1(cells: Cells) -> None:
    for bins in cells.bins.values():
        assert set(bins.of.tolist()) == set(range(len(bins)))
        np.testing.assert_allclose(bins.chances.sum(axis=1), 1)
        np.testing.assert_allclose(bins.priors.sum(axis=1), 1)
        np.testing.assert_allclose(bins.shares.sum(axis=1), 1)
        assert (bins.likelihoods(NEITHER) > 0).all()


def test_posts_of_an_answer_spread_over_what_speaks_for_it(cells: Cells) -> None:
    of_answer = cells.spread(OWN.member[1], NEITHER)
    # As a set of classes of which there is no question: the same but for one class.
    some = OWN.member[1].copy()
    some[np.flatnonzero(some)[-1]] = False
    for inside, outside in (of_answer, cells.spread(some, NEITHER)):
        np.testing.assert_allclose([inside.sum(), outside.sum()], 1)
        assert np.abs(inside - outside).sum() > 1  # of 2 at most
    rest = cells.spread(~OWN.member[1], NEITHER)
    np.testing.assert_allclose(rest[0], of_answer[1])


def test_few_posts_and_classes_that_none_has_make_bins_too() -> None:
    only = {place("neutral", "none", "none", "no"): 1.0}
    made = make_cells(posts(100, 3, only))
    for bins in made.bins.values():
        assert np.isfinite(bins.likelihoods(0)).all()
        assert (bins.likelihoods(0) > 0).all()
