"""Times, ids and other values of any kind."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmure.batch.values import BAD_TIME, as_text, as_time, parse_time, string_array

TIMES = st.datetimes(
    min_value=datetime(1980, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)
)


def times(column: pa.Array) -> tuple[list[datetime | None], int]:
    warnings: Counter[str] = Counter()
    return as_time(column, warnings).to_pylist(), warnings[BAD_TIME]


@given(TIMES)
def test_times_survive_every_way_they_are_written(time: datetime) -> None:
    microseconds = (time - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    seconds = time.replace(microsecond=0)
    written: list[tuple[object, datetime]] = [
        (time.isoformat(), time),
        (time.isoformat().replace("+00:00", "Z"), time),
        (time.replace(tzinfo=None).isoformat(" "), time),
        (int(seconds.timestamp()), seconds),
        (int(seconds.timestamp()) * 1000, seconds),
        (microseconds, time),
        (str(int(seconds.timestamp())), seconds),
    ]
    for value, expected in written:
        assert times(pa.array([value])) == ([expected], 0), value


def test_one_odd_time_does_not_change_how_the_others_are_read() -> None:
    found, bad = times(pa.array(["2026-03-01T10:00:00Z", "soon", "2026-03-01", None, ""]))
    assert found[0] == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert found[1:] == [None, datetime(2026, 3, 1, tzinfo=UTC), None, None]
    assert bad == 1


@pytest.mark.parametrize(
    "column",
    [
        pa.array([date(2026, 3, 1)]),
        pa.array([datetime(2026, 3, 1)]),
        pa.array([datetime(2026, 3, 1, tzinfo=UTC)], pa.timestamp("ns", "Europe/Paris")),
        pa.array(["2026-03-01"]).dictionary_encode(),
        pa.array(["2026-03-01"], pa.large_string()),
    ],
    ids=str,
)
def test_arrow_times_and_dates_become_utc(column: pa.Array) -> None:
    assert times(column) == ([datetime(2026, 3, 1, tzinfo=UTC)], 0)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([0]),
        pa.array([2026.0]),
        pa.array([20260312]),
        pa.array(["000002026"]),
        pa.array([1e30]),
        pa.array([10**15], pa.int64()).cast(pa.timestamp("s")),
        pa.array([2**31 - 1], pa.int32()).cast(pa.date32()),
        pa.array([float("inf")]),
        pa.array(["9" * 30]),
        pa.array(["0001-01-01T00:00:00+14:00"]),
        pa.array([[1]]),
        pa.array([True]),
    ],
    ids=str,
)
def test_times_beyond_understanding_are_null_and_counted(column: pa.Array) -> None:
    assert times(column) == ([None], 1)


@given(st.one_of(st.integers(), st.floats(), st.text(), st.decimals(), st.booleans(), st.none()))
def test_any_value_is_a_time_or_none(value: object) -> None:
    time = parse_time(value)
    assert time is None or abs(time) < 2**63


def test_ids_and_authors_of_other_types_become_plain_text() -> None:
    values = ["a", 12, 12.0, 1.5, True, float("nan"), None, Decimal("2"), {"é": 1}]
    found = string_array(values, Counter()).to_pylist()
    assert found == ["a", "12", "12", "1.5", "true", None, None, "2", '{"é": 1}']


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([7]), "7"),
        (pa.array([7.0]), "7"),
        (pa.array(["é"]).dictionary_encode(), "é"),
        (pa.array([b"\xc3\xa9"]), "é"),
        (pa.array([{"name": "é"}]), '{"name": "é"}'),
        (pa.array(["é"], pa.string_view()), "é"),
    ],
    ids=str,
)
def test_columns_of_other_types_become_plain_text(column: pa.Array, expected: str) -> None:
    assert as_text(column, Counter()).to_pylist() == [expected]
