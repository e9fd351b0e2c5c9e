"""Counts after an audit: what a person labelled moves the numbers of people toward the truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from murmure.influence import count
from murmure.influence.audit import apply_labels, draw_sample
from murmure.influence.audited import FEWEST
from murmure.influence.audited_people import (
    NAMES,
    NET,
    audit_people,
    calibrate,
    find_posts,
    numbers_of,
)
from murmure.influence.auditing import Audit, Labels
from murmure.influence.classes import ATTITUDE, CLASS_TAGS, CLASSES, OWN, where
from murmure.influence.crowds import People, meet
from murmure.influence.layout import make_layout
from murmure.influence.material import sort_rows
from murmure.influence.voices import Chances, count_people, weigh
from tests.influence.simulated import place
from tests.influence.test_correcting import counted, number, write_model

Table = NDArray[np.float64]
Numbers = NDArray[np.int64]

_KINDS = (
    place("neutral", "none", "none", "no"),
    place("neutral", "none", "none", "yes"),
    place("positive", "own", "product", "no"),
    place("negative", "own", "service", "no"),
)
# Posts of each cell by kind: as they are, and as a biased model says.
_TRUE = np.array([[0.7, 0.1, 0.1, 0.1], [0.2, 0.1, 0.6, 0.1], [0.2, 0.1, 0.1, 0.6]])
_SAID = np.array([[0.5, 0.05, 0.15, 0.3], [0.1, 0.05, 0.5, 0.35], [0.1, 0.02, 0.03, 0.85]])
_FLAGS = {
    "organic": where(sponsored="no"),
    "for": ATTITUDE.member[0],
    "against": ATTITUDE.member[1],
    "advocates": OWN.member[0],
    "detractors": OWN.member[1],
}


@dataclass(frozen=True)
class World:
    """Posts sorted by author, of whom a biased model says something."""

    author: Numbers
    cell: Numbers
    classes: Numbers
    people: People
    chances: Chances

    def labels(self, some: Numbers) -> Labels:
        """Some posts, labelled by the truth."""
        one = np.ones(len(some), np.int64)
        return Labels(
            entity=0 * one,
            win=one,
            language=one,
            channel=one,
            media=one,
            author=self.author[some],
            echo=one < 0,
            cell=self.cell[some],
            kind=0 * one,
            classes=self.classes[some],
            weight=one.astype(float),
        )

    def said(self) -> Table:
        """What the model says, of shape (slices, numbers)."""
        return np.array(list(numbers_of(count_people(self.people, self.chances)).values())).T

    def truth(self) -> Table:
        """The numbers as they are."""
        starts = np.flatnonzero(np.diff(self.author, prepend=0))
        told = {name: flags[self.classes].astype(float) for name, flags in _FLAGS.items()}
        sums = {name: values.sum() for name, values in weigh(told, starts).items()}
        return np.array(list(numbers_of({**sums, "voices": np.array(len(starts))}).values()))

    def audit(self, some: Numbers) -> Audit:
        """The numbers after some posts were labelled."""
        said = self.said()
        return audit_people(
            self.labels(some),
            self.people,
            self.chances,
            values=said,
            deviations=0.1 * said,
            level=0.95,
        )


def world(generator: np.random.Generator, many: int, most: int) -> World:
    """So many people with up to so many posts each."""
    author = np.repeat(np.arange(1, many + 1), generator.integers(1, most + 1, many))
    posts = len(author)
    cell = generator.choice(3, posts, p=[0.5, 0.25, 0.25])
    kind = (generator.random(posts)[:, None] > _TRUE[cell].cumsum(axis=1)).sum(axis=1)
    one = np.ones(posts, np.int8)
    material = sort_rows(
        np.zeros(posts, np.int32),
        {
            "win": one,
            "language": one,
            "channel": one,
            "author": author.astype(np.int32),
            "echo": one < 0,
            "family": np.zeros(posts, np.int32),
            "said": one.astype(np.uint8),
            "cell": cell.astype(np.uint32),
        },
        entities=("all",),
        labels={
            "win": ("all", "2026-W11"),
            "language": ("all", "fr"),
            "channel": ("all", "x"),
            "media": ("all", "social"),
        },
        kinds=np.array([0, 1]),
        groups=None,
    )
    layout = make_layout(material, range(1), ())

    def table(*kinds: int) -> Table:
        return np.tile(_SAID[:, kinds].sum(axis=1), (layout.alone, 1))

    tables = {
        "sponsored": {"organic": table(0, 2, 3)},
        "attitude": {"for": table(2), "against": table(3)},
        "own": {"advocates": table(2), "detractors": table(3)},
    }
    bins = dict.fromkeys(tables, np.arange(3, dtype=np.uint8))
    classes = np.array(_KINDS)[np.minimum(kind, 3)]
    return World(author, cell, classes, meet(layout), Chances(tables, bins))


def test_intervals_of_people_cover_though_the_model_is_biased() -> None:
    generator = np.random.default_rng(5)
    covered, errors, before = [], [], []
    for _ in range(60):
        found = world(generator, 250, 4)
        posts = len(found.author)
        audit = found.audit(generator.choice(posts, 150, replace=False))
        row = list(audit.rows).index(found.people.layout.rows[0, 0, 0])
        truth = found.truth()
        covered.append((audit.low[row] <= truth) & (truth <= audit.high[row]))
        errors.append(audit.estimate[row] - truth)
        before.append(found.said()[audit.rows[row]] - truth)
    share, bias = np.mean(covered, axis=0), np.abs(np.mean(errors, axis=0))
    for name in (NET, "detractors", "organic"):
        at = NAMES.index(name)
        assert 0.9 <= share[at] <= 1, name
        assert bias[at] < 0.2 * abs(np.mean(before, axis=0)[at]), name


@pytest.mark.parametrize("most", [1, 6])
def test_with_all_posts_labelled_the_truth_is_known(most: int) -> None:
    found = world(np.random.default_rng(6), 60, most)
    audit = found.audit(np.random.default_rng(7).permutation(len(found.author)))
    for row in range(len(audit.rows)):
        for three in (audit.estimate, audit.low, audit.high):
            np.testing.assert_allclose(three[row], found.truth(), atol=1e-3)


def test_chances_are_put_right_on_average_and_stay_chances() -> None:
    found = world(np.random.default_rng(8), 300, 4)
    every = np.arange(len(found.author))
    labels, layout = found.labels(every), found.people.layout
    right = calibrate(found.chances, labels, layout, every)
    for name, table in right.of(np.zeros(len(every)), found.cell).items():
        assert table.sum() == pytest.approx(_FLAGS[name][found.classes].sum(), rel=0.01), name
        assert (table > 0).all()
    for_, against = right.tables["attitude"].values()
    assert (for_ + against <= 1).all()
    few = every[: FEWEST - 1]
    same = calibrate(found.chances, found.labels(few), layout, few)
    np.testing.assert_array_equal(
        same.tables["own"]["detractors"], np.tile(_SAID[:, 3], (layout.alone, 1))
    )


def test_each_label_is_of_a_post_of_its_own() -> None:
    found = world(np.random.default_rng(9), 40, 4)
    every, layout = np.arange(len(found.author)), found.people.layout
    labels = found.labels(every)
    own = np.zeros(len(every), np.int64)
    wrote = find_posts(
        labels, found.people, found.chances, row=int(layout.rows[0, 0, 0]), some=every, own=own
    )
    assert sorted(wrote.post) == list(every)
    np.testing.assert_array_equal(wrote.chances["detractors"][wrote.post], _SAID[found.cell, 3])


# --- a whole count --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"), posts=800)


def run_rows() -> tuple[list[dict[str, Any]], Numbers]:
    """Posts whose tagger takes neutral and sponsored ones for bad, and their true classes."""
    generator = np.random.default_rng(11)
    author = np.repeat(np.arange(220), generator.integers(1, 5, 220))
    true = generator.choice(4, len(author), p=[0.3, 0.4, 0.2, 0.1])
    said = np.where((true < 2) & (generator.random(len(author)) < 0.6), 3, true)
    rows: list[dict[str, Any]] = [
        dict(zip(CLASS_TAGS, CLASSES[_KINDS[kind]], strict=True))
        | {f"{tag}_score": 0.85 for tag in CLASS_TAGS}
        | {"author": f"a{who}", "text": f"un texte {place}"}
        for place, (who, kind) in enumerate(zip(author, said, strict=True))
    ]
    return rows, np.array(_KINDS)[true]


def label(run: Path, classes: Numbers, size: int) -> None:
    """Labels a sample of a run by the truth."""
    drawn = draw_sample(run, size=size).units
    apply_labels(
        run,
        {
            unit.key: dict(zip(CLASS_TAGS, CLASSES[classes[int(unit.id[1:])]], strict=True))
            for unit in drawn
        },
    )


def test_labels_move_the_numbers_of_people_toward_the_truth(tmp_path: Path, model: Path) -> None:
    rows, classes = run_rows()
    before = counted(tmp_path, model, rows, by=())
    label(tmp_path / "run", classes, 150)
    after = count(tmp_path / "run", by=())
    author = np.array([int(row["author"][1:]) for row in rows])
    starts = np.flatnonzero(np.diff(author, prepend=-1))
    told = {name: flags[classes].astype(float) for name, flags in _FLAGS.items()}
    true = {name: float(values.sum()) for name, values in weigh(told, starts).items()}
    true["influence"] = 100 * (true["for"] - true["against"]) / true["organic"]
    for metric, name in (
        ("voices", "organic"),
        ("influence", "influence"),
        ("detractors", "detractors"),
    ):
        was, now = number(before, metric), number(after, metric)
        assert abs(now["estimate"] - true[name]) < 0.5 * abs(was["estimate"] - true[name]), metric
        assert now["low"] <= true[name] <= now["high"], metric
        assert (was["labels"], now["labels"]) == (0, 150)
    for row in after.to_pylist():
        three = [row[name] for name in ("low", "estimate", "high")]
        if None not in three:
            assert three == sorted(three), row
            least, most = (-100, 100) if row["metric"] == "influence" else (0, len(rows))
            assert least <= three[0], row
            assert three[2] <= most, row
        if row["metric"] in ("voices", "advocates", "detractors", "concentration") and three[2]:
            assert three[2] <= len(starts) + 1e-6, row


def test_too_few_labels_change_nothing(tmp_path: Path, model: Path) -> None:
    rows, classes = run_rows()
    before = counted(tmp_path, model, rows, by=())
    label(tmp_path / "run", classes, FEWEST - 1)
    after = count(tmp_path / "run", by=())
    assert numbers(after) == numbers(before)


def test_posts_of_nobody_say_nothing_of_people(tmp_path: Path, model: Path) -> None:
    rows, classes = run_rows()
    for row in rows[40:]:
        del row["author"]
    before = counted(tmp_path, model, rows, by=())
    label(tmp_path / "run", classes, 200)
    after = count(tmp_path / "run", by=())
    assert number(after, "posts") != number(before, "posts")
    assert number(after, "detractors") == number(before, "detractors")


def numbers(counts: pa.Table) -> list[list[Any]]:
    return [counts[name].to_pylist() for name in ("raw", "estimate", "low", "high", "labels")]
