"""Dates whose order is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmure.batch.dates import has_order, parse_date

MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(
    lambda moment: moment.replace(microsecond=0)
)


@given(moment=MOMENTS, separator=st.sampled_from("/.-"))
def test_what_is_written_in_an_order_is_read_in_it(moment: datetime, separator: str) -> None:
    year = f"{moment.year:04d}"
    clock = moment.strftime("%H:%M:%S")
    day_first = separator.join([f"{moment.day}", f"{moment.month:02d}", year])
    month_first = separator.join([f"{moment.month}", f"{moment.day:02d}", year])
    assert parse_date(f"{day_first} {clock}", "day-first") == moment
    assert parse_date(f"{month_first}, {clock}", "month-first") == moment
    assert has_order(day_first)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12/03/26", datetime(2026, 3, 12)),
        ("12.03.2026 à 14h05", datetime(2026, 3, 12, 14, 5)),
        ("12/03/2026T14:05:09.5", datetime(2026, 3, 12, 14, 5, 9)),
        ("12/03/2026 12:05 AM", datetime(2026, 3, 12, 0, 5)),
        ("12/03/2026 12:05 p.m.", datetime(2026, 3, 12, 12, 5)),
        ("12/03/2026 14:05 UTC", datetime(2026, 3, 12, 14, 5, tzinfo=UTC)),
        (
            "12/03/2026 14:05 +0200",
            datetime(2026, 3, 12, 14, 5, tzinfo=timezone(timedelta(hours=2))),
        ),
    ],
)
def test_usual_ways_of_writing_are_read(text: str, expected: datetime) -> None:
    assert parse_date(text, "day-first") == expected


@pytest.mark.parametrize(
    "text",
    ["12/13/2026", "31/02/2026", "12/03-2026", "12/03/202", "1/2/2026 25:00", "1/2/2026 14:05 PM"],
)
def test_what_is_no_day_is_none(text: str) -> None:
    assert parse_date(text, "day-first") is None


@given(text=st.text(st.sampled_from("0123456789/.-: T"), max_size=20))
def test_any_text_is_a_date_or_none(text: str) -> None:
    assert parse_date(text, "month-first") is None or has_order(text)
