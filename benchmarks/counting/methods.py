"""What is measured on the bags: raw counts, our estimates, the same audited, and an oracle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.counting.protocol import Target
from murmure.influence.audited import from_sample
from murmure.influence.cells import OVERALL, Cells
from murmure.influence.classes import OWN, QUESTIONS
from murmure.influence.correction import Answer, Corrector, Slices
from murmure.influence.grid import Cell
from murmure.influence.intervals import independent
from murmure.influence.misfit import misfit, trust
from murmure.influence.people import outnumber
from murmure.influence.posteriors import Sample

Table = NDArray[np.float64]
Numbers = NDArray[np.int64]

Z = 1.959963984540054
#: Labels of an audit.
AUDIT = 300


@dataclass(slots=True)
class Found:
    """Numbers that a method found, one a bag, with intervals."""

    estimate: Table
    low: Table
    high: Table


@dataclass(frozen=True, slots=True)
class Seen:
    """Bags of one language as our estimator sees them.

    Attributes:
        language: position in `LANGUAGES`.
        slices: their histograms.
        answers: what was found of each question.
        tables: posts found in each class, of shape (bags, classes).
        worth: how many posts of different people the posts of each bag are worth.
    """

    language: int
    slices: Slices
    answers: dict[str, Answer]
    tables: Table
    worth: Table


class Ours:
    """The estimator that counts use, on bags by themselves: each is a run of one slice."""

    def __init__(self, cells: Cells, pool: Sample, authors: Numbers) -> None:
        self.corrector = Corrector(cells)
        self.authors = authors
        self.cell = cells.assign(pool.probabilities)
        self.kind = cells.kind[self.cell]

    def see(self, posts: Numbers, language: int) -> Seen:
        """Adapts all questions to each bag, as `influence.estimates` does to a slice."""
        rows = np.arange(len(posts))
        cuts = self.corrector.cells.bins_of((*QUESTIONS, OVERALL))
        histograms = {name: _histograms(bins, self.cell[posts]) for name, bins in cuts.items()}
        slices = Slices(histograms, np.full(len(posts), language), rows)
        # A bag is a run, whose trust is its own: as in `Corrector.fit`, but keeping what was found.
        answers, tables = self._adapt(slices, np.ones(len(rows)))
        trusts = trust(
            *misfit(self.corrector.cells, slices.histograms[OVERALL], slices.languages, tables)
        )
        if (trusts < 1).any():
            answers, tables = self._adapt(slices, trusts)
        _, starts, bag = people_of(self.authors[posts])
        written = np.diff(np.append(starts, posts.size))
        pairs = np.bincount(bag, written * (written - 1.0), minlength=len(posts))
        worth = independent(slices.posts, pairs.astype(np.float64))
        return Seen(language, slices, answers, tables, worth)

    def _adapt(self, slices: Slices, trusts: Table) -> tuple[dict[str, Answer], Table]:
        answers = {
            name: self.corrector.answer(question, slices, trusted=trusts)
            for name, question in QUESTIONS.items()
        }
        return answers, self.corrector.tables(slices, answers, tuple(QUESTIONS))

    def count(self, seen: Seen, target: Target) -> Found:
        """How many posts of each bag are in the target's classes.

        A tag's labels are what the tag's own question finds; the joint is read from the table of
        all classes, as counts are.
        """
        n = seen.slices.posts
        answer = seen.answers["own" if target.tag == "joint" else target.tag]
        if target.tag == "joint":
            value = seen.tables[:, target.member].sum(axis=1)
        else:
            question = QUESTIONS[target.tag]
            found = self.corrector.expected(question, seen.slices, answer.prevalences)
            value = found[:, question.answers.index(target.label)]
        value = np.clip(value, 0, n)
        low, high = self.corrector.errors(target.member, seen.language).bounds(
            value / n, seen.worth, z=Z, strength=answer.strengths, distrust=answer.distrust
        )
        return Found(value, np.minimum(low * n, value), np.maximum(high * n, value))

    def said(self, seen: Seen, target: Target) -> Table:
        """How likely a post of each kind is one of the target's, of shape (bags, kinds)."""
        before = self.corrector.cells.mixed(seen.language)
        factor = seen.tables / np.maximum(seen.slices.histograms[OVERALL] @ before, 1e-12)
        found: Table = (factor * target.member) @ before.T
        return found

    def detractors(self, seen: Seen, posts: Numbers, authors: Numbers) -> Found:
        """How many people's bad own organic posts outnumber their good ones."""
        answer = seen.answers["own"]
        chances = self.corrector.posteriors(OWN, answer.prevalences, seen.language)
        order, starts, bag = people_of(authors[posts])
        place = self.corrector.cells.bins[OWN.name].of[self.cell[posts]].ravel()[order]
        good, bad = (chances[order // posts.shape[1], place, answer] for answer in (0, 1))
        _, behind = outnumber(good, bad, starts)
        value = np.bincount(bag, behind, minlength=len(posts)).astype(float)
        n = np.bincount(bag, minlength=len(posts)).astype(float)
        low, high = self.corrector.errors(OWN.member[1], seen.language).bounds(
            value / n, n, z=Z, strength=answer.strengths, distrust=answer.distrust
        )
        return Found(value, np.minimum(low * n, value), np.maximum(high * n, value))


def _histograms(bins: NDArray[np.uint8], cells: Cell) -> Table:
    """How many posts of each bag are in each bin, from the cells of all, of shape (bags, size)."""
    many, wide = len(cells), int(bins.max()) + 1
    flat = (np.arange(many)[:, None] * wide + bins[cells]).ravel()
    return np.bincount(flat, minlength=many * wide).reshape(many, wide).astype(float)


def people_of(authors: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Posts by person and bag.

    Args:
        authors: of shape (bags, size).

    Returns:
        The order of the posts that puts each person's together, where each person's begin in it,
        and the bag of each person.
    """
    bags = np.repeat(np.arange(len(authors)), authors.shape[1])
    key = bags * (int(authors.max()) + 1) + authors.ravel()
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    return order, starts, bags[order[starts]]


def known_detractors(classes: Numbers, authors: Numbers) -> tuple[Table, Table]:
    """Of posts whose classes are known, by bag: detractors, and people.

    Args:
        classes: of shape (bags, size).
        authors: of the same shape.
    """
    order, starts, bag = people_of(authors)
    balance = OWN.member[1].astype(int) - OWN.member[0].astype(int)
    behind = np.add.reduceat(balance[classes].ravel()[order], starts) > 0
    people = np.bincount(bag, minlength=len(classes)).astype(float)
    return np.bincount(bag, behind, minlength=len(classes)).astype(float), people


def audit(
    found: Found,
    told: Table,
    truth: NDArray[np.bool_],
    authors: Numbers,
    *,
    labels: int,
    generator: np.random.Generator,
) -> Found:
    """Our estimates after an audit of each bag.

    Args:
        found: before.
        told: of shape (bags, size): how likely each post is one of the target's.
        truth: of the same shape: whether it is.
        authors: of the same shape.
        labels: how many posts of each bag are labelled.
        generator: draws them.
    """
    many, size = told.shape
    estimate, low, high = np.empty(many), np.empty(many), np.empty(many)
    deviation = (found.high - found.low) / (2 * Z)
    for bag in range(many):
        sampled = generator.choice(size, labels, replace=False)
        after = from_sample(
            found.estimate[[bag]],
            size,
            told[bag, sampled, None],
            truth[bag, sampled, None].astype(float),
            clusters=authors[bag, sampled],
            model=(found.estimate[[bag]], np.maximum(deviation[[bag]], 1e-9)),
        )
        estimate[bag], low[bag], high[bag] = after.estimate[0], after.low[0], after.high[0]
    return Found(estimate, low, high)


def oracle_width(raw_rate: float, rest_rate: float, positives: int, size: int) -> float:
    """Width of the 95 % interval of counts put right with the true confusion matrix.

    Args:
        raw_rate: share of the label's posts that get it.
        rest_rate: share of all others that get it.
        positives: posts that have the label.
        size: posts.
    """
    apart = max(abs(raw_rate - rest_rate), 1e-6)
    noise = positives * raw_rate * (1 - raw_rate)
    noise += (size - positives) * rest_rate * (1 - rest_rate)
    return float(min(2 * Z * np.sqrt(noise) / apart, size))
