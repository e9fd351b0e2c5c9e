"""The counts table, looked up by slice: what the page's words, table and charts are made of.

Nothing here adds up: a number is either in the counts table or not known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from math import isfinite
from typing import TYPE_CHECKING, Any

from murmure.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

ALL = "all"
#: Before the name of a kind of media in the place of a channel.
KIND = "kind:"

#: The columns that the page reads; the others pass it by.
COLUMNS = (
    "entity", "window", "language", "channel", "media", "promotion", "metric",
    "experience", "touchpoint", "sentiment", "raw", "estimate", "low", "high", "n",
)  # fmt: skip

#: Metrics told window by window in slices of a language or a place; over all languages and places
#: each metric is.
SERIES = ("posts", "voices", "influence", "good", "bad", "advocates", "detractors")
#: How many numbers a page may hold: about 4 MB of it.
MOST_NUMBERS = 300_000
#: Which slices have their windows, by depth: over all languages and places, what is split and what
#: is not in the headline table among organic posts alone; that too among sponsored ones and all;
#: those of one language or place too; those of both too.
DEPTHS = (0, 1, 2, 3)

#: Metrics whose numbers are small.
_FRACTIONS = ("share", "velocity")

#: Metrics that count, and so are 0 where the slice has no row.
COUNTED = ("posts", "voices", "good", "bad", "advocates", "detractors", "echoes", "unknown_authors")


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of the counts table.

    Attributes:
        raw: labels counted; None where it is not known.
        n: the posts it rests on.
        estimate: corrected for the tagger's errors; None where that was not computed.
        low: where its interval begins.
        high: where its interval ends.
    """

    raw: float | None
    n: int
    estimate: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def value(self) -> float | None:
        """The estimate where there is one, else the raw number."""
        return self.raw if self.estimate is None else self.estimate


@dataclass(frozen=True, slots=True, order=True)
class Slice:
    """Which posts a number is about.

    Attributes:
        entity: a brand, or "all".
        language: a label, or "all".
        place: a channel, a kind of media after `KIND`, or "all".
        promotion: `organic`, `sponsored`, or "all".
    """

    entity: str = ALL
    language: str = ALL
    place: str = ALL
    promotion: str = "organic"


