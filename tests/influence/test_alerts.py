"""Velocity and alerts."""

from __future__ import annotations

import math
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murmure.influence import count, counts_schema
from murmure.influence.alerts import (
    _stretches,
    add_alerts,
    find_alerts,
    find_velocity,
    ratio_interval,
)
from murmure.influence.windows import WINDOWS
from tests.influence.test_counting import raw
from tests.runs import write_run


def alerts(counts: list[float]) -> list[bool | None]:
    signals = find_alerts(counts, window="week")
    return [None if signal is None else signal.alert for signal in signals]


def test_a_burst_is_an_alert_and_the_first_windows_are_not_known() -> None:
    found = alerts([5, 3, 6, 4, 5, 7, 4, 5, 6, 40, 5])
    assert found == [None] * 8 + [False, True, False]


def test_a_rise_that_lasts_shows_in_two_windows_together() -> None:
    quiet = [50.0, 58, 43, 61, 47, 39, 55, 52, 44, 57, 62, 48, 41, 53, 50, 46, 59, 45, 51, 56]
    assert alerts([*quiet, 78])[-1] is False
    assert alerts([*quiet, 78, 79])[-1] is True


def test_a_few_posts_are_no_alert() -> None:
    assert alerts([0.0] * 30 + [2.0])[-1] is False
    assert alerts([0.0] * 30 + [12.0])[-1] is True


def test_noisy_histories_take_more() -> None:
    calm = [20.0, 21, 19, 20, 22, 18, 20, 21, 19, 20] * 3
    noisy = [20.0, 45, 4, 30, 12, 2, 51, 9, 33, 18] * 3
    assert alerts([*calm, 50])[-1] is True
    assert alerts([*noisy, 50])[-1] is False


def test_what_alarmed_does_not_hide_the_next() -> None:
    usual = [10.0, 12, 9, 11, 8, 10, 13, 9, 10, 11] * 2
    assert [alert for alert in alerts([*usual, 300, 10, 10, 10, 60]) if alert] == [True, True]


def test_a_lasting_rise_becomes_the_usual() -> None:
    generator = np.random.default_rng(3)
    counts = [*generator.poisson(20, 30).tolist(), *generator.poisson(45, 60).tolist()]
    found = alerts(counts)
    assert any(found[30:32])
    assert not any(found[-20:])


def test_years_without_change_seldom_have_an_alert() -> None:
    generator = np.random.default_rng(11)
    rates = generator.gamma(10, 2, (60, 104))
    years = [alerts(row.tolist())[52:] for row in generator.poisson(rates)]
    assert sum(any(year) for year in years) <= 6


@settings(max_examples=30)
@given(
    counts=st.lists(st.floats(0, 1e6), max_size=30),
    window=st.sampled_from(sorted(WINDOWS)),
)
def test_chances_are_chances(counts: list[float], window: str) -> None:
    signals = find_alerts(counts, window=window)
    assert len(signals) == len(counts)
    for signal in signals[8:]:
        assert signal is not None
        assert 0 <= signal.chance <= 1


@given(counts=st.lists(st.integers(0, 50), max_size=20))
def test_velocity_is_never_nan(counts: list[int]) -> None:
    for place, velocity in enumerate(find_velocity(counts)):
        before = counts[max(0, place - 8) : place]
        if len(before) < 4 or not any(before):
            assert velocity is None
        else:
            assert velocity == pytest.approx(counts[place] / (sum(before) / len(before)))


@given(
    top=st.tuples(st.floats(0, 1e3), st.floats(0, 1), st.floats(0, 2)),
    base=st.tuples(st.floats(0.01, 1e3), st.floats(0, 1), st.floats(0, 2)),
)
def test_a_ratio_lies_within_its_interval(
    top: tuple[float, float, float], base: tuple[float, float, float]
) -> None:
    (above, less, more), (below, under, over) = top, base
    low, high = ratio_interval(
        (above, above * (1 - less), above * (1 + more)),
        (below, below * (1 - under), below * (1 + over)),
    )
    assert 0 <= low <= above / below * (1 + 1e-6) + 1e-9
    assert high is None or (high >= above / below * (1 - 1e-6) and math.isfinite(high))


def bad_posts(week: int, posts: int) -> list[dict[str, str]]:
    return [
        {
            "created_at": f"2026-{1 + week // 4:02d}-{1 + 7 * (week % 4):02d}",
            "sentiment": "negative",
            "experience": "own",
            "touchpoint": "product",
        }
    ] * posts


def test_the_counts_table_has_them_week_by_week(tmp_path: Path) -> None:
    rows = [post for week in range(12) for post in bad_posts(week, 2)] + bad_posts(13, 40)
    counts = count(write_run(tmp_path / "run", rows), by=[])
    last = sorted(set(counts["window"].to_pylist()) - {"all"})[-1]
    # A week in which nobody wrote lies between: it counts as 0.
    assert raw(counts, "velocity", window=last) == pytest.approx(40 / (2 * 6 / 8), rel=0.3)
    assert raw(counts, "alert", window=last) == 1
    assert raw(counts, "alert", window="2026-W01") is None
    assert {row["metric"] for row in counts.slice(counts.num_rows - 24).to_pylist()} == {
        "velocity",
        "alert",
    }


@pytest.mark.parametrize("window", ["day", "week", "month"])
def test_a_post_dated_long_ago_is_no_history(tmp_path: Path, window: str) -> None:
    rows = [post for week in range(12) for post in bad_posts(week, 9)]
    stray = [bad_posts(0, 1)[0] | {"created_at": "1970-01-01"}]
    runs = [write_run(tmp_path / name, some) for name, some in (("a", rows), ("b", stray + rows))]
    with_stray, without = (count(run, by=[], window=window) for run in reversed(runs))
    told = [
        [
            {name: row[name] for name in ("metric", "window", "raw", "n")}
            for row in counts.to_pylist()
            if row["metric"] in ("alert", "velocity") and row["window"] >= "2026"
        ]
        for counts in (with_stray, without)
    ]
    assert told[0] == told[1]
    assert 1.0 not in [row["raw"] for row in told[0] if row["metric"] == "alert"]


@pytest.mark.parametrize(("weeks", "stretches"), [(52, 1), (53, 2)])
def test_what_follows_a_gap_as_long_as_the_history_begins_anew(weeks: int, stretches: int) -> None:
    day = date(2020, 12, 28)
    names = [
        f"{year:04d}-W{week:02d}"
        for year, week, _ in (
            (day + timedelta(weeks=week)).isocalendar() for week in (0, 1, 1 + weeks, 2 + weeks)
        )
    ]
    found = _stretches(names, "week")
    assert len(found) == stretches
    assert [found[0][0], found[-1][-1]] == [names[0], names[-1]]
    assert sum(map(len, found)) == (4 if stretches == 2 else weeks + 3)


def test_posts_without_times_and_no_posts_have_none(tmp_path: Path) -> None:
    counts = count(write_run(tmp_path / "run", [{"sentiment": "negative"}]), by=[])
    assert "alert" not in counts["metric"].to_pylist()
    assert add_alerts(counts_schema().empty_table(), window="week").num_rows == 0
