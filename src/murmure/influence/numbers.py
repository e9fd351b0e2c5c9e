"""The numbers of posts that rest on labels, each as a set of classes: what a row of counts asks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from murmure.influence.classes import Flags, where
from murmure.influence.metrics import ALL, ORGANIC, PROMOTIONS, SPONSORED
from murmure.schema import LABELS

#: From so many estimated posts on, a number has its row even where no label says so.
SHOWN = 0.5

_SPONSORED = {ORGANIC: "no", SPONSORED: "yes", ALL: None}
_MOODS = {"good": "positive", "bad": "negative"}


@dataclass(frozen=True, slots=True, eq=False)
class Number:
    """One number of posts.

    Attributes:
        key: promotion, metric, experience, touchpoint and sentiment, as in a counts table.
        member: the classes that it counts.
        question: the question that its slices' leaning on their parents was learned with.
    """

    key: tuple[str, str, str, str, str]
    member: Flags
    question: str


def _numbers() -> tuple[tuple[Number, ...], tuple[Number, ...]]:
    posts, lived = [], []
    for promotion in PROMOTIONS:
        yes = _SPONSORED[promotion]
        if yes is not None:
            key = (promotion, "posts", ALL, ALL, ALL)
            posts.append(Number(key, where(sponsored=yes), "sponsored"))
        for sentiment in LABELS["sentiment"]:
            key = (promotion, "posts", ALL, ALL, sentiment)
            member = where(sentiment=sentiment, sponsored=yes)
            posts.append(Number(key, member, "sentiment"))
        for metric, sentiment in _MOODS.items():
            for experience in (ALL, "own", "shared"):
                for touchpoint in (ALL, *LABELS["touchpoint"][:-1]):
                    member = where(
                        sentiment=sentiment,
                        experience=None if experience == ALL else experience,
                        touchpoint=None if touchpoint == ALL else touchpoint,
                        sponsored=yes,
                        lived=True,
                    )
                    key = (promotion, metric, experience, touchpoint, ALL)
                    lived.append(Number(key, member, "lived"))
    return tuple(posts), tuple(lived)


#: Numbers of all posts, echoes among them, and numbers of posts that are no echoes.
OF_POSTS, OF_ORIGINALS = _numbers()


@lru_cache(maxsize=4)
def wider(numbers: tuple[Number, ...]) -> tuple[tuple[int, ...], ...]:
    """For each number the places of those that count all that it counts, and more.

    Example:
        >>> bad = [number.key[1] for number in OF_ORIGINALS].index("bad")
        >>> {OF_ORIGINALS[place].key[0] for place in wider(OF_ORIGINALS)[bad]}
        {'all'}
    """
    table = members(numbers)
    inside = ~np.any(table[:, None] & ~table[None], axis=2)
    more = table.sum(axis=1)[None] > table.sum(axis=1)[:, None]
    return tuple(tuple(np.flatnonzero(row).tolist()) for row in inside & more)


def members(numbers: tuple[Number, ...]) -> Flags:
    """The classes of each number, of shape (numbers, classes)."""
    return np.array([number.member for number in numbers])
