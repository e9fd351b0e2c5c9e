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
    layout = people.layout
    told = {question.name: names for question, names in _TOLD if question.name in answers}
    cell, cuts = layout.material.cell[layout.here], corrector.cells.bins_of(told)
    posts = histograms(layout, cuts, people.speaking)
    chances = _chances(layout, corrector, answers)
    once = {
        name: (posts[question] * chances[name]).sum(axis=1)
        for question, names in told.items()
        for name in names
    }
    once["voices"] = next(iter(posts.values())).sum(axis=1)
    once[SPONSORED] = once["voices"] - once[ORGANIC]
    for name in ANSWERS:  # the square of what is there or not is itself
        once[f"posts:{name}"] = once[f"squares:{name}"] = once[name]
    sums = {name: add_languages(layout, values) for name, values in once.items()}
    for crowd in people.crowds:
        row, spoken = people.own(crowd).astype(np.int64), cell[people.speaks[crowd.posts]]
        looked_up: dict[str, Table] = {}
        for question, names in told.items():
            # One number for row and bin, to look several tables up with.
            place = row * posts[question].shape[1] + cuts[question][spoken]
            looked_up |= {name: chances[name].ravel()[place] for name in names}
        _put_right(sums, crowd, looked_up)
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
    """By name the probability in each slice of one language and bin of its question."""
    found: dict[str, Table] = {}
    for question, names in _TOLD:
        if question.name not in answers:
            continue
        bins = len(corrector.cells.bins[question.name])
        found |= {name: np.zeros((layout.alone, bins)) for name in names}
        for language in range(NEITHER + 1):
            rows = np.flatnonzero(layout.languages == language)
            if len(rows):
                prevalences = answers[question.name].prevalences[rows]
                table = corrector.posteriors(question, prevalences, language)
                for name, place in names.items():
                    found[name][rows] = table[:, :, place]
    return found
