"""Numbers of posts from an audit: labels by hand on a sample, and the model's word on all others.

Prediction-powered inference (Angelopoulos, Bates, Fannjiang, Jordan and Zrnic, 2023, Science 382;
its tuning after Angelopoulos, Duchi and Zrnic, 2023, "PPI++"): what the model says of all posts is
put right by how far it is off on the labelled ones. It holds whatever the model's errors are. Since
all posts are at hand and the sample is drawn from them, this is the difference estimator of survey
sampling from a finite population (Cassel, Särndal and Wretman, 1976).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.float64]
Numbers = NDArray[np.int64]

#: With fewer labels than this a slice's numbers stay as they are.
FEWEST = 30


@dataclass(frozen=True, slots=True)
class Audited:
    """Numbers of posts after an audit, each array of shape (questions,).

    Attributes:
        estimate: posts of which the answer is yes.
        low: lower bound, 0 or more.
        high: upper bound, at most the number of posts.
        tuning: how far the model's word was relied on, from 0 to 1.
        labels: how many labels there were.
    """

    estimate: Table
    low: Table
    high: Table
    tuning: Table
    labels: int


def from_sample(
    totals: Table,
    posts: int,
    told: Table,
    labels: Table,
    *,
    weights: Table | None = None,
    clusters: Numbers | None = None,
    level: float = 0.95,
    model: tuple[Table, Table] | None = None,
) -> Audited:
    """Numbers of posts from the model's posteriors and a labelled sample.

    Args:
        totals: of shape (questions,): sums of the posteriors over all posts of the slice.
        posts: how many posts there are.
        told: of shape (labels, questions): posteriors of the labelled posts.
        labels: of shape (labels, questions): 1 for yes, 0 for no.
        weights: how many posts each labelled one stands for (1 / the probability with which it
            was drawn); equal where None. They are scaled to sum to the number of posts.
        clusters: who wrote each labelled post, as a number; all different people where None.
        level: how often the intervals shall cover the truth.
        model: estimates and standard deviations of shape (questions,) that rest on the model
            alone. They are averaged with the audit's by their precision, and count for the less
            the more the audit speaks against them.

    Raises:
        ValueError: when there are fewer than two labels.

    Example:
        >>> labels = np.tile([[1.0], [0.0], [0.0], [0.0]], (25, 1))
        >>> found = from_sample(np.array([500.0]), 1000, np.full((100, 1), 0.5), labels)
        >>> round(float(found.estimate[0])), round(float(found.low[0])), round(float(found.high[0]))
        (250, 166, 334)
        >>> from_sample(np.array([500.0]), 1000, np.full((1, 1), 0.5), labels[:1])
        Traceback (most recent call last):
        ValueError: an audit needs two labels or more, not 1
    """
    from scipy.stats import t as student

    many = len(labels)
    if many < 2:
        raise ValueError(f"an audit needs two labels or more, not {many}")
    weight = np.ones(many) if weights is None else weights
    weight = np.maximum(weight * (posts / weight.sum()), 1.0)
    # A post drawn for sure adds no error.
    noise = np.sqrt(weight * (weight - 1))[:, None]
    tuning = _tuning(told, labels, noise)
    rest = labels - tuning * told
    estimate = tuning * totals + (weight[:, None] * rest).sum(axis=0) * posts / weight.sum()
    off = rest - (weight[:, None] * rest).sum(axis=0) / weight.sum()
    if clusters is not None:
        _, clusters = np.unique(clusters, return_inverse=True)
    groups = np.arange(many) if clusters is None else clusters
    sums = np.zeros((int(groups.max()) + 1, labels.shape[1]))
    np.add.at(sums, groups, noise * off)
    # One residual of 1 more than there are: rare answers may not have come up by chance.
    more = float((noise**2).mean())
    variance = ((sums**2).sum(axis=0) + more) * many / (many - 1)
    reach = float(student.ppf((1 + level) / 2, max(len(sums) - 1, 1)))
    if model is not None:
        estimate, variance = _averaged(estimate, variance, *model)
    deviation = reach * np.sqrt(variance)
    estimate = np.clip(estimate, 0, posts)
    # What was seen is there.
    least = np.minimum(labels.sum(axis=0), estimate)
    most = np.maximum(posts - (1 - labels).sum(axis=0), estimate)
    return Audited(
        estimate,
        np.clip(estimate - deviation, least, estimate),
        np.clip(estimate + deviation, estimate, most),
        tuning,
        many,
    )


def _tuning(told: Table, labels: Table, noise: Table) -> Table:
    """How much of the model's word leaves the least error, of shape (questions,)."""
    total = np.maximum((noise**2).sum(), 1e-9)
    mean_told = (noise**2 * told).sum(axis=0) / total
    mean_label = (noise**2 * labels).sum(axis=0) / total
    together = (noise**2 * (told - mean_told) * (labels - mean_label)).sum(axis=0)
    alone = (noise**2 * (told - mean_told) ** 2).sum(axis=0)
    return np.asarray(np.clip(together / np.maximum(alone, 1e-9), 0, 1))


def _averaged(
    estimate: Table, variance: Table, other: Table, deviation: Table
) -> tuple[Table, Table]:
    apart = np.maximum((estimate - other) ** 2 - variance - deviation**2, 0)
    trusted = deviation**2 + apart
    part = trusted / np.maximum(trusted + variance, 1e-12)
    return part * estimate + (1 - part) * other, part * variance
