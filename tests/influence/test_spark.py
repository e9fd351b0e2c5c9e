"""Counts of a cluster of two workers, against a local count of the same rows."""

from __future__ import annotations

import random
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from murmure.catalog import Brand, Catalog
from murmure.errors import InputError, UsageError
from murmure.influence import count
from murmure.influence import spark as on_cluster
from murmure.influence.alerts import add_alerts
from murmure.influence.media import load_media
from murmure.influence.spark_tally import KIND_AND_LABELS, OF_ROWS, Tally
from murmure.tagging.folder import ModelFolder
from tests.clusters import cluster, needs_cluster
from tests.runs import write_run

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

BY = ("entity", "language", "channel", "media")
_SENTENCE = "la cafetière fuit de partout depuis hier et personne ne répond au téléphone"
TEXTS = (
    "merci !",
    _SENTENCE,
    f"RT @someone: {_SENTENCE.upper()} 😡 https://example.org/1",
    f"{_SENTENCE} franchement",
    f"{_SENTENCE} on ne m'y prendra plus jamais",
    "great coffee every single morning since we bought it",
    "great coffee every single morning since she bought it",
)
TIMES = (
    None,
    "2025-12-31T23:30:00",
    "2026-03-16",
    "2026-03-18T02:00:00+09:00",
    "2026-03-23",
)


def random_posts(number: int, *, seed: int) -> list[dict[str, Any]]:
    """Posts that share texts, times, authors and names; some are alike in every column."""
    draw = random.Random(seed)

    def tags() -> dict[str, Any]:
        return {
            "sentiment": draw.choice(["negative", "neutral", "positive"]),
            "experience": draw.choice(["own", "shared", "none"]),
            "touchpoint": draw.choice(["product", "delivery", "none"]),
        }

    def mention() -> dict[str, Any]:
        name = draw.choice(["Brizelo", "Torvella", "Marelle"])
        return {"entity": name, "sentiment_score": draw.choice([0.5, 0.9]), **tags()}

    posts: list[dict[str, Any]] = []
    for place in range(number):
        if posts and draw.random() < 0.1:
            posts.append(posts[-1])
            continue
        posts.append(
            {
                "id": f"p{place:04d}",
                "text": draw.choice(TEXTS) + draw.choice(["", "", f" {place % 7}"]),
                "author": draw.choice(
                    ["ana", " ana ", "bob", "", None, "[deleted]", f"u{draw.randrange(30)}"]
                ),
                "created_at": draw.choice(TIMES),
                "channel": draw.choice(["x", "press", "elsewhere", " ", "ALL", None]),
                "repost_of": draw.choice([None] * 6 + ["", "p0"]),
                "language": draw.choice(["fr", "en", "mixed", "other"]),
                "sponsored": draw.choice(["no", "no", "yes"]),
                "mentions": [mention() for _ in range(draw.randrange(3))],
                **tags(),
            }
        )
    return posts


def parts_of(run: Path) -> DataFrame:
    return cluster().read.option("pathGlobFilter", "*.parquet").parquet(str(run))


