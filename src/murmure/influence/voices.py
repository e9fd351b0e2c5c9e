"""Sums over the people of each slice of an entity."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from murmure.influence.classes import ATTITUDE, OWN, TAG_QUESTIONS
from murmure.influence.correction import Answer, Corrector
from murmure.influence.layout import Layout
from murmure.influence.metrics import ORGANIC, SPONSORED
from murmure.influence.people import at_least_one, outnumber
from murmure.influence.posteriors import NEITHER

Table = NDArray[np.float64]
Numbers = NDArray[np.int64]

#: By promotion, its answer's place in the question of the tag `sponsored`.
ANSWERS = {
    ORGANIC: TAG_QUESTIONS["sponsored"].answers.index("no"),
    SPONSORED: TAG_QUESTIONS["sponsored"].answers.index("yes"),
}


def count_people(
    layout: Layout, corrector: Corrector, answers: Mapping[str, Answer]
) -> dict[str, Table]:
    """Sums over the people of each slice.

    Returns:
        Arrays of shape (slices,): voices (known for sure), organic and sponsored voices, those for
        and against, advocates and detractors; and for either promotion the expected posts and
        squares of posts of each voice, added up (`posts:organic`, `squares:organic`).
    """
    material, here = layout.material, layout.material.rows(layout.entity)
    speaks = np.flatnonzero((material.author[here] > 0) & ~material.echo[here])
    author, cell = material.author[here][speaks], material.cell[here][speaks].astype(np.int64)
    spoken = material.language[here][speaks]
    chances = _chances(layout, corrector, answers)
    names = ("voices", *ANSWERS, "for", "against", "advocates", "detractors")
    squares = tuple(f"{what}:{name}" for name in ANSWERS for what in ("posts", "squares"))
    sums = {name: np.zeros(layout.count) for name in (*names, *squares)}
    for win, place in layout.cuts():
        own = layout.row(spoken, win[speaks], place[speaks])
        for language in (spoken, np.zeros_like(spoken)):
            row = layout.row(language, win[speaks], place[speaks])
            order = np.argsort(row, kind="stable")
            rows, people = row[order], author[order]
            new = np.ones(len(rows), np.bool_)
            new[1:] = (rows[1:] != rows[:-1]) | (people[1:] != people[:-1])
            starts = np.flatnonzero(new)
            posts = own[order], cell[order]
            _add_people(sums, rows[starts], starts, {n: t[posts] for n, t in chances.items()})
    return sums


def _add_people(
    sums: Mapping[str, Table], rows: Numbers, starts: Numbers, chances: Mapping[str, Table]
) -> None:
    if not len(starts):
        return

    def add(name: str, values: Table | None = None) -> None:
        sums[name][:] += np.bincount(rows, values, minlength=len(sums[name]))

    add("voices")
    organic = chances["organic"]
    for promotion, chance in ((ORGANIC, organic), (SPONSORED, 1 - organic)):
        add(promotion, at_least_one(chance, starts))
        posts = np.add.reduceat(chance, starts)
        add(f"posts:{promotion}", posts)
        spread = np.add.reduceat(chance * (1 - chance), starts)
        add(f"squares:{promotion}", posts**2 + spread)
    for above, below, plus, minus in (
        ("for", "against", "for", "against"),
        ("advocates", "detractors", "good", "bad"),
    ):
        more, fewer = outnumber(chances[plus], chances[minus], starts)
        add(above, more)
        add(below, fewer)


def _chances(
    layout: Layout, corrector: Corrector, answers: Mapping[str, Answer]
) -> dict[str, Table]:
    """By name the probability in each slice of one language and cell."""
    shape = (layout.alone, len(corrector.cells))
    found = {name: np.zeros(shape) for name in ("organic", "for", "against", "good", "bad")}
    for language in range(NEITHER + 1):
        rows = np.flatnonzero(layout.languages == language)
        if not len(rows):
            continue
        for question, names in (
            (TAG_QUESTIONS["sponsored"], {"organic": ANSWERS[ORGANIC]}),
            (ATTITUDE, {"for": 0, "against": 1}),
            (OWN, {"good": 0, "bad": 1}),
        ):
            if question.name not in answers:
                continue
            prevalences = answers[question.name].prevalences[rows]
            table = corrector.posteriors(question, prevalences, language)
            for name, place in names.items():
                found[name][rows] = table[:, :, place]
    return found
