"""Where the words about one brand end and those about another begin."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmure.sentences import Clauses


def part(text: str, name: str) -> str:
    start = text.index(name)
    return text[slice(*Clauses(text).around(start, start + len(name)))]


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        (
            "Torvella livre vite, mais la Brizelo fuit",
            "Torvella livre vite,",
            "mais la Brizelo fuit",
        ),
        ("love my Torvella but the Brizelo leaks", "love my Torvella", "but the Brizelo leaks"),
        ("Torvella top ; Brizelo à fuir", "Torvella top ;", "Brizelo à fuir"),
        ("Torvella top;Brizelo à fuir", "Torvella top;", "Brizelo à fuir"),
        ("ma torvella Torvella 😍 ma Brizelo 😡", "ma torvella Torvella 😍", "ma Brizelo 😡"),
        ("J'adore Torvella\nfini Brizelo", "J'adore Torvella", "fini Brizelo"),
        ("Torvella c'est nul… Brizelo ça va", "Torvella c'est nul…", "Brizelo ça va"),
        ("Torvella :( Brizelo :)", "Torvella :(", "Brizelo :)"),
        ("Torvella répond alors qu'à Brizelo rien", "Torvella répond", "alors qu'à Brizelo rien"),
        ("Torvella called while Brizelo slept", "Torvella called", "while Brizelo slept"),
        ("Torvella is fine, though Brizelo wins", "Torvella is fine,", "though Brizelo wins"),
        ("Torvella is ok even though Brizelo wins", "Torvella is ok", "even though Brizelo wins"),
        (
            "Torvella est chère, pourtant Brizelo casse",
            "Torvella est chère,",
            "pourtant Brizelo casse",
        ),
        ("Torvella ok. En revanche, Brizelo non", "Torvella ok.", "En revanche, Brizelo non"),
    ],
)
def test_each_brand_has_its_own_part(text: str, first: str, second: str) -> None:
    assert part(text, "Torvella") == first
    assert part(text, "Brizelo") == second


@pytest.mark.parametrize(
    "text",
    [
        "non seulement Torvella mais aussi Brizelo",
        "Torvella &amp;Brizelo",
        "it took Torvella a while to match Brizelo",
        "49.90 chez Torvella, 3.5 chez Brizelo",
        "M. Torvella et Mme. Brizelo",
        "Torvella looks as though Brizelo made it",
    ],
)
def test_what_belongs_together_is_not_cut(text: str) -> None:
    assert part(text, "Torvella") == text


@given(st.text(max_size=80), st.data())
def test_a_part_holds_what_it_is_asked_about(text: str, data: st.DataObject) -> None:
    words = [place for place, sign in enumerate(text) if not sign.isspace()]
    if words:
        place = data.draw(st.sampled_from(words))
        start, end = Clauses(text).around(place, place + 1)
        assert 0 <= start <= place < end <= len(text)
