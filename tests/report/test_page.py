"""The page as a document: what it says, what it never lets through."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from murmure.errors import InputError, UsageError
from murmure.report import build, write
from murmure.report.page import _foreign
from tests.report.pages import (
    BAD,
    GOOD,
    Parsed,
    counts_of,
    page_of,
    small_story,
    with_estimates,
)
from tests.runs import write_run

HOSTILE = [
    "<script>window.owned=1</script>",
    "</script><script>window.owned=1</script>",
    "</style><img src=x onerror=window.owned=1>",
    '"><svg onload=window.owned=1>',
    "' onmouseover='window.owned=1",
    "{{ 7 * 7 }} {% for x in y %} ${window.owned=1} {owned|style}",
    "<!--<script>",
    "javascript:window.owned=1",
    "]]><![CDATA[ &lt;script&gt; &amp;#x27;",
    "abc\u202egnp.exe\u2066 \u2028 \u2029 \x1b[31m",
    "<a href=https://evil.example/>click</a>",
    "<base href='https://evil.example/'><meta http-equiv=refresh content=0>",
    "e" + "\u0301" * 500,
]


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("run"), small_story())


@pytest.fixture(scope="module")
def counts(story: Path) -> pa.Table:
    return counts_of(story)


@pytest.fixture(scope="module")
def french(story: Path, counts: pa.Table) -> str:
    return build([story], counts, ui="fr")


def skeleton(page: str) -> Counter[tuple[str, tuple[str, ...]]]:
    # Which words decide is another matter in other texts.
    found = [e for e in Parsed(page).elements if e.name != "mark"]
    return Counter((e.name, tuple(sorted(e.attributes))) for e in found)


def hostile_rows(words: str) -> list[dict[str, Any]]:
    spoken = {"author": words, "channel": words, "mentions": [words], "text": words}
    return [{**spoken, **GOOD}, {**spoken, **BAD, "author": None}]


HARMLESS = "harmless words"


@cache
def tame_counts() -> pa.Table:
    with TemporaryDirectory() as folder:
        return counts_of(write_run(folder, hostile_rows(HARMLESS)))


@cache
def tame_page() -> str:
    with TemporaryDirectory() as folder:
        return page_of(Path(folder), hostile_rows(HARMLESS), title=HARMLESS, show_authors=True)


def renamed(words: str) -> pa.Table:
    counts = tame_counts()
    for name in ("entity", "channel"):
        index = counts.schema.get_field_index(name)
        values = [words if v == HARMLESS else v for v in counts[name].to_pylist()]
        counts = counts.set_column(index, name, pa.array(values, pa.string()))
    return counts


@settings(
    max_examples=10,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(words=st.text(st.characters(codec="utf-8"), min_size=1, max_size=60).filter(str.strip))
@example(words="".join(HOSTILE))
@example(words="kind:social")
def test_strangers_words_never_become_markup(words: str) -> None:
    # Counted once: the counts of a brand and channel of any name differ in these names alone.
    with TemporaryDirectory() as folder:
        run = write_run(folder, hostile_rows(words))
        wild = build([run], renamed(words), show_authors=True)
    assert set(skeleton(wild)) <= set(skeleton(tame_page()))
    assert not [a for e in Parsed(wild).elements for a in e.attributes if a.startswith("on")]


def test_hostile_words_do_nothing(tmp_path: Path) -> None:
    tame_words = [f"{HARMLESS} {number}" for number in range(len(HOSTILE))]
    page, tame = (
        page_of(
            tmp_path / str(number),
            [row for word in words for row in hostile_rows(word)],
            title=words[1],
            show_authors=True,
        )
        for number, words in enumerate([HOSTILE, tame_words])
    )
    assert skeleton(page) == skeleton(tame)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u2028\u2029\x1b]", page)
    assert max(map(len, re.findall("\u0301+", page))) == 3
    data = next(e for e in Parsed(page).all("script") if e.attributes.get("id") == "data")
    assert "<" not in data.text
    assert set(HOSTILE[:7]) <= set(json.loads(data.text)["entities"])


def test_the_policy_lets_only_the_pages_own_script_and_style_run(french: str) -> None:
    parsed = Parsed(french)
    policy = next(
        e.attributes["content"] or ""
        for e in parsed.all("meta")
        if e.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = {part.split()[0]: part.split()[1:] for part in policy.split("; ")}

    def hashes(elements: list[str]) -> list[str]:
        digests = [hashlib.sha256(text.encode()).digest() for text in elements]
        return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]

    scripts = [e.text for e in parsed.all("script") if "type" not in e.attributes]
    assert rules["default-src"] == ["'none'"]
    assert rules["script-src"] == hashes(scripts)
    assert rules["style-src"] == hashes([e.text for e in parsed.all("style")])
    assert not [e for e in parsed.elements if "style" in e.attributes]
    assert "unsafe" not in policy


def test_the_page_refers_to_nothing_outside_itself(french: str) -> None:
    parsed = Parsed(french)
    references = [
        value or ""
        for e in parsed.elements
        for name, value in e.attributes.items()
        if name in {"src", "href", "action", "data", "poster", "srcset", "formaction"}
    ]
    assert references
    assert all(reference.startswith("#") for reference in references)
    style = parsed.all("style")[0].text
    assert "url(" not in style
    assert "@import" not in style
    targets = {e.attributes.get("id") for e in parsed.elements}
    assert {reference[1:] for reference in references} <= targets


@pytest.mark.parametrize(
    ("ui", "said"),
    [
        ("fr", ["Ce que l’on dit de Brizelo et Marelle", "Influence", "Voix organiques", "Méthode",
                "32 posts de 31 personnes, du 3 mars au 25 mars", "comptes bruts d’étiquettes",
                "Semaine du 9 mars 2026\u00a0: 9 mauvaises expériences (livraison\u00a0: 9)"]),
        ("en", ["What people say about Brizelo and Marelle", "Influence", "Organic voices",
                "Method", "32 posts by 31 people", "raw counts of labels",
                "Week of 9 March 2026: 9 bad experiences (delivery: 9)"]),
    ],
)  # fmt: skip
def test_it_tells_the_story_in_its_readers_words(
    ui: str, said: list[str], story: Path, counts: pa.Table
) -> None:
    parsed = Parsed(build([story], counts, ui=ui))
    assert parsed.all("html")[0].attributes["lang"] == ui
    missing = [words for words in said if words not in parsed.visible()]
    assert not missing


def headline(page: str) -> dict[str, dict[str, str]]:
    """The headline table: by brand, by column, the value."""
    parsed, rows, column = Parsed(page), dict[str, dict[str, str]](), ""
    start = next(i for i, e in enumerate(parsed.elements) if e.attributes.get("id") == "headline")
    for element in parsed.elements[start:]:
        if element.name == "section":
            break
        if element.name == "bdi":
            rows[element.text] = {}
        column = element.attributes.get("data-column") or column
        if (part := element.attributes.get("class")) in ("value", "interval", "raw") and rows:
            key = column if part == "value" else f"{column} {part}"
            rows[list(rows)[-1]][key] = element.text
    return rows


def test_the_table_shows_the_counts(story: Path, counts: pa.Table) -> None:
    rows = headline(build([story], counts, ui="en"))
    assert list(rows) == ["Brizelo", "Marelle", "Together"]
    brizelo = rows["Brizelo"]
    assert (brizelo["voices_organic"], brizelo["voices_sponsored"]) == ("20", "0")
    assert (brizelo["good"], brizelo["bad"], brizelo["influence"]) == ("9", "11", "−10")
    assert rows["Marelle"]["voices_sponsored"] == "5"
    assert rows["Marelle"]["posts"] == "7"
    assert brizelo["bad interval"] == ""
    assert rows["Together"]["share"] == "–"


def test_estimates_and_intervals_take_the_place_of_raw_counts(
    story: Path, counts: pa.Table
) -> None:
    page = build([story], with_estimates(counts), ui="en")
    rows = headline(page)
    assert rows["Brizelo"]["bad"] == "12"
    assert rows["Brizelo"]["bad interval"] == "[9–14]"
    assert rows["Brizelo"]["influence interval"] == "[−12 to −7]"
    assert 'data-hint="estimate 12 [9–14] · raw 11 · n 20"' in page
    assert "raw counts of labels" not in page


def test_a_catalogue_is_the_runs_own_by_its_bytes_too(tmp_path: Path) -> None:
    file = tmp_path / "catalog.toml"
    file.write_text('[[brand]]\nname = "Torvella"\n', encoding="utf-8")
    told = {"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    folder = write_run(tmp_path / "run", [{"mentions": ["Torvella"]}], catalog=told)
    assert _foreign(file, [folder]) is None
    file.write_text('[[brand]]\nname = "Marelle"\n', encoding="utf-8")
    assert _foreign(file, [folder]) is not None


def test_without_a_catalogue_everything_is_one(tmp_path: Path) -> None:
    rows = [{**row, "mentions": ()} for row in small_story()]
    page = page_of(tmp_path, rows, ui="en")
    parsed = Parsed(page)
    assert "What the posts say" in parsed.visible()
    assert list(headline(page)) == ["Together"]
    assert "filter-brand" not in {e.attributes.get("id") for e in parsed.elements}
    assert parsed.all("blockquote")


@pytest.mark.parametrize("ui", ["fr", "en"])
def test_an_empty_run_makes_a_page_that_says_so(ui: str, tmp_path: Path) -> None:
    page = page_of(tmp_path, [], ui=ui)
    assert {"fr": "Aucun post à compter", "en": "There is no post to count"}[ui] in page
    assert "nan" not in Parsed(page).visible().lower().split()


def test_posts_without_times_authors_or_channels_still_make_a_page(tmp_path: Path) -> None:
    page = page_of(tmp_path, [{**GOOD, "mentions": ["Brizelo"]}], ui="en")
    assert headline(page)["Brizelo"]["voices_organic"] == "0"
    assert headline(page)["Brizelo"]["influence"] == "–"
    assert "Author unknown" in page
    assert "1 post by unknown people." in page


def test_authors_are_numbered_unless_asked_for(story: Path, counts: pa.Table) -> None:
    hidden = build([story], counts)
    shown = build([story], counts, show_authors=True)
    assert "writer" not in hidden
    assert "Personne 1" in hidden
    assert "writer" in Parsed(shown).visible()


def test_data_quality_is_stated(tmp_path: Path) -> None:
    rows = [*small_story(), {"language": "other", "sentiment_abstained": True}]
    run = write_run(tmp_path, rows)
    manifest = json.loads((run / "manifest.json").read_text())
    counts = counts_of(run)
    part = manifest["parts"][0]
    part |= {"rows": part["rows"] + 2, "rejected": 2, "reasons": {"no <text>": 2}}
    (run / "manifest.json").write_text(json.dumps(manifest))
    parsed = Parsed(build([run], counts, ui="en"))
    rows_told = re.findall(
        r"of which no <text>|Rows read|Unsure labels: sentiment", parsed.visible()
    )
    assert rows_told == ["Rows read", "of which no <text>", "Unsure labels: sentiment"]
    assert "partial" not in parsed.visible()


@pytest.mark.parametrize("of_all", [0, 40])
def test_labels_that_say_nothing_of_all_brands_together_are_told(
    of_all: int, story: Path, counts: pa.Table
) -> None:
    told = json.loads(counts.schema.metadata[b"murmure"]) | {"audited": 300, "audited_all": of_all}
    audited = counts.replace_schema_metadata({"murmure": json.dumps(told)})
    text = Parsed(build([story], audited, ui="en")).visible()
    assert "300 posts labelled by hand sharpen the estimates" in text
    assert ("murmure audit sample --whole" in text) == (of_all == 0)


def test_a_run_whose_rows_do_not_add_up_is_called_incomplete(tmp_path: Path) -> None:
    run = write_run(tmp_path, small_story())
    counts = counts_of(run)
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["parts"][0]["rows"] += 1
    (run / "manifest.json").write_text(json.dumps(manifest))
    assert "These counts are partial" in build([run], counts, ui="en")


def test_the_same_run_makes_the_same_bytes(story: Path, counts: pa.Table, french: str) -> None:
    assert build([story], counts, ui="fr") == french


@pytest.mark.parametrize("window", ["day", "month"])
def test_other_windows_name_their_periods(window: str, story: Path) -> None:
    page = build([story], counts_of(story, window=window), ui="en")
    assert {"day": "10 March 2026", "month": "March 2026"}[window] in page


def test_a_language_that_the_page_does_not_speak_is_refused(story: Path, counts: pa.Table) -> None:
    with pytest.raises(UsageError, match="fr or en"):
        build([story], counts, ui="de")


def test_what_is_no_run_is_refused_by_name(tmp_path: Path, counts: pa.Table) -> None:
    with pytest.raises(InputError, match="no such folder"):
        build([tmp_path / "missing"], counts)
    (tmp_path / "part-00000.parquet").write_bytes(b"not parquet")
    with pytest.raises(InputError, match="cannot be read"):
        build([tmp_path], counts)


def test_a_counts_table_that_lacks_a_column_is_refused(story: Path, counts: pa.Table) -> None:
    with pytest.raises(InputError, match="'promotion'"):
        build([story], counts.drop_columns(["promotion"]))


def test_writing_makes_the_folder_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    write("<p>é</p>\n", tmp_path / "a" / "page.html")
    assert (tmp_path / "a" / "page.html").read_bytes() == "<p>é</p>\n".encode()
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["page.html"]
    with pytest.raises(InputError, match="cannot be written"):
        write("x", tmp_path / "a")
