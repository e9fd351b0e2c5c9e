"""Probabilities of the classes of posts, learned on the calibration sample of a model.

The model's probabilities of each tag are put together to those of all classes by a multinomial
logistic regression on their logarithms. Its weights are shared: what is learned of a label holds
in every class that has it, so that rare classes borrow from common ones; each class has a shift of
its own for the dependence between the tags. Without data it gives back the product of the tags'
own probabilities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murmure.errors import ModelError
from murmure.influence.classes import CLASS_TAGS, CLASSES, class_numbers
from murmure.schema import LABELS

Table = NDArray[np.float64]
Numbers = NDArray[np.int64]

CALIBRATION = "calibration.parquet"

#: Languages that are told apart; posts of any other language are in neither.
LANGUAGES = ("fr", "en")
#: The number of a language that is neither.
NEITHER = len(LANGUAGES)

# Log-probabilities below this are taken for it.
_FLOOR = 1e-4
# How firmly weights stay near those of the product of the tags' own probabilities.
_FIRMNESS = 8.0
# How firmly those of one language stay near those of all.
_FIRMNESS_OF_LANGUAGE = 8.0
# How many posts of all languages a language's mix leans on.
_LEANING = 5.0
_ROUNDS = 100
_SIZES = tuple(len(LABELS[tag]) for tag in CLASS_TAGS)
_STARTS = np.concatenate([[0], np.cumsum(_SIZES)])

# Which labels each class has, of shape (labels of all tags, classes).
_HAS = np.zeros((sum(_SIZES), len(CLASSES)))
for _number, _labels in enumerate(CLASSES):
    for _tag, _first, _label in zip(CLASS_TAGS, _STARTS, _labels, strict=False):
        _HAS[_first + LABELS[_tag].index(_label), _number] = 1


@dataclass(frozen=True, slots=True)
class Sample:
    """Labelled posts with what the model said of them when it had not seen them.

    Attributes:
        classes: of each post, positions in `CLASSES`.
        languages: of each post, positions in `LANGUAGES`, or `NEITHER`.
        probabilities: by tag an array (posts, labels).
        origins: where each post comes from.
    """

    classes: Numbers
    languages: Numbers
    probabilities: Mapping[str, NDArray[np.float32]]
    origins: NDArray[np.str_]

    def __len__(self) -> int:
        """Return the number of posts."""
        return len(self.classes)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Sample:
        """The posts of these rows."""
        return Sample(
            self.classes[rows],
            self.languages[rows],
            {tag: table[rows] for tag, table in self.probabilities.items()},
            self.origins[rows],
        )


def language_numbers(names: NDArray[np.object_]) -> Numbers:
    """Positions of languages in `LANGUAGES`."""
    numbers = np.full(len(names), NEITHER, np.int64)
    for place, name in enumerate(LANGUAGES):
        numbers[names == name] = place
    return numbers


def read_sample(folder: str | Path) -> Sample:
    """The calibration sample of a model: fully labelled posts that were drawn at random.

    Args:
        folder: the model's.

    Raises:
        ModelError: when the file is missing, damaged or lacks a column.

    Example:
        >>> read_sample("nowhere")
        Traceback (most recent call last):
        murmure.errors.ModelError: nowhere/calibration.parquet: missing; fetch the model again
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = Path(folder) / CALIBRATION
    columns = ["language", "origin", "draw"]
    columns += [f"{tag}_{what}" for tag in CLASS_TAGS for what in ("true", "probabilities")]
    try:
        table = pq.read_table(file, columns=columns, filters=[("draw", "=", "source")])
    except FileNotFoundError:
        raise ModelError("missing; fetch the model again", file=file) from None
    except (OSError, pa.ArrowException) as error:
        raise ModelError(f"cannot be read ({error}); fetch the model again", file=file) from None
    missing = [name for name in columns if name not in table.column_names]
    if missing:
        raise ModelError(f"lacks the column {missing[0]}; fetch the model again", file=file)
    classes = class_numbers({tag: table[f"{tag}_true"].to_pylist() for tag in CLASS_TAGS})
    sample = Sample(
        classes,
        language_numbers(table["language"].to_numpy()),
        {tag: _matrix(table[f"{tag}_probabilities"], len(LABELS[tag])) for tag in CLASS_TAGS},
        table["origin"].fill_null("").to_numpy().astype(str),
    )
    return sample.take(classes >= 0)


