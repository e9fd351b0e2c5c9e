"""The draws of the benchmark of a user's own corpus, and what the documentation tells of it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks.own_corpus import draw, labelled_tags, read_posts, read_results, tell, write_posts
from benchmarks.readme import OWN_PAGE, fill, own

from murmure.errors import InputError, UsageError
from murmure.schema import TAGS


def posts(count: int) -> list[dict[str, Any]]:
    """Made posts, each written twice; every tenth has no label."""
    rows = []
    for number in range(count):
        row: dict[str, Any] = dict.fromkeys(TAGS) | {"language": "fr", "key": f"k{number}"}
        if number % 10:
            row["sentiment"] = ("negative", "positive")[number % 2]
        rows += [row | {"text": f"Brizelo {number}"}, row | {"text": f"brizelo {number} !"}]
    return rows


def test_no_post_is_on_both_sides_and_of_copies_there_is_one() -> None:
    train, held = draw(posts(100), ["sentiment"], train=50, held=30, seed=1)
    keys = [row["key"] for row in [*train, *held]]
    assert (len(train), len(held)) == (50, 30)
    assert len(set(keys)) == 80
    assert all(row["sentiment"] for row in [*train, *held])


def test_what_is_left_is_held_and_seeds_draw_differently() -> None:
    train, held = draw(posts(100), ["sentiment"], train=50, held=680, seed=1)
    assert len(held) == 40
    assert draw(posts(100), ["sentiment"], train=50, held=680, seed=1) == (train, held)
    assert draw(posts(100), ["sentiment"], train=50, held=680, seed=2)[0] != train


def test_too_few_posts_are_refused() -> None:
    with pytest.raises(UsageError, match="there are 90 distinct labelled posts"):
        draw(posts(100), ["sentiment"], train=90, held=10, seed=1)


def test_a_csv_is_as_a_user_has_it(tmp_path: Path) -> None:
    rows = posts(2)
    assert not labelled_tags(rows)
    assert labelled_tags(posts(3)) == ["sentiment"]
    write_posts(rows, ["sentiment"], tmp_path / "mine.csv")
    with (tmp_path / "mine.csv").open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file))[:4] == [
            ["text", "sentiment"],
            ["Brizelo 0", ""],
            ["brizelo 0 !", ""],
            ["Brizelo 1", "positive"],
        ]


def write_corpus(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    (folder / name).mkdir()
    pq.write_table(pa.Table.from_pylist(rows), folder / name / "train.parquet")


def test_posts_that_another_corpus_holds_are_left_out(tmp_path: Path) -> None:
    write_corpus(tmp_path, "books_fr", posts(10))
    write_corpus(tmp_path, "annotated", posts(3))
    found = {row["key"] for row in read_posts(tmp_path, "books_fr")}
    assert found == {f"k{number}" for number in range(3, 10)}


def test_a_corpus_that_base_has_read_is_refused(tmp_path: Path) -> None:
    write_corpus(tmp_path, "allocine_fr", posts(3))
    with pytest.raises(UsageError, match="base may have been trained on it"):
        read_posts(tmp_path, "allocine_fr")
    with pytest.raises(InputError, match="no such corpus"):
        read_posts(tmp_path, "books_fr")


def result(*differences: float) -> dict[str, Any]:
    """What was measured of a tag whose intervals reach 0.02 to both sides."""
    compared = [
        {
            "posts": 680,
            "macro_f1": 0.8 + one,
            "other": 0.8,
            "difference": one,
            "interval": [one - 0.02, one + 0.02],
        }
        for one in differences
    ]
    return {
        "corpus": {"name": "made", "genre": "made posts"},
        "machine": {"processor": "a processor"},
        "draws": [
            {
                "trained_on": 500,
                "cpu_seconds": 90,
                "held": {"sentiment": one},
                "sample": {"sentiment": one},
            }
            for one in compared
        ],
    }


def test_what_pays_and_what_does_not_is_told() -> None:
    told = tell([result(0.03, 0.01, -0.04)])
    assert "| 1 | sentiment | 680 | 0.800 | 0.830 | +0.030 (+0.010 to +0.050) |" in told
    assert "| 3 | sentiment | 680 | 0.800 | 0.760 | -0.040 (-0.060 to -0.020) |" in told
    assert "Better beyond doubt: 1 of 3; worse beyond doubt: 1." in told
    assert "sentiment +0.000 on average" in told
    assert "1.5 to 1.5 minutes" in told


def test_the_page_tells_what_was_measured() -> None:
    page = OWN_PAGE.read_text("utf-8")
    results = read_results()
    assert results
    assert tell(results).rstrip() in page
    assert fill(page, "own", own()) == page, "python benchmarks/readme.py"


def test_results_hold_figures_and_no_posts() -> None:
    for found in read_results():
        assert set(found["draws"][0]) == {
            *("seed", "trained_on", "measured_on", "seconds", "cpu_seconds", "held", "sample")
        }
