"""Which mentions in a batch of posts speak for an entity, and what they say of it.

Where a post names an entity several times, one mention speaks for all: the one whose sentence is
least likely neutral, the first of those equal. "Brizelo came. Brizelo broke." is a complaint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from murmure.influence.cells import Cells
from murmure.influence.columns import distinct_texts, label_codes, matrix
from murmure.influence.grid import Cell
from murmure.influence.said import LABELS_SAID, say
from murmure.schema import LABELS

if TYPE_CHECKING:
    import pyarrow as pa

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

_OF_MENTION = tuple(tag for tag in LABELS_SAID if tag != "sponsored")
_NEUTRAL = LABELS["sentiment"].index("neutral")


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of the posts that some mentions are in."""

    said: NDArray[np.uint8]
    cell: Cell
    sponsored: NDArray[np.float32] | None
    chances: Mapping[str, NDArray[np.float32]] | None


def speaking_mentions(
    batch: pa.RecordBatch, told: Told, cells: Cells | None
) -> tuple[Numbers, tuple[Numbers, list[str]], NDArray[np.uint8], Cell]:
    """The post's row, the entity, the labels and the cell of each mention that speaks."""
    import pyarrow.compute as pc

    column = batch.column("mentions")
    flat = column.flatten()
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy()
    owner = np.repeat(np.arange(len(lengths)), lengths)
    entity, names = distinct_texts(flat.field("entity"))
    neutral = matrix(flat.field("sentiment_probabilities"), "sentiment")[:, _NEUTRAL]
    start = flat.field("start").to_numpy(zero_copy_only=False)
    own = {tag: label_codes(flat.field(tag), LABELS[tag]) for tag in _OF_MENTION}
    said = say(own, otherwise=told.said[owner])
    cell = told.cell[owner]
    speaks = np.flatnonzero(_speaking(owner, lengths, entity, neutral, start))
    owner, entity, said, cell = owner[speaks], entity[speaks], said[speaks], cell[speaks]
    if cells is not None and told.sponsored is not None:
        chances = {
            tag: matrix(flat.field(f"{tag}_probabilities"), tag)[speaks] for tag in _OF_MENTION
        }
        other = np.ones(len(owner), np.bool_)
        if told.chances is not None:  # who speaks as the whole post does is not looked at twice
            of_post = told.chances
            other = np.any(
                [(chances[tag] != of_post[tag][owner]).any(axis=1) for tag in _OF_MENTION], axis=0
            )
        rows = np.flatnonzero(other)
        some = {tag: table[rows] for tag, table in chances.items()}
        some["sponsored"] = told.sponsored[owner[rows]]
        cell[rows] = cells.assign(some)
    return owner, (entity, names), said, cell


def _speaking(
    owner: Numbers, lengths: Numbers, entity: Numbers, neutral: NDArray[Any], start: NDArray[Any]
) -> Flags:
    """Which mentions speak for all of their post and entity."""
    speaks = np.ones(len(owner), np.bool_)
    several = np.flatnonzero(lengths[owner] > 1) if len(owner) else owner
    order = several[np.lexsort((start[several], neutral[several], entity[several], owner[several]))]
    again = (owner[order[1:]] == owner[order[:-1]]) & (entity[order[1:]] == entity[order[:-1]])
    speaks[order[1:][again]] = False
    return speaks


def mention_columns(parquet: Any, cells: Cells | None) -> list[str]:  # noqa: ANN401 - a ParquetFile
    """The paths of what is read of mentions, without the rest of them."""
    wanted = {"entity", "start", *_OF_MENTION, "sentiment_probabilities"}
    if cells is not None:
        wanted |= {f"{tag}_probabilities" for tag in _OF_MENTION}
    paths = [parquet.schema.column(place).path for place in range(len(parquet.schema))]
    inside = [path for path in paths if path.startswith("mentions.")]
    return [path for path in inside if wanted.intersection(path.split("."))]
