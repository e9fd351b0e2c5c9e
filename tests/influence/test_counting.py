"""Counts: against a recount in plain Python, and case by case."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from murmure.errors import InputError, RunError, UsageError
from murmure.influence import DERIVED, count, counts_schema
from murmure.influence.tables import METRIC_COLUMNS, SLICE_COLUMNS
from tests.influence.reference import Numbers, recount
from tests.runs import write_run

MEDIA = {"x": "social", "reviews": "social", "press": "traditional"}

_SENTENCE = "la cafetière fuit de partout depuis hier et personne ne répond au téléphone"
TEXTS = (
    "merci !",
    "quatre mots en tout",
    _SENTENCE,
    f"RT @someone: {_SENTENCE.upper()} 😡 https://example.org/1",
    f"{_SENTENCE} franchement",
    f"{_SENTENCE} on ne m'y prendra plus jamais",
    "great coffee every single morning since we bought it",
    "great coffee every single morning since she bought it",
)


def _mentions() -> st.SearchStrategy[list[dict[str, Any]]]:
    mention = st.fixed_dictionaries(
        {
            "entity": st.sampled_from(["Brizelo", "Torvella", "Marelle"]),
            "sentiment": st.sampled_from(["negative", "neutral", "positive"]),
            "sentiment_score": st.sampled_from([0.5, 0.9]),
            "experience": st.sampled_from(["own", "none"]),
            "touchpoint": st.sampled_from(["product", "delivery"]),
        }
    )
    return st.lists(mention, max_size=3)


POSTS = st.fixed_dictionaries(
    {
        "text": st.sampled_from(TEXTS),
        "author": st.sampled_from(["ana", " ana ", "bob", "cleo", "", " Anonyme", None]),
        "created_at": st.sampled_from(
            [None, "2025-12-31T23:30:00", "2026-03-16", "2026-03-18T02:00:00+09:00", "2026-03-23"]
        ),
        "channel": st.sampled_from(["x", "press", "elsewhere", " ", "ALL", None]),
        "repost_of": st.sampled_from([None, None, None, "", "p0"]),
        "language": st.sampled_from(["fr", "en", "mixed", "other"]),
        "sentiment": st.sampled_from(["negative", "neutral", "positive"]),
        "experience": st.sampled_from(["own", "shared", "none"]),
        "touchpoint": st.sampled_from(["product", "service", "none"]),
        "sponsored": st.sampled_from(["no", "no", "yes"]),
    }
)


def numbers(counts: pa.Table) -> Numbers:
    derived = {metric.name for metric in DERIVED}
    rows = [row for row in counts.to_pylist() if row["metric"] not in derived]
    found = {
        tuple(row[name] for name in (*SLICE_COLUMNS, *METRIC_COLUMNS)): (row["raw"], row["n"])
        for row in rows
    }
    assert len(found) == len(rows), "a slice is there twice"
    return found


def compare(found: Numbers, expected: Numbers) -> None:
    assert found.keys() == expected.keys()
    for key, (raw, n) in expected.items():
        assert found[key] == (raw if raw is None else pytest.approx(raw, abs=1e-9), n), key


def raw(counts: pa.Table, metric: str, **where: str) -> float | None:
    """The one number of a metric, of all organic posts where nothing else is said."""
    asked = dict.fromkeys((*SLICE_COLUMNS, *METRIC_COLUMNS), "all")
    asked |= {"promotion": "organic", "metric": metric, **where}
    (number,) = [
        row["raw"]
        for row in counts.to_pylist()
        if all(row[name] == value for name, value in asked.items())
    ]
    return number  # type: ignore[no-any-return]


def counted(folder: Path, rows: Sequence[Mapping[str, Any]], **options: Any) -> pa.Table:
    return count(write_run(folder / "run", rows), **options)


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.lists(POSTS, max_size=14),
    mentions=st.lists(_mentions(), min_size=14, max_size=14),
    with_catalog=st.booleans(),
    by=st.sampled_from(
        [
            ("entity", "language", "channel"),
            ("entity", "media"),
            ("channel", "media"),
            ("entity", "language", "channel", "media"),
            (),
        ]
    ),
)
def test_counts_equal_a_recount_in_python(
    rows: list[dict[str, Any]],
    mentions: list[list[dict[str, Any]]],
    with_catalog: bool,
    by: tuple[str, ...],
) -> None:
    catalog: dict[str, Any] | None = None
    groups = None
    if with_catalog:
        rows = [row | {"mentions": some} for row, some in zip(rows, mentions, strict=False)]
        groups = {"Brizelo": "machines", "Torvella": "machines", "Marelle": ""}
        brands = [{"name": name, "group": group or None} for name, group in groups.items()]
        catalog = {"sha256": "c" * 64, "brands": brands}
    with TemporaryDirectory() as folder:
        run = write_run(folder, rows, catalog=catalog, part_rows=5)
        found = numbers(count(run, by=by))
    compare(found, recount(rows, by=by, media=MEDIA, groups=groups))


def test_an_empty_run_counts_nothing_and_knows_no_influence(tmp_path: Path) -> None:
    counts = counted(tmp_path, [])
    assert counts.schema.equals(counts_schema())
    assert raw(counts, "posts") == 0
    assert raw(counts, "influence") is None
    assert raw(counts, "concentration") is None


def test_posts_without_authors_are_counted_apart_and_make_no_voice(tmp_path: Path) -> None:
    counts = counted(tmp_path, [{"sentiment": "positive"}, {"sentiment": "negative"}])
    assert raw(counts, "unknown_authors") == 2
    assert raw(counts, "voices") == 0
    assert raw(counts, "influence") is None


def test_who_is_called_deleted_or_anonymous_is_nobody(tmp_path: Path) -> None:
    names = ["[deleted]", " Anonyme ", "anonymous", "NaN", "None", "null", "N/A", "[removed]"]
    names += ["inconnu", "Unknown", "Utilisateur supprimé", "deleted user", "Client d'Amazon"]
    counts = counted(tmp_path, [{"author": name} for name in [*names, *names, "Ana", "Nana"]])
    assert raw(counts, "unknown_authors") == 2 * len(names)
    assert raw(counts, "voices") == 2


def test_one_author_is_one_voice_on_all_channels_and_in_all_windows(tmp_path: Path) -> None:
    rows = [
        {"author": "ana", "channel": "x", "created_at": "2026-03-16", "sentiment": "positive"},
        {"author": "ana", "channel": "press", "created_at": "2026-03-23", "sentiment": "positive"},
        {"author": "ana", "channel": "x", "sentiment": "negative"},
    ]
    counts = counted(tmp_path, rows)
    assert raw(counts, "voices") == 1
    assert raw(counts, "voices", window="2026-W13") == 1
    assert raw(counts, "influence") == 100
    assert raw(counts, "influence", window="unknown") == -100
    assert raw(counts, "concentration") == 1


def test_a_run_without_times_has_one_window_of_unknown_time(tmp_path: Path) -> None:
    counts = counted(tmp_path, [{"author": "ana"}, {"author": "bob"}])
    assert set(counts["window"].to_pylist()) == {"all", "unknown"}


def test_who_only_echoes_is_no_voice(tmp_path: Path) -> None:
    text = "Ma Brizelo fuit de partout, et personne ne répond"
    rows = [
        {"text": text, "author": "bob", "created_at": "2026-03-17", "sentiment": "negative"},
        {"text": text + " !!", "author": "ana", "created_at": "2026-03-16"},
        {"text": "à lire", "author": "cleo", "repost_of": "p0"},
    ]
    counts = counted(tmp_path, rows)
    assert raw(counts, "posts") == 3
    assert raw(counts, "echoes") == 2
    assert raw(counts, "voices") == 1
    assert raw(counts, "influence") == 0  # ana was first and is neutral; bob's anger is an echo


@pytest.mark.parametrize("time", [None, "2026-03-16"])
def test_a_repost_listed_first_leaves_the_original_its_voice(
    tmp_path: Path, time: str | None
) -> None:
    text = "Ma Brizelo fuit de partout, et personne ne répond"
    repost = {"text": text, "author": "bob", "created_at": time, "repost_of": "p1"}
    counts = counted(tmp_path, [repost, {"text": text, "author": "ana", "created_at": time}])
    assert raw(counts, "echoes") == 1
    assert raw(counts, "voices") == 1


def test_echoes_are_found_across_languages_left_out_and_across_runs(tmp_path: Path) -> None:
    text = "la machine de mes rêves est enfin arrivée ce matin"
    first = write_run(tmp_path / "one", [{"text": text, "language": "other", "author": "ana"}])
    second = write_run(tmp_path / "two", [{"text": text, "author": "bob"}])
    counts = count([first, second])
    assert raw(counts, "posts") == 1
    assert raw(counts, "echoes") == 1


def test_sponsored_posts_make_no_influence(tmp_path: Path) -> None:
    rows = [
        {"author": "ana", "sentiment": "positive", "sponsored": "yes"},
        {"author": "bob", "sentiment": "negative"},
    ]
    counts = counted(tmp_path, rows)
    assert raw(counts, "influence") == -100
    assert raw(counts, "voices") == 1
    assert raw(counts, "voices", promotion="sponsored") == 1
    assert raw(counts, "voices", promotion="all") == 2
    assert "influence" not in {
        row["metric"] for row in counts.to_pylist() if row["promotion"] != "organic"
    }


def test_a_mention_counts_with_its_own_sentence_and_the_whole_with_the_post(tmp_path: Path) -> None:
    post = {
        "author": "ana",
        "sentiment": "negative",
        "experience": "own",
        "touchpoint": "delivery",
        "mentions": [
            {"entity": "Brizelo", "sentiment": "neutral"},
            {"entity": "Torvella", "sentiment": "positive", "touchpoint": "product"},
            {"entity": "Brizelo", "sentiment": "negative"},
        ],
    }
    counts = counted(tmp_path, [post, {"author": "bob", "sentiment": "negative"}])
    assert raw(counts, "influence", entity="Brizelo") == -100
    assert raw(counts, "influence", entity="Torvella") == 100
    assert raw(counts, "good", entity="Torvella", touchpoint="product") == 1
    assert raw(counts, "posts") == 1  # bob names nobody
    assert raw(counts, "bad", touchpoint="delivery") == 1
    assert raw(counts, "share", entity="Brizelo") == 1


def test_days_and_months_are_utc(tmp_path: Path) -> None:
    rows = [{"created_at": "2026-04-01T01:30:00+02:00"}]
    run = write_run(tmp_path / "run", rows)
    assert raw(count(run, window="day"), "posts", window="2026-03-31") == 1
    assert raw(count(run, window="month"), "posts", window="2026-03") == 1


def test_other_languages_count_only_where_asked_for(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [{"language": "other"}, {"language": "mixed"}])
    assert raw(count(run), "posts") == 1
    assert raw(count(run, languages=["other"]), "posts", language="other") == 1


def test_every_brand_of_the_catalogue_is_there_even_unnamed(tmp_path: Path) -> None:
    catalog = {"sha256": "c" * 64, "brands": [{"name": "Marelle"}]}
    run = write_run(tmp_path / "run", [{"author": "ana"}], catalog=catalog)
    counts = count(run)
    assert raw(counts, "voices", entity="Marelle") == 0
    assert raw(counts, "share", entity="Marelle") is None
    assert raw(counts, "posts") == 0


def test_columns_of_the_input_named_as_duckdb_s_own_do_no_harm(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    run = write_run(tmp_path / "a=1 [b]*'", [{"author": "ana"}, {"author": "bob"}], part_rows=1)
    for part in run.glob("*.parquet"):
        table = pq.read_table(part)
        for name in ("file_row_number", "filename", "a"):
            table = table.append_column(name, pa.array(["mine"]))
        pq.write_table(table, part)
    assert raw(count(run), "voices") == 2


def test_rows_made_a_few_slices_at_a_time_are_the_same_in_the_same_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"mentions": [name], "author": name} for name in ("Torvella", "Brizelo", "Marelle")]
    run = write_run(tmp_path / "run", rows)
    at_once = count(run).to_pylist()
    monkeypatch.setattr("murmure.influence.rows._SLICES", 2)
    assert count(run).to_pylist() == at_once


def test_counts_say_how_they_were_made(tmp_path: Path) -> None:
    counts = counted(tmp_path, [{}], by=["channel"], window="day", level=0.9)
    told = json.loads(counts.schema.metadata[b"murmure"])
    assert "is not the model that tagged the posts" in told.pop("no_estimates")
    assert told == {
        "by": ["channel"],
        "window": "day",
        "level": 0.9,
        "languages": ["en", "fr", "mixed"],
        "model": "0" * 64,
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": ["author"]}, "--by author: unknown; known are entity"),
        ({"window": "year"}, "--window year: unknown; known are day, week, month"),
        ({"languages": ["de"]}, "--languages de: unknown; known are fr, en"),
        ({"languages": []}, "--languages: none given"),
        ({"level": 95}, "--level 95: must lie between 0 and 1"),
    ],
)
def test_options_that_do_not_exist_are_refused(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        counted(tmp_path, [], **options)


def test_runs_tagged_with_different_catalogues_are_refused(tmp_path: Path) -> None:
    one = write_run(tmp_path / "one", [{"mentions": ["Brizelo"]}])
    two = write_run(tmp_path / "two", [{}])
    with pytest.raises(RunError, match=r"different catalogues .*one.*none: .*two.*--catalog"):
        count([one, two])


def test_a_brand_called_all_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "catalog.toml"
    file.write_text('[[brand]]\nname = "all"\n', encoding="utf-8")
    with pytest.raises(InputError, match="rename the brand"):
        counted(tmp_path, [], catalog=file)


@pytest.mark.parametrize("told", [None, {"sha256": "c" * 64, "brands": [{"name": "all"}]}])
def test_a_run_tagged_with_a_brand_called_all_is_refused(
    tmp_path: Path, told: dict[str, Any] | None
) -> None:
    run = write_run(tmp_path / "run", [{"mentions": ["all", "Brizelo"]}], catalog=told)
    with pytest.raises(RunError, match=r"run: tagged with a brand 'all', .* --catalog"):
        count(run)