def _matrix(column: object, width: int) -> NDArray[np.float32]:
    flat: NDArray[np.float32] = column.combine_chunks().flatten().to_numpy()  # type: ignore[attr-defined]
    return np.asarray(flat, np.float32).reshape(-1, width)


@dataclass(frozen=True, slots=True)
class Joint:
    """The regression that gives classes' probabilities.

    Attributes:
        weights: of shape (languages and neither, labels of all tags, features).
        shifts: of shape (languages and neither, classes).
        priors: of shape (languages and neither, classes): how common each class is among the posts
            that the regression was learned on, by language; what its probabilities presuppose.
    """

    weights: Table
    shifts: Table
    priors: Table

    def __call__(
        self, probabilities: Mapping[str, NDArray[np.float32]], languages: Numbers
    ) -> NDArray[np.float32]:
        """Probabilities of the classes, of shape (posts, classes)."""
        features = _features(probabilities)
        chances = np.empty((len(languages), self.shifts.shape[1]), np.float32)
        for language in range(NEITHER + 1):
            rows = languages == language
            if rows.any():
                weights = self.weights[language].astype(np.float32)
                shifts = self.shifts[language].astype(np.float32)
                chances[rows] = _probabilities(features[rows], weights, shifts)
        return chances


def fit_joint(sample: Sample, *, apart: bool = True) -> Joint:
    """Learns the regression from a calibration sample by penalised maximum likelihood.

    It is learned on the posts of all languages together, then near that on those of each.

    Args:
        sample: labelled posts.
        apart: whether languages are told apart; where not, all have what all posts teach.
    """
    features = _features(sample.probabilities).astype(np.float64)
    start = _start(features.shape[1]), np.zeros(len(CLASSES))
    pooled = _fit(features, sample.classes, start, _FIRMNESS)
    fits, priors = [], []
    general = _normal(_probabilities(features, *pooled).sum(axis=0) + 1e-3)
    for language in range(NEITHER):
        rows = sample.languages == language
        own = pooled
        if apart:
            own = _fit(features[rows], sample.classes[rows], pooled, _FIRMNESS_OF_LANGUAGE)
        fits.append(own)
        # A language of few posts leans on all posts together.
        chances = _probabilities(features[rows], *own)
        priors.append(_normal(chances.sum(axis=0) + _LEANING * general))
    weights, shifts = zip(*fits, pooled, strict=True)
    return Joint(np.array(weights), np.array(shifts), np.array([*priors, general]))


def _fit(
    features: Table, classes: Numbers, near: tuple[Table, Table], firmness: float
) -> tuple[Table, Table]:
    """Weights and shifts, the nearer those of `near` the firmer."""
    from scipy.optimize import minimize

    if not len(classes):
        return near
    size, shape = near[0].size, near[0].shape
    centre = np.concatenate([near[0].ravel(), near[1]])
    rows = np.arange(len(classes))

    def loss(values: Table) -> tuple[float, Table]:
        chances = _probabilities(features, values[:size].reshape(shape), values[size:])
        value = -np.log(np.maximum(chances[rows, classes], 1e-300)).sum()
        chances[rows, classes] -= 1
        slope = np.concatenate([(_HAS @ (chances.T @ features)).ravel(), chances.sum(axis=0)])
        moved = values - centre
        return float(value + 0.5 * firmness * (moved**2).sum()), slope + firmness * moved

    options = {"maxiter": _ROUNDS, "ftol": 1e-7}
    found = minimize(loss, centre, jac=True, method="L-BFGS-B", options=options).x
    return found[:size].reshape(shape), found[size:]


def _start(width: int) -> Table:
    start = np.zeros((sum(_SIZES), width))
    np.fill_diagonal(start, 1.0)
    # Experience and touchpoint both say whether there is none.
    for tag in ("experience", "touchpoint"):
        none = _STARTS[CLASS_TAGS.index(tag)] + LABELS[tag].index("none")
        start[none, none] = 0.5
    return start


def _features(probabilities: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    logs = [np.log(np.clip(probabilities[tag], _FLOOR, 1)) for tag in CLASS_TAGS]
    ones = np.ones((len(logs[0]), 1), np.float32)
    return np.concatenate([*logs, ones], axis=1, dtype=np.float32)


def _probabilities(
    features: NDArray[Any], weights: NDArray[Any], shifts: NDArray[Any]
) -> NDArray[Any]:
    scores: NDArray[Any] = (features @ weights.T) @ _HAS.astype(features.dtype) + shifts
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    return scores


def _normal(values: Table) -> Table:
    total: Table = values / values.sum()
    return total
