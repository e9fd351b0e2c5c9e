"""Slices: for every combination of columns, what the metrics are made of, counted by label.

A slice is a value, or "all", of each of the columns that counts are split by. Posts are added up
from leaves (`layout`); people are counted anew in every slice, since one may speak in several.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murmure.influence.crowds import Crowd, People
from murmure.influence.layout import add_languages, in_leaves
from murmure.influence.metrics import ALL, ORGANIC, PROMOTIONS, SPONSORED
from murmure.influence.said import LABELS_SAID, SAID
from murmure.schema import LABELS

Numbers = NDArray[np.signedinteger[Any]]
Flags = NDArray[np.bool_]

_MOODS = {"good": "positive", "bad": "negative"}


@dataclass(frozen=True, slots=True)
class Split:
    """A number of posts that a slice is split into.

    Attributes:
        promotion, metric, experience, touchpoint, sentiment: as in a counts table.
    """

    promotion: str
    metric: str
    experience: str
    touchpoint: str
    sentiment: str


def _splits() -> tuple[Split, ...]:
    found = []
    for promotion in PROMOTIONS:
        found += [Split(promotion, "posts", ALL, ALL, mood) for mood in LABELS["sentiment"]]
        for metric in _MOODS:
            found += [
                Split(promotion, metric, experience, touchpoint, ALL)
                for experience in (ALL, *LABELS["experience"][:-1])
                for touchpoint in (ALL, *LABELS["touchpoint"])
                if (experience, touchpoint) != (ALL, ALL)
            ]
    return tuple(found)


#: All splits of a slice.
SPLITS = _splits()
#: What posts of a slice are added up to, for each promotion.
SUMS = ("posts", "unknown", "echoes", "originals", "known", *_MOODS)
#: What people of a slice are added up to.
VOICES = (
    *(f"voices_{name}" for name in PROMOTIONS),
    *(f"squares_{name}" for name in PROMOTIONS),
    "in_favour",
    "against",
    "advocates",
    "detractors",
)
#: The numbers of a slice, besides its splits.
MEASURES = (*(f"{name}_{of}" for name in SUMS for of in PROMOTIONS), *VOICES)


@dataclass(frozen=True, slots=True)
class Slices:
    """What the labels say in the slices of entities.

    Attributes:
        keys: of shape (5, slices): of each slice its position among the entities and the labels of
            windows, languages, channels and kinds of media, "all" being 0; in their order.
        row: in a layout; -1 where there is no post.
        numbers: by name of `MEASURES`, and `group_voices` (the organic voices of all entities of
            the group together), which are not of the slice's own posts.
        splits: of shape (slices, SPLITS).
    """

    keys: Numbers
    row: Numbers
    numbers: dict[str, Numbers]
    splits: Numbers

    def __len__(self) -> int:
        """Return the number of slices."""
        return len(self.row)


def count_labels(people: People) -> tuple[dict[str, Numbers], Numbers]:
    """The numbers of each row of a layout, by name of `MEASURES`, and its splits."""
    layout = people.layout
    said = layout.material.said[layout.here].astype(np.int64)
    known = layout.material.author[layout.here] > 0
    kind = (said * 2 + layout.material.echo[layout.here]) * 2 + known
    leaves = in_leaves(layout, kind, 4 * len(SAID))
    posts = add_languages(layout, layout.roll() @ (leaves @ _WANTED))
    sums = _whole(posts[:, : len(_SUM_NAMES)])
    numbers = dict(zip(_SUM_NAMES, sums.T, strict=True))
    speaking = in_leaves(layout, said, len(SAID), people.speaking)
    voices = _whole(add_languages(layout, layout.roll() @ (speaking @ _ONE_POST)))
    for crowd in people.crowds:
        _put_right(voices, crowd, said[people.speaks[crowd.posts]])
    numbers |= dict(zip(VOICES, voices.T, strict=True))
    return numbers, _whole(posts[:, len(_SUM_NAMES) :])


def _put_right(voices: Numbers, crowd: Crowd, said: Numbers) -> None:
    """Puts what is true of people in the place of the sums over their posts."""
    starts = crowd.starts
    posts = np.diff(np.append(starts, len(said)))
    organic = np.add.reduceat(_IS_ORGANIC[said], starts)
    by_promotion = {ORGANIC: organic, SPONSORED: posts - organic, ALL: posts}
    balance = np.add.reduceat(_BALANCE[said], starts)
    own = np.add.reduceat(_OWN_BALANCE[said], starts)
    of_people = [
        *(by_promotion[name] > 0 for name in PROMOTIONS),
        *(by_promotion[name] ** 2 for name in PROMOTIONS),
        balance > 0,
        balance < 0,
        own > 0,
        own < 0,
    ]
    for place, value in enumerate(of_people):
        of_posts = np.add.reduceat(_ONE_POST[said, place], starts)
        more = np.bincount(crowd.rows, value - of_posts, minlength=len(voices))
        voices[:, place] += _whole(more)


def count_organic_voices(people: People) -> Numbers:
    """The organic voices of each row of a layout."""
    layout = people.layout
    said = layout.material.said[layout.here].astype(np.int64)
    leaves = in_leaves(layout, said, len(SAID), people.speaking)
    found = _whole(add_languages(layout, layout.roll() @ (leaves @ _IS_ORGANIC.astype(float))))
    for crowd in people.crowds:
        organic = np.add.reduceat(_IS_ORGANIC[said[people.speaks[crowd.posts]]], crowd.starts)
        values: Numbers = (organic > 0) - organic
        found += _whole(np.bincount(crowd.rows, values, minlength=len(found)))
    return found


def take_slices(
    row: Numbers,
    keys: Numbers,
    numbers: Mapping[str, Numbers],
    splits: Numbers,
    *,
    entities: range,
    by: Collection[str],
    kinds: Numbers,
    windows: int,
) -> Slices:
    """The slices that a counts table has.

    Args:
        row: of each slice that has posts its row in `numbers` and `splits`.
        keys: as in `Slices`, in any order.
        numbers: by name of `MEASURES`.
        splits: of shape (rows, SPLITS).
        entities: which have slices.
        by: the columns that counts are split by.
        kinds: the kind of media of each channel.
        windows: how many labels of windows there are, "all" among them.
    """
    if "language" not in by:
        row, keys = row[keys[2] == 0], keys[:, keys[2] == 0]
    if {"channel", "media"} <= set(by):  # a channel's slices once more, with its kind beside it
        again = keys[3] > 0
        twice = keys[:, again]
        twice[4] = kinds[twice[3]]
        keys, row = np.concatenate([keys, twice], axis=1), np.concatenate([row, row[again]])
    # Every entity is there in every window, be it with nothing.
    there = np.zeros((len(entities), windows), np.bool_)
    whole = keys[:, (keys[2:] == 0).all(axis=0)]
    there[whole[0] - entities.start, whole[1]] = True
    entity, win = np.nonzero(~there)
    nothing = np.zeros((len(keys), len(win)), keys.dtype)
    nothing[0], nothing[1] = entity + entities.start, win
    keys = np.concatenate([keys, nothing], axis=1)
    row = np.concatenate([row, np.full(len(win), -1)])
    order = np.lexsort(keys[::-1])
    keys, row = keys[:, order], row[order]
    filled = row >= 0

    def taken(values: Numbers) -> Numbers:
        found = np.zeros((len(row), *values.shape[1:]), values.dtype)
        found[filled] = values[row[filled]]
        return found

    every = {name: taken(values) for name, values in numbers.items()}
    return Slices(keys, row, every, taken(splits))


def _whole(values: NDArray[Any]) -> NDArray[np.int64]:
    whole: NDArray[np.int64] = np.rint(values).astype(np.int64)
    return whole


def _is(tag: str, label: str) -> Flags:
    return np.array([labels[LABELS_SAID.index(tag)] == label for labels in SAID])


def _of_promotion(name: str, sponsored: Flags) -> Flags:
    return {ORGANIC: ~sponsored, SPONSORED: sponsored, ALL: np.ones(len(sponsored), np.bool_)}[name]


def _wanted() -> NDArray[np.float64]:
    """Which posts each sum and split counts; rows are labels, echo or not, author known or not."""

    def every(tag: str, label: str) -> Flags:
        return np.repeat(_is(tag, label), 4)

    echo = np.tile([False, False, True, True], len(SAID))
    known = np.tile([False, True, False, True], len(SAID))
    lived = ~echo & ~every("experience", "none")
    moods = {name: lived & every("sentiment", mood) for name, mood in _MOODS.items()}
    conditions = {
        "posts": np.ones(len(echo), np.bool_),
        "unknown": ~known,
        "echoes": echo,
        "originals": ~echo,
        "known": ~echo & known,
        **moods,
    }
    sponsored = every("sponsored", "yes")
    columns = [
        conditions[name] & _of_promotion(of, sponsored) for name in SUMS for of in PROMOTIONS
    ]
    for split in SPLITS:
        column = conditions[split.metric] & _of_promotion(split.promotion, sponsored)
        for tag in ("experience", "touchpoint", "sentiment"):
            if (label := getattr(split, tag)) != ALL:
                column = column & every(tag, label)
        columns.append(column)
    return np.array(columns, float).T


_SUM_NAMES = MEASURES[: len(SUMS) * len(PROMOTIONS)]
_WANTED = _wanted()
_IS_ORGANIC = _is("sponsored", "no").astype(np.int32)
_BALANCE = (_is("sentiment", "positive") * 1 - _is("sentiment", "negative") * 1) * _IS_ORGANIC
_OWN_BALANCE = _BALANCE * _is("experience", "own")
# What is true of a person who wrote one post.
_ONE_POST = np.array(
    [
        *([_IS_ORGANIC, 1 - _IS_ORGANIC, np.ones(len(SAID))] * 2),
        _BALANCE > 0,
        _BALANCE < 0,
        _OWN_BALANCE > 0,
        _OWN_BALANCE < 0,
    ],
    float,
).T
