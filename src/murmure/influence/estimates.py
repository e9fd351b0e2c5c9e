"""Estimates and intervals of all numbers of entities' slices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from murmure.influence.auditing import Labels, audit_numbers
from murmure.influence.cells import OVERALL
from murmure.influence.classes import ATTITUDE, OWN, QUESTIONS, TAG_QUESTIONS, Flags, where
from murmure.influence.correction import Answer, Corrector, Slices
from murmure.influence.crowds import People
from murmure.influence.intervals import Sizes, find_bounds, independent
from murmure.influence.layout import Layout, add_languages, histograms, kinds, originals
from murmure.influence.metrics import ALL, ORGANIC
from murmure.influence.numbers import OF_ORIGINALS, OF_POSTS, Number, members, wider
from murmure.influence.voices import ANSWERS, count_people

Table = NDArray[np.float64]
Numbers = NDArray[np.int64]
Key = tuple[str, str, str, str, str]

_SPONSORED = TAG_QUESTIONS["sponsored"]
_POST_QUESTIONS = ("attitude", "sentiment", "sponsored")
_ORGANIC = where(sponsored="no")
_FOR, _AGAINST, _ = ATTITUDE.member
_GOOD, _BAD, _ = OWN.member


@dataclass(frozen=True, slots=True)
class Estimated:
    """One number in all slices of entities, each array of shape (slices,); NaN is not known."""

    estimate: Table
    low: Table
    high: Table

    @staticmethod
    def within(estimate: Table, low: Table, high: Table, top: Table | float) -> Estimated:
        """Numbers put into [0, `top`], with `low` at most and `high` at least the estimate."""
        estimate = np.clip(estimate, 0, top)
        low, high = np.clip(low, 0, estimate), np.clip(np.maximum(high, estimate), 0, top)
        return Estimated(estimate, low, high)


@dataclass(slots=True)
class Estimator:
    """Estimates the numbers of entities, "all" first.

    Attributes:
        corrector: of the model.
        z: how many standard deviations make an interval.
        level: how often it shall cover the truth.
        labels: of an audit; None where there was none.
        roots: by question, prevalences of all entities together, of shape (languages and neither,
            answers); empty until the first entity, "all", was estimated.
        used: the labels of the audit that changed a number of the entities estimated so far.
    """

    corrector: Corrector
    z: float
    level: float = 0.95
    labels: Labels | None = None
    roots: dict[str, Table] = field(default_factory=dict)
    used: set[int] = field(default_factory=set)

    def estimate(self, people: People, *, rivals: Table | None = None) -> dict[Key, Estimated]:
        """All numbers of entities that rest on labels.

        Args:
            people: the entities'. Those of "all" must be the first that are asked for.
            rivals: of each row the organic voices of the entity's group together, for its share.

        Returns:
            By promotion, metric, experience, touchpoint and sentiment.
        """
        found = self._all_but_share(people)
        if rivals is not None:
            voices = found[ORGANIC, "voices", ALL, ALL, ALL]
            found[ORGANIC, "share", ALL, ALL, ALL] = _share(voices, rivals)
        return found

    def organic_voices(self, people: People) -> Table:
        """Organic voices of a group's people, in each of their slices."""
        layout = people.layout
        name = _SPONSORED.name
        counts = histograms(layout, self.corrector.cells.bins_of([name]), originals(layout))
        slices = Slices(counts, layout.languages, layout.parents)
        answer = self.corrector.answer(_SPONSORED, slices, roots=self.roots.get(name))
        return count_people(people, self.corrector, {name: answer})[ORGANIC]

    def _all_but_share(self, people: People) -> dict[Key, Estimated]:
        layout = people.layout
        echo = layout.material.echo[layout.here]
        nobody = layout.material.author[layout.here] == 0
        cuts = self.corrector.cells.bins_of((*QUESTIONS, OVERALL))
        of_promotion = {_SPONSORED.name: cuts[_SPONSORED.name]}

        def slices(cuts: Mapping[str, NDArray[np.uint8]], chosen: Flags | None) -> Slices:
            return Slices(histograms(layout, cuts, chosen), layout.languages, layout.parents)

        posts, unknown = slices(cuts, None), slices(of_promotion, nobody)
        # Echoes are few: what is no echo is found by taking them away.
        echoes = slices(cuts, echo)
        left = {name: posts.histograms[name] - echoes.histograms[name] for name in cuts}
        firsts = Slices(left, layout.languages, layout.parents)
        if not self.corrector.strengths:
            self.corrector.learn(firsts)
        answers = self._answers(firsts, tuple(QUESTIONS))
        of_posts = answers if not echo.any() else self._answers(posts, _POST_QUESTIONS)
        if not self.roots:
            self.roots.update(self._roots(firsts, answers))
        pairs = people.pairs()
        found: dict[Key, Estimated] = {}
        found |= self._posts(layout, posts, of_posts, OF_POSTS, pairs=pairs)
        found |= self._posts(layout, firsts, answers, OF_ORIGINALS, pairs=pairs)
        for metric, some in (("echoes", echoes), ("unknown_authors", unknown)):
            counts = self.corrector.expected(_SPONSORED, some, of_posts["sponsored"].prevalences)
            for promotion, place in ANSWERS.items():
                member = _SPONSORED.member[place]
                n = add_languages(layout, some.posts)
                value = add_languages(layout, counts[:, place])
                key = (promotion, metric, ALL, ALL, ALL)
                found[key] = self._bounded(
                    layout, value, n, member=member, answer=of_posts["sponsored"]
                )
        return found | self._people(people, answers)

    def _answers(self, slices: Slices, names: tuple[str, ...]) -> dict[str, Answer]:
        return {
            name: self.corrector.answer(QUESTIONS[name], slices, roots=self.roots.get(name))
            for name in names
        }

    def _roots(self, slices: Slices, answers: Mapping[str, Answer]) -> dict[str, Table]:
        """The prevalences of all entities, by language, for the others to lean on."""
        tops = np.flatnonzero(slices.parents == np.arange(len(slices.parents)))
        roots = {}
        for name, answer in answers.items():
            table = self.corrector.cells.bins[name].priors.copy()
            table[slices.languages[tops]] = answer.found[tops]
            roots[name] = table
        return roots

    def _posts(
        self,
        layout: Layout,
        slices: Slices,
        answers: Mapping[str, Answer],
        numbers: tuple[Number, ...],
        *,
        pairs: Table,
    ) -> dict[Key, Estimated]:
        table = self.corrector.tables(slices, answers, tuple(answers))
        values = add_languages(layout, table @ members(numbers).T.astype(float))
        n = add_languages(layout, slices.posts)
        found = self._bounded_all(layout, values, n, numbers, answers, pairs=pairs)
        # A part is no more than the whole: what hardly has labelled posts is bounded by what has.
        for number, places in zip(numbers, wider(numbers), strict=True):
            part = found[number.key]
            for place in places:
                whole = found[numbers[place].key].high
                np.minimum(part.high, np.maximum(whole, part.estimate), out=part.high)
        if self.labels is not None and len(self.labels):
            self._audit(self.labels, layout, slices, table=table, numbers=numbers, found=found)
        return found

    def _audit(
        self,
        labels: Labels,
        layout: Layout,
        slices: Slices,
        *,
        table: Table,
        numbers: tuple[Number, ...],
        found: dict[Key, Estimated],
    ) -> None:
        """Puts audited numbers in the place of the model's, where there are labels enough."""
        wanted = members(numbers).T.astype(float)
        cells = self.corrector.cells

        class Said(dict[int, Table]):
            def __missing__(self, row: int) -> Table:
                before = cells.mixed(int(slices.languages[row]))
                factor = table[row] / np.maximum(slices.histograms[OVERALL][row] @ before, 1e-12)
                self[row] = (before * factor) @ wanted
                return self[row]

        values = np.array([found[number.key].estimate for number in numbers]).T
        reach = np.array([found[n.key].high - found[n.key].low for n in numbers]).T
        audit = audit_numbers(
            labels,
            layout,
            numbers,
            Said(),
            values=values,
            deviations=reach / (2 * self.z),
            n=add_languages(layout, slices.posts),
            level=self.level,
            originals=numbers is OF_ORIGINALS,
        )
        self.used.update(audit.used)
        for place, number in enumerate(numbers):
            estimated = found[number.key]
            estimated.estimate[audit.rows] = audit.estimate[:, place]
            estimated.low[audit.rows] = audit.low[:, place]
            estimated.high[audit.rows] = audit.high[:, place]

    def _bounded_all(
        self,
        layout: Layout,
        values: Table,
        n: Table,
        numbers: tuple[Number, ...],
        answers: Mapping[str, Answer],
        *,
        pairs: Table,
    ) -> dict[Key, Estimated]:
        """As `_bounded` for several numbers of the same posts, of shape (slices, numbers)."""
        low, high = np.zeros(values.shape), np.zeros(values.shape)
        shares = np.clip(values / np.maximum(n, 1e-9)[:, None], 0, 1)
        worth = independent(n, pairs)
        for question in {number.question: None for number in numbers}:
            some = [at for at, number in enumerate(numbers) if number.question == question]
            strengths = _strengths(layout, answers[question])
            for language, rows in kinds(layout):
                errors = [self.corrector.errors(numbers[at].member, language) for at in some]
                like = Sizes.of(worth[rows], strengths[rows], 1 - self.corrector.trust)
                at = np.ix_(rows, np.array(some))
                bounds = find_bounds(errors, like, shares[at].T, z=self.z)
                low[at], high[at] = bounds[0].T, bounds[1].T
        top = n[:, None]
        found = Estimated.within(values, low * top, high * top, top)
        return {
            number.key: Estimated(found.estimate[:, at], found.low[:, at], found.high[:, at])
            for at, number in enumerate(numbers)
        }

    def _bounded(
        self,
        layout: Layout,
        value: Table,
        n: Table,
        *,
        member: Flags,
        answer: Answer,
    ) -> Estimated:
        """A number of `n` posts or people with its interval, in every slice."""
        strengths = _strengths(layout, answer)
        share = np.clip(value / np.maximum(n, 1e-9), 0, 1)
        low, high = np.zeros(len(value)), np.zeros(len(value))
        for language, rows in kinds(layout):
            errors = self.corrector.errors(member, language)
            low[rows], high[rows] = errors.bounds(
                share[rows],
                n[rows],
                z=self.z,
                strength=strengths[rows],
                distrust=1 - self.corrector.trust,
            )
        return Estimated.within(value, low * n, high * n, n)

    def _deviation(
        self, layout: Layout, value: Table, n: Table, member: Flags, answer: Answer
    ) -> Table:
        strengths = _strengths(layout, answer)
        share = np.clip(value / np.maximum(n, 1e-9), 0, 1)
        found = np.zeros(len(value))
        for language, rows in kinds(layout):
            errors = self.corrector.errors(member, language)
            found[rows] = errors.deviation(
                share[rows], n[rows], strengths[rows], distrust=1 - self.corrector.trust
            )
        deviation: Table = found * n
        return deviation

    def _people(self, people: People, answers: Mapping[str, Answer]) -> dict[Key, Estimated]:
        layout = people.layout
        sums = count_people(people, self.corrector, answers)
        voices = sums["voices"]
        found: dict[Key, Estimated] = {}
        for promotion, place in ANSWERS.items():
            member = _SPONSORED.member[place]
            whole = (promotion, "voices", ALL, ALL, ALL)
            found[whole] = self._bounded(
                layout, sums[promotion], voices, member=member, answer=answers["sponsored"]
            )
            key = (promotion, "concentration", ALL, ALL, ALL)
            found[key] = _concentration(sums, promotion, found[whole])
        for name, member in (("advocates", _GOOD), ("detractors", _BAD)):
            key = (ORGANIC, name, ALL, ALL, ALL)
            found[key] = self._bounded(
                layout, sums[name], voices, member=member, answer=answers["own"]
            )
        organic = found[ORGANIC, "voices", ALL, ALL, ALL]
        found[ORGANIC, "influence", ALL, ALL, ALL] = self._influence(
            layout, sums, organic, answers["attitude"]
        )
        return found

    def _influence(
        self, layout: Layout, sums: Mapping[str, Table], organic: Estimated, answer: Answer
    ) -> Estimated:
        voices, ahead, behind = sums["voices"], sums["for"], sums["against"]

        def deviation(value: Table, member: Flags) -> Table:
            return self._deviation(layout, value, voices, member, answer)

        # Var(a - b) = 2 Var(a) + 2 Var(b) - Var(a + b)
        of_each = deviation(ahead, _FOR) ** 2 + deviation(behind, _AGAINST) ** 2
        of_both = deviation(ahead + behind, _FOR | _AGAINST) ** 2
        spread = self.z * np.sqrt(np.maximum(2 * of_each - of_both, of_each / 4))
        known = np.maximum(organic.estimate, 1e-9)
        value = np.clip((ahead - behind) / known, -1, 1)
        whole = (organic.high - organic.low) / 2 * np.abs(value)
        reach = np.sqrt(spread**2 + whole**2) / known
        empty = organic.estimate < 0.5  # nobody's influence is not known
        scale = np.where(empty, np.nan, 100.0)
        low, high = np.clip(value - reach, -1, value), np.clip(value + reach, value, 1)
        return Estimated(scale * value, scale * low, scale * high)


