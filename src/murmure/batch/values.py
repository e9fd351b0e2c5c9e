"""Single columns made sound: any values as text, as points in time, as JSON."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from murmure.batch.dates import DateOrder, has_order, parse_date
from murmure.batch.lines import without_surrogates

TIME = pa.timestamp("us", tz="UTC")

#: What was put right, as a manifest counts it.
BAD_TIME = "created_at not understood, left empty"
BAD_ORDER = "created_at written like 12/03/2026, left empty"
BAD_SURROGATE = "half a character replaced by U+FFFD"
NOT_PLAIN = "neither text nor number, kept as JSON text"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = int((datetime(1, 1, 2, tzinfo=UTC) - _EPOCH) / timedelta(microseconds=1))
_LATEST = int((datetime(9999, 12, 30, tzinfo=UTC) - _EPOCH) / timedelta(microseconds=1))
_NUMBER = re.compile(r"[+-]?\d{9,19}(\.\d+)?")
#: The least that is an epoch number, 1973 in seconds; below are years, days and missing times.
_LEAST_EPOCH = 10**8
#: An epoch number below a limit is in the unit whose microseconds are told: 1e11 seconds is the
#: year 5138, 1e11 milliseconds is 1973.
_EPOCH_UNITS = (
    (Decimal("1e11"), Decimal(1_000_000)),
    (Decimal("1e14"), Decimal(1_000)),
    (Decimal("1e17"), Decimal(1)),
    (Decimal("1e20"), Decimal("0.001")),
)


def to_json(value: object) -> str:
    r"""A value as JSON that UTF-8 can hold, for what has no type of its own in a table.

    Example:
        >>> to_json({"é": [1, None]})
        '{"é": [1, null]}'
    """
    return without_surrogates(_dumps(value))


def json_line(row: Mapping[str, object]) -> str:
    r"""A row as one line of JSON, whatever a reader takes for a line's end.

    Example:
        >>> json_line({"text": "é\u2028"})
        '{"text": "é\\u2028"}\n'
    """
    return _dumps(row).translate(_LINE_ENDS) + "\n"


#: What Unicode, but not JSON, takes for the end of a line.
_LINE_ENDS = {0x85: "\\u0085", 0x2028: "\\u2028", 0x2029: "\\u2029"}


def _dumps(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=_plain, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), ensure_ascii=False, default=_plain)


def _finite(value: object) -> object:
    """The value with null for what JSON has no number for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value)


def string_array(values: Sequence[object], warnings: Counter[str]) -> pa.Array:
    """Texts and nulls as an Arrow column; other kinds of value become text.

    Lone surrogates become U+FFFD and are counted in `warnings`.
    """
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        return pa.array([_as_text(value, warnings) for value in values], pa.string())


def _as_text(value: object, warnings: Counter[str]) -> str | None:
    if value is None or value != value:  # noqa: PLR0124 - pandas' missing value
        return None
    if isinstance(value, str):
        clean = without_surrogates(value) if not value.isascii() else value
        warnings[BAD_SURROGATE] += clean != value
        return clean
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        # Tables made with pandas hold whole numbers as floats.
        return str(int(value)) if value == value // 1 else str(value)
    warnings[NOT_PLAIN] += 1
    return to_json(value)


