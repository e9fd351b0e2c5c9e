"""Velocity and alerts: whether an entity's bad experiences outrun its earlier windows.

An alert is a count that the earlier windows make implausible. As in Farrington, Andrews, Beale and
Catchpole (1996), "A statistical algorithm for the early detection of outbreaks", and Noufaily et
al. (2013), "An improved algorithm for outbreak detection in multiple surveillance systems", counts
are overdispersed, what alarmed before does not raise the later limits without bound, and the limit
is a quantile of a negative binomial. Where those put estimates into that quantile, this module
averages it over all means and dispersions that the history leaves possible (posterior predictive),
since with ten earlier windows the far quantile is not known; a history whose windows resemble their
neighbours counts for less, by the effective sample size of a first-order autoregression.

The level is that of one entity and one year: of a window it is 1 - (1 - level) ** (1 / windows a
year). Gaps in the windows are windows without posts; after one as long as the history, of which
nothing is known then, everything begins anew. `benchmarks/alerts.py` measures both errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from murmure.influence.metrics import ALL, ORGANIC
from murmure.influence.windows import label_windows, number_window

if TYPE_CHECKING:
    import pyarrow as pa

#: Of one entity's alerts in one year without any change: how often there is a false one.
LEVEL = 0.05

#: How many windows a year has.
A_YEAR = {"day": 365.25, "week": 52.18, "month": 12.0}

#: Earlier windows that velocity is measured against, and the fewest that will do.
BASELINE, FEWEST_BASELINE = 8, 4

#: Earlier windows that an alert looks back on, and the fewest that will do.
HISTORY, FEWEST_HISTORY = 52, 8

#: Fewer bad experiences than this are no alert.
LEAST_ALERT = 3

# A window by itself, and with the one before: a lasting rise shows in both together.
_SPANS = (1, 2)
_PLAIN = 2.5  # standard deviations
_MEANS = 40
_DISPERSIONS = np.geomspace(1.0 + 1e-6, 16.0, 12)
# What neighbouring windows share before the history says otherwise, and for how many windows this
# counts: a short history hardly tells.
_SHARED, _SHARED_WINDOWS = 0.2, 20.0
_MOST_SHARED = 0.8

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Signal:
    """What one window's count says.

    Attributes:
        alert: whether it is beyond what the earlier windows make plausible.
        chance: how likely so many or more are without any change; 1 where that was plain.
        history: how many earlier windows it was compared with.
    """

    alert: bool
    chance: float
    history: int


def find_alerts(
    counts: Sequence[float] | Floats, *, window: str, level: float = LEVEL
) -> list[Signal | None]:
    """Looks for alerts in the counts of one entity.

    Args:
        counts: of each window in its order, 0 where there was nothing; estimates need not be
            whole numbers.
        window: `day`, `week` or `month`.
        level: how often a year without any change has an alert.

    Returns:
        For each window what it says; None where too few windows are before it.

    Example:
        >>> weeks = [5, 3, 6, 4, 5, 7, 4, 5, 6, 40]
        >>> [signal.alert for signal in find_alerts(weeks, window="week") if signal]
        [False, True]
        >>> find_alerts([400], window="week")
        [None]
    """
    chance = (1 - (1 - level) ** (1 / A_YEAR[window])) / len(_SPANS)
    values = np.maximum(np.asarray(counts, dtype=float), 0.0)
    # What alarmed goes on as the most that was plausible: one scandal does not hide the next, and
    # a lasting rise becomes the usual after a while.
    usual = values.copy()
    sums, squares = [0.0], [0.0]
    signals: list[Signal | None] = []
    for place, value in enumerate(values.tolist()):
        found = 1.0
        for span in _SPANS if place >= FEWEST_HISTORY and value >= LEAST_ALERT else ():
            last = place + 1 - span
            first = max(0, last - HISTORY)
            # What alarmed just before counts as what was plausible: it is no alert twice.
            recent = float(usual[last : place + 1].sum()) if span > 1 else value
            mean = (sums[last] - sums[first]) / (last - first)
            square = (squares[last] - squares[first]) / (last - first) - mean**2
            # Below this no dispersion that the history allows makes an alert.
            if recent <= span * mean + _PLAIN * (span * max(square, mean)) ** 0.5:
                continue
            predictive = _Predictive(usual[first:last], span)
            found = min(found, predictive.chance(recent))
            if found <= chance:
                if span == 1:
                    usual[place] = predictive.limit(chance, recent, mean)
                break
        sums.append(sums[-1] + float(usual[place]))
        squares.append(squares[-1] + float(usual[place]) ** 2)
        enough = place >= FEWEST_HISTORY
        signals.append(Signal(found <= chance, found, min(place, HISTORY)) if enough else None)
    return signals


class _Predictive:
    """What the next windows may bring together, as the history has it.

    Negative binomial counts whose variance is `dispersion * mean`, over a grid of means and
    dispersions weighed by their posterior. The prior of the mean is Jeffreys'; that of the
    dispersion falls by half for each 1.4: counts of posts are seldom much wilder.
    """

    def __init__(self, history: Floats, span: int) -> None:
        shared = _autocorrelation(history)
        worth = (1 - shared) / (1 + shared)
        mean = float(history.mean())
        half = 6 * np.sqrt((mean + 1) * 4 / (len(history) * worth))
        least = max(mean - half, mean / 20, 0.01)
        means = np.linspace(least, mean + half + 2, _MEANS)
        distinct, times = np.unique(history, return_counts=True)
        logs = worth * np.tensordot(times, _log_chances(distinct, means), axes=1)
        logs += -0.5 * np.log(means)[:, None] + np.log(_DISPERSIONS) - (_DISPERSIONS - 1) / 2
        weights = np.exp(logs - logs.max())
        self._weights = weights / weights.sum()
        # The sum of neighbours varies more than that of strangers.
        wider = _DISPERSIONS * (1 + 2 * shared * (span - 1) / span)
        self._sizes = span * means[:, None] / (wider - 1)
        self._fail = np.broadcast_to(1 - 1 / wider, self._sizes.shape)

    def chance(self, value: float) -> float:
        """How likely `value` or more are; `value` is above 0."""
        from scipy.special import betainc

        return float((self._weights * betainc(value, self._sizes, self._fail)).sum())

    def limit(self, chance: float, above: float, below: float) -> float:
        """The count that is beaten with this chance, between two counts."""
        for _ in range(20):
            middle = (above + below) / 2
            above, below = (middle, below) if self.chance(middle) <= chance else (above, middle)
        return above


def _log_chances(values: Floats, means: Floats) -> Floats:
    """Logarithms of the chance of each value under each mean and dispersion."""
    from scipy.special import gammaln

    counts = values[:, None, None]
    sizes = means[:, None] / (_DISPERSIONS - 1)
    logs: Floats = (
        gammaln(counts + sizes)
        - gammaln(sizes)
        - gammaln(counts + 1)
        - sizes * np.log(_DISPERSIONS)
        + counts * np.log(1 - 1 / _DISPERSIONS)
    )
    return logs


def _autocorrelation(history: Floats) -> float:
    """How far neighbouring windows resemble each other, from 0 to `_MOST_SHARED`."""
    roots = np.sqrt(history + 0.375)  # whose variance hardly depends on the mean (Anscombe, 1948)
    roots -= roots.mean()
    squares = float((roots**2).sum())
    count = len(history)
    shared = float((roots[1:] * roots[:-1]).sum()) / squares + 1 / count if squares > 0 else 0.0
    shared = (count * shared + _SHARED_WINDOWS * _SHARED) / (count + _SHARED_WINDOWS)
    return min(max(shared, 0.0), _MOST_SHARED)


def find_velocity(counts: Sequence[float] | Floats) -> list[float | None]:
    """How many times the mean of the earlier windows each window has.

    Returns:
        None where fewer than `FEWEST_BASELINE` windows are before, or all those had nothing.

    Example:
        >>> find_velocity([10, 10, 10, 10, 20])
        [None, None, None, None, 2.0]
    """
    values = np.asarray(counts, dtype=float)
    found: list[float | None] = []
    for place, value in enumerate(values):
        before = values[max(0, place - BASELINE) : place]
        mean = float(before.mean()) if len(before) >= FEWEST_BASELINE else 0.0
        found.append(float(value) / mean if mean > 0 else None)
    return found


def ratio_interval(
    above: tuple[float, float, float], below: tuple[float, float, float]
) -> tuple[float, float | None]:
    """The interval of a ratio from the intervals of both numbers.

    Method of variance estimates recovery: Donner and Zou (2012), "Closed-form confidence intervals
    for functions of the normal mean and standard deviation".

    Args:
        above: a number that is not negative, and the ends of its interval.
        below: the same of what it is divided by.

    Returns:
        The ends; the upper is None where there is no saying how large the ratio may be.

    Example:
        >>> low, high = ratio_interval((20, 15, 25), (10, 9, 11))
        >>> round(low, 2), round(high, 2)
        (1.48, 2.56)
        >>> ratio_interval((20, 15, 25), (1, 0, 3))
        (0.0, None)
    """
    top, top_low, top_high = above
    base, base_low, base_high = below
    product = top * base
    low, high = 0.0, None
    if base_high < 2 * base:
        root = product**2 - top_low * base_high * (2 * top - top_low) * (2 * base - base_high)
        low = (product - max(root, 0.0) ** 0.5) / (base_high * (2 * base - base_high))
    if base_low > 0:
        root = product**2 - top_high * base_low * (2 * top - top_high) * (2 * base - base_low)
        high = (product + max(root, 0.0) ** 0.5) / (base_low * (2 * base - base_low))
    return max(low, 0.0), high


def add_alerts(counts: pa.Table, *, window: str, level: float = LEVEL) -> pa.Table:
    """Adds the rows `velocity` and `alert` to a counts table, after all others.

    Both are about the organic bad experiences of each entity in every language, channel and medium,
    and so made from the rows `bad` of the table: `raw` from `raw`, `estimate` from `estimate`. `n`
    is the number of earlier windows that were compared. What is not known is null.

    Args:
        counts: with the columns of `tables.counts_schema()`.
        window: what its windows are: `day`, `week` or `month`.
        level: how often a year of an entity without any change has an alert.
    """
    import pyarrow as pa

    series = _series(counts)
    windows = sorted({name for rows in series.values() for name in rows})
    if not windows:
        return counts
    stretches = _stretches(windows, window)
    rows = [
        row
        for entity, of_entity in series.items()
        for order in stretches
        for row in _rows(entity, of_entity, order, window=window, level=level)
    ]
    schema = counts.schema
    columns = []
    for field in schema:
        values = [row.get(field.name, ALL) for row in rows]
        if pa.types.is_dictionary(field.type):
            columns.append(pa.array(values, pa.string()).dictionary_encode().cast(field.type))
        else:
            columns.append(pa.array(values, field.type))
    # Each part has dictionaries of its own, which grouping would stumble over.
    return pa.concat_tables([counts, pa.table(columns, schema=schema)]).unify_dictionaries()


_Numbers = tuple[float | None, float | None, float | None, float | None, int]


def _series(counts: pa.Table) -> dict[str, dict[str, _Numbers]]:
    """The numbers of `bad` and its labels by hand, by entity and window, in the table's order."""
    import pyarrow.compute as pc

    wanted = pc.equal(counts["metric"], "bad")
    for name in ("language", "channel", "media", "experience", "touchpoint", "sentiment"):
        wanted = pc.and_(wanted, pc.equal(counts[name], ALL))
    wanted = pc.and_(wanted, pc.equal(counts["promotion"], ORGANIC))
    found: dict[str, dict[str, _Numbers]] = {}
    for row in counts.filter(wanted).to_pylist():
        if row["window"][:1].isdigit():  # neither "all" nor "unknown"
            numbers = (row["raw"], row["estimate"], row["low"], row["high"], row["labels"])
            found.setdefault(row["entity"], {})[row["window"]] = numbers
    return found


