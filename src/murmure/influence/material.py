"""What counts are made from: for each post and entity its slice, its author and what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from murmure.influence.cells import Cells
from murmure.influence.classes import CLASS_TAGS
from murmure.influence.grid import Cell
from murmure.influence.metrics import ALL
from murmure.influence.posts import Mentions, Posts
from murmure.schema import LABELS

if TYPE_CHECKING:
    import pyarrow as pa

#: What tells where and when a post was written.
PLACES = ("win", "language", "channel", "media")

_ROWS = ("win", "language", "channel", "author", "echo", "family", "said", "cell")


@dataclass(frozen=True, slots=True)
class Material:
    """One row for each post and entity that it names, sorted by entity and author.

    Attributes:
        entities: the names of the entities, "all" first.
        firsts: where each entity's rows begin, and where the last one's end.
        win, language, channel: positions among the labels, "all" being 0.
        author: who wrote the post, as a number; 0 where that is not known.
        echo: whether it copies another post.
        family: which posts are copies of one another, as a number; 0 where it is by itself.
        said: its labels, a position in `said.SAID`.
        cell: what the model says of it.
        labels: the names of windows, languages, channels and kinds of media.
        kinds: the kind of media of each channel, by position; 0 for "all".
        groups: the group of each entity; None where there are none.
    """

    entities: tuple[str, ...]
    firsts: NDArray[np.int64]
    win: NDArray[np.integer[Any]]
    language: NDArray[np.int8]
    channel: NDArray[np.integer[Any]]
    author: NDArray[np.int32]
    echo: NDArray[np.bool_]
    family: NDArray[np.int32]
    said: NDArray[np.uint8]
    cell: Cell
    labels: Mapping[str, tuple[str, ...]]
    kinds: NDArray[np.int64]
    groups: Mapping[str, str] | None

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """The names of entities and all labels."""
        return {"entity": self.entities, **self.labels}

    def together(self, entities: Sequence[int]) -> Material:
        """The rows of several entities as if they were one, sorted by author."""
        places = [np.arange(self.firsts[entity], self.firsts[entity + 1]) for entity in entities]
        rows = np.concatenate([np.zeros(0, np.int64), *places])
        rows = rows[np.argsort(self.author[rows], kind="stable")]
        return replace(
            self,
            entities=(ALL,),
            firsts=np.array([0, len(rows)]),
            **{name: getattr(self, name)[rows] for name in _ROWS},
        )

    def rows(self, entities: range) -> slice:
        """The rows of entities, by their positions."""
        return slice(int(self.firsts[entities.start]), int(self.firsts[entities.stop]))

    def group(self, entity: int) -> str:
        """The group of an entity; that of those without is called ""."""
        return (self.groups or {}).get(self.entities[entity], "")

    def of_group(self, group: str) -> list[int]:
        """The entities of a group."""
        places = range(1, len(self.entities))
        return [entity for entity in places if self.group(entity) == group]


def gather(
    posts: Posts,
    mentions: Mentions | None,
    groups: Mapping[str, str] | None,
    *,
    split: bool,
) -> Material:
    """Puts posts and mentions together.

    Args:
        posts: of all runs.
        mentions: what they name; None where posts name no entities.
        groups: the group of each entity, which may be empty; None where posts name no entities,
            and "all" is over every post.
        split: whether entities are told apart; "all" alone is made where not.
    """
    entities = (ALL, *(groups or {})) if split else (ALL,)
    counted = posts.kept
    if mentions is not None:
        counted = np.zeros(len(posts.kept), np.bool_)
        counted[mentions.number] = True
        counted &= posts.kept
    numbers = [np.flatnonzero(counted)]
    codes = [np.zeros(len(numbers[0]), np.int32)]
    said, cell = [posts.said[numbers[0]]], [posts.cell[numbers[0]]]
    if mentions is not None and len(entities) > 1:
        place = {name: at for at, name in enumerate(entities)}
        entity = np.array([place.get(name, 0) for name in mentions.names], np.int32)
        entity = entity[mentions.entity] if len(entity) else mentions.entity
        kept = np.flatnonzero((entity > 0) & posts.kept[mentions.number])
        numbers.append(mentions.number[kept])
        codes.append(entity[kept])
        said.append(mentions.said[kept])
        cell.append(mentions.cell[kept])
    number = np.concatenate(numbers)
    rows = {name: getattr(posts, name)[number] for name in _ROWS if name not in {"said", "cell"}}
    rows |= {"said": np.concatenate(said), "cell": np.concatenate(cell)}
    return sort_rows(
        np.concatenate(codes),
        rows,
        entities=entities,
        labels=posts.labels,
        kinds=posts.kinds,
        groups=groups,
    )


def sort_rows(
    entity: NDArray[Any],
    rows: Mapping[str, NDArray[Any]],
    *,
    entities: tuple[str, ...],
    labels: Mapping[str, tuple[str, ...]],
    kinds: NDArray[np.int64],
    groups: Mapping[str, str] | None,
) -> Material:
    """The material of rows in any order.

    Args:
        entity: of each row its position in `entities`.
        rows: the columns of the rows, by name.
        entities: as in `Material`, as are the rest.
        labels: as above.
        kinds: as above.
        groups: as above.
    """
    author = rows["author"]
    order = np.argsort(entity.astype(np.int64) * (int(author.max(initial=0)) + 1) + author)
    counted = np.bincount(entity, minlength=len(entities))
    return Material(
        entities=entities,
        firsts=np.concatenate([[0], np.cumsum(counted)]),
        labels=labels,
        kinds=kinds,
        groups=groups,
        **{name: rows[name][order] for name in _ROWS},
    )


def cells_of(table: pa.Table, cells: Cells) -> Cell:
    """The cell of each row of a table with the columns `TAG_probabilities`.

    Args:
        table: of posts or mentions.
        cells: of the model.
    """
    probabilities = {}
    for tag in CLASS_TAGS:
        column = table[f"{tag}_probabilities"].combine_chunks()
        flat = column.flatten().to_numpy(zero_copy_only=False)
        probabilities[tag] = np.asarray(flat, np.float32).reshape(-1, len(LABELS[tag]))
    return cells.assign(probabilities)
