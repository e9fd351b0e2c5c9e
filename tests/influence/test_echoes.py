"""Echoes: the search against all pairs, and what must and must not be one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmure.influence.echoes import Numbers, Words, find_copies
from tests.influence.reference import find_echoes


def copies(texts: Sequence[str], ranks: Sequence[int] | None = None, batch: int = 3) -> list[bool]:
    """Which texts copy an earlier one, words given in batches as DuckDB would."""

    def words(only: Numbers | None) -> Iterator[Words]:
        for first in range(0, len(texts), batch):
            posts, hashes = [], []
            for place in range(first, min(first + batch, len(texts))):
                if only is None or place in only:
                    for word in texts[place].split():
                        posts.append(place)
                        hashes.append(hash(word) % 2**64)
            yield np.array(posts, np.int64), np.array(hashes, np.uint64)

    order = range(len(texts)) if ranks is None else ranks
    return find_copies(words, np.array(order, np.int64)).tolist()  # type: ignore[no-any-return]


# Few words make many shared shingles; a long common stretch makes similarities around 0.8.
_SOME = st.lists(st.sampled_from("abcd"), max_size=12)
_COMMON = st.sampled_from(["", "e f g h i j k l m n o p q r s t u v w x y z"])
TEXTS = st.lists(
    st.builds(lambda head, body, tail: " ".join([*head, body, *tail]), _SOME, _COMMON, _SOME),
    max_size=12,
)


@given(texts=TEXTS, seed=st.randoms(use_true_random=False))
def test_the_search_finds_what_comparing_all_pairs_finds(
    texts: list[str],
    seed: st.random_module,  # type: ignore[valid-type]
) -> None:
    ranks = list(range(len(texts)))
    seed.shuffle(ranks)  # type: ignore[attr-defined]
    in_order = [texts[ranks.index(rank)] for rank in range(len(texts))]
    rows = [{"text": text, "created_at": None, "repost_of": None} for text in in_order]
    expected = find_echoes(rows)
    assert copies(texts, ranks) == [expected[rank] for rank in ranks]


def test_the_earlier_of_two_copies_is_the_original_whatever_the_order_of_input() -> None:
    text = "one two three four five"
    assert copies([text, text, text], [2, 0, 1]) == [True, False, True]


@pytest.mark.parametrize("words", [1, 3])
def test_short_posts_are_never_echoes(words: int) -> None:
    text = " ".join("merci" for _ in range(words))
    assert copies([text, text]) == [False, False]


def test_four_words_are_an_echo_only_word_for_word() -> None:
    slogan = "boycott brizelo now boycottbrizelo"
    assert copies([slogan] * 40, batch=7) == [False] + [True] * 39
    others = [slogan, f"{slogan} please", "now boycott brizelo boycottbrizelo", "merci beaucoup !"]
    assert copies(others) == [False] * 4


def test_a_copy_of_a_copy_is_an_echo_even_where_it_no_longer_resembles_the_first() -> None:
    words = [f"w{number}" for number in range(60)]
    drifting = [" ".join(words[5 * step : 5 * step + 40]) for step in range(4)]
    distant = find_echoes(
        [{"text": drifting[place], "created_at": None, "repost_of": None} for place in (0, 3)]
    )
    assert distant == [False, False]
    close = [" ".join(words[2 * step : 2 * step + 40]) for step in range(4)]
    assert copies(close) == [False, True, True, True]


def test_ten_thousand_altered_copies_are_found_at_once() -> None:
    text = " ".join(f"w{number}" for number in range(30))
    found = copies([f"{text} {number}" for number in range(10_000)], batch=1000)
    assert found == [False] + [True] * 9_999


def test_no_posts_have_no_echoes() -> None:
    assert copies([]) == []
    assert copies(["", "", ""]) == [False, False, False]