@needs_cluster
def test_the_counts_are_those_of_a_local_run(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", random_posts(80, seed=1), part_rows=30)
    frame = parts_of(run)
    frame = frame.select("*", "_metadata.file_name", "_metadata.row_index")
    counts = on_cluster.count(frame, by=BY, place=("file_name", "row_index"))
    assert_same(counts, count(run, by=BY))


@needs_cluster
def test_without_places_the_smaller_id_is_the_earlier(tmp_path: Path) -> None:
    # Ids are in the order of the rows, so that a local count takes the same for the earlier; rows
    # alike in every column, which nothing tells apart, are counted as often as they are there.
    run = write_run(tmp_path / "run", random_posts(60, seed=2))
    frame = parts_of(run).repartition(3)
    counts = on_cluster.count(frame, by=BY, window="month")
    assert_same(counts, count(run, by=BY, window="month"))


@needs_cluster
def test_what_cannot_be_counted_is_refused_at_once() -> None:
    frame = cluster().createDataFrame([], "id string, text string")
    with pytest.raises(InputError, match="author"):
        on_cluster.count(frame)
    with pytest.raises(UsageError, match="--by country"):
        on_cluster.count(frame, by=["country"])
    with pytest.raises(UsageError, match="search: needs a catalog"):
        on_cluster.count(frame, search=True)


def counted_in_tasks(
    run: Path, tasks: int, *, model: str, search: Catalog | None = None
) -> pa.Table:
    """Counts as a cluster of so many tasks does, in this process, of posts that copy no other."""
    known, tagger = on_cluster.known_errors(model)
    brands = {} if search is None else {brand.name: brand.group or "" for brand in search.brands}
    names = dict.fromkeys(("Brizelo", "Marelle", "Torvella"), "")
    tally = Tally(
        groups=brands or names,
        by=BY,
        window="week",
        languages=("fr", "en", "mixed"),
        kinds=dict(load_media()),
        brands=search,
        retag=tagger,
        cells=known.cells,
    )
    rows = pq.read_table(run / "part-00000.parquet")
    rows = rows.append_column("key", rows["id"])
    rows = rows.append_column("flag", pa.array([0] * len(rows), pa.int32()))
    speaker = [author.strip() if author else "" for author in rows["author"].to_pylist()]
    keys = rows["key"].to_pylist()
    task = [
        zlib.crc32((name or key).encode()) % tasks for name, key in zip(speaker, keys, strict=True)
    ]
    told = [
        pa.Table.from_batches(tally(iter(some.to_batches())), schema=tally.schema)
        for number in range(tasks)
        if len(some := rows.filter(pa.array([one == number for one in task])).combine_chunks())
    ]
    found = pa.concat_tables(told)
    is_material = pc.equal(found["kind"], "material")
    material = found.filter(is_material)
    numbers = [n for n in found.schema.names if n not in {*KIND_AND_LABELS, *OF_ROWS}]
    grouped = found.filter(pc.invert(is_material)).group_by(list(KIND_AND_LABELS))
    sums = grouped.aggregate([(name, "sum") for name in numbers])
    sums = sums.rename_columns([*KIND_AND_LABELS, *numbers])
    counts = on_cluster.make_counts(sums, material, tally, level=0.95)
    return add_alerts(counts, window="week")


def assert_same(found: pa.Table, expected: pa.Table) -> None:
    """All rows, and all numbers; sums of fractions in another order differ in the last place."""
    fractions = ["estimate", "low", "high"]
    exact = found.drop_columns(fractions).to_pylist()
    assert exact == expected.drop_columns(fractions).to_pylist()
    for name in fractions:
        one, other = found[name].to_pylist(), expected[name].to_pylist()
        assert one == [None if v is None else pytest.approx(v, rel=1e-6, abs=1e-9) for v in other]


def test_tasks_that_hold_whole_people_add_up_with_their_estimates(tmp_path: Path) -> None:
    # No two repost the same one: intervals of copies are those of a local count only.
    unique = [
        post | {"id": f"p{n:04d}", "text": f"post {n}", "repost_of": post["repost_of"] and f"r{n}"}
        for n, post in enumerate(random_posts(100, seed=3))
    ]
    fingerprint = ModelFolder.open("fast").fingerprint
    run = write_run(tmp_path / "run", unique, fingerprint=fingerprint)
    expected = count(run, by=BY)
    assert expected["estimate"].null_count < len(expected) / 2
    assert_same(counted_in_tasks(run, 3, model="fast"), expected)


def test_another_catalogue_is_looked_for_in_the_tasks(tmp_path: Path) -> None:
    texts = ("ma Brizelo fuit", "Torvella est mieux que Brizelo. Brizelo est nulle.", "merci !")
    posts = [
        post
        | {"id": f"p{n:04d}", "text": f"{texts[n % 3]} {n}"}
        | {"repost_of": post["repost_of"] and f"r{n}"}
        for n, post in enumerate(random_posts(60, seed=4))
    ]
    fingerprint = ModelFolder.open("fast").fingerprint
    run = write_run(tmp_path / "run", posts, fingerprint=fingerprint)
    brands = Catalog([Brand(name="Brizelo", group="coffee"), Brand(name="Torvella")])
    expected = count(run, by=BY, catalog=brands)
    assert_same(counted_in_tasks(run, 2, model="fast", search=brands), expected)
