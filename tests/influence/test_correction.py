"""Corrected numbers of posts: on a tagger whose errors are known."""

from __future__ import annotations

import numpy as np
import pytest

from murmure.influence.cells import OVERALL, Cells, make_cells
from murmure.influence.classes import LIVED, OWN, QUESTIONS, where
from murmure.influence.correction import Corrector, Slices
from murmure.influence.intervals import independent
from murmure.influence.numbers import OF_ORIGINALS, members
from murmure.influence.posteriors import NEITHER, Joint
from murmure.influence.shrinking import STRONGEST, shrink, strength
from tests.influence.simulated import MIX, draw_classes, place, tag_posts

#: A week in which delivery broke down.
BROKEN = {
    **MIX,
    place("negative", "own", "delivery", "no"): 0.5,
    place("neutral", "none", "none", "no"): 0.15,
}


@pytest.fixture(scope="module")
def cells() -> Cells:
    generator = np.random.default_rng(0)
    return make_cells(tag_posts(draw_classes(1500, generator, MIX), generator))


def bags(cells: Cells, mix: dict[int, float], *, many: int, size: int) -> tuple[Slices, np.ndarray]:
    """Slices of posts drawn from a mix, and the true classes of their posts."""
    slices, truth, _ = tagged_bags(cells, mix, many=many, size=size)
    return slices, truth


def tagged_bags(
    cells: Cells, mix: dict[int, float], *, many: int, size: int
) -> tuple[Slices, np.ndarray, np.ndarray]:
    """The same, and which posts the tagger calls bad."""
    generator = np.random.default_rng(11)
    classes = draw_classes(many * size, generator, mix)
    posts = tag_posts(classes, generator)
    cell = cells.assign(posts.probabilities).reshape(many, size)
    own = np.arange(many)
    labels = {tag: table.argmax(axis=1) for tag, table in posts.probabilities.items()}
    bad = (labels["sentiment"] == 0) & (labels["experience"] != 2)
    slices = Slices(histograms(cells, cell), np.full(many, NEITHER), own)
    return slices, classes.reshape(many, size), bad.reshape(many, size)


def histograms(cells: Cells, cell: np.ndarray) -> dict[str, np.ndarray]:
    """How many posts of each row are in each bin."""
    return {
        name: np.array([np.bincount(row, minlength=bins.max() + 1) for row in bins[cell]], float)
        for name, bins in cells.bins_of((*QUESTIONS, OVERALL)).items()
    }


def test_numbers_are_right_where_labels_are_off_by_a_tenth(cells: Cells) -> None:
    slices, truth, labels = tagged_bags(cells, BROKEN, many=60, size=400)
    corrector = Corrector(cells)
    answers = {name: corrector.answer(question, slices) for name, question in QUESTIONS.items()}
    table = corrector.tables(slices, answers, tuple(QUESTIONS))
    bad = LIVED.member[1]
    error = table[:, bad].sum(axis=1) - bad[truth].sum(axis=1)
    raw = labels.sum(axis=1) - bad[truth].sum(axis=1)
    assert np.abs(error).mean() < np.abs(raw).mean() / 2
    assert abs(error.mean()) < 8  # of 400


#: Bad own experiences are five times as common; what they are about is as usual.
WORSE = {number: 5 * share if OWN.member[1][number] else share for number, share in MIX.items()}


@pytest.mark.parametrize("mix", [MIX, WORSE], ids=["usual", "worse"])
def test_intervals_cover_over_calibration_samples_drawn_anew(mix: dict[int, float]) -> None:
    bad = OWN.member[1]
    covered = []
    for seed in range(8):
        generator = np.random.default_rng(seed)
        learned = make_cells(tag_posts(draw_classes(900, generator, MIX), generator))
        slices, truth = bags(learned, mix, many=40, size=200)
        corrector = Corrector(learned)
        answer = corrector.answer(OWN, slices)
        share = corrector.expected(OWN, slices, answer.prevalences)[:, 1] / 200
        low, high = corrector.errors(bad, NEITHER).bounds(share, slices.posts, z=1.96)
        true = bad[truth].mean(axis=1)
        covered.append(np.mean((low <= true) & (true <= high)))
        assert np.mean(high - low) < 0.25
    assert np.mean(covered) >= 0.85


def test_numbers_add_up(cells: Cells) -> None:
    slices, _ = bags(cells, BROKEN, many=5, size=50)
    corrector = Corrector(cells)
    answers = {name: corrector.answer(question, slices) for name, question in QUESTIONS.items()}
    table = corrector.tables(slices, answers, tuple(QUESTIONS))
    np.testing.assert_allclose(table.sum(axis=1), 50, rtol=1e-6)
    values = dict(zip([n.key for n in OF_ORIGINALS], members(OF_ORIGINALS) @ table.T, strict=True))
    for promotion in ("organic", "sponsored", "all"):
        own = values[promotion, "bad", "own", "all", "all"]
        shared = values[promotion, "bad", "shared", "all", "all"]
        both = values[promotion, "bad", "all", "all", "all"]
        np.testing.assert_allclose(own + shared, both)
    touched = [
        values["all", "good", "all", touchpoint, "all"]
        for touchpoint in ("product", "service", "purchase", "delivery", "other")
    ]
    np.testing.assert_allclose(sum(touched), values["all", "good", "all", "all", "all"])


