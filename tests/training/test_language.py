"""The language tag's texts: snippets, mixed posts and the tenth that is held out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmure.training import language
from murmure.training.language import is_held_out


def test_a_tenth_is_held_out_and_always_the_same() -> None:
    keys = [f"key {number}" for number in range(5000)]
    held = [key for key in keys if is_held_out(key)]
    assert len(held) == pytest.approx(500, rel=0.15)
    assert held == [key for key in keys if is_held_out(key)]


@given(st.text(max_size=60), st.integers(0, 1000))
def test_a_snippet_is_a_piece_of_its_text_no_longer_than_told(text: str, seed: int) -> None:
    snippet = language._snippet(text, 3, 19, np.random.default_rng(seed))
    assert snippet in text
    assert len(snippet) <= 19
    assert bool(snippet) == bool(text)


def test_a_snippet_begins_where_a_word_begins() -> None:
    text = "trois semaines pour un colis arrivé abîmé"
    for seed in range(50):
        snippet = language._snippet(text, 3, 19, np.random.default_rng(seed))
        assert f" {snippet}" in f" {text}"


def test_a_mixed_post_has_a_clause_of_each_language() -> None:
    french = ["mon colis est arrivé cassé, le livreur a souri"] * 3
    english = ["the parcel came broken; nobody cares at all"] * 3
    random = np.random.default_rng(0)
    made = language._make_mixed(french, english, 50, random)
    assert len(made) == 50
    for post in made:
        words = set(post.split())
        assert words & {"mon", "colis", "livreur", "souri", "arrivé", "le"}
        assert words & {"the", "parcel", "nobody", "cares", "broken;"}


def test_without_clauses_no_mixed_post_is_made() -> None:
    assert language._make_mixed(["court"], ["long enough, to be a clause"], 5, _random()) == []


def _random() -> np.random.Generator:
    return np.random.default_rng(0)