def as_text(column: pa.Array, warnings: Counter[str]) -> pa.Array:
    """Any column as strings: whole numbers without a point, nested values as JSON."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return as_text(column.cast(kind.value_type), warnings)
    if pa.types.is_string(kind):
        return column
    if pa.types.is_floating(kind) or pa.types.is_nested(kind):
        return string_array(column.to_pylist(), warnings)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        texts = [None if value is None else _decoded(value) for value in column.to_pylist()]
        return pa.array(texts, pa.string())
    try:
        return column.cast(pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return string_array(column.to_pylist(), warnings)


def _decoded(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def empty_to_null(column: pa.Array) -> pa.Array:
    """A string column whose empty strings are null."""
    empty = pc.equal(pc.binary_length(column), 0)
    if not pc.any(empty).as_py():
        return column
    return pc.if_else(empty, pa.scalar(None, pa.string()), column)


def as_json(column: pa.Array) -> pa.Array:
    """Any column as JSON text, null where it is null."""
    values = plain_values(column)
    return pa.array([None if value is None else to_json(value) for value in values], pa.string())


def plain_values(column: pa.Array) -> list[Any]:
    """A column's values as Python has them; times that Python cannot hold as text.

    Python's times end with the year 9999 and know no nanoseconds.
    """
    kind = column.type
    # With pandas at hand Arrow would make pandas' own times of nanoseconds.
    if "[ns" not in str(kind):
        try:
            return list(column.to_pylist())
        except (ValueError, OverflowError):
            pass
    if pa.types.is_struct(kind):
        fields = {kind.field(i).name: plain_values(column.field(i)) for i in range(len(kind))}
        rows = zip(*fields.values(), strict=True)
        found = [dict(zip(fields, row, strict=True)) for row in rows]
        return [row if one.is_valid else None for row, one in zip(found, column, strict=True)]
    if pa.types.is_nested(kind):
        return [plain_values(one.values) if one.is_valid else None for one in column]
    return [_plain_value(one) for one in column]


def _plain_value(one: pa.Scalar) -> object:
    if not one.is_valid:
        return None
    try:
        if getattr(one.type, "unit", "") == "ns":
            return str(one.cast(pa.string()).as_py()).replace(" ", "T")
        return one.as_py()
    except (ValueError, OverflowError):
        return str(one.value)


def as_time(column: pa.Array, warnings: Counter[str], dates: DateOrder | None = None) -> pa.Array:
    """Any column as UTC microseconds.

    Understood are Arrow's own times and dates, ISO 8601 strings, and epoch numbers (also in
    strings) of nine digits and more, whose size tells seconds, milliseconds, microseconds or
    nanoseconds; also dates such as 12/03/2026, where `dates` tells their order. A time without
    zone is UTC. What is not understood, or lies outside the years 1 to 9999, becomes null and is
    counted in `warnings`.
    """
    kind = column.type
    if pa.types.is_null(kind):
        return pa.nulls(len(column), TIME)
    if pa.types.is_dictionary(kind):
        return as_time(column.cast(kind.value_type), warnings, dates)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        try:
            return _within_years(_cast_time(column), warnings)
        except pa.ArrowInvalid:  # some lie beyond what microseconds can count
            return pa.concat_arrays(
                [_one_time(column[i : i + 1], warnings) for i in range(len(column))]
            )
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        for target in (TIME, pa.timestamp("us")):
            try:
                return _within_years(column.cast(target).cast(TIME), warnings)
            except pa.ArrowInvalid:
                continue
    return time_array(column.to_pylist(), warnings, dates)


def _cast_time(column: pa.Array) -> pa.Array:
    zone = column.type.tz if pa.types.is_timestamp(column.type) else None
    options = pc.CastOptions(pa.timestamp("us", tz=zone), allow_time_truncate=True)
    return column.cast(options=options).cast(TIME)


def _one_time(one: pa.Array, warnings: Counter[str]) -> pa.Array:
    try:
        return _within_years(_cast_time(one), warnings)
    except pa.ArrowInvalid:
        warnings[BAD_TIME] += 1
        return pa.nulls(1, TIME)


def _within_years(column: pa.Array, warnings: Counter[str]) -> pa.Array:
    number = column.cast(pa.int64())
    bounds = pc.min_max(number).as_py()
    if bounds["min"] is None or (bounds["min"] >= _EARLIEST and bounds["max"] <= _LATEST):
        return column
    outside = pc.or_(pc.less(number, _EARLIEST), pc.greater(number, _LATEST))
    warnings[BAD_TIME] += pc.sum(outside).as_py() or 0
    return pc.if_else(outside, pa.scalar(None, TIME), column)


def time_array(
    values: Sequence[object], warnings: Counter[str], dates: DateOrder | None = None
) -> pa.Array:
    """Values of any kind as UTC microseconds, as `as_time` tells."""
    times: list[int | None] = []
    for value in values:
        # pandas writes a missing number as NaN, which alone differs from itself.
        blank = value is None or value != value or (isinstance(value, str) and not value.strip())  # noqa: PLR0124
        instant = None if blank else parse_time(value, dates)
        if instant is None and not blank:
            unsure = dates is None and isinstance(value, str) and has_order(value.strip())
            warnings[BAD_ORDER if unsure else BAD_TIME] += 1
        times.append(instant)
    return pa.array(times, pa.int64()).cast(TIME)


def parse_time(value: object, dates: DateOrder | None = None) -> int | None:
    """Microseconds since 1970 in UTC; None where the value tells no time.

    Example:
        >>> parse_time("1970-01-01T00:00:01Z"), parse_time("1970-01-01T01:00:01+01:00")
        (1000000, 1000000)
        >>> parse_time(1710000000) == parse_time(1710000000000) == parse_time("1710000000")
        True
        >>> parse_time("last Tuesday") is None and parse_time(0) is None
        True
    """
    if isinstance(value, datetime):
        return _microseconds(value)
    if isinstance(value, str):
        text = value.strip().removesuffix(" UTC")
        if _NUMBER.fullmatch(text):
            return _epoch(Decimal(text))
        try:
            return _microseconds(datetime.fromisoformat(text))
        except ValueError:
            found = None if dates is None else parse_date(text, dates)
            return None if found is None else _microseconds(found)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return _epoch(value)
    return None


def _epoch(number: int | float | Decimal) -> int | None:
    exact = Decimal(number)
    if not exact.is_finite() or not _LEAST_EPOCH <= abs(exact) < _EPOCH_UNITS[-1][0]:
        return None
    factor = next(factor for limit, factor in _EPOCH_UNITS if abs(exact) < limit)
    return _possible(int((exact * factor).to_integral_value()))


def _microseconds(moment: datetime) -> int | None:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    try:
        return _possible((aware - _EPOCH) // timedelta(microseconds=1))
    except OverflowError:
        return None


def _possible(microseconds: int) -> int | None:
    return microseconds if _EARLIEST <= microseconds <= _LATEST else None
