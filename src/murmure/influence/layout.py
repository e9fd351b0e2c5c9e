"""Slices of one entity: which there are, which posts each holds, and what it is part of."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murmure.influence.material import Material
from murmure.influence.posteriors import LANGUAGES, NEITHER

Numbers = NDArray[np.signedinteger[Any]]


@dataclass(frozen=True, slots=True)
class Layout:
    """The slices of an entity. Each has a row; those of one language come first.

    A place is a channel, a kind of media or, 0, everything.

    Attributes:
        material: of all entities.
        entity: which of them.
        by: the columns that counts are split by.
        rows: of shape (languages, windows, places): the row of each slice, -1 where there is none;
            language 0 is all languages.
        alone: how many rows are of one language.
        languages: of the rows of one language, positions in `posteriors.LANGUAGES`, or `NEITHER`.
        parents: of the rows of one language, each one's parent.
        whole: of the rows of one language, the row of the same slice in all languages.
    """

    material: Material
    entity: int
    by: frozenset[str]
    rows: Numbers
    alone: int
    languages: Numbers
    parents: Numbers
    whole: Numbers

    @property
    def count(self) -> int:
        """How many rows there are."""
        return int(self.rows.max(initial=-1)) + 1

    def cuts(self) -> Iterator[tuple[Numbers, Numbers]]:
        """For each way to cut by window and place, the window and place of each of the posts."""
        here = self.material.rows(self.entity)
        win, zero = self.material.win[here], np.zeros(here.stop - here.start, np.int64)
        for place in _places(self.material, here, self.by):
            yield zero, place
            yield win, place

    def row(self, language: Numbers, win: Numbers, place: Numbers) -> Numbers:
        """The rows of slices."""
        found: Numbers = self.rows[language, win, place]
        return found


def make_layout(material: Material, entity: int, by: Collection[str]) -> Layout:
    """Finds the slices of an entity.

    Args:
        material: of all entities.
        entity: its position.
        by: the columns that counts are split by.
    """
    here = material.rows(entity)
    channels, kinds = len(material.labels["channel"]), len(material.labels["media"])
    shape = (len(material.labels["language"]), len(material.labels["win"]), channels + kinds)
    there = np.zeros(shape, np.bool_)
    language = material.language[here]
    for place in _places(material, here, by):
        for win in (np.zeros(len(language), np.int64), material.win[here]):
            there[language, win, place] = True
    there[0] = there.any(axis=0)
    rows = np.full(shape, -1, np.int64)
    spoken, win, place = np.nonzero(there[1:])
    alone = len(spoken)
    rows[spoken + 1, win, place] = np.arange(alone)
    rows[0][there[0]] = alone + np.arange(int(there[0].sum()))
    known = {name: number for number, name in enumerate(LANGUAGES)}
    names = material.labels["language"][1:]
    numbers = np.array([known.get(name, NEITHER) for name in names], np.int64)
    above = np.where(place > 0, win, 0)
    return Layout(
        material,
        entity,
        frozenset(by),
        rows,
        alone,
        numbers[spoken],
        rows[spoken + 1, above, 0],
        rows[0, win, place],
    )


def place_of(material: Material, channel: Numbers, media: Numbers) -> Numbers:
    """The place of a row of counts, from the labels of its channel and kind of media."""
    kind = len(material.labels["channel"]) + media
    place: Numbers = np.where(channel > 0, channel, np.where(media > 0, kind, 0))
    return place


def originals(layout: Layout) -> NDArray[np.bool_]:
    """Which of the entity's posts are no echoes."""
    kept: NDArray[np.bool_] = ~layout.material.echo[layout.material.rows(layout.entity)]
    return kept


def histograms(layout: Layout, cells: int, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How many of the chosen posts are in each cell, in the slices of one language.

    Args:
        layout: the slices.
        cells: how many cells there are.
        chosen: which of the entity's posts.
    """
    material, here = layout.material, layout.material.rows(layout.entity)
    cell, spoken = material.cell[here][chosen].astype(np.int64), material.language[here][chosen]
    counts = np.zeros(layout.alone * cells)
    if len(cell):
        for win, place in layout.cuts():
            row = layout.row(spoken, win[chosen], place[chosen])
            counts += np.bincount(row * cells + cell, minlength=len(counts))
    return counts.reshape(layout.alone, cells)


def add_languages(layout: Layout, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of slices of one language, with those of all languages, their sums, after them."""
    found = np.zeros((layout.count, *values.shape[1:]))
    found[: layout.alone] = values
    np.add.at(found, layout.whole, values)
    return found


def kinds(layout: Layout) -> list[tuple[int, Numbers]]:
    """Rows by the language whose errors they have; those of several languages have all posts'."""
    languages = np.full(layout.count, -1, np.int64)
    languages[: layout.alone] = layout.languages
    low = np.full(layout.count, NEITHER, np.int64)
    high = np.zeros(layout.count, np.int64)
    np.minimum.at(low, layout.whole, layout.languages)
    np.maximum.at(high, layout.whole, layout.languages)
    whole = np.arange(layout.count) >= layout.alone
    languages[whole] = np.where(low == high, low, NEITHER)[whole]
    return [(n, np.flatnonzero(languages == n)) for n in range(NEITHER + 1)]


def _places(material: Material, here: slice, by: Collection[str]) -> Iterator[Numbers]:
    yield np.zeros(here.stop - here.start, np.int64)
    if "channel" in by:
        yield material.channel[here]
    if "media" in by:
        yield material.media[here] + np.int32(len(material.labels["channel"]))