def test_empty_slices_and_sure_ones_have_numbers(cells: Cells) -> None:
    alike = histograms(cells, np.array([[0], [0], [3]]))
    posts = np.array([[0], [1], [1e6]])
    counts = {name: posts * table for name, table in alike.items()}
    slices = Slices(counts, np.array([0, 1, NEITHER]), np.arange(3))
    corrector = Corrector(cells)
    answers = {name: corrector.answer(question, slices) for name, question in QUESTIONS.items()}
    table = corrector.tables(slices, answers, tuple(QUESTIONS))
    assert np.isfinite(table).all()
    np.testing.assert_allclose(table.sum(axis=1), [0, 1, 1e6], rtol=1e-6)


def test_bounds_hold_the_share_and_stay_within_0_and_1(cells: Cells) -> None:
    errors = Corrector(cells).errors(where(sentiment="negative"), NEITHER)
    share = np.array([0, 0, 0.3, 1, 1, 0.999, 0.5])
    n = np.array([0, 5, 1, 3, 1e7, 40, 0.0])
    for strength_ in (0.0, 20.0):
        low, high = errors.bounds(share, n, z=1.96, strength=strength_)
        assert (low >= 0).all()
        assert (low <= share).all()
        assert (share <= high).all()
        assert (high <= 1).all()
    low, high = errors.bounds(share, n, z=1.96)
    assert high[1] > 0.1  # of five posts, none seems negative: one may be
    assert (low[0], high[0]) == (0, 1)


def test_more_posts_and_a_parent_make_intervals_narrower(cells: Cells) -> None:
    errors = Corrector(cells).errors(where(sentiment="negative"), 0)
    low, high = errors.bounds(np.full(3, 0.3), np.array([50.0, 500, 5000]), z=1.96)
    assert np.all(np.diff(high - low) < 0)
    leaning = errors.bounds(np.full(1, 0.3), np.array([50.0]), z=1.96, strength=30.0)
    assert leaning[1][0] - leaning[0][0] < high[0] - low[0]


def test_small_slices_lean_on_their_parent_and_large_ones_do_not(cells: Cells) -> None:
    large, _ = bags(cells, BROKEN, many=1, size=3000)
    few, _ = bags(cells, MIX, many=1, size=4)
    counts = {
        name: np.concatenate([table, few.histograms[name], few.histograms[name] * 1000])
        for name, table in large.histograms.items()
    }
    slices = Slices(counts, np.full(3, NEITHER), np.zeros(3, np.int64))
    corrector = Corrector(cells, {"lived": 40.0})
    found = corrector.answer(LIVED, slices).prevalences[:, 1]
    assert abs(found[1] - found[0]) < 0.1
    assert abs(found[2] - found[0]) > 0.2


def test_posts_without_an_answer_tell_that_it_is_rare(cells: Cells) -> None:
    sponsored = QUESTIONS["sponsored"]
    yes = sponsored.member[0]
    organic = {number: share for number, share in MIX.items() if not yes[number]}
    slices, _ = bags(cells, organic, many=60, size=200)
    found = Corrector(cells).answer(sponsored, slices).found[:, 0]
    usual = sum(share for number, share in MIX.items() if yes[number]) / sum(MIX.values())
    assert found.mean() < usual / 10


def test_a_parent_is_worth_the_more_the_less_its_children_differ() -> None:
    generator = np.random.default_rng(5)
    parents = np.tile([0.3, 0.7], (400, 1))
    told = np.full(400, 50.0)
    for true in (8.0, 60.0):
        mixes = generator.dirichlet(true * parents[0], 400)
        seen = np.array([generator.multinomial(50, mix) for mix in mixes]) / 50
        assert true / 1.6 < strength(seen, parents, told) < true * 1.6
    same = generator.multinomial(50, parents[0], 400) / 50
    assert strength(same, parents, told) > 200
    assert strength(parents, parents, told) == STRONGEST
    np.testing.assert_allclose(shrink(parents, parents, told, 5.0), parents)


def test_the_joint_is_calibrated_on_posts_it_has_not_seen(cells: Cells) -> None:
    generator = np.random.default_rng(21)
    posts = tag_posts(draw_classes(4000, generator, MIX), generator)
    joint: Joint = cells.joint
    said = joint(posts.probabilities, posts.languages)
    np.testing.assert_allclose(said.sum(axis=1), 1, rtol=1e-4)
    for member in (OWN.member[1], where(sponsored="yes"), where(experience="shared")):
        chance, truth = said[:, member].sum(axis=1), member[posts.classes]
        assert chance.mean() == pytest.approx(truth.mean(), abs=0.015)
        high = chance > 0.5
        assert chance[high].mean() == pytest.approx(truth[high].mean(), abs=0.06)


def test_learning_twice_gives_the_same_cells(cells: Cells) -> None:
    generator = np.random.default_rng(0)
    again = make_cells(tag_posts(draw_classes(1500, generator, MIX), generator))
    for name, bins in cells.bins.items():
        np.testing.assert_array_equal(again.bins[name].of, bins.of)
        np.testing.assert_array_equal(again.bins[name].chances, bins.chances)
    np.testing.assert_array_equal(again.kind, cells.kind)
    np.testing.assert_array_equal(again.ratios, cells.ratios)


def test_posts_of_few_people_make_intervals_wider(cells: Cells) -> None:
    errors = Corrector(cells).errors(where(sentiment="negative"), NEITHER)
    posts = np.full(3, 400.0)
    # Everybody wrote once; everybody ten times; one person wrote all.
    worth = independent(posts, np.array([0.0, 400 * 9, 400 * 399]))
    assert worth[0] == 400
    low, high = errors.bounds(np.full(3, 0.3), worth, z=1.96)
    assert np.all(np.diff(high - low) > 0)
