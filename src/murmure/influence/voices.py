"""Sums over the people of each slice, from probabilities."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from murmure.influence.classes import ATTITUDE, OWN, TAG_QUESTIONS
from murmure.influence.correction import Answer, Corrector
from murmure.influence.crowds import Crowd, People
from murmure.influence.layout import Layout, add_languages, histograms
from murmure.influence.metrics import ORGANIC, SPONSORED
from murmure.influence.people import at_least_one, outnumber
from murmure.influence.posteriors import NEITHER

Table = NDArray[np.float64]

#: By promotion, its answer's place in the question of the tag `sponsored`.
ANSWERS = {
    ORGANIC: TAG_QUESTIONS["sponsored"].answers.index("no"),
    SPONSORED: TAG_QUESTIONS["sponsored"].answers.index("yes"),
}

# What is told of a post, by question: the name of each and the answer's place.
_TOLD = (
    (TAG_QUESTIONS["sponsored"], {ORGANIC: ANSWERS[ORGANIC]}),
    (ATTITUDE, {"for": 0, "against": 1}),
    (OWN, {"advocates": 0, "detractors": 1}),
)
_BALANCES = (("for", "against"), ("advocates", "detractors"))


def count_people(
    people: People, corrector: Corrector, answers: Mapping[str, Answer]
) -> dict[str, Table]:
    """Sums over the people of each slice.

    Args:
        people: of entities.
        corrector: of the model.
        answers: what was found, by question; what rests on others is not summed.

    Returns:
        Arrays of shape (slices,): voices (known for sure), organic and sponsored voices, those for
        and against, advocates and detractors; and for either promotion the expected posts and
        squares of posts of each voice, added up (`posts:organic`, `squares:organic`).
    """
    layout, cells = people.layout, len(corrector.cells)
    cell = layout.material.cell[layout.here]
    posts = histograms(layout, cells, people.speaking)
    chances = _chances(layout, corrector, answers)
    once = {name: (posts * table).sum(axis=1) for name, table in chances.items()}
    once["voices"] = posts.sum(axis=1)
    once[SPONSORED] = once["voices"] - once[ORGANIC]
    for name in ANSWERS:  # the square of what is there or not is itself
        once[f"posts:{name}"] = once[f"squares:{name}"] = once[name]
    sums = {name: add_languages(layout, values) for name, values in once.items()}
    for crowd in people.crowds:
        # One number for row and cell, to look several tables up with.
        place = people.own(crowd).astype(np.int64) * cells + cell[people.speaks[crowd.posts]]
        _put_right(sums, crowd, {name: table.ravel()[place] for name, table in chances.items()})
    return sums


def _put_right(sums: Mapping[str, Table], crowd: Crowd, chances: Mapping[str, Table]) -> None:
    starts = crowd.starts
    lengths = np.diff(np.append(starts, len(crowd.posts)))

    def add(name: str, people: Table, posts: Table) -> None:
        """Puts what is true of people in the place of the sum over their posts."""
        values = people - posts
        sums[name][:] += np.bincount(crowd.rows, values, minlength=len(sums[name]))

    add("voices", np.ones(len(starts)), lengths.astype(float))
    organic = chances[ORGANIC]
    for promotion, chance in ((ORGANIC, organic), (SPONSORED, 1 - organic)):
        posts = np.add.reduceat(chance, starts)
        add(promotion, at_least_one(chance, starts), posts)
        spread = np.add.reduceat(chance * (1 - chance), starts)
        add(f"squares:{promotion}", posts**2 + spread, posts)
    for above, below in _BALANCES:
        if above in chances:
            more, fewer = outnumber(chances[above], chances[below], starts)
            add(above, more, np.add.reduceat(chances[above], starts))
            add(below, fewer, np.add.reduceat(chances[below], starts))


def _chances(
    layout: Layout, corrector: Corrector, answers: Mapping[str, Answer]
) -> dict[str, Table]:
    """By name the probability in each slice of one language and cell."""
    shape = (layout.alone, len(corrector.cells))
    found: dict[str, Table] = {}
    for question, names in _TOLD:
        if question.name not in answers:
            continue
        found |= {name: np.zeros(shape) for name in names}
        for language in range(NEITHER + 1):
            rows = np.flatnonzero(layout.languages == language)
            if len(rows):
                prevalences = answers[question.name].prevalences[rows]
                table = corrector.posteriors(question, prevalences, language)
                for name, place in names.items():
                    found[name][rows] = table[:, :, place]
    return found
