"""quapy's methods, on the same probabilities and calibration posts as ours.

They are fitted for each language by itself, as whoever counts posts of one language would do: on
the base model's probabilities their errors are a sixth less so than fitted on all posts together.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.counting.protocol import JOINT, Target
from murmure.influence.classes import TAG_QUESTIONS
from murmure.influence.posteriors import Sample

Table = NDArray[np.float64]
Numbers = NDArray[np.int64]

PEERS = ("ACC", "PACC", "EMQ-BCTS", "KDEy-ML")
# Where a model is quite sure, calibration by temperature fails: no probability is below this.
_FLOOR = 1e-6


class PeersByLanguage(dict[tuple[str, int], "Peers"]):
    """The methods by tag and language, fitted when they are first asked for."""

    def __init__(self, calibration: Sample, pool: Sample) -> None:
        super().__init__()
        self._calibration, self._pool = calibration, pool

    def __missing__(self, key: tuple[str, int]) -> Peers:
        """Fit them."""
        tag, language = key
        spoken = self._calibration.take(self._calibration.languages == language)
        self[key] = Peers(spoken, self._pool, tag)
        return self[key]


@dataclass
class Peers:
    """The four methods for one tag, fitted on calibration posts, for the posts of a pool.

    Attributes:
        calibration: posts to learn from, of the language that is counted.
        pool: posts that are counted.
        tag: of which labels are counted, or "joint".
    """

    calibration: Sample
    pool: Sample
    tag: str
    _present: Numbers = field(init=False)
    _said: Table = field(init=False)
    _fitted: dict[str, Any] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Fits the methods."""
        from quapy.method.aggregative import ACC, EMQ, PACC
        from sklearn.base import BaseEstimator

        answer = self._member()[:, self.calibration.classes].argmax(axis=0)
        # A label that no calibration post has is out of their reach.
        self._present, truth = np.unique(answer, return_inverse=True)
        told, self._said = (
            _probabilities(sample, self.tag, self._present)
            for sample in (self.calibration, self.pool)
        )
        classes = np.arange(len(self._present))

        class Given(BaseEstimator):  # type: ignore[misc] # what quapy takes for a classifier
            def __init__(self) -> None:
                self.classes_ = classes

            def fit(self, *_: object) -> Given:  # it never is
                return self

            def predict_proba(self, said: Table) -> Table:
                return said

        made = {
            "ACC": ACC(Given(), fit_classifier=False, val_split=None),
            "PACC": PACC(Given(), fit_classifier=False, val_split=None),
            "EMQ-BCTS": EMQ(
                Given(), fit_classifier=False, val_split=5, calib="bcts", exact_train_prev=False
            ),
            "KDEy-ML": _kdey(Given()),
        }
        for name, method in made.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                method.aggregation_fit(told.argmax(axis=1) if name == "ACC" else told, truth)
            self._fitted[name] = method
        self._fitted["KDEy-ML"].look_up(self._said)

    def __call__(self, posts: Numbers, target: Target) -> dict[str, float]:
        """The share of a label in some posts of the pool, by method."""
        place = 1 if self.tag == "joint" else TAG_QUESTIONS[self.tag].answers.index(target.label)
        at = np.flatnonzero(self._present == place)
        if not len(at):
            return dict.fromkeys(PEERS, 0.0)
        said = self._said[posts]
        given = {"ACC": said.argmax(axis=1), "KDEy-ML": posts}
        shares = {}
        for name, method in self._fitted.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = method.aggregate(given.get(name, said))
            shares[name] = float(np.asarray(found)[at[0]])
        return shares

    def _member(self) -> NDArray[np.bool_]:
        if self.tag == "joint":
            return np.array([~JOINT.member, JOINT.member])
        return TAG_QUESTIONS[self.tag].member


def _probabilities(sample: Sample, tag: str, present: Numbers) -> Table:
    """What the model says of a tag; of the joint, the product of what it says of each."""
    tags = sample.probabilities
    if tag == "joint":
        yes = tags["sentiment"][:, 0] * tags["experience"][:, 0] * tags["sponsored"][:, 1]
        table = np.stack([1 - yes, yes], axis=1).astype(float)
    else:
        table = tags[tag].astype(float)
    table = np.maximum(table[:, present], _FLOOR)
    total: Table = table / table.sum(axis=1, keepdims=True)
    return total


def _kdey(given: object) -> Any:  # noqa: ANN401 - a class made where quapy is at hand
    """KDEy-ML that works densities out once a post of the pool, not again in each bag."""
    from quapy.method.aggregative import KDEyML

    class LookedUp(KDEyML):  # type: ignore[misc] # its aggregate() is quapy's own
        table: dict[int, Table]

        def look_up(self, said: Table) -> None:
            density = super().pdf
            self.table = {id(kde): density(kde, said, self.kernel) for kde in self.mix_densities}

        def pdf(self, kde: object, posts: Numbers, *_: object) -> Table:
            return self.table[id(kde)][posts]

    return LookedUp(given, fit_classifier=False, val_split=None)
