"""Cards of corpora, and which licences a training accepts."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from murmure.errors import ConfigurationError, InputError
from murmure.training.configuration import default_configuration
from murmure.training.licences import (
    ACCEPTED,
    CLASSES,
    Card,
    Cards,
    barred,
    licences_of,
    licences_told,
    read_cards,
    refused,
)

ROOT = Path(__file__).parents[2]


def test_by_default_no_derivatives_and_personal_use_are_left_out() -> None:
    cards = read_cards()
    assert refused(sorted(cards.corpora), cards, accepted=ACCEPTED) == ["absa16_fr", "books_fr"]
    assert tuple(default_configuration()["corpora"]["licences"]) == ACCEPTED


def test_every_shipped_card_says_what_and_whence() -> None:
    cards = read_cards()
    for card in [*cards.corpora.values(), *cards.origins.values()]:
        assert card.licence
        assert card.genre
        assert card.languages
        # An origin's repository may not have been recorded; then it says so.
        assert card.source or card.kind == "by-origin" or card.note == "source not recorded"
        assert all(re.fullmatch(r"[\w.-]+/[\w.-]+(@[0-9a-f]{7})?", one) for one in card.source)


def test_the_card_of_our_own_posts_is_read_beside_them() -> None:
    (card,) = licences_of(["written"], folders=[ROOT / "data/written"])
    assert (card["class"], card["licence"]) == ("stated-open", "MIT")


@pytest.mark.parametrize(
    ("accepted", "left"),
    [
        (["stated-open"], ["b", "c", "d"]),
        (["stated-open", "unstated"], ["c"]),
        (["personal", "unstated"], ["a"]),
    ],
)
def test_corpora_are_picked_by_their_class(accepted: list[str], left: list[str]) -> None:
    kinds = {"a": "stated-open", "b": "unstated", "c": "personal", "e": "by-origin"}
    cards = Cards({name: Card(name=name, kind=kind) for name, kind in kinds.items()})
    # A corpus without a card, d, counts as one that states nothing.
    assert refused("abcde", cards, accepted=accepted) == left


@pytest.mark.parametrize("accepted", [["gratis"], ["by-origin"], []])
def test_unknown_classes_are_refused_by_their_setting(accepted: list[str]) -> None:
    with pytest.raises(ConfigurationError, match=r"corpora\.licences: expected one or more of"):
        refused(["a"], Cards(), accepted=accepted)


def test_posts_of_a_corpus_by_origin_go_by_their_origins() -> None:
    cards = Cards(
        {
            "mix": Card(name="mix", kind="by-origin"),
            "books": Card(name="books", kind="personal"),
            "open": Card(name="open", kind="stated-open"),
        },
        {"talk": Card(name="talk", kind="no-derivatives")},
    )
    corpus = np.array(["mix", "mix", "mix", "mix", "open", "books"])
    origin = np.array(["books", "talk", "open", "else", "books", "books"])
    found = barred(corpus, origin, cards, accepted=ACCEPTED)
    assert found.tolist() == [True, True, False, False, False, True]
    everything = [kind for kind in CLASSES if kind != "by-origin"]
    assert not barred(corpus, origin, cards, accepted=everything).any()


def test_a_card_beside_the_files_wins(tmp_path: Path) -> None:
    (tmp_path / "books_fr").mkdir()
    (tmp_path / "books_fr/card.toml").write_text(
        'class = "stated-open"\nlicence = "CC0"\nsource = "us"\nlanguages = ["fr"]\n', "utf-8"
    )
    (tmp_path / "card.toml").write_text('note = "lone"\n', "utf-8")
    cards = read_cards([tmp_path])
    assert cards.corpora["books_fr"] == Card(
        name="books_fr", kind="stated-open", licence="CC0", source=("us",), languages=("fr",)
    )
    assert cards.corpora[tmp_path.name].note == "lone"
    assert licences_of(["books_fr"], folders=[tmp_path])[0]["licence"] == "CC0"
    assert licences_of(["books_fr"])[0]["class"] == "personal"


def test_a_model_card_gets_one_entry_a_corpus_sorted(tmp_path: Path) -> None:
    found = licences_of(["umsab_fr", "mine", "umsab_fr"], folders=[tmp_path])
    assert [card["name"] for card in found] == ["mine", "umsab_fr"]
    assert found[0]["note"] == "no card"
    assert set(found[1]) == {
        "name", "class", "licence", "source", "genre", "languages", "note",
    }  # fmt: skip
    assert found[1]["source"] == ["cardiffnlp/xlm-t@874214d"]
    assert licences_told(["umsab_fr", "mine", "umsab_fr"])[1] == {
        "corpus": "umsab_fr",
        "licence": found[1]["licence"],
        "source": "cardiffnlp/xlm-t@874214d",
        "note": found[1]["note"],
    }


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('class = "gratis"', "class: expected one of stated-open"),
        ('license = "MIT"', "unknown key 'license'; a card has class, licence, source"),
        ("licence = 3", "licence: expected a text, but found 3"),
        ("source = [3]", "source: expected a text or a list of texts, but found [3]"),
        ("class = ", "not a TOML file"),
    ],
)
def test_a_card_that_says_something_else_is_named(content: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "mine/card.toml"
    file.parent.mkdir()
    file.write_text(content, "utf-8")
    with pytest.raises(InputError) as found:
        read_cards([tmp_path])
    assert told in str(found.value)
    assert found.value.file == str(file)
