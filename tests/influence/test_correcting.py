"""Estimates in counts: whole counts of runs whose model has a calibration sample."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from murmure.influence import count
from murmure.influence.classes import CLASS_TAGS, CLASSES
from murmure.tagging.folder import MANIFEST, write_manifest
from tests.influence.simulated import MIX, draw_classes, tag_posts
from tests.influence.test_counting import POSTS, raw
from tests.runs import write_run

#: Metrics with a number for all promotions together that rests on no label.
_UNLABELLED = {"voices", "unknown_authors", "echoes", "concentration"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"), posts=800)


def write_model(folder: Path, *, posts: int) -> Path:
    """A model folder that has no weights, but a calibration sample."""
    generator = np.random.default_rng(0)
    sample = tag_posts(draw_classes(posts, generator, MIX), generator)
    columns: dict[str, Any] = {
        "language": [("fr", "en")[number] for number in sample.languages],
        "origin": ["simulated"] * posts,
        "draw": ["source"] * posts,
    }
    for place, tag in enumerate(CLASS_TAGS):
        columns[f"{tag}_true"] = [CLASSES[number][place] for number in sample.classes]
        columns[f"{tag}_probabilities"] = sample.probabilities[tag].tolist()
    pq.write_table(pa.table(columns), folder / "calibration.parquet")
    parts: dict[str, Any] = {"settings": {}, "calibration": {}, "thresholds": {}}
    write_manifest(folder, {"name": "simulated", "kind": "none", **parts})
    return folder


def counted(
    folder: Path, model: Path, rows: Sequence[Mapping[str, Any]], **options: Any
) -> pa.Table:
    fingerprint = hashlib.sha256((model / MANIFEST).read_bytes()).hexdigest()
    run = write_run(folder / "run", rows, model=str(model), fingerprint=fingerprint, part_rows=7)
    return count(run, **options)


def number(counts: pa.Table, metric: str, **where: str) -> dict[str, Any]:
    asked = dict.fromkeys(
        (
            "entity",
            "window",
            "language",
            "channel",
            "media",
            "experience",
            "touchpoint",
            "sentiment",
        ),
        "all",
    )
    asked |= {"promotion": "organic", "metric": metric, **where}
    (row,) = [
        row
        for row in counts.to_pylist()
        if all(row[name] == value for name, value in asked.items())
    ]
    return row  # type: ignore[no-any-return]


@settings(
    max_examples=8,
    phases=(Phase.generate, Phase.target),
    suppress_health_check=list(HealthCheck),
)
@given(
    rows=st.lists(POSTS, max_size=12),
    names=st.lists(st.sets(st.sampled_from(["Brizelo", "Torvella"])), min_size=12, max_size=12),
    by=st.sampled_from([("entity", "language", "channel"), ("entity", "media"), ()]),
)
def test_estimates_are_numbers_within_their_bounds_whatever_the_posts(
    model: Path, rows: list[dict[str, Any]], names: list[set[str]], by: tuple[str, ...]
) -> None:
    rows = [row | {"mentions": sorted(some)} for row, some in zip(rows, names, strict=False)]
    with TemporaryDirectory() as folder:
        counts = counted(Path(folder), model, rows, by=by)
    for row in counts.to_pylist():
        three = [row[name] for name in ("low", "estimate", "high")]
        if row["metric"] in ("velocity", "alert"):
            continue
        if row["touchpoint"] == "none":  # an experience of nothing: only these drawn labels are so
            continue
        if row["promotion"] == "all" and row["metric"] in _UNLABELLED:
            assert three == [None] * 3, row
            continue
        if row["promotion"] == "all" and row["metric"] == "posts" and row["sentiment"] == "all":
            assert three == [None] * 3, row
            continue
        if None in three:
            assert row["metric"] in ("influence", "share", "concentration"), row
            assert three == [None] * 3, row
            continue
        assert all(math.isfinite(value) for value in three), row
        assert three == sorted(three), row
        least, most = (-100, 100) if row["metric"] == "influence" else (0, max(len(rows), 1))
        assert least <= three[0], row
        assert three[2] <= most + 1e-6, row


def test_posts_of_either_promotion_add_up_to_all(tmp_path: Path, model: Path) -> None:
    rows = [{"author": f"a{n}", "sentiment": "negative", "sentiment_score": 0.6} for n in range(40)]
    rows += [{"sponsored": "yes", "sponsored_score": 0.7, "sentiment": "positive"}] * 20
    counts = counted(tmp_path, model, rows)
    organic, sponsored = (
        number(counts, "posts", promotion=promotion)["estimate"]
        for promotion in ("organic", "sponsored")
    )
    assert organic + sponsored == pytest.approx(60)
    moods = [
        number(counts, "posts", promotion="all", sentiment=mood)["estimate"]
        for mood in ("negative", "positive")
    ]
    assert 0 < sum(moods) <= 60
    voices = number(counts, "voices")
    assert voices["low"] <= voices["estimate"] <= 40


def test_the_order_of_posts_does_not_matter(tmp_path: Path, model: Path) -> None:
    generator = np.random.default_rng(3)
    rows: list[dict[str, Any]] = [
        {
            "author": f"a{generator.integers(20)}",
            "created_at": f"2026-03-{generator.integers(10, 28)}",
            "text": f"un texte {n}",
            "sentiment": str(generator.choice(["negative", "neutral", "positive"])),
            "experience": "own",
            "touchpoint": "product",
            "sentiment_score": 0.7,
        }
        for n in range(60)
    ]
    once = counted(tmp_path / "a", model, rows)
    again = counted(tmp_path / "b", model, [rows[at] for at in generator.permutation(60)])
    for name in ("estimate", "low", "high"):
        np.testing.assert_allclose(
            once[name].to_numpy(), again[name].to_numpy(), rtol=1e-6, atol=1e-9
        )


def test_a_person_s_posts_are_weighed_together(tmp_path: Path, model: Path) -> None:
    bad = {"sentiment": "negative", "experience": "own", "touchpoint": "service"}
    scores = {f"{tag}_score": 0.6 for tag in CLASS_TAGS}
    alone = [bad | scores | {"author": f"a{n}"} for n in range(30)]
    together = [bad | scores | {"author": f"a{n % 5}"} for n in range(30)]
    one = number(counted(tmp_path / "one", model, alone), "detractors")
    six = number(counted(tmp_path / "six", model, together), "detractors")
    assert (one["raw"], six["raw"]) == (30, 5)
    assert one["estimate"] / 30 < six["estimate"] / 5 <= 1


def test_a_text_copied_many_times_tells_of_one_post(tmp_path: Path, model: Path) -> None:
    scores = {f"{tag}_score": 0.7 for tag in CLASS_TAGS}
    moods = ("negative", "neutral", "positive")
    rows: list[dict[str, Any]] = [
        scores | {"author": f"a{n}", "sentiment": moods[n % 3], "experience": "own"}
        for n in range(60)
    ]
    text = "vraiment une machine comme on en voit peu chez Brizelo"
    bad = scores | {"sentiment": "negative", "experience": "own"}
    several = [bad | {"author": f"b{n}", "text": f"avis {n}"} for n in range(200)]
    copies = [bad | {"author": f"b{n}", "text": text} for n in range(200)]
    alone, campaign, one = (
        counted(tmp_path / name, model, rows + more)
        for name, more in (("alone", several), ("campaign", copies), ("one", copies[:1]))
    )
    assert number(campaign, "echoes")["raw"] == 199

    def width(counts: pa.Table, metric: str, **where: str) -> float:
        found = number(counts, metric, **where)
        return float(found["high"] - found["low"])

    for promotion in ("organic", "all"):
        where = {"promotion": promotion, "sentiment": "negative"}
        assert width(campaign, "posts", **where) > 3 * width(alone, "posts", **where)
    # So do the echoes among them.
    assert width(campaign, "echoes") > 40
    # What leaves echoes out is as if they were not there.
    for metric in ("good", "bad", "voices", "influence"):
        assert number(campaign, metric) == number(one, metric)


def test_what_no_label_says_is_written_where_it_is_estimated(tmp_path: Path, model: Path) -> None:
    bad = {"sentiment": "negative", "experience": "own", "touchpoint": "service"}
    unsure = [bad | {"touchpoint_score": 0.1 if n % 3 == 0 else 0.8} for n in range(300)]
    counts = counted(tmp_path, model, [row | {"author": f"a{n}"} for n, row in enumerate(unsure)])
    bad_ones = number(counts, "bad", experience="own")
    parts = [
        row
        for row in counts.to_pylist()
        if (row["metric"], row["promotion"], row["experience"]) == ("bad", "organic", "own")
        and {row["window"], row["language"], row["channel"], row["media"]} == {"all"}
        and row["touchpoint"] != "all"
    ]
    unsaid = [row for row in parts if row["raw"] == 0]
    assert unsaid
    for row in unsaid:
        assert 0.5 <= row["estimate"] <= row["high"] < 300, row
    # What is left out is less than half a post each.
    left_out = bad_ones["estimate"] - sum(row["estimate"] for row in parts)
    assert -1e-6 <= left_out < 0.5 * (5 - len(parts)) + 1e-6


def test_without_its_model_a_run_has_no_estimates_and_says_why(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [{}], model=str(tmp_path / "gone"))
    counts = count(run)
    assert counts["estimate"].null_count == counts.num_rows
    told = json.loads(counts.schema.metadata[b"murmure"])
    assert "no model" in told["no_estimates"]
    assert "--model" in told["no_estimates"]
    assert raw(counts, "posts") == 1


def test_a_sample_too_small_to_learn_from_is_said_to_be(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    counts = counted(tmp_path, write_model(folder, posts=60), [{}])
    assert counts["estimate"].null_count == counts.num_rows
    assert b"60 labelled posts, which is too few" in counts.schema.metadata[b"murmure"]


_ONE = {"author": "ana", "created_at": "2026-03-16", "channel": "x", "mentions": ["Brizelo"]}
_BAD = {"sentiment": "negative", "experience": "own", "touchpoint": "delivery"}
_UNSURE = {f"{tag}_abstained": True for tag in ("language", *CLASS_TAGS)}


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([], id="no posts"),
        pytest.param([_ONE | {"language": "other"}] * 3, id="none that counts"),
        pytest.param([_ONE | _BAD | {"text": f"{n}"} for n in range(20)], id="one author"),
        pytest.param([_ONE | _BAD | {"created_at": None}] * 20, id="no times"),
        pytest.param([_ONE | _BAD | {"author": None}] * 20, id="no authors"),
        pytest.param([_ONE | _UNSURE | {"author": f"a{n}"} for n in range(20)], id="all abstained"),
        pytest.param([_ONE | {"author": f"a{n}"} for n in range(200)], id="nobody complains"),
        pytest.param([_ONE | _BAD | {"author": f"a{n}"} for n in range(200)], id="everybody does"),
        pytest.param([_ONE | {"sponsored": "yes"}] * 20, id="all sponsored"),
        pytest.param([_ONE | {"repost_of": "p0"}] * 20, id="all echoes"),
    ],
)
def test_at_the_edges_numbers_are_sensible_or_not_known(
    tmp_path: Path, model: Path, rows: list[dict[str, Any]]
) -> None:
    counts = counted(tmp_path, model, rows)
    for name in ("raw", "estimate", "low", "high"):
        assert not any(
            value is not None and math.isnan(value) for value in counts[name].to_pylist()
        )
    for row in counts.to_pylist():
        if None not in (row["low"], row["estimate"], row["high"]):
            assert row["low"] <= row["estimate"] <= row["high"], row
    whole = {row["window"] for row in counts.to_pylist() if row["metric"] == "posts"}
    assert "all" in whole
