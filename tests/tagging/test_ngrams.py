"""The n-gram hasher, beside a plain enumeration of the same n-grams."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmure.tagging.ngrams import _BASE, _MIX, NgramHasher

_WHOLE = 2**64
HASHER = NgramHasher(bits=21, words=2, characters=(1, 6))
TEXTS = st.text(
    st.sampled_from("ab éœ'’ İΣ1²_#@.!…😡🏽\u0301\u200d\ufe0f\U0001d7d8語") | st.characters(),
    max_size=25,
).filter(lambda text: "\n" not in text and text.isprintable())

Counts = dict[tuple[str, int], Counter[int]]


def span_hash(span: str) -> int:
    return sum(ord(sign) * pow(_BASE, place, _WHOLE) for place, sign in enumerate(span)) % _WHOLE


def bucket(found: int) -> int:
    mixed = (found ^ (found >> 29)) * int(_MIX) % _WHOLE
    return mixed >> (64 - HASHER.bits)


def is_letter(sign: str) -> bool:
    return ord(sign) < 0x10000 and (sign.isalnum() or 0x300 <= ord(sign) < 0x370)


def split_words(text: str) -> list[str]:
    """Runs of letters and digits, each with the apostrophe after it; other signs one by one."""
    words: list[str] = []
    before = " "
    for sign in text:
        goes_on = is_letter(before) and (is_letter(sign) or sign == "'")
        if goes_on:
            words[-1] += sign
        elif not sign.isspace():
            words.append(sign)
        before = sign
    return words


def enumerate_ngrams(text: str) -> Counts:
    """The same n-grams as the hasher finds, one by one."""
    lowered = text.lower()
    found: Counts = {("words", size): Counter() for size in (1, 2)}
    words = [span_hash(word) for word in split_words(lowered)]
    found["words", 1].update(map(bucket, words))
    found["words", 2].update(bucket(one * int(_MIX) % _WHOLE ^ two) for one, two in pairwise(words))
    padded = f" {lowered} "
    for size in range(1, 7):
        kept = [padded[start : start + size] for start in range(len(padded) - size + 1)]
        # A space may stand at either end, never within, nor alone.
        kept = [span for span in kept if " " not in span[1:-1] and span.strip(" ")]
        found["characters", size] = Counter(bucket((span_hash(s) + size) % _WHOLE) for s in kept)
    return found


def hashed(texts: list[str]) -> list[Counts]:
    """What the hasher finds, text by text."""
    counts: list[Counts] = [{} for _ in texts]
    for unit, size, buckets, ends in HASHER.transform(texts):
        assert ends.dtype == buckets.dtype == np.int32
        assert ends[-1] == len(buckets)
        for text, of_text in enumerate(np.split(buckets, ends[:-1])):
            counts[text][unit, size] = Counter(of_text.tolist())
    return counts


@given(st.lists(TEXTS, min_size=1, max_size=5))
def test_every_ngram_of_every_text_is_found_and_no_other(texts: list[str]) -> None:
    assert hashed(texts) == [enumerate_ngrams(text) for text in texts]


@given(TEXTS, st.lists(TEXTS, max_size=3), st.lists(TEXTS, max_size=3))
def test_neighbours_change_nothing(text: str, before: list[str], after: list[str]) -> None:
    assert hashed([*before, text, *after])[len(before)] == hashed([text])[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("a", ["a"]),
        ("'", ["'"]),
        ("l'été n'est pas", ["l'", "été", "n'", "est", "pas"]),
        ("don't!!", ["don'", "t", "!", "!"]),
        ("😡🏽 #ad", ["😡", "🏽", "#", "ad"]),
    ],
)
def test_words_are_split_as_told(text: str, words: list[str]) -> None:
    assert split_words(text) == words
    (found,) = hashed([text])
    assert found["words", 1] == Counter(bucket(span_hash(word)) for word in words)


def test_case_is_dropped_and_accents_are_not() -> None:
    upper, lower, plain = hashed(["ÉTÉ", "été", "ete"])
    assert upper == lower != plain


def test_a_text_of_spaces_or_of_one_sign_has_what_it_has() -> None:
    none, one = hashed(["   ", "é"])
    assert not any(none.values())
    assert {kind: sum(counts.values()) for kind, counts in one.items()} == {
        ("words", 1): 1,
        ("words", 2): 0,
        ("characters", 1): 1,
        ("characters", 2): 2,  # with the space before, and after
        ("characters", 3): 1,
        **{("characters", size): 0 for size in (4, 5, 6)},
    }


def test_different_ngrams_seldom_share_a_bucket() -> None:
    texts = [f"{first}{second}" for first in "abcdefghij" for second in "klmnopqrst"]
    buckets = {next(iter(counts["words", 1])) for counts in hashed(texts)}
    assert len(buckets) == len(texts)
