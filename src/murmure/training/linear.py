"""Training of the fast model's linear parts: what the model reads of posts, and its weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array, hstack, vstack

from murmure.tagging.linear import (
    LANGUAGE_SHIFT,
    LANGUAGE_SIZES,
    TEXT_SIZES,
    UNITS,
    counts_toward,
)
from murmure.tagging.ngrams import NgramHasher, Ngrams, Unit
from murmure.text import normalize_all

Floats = NDArray[np.float32]
Rows = NDArray[np.intp]

_TEXTS_AT_ONCE = 2048
_TOLERANCE = 0.05
_PASSES = 30
# A teacher's probability below this is taken for none, so that a post counts once, not twice.
_NEGLIGIBLE = 0.03


class Linear(NamedTuple):
    """A linear model: weights (features, labels) and biases (labels,)."""

    weights: Floats
    bias: Floats


def count_ngrams(texts: Sequence[str], hasher: NgramHasher) -> dict[Unit, csr_array]:
    """Count the n-grams that text tags read: per unit a matrix (texts, buckets)."""
    parts: dict[Unit, list[csr_array]] = {unit: [] for unit in UNITS}
    for ngrams in _transform(texts, hasher):
        for unit in UNITS:
            of_unit = [
                kind for kind in ngrams if kind.unit == unit and counts_toward(kind, TEXT_SIZES)
            ]
            parts[unit].append(_count(of_unit, 1 << hasher.bits))
    return {unit: vstack(matrices, format="csr") for unit, matrices in parts.items()}


def read_language(texts: Sequence[str], hasher: NgramHasher) -> csr_array:
    """Give what the language tag reads: a matrix (texts, language buckets), rows scaled."""
    parts = []
    for ngrams in _transform(texts, hasher):
        kinds = [
            kind._replace(buckets=kind.buckets >> LANGUAGE_SHIFT)
            for kind in ngrams
            if counts_toward(kind, LANGUAGE_SIZES)
        ]
        counts = _count(kinds, 1 << (hasher.bits - LANGUAGE_SHIFT))
        length = np.sqrt(np.maximum(counts.sum(axis=1), 1)).astype(np.float32)
        parts.append(_scale_rows(counts, 1 / length))
    return vstack(parts, format="csr")


def _transform(texts: Sequence[str], hasher: NgramHasher) -> Iterator[list[Ngrams]]:
    for start in range(0, len(texts), _TEXTS_AT_ONCE):
        yield list(hasher.transform(normalize_all(texts[start : start + _TEXTS_AT_ONCE])))


def _count(kinds: Sequence[Ngrams], buckets: int) -> csr_array:
    matrices = []
    for kind in kinds:
        ones = np.ones(len(kind.buckets), np.float32)
        starts = np.concatenate([np.zeros(1, np.int32), kind.row_ends])
        shape = (len(kind.row_ends), buckets)
        matrices.append(csr_array((ones, kind.buckets, starts), shape=shape))
    total = matrices[0]
    for matrix in matrices[1:]:
        total = total + matrix
    return csr_array(total)


def _scale_rows(matrix: csr_array, factors: Floats) -> csr_array:
    return csr_array(diags_array(factors, dtype=np.float32) @ matrix)


@dataclass(frozen=True)
class Vocabulary:
    """The n-grams that are known, and how telling each is.

    Attributes:
        buckets: per unit, ascending.
        frequency: per unit the inverse document frequency, 1 + ln(posts / (1 + posts with it)).
    """

    buckets: Mapping[Unit, NDArray[np.uint32]]
    frequency: Mapping[Unit, Floats]

    @classmethod
    def choose(
        cls, counts: Mapping[Unit, csr_array], rows: Rows, *, least: Mapping[str, int]
    ) -> Vocabulary:
        """Choose the n-grams that enough of some rows hold."""
        buckets, frequency = {}, {}
        for unit in UNITS:
            held = np.bincount(counts[unit][rows].indices, minlength=counts[unit].shape[1])
            known = np.flatnonzero(held >= least[unit])
            buckets[unit] = known.astype(np.uint32)
            # Stored in half precision: trained as it will be read.
            telling = np.log(len(rows) / (1 + held[known])) + 1
            frequency[unit] = telling.astype(np.float16).astype(np.float32)
        return cls(buckets, frequency)

    def read(self, counts: Mapping[Unit, csr_array]) -> csr_array:
        """Give what the model reads: each unit's n-grams weighed and scaled, side by side."""
        parts = []
        for unit in UNITS:
            known = csr_array(counts[unit][:, self.buckets[unit]])
            norm = np.sqrt(np.maximum(known @ self.frequency[unit] ** 2, 1e-12))
            weighed = known @ diags_array(self.frequency[unit])
            parts.append(_scale_rows(weighed, (1 / norm).astype(np.float32)))
        return csr_array(hstack(parts, format="csr"), dtype=np.float32)


class SoftLabels(NamedTuple):
    """Posts that a teacher spoke of.

    Attributes:
        matrix: what the model reads of each post, (posts, features).
        probabilities: what the teacher says, (posts, labels).
        weight: of each post, beside one with a label.
    """

    matrix: csr_array
    probabilities: Floats
    weight: float


def fit_labels(
    matrix: csr_array,
    labels: NDArray[np.int8],
    *,
    count: int,
    weights: Floats,
    regularization: float,
    balance: float,
    soft: SoftLabels | None = None,
) -> Linear:
    """Fit one logistic regression a label, against all others.

    Args:
        matrix: what the model reads of each post.
        labels: of each post.
        count: how many labels the tag has.
        weights: of each post.
        regularization: inverse strength.
        balance: 0 leaves labels as frequent as they are, 1 makes each weigh half.
        soft: further posts; each counts as one with the label and one without, which share its
            weight as the teacher's probability says.
    """
    from sklearn.linear_model import LogisticRegression

    columns, biases = [], []
    for label in range(count):
        hits = labels == label
        share = float(weights[hits].sum() / weights.sum())
        lift = ((1 - share) / share) ** balance
        lifted = np.where(hits, weights * lift, weights)
        even = weights.sum() / lifted.sum()
        rows, is_label, weigh = matrix, hits, lifted * even
        if soft is not None:
            said = soft.probabilities[:, label]
            yes, no = said > _NEGLIGIBLE, said < 1 - _NEGLIGIBLE
            rows = vstack([matrix, soft.matrix[yes], soft.matrix[no]], format="csr")
            is_label = np.concatenate([hits, np.ones(yes.sum(), bool), np.zeros(no.sum(), bool)])
            taught_weights = np.concatenate([said[yes] * lift, 1 - said[no]]) * soft.weight
            weigh = np.concatenate([weigh, taught_weights * even])
        fit = LogisticRegression(
            solver="liblinear",
            dual=True,
            C=regularization,
            tol=_TOLERANCE,
            max_iter=_PASSES,
            random_state=0,
        ).fit(rows, is_label.astype(int), sample_weight=weigh)
        columns.append(fit.coef_[0])
        biases.append(fit.intercept_[0])
    return Linear(np.stack(columns, axis=1).astype(np.float32), np.array(biases, np.float32))


def quantize(weights: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Store weights (rows, columns) in eight bits, with one scale a column."""
    scale = np.maximum(np.abs(weights).max(axis=0), 1e-12) / 127
    return np.round(weights / scale).astype(np.int8), scale.astype(np.float32)
