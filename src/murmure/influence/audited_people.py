"""Numbers of people from an audit of posts.

What is true of a person rests on all posts of that person, and a sample labels some. So a person is
shared out among the posts: of m posts each has an m-th of what the model expects of the person,
and a labelled one, beside, what its label changes of that. Added up over all posts this is the
number of people to first order in how far the model is off (Hoeffding's decomposition: Hoeffding,
1948, Annals of Mathematical Statistics 19). So that it is not far off, its chances are first put
right by the labels, all posts of an entity together. Two things are true without any such proviso:
of a person with one post it is that post, and with all posts labelled it is the truth.

What stays is that posts of one person are taken to be independent given what the model says of
them: too few people have two labelled posts to tell how alike a person's posts are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from murmure.influence.audited import FEWEST, Audited, from_sample
from murmure.influence.auditing import Audit, Labels, labelled_slices
from murmure.influence.classes import ATTITUDE, OWN, where
from murmure.influence.crowds import People
from murmure.influence.layout import Layout
from murmure.influence.metrics import ORGANIC, SPONSORED
from murmure.influence.voices import Chances, count_people, weigh

Table = NDArray[np.float64]
Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

#: Half the voices, and half of how many more are for than against: influence is made of it.
NET = "net"
#: The numbers that are audited.
NAMES = (ORGANIC, SPONSORED, NET, "advocates", "detractors")

# Chances are put right so many times over.
_ROUNDS = 30

_MEMBERS = {
    ORGANIC: where(sponsored="no"),
    **dict(zip(("for", "against"), ATTITUDE.member[:2], strict=True)),
    **dict(zip(("advocates", "detractors"), OWN.member[:2], strict=True)),
}


@dataclass(frozen=True, slots=True)
class Wrote:
    """The posts of those whose posts were labelled.

    Attributes:
        chances: of the posts, as `Chances.of` gives them.
        starts: where each person's begin.
        person: of each labelled post, who wrote it.
        post: which of the posts it is.
    """

    chances: Mapping[str, Table]
    starts: Numbers
    person: Numbers
    post: Numbers


def audit_people(
    labels: Labels,
    people: People,
    chances: Chances,
    *,
    values: Table,
    deviations: Table,
    level: float,
) -> Audit:
    """Audits the slices that hold `audited.FEWEST` labelled posts of voices or more.

    Args:
        labels: of all entities.
        people: of some.
        chances: in their slices.
        values: the model's numbers, of shape (slices, `NAMES`).
        deviations: their standard deviations.
        level: how often intervals shall cover the truth.
    """
    chosen = np.flatnonzero((labels.author > 0) & ~labels.echo)
    found: dict[int, Audited] = {}
    used: set[int] = set()
    slices = list(labelled_slices(labels, people.layout, chosen))
    if slices:
        chances = calibrate(chances, labels, people.layout, chosen)
        sums = count_people(people, chances)
        totals = np.array([numbers_of(sums)[name] for name in NAMES]).T
    for row, some, own in slices:
        used.update(some.tolist())
        wrote = find_posts(labels, people, chances, row=row, some=some, own=own)
        told, label = share_out(wrote, labels.classes[some])
        found[row] = from_sample(
            totals[row],
            round(float(sums["speaking"][row])),
            told,
            label,
            weights=labels.weight[some],
            clusters=labels.author[some],
            level=level,
            model=(values[row], np.maximum(deviations[row], 1e-9)),
        )
    return Audit.of(found, used, len(NAMES))


def numbers_of(sums: Mapping[str, Table]) -> dict[str, Table]:
    """The numbers that are audited, from sums as `count_people` gives them."""
    net = (sums["voices"] + sums["for"] - sums["against"]) / 2
    return {name: net if name == NET else sums[name] for name in NAMES}


def calibrate(chances: Chances, labels: Labels, layout: Layout, chosen: Numbers) -> Chances:
    """Chances that agree on average with the labels of each entity that has enough of them.

    Args:
        chances: in the slices of a layout.
        labels: of all entities.
        layout: some entities' slices.
        chosen: some labelled posts.
    """
    tables = {
        question: {name: table.copy() for name, table in told.items()}
        for question, told in chances.tables.items()
    }
    for entity in np.unique(labels.entity[chosen]):
        some = chosen[labels.entity[chosen] == entity]
        if not layout.entities.start <= entity < layout.entities.stop or len(some) < FEWEST:
            continue
        zero = np.zeros(len(some), np.int64)
        span = layout.spans(labels.entity[some], zero)
        own = layout.row(labels.language[some], span, zero)
        rows = layout.rows[1:, span[0] : span[0] + layout.windows]
        rows = rows[rows >= 0]
        told = chances.of(own, labels.cell[some])
        weights = labels.weight[some] * (len(some) / labels.weight[some].sum())
        for names in tables.values():
            said = np.array([told[name] for name in names])
            true = np.array([_MEMBERS[name][labels.classes[some]] for name in names])
            odds = _odds(said, (weights * true).sum(axis=1), weights)
            right = _tilt(np.array([table[rows] for table in names.values()]), odds)
            for table, values in zip(names.values(), right, strict=True):
                table[rows] = values
    return Chances(tables, chances.bins)


def _odds(said: Table, found: Table, weights: Table) -> Table:
    """By how much chances are to be multiplied so that they add up to what was found.

    One more post, of which nothing but the model's mean is known, keeps all odds above 0.
    """
    many = weights.sum()
    mean = (weights * said).sum(axis=1) / many
    wanted = (found + mean) * many / (many + 1)
    odds = np.ones(len(said))
    for _ in range(_ROUNDS):
        have = (weights * _tilt(said, odds)).sum(axis=1)
        rest = np.maximum(many - wanted.sum(), 1e-9) / np.maximum(many - have.sum(), 1e-9)
        odds *= wanted / np.maximum(have, 1e-9) / rest
    return odds


def _tilt(said: Table, odds: Table) -> Table:
    """Chances of shape (answers, ...) with the odds against the rest changed by so much."""
    changed = said * odds.reshape(-1, *[1] * (said.ndim - 1))
    rest = np.maximum(1 - said.sum(axis=0), 0)
    return np.asarray(changed / np.maximum(changed.sum(axis=0) + rest, 1e-12))


def share_out(wrote: Wrote, classes: Numbers) -> tuple[Table, Table]:
    """Of each labelled post its part of what the model expects of its author, and of the truth.

    Args:
        wrote: the labelled posts and all others of their authors.
        classes: what the labels say.

    Returns:
        Two arrays of shape (labels, `NAMES`).
    """
    lengths = np.diff(np.append(wrote.starts, len(wrote.chances[ORGANIC])))
    size = lengths[wrote.person]
    starts = np.concatenate([[0], np.cumsum(size)[:-1]]).astype(np.int64)
    # The author's posts once more for each labelled one.
    place = np.arange(int(size.sum())) - np.repeat(starts - wrote.starts[wrote.person], size)
    mine = starts + wrote.post - wrote.starts[wrote.person]
    before = {name: table[place] for name, table in wrote.chances.items()}
    earlier: dict[int, list[int]] = {}
    for label, (person, post) in enumerate(zip(wrote.person, wrote.post, strict=True)):
        others = earlier.setdefault(int(person), [])
        # The labels before are known, so that all labels of a person together tell the truth.
        for other in others:
            if wrote.post[other] != post:
                at = starts[label] + wrote.post[other] - wrote.starts[person]
                for name, table in before.items():
                    table[at] = _MEMBERS[name][classes[other]]
        others.append(label)
    after = {name: table.copy() for name, table in before.items()}
    for name, table in after.items():
        table[mine] = _MEMBERS[name][classes]
    expected = _weighed(wrote.chances, wrote.starts)[wrote.person] / size[:, None]
    return expected, expected + _weighed(after, starts) - _weighed(before, starts)


def find_posts(
    labels: Labels, people: People, chances: Chances, *, row: int, some: Numbers, own: Numbers
) -> Wrote:
    """The posts in a slice of those whose posts were labelled there.

    Args:
        labels: of all entities.
        people: of some.
        chances: in their slices.
        row: the slice.
        some: its labelled posts.
        own: of each the slice of one language that it is in.
    """
    cell = labels.cell[some]
    authors, person = np.unique(labels.author[some], return_inverse=True)
    several = _of_crowds(people, row, authors)
    posts, post = [], np.zeros(len(some), np.int64)
    for number in range(len(authors)):
        mine = np.flatnonzero(person == number)
        # Who is in no crowd wrote once.
        rows, cells = several.get(number, (own[mine[:1]], cell[mine[:1]]))
        posts.append((rows, cells))
        taken: dict[tuple[int, int], int] = {}
        for label in mine:
            key = int(own[label]), int(cell[label])
            post[label] = _place(rows == key[0], cells == key[1], taken.get(key, 0))
            taken[key] = taken.get(key, 0) + 1
    lengths = [len(rows) for rows, _ in posts]
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    told = chances.of(*(np.concatenate(column) for column in zip(*posts, strict=True)))
    return Wrote(told, starts, person.astype(np.int64), starts[person] + post)


def _of_crowds(people: People, row: int, authors: Numbers) -> dict[int, tuple[Numbers, Numbers]]:
    """The posts of those authors who wrote several in a slice: their own slices and cells."""
    layout = people.layout
    author, cell = layout.material.author[layout.here], layout.material.cell[layout.here]
    found = {}
    for crowd in people.crowds:
        first, last = np.searchsorted(crowd.rows, [row, row + 1])
        if first == last:
            continue
        ends = np.append(crowd.starts, len(crowd.posts)).astype(np.int64)
        there = author[people.speaks[crowd.posts[ends[first:last]]]]
        own = layout.leaf_rows(crowd.cut, alone=True)
        at = np.minimum(np.searchsorted(there, authors), len(there) - 1)
        for number in np.flatnonzero(there[at] == authors):
            mine = slice(ends[first + at[number]], ends[first + at[number] + 1])
            posts = people.speaks[crowd.posts[mine]]
            found[int(number)] = (
                own[layout.leaf[posts]].astype(np.int64),
                cell[posts].astype(np.int64),
            )
    return found


def _place(row: Flags, cell: Flags, taken: int) -> int:
    """Which of a person's posts a label is of: of those alike any will do, but each only once.

    What names were found anew in may be told otherwise than when the label was asked for.
    """
    for alike in (row & cell, row):
        if alike.any():
            like = np.flatnonzero(alike)
            return int(like[taken % len(like)])
    return taken % len(row)


def _weighed(chances: Mapping[str, Table], starts: Numbers) -> Table:
    """The numbers of each person, of shape (people, `NAMES`)."""
    found = weigh(chances, starts)
    found[NET] = (1 + found["for"] - found["against"]) / 2
    return np.array([found[name] for name in NAMES]).T
