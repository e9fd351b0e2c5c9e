"""The words that decide are those that the fast model's weights name."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murmure.report.deciding import MOST, Decider, pieces
from murmure.tagging.linear import text_columns

WORDS = ["jamais", "livré", "Très", "bon", "café,", "it", "broke", "!!", "😡", "n'ai", "again."]


@pytest.fixture(scope="module")
def decider() -> Decider:
    found = Decider.load()
    assert found is not None
    return found


def marked(decider: Decider, text: str, label: str) -> list[str]:
    return [text[start:end] for start, end in decider.spans([text], [label])[0]]


def test_what_is_said_well_or_ill_is_marked(decider: Decider) -> None:
    assert "recommande" in marked(decider, "Ce café est très bon, je recommande.", "positive")
    assert "broke" in " ".join(marked(decider, "it broke after two weeks", "negative"))


def test_neighbours_are_one_mark_and_signs_around_words_are_left_out(decider: Decider) -> None:
    text = "« Colis jamais reçu », (aucune réponse)…"
    found = marked(decider, text, "negative")
    assert any(" " in words for words in found)
    assert not any(words[0] in "«,»()…" or words[-1] in "«,»()…" for words in found)


@settings(max_examples=25)
@given(words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=12))
def test_the_weights_of_the_words_add_up_to_the_models_verdict(words: list[str]) -> None:
    decider = Decider.load()
    assert decider is not None
    text = " ".join(words)
    (weights,) = decider._weights([words])
    columns = text_columns()["sentiment"]
    logits = decider.model.logits([text], [[]])["sentiment"][0]
    assert np.allclose(weights.sum(axis=0) + decider.model.bias[columns], logits, atol=1e-3)


@settings(max_examples=25)
@given(text=st.text(max_size=80))
def test_marks_lie_in_the_text_in_order_and_are_few(text: str) -> None:
    decider = Decider.load()
    assert decider is not None
    (spans,) = decider.spans([text], ["negative"])
    assert len(spans) <= MOST
    assert "".join(part for part, _ in pieces(text, spans)) == text
    assert all(start < end for start, end in spans)
