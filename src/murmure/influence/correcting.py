"""From a count's posts to the numbers of its entities: what labels say, and the estimates."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murmure.errors import ModelError
from murmure.influence.auditing import Labels
from murmure.influence.cells import Cells, make_cells
from murmure.influence.correction import Corrector
from murmure.influence.crowds import meet
from murmure.influence.estimates import Estimator
from murmure.influence.layout import Layout, make_layout
from murmure.influence.material import Material
from murmure.influence.posteriors import Sample, read_sample
from murmure.influence.rows import Estimates
from murmure.influence.runs import Run
from murmure.influence.slices import Slices, count_labels, count_organic_voices, take_slices

_LOG = logging.getLogger(__name__)

# Entities are worked out together up to about so many slices: fewer and larger arrays.
_TOGETHER = 8_000

#: Fewer labelled posts than this teach nothing of a model's errors.
FEWEST_LABELLED = 100


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the errors of the model that tagged some runs.

    Attributes:
        cells: learned from its calibration sample; None where they are not known.
        note: why not; empty where they are.
        sample: the calibration sample; None where the cells are.
    """

    cells: Cells | None
    note: str = ""
    sample: Sample | None = None


def know_errors(runs: Sequence[Run], *, model: str | None = None) -> Known:
    """Finds the model that tagged the runs, and learns its errors from its calibration sample.

    Args:
        runs: tagged by one model.
        model: its folder, where its name does not lead to it.
    """
    from murmure.tagging.folder import ModelFolder

    name = runs[0].model if model is None else model
    remedy = "numbers are as the labels say; give the model's folder with --model"
    try:
        folder = ModelFolder.open(name)
        if folder.fingerprint != runs[0].fingerprint:
            message = f"'{name}' is not the model that tagged the posts"
            return _unknown(f"{message}; {remedy}")
        cells, sample = _learn(folder.path, folder.fingerprint)
    except ModelError as error:
        return _unknown(f"{error}; {remedy}")
    if cells is None:
        message = f"'{name}' has a calibration sample of {len(sample)} labelled posts"
        return _unknown(f"{message}, which is too few to correct numbers")
    return Known(cells, sample=sample)


@lru_cache(maxsize=2)
def _learn(folder: Path, _fingerprint: str) -> tuple[Cells | None, Sample]:
    """The cells of a model, kept for the next count; None with too few labelled posts."""
    sample = read_sample(folder)
    return (make_cells(sample) if len(sample) >= FEWEST_LABELLED else None), sample


def _unknown(note: str) -> Known:
    _LOG.warning("no estimates: %s", note)
    return Known(None, note)


class Entities:
    """What is counted and estimated of entities.

    Args:
        material: the posts that are counted.
        by: the columns that counts are split by.
        cells: of the model that tagged them; None where nothing is estimated.
        level: how often intervals shall cover the truth.
        labels: of an audit, if there was one.
    """

    def __init__(
        self,
        material: Material,
        by: Collection[str],
        *,
        cells: Cells | None,
        level: float,
        labels: Labels | None = None,
    ) -> None:
        from scipy.special import ndtri

        self._material = material
        self._by = by
        self._channels = len(material.labels["channel"])
        self._rivals: dict[str, Rivals] = {}
        self._lock = Lock()
        self._estimator: Estimator | None = None
        if cells is not None:
            z = float(ndtri((1 + level) / 2))
            self._estimator = Estimator(Corrector(cells), z, level, labels)

    @property
    def labels_used(self) -> int:
        """How many labels of the audit changed a number of what was counted so far."""
        return 0 if self._estimator is None else len(self._estimator.used)

    @property
    def labels_used_whole(self) -> int:
        """How many of these are of posts as wholes, and changed numbers of "all"."""
        if self._estimator is None or self._estimator.labels is None:
            return 0
        entity = self._estimator.labels.entity
        return sum(int(entity[label]) == 0 for label in self._estimator.used)

    def together(self) -> Iterator[range]:
        """Entities whose slices are worked out at once: "all" by itself, then a few thousand."""
        yield range(1)
        labels, posts = self._material.labels, np.diff(self._material.firsts)
        grid = len(labels["win"]) * (len(labels["channel"]) + len(labels["media"])) * 3
        first, slices = 1, 0
        for entity in range(1, len(posts)):
            more = min(grid, 6 * int(posts[entity]))
            if slices and slices + more > _TOGETHER:
                yield range(first, entity)
                first, slices = entity, 0
            slices += more
        if first < len(posts):
            yield range(first, len(posts))

    def count(self, entities: range) -> tuple[Slices, Estimates | None]:
        """The slices of entities, and the estimates of their numbers; "all" before any other.

        Several threads may ask at once.
        """
        layout = make_layout(self._material, entities, self._by)
        people = meet(layout)
        numbers, splits = count_labels(people)
        slices = take_slices(
            *layout.slices(),
            numbers,
            splits,
            entities=entities,
            by=self._by,
            kinds=self._material.kinds,
            windows=layout.windows,
        )
        slices.numbers["group_voices"] = self._group_voices(slices)
        if self._estimator is None:
            return slices, None
        rivals = None if entities.start == 0 else self._estimated_rivals(layout)
        return slices, self._estimator.estimate(people, rivals=rivals, splits=splits)

    def _group_voices(self, slices: Slices) -> NDArray[np.int64]:
        """The organic voices of the group of each slice's entity, those without posts too."""
        found = np.zeros(len(slices), np.int64)
        entity, win, language, channel, media = slices.keys
        place = np.where(channel > 0, channel, np.where(media > 0, self._channels + media, 0))
        for number in np.unique(entity[entity > 0]):
            rivals = self._group(int(number))
            some = np.flatnonzero(entity == number)
            row = rivals.rows[language[some], win[some], place[some]]
            found[some] = np.where(row >= 0, np.append(rivals.voices, 0)[row], 0)
        return found

    def _estimated_rivals(self, layout: Layout) -> NDArray[np.float64]:
        """The same as estimated, of each row of a layout."""
        found = np.zeros(layout.count)
        row, (language, span, place) = layout.places()
        entity, win = np.divmod(span, layout.windows)
        for number in np.unique(entity):
            rivals = self._group(layout.entities[int(number)])
            if rivals.estimated is not None:
                some = entity == number
                theirs = rivals.rows[language[some], win[some], place[some]]
                found[row[some]] = rivals.estimated[theirs]
        return found

    def _group(self, entity: int) -> Rivals:
        group = self._material.group(entity)
        with self._lock:
            if group not in self._rivals:
                together = self._material.together(self._material.of_group(group))
                people = meet(make_layout(together, range(1), self._by))
                voices = count_organic_voices(people)
                estimator = self._estimator
                estimated = None if estimator is None else estimator.organic_voices(people)
                self._rivals[group] = Rivals(people.layout.rows, voices, estimated)
            return self._rivals[group]


@dataclass(frozen=True, slots=True)
class Rivals:
    """The organic voices of all entities of a group together.

    Attributes:
        rows: as a layout has them.
        voices: of each row, by label.
        estimated: the same as the model's errors allow for; None where nothing is estimated.
    """

    rows: NDArray[np.signedinteger[Any]]
    voices: NDArray[np.int64]
    estimated: NDArray[np.float64] | None
