"""Whether posts look like a mix of the calibration sample's classes at all.

Adapting prevalences presupposes that each class of posts looks as it does in the calibration
sample, and only the mix is another. Posts of another genre need not: then adaptation explains their
strange looks by a strange mix, and is further from the truth than what the model says by itself.
Pearson's statistic tells: of posts that are some mix, as many are of each kind as the mix makes one
expect.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from murmure.influence.cells import Cells

Table = NDArray[np.float64]
Numbers = NDArray[np.int64]

# About as many prevalences are chosen to make a mix fit.
_CHOSEN = 15
# Kinds with fewer posts to be expected say nothing.
_FEWEST_EXPECTED = 1.0
# With fewer kinds to compare than this, nothing speaks against a mix.
_FEWEST_KINDS = 30
# Posts that are a mix lie up to this much further from it than chance alone takes them, since the
# kinds' shares are themselves found from few posts; plus three deviations of the statistic.
_USUAL = 1.5
_DEVIATIONS = 3.0
# How fast trust is lost beyond.
_PATIENCE = 0.25


def misfit(
    cells: Cells, histograms: Table, languages: Numbers, tables: Table
) -> tuple[Table, Table]:
    """Pearson's statistic of slices against the mix that was found of each.

    Args:
        cells: of the model.
        histograms: over kinds, of shape (slices, kinds).
        languages: of each slice.
        tables: of shape (slices, classes): posts found in each class.

    Returns:
        The statistic and its degrees of freedom, of shape (slices,).
    """
    statistic, freedom = np.zeros(len(histograms)), np.zeros(len(histograms))
    for language in np.unique(languages):
        rows = languages == language
        spread = cells.ratios[language] * cells.shares[language][:, None]
        spread /= spread.sum(axis=0)
        expected = tables[rows] @ spread.T
        known = max(float(cells.labelled[language].sum()), 1.0)
        total = histograms[rows].sum(axis=1, keepdims=True)
        # The expected share of a kind is itself off by as much as its calibration posts are few.
        variance = expected * (1 + total / known)
        told = expected >= _FEWEST_EXPECTED
        off = np.where(told, (histograms[rows] - expected) ** 2 / np.maximum(variance, 1e-9), 0)
        statistic[rows] = off.sum(axis=1)
        freedom[rows] = np.maximum(told.sum(axis=1) - _CHOSEN, 0)
    return statistic, freedom


def trust(statistic: Table, freedom: Table) -> Table:
    """How far adaptation is to be trusted, from 0 to 1.

    Args:
        statistic: Pearson's.
        freedom: its degrees of freedom.

    Example:
        >>> trust(np.array([100.0, 400.0, 9.0]), np.array([100.0, 100.0, 2.0])).round(2)
        array([1.  , 0.01, 1.  ])
    """
    ratio = statistic / np.maximum(freedom, 1)
    usual = _USUAL + _DEVIATIONS * np.sqrt(2 / np.maximum(freedom, 1))
    beyond = np.maximum(ratio - usual, 0) / _PATIENCE
    return np.where(freedom < _FEWEST_KINDS, 1.0, 1 / (1 + beyond**2))
