"""Estimates and intervals of all numbers of entities' slices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from murmure.influence.audited_people import NAMES, NET, audit_people, numbers_of
from murmure.influence.auditing import Labels, audit_numbers
from murmure.influence.cells import OVERALL
from murmure.influence.classes import ATTITUDE, OWN, QUESTIONS, TAG_QUESTIONS, Flags, where
from murmure.influence.correction import Answer, Corrector, Slices
from murmure.influence.crowds import People, copy_pairs
from murmure.influence.estimated import (
    Estimated,
    find_concentration,
    find_influence,
    find_share,
)
from murmure.influence.intervals import Sizes, find_bounds, independent
from murmure.influence.layout import Layout, add_languages, histograms, kinds, originals
from murmure.influence.metrics import ALL, ORGANIC
from murmure.influence.numbers import OF_ORIGINALS, OF_POSTS, SHOWN, Number, members, wider
from murmure.influence.slices import SPLITS
from murmure.influence.voices import ANSWERS, Chances, count_people, find_chances

Table = NDArray[np.float64]
Numbers = NDArray[np.int64]
Key = tuple[str, str, str, str, str]

_PLACES = {
    (split.promotion, split.metric, split.experience, split.touchpoint, split.sentiment): place
    for place, split in enumerate(SPLITS)
}
_SPONSORED = TAG_QUESTIONS["sponsored"]
_POST_QUESTIONS = ("attitude", "sentiment", "sponsored")
_ORGANIC = where(sponsored="no")
_FOR, _AGAINST, _ = ATTITUDE.member
_GOOD, _BAD, _ = OWN.member


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

    def estimate(
        self, people: People, *, rivals: Table | None = None, splits: Numbers | None = None
    ) -> dict[Key, Estimated]:
        """All numbers of entities that rest on labels.

        Args:
            people: the entities'. Those of "all" must be the first that are asked for.
            rivals: of each row the organic voices of the entity's group together, for its share.
            splits: what labels say, as `slices.count_labels` gives it. Numbers that are 0 by label
                and below `numbers.SHOWN` by estimate, which are not written, then get no interval.

        Returns:
            By promotion, metric, experience, touchpoint and sentiment.
        """
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
        worth = independent(add_languages(layout, posts.posts), pairs, copy_pairs(layout))
        found: dict[Key, Estimated] = {}
        found |= self._posts(layout, posts, of_posts, OF_POSTS, worth=worth, splits=splits)
        worth = independent(add_languages(layout, firsts.posts), pairs)
        found |= self._posts(layout, firsts, answers, OF_ORIGINALS, worth=worth, splits=splits)
        for metric, some, chosen in (
            ("echoes", echoes, echo),
            ("unknown_authors", unknown, nobody),
        ):
            copies = copy_pairs(layout, chosen)
            counts = self.corrector.expected(_SPONSORED, some, of_posts["sponsored"].prevalences)
            for promotion, place in ANSWERS.items():
                member = _SPONSORED.member[place]
                n = add_languages(layout, some.posts)
                value = add_languages(layout, counts[:, place])
                key = (promotion, metric, ALL, ALL, ALL)
                found[key] = self._bounded(
                    layout,
                    value,
                    n,
                    member=member,
                    answer=of_posts["sponsored"],
                    worth=independent(n, np.zeros(len(n)), copies),
                )
        return found | self._people(people, answers, rivals)

    def organic_voices(self, people: People) -> Table:
        """Organic voices of a group's people, in each of their slices."""
        layout = people.layout
        name = _SPONSORED.name
        counts = histograms(layout, self.corrector.cells.bins_of([name]), originals(layout))
        slices = Slices(counts, layout.languages, layout.parents)
        answer = self.corrector.answer(_SPONSORED, slices, roots=self.roots.get(name))
        chances = find_chances(layout, self.corrector, {name: answer})
        return count_people(people, chances)[ORGANIC]

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
        worth: Table,
        splits: Numbers | None,
    ) -> dict[Key, Estimated]:
        asked = tuple(answers) if numbers is OF_ORIGINALS else _POST_QUESTIONS
        table = self.corrector.tables(slices, answers, asked)
        values = add_languages(layout, table @ members(numbers).T.astype(float))
        n = add_languages(layout, slices.posts)
        wanted = _wanted(values, numbers, splits)
        found = self._bounded_all(layout, values, n, numbers, answers, worth=worth, wanted=wanted)
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
            three = audit.estimate[:, place], audit.low[:, place], audit.high[:, place]
            found[number.key].put(audit.rows, Estimated(*three, audit.labels))

    def _bounded_all(
        self,
        layout: Layout,
        values: Table,
        n: Table,
        numbers: tuple[Number, ...],
        answers: Mapping[str, Answer],
        *,
        worth: Table,
        wanted: Flags | None,
    ) -> dict[Key, Estimated]:
        """As `_bounded` for several numbers of the same posts, of shape (slices, numbers)."""
        low, high = np.zeros(values.shape), np.zeros(values.shape)
        shares = np.clip(values / np.maximum(n, 1e-9)[:, None], 0, 1)
        for question in {number.question: None for number in numbers}:
            some = [at for at, number in enumerate(numbers) if number.question == question]
            strengths = _strengths(layout, answers[question])
            for language, rows in kinds(layout):
                errors = [self.corrector.errors(numbers[at].member, language) for at in some]
                like = Sizes.of(worth[rows], strengths[rows], 1 - self.corrector.trust)
                at = np.ix_(rows, np.array(some))
                asked = None if wanted is None else wanted[at].T
                bounds = find_bounds(errors, like, shares[at].T, z=self.z, wanted=asked)
                low[at], high[at] = bounds[0].T, bounds[1].T
        top = n[:, None]
        found = Estimated.within(values, low * top, high * top, top)
        return {
            number.key: Estimated(
                found.estimate[:, at], found.low[:, at], found.high[:, at], found.labels.copy()
            )
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
        worth: Table | None = None,
    ) -> Estimated:
        """A number of `n` posts or people with its interval, in every slice.

        `worth` is how many independent ones they are worth; `n` where None.
        """
        strengths = _strengths(layout, answer)
        share = np.clip(value / np.maximum(n, 1e-9), 0, 1)
        low, high = np.zeros(len(value)), np.zeros(len(value))
        for language, rows in kinds(layout):
            errors = self.corrector.errors(member, language)
            low[rows], high[rows] = errors.bounds(
                share[rows],
                (n if worth is None else worth)[rows],
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

    def _people(
        self, people: People, answers: Mapping[str, Answer], rivals: Table | None
    ) -> dict[Key, Estimated]:
        layout = people.layout
        chances = find_chances(layout, self.corrector, answers)
        sums = count_people(people, chances)
        voices = sums["voices"]
        numbers = {
            promotion: self._bounded(
                layout,
                sums[promotion],
                voices,
                member=_SPONSORED.member[place],
                answer=answers["sponsored"],
            )
            for promotion, place in ANSWERS.items()
        }
        for name, member in (("advocates", _GOOD), ("detractors", _BAD)):
            numbers[name] = self._bounded(
                layout, sums[name], voices, member=member, answer=answers["own"]
            )
        numbers[NET] = self._net(layout, sums, answers["attitude"])
        told = numbers[ORGANIC].estimate.copy()
        if self.labels is not None and len(self.labels):
            self._audit_people(self.labels, people, chances, sums=sums, numbers=numbers)
        organic = numbers[ORGANIC]
        found = {
            (ORGANIC, name, ALL, ALL, ALL): numbers[name] for name in ("advocates", "detractors")
        }
        for promotion in ANSWERS:
            found[promotion, "voices", ALL, ALL, ALL] = numbers[promotion]
            found[promotion, "concentration", ALL, ALL, ALL] = find_concentration(
                sums, promotion, numbers[promotion]
            )
        found[ORGANIC, "influence", ALL, ALL, ALL] = find_influence(numbers[NET], voices, organic)
        if rivals is not None:
            # Whom an audit finds here, it finds in the group.
            group = rivals + organic.estimate - told
            found[ORGANIC, "share", ALL, ALL, ALL] = find_share(organic, group)
        return found

    def _net(self, layout: Layout, sums: Mapping[str, Table], answer: Answer) -> Estimated:
        """Half the voices and half of how many more are for than against."""
        voices, ahead, behind = sums["voices"], sums["for"], sums["against"]
        net = numbers_of(sums)[NET]

        def deviation(value: Table, member: Flags) -> Table:
            return self._deviation(layout, value, voices, member, answer)

        # Var(a - b) = 2 Var(a) + 2 Var(b) - Var(a + b)
        of_each = deviation(ahead, _FOR) ** 2 + deviation(behind, _AGAINST) ** 2
        of_both = deviation(ahead + behind, _FOR | _AGAINST) ** 2
        reach = self.z / 2 * np.sqrt(np.maximum(2 * of_each - of_both, of_each / 4))
        return Estimated(net, net - reach, net + reach, np.zeros(len(net), np.int64))

    def _audit_people(
        self,
        labels: Labels,
        people: People,
        chances: Chances,
        *,
        sums: Mapping[str, Table],
        numbers: dict[str, Estimated],
    ) -> None:
        """As `_audit`, of people."""
        audit = audit_people(
            labels,
            people,
            chances,
            values=np.array([numbers[name].estimate for name in NAMES]).T,
            deviations=np.array([numbers[n].high - numbers[n].low for n in NAMES]).T / (2 * self.z),
            level=self.level,
        )
        self.used.update(audit.used)
        top = sums["voices"][audit.rows]
        for place, name in enumerate(NAMES):
            three = audit.estimate[:, place], audit.low[:, place], audit.high[:, place]
            audited = Estimated.within(*three, top, labels=audit.labels)
            numbers[name].put(audit.rows, audited)


def _wanted(values: Table, numbers: tuple[Number, ...], splits: Numbers | None) -> Flags | None:
    """Which numbers are written, of shape (slices, numbers); None where all may be."""
    if splits is None:
        return None
    wanted: Flags = values >= SHOWN
    for at, number in enumerate(numbers):
        place = _PLACES.get(number.key)
        wanted[:, at] |= True if place is None else splits[:, place] > 0
    return wanted


def _strengths(layout: Layout, answer: Answer) -> Table:
    return add_languages(layout, answer.strengths)
