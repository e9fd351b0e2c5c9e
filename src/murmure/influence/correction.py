"""Corrects numbers of posts for the tagger's errors, slice by slice.

For each question, such as good, bad or neither, a slice's posteriors are adapted to its own
prevalences (`adaptation`), which lean on its parent's where its posts tell little (`shrinking`),
and only as far as its run's posts look like a mix of the calibration sample's classes (`misfit`).
Each question is answered by itself, since the fewer prevalences are sought at once the better
each is found; within an answer the classes are taken to be mixed as in the calibration sample.
The table of all classes, from which every number is read, then is the one nearest to what the
model says of the slice's posts that agrees with the answers (iterative proportional fitting:
Deming and Stephan, 1940), so that numbers add up: own and shared, touchpoints, organic and
sponsored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from murmure.influence.adaptation import adapt, expect
from murmure.influence.cells import OVERALL, Cells
from murmure.influence.classes import CLASSES, OWN, QUESTIONS, Flags, Question
from murmure.influence.intervals import GRID, Errors, make_errors
from murmure.influence.misfit import misfit, trust
from murmure.influence.posteriors import NEITHER
from murmure.influence.shrinking import ROOT, USUAL, shrink, strength

Table = NDArray[np.float64]
Numbers = NDArray[np.int64]

_FITTING_ROUNDS = 4
# Tags together find own experiences best where mixes are like the calibration sample's, their own
# question where they are not: tables go so far towards its answer (found on benchmarks/counting).
_TOWARDS_OWN = 0.5


@dataclass(frozen=True, slots=True)
class Slices:
    """Histograms of slices, and which of them is each one's parent.

    Attributes:
        histograms: by question's name over its bins, and over kinds (`OVERALL`): each of shape
            (slices, bins). What is asked about a question needs its histogram.
        languages: of each slice, position in `posteriors.LANGUAGES`, or `NEITHER`.
        parents: of each slice, its parent's row; its own where it has none. A parent comes before
            its children.
    """

    histograms: Mapping[str, Table]
    languages: Numbers
    parents: Numbers

    @property
    def posts(self) -> Table:
        """How many posts each slice holds."""
        total: Table = next(iter(self.histograms.values())).sum(axis=1)
        return total

    def take(self, rows: Numbers) -> Slices:
        """Some slices, as if none had a parent."""
        taken = {name: table[rows] for name, table in self.histograms.items()}
        return Slices(taken, self.languages[rows], np.arange(len(rows)))


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found of one question.

    Attributes:
        prevalences: of shape (slices, answers), rows sum to 1; adapted as far as that is trusted.
        found: adapted all the way.
        strengths: what each slice's parent was worth to it, in posts.
        distrust: how far each slice was not adapted, from 0 to 1.
    """

    prevalences: Table
    found: Table
    strengths: Table
    distrust: Table


