"""Stratified random samples: where strata are cut, and how many units each gives.

Strata are cut by predicted uncertainty at equal steps of the cumulated root of its density
(Dalenius and Hodges, 1959, "Minimum variance stratification") and share the sample in proportion
to their size times their predicted standard deviation (Neyman, 1934, "On the two different aspects
of the representative method"; Cochran, 1977, "Sampling techniques", chapter 5).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: The least that a stratum gives: with one unit it would tell no variance.
LEAST = 2

_LEVELS = 5  # of uncertainty
_BINS = 200

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def cut_strata(uncertain: Floats, cells: NDArray[np.str_]) -> NDArray[np.str_]:
    """The cells cut by uncertainty, 1 the surest."""
    density, edges = np.histogram(uncertain, bins=_BINS)
    root = np.cumsum(np.sqrt(density))
    steps = root[-1] * np.arange(1, _LEVELS) / _LEVELS
    cuts = edges[1:][np.searchsorted(root, steps)]
    level = np.searchsorted(cuts, uncertain, side="right") + 1
    named = np.char.add("uncertainty ", level.astype(str))
    joined: NDArray[np.str_] = np.where(
        cells == "", named, np.char.add(np.char.add(cells, "/"), named)
    )
    return joined


def allocate(sizes: Integers, deviations: Floats, size: int) -> Integers:
    """Shares a sample among strata (Neyman): by size times standard deviation, at least two each.

    Args:
        sizes: units of each stratum.
        deviations: standard deviation of each.
        size: of the sample.

    Returns:
        How many units to draw of each: no more than it has, `size` in all where there are so many.

    Example:
        >>> allocate(np.array([900, 100]), np.array([0.1, 0.5]), 100).tolist()
        [64, 36]
    """
    size = min(size, int(sizes.sum()))
    drawn = np.minimum(sizes, LEAST)
    if drawn.sum() > size:
        drawn = np.zeros_like(sizes)
    wish = sizes * np.maximum(deviations, 1e-3)
    # What a stratum cannot take goes to the others: at most one round for each stratum.
    taken = np.zeros(len(sizes), dtype=bool)
    share = np.zeros(len(sizes))
    for _ in range(len(sizes)):
        left = size - share[taken].sum()
        share[~taken] = wish[~taken] / wish[~taken].sum() * left
        least, most = share < drawn, share > sizes
        fixed = (most | least) & ~taken
        if not fixed.any():
            break
        share[fixed] = np.where(most, sizes, drawn)[fixed]
        taken |= fixed
        if taken.all():
            break
    counts = np.minimum(np.floor(share + 1e-9).astype(np.int64), sizes)
    order = np.argsort(counts - share, kind="stable")
    while counts.sum() != size:
        short = counts.sum() < size
        for place in order if short else order[::-1]:
            if counts.sum() == size:
                break
            if short and counts[place] < sizes[place]:
                counts[place] += 1
            elif not short and counts[place] > drawn[place]:
                counts[place] -= 1
    allocated: Integers = counts
    return allocated


def choose_units(
    generator: np.random.Generator, codes: Integers, uncertain: Floats, size: int
) -> tuple[Integers, Floats]:
    """Units in random order, and how many each stands for."""
    sizes = np.bincount(codes)
    means = np.bincount(codes, weights=uncertain) / sizes
    counts = allocate(sizes, np.sqrt(means), size)
    chosen = [
        generator.choice(np.flatnonzero(codes == stratum), size=count, replace=False)
        for stratum, count in enumerate(counts)
    ]
    units = generator.permutation(np.concatenate(chosen))
    return units, (sizes / np.maximum(counts, 1))[codes[units]]
