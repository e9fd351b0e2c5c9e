"""The benchmark of counts, in small, on a tagger whose errors are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks.counting.methods import Ours, known_detractors, oracle_width
from benchmarks.counting.origins import measure_origin, origins
from benchmarks.counting.protocol import (
    JOINT,
    TARGETS,
    draw_bags,
    halves,
    predicted_classes,
    write_authors,
)
from benchmarks.counting.splits import measure_ours
from benchmarks.counting.summary import (
    below,
    holm,
    interval,
    split_means,
    summarize,
    totals,
    verdicts,
)
from benchmarks.counting.table import tell

from murmure.influence.cells import make_cells
from murmure.influence.posteriors import Sample
from tests.influence.simulated import MIX, draw_classes, place, tag_posts
from tests.influence.test_correcting import write_model


def simulated(posts: int) -> Sample:
    generator = np.random.default_rng(0)
    return tag_posts(draw_classes(posts, generator, MIX), generator)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"), posts=1200)


def test_bags_have_the_prevalence_asked_for_and_no_post_twice() -> None:
    generator = np.random.default_rng(0)
    calibration, pool = halves(simulated(2000), generator)
    assert len(calibration) + len(pool) == 2000
    authors = write_authors(pool, generator)
    seen = set()
    for drawn in draw_bags(pool, authors, bags=2, generator=generator):
        classes = pool.classes[drawn.posts]
        assert (drawn.target.member[classes].sum(axis=1) == drawn.positives).all()
        assert drawn.positives == round(drawn.size * drawn.prevalence)
        assert all(len(set(posts)) == drawn.size for posts in drawn.posts.tolist())
        assert (pool.languages[drawn.posts] == drawn.language).all()
        seen.add((drawn.target.tag, drawn.size))
    assert ("joint", 200) in seen
    assert ("sentiment", 5000) not in seen  # the pool has not as many posts


def test_an_author_writes_in_one_place_and_often_says_the_same() -> None:
    sample = simulated(4000)
    origins = np.where(np.arange(4000) % 3 > 0, "here", "there")
    pool = Sample(sample.classes, sample.languages, sample.probabilities, origins)
    authors = write_authors(pool, np.random.default_rng(0))
    posts = np.bincount(authors)
    assert posts.min() >= 1
    assert 1.7 < posts.mean() < 2.2
    assert 0.5 < (posts == 1).mean() < 0.65
    alike = []
    for author in np.flatnonzero(posts > 1):
        mine = authors == author
        assert len(set(origins[mine])) == len(set(pool.languages[mine])) == 1
        alike.append(len(set(pool.classes[mine])) == 1)
    assert 0.5 < np.mean(alike) < 0.8


def test_a_bag_takes_all_posts_of_an_author_that_it_can() -> None:
    generator = np.random.default_rng(0)
    pool = simulated(2000)
    authors = write_authors(pool, generator)
    bags = draw_bags(pool, authors, bags=20, generator=generator)
    drawn = next(bag for bag in bags if bag.size == 200)
    people = np.mean([len(set(row)) for row in authors[drawn.posts].tolist()])
    alone = np.mean([len(set(authors[generator.permutation(2000)[:200]])) for _ in range(20)])
    assert people < 0.8 * alone


def test_predicted_labels_are_mostly_right() -> None:
    sample = simulated(500)
    assert 0.4 < (predicted_classes(sample) == sample.classes).mean() < 0.95


def test_a_person_is_a_detractor_whose_bad_posts_outnumber_the_good() -> None:
    bad = place("negative", "own", "service", "no")
    good = place("positive", "own", "product", "no")
    classes = np.array([[bad, bad, good, bad, good], [good, good, bad, bad, bad]])
    authors = np.array([[7, 7, 7, 3, 3], [1, 2, 3, 3, 3]])
    found, people = known_detractors(classes, authors)
    assert found.tolist() == [1, 1]
    assert people.tolist() == [2, 3]


def test_estimates_of_people_hold_them_more_often_than_labels_do() -> None:
    generator = np.random.default_rng(1)
    calibration, pool = halves(simulated(4000), generator)
    authors = write_authors(pool, generator)
    ours = Ours(make_cells(calibration), pool, authors)
    spoken = np.flatnonzero(pool.languages == 0)
    posts = np.array([generator.permutation(spoken)[:400] for _ in range(20)])
    found = ours.detractors(ours.see(posts, 0), posts, authors)
    truth, _ = known_detractors(pool.classes[posts], authors[posts])
    raw, _ = known_detractors(predicted_classes(pool)[posts], authors[posts])
    assert np.abs(found.estimate - truth).mean() < np.abs(raw - truth).mean()
    assert ((found.low <= truth) & (truth <= found.high)).mean() > 0.8


def test_an_oracle_of_a_perfect_tagger_leaves_no_doubt() -> None:
    assert oracle_width(1.0, 0.0, 20, 200) == 0
    assert oracle_width(0.8, 0.1, 20, 200) > 10
    assert oracle_width(0.5, 0.5, 20, 200) == 200


def test_quapy_finds_the_same_with_densities_looked_up() -> None:
    pytest.importorskip("quapy")
    from benchmarks.counting.peers import Peers
    from quapy.method.aggregative import KDEyML

    generator = np.random.default_rng(0)
    calibration, pool = halves(simulated(1000), generator)
    target = next(t for t in TARGETS if (t.tag, t.label) == ("sentiment", "positive"))
    peers = Peers(calibration, pool, "sentiment")
    posts = generator.permutation(len(pool))[:200]
    found = peers(posts, target)
    own = peers._fitted["KDEy-ML"]
    plain = KDEyML(own.classifier, fit_classifier=False, val_split=None)
    plain.mix_densities = own.mix_densities
    assert found["KDEy-ML"] == pytest.approx(plain.aggregate(peers._said[posts])[2])
    truth = target.member[pool.classes[posts]].mean()
    assert all(abs(share - truth) < 0.15 for share in found.values())


def test_quapy_knows_nothing_of_a_label_that_it_has_not_seen() -> None:
    pytest.importorskip("quapy")
    from benchmarks.counting.peers import PEERS, Peers

    sample = simulated(400)
    target = next(t for t in TARGETS if (t.tag, t.label) == ("touchpoint", "purchase"))
    assert not target.member[sample.classes].any()
    found = Peers(sample, sample, "touchpoint")(np.arange(50), target)
    assert found == dict.fromkeys(PEERS, 0.0)


def test_cells_weigh_the_same_however_many_bags_they_have() -> None:
    values = np.array([1.0, 1.0, 1.0, 5.0, 2.0, np.nan])
    cell = np.array([0, 0, 0, 1, 0, 1])
    split = np.array([0, 0, 0, 0, 1, 1])
    assert split_means(values, cell, split).tolist() == [3.0, 2.0]


def test_sureness_comes_from_splits_not_from_bags() -> None:
    mean, low, high = interval(np.array([1.0, 2.0, 3.0]))
    assert (mean, round(low, 2), round(high, 2)) == (2.0, -0.48, 4.48)
    assert below(np.array([0.95, 0.7]), 0.9) > 0.2  # two splits say little
    assert below(np.array([0.8, 0.81, 0.79, 0.8]), 0.9) < 0.001
    assert below(np.array([0.95, 0.96]), 0.9) == 1.0


def test_many_tests_are_held_to_a_higher_standard() -> None:
    assert holm([0.01, 0.2, 0.02]) == [0.03, 0.2, 0.04]
    assert max(holm([0.02] * 100)) == 1.0


def test_a_split_gives_the_same_bags_again(model: Path) -> None:
    first, again, other = (measure_ours(model, split=split, bags=2, seed=1) for split in (0, 0, 1))
    for name, values in first.items():
        assert np.array_equal(values, again[name], equal_nan=values.dtype.kind == "f")
    assert not np.array_equal(first["ours"], other["ours"])


def test_figures_come_by_tag_and_say_what_is_reached(model: Path) -> None:
    columns = measure_ours(model, split=0, bags=4, seed=1)
    cells = summarize(columns)
    found = totals(columns, cells)
    assert found["all"]["ours"]["mae"] < found["all"]["raw"]["mae"]
    assert {"joint", "margins", "people", "sentiment"} <= set(found)
    assert found["joint"]["cells"] < found["all"]["cells"]
    said = {row["target"]: row for row in verdicts(found)}
    assert said["joint: MAE to raw's"]["met"] == (
        found["joint"]["ours"]["mae"] <= 0.5 * found["joint"]["raw"]["mae"]
    )
    rare = next(cell for cell in cells if cell["percent"] == 5)
    assert rare["ours"]["relative"] > 0


def test_an_origin_is_counted_with_what_the_others_teach(model: Path, tmp_path: Path) -> None:
    table = pq.read_table(model / "calibration.parquet")
    names = ["left" if row < 300 else "rest" if row < 1190 else "few" for row in range(1200)]
    table = table.set_column(table.column_names.index("origin"), "origin", pa.array(names))
    pq.write_table(table, tmp_path / "calibration.parquet")
    assert origins(tmp_path) == ["left", "rest"]
    found = measure_origin(tmp_path, origin="left", seed=1, peers=False)
    assert set(found["language"]) == {"fr", "en"}
    assert len(found["n"]) == 2 * len(TARGETS)
    assert found["n"][found["label"] == JOINT.label].sum() == 300
    assert (found["ours_low"] <= found["ours"]).all()


def test_a_stopped_measurement_goes_on_and_writes_results_table_and_plot(
    model: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("psutil")
    from benchmarks.counting.run import main

    options = ["--splits", "2", "--bags", "3", "--jobs", "1", "--without-peers"]
    options += ["--out", str(tmp_path), "--work", str(tmp_path / "work")]
    main(["--model", str(model), *options])
    file = tmp_path / f"counting-{model.name}.json"
    first = json.loads(file.read_text(encoding="utf-8"))
    kept = sorted((tmp_path / "work").rglob("*.parquet"))
    assert len(kept) == 2
    kept[0].unlink()
    before = kept[1].stat().st_mtime_ns
    main(["--model", str(model), *options])
    again = json.loads(file.read_text(encoding="utf-8"))
    assert kept[0].exists()
    assert kept[1].stat().st_mtime_ns == before
    assert again["cells"] == first["cells"]
    assert all(cell["bags"] == 6 for cell in again["cells"] if cell["tag"] != "people")
    assert "| all |" in (tmp_path / f"counting-{model.name}.md").read_text(encoding="utf-8")
    assert (tmp_path / f"counting-{model.name}.png").stat().st_size > 1000


def test_the_readme_is_told_what_was_missed() -> None:
    file = Path(__file__).parents[2] / "benchmarks/counting/results/counting-base.json"
    result = json.loads(file.read_text("utf-8"))
    missed = [row["target"] for row in result["verdicts"] if not row["met"]]
    told = tell(result)
    assert all(target in told for target in missed)
    met = [{**row, "met": True} for row in result["verdicts"]]
    assert "Missed: nothing" in tell({**result, "verdicts": met})
