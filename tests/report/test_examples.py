"""Examples: who is quoted, and how."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from murmure.catalog import Catalog
from murmure.report.examples import KEPT, Example, choose
from murmure.report.runs import connect
from murmure.report.safe import clean, mask, shorten
from tests.report.pages import BAD, GOOD, small_story
from tests.runs import write_run


def chosen(folder: Path, rows: list[dict[str, Any]], *brands: str, **more: Any) -> list[Example]:
    with connect() as database:
        return choose([write_run(folder, rows)], database, brands=brands or ["Brizelo"], **more)


def test_examples_are_experiences_of_the_brand_told_with_the_mentions_own_tags(
    tmp_path: Path,
) -> None:
    two: dict[str, Any] = {
        "mentions": [{"entity": "Brizelo", **BAD}, {"entity": "Marelle", **GOOD}]
    }
    rows = [{**GOOD, **two, "author": "a"}, {"sentiment": "positive", "mentions": ["Brizelo"]}]
    found = chosen(tmp_path, rows, "Brizelo", "Marelle")
    assert [(e.entity, e.polarity) for e in found] == [("Brizelo", "bad"), ("Marelle", "good")]


def test_reposts_other_languages_and_copies_are_left_out(tmp_path: Path) -> None:
    base = {**GOOD, "mentions": ["Brizelo"]}
    rows = [
        {**base, "text": "Très bon café", "author": "a"},
        {**base, "text": "très bon café !!", "author": "a"},
        {**base, "text": "TRÈS BON CAFÉ", "author": "b"},
        {**base, "text": "repris", "author": "c", "repost_of": "p0"},
        {**base, "text": "anders", "author": "d", "language": "other"},
    ]
    assert len(chosen(tmp_path, rows)) == 1


def test_nobody_is_quoted_twice_for_the_same_brand_and_polarity(tmp_path: Path) -> None:
    base = {**GOOD, "mentions": ["Brizelo"], "author": "a"}
    assert len(chosen(tmp_path, [{**base, "text": "une"}, {**base, "text": "deux"}])) == 1


def test_they_are_spread_over_channels_and_languages_and_never_too_many(tmp_path: Path) -> None:
    rows = [
        {**GOOD, "mentions": ["Brizelo"], "author": f"a{i}", "text": f"texte {i}",
         "channel": "press" if i == 50 else "x", "language": "en" if i == 60 else "fr"}
        for i in range(100)
    ]  # fmt: skip
    found = chosen(tmp_path, rows)
    assert len(found) <= KEPT
    assert {(e.channel, e.language) for e in found[:3]} == {
        ("x", "fr"),
        ("press", "fr"),
        ("x", "en"),
    }


def test_the_order_does_not_depend_on_the_parts(tmp_path: Path) -> None:
    rows = small_story()
    with connect() as database:
        whole = choose([write_run(tmp_path / "a", rows)], database, brands=["Brizelo"])
        parts = choose([write_run(tmp_path / "b", rows, part_rows=5)], database, brands=["Brizelo"])
    assert whole == parts


def test_a_neighbour_whose_name_a_folder_with_brackets_fits_is_not_read(tmp_path: Path) -> None:
    rows = small_story()
    alone = write_run(tmp_path / "id=7" / "run[1]", rows)
    with connect() as database:
        expected = choose([alone], database, brands=["Brizelo"])
        write_run(tmp_path / "id=7" / "run1", rows[:3])
        assert expected == choose([alone], database, brands=["Brizelo"])
    assert expected


def test_names_handles_and_addresses_are_masked_but_the_brands_own(tmp_path: Path) -> None:
    text = "@brizelo merci ! Voir @camille.d ou camille@example.org, signé Camille D"
    mention = {"entity": "Brizelo", "surface": "@brizelo"}
    rows = [{**GOOD, "text": text, "author": "Camille D", "mentions": [mention]}]
    assert chosen(tmp_path / "a", rows)[0].text == "@brizelo merci ! Voir @… ou …@…, signé …"
    shown = chosen(tmp_path / "b", rows, show_authors=True)[0]
    assert (shown.text, shown.author) == (text, "Camille D")


def test_a_catalogue_of_other_brands_is_looked_for_in_the_texts(tmp_path: Path) -> None:
    (tmp_path / "catalog.toml").write_text('[[brand]]\nname = "Torvella"\n')
    catalog = Catalog.load(tmp_path / "catalog.toml")
    rows = [
        {**GOOD, "text": "Ma Torvella marche bien", "author": "a"},
        {**GOOD, "text": "Rien à voir", "author": "b"},
    ]
    found = chosen(tmp_path / "run", rows, "Torvella", catalog=catalog)
    assert [e.text for e in found] == ["Ma Torvella marche bien"]


def test_a_long_post_is_cut_between_words(tmp_path: Path) -> None:
    rows = [{**GOOD, "text": "mot " * 100_000, "mentions": ["Brizelo"]}]
    found = chosen(tmp_path, rows)[0]
    assert found.shortened
    assert len(found.text) < 500


@pytest.mark.parametrize("text", ["é 👩‍🍳 l’été", "שלום", "a\nb", "👍🏽"])
def test_cleaning_leaves_ordinary_text_alone(text: str) -> None:
    assert clean(text) == text


def test_handles_and_addresses_are_masked_however_their_sign_is_typed() -> None:
    for sign in "@\uff20\ufe6b":
        text = f"Merci {sign}jeanne, {sign}Brizelo ! Ou jeanne{sign}exemple.fr"
        assert mask(text, keep=["@brizelo"]) == f"Merci @…, {sign}Brizelo ! Ou …@…"
        assert mask(f"{sign}Brizelo", keep=[f"{sign}brizelo"]) == f"{sign}Brizelo"
        assert mask("Jeanne dit non", names=[f"{sign}jeanne"]) == "… dit non"


def test_masking_takes_linear_time_on_hostile_text() -> None:
    for hostile in ("@" * 20_000, "a." * 10_000, "@a-" * 7_000, "a@" * 10_000):
        mask(hostile, names=["a"])


def test_shortening_keeps_what_fits() -> None:
    assert shorten("abc", 3) == ("abc", False)
    assert shorten("abcdef", 3) == ("abc…", True)
