# ruff: noqa: S608 - every name in this SQL is murmure's own
"""The rows of a counts table: slices with the metrics that are made of their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from murmure.influence.metrics import ALL, METRICS, PROMOTIONS, Metric
from murmure.influence.numbers import SHOWN
from murmure.influence.slices import SPLITS, Slices, Split
from murmure.influence.tables import counts_schema
from murmure.schema import LABELS

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from murmure.influence.estimated import Estimated

Numbers = NDArray[np.signedinteger[Any]]
Table = NDArray[np.float64]
#: Estimates of an entity by promotion, metric, experience, touchpoint and sentiment.
Estimates = Mapping[tuple[str, str, str, str, str], "Estimated"]

#: What tells a slice, in the order of rows.
KEYS = ("entity", "win", "language", "channel", "media")
# Slices whose rows are made together.
_SLICES = 20_000
# Metrics that are not known where there are no people; others are 0 there.
_OF_NOBODY = ("influence", "concentration", "share")


@dataclass(frozen=True, slots=True)
class _Kind:
    """One of the rows that a slice may have.

    Attributes:
        split: what it is.
        metric: its definition.
        place: among `SPLITS`; None where it is the metric itself.
    """

    split: Split
    metric: Metric
    place: int | None

    @property
    def key(self) -> tuple[str, str, str, str, str]:
        """As estimates have it."""
        split = self.split
        return split.promotion, split.metric, split.experience, split.touchpoint, split.sentiment

    @property
    def codes(self) -> tuple[int, ...]:
        """Positions of the labels in the dictionaries of a counts table."""
        named = zip(_OF_KIND, self.key, strict=True)
        return tuple(_DICTIONARIES[name].index(label) for name, label in named)

    @property
    def order(self) -> tuple[int | str, ...]:
        """What rows are sorted by: promotion and metric as listed, labels as texts."""
        return (*self.codes[:2], *self.key[2:])


_OF_KIND = ("promotion", "metric", "experience", "touchpoint", "sentiment")
_DICTIONARIES: dict[str, Sequence[str]] = {
    "promotion": PROMOTIONS,
    "metric": [metric.name for metric in METRICS],
    **{tag: (ALL, *LABELS[tag]) for tag in ("experience", "touchpoint", "sentiment")},
}


def _kinds() -> tuple[_Kind, ...]:
    defined = {metric.name: metric for metric in METRICS}
    kinds = [
        _Kind(Split(promotion, metric.name, ALL, ALL, ALL), metric, None)
        for metric in METRICS
        for promotion in metric.promotions
    ]
    kinds += [_Kind(split, defined[split.metric], place) for place, split in enumerate(SPLITS)]
    return tuple(sorted(kinds, key=lambda kind: kind.order))


_KINDS = _kinds()
_CODES = np.array([kind.codes for kind in _KINDS])
#: The metrics' own rows: name and promotion.
_METRIC_ROWS = tuple((m.name, promotion) for m in METRICS for promotion in m.promotions)


def make_rows(
    connection: DuckDBPyConnection,
    slices: Slices,
    estimates: Estimates | None,
    labels: Mapping[str, Sequence[str]],
) -> Iterator[pa.Table]:
    """The rows of slices, in a fixed order.

    Args:
        connection: a DuckDB, which works the metrics out.
        slices: of some entities.
        estimates: of their numbers, by row of the layout; None where nothing is estimated.
        labels: the names of entities, windows, languages, channels and kinds of media.

    Yields:
        Tables with the columns of `tables.counts_schema()`.
    """
    for first in range(0, len(slices), _SLICES):
        yield _rows(connection, slices, slice(first, first + _SLICES), labels, estimates)


def _rows(
    connection: DuckDBPyConnection,
    slices: Slices,
    some: slice,
    labels: Mapping[str, Sequence[str]],
    estimates: Estimates | None,
) -> pa.Table:
    import pyarrow as pa

    raw, n = _metrics(connection, slices, some)
    splits, keys = slices.splits[some], slices.keys[:, some]
    posts = {name: slices.numbers[f"posts_{name}"][some] for name in PROMOTIONS}
    whole = (keys[2:] == 0).all(axis=0)
    rows = slices.row[some]
    filled = np.flatnonzero(rows >= 0)
    shape = (len(splits), len(_KINDS))
    present, values = np.zeros(shape, np.bool_), np.zeros(shape)
    resting = np.zeros(shape, np.int64)
    for place, kind in enumerate(_KINDS):
        row = kind.split.metric, kind.split.promotion
        resting[:, place] = n[row]
        if kind.place is not None:
            values[:, place] = splits[:, kind.place]
            present[:, place] = splits[:, kind.place] > 0
            if estimates is not None and (estimated := estimates.get(kind.key)) is not None:
                present[filled, place] |= estimated.estimate[rows[filled]] >= SHOWN
        else:
            values[:, place] = raw[row]
            present[:, place] = whole | (posts[kind.split.promotion] > 0)
            if kind.split.metric == "share":
                present[:, place] &= keys[0] > 0
    which, kind_of = np.nonzero(present)
    columns: dict[str, pa.Array] = {
        "raw": pa.array(values[present], from_pandas=True),
        "n": pa.array(resting[present]),
        **_estimated(rows, present, estimates),
    }
    texts: dict[str, tuple[Numbers, Sequence[str]]] = {
        "window" if name == "win" else name: (codes[which], labels[name])
        for name, codes in zip(KEYS, keys, strict=True)
    }
    for place, name in enumerate(_OF_KIND):
        texts[name] = _CODES[kind_of, place], _DICTIONARIES[name]
    schema = counts_schema()
    for name, (codes, names) in texts.items():
        index = pa.array(codes, schema.field(name).type.index_type)
        columns[name] = pa.DictionaryArray.from_arrays(index, pa.array(names, pa.string()))
    return pa.table([columns[field.name] for field in schema], schema=schema)


def _estimated(
    row: Numbers, present: NDArray[np.bool_], estimates: Estimates | None
) -> dict[str, pa.Array]:
    import pyarrow as pa

    names = ("estimate", "low", "high")
    if estimates is None:
        nothing = pa.nulls(int(present.sum()), pa.float64())
        none = pa.array(np.zeros(int(present.sum()), np.int32))
        return dict.fromkeys(names, nothing) | {"labels": none}
    there = np.flatnonzero(row >= 0)
    labels = np.zeros(present.shape, np.int32)
    for place, kind in enumerate(_KINDS):
        if (estimated := estimates.get(kind.key)) is not None:
            labels[there, place] = estimated.labels[row[there]]
    found = {"labels": pa.array(labels[present])}
    for name in names:
        table = np.full(present.shape, np.nan)
        for place, kind in enumerate(_KINDS):
            estimated = estimates.get(kind.key)
            if estimated is None:
                continue
            # A slice without posts has none that say so.
            table[:, place] = np.nan if kind.split.metric in _OF_NOBODY else 0.0
            table[there, place] = getattr(estimated, name)[row[there]]
        found[name] = pa.array(table[present], from_pandas=True)
    return found


_Found = dict[tuple[str, str], NDArray[Any]]


def _metrics(connection: DuckDBPyConnection, slices: Slices, some: slice) -> tuple[_Found, _Found]:
    """The metrics of some slices, and what each rests on, by metric and promotion."""
    import pyarrow as pa

    table = pa.table({name: values[some] for name, values in slices.numbers.items()})
    connection.register("slices", table.append_column("place", pa.array(range(table.num_rows))))
    selected = []
    defined = {metric.name: metric for metric in METRICS}
    for place, (name, promotion) in enumerate(_METRIC_ROWS):
        metric = defined[name]
        selected.append(f"({metric.raw})::DOUBLE AS raw_{place}".format(promotion=promotion))
        selected.append(f"({metric.n})::BIGINT AS n_{place}".format(promotion=promotion))
    query = f"SELECT {', '.join(selected)} FROM slices ORDER BY place"
    found = connection.execute(query).fetchnumpy()
    connection.unregister("slices")
    raw: _Found = {}
    n: _Found = {}
    for place, row in enumerate(_METRIC_ROWS):
        raw[row] = np.ma.filled(np.ma.asarray(found[f"raw_{place}"], float), np.nan)
        n[row] = np.asarray(found[f"n_{place}"], np.int64)
    return raw, n
