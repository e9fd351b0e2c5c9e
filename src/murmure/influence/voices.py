"""Sums over the people of each slice, from probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
Numbers = NDArray[np.signedinteger[Any]]

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


@dataclass(frozen=True, slots=True)
class Chances:
    """How likely each post says what is told of it.

    Attributes:
        tables: by question's name and what is told, of shape (slices of one language, bins).
        bins: by question's name, the bin of each cell.
    """

    tables: Mapping[str, Mapping[str, Table]]
    bins: Mapping[str, NDArray[np.uint8]]

    def of(self, row: NDArray[Any], cell: NDArray[Any]) -> dict[str, Table]:
        """What is told of posts, by name.

        Args:
            row: of each post its slice of one language.
            cell: what the model says of it.
        """
        found: dict[str, Table] = {}
        for question, tables in self.tables.items():
            width = next(iter(tables.values())).shape[1]
            # One number for row and bin, to look several tables up with.
            place = row.astype(np.int64) * width + self.bins[question][cell]
            found |= {name: table.ravel()[place] for name, table in tables.items()}
        return found


def find_chances(layout: Layout, corrector: Corrector, answers: Mapping[str, Answer]) -> Chances:
    """How likely posts say so, in each slice of one language.

    Args:
        layout: the slices.
        corrector: of the model.
        answers: what was found, by question; what rests on others is not told.
    """
    found: dict[str, dict[str, Table]] = {}
    for question, names in _TOLD:
        if question.name not in answers:
            continue
        bins = len(corrector.cells.bins[question.name])
        tables = {name: np.zeros((layout.alone, bins)) for name in names}
        for language in range(NEITHER + 1):
            rows = np.flatnonzero(layout.languages == language)
            if len(rows):
                prevalences = answers[question.name].prevalences[rows]
                table = corrector.posteriors(question, prevalences, language)
                for name, place in names.items():
                    tables[name][rows] = table[:, :, place]
        found[question.name] = tables
    return Chances(found, corrector.cells.bins_of(found))


def count_people(people: People, chances: Chances) -> dict[str, Table]:
    """Sums over the people of each slice.

    Args:
        people: of entities.
        chances: in their slices.

    Returns:
        Arrays of shape (slices,): voices and their posts (`speaking`), both known for sure; organic
        and sponsored voices, those for and against, advocates and detractors; and for either
        promotion the expected posts and squares of posts of each voice, added up
        (`posts:organic`, `squares:organic`).
    """
    layout = people.layout
    cell = layout.material.cell[layout.here]
    posts = histograms(layout, chances.bins, people.speaking)
    once = {
        name: (posts[question] * table).sum(axis=1)
        for question, tables in chances.tables.items()
        for name, table in tables.items()
    }
    once["voices"] = once["speaking"] = next(iter(posts.values())).sum(axis=1)
    once[SPONSORED] = once["voices"] - once[ORGANIC]
    for name in ANSWERS:  # the square of what is there or not is itself
        once[f"posts:{name}"] = once[f"squares:{name}"] = once[name]
    sums = {name: add_languages(layout, values) for name, values in once.items()}
    for crowd in people.crowds:
        _put_right(sums, crowd, chances.of(people.own(crowd), cell[people.speaks[crowd.posts]]))
    return sums


def weigh(chances: Mapping[str, Table], starts: Numbers) -> dict[str, Table]:
    """How likely the posts of each person, taken together, say so.

    Args:
        chances: of posts, as `Chances.of` gives them; posts of one person together.
        starts: where each person's begin.

    Example:
        >>> found = weigh({"organic": np.array([0.5, 0.5])}, np.array([0]))
        >>> {name: float(people[0]) for name, people in found.items()}
        {'organic': 0.75, 'sponsored': 0.75}
    """
    organic = chances[ORGANIC]
    found = {
        ORGANIC: at_least_one(organic, starts),
        SPONSORED: at_least_one(1 - organic, starts),
    }
    for above, below in _BALANCES:
        if above in chances:
            found[above], found[below] = outnumber(chances[above], chances[below], starts)
    return found


def _put_right(sums: Mapping[str, Table], crowd: Crowd, chances: Mapping[str, Table]) -> None:
    starts = crowd.starts
    lengths = np.diff(np.append(starts, len(crowd.posts)))

    def add(name: str, people: Table, posts: Table) -> None:
        """Puts what is true of people in the place of the sum over their posts."""
        values = people - posts
        sums[name][:] += np.bincount(crowd.rows, values, minlength=len(sums[name]))

    add("voices", np.ones(len(starts)), lengths.astype(float))
    told = {**chances, SPONSORED: 1 - chances[ORGANIC]}
    for name, values in weigh(chances, starts).items():
        add(name, values, np.add.reduceat(told[name], starts))
    for promotion in ANSWERS:
        chance = told[promotion]
        posts = np.add.reduceat(chance, starts)
        spread = np.add.reduceat(chance * (1 - chance), starts)
        add(f"squares:{promotion}", posts**2 + spread, posts)
