"""Words, numbers and dates."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmure.report.periods import axis, start_of
from murmure.report.words import Words
from murmure.schema import LABELS, TAGS

FRENCH, ENGLISH = Words.load("fr"), Words.load("en")


def leaves(table: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{path}{key}.")
        else:
            yield path + key, value


def test_both_languages_have_the_same_words_with_the_same_gaps() -> None:
    french, english = dict(leaves(FRENCH.table)), dict(leaves(ENGLISH.table))
    assert french.keys() == english.keys()

    def gaps(value: object) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(str(value)) if name}

    # What French says without the kind of period, English may name.
    free = {"story.worst", "story.worst_touchpoint"}
    differing = [k for k in french if k not in free and gaps(french[k]) != gaps(english[k])]
    assert not differing


def test_every_label_and_tag_has_a_word() -> None:
    for words in (FRENCH, ENGLISH):
        assert set(words.table["language"]) == set(LABELS["language"])
        assert set(words.table["touchpoint"]) == set(LABELS["touchpoint"]) - {"none"}
        assert set(words.table["experience"]) == set(LABELS["experience"]) - {"none"}
        assert set(words.table["tag"]) == set(TAGS)


def test_french_keeps_double_signs_on_the_line_of_their_word() -> None:
    loose = [k for k, v in leaves(FRENCH.table) if any(f" {sign}" in str(v) for sign in ":;?!»%")]
    assert not loose


@pytest.mark.parametrize(
    ("value", "decimals", "french", "english"),
    [
        (1234567, 0, "1\u202f234\u202f567", "1,234,567"),
        (-0.4, 0, "0", "0"),
        (2.5, 0, "3", "3"),
        (-12.25, 1, "−12,3", "−12.3"),
    ],
)
def test_numbers_are_written_as_the_language_has_them(
    value: float, decimals: int, french: str, english: str
) -> None:
    assert FRENCH.number(value, decimals) == french
    assert ENGLISH.number(value, decimals) == english


@pytest.mark.parametrize(
    ("number", "french", "english"),
    [(0, "0 post", "0 posts"), (1, "1 post", "1 post"), (2, "2 posts", "2 posts")],
)
def test_nouns_agree_with_their_number(number: int, french: str, english: str) -> None:
    assert FRENCH.count("posts", number) == french
    assert ENGLISH.count("posts", number) == english


@given(days=st.lists(st.dates(date(2020, 1, 1), date(2026, 12, 31)), min_size=1, max_size=20))
def test_the_axis_has_every_week_once_and_in_order(days: list[date]) -> None:
    weeks = [f"{d.isocalendar().year}-W{d.isocalendar().week:02d}" for d in days]
    periods = [period.window for period in axis([*weeks, "all", "unknown"], ENGLISH)]
    assert set(weeks) <= set(periods)
    starts = [start_of(window) for window in periods]
    assert all(a is not None and b is not None and a < b for a, b in pairwise(starts))
    assert periods[0] == min(weeks)
    assert periods[-1] == max(weeks)


def test_a_stray_date_does_not_stretch_the_axis() -> None:
    assert len(axis(["1970-W01", "2026-W10"], ENGLISH)) == 2


def test_months_and_days_are_filled_over_the_years_end() -> None:
    assert [p.short for p in axis(["2025-11", "2026-02"], FRENCH)] == [
        "nov.",
        "déc.",
        "janv.",
        "févr.",
    ]
    assert [p.short for p in axis(["2025-12-31", "2026-01-02"], ENGLISH)] == [
        "31/12",
        "1/01",
        "2/01",
    ]
