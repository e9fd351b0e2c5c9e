"""How right the tagger is on a run, from a person's labels on a random sample of it.

Shares are weighted by what each labelled unit stands for; their variance is that of a stratified
sample (Cochran, 1977, "Sampling techniques", chapter 5), and the interval Wilson's (1927) with the
number of labels that a simple random sample of that variance would have (Korn and Graubard, 1998,
"Confidence intervals for proportions with small expected number of positive counts").
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from murmure.schema import LABELS, TAGS

if TYPE_CHECKING:
    import pyarrow as pa

Floats = NDArray[np.float64]
_BORROWED = 4.0  # units

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its interval; all three None where nothing tells."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class TagAccuracy:
    """How right one tag is.

    Attributes:
        tag: which.
        labels: how many labels it rests on.
        accuracy: the share of the run's units where the tagger is right.
        found: by label, which share of the units that are so the tagger says so of (recall).
        trusted: by label, which share of the units that the tagger calls so are so (precision).
        confusion: labels by what the tagger says (first) and what the person says; counts of
            labels, without weights.
        weighted: the same as shares of the run's units, which sum to 1.
    """

    tag: str
    labels: int
    accuracy: Share
    found: dict[str, Share]
    trusted: dict[str, Share]
    confusion: dict[str, dict[str, int]]
    weighted: dict[str, dict[str, float]]


def measure(audit: pa.Table, *, level: float = 0.95) -> list[TagAccuracy]:
    """How right each tag is that anybody labelled.

    Args:
        audit: as `audit.load_audit` gives it.
        level: of the intervals.
    """
    measured = []
    for tag in TAGS:
        kept = audit.filter(audit[f"{tag}_true"].is_valid())
        if not kept.num_rows:
            continue
        names = LABELS[tag]
        said = np.array([names.index(label) for label in kept[tag].to_pylist()])
        true = np.array([names.index(label) for label in kept[f"{tag}_true"].to_pylist()])
        weights = kept["weight"].to_numpy().astype(float)
        strata = [
            f"{draw}/{stratum}"
            for draw, stratum in zip(
                kept["audited"].to_pylist(), kept["stratum"].to_pylist(), strict=True
            )
        ]
        codes = np.unique(strata, return_inverse=True)[1]
        right = said == true
        everywhere = np.ones(len(right), dtype=np.bool_)
        counts = np.zeros((len(names), len(names)), dtype=int)
        np.add.at(counts, (said, true), 1)
        shares = np.zeros((len(names), len(names)))
        np.add.at(shares, (said, true), weights / weights.sum())
        measured.append(
            TagAccuracy(
                tag=tag,
                labels=kept.num_rows,
                accuracy=share(right, everywhere, weights, codes, level=level),
                found={
                    name: share(right, true == place, weights, codes, level=level)
                    for place, name in enumerate(names)
                },
                trusted={
                    name: share(right, said == place, weights, codes, level=level)
                    for place, name in enumerate(names)
                },
                confusion=_table(names, counts.tolist()),
                weighted=_table(names, shares.tolist()),
            )
        )
    return measured


def _table(names: tuple[str, ...], rows: list[list[Number]]) -> dict[str, dict[str, Number]]:
    return {name: dict(zip(names, row, strict=True)) for name, row in zip(names, rows, strict=True)}


def share(
    hits: NDArray[np.bool_],
    among: NDArray[np.bool_],
    weights: Floats,
    strata: NDArray[np.intp],
    *,
    level: float,
) -> Share:
    """The weighted share of hits among some of the units of a stratified sample.

    Args:
        hits: whether each unit is one.
        among: whether each unit is looked at.
        weights: how many units each stands for.
        strata: a number for the stratum of each.
        level: of the interval.

    Returns:
        Nothing known where no unit is looked at.

    Example:
        >>> hits, ones = np.array([True, True, True, False]), np.ones(4)
        >>> share(hits, ones > 0, ones, np.zeros(4, int), level=0.95).value
        0.75
        >>> share(hits, ones < 0, ones, np.zeros(4, int), level=0.95).value is None
        True
    """
    total = float(weights[among].sum())
    if total <= 0:
        return Share(None, None, None)
    value = float((weights * (hits & among)).sum() / total)
    # The share is a ratio: its variance is that of the weighted residuals.
    residuals = weights * among * (hits - value) / total
    sizes = np.bincount(strata)
    means = np.bincount(strata, residuals) / np.maximum(sizes, 1)
    squares = np.bincount(strata, (residuals - means[strata]) ** 2).astype(np.float64)
    # A few right answers do not make a stratum sure: each gets some of the whole's variance.
    typical = np.bincount(strata, (weights / total) ** 2 * among) / np.maximum(sizes, 1)
    squares += _BORROWED * typical * value * (1 - value)
    variance = float((squares * sizes / np.maximum(sizes - 1 + _BORROWED, 1)).sum())
    chosen = weights[among]
    effective = float(chosen.sum() ** 2 / (chosen**2).sum())
    if variance > 0 and 0 < value < 1:
        # Never more than the labels there are: strata of one unit tell no variance.
        effective = min(value * (1 - value) / variance, 4.0 * float(among.sum()))
    low, high = wilson(value, effective, level=level)
    return Share(value, low, high)


def wilson(value: float, size: float, *, level: float) -> tuple[float, float]:
    """Wilson's interval for a share found in a sample of so many.

    Example:
        >>> [round(bound, 3) for bound in wilson(0.8, 300, level=0.95)]
        [0.751, 0.841]
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    centre = (value + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size) * (value * (1 - value) / size + z * z / (4 * size * size)) ** 0.5
    return max(centre - half, 0.0), min(centre + half, 1.0)
