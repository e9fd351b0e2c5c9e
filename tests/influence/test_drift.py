"""Drift: scores that no mix of labels explains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from murmure.influence.classes import CLASS_TAGS, CLASSES
from murmure.influence.drift import Drift, find_drift, tell_drift
from murmure.influence.posteriors import Sample
from murmure.influence.runs import open_runs
from murmure.schema import LABELS
from tests.runs import write_run


def make_sample(generator: np.random.Generator, posts: int, *, sure: float, bad: float) -> Sample:
    """French posts, so many of which are negative; the higher `sure`, the surer the tagger is."""
    negative = generator.random(posts) < bad
    wanted = [("negative" if bad else "positive", "own", "product", "no") for bad in negative]
    classes = np.array([CLASSES.index(labels) for labels in wanted])
    probabilities = {}
    for place, tag in enumerate(CLASS_TAGS):
        labels = LABELS[tag]
        alpha = np.full((posts, len(labels)), 0.6)
        true = [labels.index(CLASSES[number][place]) for number in classes]
        alpha[np.arange(posts), true] = sure
        drawn = generator.gamma(alpha)
        probabilities[tag] = (drawn / drawn.sum(axis=1, keepdims=True)).astype(np.float32)
    for tag in ("experience", "touchpoint"):  # both say the same of whether there is any
        probabilities[tag][:, -1] = 0.01
    return Sample(classes, np.zeros(posts, np.int64), probabilities, np.full(posts, "x"))


def run_of(folder: Path, sample: Sample) -> Path:
    rows = []
    for number in range(len(sample)):
        row: dict[str, object] = {"language": "fr"}
        for tag in CLASS_TAGS:
            chances = sample.probabilities[tag][number]
            label = int(np.argmax(chances))
            row |= {tag: LABELS[tag][label], f"{tag}_score": float(chances[label])}
        rows.append(row)
    return write_run(folder, rows)


@pytest.fixture(scope="module")
def calibration() -> Sample:
    return make_sample(np.random.default_rng(1), 1500, sure=4.0, bad=0.3)


def test_a_change_of_prevalence_alone_is_no_drift(tmp_path: Path, calibration: Sample) -> None:
    others = make_sample(np.random.default_rng(2), 1200, sure=4.0, bad=0.9)
    drifts = find_drift(open_runs([run_of(tmp_path / "run", others)]), calibration)
    assert {drift.tag for drift in drifts} == set(CLASS_TAGS)
    assert [drift for drift in drifts if drift.drifted] == []
    assert tell_drift(drifts) is None


def test_scores_spread_otherwise_are_drift(tmp_path: Path, calibration: Sample) -> None:
    others = make_sample(np.random.default_rng(3), 1200, sure=1.0, bad=0.3)
    drifts = find_drift(open_runs([run_of(tmp_path / "run", others)]), calibration)
    assert "sentiment" in {drift.tag for drift in drifts if drift.drifted}
    assert "an audit is due" in (tell_drift(drifts) or "")


def test_few_posts_tell_nothing(tmp_path: Path, calibration: Sample) -> None:
    others = make_sample(np.random.default_rng(4), 50, sure=1.0, bad=0.3)
    assert find_drift(open_runs([run_of(tmp_path / "run", others)]), calibration) == []
    assert find_drift(open_runs([write_run(tmp_path / "none", [])]), calibration) == []


def test_few_calibration_posts_tell_nothing(tmp_path: Path, calibration: Sample) -> None:
    run = run_of(tmp_path / "run", make_sample(np.random.default_rng(4), 300, sure=1.0, bad=0.3))
    assert find_drift(open_runs([run]), calibration.take(np.arange(20))) == []


def test_one_strange_night_shows_among_many(tmp_path: Path, calibration: Sample) -> None:
    nights = [
        run_of(tmp_path / f"night-{n}", make_sample(np.random.default_rng(n), 900, sure=4, bad=0.3))
        for n in range(5, 11)
    ]
    strange = make_sample(np.random.default_rng(3), 300, sure=1.0, bad=0.3)
    nights.append(run_of(tmp_path / "strange", strange))
    drifted = [d for d in find_drift(open_runs(nights), calibration) if d.drifted]
    assert {drift.run for drift in drifted} == {str(tmp_path / "strange")}
    assert f"of 300 posts of {tmp_path / 'strange'})" in (tell_drift(drifted) or "")


def test_after_an_audit_none_is_due_and_a_long_list_is_cut() -> None:
    drift = Drift(tag="touchpoint", language="en", posts=5000, distance=0.31, limit=0.15)
    told = tell_drift([drift] * 11, audited=True) or ""
    assert "an audit is due" not in told
    assert "3 more" in told


def test_what_drifted_is_named() -> None:
    drift = Drift(tag="touchpoint", language="en", posts=5000, distance=0.31, limit=0.15)
    assert "touchpoint in en (31% of 5,000 posts)" in (tell_drift([drift]) or "")