@dataclass
class Slices:
    """The counts table by slice, metric and window.

    Attributes:
        cells: slice, then metric (`bad`, `bad:delivery`, `posts:negative`), then window.
        media: the kind of media of each channel, where the table tells.
        dated: every window of the table.
        depth: which slices have their windows, one of `DEPTHS`.
        told: what the counting says of itself: level, drift, audit.
        pages: how many pages the windows over everything fill.
    """

    cells: dict[Slice, dict[str, dict[str, Cell]]] = field(default_factory=dict)
    media: dict[str, str] = field(default_factory=dict)
    dated: set[str] = field(default_factory=set)
    depth: int = DEPTHS[-1]
    told: Mapping[str, Any] = field(default_factory=dict)
    pages: int = 1

    @staticmethod
    def of(counts: pa.Table, *, brands_a_page: int = 50, most: int = MOST_NUMBERS) -> Slices:
        """Looks a counts table up, as deep into its windows as a page can hold.

        Args:
            counts: the table.
            brands_a_page: the most brands that share a page.
            most: how many numbers a page may hold.

        Raises:
            InputError: where a column is missing, named in the message.
        """
        missing = [name for name in COLUMNS if name not in counts.column_names]
        if missing:
            raise InputError("the counts table lacks this column", column=missing[0])
        kinds = _distinct(counts, "channel", "media")
        slices = Slices(
            media={channel: kind for channel, kind in kinds if ALL not in (channel, kind)},
            dated={window for (window,) in _distinct(counts, "window")},
            told=json.loads((counts.schema.metadata or {}).get(b"murmure", b"{}")),
        )
        entities = [name for (name,) in _distinct(counts, "entity") if name != ALL]
        masks = [_shown(counts, depth) for depth in DEPTHS]
        numbers = [mask.true_count for mask in masks]
        slices.pages = max(1, -(-len(entities) // brands_a_page), -(-numbers[0] // most))
        slices.depth = max(d for d in DEPTHS if d == 0 or numbers[d] <= most * slices.pages)
        shown = counts.select(COLUMNS).filter(masks[slices.depth])
        for batch in shown.to_batches(max_chunksize=50_000):
            columns = [column.to_pylist() for column in batch.columns]
            for row in zip(*columns, strict=True):
                slices._take(row)
        return slices

    def _take(self, row: tuple[Any, ...]) -> None:
        """Files one row of the counts table, its values in the order of `COLUMNS`."""
        entity, window, language, channel, media, promotion, metric = row[:7]
        experience, touchpoint, sentiment, raw, estimate, low, high, n = row[7:]
        split = [value for value in (touchpoint, sentiment) if value != ALL]
        if experience != ALL:
            split = [f"experience:{experience}"]
        place = channel if channel != ALL else ALL if media == ALL else KIND + media
        key = ":".join([metric, *split])
        numbers = (_known(number) for number in (estimate, low, high))
        cell = Cell(_known(raw), n or 0, *(_short(number, metric) for number in numbers))
        metrics = self.cells.setdefault(Slice(entity, language, place, promotion), {})
        metrics.setdefault(key, {})[window] = cell

    def cell(self, where: Slice, metric: str, window: str = ALL) -> Cell | None:
        """The number of a slice; a counted metric without a row is 0, another is None."""
        found = self.cells.get(where, {}).get(metric, {}).get(window)
        if found is None and metric.partition(":")[0] in COUNTED:
            return Cell(0.0, 0)
        return found

    def value(self, where: Slice, metric: str, window: str = ALL) -> float | None:
        """The estimate, or the raw number where there is none, or None."""
        cell = self.cell(where, metric, window)
        return None if cell is None else cell.value

    @property
    def corrected(self) -> bool:
        """Whether any number comes with an estimate."""
        return any(
            cell.estimate is not None
            for metrics in self.cells.values()
            for windows in metrics.values()
            for cell in windows.values()
        )

    def brands(self) -> list[str]:
        """The entities, most organic voices first; "all" alone without a catalogue."""
        found = {where.entity for where in self.cells if where.entity != ALL}
        order = sorted(
            found, key=lambda entity: (-(self.value(Slice(entity), "voices") or 0), entity)
        )
        return order or [ALL]

    def languages(self) -> list[str]:
        """The languages that slices are made of, most posts first."""
        return self._ranked("language")

    def places(self) -> list[str]:
        """Channels and kinds of media: each kind before its channels, most posts first."""
        ranked = self._ranked("place")
        channels = [place for place in ranked if not place.startswith(KIND)]
        order: list[str] = []
        for kind in (place for place in ranked if place.startswith(KIND)):
            inside = [name for name in channels if self.media.get(name) == kind[len(KIND) :]]
            order += [kind, *inside]
        return order + [name for name in channels if name not in order]

    def _ranked(self, part: str) -> list[str]:
        found = {getattr(where, part) for where in self.cells} - {ALL}

        def posts(value: str) -> float:
            named: Mapping[str, str] = {part: value}
            return self.value(Slice(promotion=ALL, **named), "posts") or 0

        return sorted(found, key=lambda value: (-posts(value), value))


def _distinct(counts: pa.Table, *names: str) -> list[tuple[Any, ...]]:
    rows = counts.select(names).group_by(list(names)).aggregate([])
    return list(zip(*(rows[name].to_pylist() for name in names), strict=True))


def _shown(counts: pa.Table, depth: int) -> pa.Array:
    """Which rows the page shows: of a large table, a small part."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def every(*names: str) -> Any:  # noqa: ANN401
        return _and(*(pc.equal(counts[name], ALL) for name in names))

    anywhere = every("channel", "media")
    place = pc.or_(every("channel"), every("media"))
    # Split by two things at once is more than a table of the page can say.
    simple = _and(
        pc.or_(every("experience"), every("touchpoint")),
        pc.or_(every("touchpoint"), pc.equal(counts["metric"], "bad")),
    )
    everywhere = _and(every("language"), anywhere)
    among = pc.or_(every("language"), anywhere) if depth == 2 else place
    series = _and(
        every("experience", "touchpoint", "sentiment"),
        pc.is_in(counts["metric"], value_set=pa.array(SERIES)),
    )
    lean = pc.or_(series, pc.equal(counts["promotion"], "organic"))
    whole = _and(everywhere, every("sentiment"), lean if depth == 0 else place)
    dated = whole if depth < 2 else pc.or_(whole, _and(series, among))
    when = pc.or_(every("window"), dated)
    zero = _and(
        pc.equal(counts["n"], 0),
        pc.equal(pc.fill_null(counts["raw"], 0), 0),
        pc.is_null(counts["estimate"]),
        pc.invert(every("window")),
    )
    shown = _and(place, simple, when, pc.invert(pc.fill_null(zero, False)))
    return pa.array(shown.combine_chunks() if isinstance(shown, pa.ChunkedArray) else shown)


def _and(*masks: Any) -> Any:  # noqa: ANN401 - Arrow arrays of booleans
    import pyarrow.compute as pc

    return reduce(pc.and_, masks)


def _short(value: float | None, metric: str) -> float | None:
    """As many digits as a reader can use; all that is written on the page is made from these."""
    if value is None:
        return None
    return round(value, 4 if metric in _FRACTIONS else 2 if abs(value) < 100 else 0)


def _known(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None
