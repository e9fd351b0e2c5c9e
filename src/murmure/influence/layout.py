"""Slices of entities: which there are, which posts each holds, and what it is part of."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from murmure.influence.material import Material
from murmure.influence.posteriors import LANGUAGES, NEITHER

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Numbers = NDArray[np.signedinteger[Any]]

# Grids of leaves up to this size are looked up, larger ones sorted.
_LOOKED_UP = 4_000_000


@dataclass(frozen=True, slots=True)
class Cut:
    """A way to cut posts, besides by language.

    Attributes:
        win: whether by window.
        place: by "channel", by "media" or, "", by neither.
    """

    win: bool
    place: str


@dataclass(frozen=True, slots=True)
class Layout:
    """The slices of some entities. Each has a row; those of one language come first.

    A place is a channel, a kind of media or, 0, everything. A span is a window of an entity: its
    windows are numbered through. A leaf is what no cut takes apart: one language, span and channel.

    Attributes:
        material: of all entities.
        entities: which of them, neighbours in the material.
        by: the columns that counts are split by.
        rows: of shape (languages, spans, places): the row of each slice, -1 where there is none;
            language 0 is all languages.
        alone: how many rows are of one language.
        languages: of the rows of one language, positions in `posteriors.LANGUAGES`, or `NEITHER`.
        parents: of the rows of one language, each one's parent.
        whole: of the rows of one language, the row of the same slice in all languages.
        leaf: of each of the entities' posts its leaf.
        leaves: of shape (3, leaves): the language, span and channel of each leaf.
    """

    material: Material
    entities: range
    by: frozenset[str]
    rows: Numbers
    alone: int
    languages: Numbers
    parents: Numbers
    whole: Numbers
    leaf: Numbers
    leaves: Numbers

    @property
    def count(self) -> int:
        """How many rows there are."""
        return int(self.rows.max(initial=-1)) + 1

    @property
    def windows(self) -> int:
        """How many windows each entity has, "all" among them."""
        return len(self.material.labels["win"])

    @property
    def here(self) -> slice:
        """The entities' rows in the material."""
        return self.material.rows(self.entities)

    def spans(self, entity: Numbers, win: Numbers) -> Numbers:
        """The spans of windows of entities."""
        return (entity - self.entities.start) * self.windows + win

    def cuts(self) -> Iterator[Cut]:
        """All ways to cut, the whole first."""
        for place in ("", "media", "channel"):
            if not place or place in self.by:
                yield Cut(False, place)
                yield Cut(True, place)

    def leaf_rows(self, cut: Cut, *, alone: bool) -> Numbers:
        """The row that each leaf is in when posts are cut so, by language or not."""
        language, span, channel = self.leaves
        zero = np.zeros_like(span)
        place = _place(self.material, channel, cut.place)
        whole = span - span % self.windows
        return self.row(language if alone else zero, span if cut.win else whole, place)

    def row(self, language: Numbers, span: Numbers, place: Numbers) -> Numbers:
        """The rows of slices."""
        found: Numbers = self.rows[language, span, place]
        return found

    def roll(self) -> csr_matrix:
        """What adds leaves up to the rows of one language, of shape (rows, leaves)."""
        leaves = self.leaves.shape[1]
        rows = [self.leaf_rows(cut, alone=True) for cut in self.cuts()]
        return _adder(np.concatenate(rows), np.tile(np.arange(leaves), len(rows)), self.alone)

    def places(self) -> tuple[Numbers, tuple[Numbers, Numbers, Numbers]]:
        """The row of each slice, and where in `rows` it is: language, span and place."""
        language, span, place = np.nonzero(self.rows >= 0)
        return self.rows[language, span, place], (language, span, place)

    def slices(self) -> tuple[Numbers, Numbers]:
        """The row of each slice, and its position among the entities and the labels of `PLACES`."""
        row, (language, span, place) = self.places()
        entity, win = np.divmod(span, self.windows)
        channels = len(self.material.labels["channel"])
        channel = np.where(place < channels, place, 0)
        media = np.where(place < channels, 0, place - channels)
        return row, np.array([entity + self.entities.start, win, language, channel, media])


