"""One estimated number in many slices, and the numbers that are made of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Estimated:
    """One number in all slices of entities, each array of shape (slices,); NaN is not known.

    Attributes:
        estimate: the number.
        low, high: its bounds.
        labels: how many labels by hand it rests on.
    """

    estimate: Table
    low: Table
    high: Table
    labels: Numbers

    @staticmethod
    def within(
        estimate: Table,
        low: Table,
        high: Table,
        top: Table | float,
        *,
        labels: Numbers | None = None,
    ) -> Estimated:
        """Numbers put into [0, `top`], with `low` at most and `high` at least the estimate."""
        estimate = np.clip(estimate, 0, top)
        low, high = np.clip(low, 0, estimate), np.clip(np.maximum(high, estimate), 0, top)
        if labels is None:
            labels = np.zeros(len(estimate), np.int64)
        return Estimated(estimate, low, high, labels)

    def put(self, rows: Numbers, other: Estimated) -> None:
        """Puts the numbers of some slices in the place of its own."""
        self.estimate[rows], self.low[rows], self.high[rows] = other.estimate, other.low, other.high
        self.labels[rows] = other.labels


def find_influence(net: Estimated, voices: Table, organic: Estimated) -> Estimated:
    """Influence.

    Args:
        net: (voices + those for - those against) / 2, which is no less than 0.
        voices: all of them.
        organic: the organic ones.
    """
    known = np.maximum(organic.estimate, 1e-9)
    value = np.clip((2 * net.estimate - voices) / known, -1, 1)
    whole = (organic.high - organic.low) / 2 * np.abs(value)

    def reach(apart: Table) -> Table:
        found: Table = np.sqrt((2 * apart) ** 2 + whole**2) / known
        return found

    low = np.clip(value - reach(net.estimate - net.low), -1, value)
    high = np.clip(value + reach(net.high - net.estimate), value, 1)
    empty = organic.estimate < 0.5  # nobody's influence is not known
    scale = np.where(empty, np.nan, 100.0)
    return Estimated(scale * value, scale * low, scale * high, net.labels)


def find_share(voices: Estimated, rivals: Table) -> Estimated:
    """The share of organic voices.

    Args:
        voices: the entity's.
        rivals: those of its group together.
    """
    group = np.maximum(rivals, voices.estimate)
    others = group - voices.estimate
    known = group >= 0.5

    def share(number: Table) -> Table:
        return np.where(known, number / np.maximum(number + others, 1e-9), np.nan)

    three = share(voices.estimate), share(voices.low), share(voices.high)
    return Estimated(*three, voices.labels)


def find_concentration(sums: Mapping[str, Table], promotion: str, voices: Estimated) -> Estimated:
    """The effective number of voices.

    Args:
        sums: as `voices.count_people` gives them.
        promotion: of which posts.
        voices: who wrote them.
    """
    posts, squares = sums[f"posts:{promotion}"], sums[f"squares:{promotion}"]
    none = (voices.estimate < 0.5) | (squares <= 0)
    known = np.maximum(voices.estimate, 1e-9)
    # The mix of organic and sponsored moves it as it moves the voices, and so does an audit.
    moved = voices.estimate / np.maximum(sums[promotion], 1e-9)
    value = np.where(none, np.nan, posts**2 / np.maximum(squares, 1e-9) * moved)
    value = np.clip(value, 1, np.maximum(voices.estimate, 1))
    low, high = value * voices.low / known, value * voices.high / known
    most = np.maximum(sums["voices"], 1)
    high = np.minimum(np.maximum(high, value), np.maximum(most, value))
    return Estimated(value, np.maximum(np.minimum(low, value), 1), high, voices.labels)
