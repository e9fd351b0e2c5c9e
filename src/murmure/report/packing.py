"""The numbers of a page as its script reads them: JSON, compressed, in letters safe in HTML."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence

from murmure.report.slices import ALL, Cell, Slices

Packed = dict[str, dict[str, list[list[float | None] | None]]]


def pack(
    slices: Slices,
    *,
    entities: Sequence[str],
    languages: Sequence[str],
    places: Sequence[str],
    windows: Sequence[str],
) -> Packed:
    """The cells of some entities by slice, metric and window.

    Returns:
        By `entity.language.place.promotion` (places in the given lists, "all" being 0 in the
        second and third, promotion `o`, `s` or `a`), then by metric, a list: the whole period
        first, then each window; a cell is `[raw, n]` or `[raw, n, estimate, low, high]`, or None;
        windows without a number at the end are left away.
    """
    at = [
        {value: index for index, value in enumerate(values)}
        for values in (entities, [ALL, *languages], [ALL, *places])
    ]
    result: Packed = {}
    for where in sorted(slices.cells):
        spot = [where.entity, where.language, where.place]
        if any(value not in index for value, index in zip(spot, at, strict=True)):
            continue
        numbers = [str(index[value]) for value, index in zip(spot, at, strict=True)]
        key = ".".join([*numbers, where.promotion[0]])
        result[key] = {
            metric: _row(cells, windows) for metric, cells in slices.cells[where].items()
        }
    return result


def compress(packed: Packed) -> str:
    """The numbers as gzip in base64: the browser undoes both by itself.

    Example:
        >>> compress({})[:6]
        'H4sIAA'
    """
    text = json.dumps(packed, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode("ascii"), 9, mtime=0)).decode("ascii")


def _row(cells: Mapping[str, Cell], windows: Sequence[str]) -> list[list[float | None] | None]:
    row = [_packed(cells.get(window)) for window in [ALL, *windows]]
    row = [None if cell == [0, 0] else cell for cell in row]  # the script takes none for zero
    while len(row) > 1 and row[-1] is None:
        row.pop()
    return row


def _packed(cell: Cell | None) -> list[float | None] | None:
    if cell is None:
        return None
    numbers = [cell.raw, cell.n]
    if cell.estimate is not None:
        numbers += [cell.estimate, cell.low, cell.high]
    return [None if value is None else _short(value) for value in numbers]


def _short(value: float) -> float:
    return int(value) if float(value).is_integer() else round(value, 6)
