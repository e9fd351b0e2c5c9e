"""Catalogue: its file and what is wrong with it, what counts as a mention, offsets, sentences."""

from __future__ import annotations

import pickle
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murmure.catalog import NEAR, Brand, Catalog
from murmure.errors import InputError

SAMPLE = Path(__file__).parent.parent / "data" / "sample" / "catalog.toml"

ORANGE = Brand(
    name="Orange",
    aliases=("Orange France",),
    handles=("@orange_conseil",),
    hashtags=("#orange",),
    products=("Livebox",),
    requires=("box", "fibre"),
    excludes=("jus d'orange",),
)


def surfaces(text: str, *brands: Brand) -> list[str]:
    return [span.surface for span in Catalog(brands).find(text)]


def sentences(text: str) -> list[str]:
    catalog = Catalog([Brand(name="Brizelo"), Brand(name="Torvella")])
    return [text[span.sentence_start : span.sentence_end] for span in catalog.find(text)]


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "brands.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "text",
    [
        "la L’ORÉAL du coin",
        "chez l'oreal",
        "du L\u00b4Ore\u0301al",
        "l'Oréal's new one",
        "Qu'est-ce que L'Oréal?",
        "#L'Oréal",
    ],
)
def test_case_accents_and_apostrophes_do_not_matter(text: str) -> None:
    assert len(surfaces(text, Brand(name="L'Oréal"))) == 1


def test_ligatures_match_their_letters_both_ways() -> None:
    assert surfaces("Sœur et soeur, STRASSE", Brand(name="soeur"), Brand(name="Straße")) == [
        "Sœur",
        "soeur",
        "STRASSE",
    ]


@pytest.mark.parametrize(
    "text", ["Brizelotte", "xBrizelo", "Brizelo2", "brizelo_fr", "#brizelofan", "@brizelo_paris"]
)
def test_a_name_inside_another_word_does_not_count(text: str) -> None:
    assert (
        surfaces(text, Brand(name="Brizelo", hashtags=("#brizelo",), handles=("@brizelo",))) == []
    )


def test_possessive_plural_and_elision_count() -> None:
    text = "Torvella's, deux Torvellas, et d'Isigny"
    assert surfaces(text, Brand(name="Torvella"), Brand(name="Isigny")) == [
        "Torvella",
        "Torvellas",
        "Isigny",
    ]


def test_links_and_addresses_do_not_count() -> None:
    text = "https://brizelo.example/brizelo www.brizelo.example clara@brizelo.example et Brizelo"
    assert [s.start for s in Catalog([Brand(name="Brizelo")]).find(text)] == [len(text) - 7]


def test_an_ambiguous_name_needs_its_context_near() -> None:
    assert surfaces("Orange, c'est ma couleur", ORANGE) == []
    assert surfaces("Ma fibre Orange", ORANGE) == ["Orange"]
    assert surfaces("Deux oranges pour ma box", ORANGE) == []
    assert surfaces("fibre" + " " * NEAR + "Orange", ORANGE) == ["Orange"]
    assert surfaces("fibre" + " " * (NEAR + 1) + "Orange", ORANGE) == []


def test_handles_hashtags_and_products_need_no_context_and_give_it() -> None:
    assert surfaces("@Orange_Conseil bonjour", ORANGE) == ["@Orange_Conseil"]
    assert surfaces("vive #Orange", ORANGE) == ["#Orange"]
    assert surfaces("Orange m'a pris ma Livebox", ORANGE) == ["Orange", "Livebox"]
    assert surfaces("un #orangejuice", ORANGE) == []


def test_an_exclusion_cancels_only_what_it_covers() -> None:
    text = "Un jus d’orange devant ma box Orange"
    assert [s.start for s in Catalog([ORANGE]).find(text)] == [text.rindex("Orange")]


