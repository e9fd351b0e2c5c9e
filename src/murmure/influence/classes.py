"""The classes that a post's tags make together, and the questions that counts ask of them.

A class is one combination of sponsored, sentiment, and experience with touchpoint, which is none
exactly where the experience is: 2 x 3 x 11 = 66. A question cuts the classes into a few answers,
such as "negative, neutral or positive", and is what prevalences are estimated of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murmure.schema import LABELS

#: The tags that make a class, in the order of the model's probabilities.
CLASS_TAGS = ("sentiment", "experience", "touchpoint", "sponsored")

_NONE = "none"
#: Experience and touchpoint together: none, then own and shared with each touchpoint.
EXPERIENCES = (
    (_NONE, _NONE),
    *((e, t) for e in ("own", "shared") for t in LABELS["touchpoint"] if t != _NONE),
)

#: The labels of each class, by tag in the order of `CLASS_TAGS`.
CLASSES = tuple(
    (sentiment, experience, touchpoint, sponsored)
    for sponsored in LABELS["sponsored"]
    for sentiment in LABELS["sentiment"]
    for experience, touchpoint in EXPERIENCES
)

Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Question:
    """A cut of the classes into answers.

    Attributes:
        name: what it is called.
        answers: the name of each answer.
        member: of shape (answers, classes): which classes each answer takes; every class is in
            exactly one answer.
    """

    name: str
    answers: tuple[str, ...]
    member: Flags


def where(
    *,
    sentiment: str | None = None,
    experience: str | None = None,
    touchpoint: str | None = None,
    sponsored: str | None = None,
    lived: bool | None = None,
) -> Flags:
    """Which classes have these labels.

    Args:
        sentiment: the label, any where None; so for the other three.
        experience: as above.
        touchpoint: as above.
        sponsored: as above.
        lived: whether an experience, own or shared, is reported; either where None.

    Returns:
        An array of shape (classes,).

    Example:
        >>> int(where(sentiment="negative", experience="own", sponsored="no").sum())
        5
        >>> int(where(experience="none", touchpoint="product").sum())
        0
    """
    wanted = (sentiment, experience, touchpoint, sponsored)
    return np.array(
        [
            all(asked in (None, label) for asked, label in zip(wanted, labels, strict=True))
            and lived in (None, labels[1] != _NONE)
            for labels in CLASSES
        ]
    )


def _question(name: str, parts: Mapping[str, Flags], rest: str | None = None) -> Question:
    member = list(parts.values())
    names = list(parts)
    if rest is not None:
        member.append(~np.any(member, axis=0))
        names.append(rest)
    table = np.array(member)
    if not np.all(table.sum(axis=0) == 1):
        raise ValueError(f"question {name}: its answers overlap or leave classes out")
    return Question(name, tuple(names), table)


#: One question for each tag: its labels.
TAG_QUESTIONS = {
    tag: _question(tag, {label: where(**dict[str, Any]({tag: label})) for label in LABELS[tag]})
    for tag in CLASS_TAGS
}
#: Good, bad or no experience.
LIVED = _question(
    "lived",
    {
        "good": where(sentiment="positive", lived=True),
        "bad": where(sentiment="negative", lived=True),
    },
    rest="neither",
)
#: What organic posts say of own experiences: makes advocates and detractors.
OWN = _question(
    "own",
    {
        "good": where(sentiment="positive", experience="own", sponsored="no"),
        "bad": where(sentiment="negative", experience="own", sponsored="no"),
    },
    rest="neither",
)
#: How organic posts speak: makes influence.
ATTITUDE = _question(
    "attitude",
    {
        "for": where(sentiment="positive", sponsored="no"),
        "against": where(sentiment="negative", sponsored="no"),
    },
    rest="neither",
)

#: All questions, by name. The order is that in which tables are made to agree with the answers:
#: the last has the last word, which is the tags', whose answers are surest. Whether there is an
#: experience, touchpoint says better than experience does. Of the orders tried on bags of
#: benchmarks/counting this left the numbers of good and bad experiences least off.
QUESTIONS: Mapping[str, Question] = {
    question.name: question
    for question in (
        LIVED,
        ATTITUDE,
        OWN,
        TAG_QUESTIONS["experience"],
        TAG_QUESTIONS["sentiment"],
        TAG_QUESTIONS["touchpoint"],
        TAG_QUESTIONS["sponsored"],
    )
}


def class_numbers(labels: Mapping[str, Sequence[str | None]]) -> Numbers:
    """The class of each post from its labels.

    Args:
        labels: by tag of `CLASS_TAGS`, one label a post.

    Returns:
        Positions in `CLASSES`; -1 where a label is missing or the combination cannot be.

    Example:
        >>> post = {"sentiment": ["neutral"], "experience": ["own"], "sponsored": ["no"]}
        >>> CLASSES[class_numbers({**post, "touchpoint": ["delivery"]})[0]]
        ('neutral', 'own', 'delivery', 'no')
        >>> class_numbers({**post, "touchpoint": ["none"]})
        array([-1])
    """
    place = {names: number for number, names in enumerate(CLASSES)}
    rows = zip(*(labels[tag] for tag in CLASS_TAGS), strict=True)
    return np.array([place.get(row, -1) for row in rows], np.int64)
