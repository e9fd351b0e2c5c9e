"""What is compared on the bags: raw counts, ours, audited, an oracle, and quapy's methods."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.counting.protocol import Target
from murmure.influence.audited import from_sample
from murmure.influence.cells import Cells
from murmure.influence.classes import QUESTIONS, TAG_QUESTIONS
from murmure.influence.correction import Corrector, Slices
from murmure.influence.misfit import trust
from murmure.influence.posteriors import Sample

Table = NDArray[np.float64]
Numbers = NDArray[np.int64]

Z = 1.959963984540054
#: Labels of an audit.
AUDIT = 300
QUAPY = ("ACC", "PACC", "EMQ-BCTS", "KDEy-ML")


@dataclass(slots=True)
class Found:
    """Numbers of posts that a method found, one a bag, with intervals where it has them."""

    estimate: Table
    low: Table | None = None
    high: Table | None = None


class Ours:
    """The estimator that counts use, on bags by themselves: no bag has a parent to lean on."""

    def __init__(self, cells: Cells, pool: Sample) -> None:
        self.corrector = Corrector(cells)
        self.cell = cells.assign(pool.probabilities, pool.languages).astype(np.int64)

    def __call__(self, posts: Numbers, target: Target, language: int) -> tuple[Found, Table, Table]:
        """What is found, and per bag the posteriors of the target by cell, and the deviation."""
        slices = self._slices(posts, language)
        name = "own" if target.tag == "joint" else target.tag
        question = QUESTIONS[name]
        place = int(np.flatnonzero((question.member == target.member).all(axis=1))[0])
        trusted = trust(*self.corrector.fit(slices))
        answer = self.corrector.answer(question, slices, trusted=trusted)
        value = self.corrector.expected(question, slices, answer.prevalences)[:, place]
        n = slices.posts
        value = np.clip(value, 0, n)
        errors = self.corrector.errors(target.member, language)
        low, high = errors.bounds(
            value / n, n, z=Z, strength=answer.strengths, distrust=answer.distrust
        )
        # By itself a bag is a whole run, whose trust is its own.
        said = self.corrector.posteriors(question, answer.prevalences, language)[:, :, place]
        deviation = errors.deviation(value / n, n, distrust=answer.distrust) * n
        return Found(value, low * n, high * n), said, deviation

    def _slices(self, posts: Numbers, language: int) -> Slices:
        wide = len(self.corrector.cells)
        rows = np.arange(len(posts))
        flat = (rows[:, None] * wide + self.cell[posts]).ravel()
        histograms = np.bincount(flat, minlength=len(posts) * wide).reshape(len(posts), wide)
        return Slices(histograms.astype(float), np.full(len(posts), language), rows)


def audit(
    ours: Ours,
    posts: Numbers,
    truth: NDArray[np.bool_],
    found: tuple[Found, Table, Table],
    generator: np.random.Generator,
) -> Found:
    """Our estimates after an audit of `AUDIT` posts of each bag."""
    base, said, deviation = found
    many = len(posts)
    estimate, low, high = np.empty(many), np.empty(many), np.empty(many)
    for bag in range(many):
        told = said[bag][ours.cell[posts[bag]]][:, None]
        sampled = generator.choice(posts.shape[1], AUDIT, replace=False)
        after = from_sample(
            told.sum(axis=0),
            posts.shape[1],
            told[sampled],
            truth[posts[bag]][sampled, None].astype(float),
            model=(base.estimate[[bag]], np.maximum(deviation[[bag]], 1e-9)),
        )
        estimate[bag], low[bag], high[bag] = after.estimate[0], after.low[0], after.high[0]
    return Found(estimate, low, high)


def oracle_width(raw_rate: float, rest_rate: float, positives: int, size: int) -> float:
    """Width of the 95 % interval of counts put right with the true confusion matrix.

    Args:
        raw_rate: share of the label's posts that get it.
        rest_rate: share of all others that get it.
        positives: posts that have the label.
        size: posts.
    """
    apart = max(abs(raw_rate - rest_rate), 1e-6)
    noise = positives * raw_rate * (1 - raw_rate)
    noise += (size - positives) * rest_rate * (1 - rest_rate)
    return float(min(2 * Z * np.sqrt(noise) / apart, size))


@dataclass
class Quapy:
    """The four methods of quapy for one target, fitted on the calibration half."""

    calibration: Sample
    tag: str
    fitted: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Fits the methods."""
        from quapy.method.aggregative import ACC, EMQ, PACC, KDEyML
        from sklearn.base import BaseEstimator

        question = QUESTIONS["own"] if self.tag == "joint" else TAG_QUESTIONS[self.tag]
        truth = question.member[:, self.calibration.classes].argmax(axis=0)
        if self.tag == "joint":
            truth = (truth == 1).astype(int)
        probabilities = self.probabilities(self.calibration)

        class Given(BaseEstimator):  # type: ignore[misc] # what quapy takes for a classifier
            def __init__(self) -> None:
                self.classes_ = np.arange(probabilities.shape[1])

            def fit(self, *_: object) -> Given:  # it never is
                return self

            def predict_proba(self, said: Table) -> Table:
                return said

        made = {
            "ACC": ACC(Given(), fit_classifier=False, val_split=None),
            "PACC": PACC(Given(), fit_classifier=False, val_split=None),
            "EMQ-BCTS": EMQ(
                Given(), fit_classifier=False, val_split=None, calib="bcts",
                on_calib_error="backup",
            ),
            "KDEy-ML": KDEyML(Given(), fit_classifier=False, val_split=None),
        }  # fmt: skip
        for name, method in made.items():
            said = probabilities.argmax(axis=1) if name == "ACC" else probabilities
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                method.aggregation_fit(said, truth)
            if name == "EMQ-BCTS":  # what its classifier would have told it
                shares = np.bincount(truth, minlength=probabilities.shape[1]) / len(truth)
                method.train_prevalence = shares
            self.fitted[name] = method

    def probabilities(self, sample: Sample) -> Table:
        """What the model says of the tag; of the joint, the product of what it says of each."""
        tags: Mapping[str, NDArray[np.float32]] = sample.probabilities
        if self.tag == "joint":
            yes = tags["sentiment"][:, 0] * tags["experience"][:, 0] * tags["sponsored"][:, 1]
            table = np.stack([1 - yes, yes], axis=1).astype(float)
        else:
            table = tags[self.tag].astype(float)
        total: Table = table / table.sum(axis=1, keepdims=True)
        return total

    def __call__(self, said: Table, place: int) -> dict[str, float]:
        """The share of one label in a bag, by method."""
        shares = {}
        for name, method in self.fitted.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = method.aggregate(said.argmax(axis=1) if name == "ACC" else said)
            shares[name] = float(np.asarray(found)[place])
        return shares
