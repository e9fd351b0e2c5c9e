"""From a count's posts to the columns `estimate`, `low` and `high` of its rows."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from murmure.errors import ModelError
from murmure.influence.auditing import Labels
from murmure.influence.cells import Cells, make_cells
from murmure.influence.correction import Corrector
from murmure.influence.estimates import Estimated, Estimator, Key
from murmure.influence.layout import Layout, make_layout, place_of
from murmure.influence.material import Material
from murmure.influence.posteriors import Sample, read_sample
from murmure.influence.runs import Run

if TYPE_CHECKING:
    import pyarrow as pa

_LOG = logging.getLogger(__name__)
_KEY_COLUMNS = ("promotion", "metric", "experience", "touchpoint", "sentiment")

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


def correct(
    batches: Iterator[pa.Table],
    material: Material,
    cells: Cells,
    *,
    by: Collection[str],
    level: float,
    labels: Labels | None = None,
) -> Iterator[pa.Table]:
    """Adds the estimates to counted rows.

    Args:
        batches: as `slices.read_slices` gives them.
        material: the posts that they count.
        cells: of the model that tagged these.
        by: the columns that counts are split by.
        level: how often intervals shall cover the truth.
        labels: of an audit, if there was one.

    Yields:
        The same rows with the columns `estimate`, `low` and `high`, null in rows that rest on no
        label, and where a number is not known.
    """
    from scipy.special import ndtri

    estimator = Estimator(Corrector(cells), float(ndtri((1 + level) / 2)), level, labels)
    entities = _Entities(material, estimator, by)
    for rows in batches:
        yield _filled(rows, material, entities)


class _Entities:
    """The estimates of entities, one after the other; "all" comes first."""

    def __init__(self, material: Material, estimator: Estimator, by: Collection[str]) -> None:
        self._material = material
        self._estimator = estimator
        self._by = by
        self._rivals: dict[str, Layout] = {}
        self._found: tuple[int, Layout, dict[Key, Estimated]] | None = None

    def of(self, entity: int) -> tuple[Layout, dict[Key, Estimated]]:
        """The slices of an entity, and their numbers."""
        if self._found is None or self._found[0] != entity:
            if self._found is None and entity != 0:
                self.of(0)
            layout = make_layout(self._material, entity, self._by)
            rivals = None if entity == 0 else self._group(entity)
            found = self._estimator.estimate(layout, rivals=rivals)
            self._found = entity, layout, found
        return self._found[1:]

    def _group(self, entity: int) -> Layout:
        groups = self._material.groups or {}
        group = groups.get(self._material.entities[entity], "")
        if group not in self._rivals:
            names = self._material.entities
            some = [at for at, name in enumerate(names) if at and groups.get(name, "") == group]
            self._rivals[group] = make_layout(self._material.together(some), 0, self._by)
        return self._rivals[group]


def _filled(rows: pa.Table, material: Material, entities: _Entities) -> pa.Table:
    import pyarrow as pa

    texts = [_codes(rows, name, None) for name in _KEY_COLUMNS]
    places = {
        name: _codes(rows, name, material.labels[name])[0]
        for name in ("win", "language", "channel", "media")
    }
    place = place_of(material, places["channel"], places["media"])
    entity, _ = _codes(rows, "entity", material.entities)
    numbers = np.full((3, rows.num_rows), np.nan)
    shape = tuple(len(names) for _, names in texts)
    key = np.ravel_multi_index(tuple(codes for codes, _ in texts), shape)
    ends = np.flatnonzero(np.diff(entity)) + 1
    for start, end in zip([0, *ends], [*ends, rows.num_rows], strict=True):
        if start == end:
            continue
        part = slice(start, end)
        layout, found = entities.of(int(entity[start]))
        row = layout.row(places["language"][part], places["win"][part], place[part])
        order = np.argsort(key[part], kind="stable")
        kinds, firsts = np.unique(key[part][order], return_index=True)
        for kind, some in zip(kinds, np.split(order, firsts[1:]), strict=True):
            at = np.unravel_index(int(kind), shape)
            names = [labels[int(code)] for code, (_, labels) in zip(at, texts, strict=True)]
            estimated = found.get((names[0], names[1], names[2], names[3], names[4]))
            if estimated is None:
                continue
            slices, here = row[some], start + some
            values = (estimated.estimate, estimated.low, estimated.high)
            for column, value in enumerate(values):
                # A slice without posts has none that say so.
                empty = np.nan if names[1] in _OF_NOBODY else 0.0
                numbers[column, here] = (
                    np.where(slices >= 0, value[slices], empty) if len(value) else empty
                )
    for column, name in enumerate(("estimate", "low", "high")):
        array = pa.array(numbers[column], from_pandas=True)
        rows = rows.append_column(name, array)
    return rows


# Metrics that are not known where there are no people; others are 0 there.
_OF_NOBODY = ("influence", "concentration", "share")


def _codes(
    rows: pa.Table, name: str, labels: Sequence[str] | None
) -> tuple[NDArray[np.int64], list[str]]:
    """A column of texts as positions in `labels`, or in the labels that it has itself."""
    import pyarrow as pa

    column = rows[name].combine_chunks()
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    names = column.dictionary.to_pylist()
    codes = column.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    if labels is None:
        return codes, names
    place = {label: at for at, label in enumerate(labels)}
    at = np.array([place.get(label, 0) for label in names], np.int64)
    return at[codes] if len(at) else codes, list(labels)
