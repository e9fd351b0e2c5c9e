"""Keys: one for copies of a post, another for every other post."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murmure.training.keys import key_of


@pytest.mark.parametrize(
    "copy",
    [
        "la machine brizelo fuit depuis lundi",
        "La machine Brizelo FUIT, depuis lundi !!!",
        "@sav La machine #Brizelo fuit depuis lundi https://exemple.example/a?b=1",
        "  La machine\n\nBrizelo   fuit… depuis lundi 😡",
    ],
)
def test_copies_have_one_key(copy: str) -> None:
    assert key_of(copy) == key_of("La machine Brizelo fuit depuis lundi")


def test_only_the_beginning_is_read() -> None:
    begins = "a" * 79 + " "
    assert key_of(begins + "one ending") == key_of(begins + "another ending")
    assert key_of("a" * 79 + "b") != key_of("a" * 79 + "c")


def test_texts_without_letters_are_told_apart() -> None:
    assert len({key_of(text) for text in ("👍", "👎", "!!!", "http://a.example", "")}) == 5


@settings(max_examples=100)
@given(st.text(st.characters(categories=["L", "N", "P", "Z", "S", "Cs"])))
def test_every_text_has_a_key_of_16_hexadecimal_digits(text: str) -> None:
    key = key_of(text)
    assert len(key) == 16
    assert int(key, 16) >= 0