def test_of_overlapping_names_the_longest_stands() -> None:
    brands = Brand(name="Brizelo"), Brand(name="Nuo", aliases=("Brizelo Nuo",)), Brand(name="Pro")
    spans = Catalog(brands).find("La Brizelo Nuo Pro et la Brizelo")
    assert [(s.entity, s.surface) for s in spans] == [
        ("Nuo", "Brizelo Nuo"),
        ("Pro", "Pro"),
        ("Brizelo", "Brizelo"),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("J'adore Torvella mais Brizelo fuit", ["J'adore Torvella", "mais Brizelo fuit"]),
        ("Love Torvella, but Brizelo leaks.", ["Love Torvella,", "but Brizelo leaks."]),
        ("Brizelo fuit ; Torvella non", ["Brizelo fuit ;", "Torvella non"]),
        ("Brizelo 😡😡 Torvella ❤️ top", ["Brizelo 😡😡", "Torvella ❤️"]),
        ("Brizelo fuit\nTorvella non", ["Brizelo fuit", "Torvella non"]),
        ("Bof… Brizelo fuit!Torvella non", ["Brizelo fuit!", "Torvella non"]),
        ("M. Brizelo a payé 3.5 € à Torvella", ["M. Brizelo a payé 3.5 € à Torvella"] * 2),
        ("Ça fuit ! #Brizelo", ["Ça fuit ! #Brizelo"]),
        ("@Brizelo ! Ça fuit", ["@Brizelo ! Ça fuit"]),
    ],
)
def test_each_mention_has_its_clause(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


def test_a_sentence_end_inside_a_name_does_not_cut_it() -> None:
    text = "Bien. Avec Yop! Mail ça va. Bon."
    (span,) = Catalog([Brand(name="Yop! Mail")]).find(text)
    assert text[span.sentence_start : span.sentence_end] == "Avec Yop! Mail ça va."


def test_the_sample_catalogue_loads_and_knows_the_game_from_the_brand() -> None:
    catalog = Catalog.load(SAMPLE)
    assert [brand.name for brand in catalog.brands] == ["Brizelo", "Torvella", "Marelle"]
    assert {brand.group for brand in catalog.brands} == {"coffee"}
    assert catalog.find("Les petits sautent à la marelle dans la cour") == []
    assert [s.entity for s in catalog.find("Deux cafés chez Marelle")] == ["Marelle"]
    assert [s.entity for s in catalog.find("My GRAINS subscription is late")] == ["Torvella"]


def test_signs_of_handles_and_hashtags_may_be_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, '[[brand]]\nname="A1"\nhandles=["a_one"]\nhashtags=["aone"]\n')
    (brand,) = Catalog.load(path).brands
    assert (brand.handles, brand.hashtags) == (("@a_one",), ("#aone",))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('[[brand]]\nname = "A1"\nalias = ["x"]', ["line 1", "'A1'", "alias", "'aliases'"]),
        ('[[brand]]\nname = "A1"\n[[brand]]\nname = ""', ["line 3", "brand number 2, name"]),
        ('[[brand]]\naliases = ["x"]', ["line 1", "brand number 1, name"]),
        ('[[brand]]\nname = "A1"\naliases = "x"', ["'A1', aliases", "'x'", "list"]),
        ('[[brand]]\nname = "A1"\nproducts = ["x", 3]', ["'A1', products", "list"]),
        ('[[brand]]\nname = "A1"\nrequires = [" "]', ["'A1', requires", "no letter"]),
        ('[[brand]]\nname = "A1"\nhandles = ["@"]', ["'A1', handles", "no letter"]),
        ('[[brand]]\nname = "A1"\ngroup = 3', ["'A1', group"]),
        (
            '[[brand]]\nname = "Été"\n[[brand]]\nname = "B2"\naliases = ["ETE"]',
            ["line 3", "'B2', aliases", "'ETE'", "'Été'"],
        ),
        ('[[brand]]\nname = "A1"\n[[brand]]\nname = "a1"', ["line 3", "'a1', name"]),
        ('[[brand]]\nname = "A1', ["line 2", "broken TOML"]),
        ("[brand]\nname = 'A1'", ["[[brand]]"]),
        ("[[brands]]\nname = 'A1'", ["'brands'", "[[brand]]"]),
        ("", ["no brand"]),
        (b'[[brand]]\nname = "\xe9t\xe9"', ["line 2", "UTF-8"]),
    ],
)
def test_a_wrong_catalogue_names_file_place_and_remedy(
    tmp_path: Path, content: str | bytes, told: list[str]
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(InputError) as caught:
        Catalog.load(path)
    message = str(caught.value)
    assert [part for part in [str(path), *told] if part not in message] == []


@pytest.mark.parametrize("name", ["missing.toml", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        Catalog.load(tmp_path / name)


def test_pickled_catalogue_finds_the_same_and_keeps_its_fingerprint() -> None:
    catalog = Catalog([ORANGE])
    before = catalog.find("Ma fibre Orange")
    copy = pickle.loads(pickle.dumps(catalog))
    assert copy.find("Ma fibre Orange") == before != []
    assert copy.fingerprint == catalog.fingerprint


def test_the_fingerprint_changes_with_any_setting() -> None:
    brands = [ORANGE, Brand(name="Orange"), Brand(name="Orange", group="telecom")]
    assert len({Catalog([brand]).fingerprint for brand in brands}) == len(brands)


_PIECES = ["Orange", "orangé", "ORANGE", "@orange_conseil", "#orange", "fibre", "jus d’orange",
           "Œuvre", "oeuvre", " ", "\n", "mais", ".", "😡", "\u0301", "\u202e", "\ud800", "\x00",
           "ß", "\u00ad", "ﬁbre", "Livebox", "!"]  # fmt: skip


@settings(max_examples=150)
@given(
    st.one_of(
        st.text(st.characters(exclude_categories=[]), max_size=60),
        st.lists(st.sampled_from(_PIECES), max_size=25).map("".join),
        st.lists(st.sampled_from(_PIECES), max_size=25).map(" ".join),
    )
)
def test_any_string_is_read_and_offsets_cut_the_raw_text(text: str) -> None:
    spans = Catalog([ORANGE, Brand(name="oeuvre")]).find(text)
    for span in spans:
        assert text[span.start : span.end] == span.surface
        assert 0 <= span.sentence_start <= span.start < span.end <= span.sentence_end <= len(text)
    assert all(a.end <= b.start for a, b in pairwise(spans))


@pytest.mark.parametrize(
    "piece", ["a", ".", "Orange box ", "#orange\n", "e\u0301", "a.a@", "jus d'orange ", "x;"]
)
def test_five_megabytes_of_anything_are_read_in_seconds(piece: str) -> None:
    text = piece * (1_000_000 // len(piece)) + " Livebox"
    begun = time.process_time()
    spans = Catalog([ORANGE]).find(text)
    assert time.process_time() - begun < 20
    assert spans[-1].surface == "Livebox"


def test_no_brand_is_called_as_counts_call_the_whole(tmp_path: Path) -> None:
    path = written(tmp_path, '[[brand]]\nname = "Uno"\n\n[[brand]]\nname = "all"\n')
    with pytest.raises(InputError, match=r"line 4: brand 'all', name: .*; rename the brand"):
        Catalog.load(path)
    assert Catalog([Brand(name="Uno", aliases=("all",))]).brands
