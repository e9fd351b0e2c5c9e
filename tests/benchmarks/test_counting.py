"""The benchmark of counts, in small, on a tagger whose errors are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from benchmarks.counting.methods import oracle_width
from benchmarks.counting.protocol import draw_bags, halves, predicted_classes

from tests.influence.simulated import MIX, draw_classes, tag_posts
from tests.influence.test_correcting import write_model


def test_bags_have_the_prevalence_asked_for_and_no_post_twice() -> None:
    generator = np.random.default_rng(0)
    sample = tag_posts(draw_classes(2000, generator, MIX), generator)
    calibration, pool = halves(sample, generator)
    assert len(calibration) + len(pool) == 2000
    seen = set()
    for drawn in draw_bags(pool, bags=2, generator=generator):
        classes = pool.classes[drawn.posts]
        assert (drawn.target.member[classes].sum(axis=1) == drawn.positives).all()
        assert drawn.positives == round(drawn.size * drawn.prevalence)
        assert all(len(set(posts)) == drawn.size for posts in drawn.posts.tolist())
        assert (pool.languages[drawn.posts] == drawn.language).all()
        seen.add((drawn.target.tag, drawn.size))
    assert ("joint", 200) in seen
    assert ("sentiment", 5000) not in seen  # the pool has not as many posts


def test_predicted_labels_are_mostly_right() -> None:
    generator = np.random.default_rng(0)
    sample = tag_posts(draw_classes(500, generator, MIX), generator)
    assert 0.4 < (predicted_classes(sample) == sample.classes).mean() < 0.95


def test_an_oracle_of_a_perfect_tagger_leaves_no_doubt() -> None:
    assert oracle_width(1.0, 0.0, 20, 200) == 0
    assert oracle_width(0.8, 0.1, 20, 200) > 10
    assert oracle_width(0.5, 0.5, 20, 200) == 200


def test_the_measurement_writes_results_table_and_plot(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from benchmarks.counting.run import main

    folder = tmp_path / "model"
    folder.mkdir()
    write_model(folder, posts=1200)
    options = ["--splits", "1", "--bags", "3", "--jobs", "1", "--without-quapy"]
    main(["--model", str(folder), "--out", str(tmp_path), *options])
    result = json.loads((tmp_path / "counting-model.json").read_text(encoding="utf-8"))
    total = result["totals"]["all"]
    assert total["ours"]["mae"] < total["raw"]["mae"]
    assert all(cell["bags"] == 3 for cell in result["cells"])
    assert "| all |" in (tmp_path / "counting-model.md").read_text(encoding="utf-8")
    assert (tmp_path / "counting-model.png").stat().st_size > 1000
