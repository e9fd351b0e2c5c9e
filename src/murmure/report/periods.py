"""The windows of a counts table as a time axis, with the names that a reader gives them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from murmure.report.words import Words

#: A stray date (a post of 1970) must not stretch the axis over thousands of empty windows.
LONGEST_FILL = 400


@dataclass(frozen=True, slots=True)
class Period:
    """One window on the time axis.

    Attributes:
        window: as the counts table writes it, such as `2026-W12`.
        kind: `day`, `week` or `month`.
        short: for an axis, such as `W12`.
        long: in words, such as `week of 16 March 2026`.
        name: as a sentence begins, such as `Week 12 (from 16 March 2026)`.
    """

    window: str
    kind: str
    short: str
    long: str
    name: str


def axis(windows: Iterable[str], words: Words) -> list[Period]:
    """The dated windows in order, empty ones between them included, with their names.

    Args:
        windows: as the counts table writes them; "all", "unknown" and what is no window of the
            table's are passed over.
        words: of the page's language.

    Example:
        >>> words = Words.load("en")
        >>> [p.short for p in axis(["2026-W12", "all", "2026-W10"], words)]
        ['W10', 'W11', 'W12']
        >>> axis(["unknown"], words)
        []
    """
    starts = {day: window for window in windows if (day := start_of(window)) is not None}
    if not starts:
        return []
    kind = len(next(iter(starts.values())))
    known = sorted(starts)
    filled = list(_steps(known[0], known[-1], kind))
    if len(filled) > LONGEST_FILL + len(known):
        filled = known
    return [_named(day, kind, words) for day in filled]


def start_of(window: str) -> date | None:
    """The first day of a window, None where it has none.

    Example:
        >>> start_of("2026-W12"), start_of("2026-03"), start_of("all")
        (datetime.date(2026, 3, 16), datetime.date(2026, 3, 1), None)
    """
    try:
        if match := re.fullmatch(r"(\d{4})-W(\d\d)", window):
            return date.fromisocalendar(int(match[1]), int(match[2]), 1)
        if re.fullmatch(r"\d{4}-\d\d", window):
            return date.fromisoformat(window + "-01")
        return date.fromisoformat(window) if re.fullmatch(r"\d{4}-\d\d-\d\d", window) else None
    except ValueError:
        return None


def window_of(time: datetime, kind: str) -> str:
    """The window that a time lies in.

    Example:
        >>> window_of(datetime(2026, 3, 18), "week"), window_of(datetime(2026, 3, 18), "month")
        ('2026-W12', '2026-03')
    """
    year, week, _ = time.isocalendar()
    if kind == "week":
        return f"{year}-W{week:02d}"
    return f"{time:%Y-%m}" if kind == "month" else f"{time:%Y-%m-%d}"


_WEEK, _MONTH = len("2026-W12"), len("2026-03")


def _steps(first: date, last: date, kind: int) -> Iterator[date]:
    day = first
    while day <= last:
        yield day
        if kind == _MONTH:
            day = date(day.year + day.month // 12, day.month % 12 + 1, 1)
        else:
            day += timedelta(days=7 if kind == _WEEK else 1)


def _named(day: date, kind: int, words: Words) -> Period:
    iso = day.isocalendar()
    name, window = "day", day.isoformat()
    if kind == _WEEK:
        name, window = "week", f"{iso.year}-W{iso.week:02d}"
    elif kind == _MONTH:
        name, window = "month", f"{day:%Y-%m}"
    values = {
        "week": iso.week,
        "year": day.year,
        "day": words.date(day),
        "day_number": day.day,
        "month_number": f"{day.month:02d}",
        "month_name": words.table["window"]["months"][day.month - 1],
        "month_name_short": words.table["window"]["months_short"][day.month - 1],
    }
    short, long, told = (
        words(f"window.{name}_{size}", **values) for size in ("short", "long", "name")
    )
    return Period(window, name, short, long, told[:1].upper() + told[1:])
