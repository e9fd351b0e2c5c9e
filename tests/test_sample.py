"""The posts in `data/`: what their README promises of them."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections import Counter, defaultdict
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from murmure.assets import sample_folder
from murmure.catalog import Catalog
from murmure.schema import LABELS, POST_COLUMNS, TAGS

DATA = Path(__file__).parent.parent / "data"
MIXED = DATA / "mixed" / "posts.jsonl"
WRITTEN = DATA / "written" / "posts.jsonl"

#: Words in a row that only the copies of one post share.
RUN = 6
#: The first post of each wave of copies, and how many posts the wave has.
ECHOES = {"fr-156": 10, "en-158": 8}
#: Makers and sellers of coffee that there are.
REAL = re.compile(
    r"\b(?:nespresso|senseo|tassimo|dolce gusto|lavazza|illy|segafredo|delonghi|krups|philips"
    r"|siemens|jura|saeco|keurig|starbucks|nescafe|malongo|carte noire|bialetti|smeg|breville"
    r"|amazon|carrefour|auchan|darty|fnac|cdiscount|argos|currys|tesco|walmart)\b"
)

Row = dict[str, str]


def read_posts(file: Path) -> list[Row]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def posts() -> list[Row]:
    return read_posts(sample_folder() / "posts.jsonl")


@pytest.fixture(scope="module")
def labels() -> dict[str, Row]:
    with (sample_folder() / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["id"] for row in rows}) == len(rows)
    return {row.pop("id"): row for row in rows}


def words(text: str) -> list[str]:
    """The words of a text, without case, accents and marks within them."""
    plain = unicodedata.normalize("NFD", text.lower().replace("'", "").replace("’", ""))
    return re.findall(r"[^\W_]+", "".join(c for c in plain if not unicodedata.combining(c)))


def clusters(posts: list[Row]) -> dict[str, set[str]]:
    """Groups of posts that share `RUN` words in a row, by their first post."""
    seen: dict[tuple[str, ...], str] = {}
    first: dict[str, str] = {}
    for post in posts:
        said = words(post["text"])
        runs = [tuple(said[start : start + RUN]) for start in range(len(said) - RUN + 1)]
        first[post["id"]] = next((seen[run] for run in runs if run in seen), post["id"])
        for run in runs:
            seen.setdefault(run, first[post["id"]])
    found = defaultdict(set)
    for name, origin in first.items():
        found[origin].add(name)
    return {origin: names for origin, names in found.items() if len(names) > 1}


def test_four_hundred_posts_half_french_half_english(
    posts: list[Row], labels: dict[str, Row]
) -> None:
    assert len(posts) == len({post["id"] for post in posts}) == 400
    assert Counter(post["id"][:3] for post in posts) == {"fr-": 200, "en-": 200}
    languages = Counter(row["language"] for row in labels.values())
    assert languages["fr"] >= 190
    assert languages["en"] >= 190
    assert set(languages) == set(LABELS["language"])


def test_posts_stand_in_order_of_time_over_eight_weeks_and_five_channels(posts: list[Row]) -> None:
    times = [datetime.fromisoformat(post["created_at"]) for post in posts]
    assert all(before <= after for before, after in pairwise(times))
    weeks = Counter(f"{time:%G-W%V}" for time in times)
    assert sorted(weeks) == [f"2026-W{week}" for week in range(10, 18)]
    assert min(weeks.values()) >= 30
    channels = {"x", "instagram", "youtube", "reviews", "press"}
    assert {post["channel"] for post in posts} == channels
    place = {post["id"]: number for number, post in enumerate(posts)}
    for number, post in enumerate(posts):
        assert post.keys() <= set(POST_COLUMNS)
        for link in ("repost_of", "in_reply_to"):
            assert link not in post or place[post[link]] < number


def test_every_post_has_valid_labels_that_agree(posts: list[Row], labels: dict[str, Row]) -> None:
    assert labels.keys() == {post["id"] for post in posts}
    for name, row in labels.items():
        assert list(row) == list(TAGS)
        assert all(row[tag] in LABELS[tag] for tag in TAGS), name
        assert (row["experience"] == "none") == (row["touchpoint"] == "none"), name
    for tag in TAGS:  # every label can be seen in the demo
        assert {row[tag] for row in labels.values()} == set(LABELS[tag])


def test_no_two_posts_but_the_echoes_share_six_words_in_a_row(posts: list[Row]) -> None:
    found = clusters(posts)
    assert {origin: len(group) for origin, group in found.items()} == ECHOES


def test_posts_to_train_on_are_labelled_and_nobody_else_s(posts: list[Row]) -> None:
    written = read_posts(WRITTEN)
    assert len(written) == len({post["id"] for post in written}) == 3_888
    for post in written:
        assert all(post[tag] in LABELS[tag] for tag in TAGS), post["id"]
        assert (post["experience"] == "none") == (post["touchpoint"] == "none"), post["id"]
        assert not REAL.search(post["text"].lower()), post["id"]
    measured = {post["id"] for post in [*posts, *read_posts(MIXED)]}
    together = clusters([*posts, *read_posts(MIXED), *written])
    assert set().union(*together.values()) <= measured


def test_six_words_in_a_row_are_noticed(posts: list[Row]) -> None:
    said = words(posts[0]["text"])
    copy = {"id": "copy", "text": " ".join(["so", *said[:RUN], "there"])}
    near = {"id": "near", "text": " ".join(["but", *said[: RUN - 1], "here"])}
    assert clusters([posts[0], copy, near]) == {posts[0]["id"]: {posts[0]["id"], "copy"}}


def test_brands_are_invented_and_links_lead_nowhere(posts: list[Row]) -> None:
    catalog = Catalog.load(sample_folder() / "catalog.toml")
    assert [brand.name for brand in catalog.brands] == ["Brizelo", "Torvella", "Marelle"]
    assert {brand.group for brand in catalog.brands} == {"coffee"}
    for post in posts:
        assert not REAL.search(" ".join(words(post["text"]))), post["id"]
        hosts = re.findall(r"https?://([^/\s]+)|[\w.-]+@([\w-]+\.[\w.-]*\w)", post["text"])
        for host in filter(None, (part for pair in hosts for part in pair)):
            assert re.fullmatch(r"example\.com|[\w-]+\.example", host), post["id"]


def test_brands_are_found_where_they_are_meant(posts: list[Row]) -> None:
    catalog = Catalog.load(sample_folder() / "catalog.toml")
    found = {
        post["id"]: {span.entity for span in spans}
        for post, spans in zip(
            posts, catalog.find_all([post["text"] for post in posts]), strict=True
        )
    }
    games_and_children = ["fr-004", "fr-026", "fr-083", "fr-174", "en-017", "en-058", "en-145"]
    assert not any(found[name] for name in games_and_children)
    assert found["en-134"] == {"Marelle"}
    assert found["fr-069"] == {"Torvella", "Brizelo"}
    counts = Counter(entity for entities in found.values() for entity in entities)
    assert min(counts[brand.name] for brand in catalog.brands) >= 80


def test_a_hundred_mixed_posts_and_forty_that_only_look_it() -> None:
    posts = read_posts(MIXED)
    assert len({post["text"] for post in posts}) == len({post["id"] for post in posts}) == 140
    mixed = [post for post in posts if post["id"].startswith("mixed-")]
    assert [post["language"] for post in mixed] == ["mixed"] * 100
    hard = Counter(post["language"] for post in posts if post["id"].startswith("hard-"))
    assert hard == {"fr": 16, "en": 16, "other": 8}
    assert not clusters(posts)
