"""Windows of time: days, ISO weeks and months, in UTC, as numbers and by name."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from murmure.influence.media import UNKNOWN

if TYPE_CHECKING:
    import pyarrow as pa

Numbers = NDArray[np.int64]

#: Windows that counts know.
WINDOWS = ("day", "week", "month")

#: The number of the window of a post without time.
NO_TIME = np.iinfo(np.int32).min

_FIRST = date(1970, 1, 1)
_MONDAY = date(1969, 12, 29)
_DAY = 86_400_000_000  # microseconds


def number_windows(times: pa.Array, window: str) -> Numbers:
    """The window of each time: days or months since 1970, or weeks since Monday, 29 December 1969.

    Args:
        times: timestamps; null where there is none.
        window: one of `WINDOWS`.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    micros = times.cast(pa.timestamp("us", tz=times.type.tz), safe=False).cast(pa.int64())
    days = pc.fill_null(micros, 0).to_numpy(zero_copy_only=False) // _DAY
    if window == "week":
        found = (days + 3) // 7
    elif window == "month":
        found = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    else:
        found = days
    missing = times.is_null().to_numpy(zero_copy_only=False)
    return np.where(missing, NO_TIME, found)


def label_windows(numbers: Numbers, window: str) -> list[str]:
    """The names of windows.

    Example:
        >>> label_windows(np.array([2869, 2870]), "week")
        ['2024-W52', '2025-W01']
        >>> label_windows(np.array([NO_TIME, 662]), "month")
        ['unknown', '2025-03']
    """
    return [UNKNOWN if number == NO_TIME else _name(int(number), window) for number in numbers]


def number_window(name: str, window: str) -> int:
    """The number of a window, by its name.

    Example:
        >>> number_window("2025-W01", "week"), number_window("2025-03", "month")
        (2870, 662)
    """
    year, _, rest = name.partition("-")
    if window == "month":
        return 12 * (int(year) - 1970) + int(rest) - 1
    if window == "week":
        return (date.fromisocalendar(int(year), int(rest[1:]), 1) - _MONDAY).days // 7
    return (date.fromisoformat(name) - _FIRST).days


def _name(number: int, window: str) -> str:
    if window == "month":
        return f"{1970 + number // 12:04d}-{number % 12 + 1:02d}"
    if window == "week":
        # A week is of the year that its Thursday is in.
        thursday = np.datetime64(7 * number, "D")
        year = int(thursday.astype("datetime64[Y]").astype(np.int64)) + 1970
        week = int((thursday - np.datetime64(year - 1970, "Y")).astype(np.int64)) // 7 + 1
        return f"{year:04d}-W{week:02d}"
    return str(np.datetime64(number, "D"))