@dataclass(slots=True)
class Corrector:
    """Estimates numbers of posts with the cells of one model.

    Attributes:
        cells: of the model.
        strengths: by question what a parent is worth; learned with `learn`.
        trust: how far the posts of all slices are to be adapted, from 0 to 1; likewise.
    """

    cells: Cells
    strengths: dict[str, float] = field(default_factory=dict)
    trust: float = 1.0
    _errors: dict[tuple[bytes, int], Errors] = field(default_factory=dict)

    def errors(self, member: Flags, language: int) -> Errors:
        """How well what the model says tells these classes from the others."""
        key = (member.tobytes(), language)
        if key not in self._errors:
            self._errors[key] = make_errors(self.cells, member, language)
        return self._errors[key]

    def answer(
        self,
        question: Question,
        slices: Slices,
        *,
        roots: Table | None = None,
        trusted: Table | None = None,
    ) -> Answer:
        """Finds the prevalences of a question in each slice.

        Args:
            question: which.
            slices: their posts.
            roots: for slices without parent, prevalences to lean on, of shape (languages and
                neither, answers); those of the calibration sample where None.
            trusted: how far each slice is to be adapted; `trust` where None.
        """
        alone = self._alone(question, slices)
        found = np.empty_like(alone)
        strengths = np.full(len(alone), self.strengths.get(question.name, USUAL))
        own = np.arange(len(alone))
        tops = slices.parents == own
        if roots is None:
            strengths[tops] = ROOT
            roots = self.cells.bins[question.name].priors
        above = roots[slices.languages]
        ready, done = tops, np.zeros_like(tops)
        while ready.any():  # one generation after the other
            told = self._told(question, slices, alone, above, np.flatnonzero(ready))
            found[ready] = shrink(alone[ready], above[ready], told, strengths[ready])
            done |= ready
            ready = ~done & done[slices.parents]
            above[ready] = found[slices.parents[ready]]
        trusts = np.full(len(found), self.trust) if trusted is None else trusted
        # Prevalences between those that the model presupposes and those found.
        prior = self.cells.bins[question.name].priors[slices.languages]
        part = trusts[:, None]
        leaning = np.maximum(found, 1e-9) ** part * prior ** (1 - part)
        leaning /= leaning.sum(axis=1, keepdims=True)
        adapted = np.where(part == 1, found, leaning)
        return Answer(adapted, found, strengths, 1 - trusts)

    def learn(self, slices: Slices) -> None:
        """Learns what parents are worth, from the slices of all entities together."""
        children = np.flatnonzero(slices.parents != np.arange(len(slices.parents)))
        for question in QUESTIONS.values():
            alone = self._alone(question, slices)
            above = alone[slices.parents]
            told = self._told(question, slices, alone, above, children)
            self.strengths[question.name] = strength(alone[children], above[children], told)
        tops = np.flatnonzero(slices.parents == np.arange(len(slices.parents)))
        statistic, freedom = self.fit(slices.take(tops))
        self.trust = float(trust(statistic.sum(keepdims=True), freedom.sum(keepdims=True))[0])

    def fit(self, slices: Slices) -> tuple[Table, Table]:
        """How far slices are from the mixes found of them: a statistic, degrees of freedom."""
        certain = np.ones(len(slices.languages))
        answers = {
            name: self.answer(question, slices, trusted=certain)
            for name, question in QUESTIONS.items()
        }
        tables = self.tables(slices, answers, tuple(QUESTIONS))
        return misfit(self.cells, slices.histograms[OVERALL], slices.languages, tables)

    def expected(self, question: Question, slices: Slices, prevalences: Table) -> Table:
        """Posts to be expected in each answer, of shape (slices, answers)."""
        counts = np.empty(prevalences.shape)
        for language, rows in _by_language(slices.languages):
            likelihoods = self.cells.bins[question.name].likelihoods(language)
            histograms = slices.histograms[question.name][rows]
            counts[rows] = expect(histograms, likelihoods, prevalences[rows])
        return counts

    def tables(
        self, slices: Slices, answers: Mapping[str, Answer], questions: Sequence[str]
    ) -> Table:
        """Posts to be expected in each class, of shape (slices, classes).

        Args:
            slices: their posts.
            answers: what was found, by question.
            questions: those that the tables shall agree with, the last most closely; own
                experiences, where they are asked for, lie between the tags' answers and their own.
        """
        table = np.empty((len(slices.languages), len(CLASSES)))
        for language, rows in _by_language(slices.languages):
            table[rows] = slices.histograms[OVERALL][rows] @ self.cells.mixed(language)
        wanted = {
            name: self.expected(QUESTIONS[name], slices, answers[name].prevalences)
            for name in questions
        }

        def agree(name: str, part: float = 1.0) -> None:
            member = QUESTIONS[name].member.astype(float)
            table[:] *= ((wanted[name] / np.maximum(table @ member.T, 1e-12)) ** part) @ member

        for _ in range(_FITTING_ROUNDS):
            for name in questions:
                agree(name)
        if OWN.name in questions:
            agree(OWN.name, _TOWARDS_OWN)
            table *= (slices.posts / np.maximum(table.sum(axis=1), 1e-12))[:, None]
        return table

    def posteriors(self, question: Question, prevalences: Table, language: int) -> Table:
        """Probabilities of the answers in each bin, of shape (slices, bins, answers).

        Args:
            question: which.
            prevalences: of shape (slices, answers).
            language: of the slices.
        """
        likelihoods = self.cells.bins[question.name].likelihoods(language)
        joint = prevalences[:, None, :] * likelihoods[None]
        joint /= np.maximum(joint.sum(axis=2, keepdims=True), 1e-300)
        return joint

    def _alone(self, question: Question, slices: Slices) -> Table:
        found = np.empty((len(slices.languages), len(question.answers)))
        for language, rows in _by_language(slices.languages):
            bins = self.cells.bins[question.name]
            histograms = slices.histograms[question.name][rows]
            found[rows] = adapt(histograms, bins.likelihoods(language), bins.priors[language])
        return found

    def _told(
        self, question: Question, slices: Slices, alone: Table, above: Table, wanted: Numbers
    ) -> Table:
        """How many labelled posts the wanted slices' posts are worth, all answers together.

        It is looked up between what a slice says by itself and what its parent does: where none
        of its posts has an answer they tell that it is rare, though at a prevalence of 0 itself
        no post tells anything.
        """
        prevalences = (alone[wanted] + above[wanted]) / 2
        spread = np.maximum(prevalences * (1 - prevalences), 1e-4)
        part = np.empty(len(prevalences))
        for language, rows in _by_language(slices.languages[wanted]):
            each = [
                np.interp(prevalences[rows, place], GRID, self.errors(member, language).told)
                for place, member in enumerate(question.member)
            ]
            weights = spread[rows]
            part[rows] = (np.array(each).T * weights).sum(axis=1) / weights.sum(axis=1)
        return slices.posts[wanted] * part


def _by_language(languages: Numbers) -> list[tuple[int, Numbers]]:
    found = [(number, np.flatnonzero(languages == number)) for number in range(NEITHER + 1)]
    return [(number, rows) for number, rows in found if len(rows)]
