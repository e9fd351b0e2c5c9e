"""Alerts: what is said, and when nothing is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from murmure.report import alerts
from murmure.report.periods import axis
from murmure.report.slices import Cell, Slice, Slices
from murmure.report.words import Words
from tests.report.pages import BAD, GOOD, counts_of, late_parcels, small_story, with_estimates
from tests.runs import write_run

FRENCH, ENGLISH = Words.load("fr"), Words.load("en")


def told(
    folder: Path, rows: list[dict[str, Any]], words: Words = ENGLISH, *, estimated: bool = False
) -> list[alerts.Alert]:
    counts = counts_of(write_run(folder, rows))
    slices = Slices.of(with_estimates(counts) if estimated else counts)
    return alerts.find(slices, brands=slices.brands(), axis=axis(slices.dated, words), words=words)


@pytest.mark.parametrize(
    ("words", "sentence", "detail"),
    [
        (FRENCH, "Semaine 15 (6 avril 2026)\u00a0: les mauvaises expériences de livraison ont plus "
         "que décuplé, 30 personnes mécontentes.",
         "En tout 30 mauvaises expériences, 15,0 fois la moyenne des 8 semaines d’avant."),
        (ENGLISH, "Week 15 (6 April 2026): bad experiences of delivery grew more than tenfold, "
         "30 unhappy people.",
         "In all 30 bad experiences, 15.0 times the mean of the 8 weeks before."),
    ],
)  # fmt: skip
def test_an_alert_says_when_what_and_how_many_people(
    words: Words, sentence: str, detail: str, tmp_path: Path
) -> None:
    (alert,) = told(tmp_path, late_parcels(), words)
    assert alert.entity == "Brizelo"
    assert (alert.sentence, alert.detail) == (sentence, detail)


def test_it_carries_the_intervals_of_the_counts(tmp_path: Path) -> None:
    (alert,) = told(tmp_path, late_parcels(), estimated=True)
    assert "31 unhappy people [28–33]." in alert.sentence
    assert "31 bad experiences [28–33]" in alert.detail


def test_without_one_main_touchpoint_none_is_named(tmp_path: Path) -> None:
    rows = late_parcels()
    mixed = ["product", "service", "delivery"]
    rows = [
        {**row, "touchpoint": mixed[number % 3]} if row["sentiment"] == "negative" else row
        for number, row in enumerate(rows)
    ]
    (alert,) = told(tmp_path, rows)
    assert "bad experiences grew more than tenfold" in alert.sentence


def test_a_touchpoint_that_was_unheard_of_is_said_to_spring_up(tmp_path: Path) -> None:
    rows = [
        {**row, "touchpoint": "product"}
        if row["sentiment"] == "negative" and row["created_at"].month != 4
        else row
        for row in late_parcels()
    ]
    (alert,) = told(tmp_path, rows)
    assert "bad experiences of delivery sprang up" in alert.sentence


@pytest.mark.parametrize(
    ("factor", "said"),
    [(1.4, "clearly increased"), (2.0, "doubled"), (3.1, "tripled"), (4.0, "quadrupled"),
     (6.2, "multiplied by 6"), (40.0, "grew more than tenfold")],
)  # fmt: skip
def test_a_rise_has_its_word(factor: float, said: str, tmp_path: Path) -> None:
    usual = 10
    rows = [
        {**BAD, "author": f"w{week}.{number}", "text": f"post {week} {number}", "channel": "x",
         "created_at": f"2026-{1 + week // 4:02d}-{1 + 7 * (week % 4):02d}",
         "mentions": ["Brizelo"]}
        for week in range(12)
        for number in range(round(usual * factor) if week == 11 else usual)
    ]  # fmt: skip
    counts = with_estimates(counts_of(write_run(tmp_path, [*rows, {**rows[0], **GOOD}])))
    slices = Slices.of(counts)
    where = Slice("Brizelo")
    last = max(slices.dated - {"all"})
    slices.cells[where]["alert"][last] = Cell(1.0, 11)
    weeks = axis(slices.dated, ENGLISH)
    found = alerts.find(slices, brands=["Brizelo"], axis=weeks, words=ENGLISH)
    assert said in found[0].sentence


def test_no_alert_is_told_apart_from_too_short_a_history(tmp_path: Path) -> None:
    assert told(tmp_path / "short", small_story()) == []
    slices = Slices.of(counts_of(tmp_path / "short"))
    weeks = axis(slices.dated, ENGLISH)
    assert not alerts.watched(slices, brands=slices.brands(), axis=weeks)
    assert "at least 8 periods" in alerts.none_told(watched=False, words=ENGLISH)
    assert alerts.none_told(watched=True, words=ENGLISH).startswith("None:")
