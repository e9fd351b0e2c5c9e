"""Echoes: the search against all pairs, and what must and must not be one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmure.influence import echoes
from murmure.influence.database import connect
from murmure.influence.echo_search import find_echoes as search
from murmure.influence.echoes import Numbers, Words, find_copies
from murmure.influence.runs import open_runs
from tests.influence.reference import alike, find_echoes
from tests.runs import write_run


def copies(texts: Sequence[str], ranks: Sequence[int] | None = None, batch: int = 3) -> list[bool]:
    """Whether each text copies an earlier one."""
    return [root != place for place, root in enumerate(roots(texts, ranks, batch))]


def roots(texts: Sequence[str], ranks: Sequence[int] | None = None, batch: int = 3) -> list[int]:
    """Which text each copies, words given in batches as DuckDB would."""

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
    found = roots(texts, ranks)
    for place, root in enumerate(found):
        assert found[root] == root
        # What is a copy has the root of an earlier post that it resembles.
        assert root == place or any(
            alike(texts[place], texts[other])
            for other in range(len(texts))
            if found[other] == root and ranks[other] < ranks[place]
        )


def test_the_earlier_of_two_copies_is_the_original_whatever_the_order_of_input() -> None:
    text = "one two three four five"
    assert copies([text, text, text], [2, 0, 1]) == [True, False, True]
    assert roots([text, text, text], [2, 0, 1]) == [1, 1, 1]


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
    assert roots(close) == [0, 0, 0, 0]


def test_what_copies_a_near_copy_word_for_word_has_the_first_for_its_root() -> None:
    words = " ".join(f"w{number}" for number in range(30))
    other = " ".join(f"v{number}" for number in range(30))
    assert roots([words, other, f"{words} x", f"{words} x", other]) == [0, 1, 0, 0, 1]


def test_ten_thousand_altered_copies_are_found_at_once() -> None:
    text = " ".join(f"w{number}" for number in range(30))
    found = copies([f"{text} {number}" for number in range(10_000)], batch=1000)
    assert found == [False] + [True] * 9_999


def test_posts_of_one_long_template_are_not_compared_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Counter[str]()
    alike_before = echoes._alike

    def counted(shared: int, members: int) -> bool:
        asked["alike"] += 1
        return alike_before(shared, members)

    monkeypatch.setattr(echoes, "_alike", counted)
    template, many = " ".join(f"w{number}" for number in range(40)), 1000
    endings = (" ".join(f"{number}x{place}" for place in range(6)) for number in range(many))
    assert copies([f"{template} {ending}" for ending in endings]) == [False] * many
    assert 0 < asked["alike"] < 20 * many


def test_no_posts_have_no_echoes() -> None:
    assert copies([]) == []
    assert copies(["", "", ""]) == [False, False, False]


def families(folder: Path, rows: Sequence[dict[str, Any]]) -> list[int]:
    """The families of a run's posts, numbered in the order of their first posts."""
    runs = open_runs([write_run(folder / "run", rows, part_rows=2)])
    with connect(runs) as connection:
        echoes = search(connection, runs)
    known: dict[int, int] = {0: 0}
    return [known.setdefault(family, len(known)) for family in echoes.families.tolist()]


def test_copies_and_what_they_copy_are_a_family(tmp_path: Path) -> None:
    text = "ma Brizelo fuit de partout et personne ne répond au téléphone depuis hier soir"
    texts = [text, "merci !", "une Torvella toute neuve à vendre", f"{text} !", f"{text} oui", text]
    assert families(tmp_path, [{"text": text} for text in texts]) == [1, 0, 0, 1, 1, 1]


def test_reposts_are_of_the_family_of_the_post_that_they_tell_or_of_one_of_their_own(
    tmp_path: Path,
) -> None:
    slogan = "plus jamais de Brizelo chez moi"
    rows = [
        {"text": "bof", "repost_of": " gone "},
        {"text": "merci !", "repost_of": "p3"},
        {"text": "non", "repost_of": "elsewhere"},
        {"text": "merci beaucoup !"},
        {"text": slogan},
        {"text": slogan, "repost_of": "gone"},
        {"text": "ah", "repost_of": ""},
    ]
    # By their text and by the post that they tell, the first, fifth and sixth hang together.
    assert families(tmp_path, rows) == [1, 2, 0, 2, 1, 1, 0]
