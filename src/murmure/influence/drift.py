# ruff: noqa: S608 - every name in this SQL is murmure's own, every value is quoted
"""Drift: whether a run's scores could come from the posts that the model was calibrated on.

Corrected counts assume that the tagger errs here as it did on the calibration posts: that the
scores of posts that are truly negative, say, spread here as there, however many are negative (label
shift). If so, the scores of a run are a mixture of the spreads that the calibration posts of each
true label have. Here the mixture that fits best is looked for (expectation-maximisation, as in
Saerens, Latinne and Decaestecker, 2002, "Adjusting the outputs of a classifier to new a priori
probabilities") and what it leaves unexplained is measured: the share of posts that would have to
have other scores (total variation). So a change of prevalence alone is no drift.

How much the mixture leaves where nothing drifted, since both samples are finite, is found by
drawing both anew from it (parametric bootstrap); a run drifts where it leaves more than that and
more than `LEAST`. One origin of the fast model's calibration posts held against the others leaves
0.05 to 0.67, a random half against the other less than 0.07. Of several runs each is looked at by
itself too: one strange night does not show among many. A shift that keeps all scores' spreads
and yet changes what they mean cannot be seen from scores: only an audit shows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from murmure.influence.classes import CLASS_TAGS, CLASSES
from murmure.influence.database import chunks, connect, scan
from murmure.influence.posteriors import LANGUAGES, Sample
from murmure.influence.runs import Run
from murmure.schema import LABELS
from murmure.tagging.columns import most_probable

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: What a run must leave unexplained at least: smaller changes move no count by much.
LEAST = 0.15

#: Fewer posts of a language than this tell nothing.
FEWEST_POSTS = 200

_STEPS = 200  # of the scores, from 0 to 1
_BINS = 5  # of a label's scores
_FEWEST_IN_BIN = 30
_FEWEST_SAMPLE = 100
_ROUNDS = 100
_REDRAWN = 100
_CHUNK = 1_000_000
_SMOOTH = 0.5
_TOLD = 8  # drifts in one line

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How far one tag's scores are from the calibration's, in one language.

    Attributes:
        tag: which.
        language: which.
        posts: of the run.
        distance: the share of posts that no mixture of the calibration's labels explains.
        limit: above which this is drift.
        run: the folder of the run that was looked at by itself; empty for all runs together.
    """

    tag: str
    language: str
    posts: int
    distance: float
    limit: float
    run: str = ""

    @property
    def drifted(self) -> bool:
        """Whether an audit is due."""
        return self.distance > self.limit


def tell_drift(drifts: Sequence[Drift], *, audited: bool = False) -> str | None:
    """One line for a person on what drifted; None where nothing did.

    Args:
        drifts: as `find_drift` gives them.
        audited: whether labels by hand already changed the counts.

    Example:
        >>> calm = Drift(tag="sentiment", language="fr", posts=900, distance=0.04, limit=0.15)
        >>> tell_drift([calm]) is None
        True
    """
    told = [
        f"{drift.tag} in {drift.language} ({drift.distance:.0%} of {drift.posts:,} posts"
        f"{drift.run and ' of ' + drift.run})"
        for drift in drifts
        if drift.drifted
    ]
    if not told:
        return None
    if len(told) > _TOLD:
        told[_TOLD:] = [f"{len(told) - _TOLD:,} more"]
    due = "only what was audited is sure" if audited else "an audit is due (murmure audit sample)"
    return (
        f"the scores of {', '.join(told)} are not those of the posts that the model was "
        f"calibrated on, whatever the mix of labels: counts may be off; {due}"
    )


def find_drift(runs: Sequence[Run], sample: Sample, *, seed: int = 0) -> list[Drift]:
    """Compares the scores of runs with those of a calibration sample.

    Args:
        runs: all tagged by the model that the sample belongs to.
        sample: the model's calibration sample.
        seed: of the redrawing.

    Returns:
        One for each tag and language with enough posts on both sides, drifted or not, of all runs
        together; then of each of several runs what drifted there.
    """
    with connect(runs) as connection:
        each = [_histograms(connection, [run]) for run in runs]
    found = {key: np.sum([one[key] for one in each], axis=0) for key in each[0]}
    drifts = _find(found, sample, seed)
    if len(runs) > 1:
        for run, one in zip(runs, each, strict=True):
            alone = _find(one, sample, seed, run=str(run.folder))
            drifts += [drift for drift in alone if drift.drifted]
    return drifts