def _stretches(windows: Sequence[str], window: str) -> list[list[str]]:
    """The calendar over some windows, cut at each gap as long as the history.

    One post with a time long before all others would otherwise make a history of nothing, beside
    which the first windows of every entity are alerts.
    """
    numbers = np.array([number_window(name, window) for name in windows])
    parts = np.split(numbers, np.flatnonzero(np.diff(numbers) > HISTORY) + 1)
    return [label_windows(np.arange(part[0], part[-1] + 1), window) for part in parts]


def _rows(
    entity: str,
    numbers: dict[str, _Numbers],
    order: Sequence[str],
    *,
    window: str,
    level: float,
) -> Iterator[dict[str, object]]:
    nothing: _Numbers = (0.0, None, None, None, 0)
    filled = [numbers.get(name, nothing) for name in order]
    raw = np.array([one[0] or 0.0 for one in filled])
    told = list(numbers.values())  # of all stretches
    estimated = bool(told) and all(None not in one for one in told)
    estimate = np.array([one[1] or 0.0 for one in filled])
    velocity, alerts = find_velocity(raw), find_alerts(raw, window=window, level=level)
    corrected = find_velocity(estimate) if estimated else [None] * len(order)
    warned = find_alerts(estimate, window=window, level=level) if estimated else [None] * len(order)
    for place, name in enumerate(order):
        if name not in numbers:
            continue
        low, high = None, None
        if corrected[place] is not None:
            low, high = _velocity_interval(filled, place)
        base: dict[str, object] = {"entity": entity, "window": name, "promotion": ORGANIC}
        base["labels"] = numbers[name][4]
        yield base | {
            "metric": "velocity",
            "raw": velocity[place],
            "estimate": corrected[place],
            "low": low,
            "high": high,
            "n": min(place, BASELINE),
        }
        yield base | {
            "metric": "alert",
            "raw": _flag(alerts[place]),
            "estimate": _flag(warned[place]),
            "low": None,
            "high": None,
            "n": min(place, HISTORY),
        }


def _flag(signal: Signal | None) -> float | None:
    return None if signal is None else float(signal.alert)


def _velocity_interval(filled: Sequence[_Numbers], place: int) -> tuple[float, float | None]:
    """From the intervals of the windows' estimates, taken as independent."""
    before = np.array(
        [
            [one[1] or 0.0, one[2] or 0.0, one[3] or 0.0]
            for one in filled[max(0, place - BASELINE) : place]
        ]
    )
    mean = float(before[:, 0].mean())
    under = float(np.sqrt(((before[:, 0] - before[:, 1]) ** 2).sum())) / len(before)
    over = float(np.sqrt(((before[:, 2] - before[:, 0]) ** 2).sum())) / len(before)
    _, value, low, high, _ = filled[place]
    return ratio_interval(
        (value or 0.0, low or 0.0, high or 0.0), (mean, mean - under, mean + over)
    )