def _share(voices: Estimated, rivals: Table) -> Estimated:
    group = np.maximum(rivals, voices.estimate)
    others = group - voices.estimate
    known = group >= 0.5

    def share(number: Table) -> Table:
        return np.where(known, number / np.maximum(number + others, 1e-9), np.nan)

    return Estimated(share(voices.estimate), share(voices.low), share(voices.high))


def _concentration(sums: Mapping[str, Table], promotion: str, voices: Estimated) -> Estimated:
    posts, squares = sums[f"posts:{promotion}"], sums[f"squares:{promotion}"]
    none = (voices.estimate < 0.5) | (squares <= 0)
    value = np.where(none, np.nan, posts**2 / np.maximum(squares, 1e-9))
    value = np.clip(value, 1, np.maximum(voices.estimate, 1))
    # The mix of organic and sponsored moves it as it moves the voices.
    known = np.maximum(voices.estimate, 1e-9)
    low, high = value * voices.low / known, value * voices.high / known
    most = np.maximum(sums["voices"], 1)
    high = np.minimum(np.maximum(high, value), np.maximum(most, value))
    return Estimated(value, np.maximum(np.minimum(low, value), 1), high)


def _strengths(layout: Layout, answer: Answer) -> Table:
    return add_languages(layout, answer.strengths)