def _find(
    found: Mapping[tuple[str, str], Integers], sample: Sample, seed: int, *, run: str = ""
) -> list[Drift]:
    generator = np.random.default_rng(seed)
    drifts = []
    for number, language in enumerate(LANGUAGES):
        known = sample.take(sample.languages == number)
        if len(known) < _FEWEST_SAMPLE:
            continue
        chosen = most_probable(known.probabilities)
        for place, tag in enumerate(CLASS_TAGS):
            posts = found[tag, language]
            if posts.sum() < FEWEST_POSTS:
                continue
            true = np.array([LABELS[tag].index(labels[place]) for labels in CLASSES])
            tables = _tables(known.probabilities[tag], chosen[tag], true[known.classes], posts)
            distance, limit = _compare(*tables, generator)
            drifts.append(
                Drift(
                    tag=tag,
                    language=language,
                    posts=int(posts.sum()),
                    distance=distance,
                    limit=limit,
                    run=run,
                )
            )
    return drifts


def _histograms(
    connection: DuckDBPyConnection, runs: Sequence[Run]
) -> Mapping[tuple[str, str], Integers]:
    """Posts by tag and language, of shape (labels, steps of the score)."""
    found = {
        (tag, language): np.zeros((len(LABELS[tag]), _STEPS), np.int64)
        for tag in CLASS_TAGS
        for language in LANGUAGES
    }
    columns = ["language", *(name for tag in CLASS_TAGS for name in (tag, f"{tag}_score"))]
    for parts in chunks(runs, _CHUNK):
        table = scan(parts, columns)
        for tag in CLASS_TAGS:
            rows = connection.execute(
                f"SELECT language, {tag}, least(floor({tag}_score * {_STEPS}), {_STEPS - 1})::INT, "
                f"count(*) FROM {table} WHERE language IN ('fr', 'en') GROUP BY ALL"
            ).fetchall()
            for language, label, step, posts in rows:
                found[tag, language][LABELS[tag].index(label), step] += posts
    return found


def _tables(
    probabilities: NDArray[np.float32],
    chosen: NDArray[np.intp],
    true: NDArray[np.intp],
    posts: Integers,
) -> tuple[Integers, Integers]:
    """Calibration posts by true label and cell, and the run's posts by cell.

    A cell is a label and a range of its scores, cut such that calibration posts are in each.
    """
    score = np.take_along_axis(probabilities, chosen[:, None], axis=1)[:, 0]
    step = np.minimum((score * _STEPS).astype(np.int64), _STEPS - 1)
    known, here = [], []
    for label in range(len(posts)):
        mine = step[chosen == label]
        bins = int(np.clip(len(mine) // _FEWEST_IN_BIN, 1, _BINS))
        inner = np.unique(np.quantile(mine, np.arange(1, bins) / bins)).tolist() if bins > 1 else []
        edges = [0, *sorted({int(edge) for edge in inner} - {0}), _STEPS]
        cell = np.searchsorted(edges, np.arange(_STEPS), side="right") - 1
        here.append(np.bincount(cell, posts[label], len(edges) - 1))
        of_label = np.zeros((probabilities.shape[1], len(edges) - 1))
        np.add.at(of_label, (true[chosen == label], cell[mine]), 1)
        known.append(of_label)
    return np.concatenate(known, axis=1).astype(int), np.concatenate(here).astype(int)


def _compare(
    known: Integers, here: Integers, generator: np.random.Generator
) -> tuple[float, float]:
    """What the best mixture leaves unexplained, and the most that it would without drift."""
    sizes = known.sum(axis=1)
    known, sizes = known[sizes > 0], sizes[sizes > 0]
    spreads = _spreads(known)
    shares = _fit(spreads, here / here.sum())
    expected = shares @ spreads
    distance = _distance(expected, here)
    if distance <= LEAST:  # no drift, however little chance leaves: nothing need be redrawn
        return distance, LEAST
    posts = int(here.sum())
    left = []
    for _ in range(_REDRAWN):
        again = np.array([generator.multinomial(n, p) for n, p in zip(sizes, spreads, strict=True)])
        drawn = generator.multinomial(posts, expected)
        others = _spreads(again)
        left.append(_distance(_fit(others, drawn / posts) @ others, drawn))
    return distance, max(float(np.mean(left) + 4 * np.std(left)), LEAST)


def _spreads(counts: Integers) -> Floats:
    pooled = (counts.sum(axis=0) + 0.5) / (counts.sum() + 0.5 * counts.shape[1])
    smooth = counts + _SMOOTH * counts.shape[1] * pooled
    spreads: Floats = smooth / smooth.sum(axis=1, keepdims=True)
    return spreads


def _fit(spreads: Floats, shares: Floats) -> Floats:
    """The mixture of spreads that is likeliest to give these shares of cells."""
    mixture = np.full(len(spreads), 1 / len(spreads))
    for _ in range(_ROUNDS):
        expected = mixture @ spreads
        mixture = mixture * (spreads @ (shares / np.maximum(expected, 1e-12)))
    fitted: Floats = mixture / mixture.sum()
    return fitted


def _distance(expected: Floats, counts: Integers) -> float:
    return float(np.abs(expected - counts / counts.sum()).sum() / 2)
