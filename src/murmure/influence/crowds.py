"""Crowds: who wrote several posts in a slice. All others are added up by the post.

Most people write once in a slice, and then whatever is said of a person is said of the post. So
sums over people are sums over posts, put right for the few who wrote more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murmure.influence.layout import Cut, Layout

Numbers = NDArray[np.signedinteger[Any]]


@dataclass(frozen=True, slots=True)
class Crowd:
    """Those who wrote several posts in a slice, of the slices of one cut.

    Attributes:
        cut: which.
        posts: theirs, places among the posts that are looked at (of people, those that speak);
            those of one person and slice together.
        starts: where each person's begin.
        rows: the slice of each person.
    """

    cut: Cut
    posts: Numbers
    starts: Numbers
    rows: Numbers


@dataclass(frozen=True, slots=True)
class People:
    """The people of entities.

    Attributes:
        layout: the entities' slices.
        speaks: of the entities' posts those that tell their author and copy no other.
        crowds: of all cuts, with all languages together and each alone.
    """

    layout: Layout
    speaks: Numbers
    crowds: tuple[Crowd, ...]

    @property
    def speaking(self) -> NDArray[np.bool_]:
        """Whether each of the entities' posts is one of a voice."""
        flags = np.zeros(len(self.layout.leaf), np.bool_)
        flags[self.speaks] = True
        return flags

    def pairs(self) -> NDArray[np.float64]:
        """Of each slice, for each post how many others its author wrote there, added up."""
        return _pairs(self.layout, self.crowds)

    def own(self, crowd: Crowd) -> Numbers:
        """Of each post of a crowd the slice of one language that it is in."""
        rows = self.layout.leaf_rows(crowd.cut, alone=True)
        found: Numbers = rows[self.layout.leaf[self.speaks[crowd.posts]]]
        return found


def meet(layout: Layout) -> People:
    """Finds the people of entities, cut by cut.

    Args:
        layout: its slices.
    """
    author, echo = layout.material.author[layout.here], layout.material.echo[layout.here]
    speaks = np.flatnonzero((author > 0) & ~echo).astype(np.int32)
    return People(layout, speaks, tuple(_crowds(layout, speaks, author[speaks])))


def copy_pairs(layout: Layout, chosen: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """Of each slice, for each post how many others of its family are there, added up.

    Args:
        layout: its slices.
        chosen: which of the entities' posts; all where None.
    """
    family = layout.material.family[layout.here]
    posts = np.flatnonzero(family if chosen is None else (family > 0) & chosen).astype(np.int32)
    if not len(posts):
        return np.zeros(layout.count)
    posts = posts[np.argsort(family[posts], kind="stable")]
    return _pairs(layout, _crowds(layout, posts, family[posts]))


def _pairs(layout: Layout, crowds: Iterable[Crowd]) -> NDArray[np.float64]:
    found = np.zeros(layout.count)
    for crowd in crowds:
        posts = np.diff(np.append(crowd.starts, len(crowd.posts)))
        found += np.bincount(crowd.rows, posts * (posts - 1.0), minlength=len(found))
    return found


def _crowds(layout: Layout, chosen: Numbers, who: Numbers) -> Iterator[Crowd]:
    """The crowds of all cuts, with all languages together and each alone.

    Args:
        layout: its slices.
        chosen: which of the entities' posts, in the order of `who`.
        who: of each its author, or whatever else several posts have in common.
    """
    leaf = layout.leaf[chosen]
    several: dict[tuple[Cut, bool], Numbers] = {}
    for cut in layout.cuts():
        for alone in (False, True):
            # Who writes once in a wider slice writes once here.
            wider = [
                posts
                for (other, of_language), posts in several.items()
                if of_language <= alone and other.win <= cut.win and other.place in {"", cut.place}
            ]
            posts = min(wider, key=len, default=np.arange(len(chosen), dtype=np.int32))
            rows = layout.leaf_rows(cut, alone=alone)
            crowd = _crowd(cut, posts, who, rows[leaf[posts]])
            # In the order of the authors again.
            several[cut, alone] = np.sort(crowd.posts)
            if len(crowd.posts):
                yield crowd


def _crowd(cut: Cut, posts: Numbers, who: Numbers, row: Numbers) -> Crowd:
    if len(row) and (least := row.min()) != (most := row.max()):
        # Two bytes are sorted by counting, which is several times faster.
        narrow = row if most - least >= 2**16 else (row - least).astype(np.uint16)
        order = np.argsort(narrow, kind="stable")
        posts, row = posts[order], row[order]
    who = who[posts]
    first = np.ones(len(posts) + 1, np.bool_)
    first[1:-1] = (who[1:] != who[:-1]) | (row[1:] != row[:-1])
    kept = ~(first[1:] & first[:-1])
    posts, row, first = posts[kept], row[kept], first[:-1][kept]
    starts = np.flatnonzero(first).astype(np.int32)
    return Crowd(cut, posts, starts, row[starts])