def make_layout(material: Material, entities: range, by: Collection[str]) -> Layout:
    """Finds the slices of entities.

    Args:
        material: of all entities.
        entities: some of them.
        by: the columns that counts are split by.
    """
    here = material.rows(entities)
    windows = len(material.labels["win"])
    spans = windows * len(entities)
    sizes = len(material.labels["language"]), spans, len(material.labels["channel"])
    split = "channel" in by or "media" in by
    firsts = np.diff(material.firsts[entities.start : entities.stop + 1])
    span = np.repeat(np.arange(len(entities)) * windows, firsts) + material.win[here]
    code = (material.language[here].astype(np.int64) * spans + span) * sizes[2]
    codes, leaf = _distinct(code + material.channel[here] if split else code, int(np.prod(sizes)))
    language, span, channel = np.unravel_index(codes, sizes)
    shape = (*sizes[:2], sizes[2] + len(material.labels["media"]))
    there = np.zeros(shape, np.bool_)
    whole = span - span % windows
    for name in ("", "channel", "media"):
        if not name or name in by:
            place = _place(material, channel, name)
            there[language, whole, place] = True
            there[language, span, place] = True
    there[0] = there.any(axis=0)
    rows = np.full(shape, -1, np.int32)
    spoken, spans_of, places = np.nonzero(there[1:])
    alone = len(spoken)
    rows[spoken + 1, spans_of, places] = np.arange(alone)
    rows[0][there[0]] = alone + np.arange(int(there[0].sum()))
    known = {name: number for number, name in enumerate(LANGUAGES)}
    names = material.labels["language"][1:]
    numbers = np.array([known.get(name, NEITHER) for name in names], np.int64)
    above = np.where(places > 0, spans_of, spans_of - spans_of % windows)
    return Layout(
        material,
        entities,
        frozenset(by),
        rows,
        alone,
        numbers[spoken],
        rows[spoken + 1, above, 0],
        rows[0, spans_of, places],
        leaf,
        np.array([language, span, channel]),
    )


def originals(layout: Layout) -> NDArray[np.bool_]:
    """Which of the entities' posts are no echoes."""
    kept: NDArray[np.bool_] = ~layout.material.echo[layout.here]
    return kept


def histograms(
    layout: Layout,
    cuts: Mapping[str, NDArray[np.uint8]],
    chosen: NDArray[np.bool_] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """How many of the chosen posts are in each bin, in the slices of one language.

    Args:
        layout: the slices.
        cuts: by name the bin of each cell, as `Cells.bins_of` gives them.
        chosen: which of the entities' posts; all where None.
    """
    leaf, cell = layout.leaf, layout.material.cell[layout.here]
    if chosen is not None:
        leaf, cell = leaf[chosen], cell[chosen]
    roll, leaves = layout.roll(), layout.leaves.shape[1]
    return {
        name: (roll @ _count(leaf, leaves, bins[cell], int(bins.max()) + 1)).toarray()
        for name, bins in cuts.items()
    }


def in_leaves(
    layout: Layout, kind: NDArray[Any], kinds: int, chosen: NDArray[np.bool_] | None = None
) -> csr_matrix:
    """How many of the chosen posts of each kind there are in each leaf, of shape (leaves, kinds).

    Args:
        layout: the slices.
        kind: of each of the entities' posts.
        kinds: how many there are.
        chosen: which of the entities' posts; all where None.
    """
    leaf = layout.leaf
    if chosen is not None:
        leaf, kind = leaf[chosen], kind[chosen]
    return _count(leaf, layout.leaves.shape[1], kind, kinds)


def _count(leaf: Numbers, leaves: int, kind: NDArray[Any], kinds: int) -> csr_matrix:
    from scipy.sparse import csr_matrix

    code = leaf.astype(np.int64) * kinds + kind
    if leaves * kinds <= _LOOKED_UP:
        return csr_matrix(np.bincount(code, minlength=leaves * kinds).reshape(leaves, kinds) * 1.0)
    codes, counts = np.unique(code, return_counts=True)
    at = np.divmod(codes, kinds)
    return csr_matrix((counts.astype(float), at), shape=(leaves, kinds))


def add_languages(layout: Layout, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of slices of one language, with those of all languages, their sums, after them."""
    found = np.zeros((layout.count, *values.shape[1:]))
    found[: layout.alone] = values
    if values.ndim == 1:
        found += np.bincount(layout.whole, values, minlength=layout.count)
    else:
        own = np.arange(layout.alone)
        found += _adder(layout.whole, own, layout.count) @ values
    return found


def _adder(rows: Numbers, columns: Numbers, count: int) -> csr_matrix:
    from scipy.sparse import csr_matrix

    width = int(columns.max(initial=-1)) + 1
    return csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(count, width))


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


def _place(material: Material, channel: Numbers, name: str) -> Numbers:
    if name == "channel":
        return channel
    if name == "media":
        return material.kinds[channel] + len(material.labels["channel"])
    return np.zeros_like(channel)


def _distinct(code: Numbers, size: int) -> tuple[Numbers, Numbers]:
    """The distinct codes in their order, and the place of each among them."""
    if size > _LOOKED_UP:
        codes, place = np.unique(code, return_inverse=True)
        return codes, place.astype(np.int32)
    there = np.zeros(size, np.bool_)
    there[code] = True
    codes = np.flatnonzero(there)
    lookup = np.zeros(size, np.int32)
    lookup[codes] = np.arange(len(codes), dtype=np.int32)
    return codes, lookup[code]
