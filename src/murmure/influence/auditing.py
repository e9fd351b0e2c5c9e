"""Labels by hand in counts: numbers of slices that hold enough labelled posts are audited."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from murmure.influence.audited import FEWEST, Audited, from_sample
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
        cell: what the model says of it.
        kind: the same more roughly: its position among the kinds of `cells.Cells`.
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
    cell: Numbers
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
    cell = cells_of(audit.take(pa.array(place)), cells)
    kept = (classes[place] >= 0) & (entity[place] >= 0)
    number, place, cell = number[kept], place[kept], cell[kept]
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
        cell=cell.astype(np.int64),
        kind=cells.kind[cell].astype(np.int64),
        classes=classes[place],
        weight=audit["weight"].to_numpy()[place],
    )


@dataclass(frozen=True, slots=True)
class Audit:
    """Numbers of some slices after an audit.

    Attributes:
        rows: the slices.
        estimate, low, high: of shape (slices, numbers).
        labels: of shape (slices,): how many they rest on.
        used: the labelled posts that they rest on.
    """

    rows: Numbers
    estimate: Table
    low: Table
    high: Table
    labels: Numbers
    used: frozenset[int]

    @staticmethod
    def of(found: Mapping[int, Audited], used: Iterable[int], numbers: int) -> Audit:
        """What was found, by slice.

        Args:
            found: of each slice so many numbers.
            used: labelled posts.
            numbers: how many.
        """
        rows = np.array(sorted(found), np.int64)
        parts = [
            np.array([getattr(found[int(row)], name) for row in rows]).reshape(-1, numbers)
            for name in ("estimate", "low", "high")
        ]
        labels = np.array([found[int(row)].labels for row in rows], np.int64)
        return Audit(rows, parts[0], parts[1], parts[2], labels, frozenset(used))


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
    chosen = np.flatnonzero(~labels.echo) if originals else np.arange(len(labels))
    wanted = members(numbers)
    found: dict[int, Audited] = {}
    used: set[int] = set()
    for row, some, own in labelled_slices(labels, layout, chosen):
        if n[row] <= 0:
            continue
        used.update(some.tolist())
        told = [said[int(o)][c] for o, c in zip(own, labels.kind[some], strict=True)]
        found[row] = from_sample(
            values[row],
            round(float(n[row])),
            np.array(told),
            wanted[:, labels.classes[some]].T.astype(float),
            weights=labels.weight[some],
            clusters=labels.author[some],
            level=level,
            model=(values[row], np.maximum(deviations[row], 1e-9)),
        )
    return Audit.of(found, used, len(numbers))


def labelled_slices(
    labels: Labels, layout: Layout, chosen: Numbers
) -> Iterator[tuple[int, Numbers, Numbers]]:
    """The slices of entities that hold `audited.FEWEST` of the chosen labelled posts or more.

    Args:
        labels: of all entities.
        layout: the entities' slices.
        chosen: some labelled posts.

    Yields:
        The slice, its labelled posts, and the slice of one language that each of them is in.
    """
    entity = labels.entity[chosen]
    here = (entity >= layout.entities.start) & (entity < layout.entities.stop)
    chosen = chosen[here]
    seen: set[int] = set()
    for win, place in _cuts(labels, layout, chosen):
        own = layout.row(labels.language[chosen], win, place)
        whole = layout.row(np.zeros_like(win), win, place)
        for rows in (own, whole):
            counts = np.bincount(rows[rows >= 0], minlength=layout.count)
            for row in np.flatnonzero(counts >= FEWEST).tolist():
                if row not in seen:
                    seen.add(row)
                    at = np.flatnonzero(rows == row)
                    yield row, chosen[at], own[at]


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
