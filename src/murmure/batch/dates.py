"""Dates such as 12/03/2026, of which only who wrote them can say whether day or month is first."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal, get_args

from murmure.errors import UsageError

#: What stands first in such a date.
DateOrder = Literal["day-first", "month-first"]

_DATE = re.compile(
    r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})"
    r"(?:(?:T|,? +|,? +à +)(\d{1,2})[:h](\d{2})(?::(\d{2})(?:[.,]\d+)?)?"
    r"(?: ?([AaPp])\.?[Mm]\.?)?(?: ?(Z|UTC|[+-]\d{2}:?\d{2}))?)?"
)
_CENTURY = 2000
_NOON = 12


def check_dates(order: str | None) -> DateOrder | None:
    """The order of this name.

    Raises:
        UsageError: there is none.

    Example:
        >>> check_dates("day-first")
        'day-first'
        >>> check_dates("french")
        Traceback (most recent call last):
            ...
        murmure.errors.UsageError: --dates: expected day-first or month-first, but was given \
'french'
    """
    for known in get_args(DateOrder):
        if order == known:
            found: DateOrder = known
            return found
    if order is None:
        return None
    raise UsageError(f"--dates: expected day-first or month-first, but was given {order!r}")


def has_order(text: str) -> bool:
    """Whether a text is a date with day and month before the year.

    Example:
        >>> has_order("12/03/2026 14:05"), has_order("2026-03-12"), has_order("soon")
        (True, False, False)
    """
    return _DATE.fullmatch(text) is not None


def parse_date(text: str, order: DateOrder) -> datetime | None:
    """A date, with or without a time, whose order is known; None where it is none.

    A year of two digits is of this century. Without a zone the time has none either.

    Example:
        >>> parse_date("12/03/2026 14:05", "day-first")
        datetime.datetime(2026, 3, 12, 14, 5)
        >>> parse_date("3/12/26 2:05 PM", "month-first")
        datetime.datetime(2026, 3, 12, 14, 5)
        >>> parse_date("12/31/2026", "day-first") is None
        True
    """
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    first, _, second, year, hour, minute, seconds, half, zone = found.groups()
    day, month = (first, second) if order == "day-first" else (second, first)
    hours = int(hour or 0)
    if half is not None:
        if not 1 <= hours <= _NOON:
            return None
        hours = hours % _NOON + (_NOON if half in "Pp" else 0)
    full = int(year) + (_CENTURY if len(year) == 2 else 0)
    written = f"{full:04d}-{int(month):02d}-{int(day):02d}T{hours:02d}:{minute or '00'}"
    offset = "" if zone is None else zone.replace("UTC", "Z")
    try:
        return datetime.fromisoformat(f"{written}:{seconds or '00'}{offset}")
    except ValueError:
        return None
