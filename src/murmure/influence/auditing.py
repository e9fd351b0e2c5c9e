"""Labels by hand in counts: numbers of slices that hold enough labelled posts are audited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from murmure.influence.audited import FEWEST, from_sample
from murmure.influence.cells import Cells
from murmure.influence.classes import CLASS_TAGS, class_numbers
from murmure.influence.layout import Layout
from murmure.influence.material import Material, cells_of
from murmure.influence.numbers import Number, members
from murmure.influence.posts import Posts

if TYPE_CHECKING:
    import pyarrow as pa

Table = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Labels:
    """Labelled posts: those about an entity, or as a whole.

    Attributes:
        entity: position among the material's entities.
        win, language, channel, media, author: as in `material.Material`; author is any number.
        echo: whether the post copies another.
        kind: what the model says of it: its position among the kinds of `cells.Cells`.
        classes: what the person says.
        weight: how many posts it stands for.
    """

    entity: Numbers
    win: Numbers
    language: Numbers
    channel: Numbers
    media: Numbers
    author: Numbers
    echo: NDArray[np.bool_]
    kind: Numbers
    classes: Numbers
    weight: Table

    def __len__(self) -> int:
        """Return the number of labelled posts."""
        return len(self.entity)


def gather_labels(posts: Posts, audit: pa.Table, cells: Cells, material: Material) -> Labels:
    """Finds the slices of labelled posts.

    Args:
        posts: of all runs.
        audit: as `audit.load_audit` gives it. Rows that lack one of the four labels, and those
            whose labels cannot be together, are left out.
        cells: of the model.
        material: of the same posts.
    """
    import pyarrow as pa

    classes = class_numbers({tag: audit[f"{tag}_true"].to_pylist() for tag in CLASS_TAGS})
    codes = {name: place for place, name in enumerate(material.entities)}
    names = audit["entity"].to_pylist()
    entity = np.array([codes.get(name, -1) if name else 0 for name in names], np.int64)
    number = audit["number"].to_numpy().astype(np.int64)
    place = np.flatnonzero(posts.kept[number])
    number = number[place]
    kind = cells.kind[cells_of(audit.take(pa.array(place)), cells)]
    kept = (classes[place] >= 0) & (entity[place] >= 0)
    number, place = number[kept], place[kept]
    author = posts.author[number].astype(np.int64)
    channel = posts.channel[number].astype(np.int64)
    return Labels(
        entity=entity[place],
        win=posts.win[number].astype(np.int64),
        language=posts.language[number].astype(np.int64),
        channel=channel,
        media=posts.kinds[channel],
        # Who did not say is nobody else.
        author=np.where(author > 0, author, -1 - place),
        echo=posts.echo[number],
        kind=kind[kept].astype(np.int64),
        classes=classes[place],
        weight=audit["weight"].to_numpy()[place],
    )


@dataclass(frozen=True, slots=True)
class Audit:
    """Numbers of some slices after an audit.

    Attributes:
        rows: the slices.
        estimate, low, high: of shape (slices, numbers).
        used: the labelled posts that they rest on.
    """

    rows: Numbers
    estimate: Table
    low: Table
    high: Table
    used: frozenset[int]


def audit_numbers(
    labels: Labels,
    layout: Layout,
    numbers: tuple[Number, ...],
    said: Mapping[int, Table],
    *,
    values: Table,
    deviations: Table,
    n: Table,
    level: float,
    originals: bool,
) -> Audit:
    """Audits the slices of entities that hold `audited.FEWEST` labelled posts or more.

    Args:
        labels: of all entities.
        layout: the entities' slices.
        numbers: which numbers.
        said: by slice of one language, what is said of each number of a post of each kind, of
            shape (kinds, numbers); a function of the row.
        values: the model's numbers, of shape (slices, numbers).
        deviations: their standard deviations.
        n: posts of each slice.
        level: how often intervals shall cover the truth.
        originals: whether the numbers are of posts that are no echoes.
    """
    here = (labels.entity >= layout.entities.start) & (labels.entity < layout.entities.stop)
    if originals:
        here &= ~labels.echo
    chosen = np.flatnonzero(here)
    wanted = members(numbers)
    found: dict[int, tuple[Table, Table, Table]] = {}
    used: set[int] = set()
    for win, place in _cuts(labels, layout, chosen):
        own = layout.row(labels.language[chosen], win, place)
        whole = layout.row(np.zeros_like(win), win, place)
        for rows in (own, whole):
            counts = np.bincount(rows[rows >= 0], minlength=layout.count)
            for row in np.flatnonzero(counts >= FEWEST):
                if int(row) in found or n[row] <= 0:
                    continue
                at = np.flatnonzero(rows == row)
                told = np.array(
                    [said[int(o)][c] for o, c in zip(own[at], labels.kind[chosen[at]], strict=True)]
                )
                some = chosen[at]
                used.update(some.tolist())
                after = from_sample(
                    values[row],
                    round(float(n[row])),
                    told,
                    wanted[:, labels.classes[some]].T.astype(float),
                    weights=labels.weight[some],
                    clusters=labels.author[some],
                    level=level,
                    model=(values[row], np.maximum(deviations[row], 1e-9)),
                )
                found[int(row)] = after.estimate, after.low, after.high
    rows_ = np.array(sorted(found), np.int64)
    empty = np.zeros((0, len(numbers)))
    parts = [
        np.array([found[int(row)][part] for row in rows_]) if len(rows_) else empty
        for part in range(3)
    ]
    return Audit(rows_, parts[0], parts[1], parts[2], frozenset(used))


def _cuts(labels: Labels, layout: Layout, chosen: Numbers) -> list[tuple[Numbers, Numbers]]:
    zero = np.zeros(len(chosen), np.int64)
    places = [zero]
    if "channel" in layout.by:
        places.append(labels.channel[chosen])
    if "media" in layout.by:
        places.append(labels.media[chosen] + len(layout.material.labels["channel"]))
    entity = labels.entity[chosen]
    wins = (layout.spans(entity, zero), layout.spans(entity, labels.win[chosen]))
    return [(win, place) for place in places for win in wins]
