"""Texts cut at blanks, and what is remembered of their tokens."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from murmure.tokens import TokenMemory, cut

TEXTS = st.lists(
    st.text(st.sampled_from("ab é\n\t\x00\u2028\xa0\u3000\x1f\u200b\ud800😀") | st.characters())
    | st.text(max_size=8).map(lambda text: text * 40),
    max_size=6,
)


def lengths(tokens: list[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([sum(map(ord, token)) for token in tokens], np.int64)


@given(TEXTS)
def test_texts_are_cut_where_split_cuts_them(texts: list[str]) -> None:
    tokens = cut(texts)
    written = tokens.written(np.arange(len(tokens.keys)))
    starts = [0, *tokens.text_ends.tolist()]
    found = [written[start:end] for start, end in pairwise(starts)]
    assert found == [text.split() for text in texts]


@given(TEXTS)
@example(["0\0 0"])
def test_short_tokens_have_one_key_and_long_ones_each_their_own(texts: list[str]) -> None:
    tokens = cut(texts)
    written = tokens.written(np.arange(len(tokens.keys)))
    keys: dict[str, set[int]] = {}
    for token, key in zip(written, tokens.keys.tolist(), strict=True):
        keys.setdefault(token, set()).add(key)
        assert key % 2 == (len(token) <= 64)
    assert all(len(of_token) == 1 for token, of_token in keys.items() if len(token) <= 64)
    assert len(set().union(*keys.values())) == sum(map(len, keys.values()))


@given(st.lists(TEXTS, max_size=5), st.integers(0, 4))
def test_every_token_has_its_own_value_however_small_the_memory(
    batches: list[list[str]], bits: int
) -> None:
    memory = TokenMemory(lengths, kind=np.dtype(np.int64), bits=bits)
    for texts in [*batches, *batches]:
        tokens = cut(texts)
        expected = lengths([token for text in texts for token in text.split()])
        assert memory(tokens).tolist() == expected.tolist()


def test_a_token_is_worked_out_once_while_there_is_room() -> None:
    asked: list[str] = []

    def work_out(tokens: list[str]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        asked.extend(tokens)
        return lengths(tokens)

    memory = TokenMemory(work_out, kind=np.dtype(np.int64))
    for _ in range(3):
        memory(cut(["un café, un thé", "un café,"]))
    assert sorted(asked) == ["café,", "thé", "un"]
