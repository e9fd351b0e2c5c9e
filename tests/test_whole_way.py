"""From a file of posts to the page: what one part writes, the next must read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from murmure.batch import tag_file
from murmure.errors import RunError
from murmure.influence import count
from murmure.report import build
from tests.report.pages import SPLITS, Parsed
from tests.report.test_page import headline
from tests.taggers import load_rules

CATALOG = """
[[brand]]
name = "Brizelo"
group = "coffee"
[[brand]]
name = "Torvella"
group = "coffee"
[[brand]]
name = "Marelle"
"""

POSTS: list[dict[str, Any]] = [
    {"text": "Brizelo came late again", "author": "ana", "created_at": "2026-03-16", "note": "a"},
    {"text": "late, as ever with Brizelo <b>", "author": "ben", "created_at": "2026-03-17"},
    {"text": "Torvella, lovely. Brizelo, late!", "author": "cy", "created_at": "2026-03-24"},
    {"text": "get a Torvella today #ad", "author": "dot", "created_at": "2026-03-24"},
    {"text": "what a day", "author": "ana", "created_at": "2026-03-25"},
    {"text": None, "author": "eve"},
]


@pytest.fixture
def tagged(tmp_path: Path) -> Path:
    return _tag(tmp_path, "run", POSTS)


def _tag(folder: Path, name: str, posts: list[dict[str, Any]], catalog: str = CATALOG) -> Path:
    source, brands = folder / f"{name}.jsonl", folder / f"{name}.toml"
    source.write_text("".join(f"{json.dumps(post)}\n" for post in posts), encoding="utf-8")
    brands.write_text(catalog, encoding="utf-8")
    tag_file(source, folder / name, catalog=brands, load_predictor=load_rules, jobs=1)
    return folder / name


def _raw(run: Path, **options: Any) -> dict[tuple[str, str, str], float | None]:
    """Raw numbers over everything, by entity, promotion and metric."""
    return {
        (row["entity"], row["promotion"], row["metric"]): row["raw"]
        for row in count(run, **options).to_pylist()
        if row["window"] == "all"
        and all(row[name] == "all" for name in (*SPLITS[1:], "experience", "touchpoint"))
        and row["sentiment"] == "all"
    }


def test_counts_take_brands_groups_and_mentions_from_the_runs_manifest(tagged: Path) -> None:
    raw = _raw(tagged)
    assert raw["Brizelo", "organic", "voices"] == 3
    assert raw["Brizelo", "organic", "bad"] == 3
    assert raw["Torvella", "organic", "good"] == 1  # its own clause, not the post's
    assert raw["Torvella", "sponsored", "posts"] == 1
    assert raw["Brizelo", "organic", "share"] == 1  # who speaks of Torvella does so of Brizelo too
    assert raw["Torvella", "organic", "share"] == pytest.approx(1 / 3)
    assert raw["Marelle", "organic", "posts"] == 0  # in the catalogue, never named
    assert raw["all", "all", "posts"] == 4


def test_a_catalogue_that_says_the_same_needs_no_tagging_again(
    tagged: Path, tmp_path: Path
) -> None:
    same = tmp_path / "same.toml"
    same.write_text(f"# the same brands\n{CATALOG}", encoding="utf-8")
    assert _raw(tagged, catalog=same) == _raw(tagged)


def test_the_page_shows_the_runs_brands_posts_and_rejects(tagged: Path) -> None:
    page = build([tagged], count(tagged, by=SPLITS), ui="en")
    told = Parsed(page).visible()
    assert set(headline(page)) >= {"Brizelo", "Torvella", "Marelle"}
    assert headline(page)["Brizelo"]["voices_organic"] == "3"
    assert "<b>" not in page
    assert "text is null" in told
    assert "partial" not in told
    assert "rules" in told  # the model's name


def test_a_run_that_is_damaged_afterwards_is_refused_by_all(tagged: Path) -> None:
    counts = count(tagged, by=SPLITS)
    (tagged / "manifest.json").write_text('{"format": "other"}', encoding="utf-8")
    with pytest.raises(RunError, match=r"manifest\.json"):
        count(tagged)
    with pytest.raises(RunError, match=r"manifest\.json"):
        build([tagged], counts)


def test_nights_of_one_catalogue_are_counted_together_and_of_two_refused(
    tagged: Path, tmp_path: Path
) -> None:
    night = _tag(tmp_path, "night", [{"text": "lovely Marelle", "author": "fay"}])
    page = build([tagged, night], count([tagged, night], by=SPLITS), ui="en")
    assert headline(page)["Marelle"]["voices_organic"] == "1"
    other = _tag(tmp_path, "other", [{"text": "x"}], '[[brand]]\nname = "Brizelo"\n')
    with pytest.raises(RunError, match="different"):
        count([tagged, other])
