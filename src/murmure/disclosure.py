"""Disclosures of a commercial interest, in French and English.

What the law, the advertising codes and the networks have people write (#ad, « collaboration
commerciale », « produit offert », affiliate links, personal promo codes) is found by the rules of
`disclosure.toml`, where each names its source. Denials ("not sponsored"), lines that say where to
ask (« Partenariats : adresse ») and institutional partners (« avec la mairie ») do not count.

One compiled multi-pattern search reads every new word, and every text that has a word which some
rule needs; spaCy's Matcher is loaded for, and sees, only the surroundings of such words.

What it cannot do: most promotion is not disclosed, so no disclosure does not mean no promotion.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from ahocorasick_rs import AhoCorasick
from numpy.typing import NDArray

from murmure.disclosure_patterns import Line, Token, parse, parse_hashtag, parse_link, tokenize
from murmure.folding import Alignment, fold, is_word
from murmure.tokens import TokenMemory, cut, in_parts

if TYPE_CHECKING:
    from spacy.matcher import Matcher
    from spacy.tokens import Doc
    from spacy.vocab import Vocab

#: What is disclosed: an advert or sponsor, a partnership, a gift, a share in sales through a link,
#: the same through a personal code, an ambassador's role.
Kind = Literal["advert", "partnership", "gift", "affiliate", "code", "ambassador"]

#: How many characters on either side of a rule's word the Matcher reads.
_WINDOW = 200
# Words of one text that are weighed, and looked at; more are an attack, not a post.
_MOST_HITS, _MOST = 100_000, 1000
_LONGEST = 2000  # characters of a link
_LONG = 4000  # texts of more characters are searched as they are, others word by word first
#: How many tokens on either side of a disclosure an exception may begin or end.
_REACH = 16
_SPACE_BEFORE = re.compile(r"\s")
_BEFORE = re.compile(r"\A[^\w#＃@\[(]+")
_AFTER = re.compile(r"[\s:=«»\"“”'’,|→➜👉–—-]+\Z")


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Words of a post that disclose a commercial interest.

    Attributes:
        surface: the words as they stand, `text[start:end]`.
        start: where they begin, in characters of the text given.
        end: where they end (exclusive).
        kind: what they disclose.
    """

    surface: str
    start: int
    end: int
    kind: Kind


def find(text: str) -> list[Disclosure]:
    """Find the disclosures of one text, in order of their places.

    Example:
        >>> [(d.surface, d.kind) for d in find("Collab rémunérée : -10 % avec mon code promo")]
        [('Collab rémunérée', 'partnership'), ('10 % avec mon code promo', 'code')]
        >>> find("Cette vidéo n'est pas sponsorisée. Partenariats : clara@exemple.fr")
        []
    """
    return find_all([text])[0]


def find_all(texts: Sequence[str]) -> list[list[Disclosure]]:
    """Find the disclosures of each text.

    Args:
        texts: raw texts, any strings however hostile.

    Returns:
        A list for each text, in the same order; its disclosures in order, none overlapping.
    """
    return _rules().find_all(texts)


def where_found(disclosures: Sequence[Sequence[Disclosure]]) -> NDArray[np.bool_]:
    """Tell which of n posts disclose something, of shape (n,).

    Example:
        >>> where_found(find_all(["#ad Marelle", "I bought a Marelle"]))
        array([ True, False])
    """
    return np.array([bool(found) for found in disclosures], np.bool_)


def mask(text: str, disclosures: Iterable[Disclosure]) -> str:
    """Blank the disclosures of a text, so that what else it says can be judged.

    Returns:
        A text of the same length, with spaces in place of each disclosure.

    Example:
        >>> mask("Un café parfait #ad", find("Un café parfait #ad"))
        'Un café parfait    '
    """
    for disclosure in disclosures:
        blank = " " * (disclosure.end - disclosure.start)
        text = text[: disclosure.start] + blank + text[disclosure.end :]
    return text


class _Rules:
    """The rules compiled: the search at once, spaCy's matchers when a text first needs them."""

    def __init__(self, content: dict[str, Any]) -> None:
        self._lines: list[Line] = []
        self._kinds: list[Kind] = []
        for rule in content["rule"]:
            if rule["kind"] not in get_args(Kind):
                raise ValueError(f"disclosure.toml: no kind {rule['kind']!r}")
            lines = [parse(written, content["common"]) for written in rule.get("patterns", ())]
            lines += map(parse_hashtag, rule.get("hashtags", ()))
            lines += map(parse_link, rule.get("links", ()))
            self._lines += lines
            self._kinds += [rule["kind"]] * len(lines)
        self._exceptions = [
            parse(written)
            for exception in content["exception"]
            for written in exception["patterns"]
        ]
        lines_of: dict[str, list[int]] = defaultdict(list)
        for number, line in enumerate(self._lines):
            for word in line.needed[0]:
                lines_of[word].append(number)
        self._search = AhoCorasick(list(lines_of))
        self._lines_of = list(lines_of.values())
        self._partial = {
            word
            for word, numbers in enumerate(self._lines_of)
            if not all(self._lines[number].whole for number in numbers)
        }
        self._vocab: Vocab | None = None
        self._matchers: dict[int, Matcher] = {}  # by the identity of their lines
        self._needed = TokenMemory(self._are_needed, kind=np.dtype(np.bool_))

    def find_all(self, texts: Sequence[str]) -> list[list[Disclosure]]:
        found: list[list[Disclosure]] = [[] for _ in texts]
        for position in self._worth_searching(texts):
            text = texts[position]
            folded = fold(text)
            hits = self._search.find_matches_as_indexes(folded, overlapping=True)
            candidates = list(islice(self._candidates(folded, hits[:_MOST_HITS]), _MOST))
            if candidates:
                found[position] = self._look(text, candidates)
        return found

    def _worth_searching(self, texts: Sequence[str]) -> list[int]:
        """Which texts hold a word that some rule needs, or are too long to be cut into words."""
        worth = np.array([len(text) > _LONG for text in texts], np.bool_)
        short = np.flatnonzero(~worth)
        first = 0
        for part in in_parts([texts[number] for number in short.tolist()]):
            tokens = cut(part)
            needed = np.flatnonzero(self._needed(tokens))
            holding = np.searchsorted(tokens.text_ends, needed, side="right")
            worth[short[first + holding]] = True
            first += len(part)
        return np.flatnonzero(worth).tolist()

    def _are_needed(self, tokens: list[str]) -> NDArray[np.bool_]:
        """Which tokens hold a word that some rule needs; no such word holds a blank."""
        folded = fold("\n".join(tokens))
        lengths = np.fromiter(map(len, folded.split("\n")), np.int64, len(tokens))
        hits = self._search.find_matches_as_indexes(folded, overlapping=True)
        starts = [
            start
            for word, start, end in hits
            if word in self._partial or _is_whole(folded, start, end)
        ]
        needed = np.zeros(len(tokens), np.bool_)
        ends = np.cumsum(lengths + 1)
        needed[np.searchsorted(ends, np.array(starts, np.int64), side="right")] = True
        return needed

    def _candidates(
        self, folded: str, hits: Iterable[tuple[int, int, int]]
    ) -> Iterator[tuple[int, int, int]]:
        """Line, start and end of each word that a line needs, with its other words near."""
        for word, start, end in hits:
            whole = _is_whole(folded, start, end)
            if not whole and word not in self._partial:
                continue
            first, last = max(start - _WINDOW, 0), end + _WINDOW
            for number in self._lines_of[word]:
                line = self._lines[number]
                if (whole or not line.whole) and all(
                    any(folded.find(other, first, last) >= 0 for other in words)
                    for words in line.needed[1:]
                ):
                    yield number, start, end

    def _look(self, text: str, candidates: list[tuple[int, int, int]]) -> list[Disclosure]:
        """Ask spaCy about the surroundings of the candidates of one text."""
        alignment = Alignment(text)
        windows: list[tuple[int, int, list[tuple[int, int, int]]]] = []
        for line, start, end in sorted(candidates, key=lambda candidate: candidate[1:]):
            place = (line, *alignment.span(start, end))
            first, last = _window(text, place[1], place[2])
            if windows and first <= windows[-1][1]:
                before = windows.pop()
                windows.append((before[0], max(before[1], last), [*before[2], place]))
            else:
                windows.append((first, last, [place]))
        found: list[Disclosure] = []
        for first, last, places in windows:
            tokens = tokenize(text, first, last)
            if spans := self._spans(tokens, places):
                found += self._match(text, tokens, spans)
        return found

    def _spans(
        self, tokens: list[Token], places: Iterable[tuple[int, int, int]]
    ) -> list[tuple[int, int, int]]:
        """Line, first and last token (exclusive) of where a match may lie, by line and place."""
        starts, norms = [token.start for token in tokens], [token.norm for token in tokens]
        spans: list[tuple[int, int, int]] = []
        for number, start, end in sorted(places):
            reach = self._lines[number].longest
            first = max(bisect_right(starts, start) - reach, 0)
            last = min(bisect_left(starts, end) - 1 + reach, len(tokens))
            if spans and spans[-1][0] == number and first < spans[-1][2]:
                first = spans.pop()[1]
            spans.append((number, first, last))
        return [span for span in spans if self._lines[span[0]].may_match(norms[span[1] : span[2]])]

    def _match(
        self, text: str, tokens: list[Token], spans: list[tuple[int, int, int]]
    ) -> Iterator[Disclosure]:
        from spacy.tokens import Doc
        from spacy.vocab import Vocab

        if self._vocab is None:
            self._vocab = Vocab()
        base = max(min(first for _, first, _ in spans) - _REACH, 0)
        tokens = tokens[base : max(last for _, _, last in spans) + _REACH]
        # What a text adds to the vocabulary is forgotten, or a long run would fill the memory.
        with self._vocab.memory_zone():
            ends = [*(token.start for token in tokens[1:]), tokens[-1].end]
            spaces = [token.end < end for token, end in zip(tokens, ends, strict=True)]
            doc = Doc(self._vocab, words=[token.text for token in tokens], spaces=spaces)
            for token, read in zip(doc, tokens, strict=True):
                token.norm_ = read.norm
            matches = [
                (first - base + start, first - base + end, number)
                for number, first, last in spans
                for _, start, end in self._matcher(self._vocab, self._lines[number])(
                    doc[first - base : last - base]
                )
            ]
            matches = [m for m in matches if not self._excepted(doc, tokens, m[0], m[1])]
        for start, end, number in _merge(matches):
            first, last = _trim(text, tokens[start].start, tokens[end - 1].end)
            yield Disclosure(text[first:last], first, last, self._kinds[number])

    def _excepted(self, doc: Doc, tokens: list[Token], start: int, end: int) -> bool:
        """Whether an exception overlaps the tokens from start to end."""
        first = max(start - _REACH, 0)
        norms = {token.norm for token in tokens[first : end + _REACH]}
        for exception in self._exceptions:
            if exception.may_match(norms):
                for _, left, right in self._matcher(doc.vocab, exception)(
                    doc[first : end + _REACH]
                ):
                    if first + left < end and first + right > start:
                        return True
        return False

    def _matcher(self, vocab: Vocab, line: Line) -> Matcher:
        """A line's matcher, made when it is first needed."""
        from spacy.matcher import Matcher

        matcher = self._matchers.get(id(line))
        if matcher is None:
            matcher = self._matchers[id(line)] = Matcher(vocab, validate=False)
            matcher.add("rule", line.patterns, greedy="LONGEST")
        return matcher


def _merge(matches: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Overlapping matches as one, which belongs to the longest of them."""
    merged: list[tuple[int, int, int]] = []
    longest = 0
    for start, end, line in sorted(matches, key=lambda match: (match[0], -match[1])):
        if merged and start < merged[-1][1]:
            begin, until, owner = merged[-1]
            merged[-1] = (begin, max(end, until), line if end - start > longest else owner)
            longest = max(longest, end - start)
        else:
            merged.append((start, end, line))
            longest = end - start
    return merged


def _is_whole(folded: str, start: int, end: int) -> bool:
    """Whether a place of a text begins and ends with its words."""
    return not (
        (start > 0 and _continues(folded[start - 1], folded[start]))
        or (end < len(folded) and _continues(folded[end - 1], folded[end]))
    )


def _continues(character: str, following: str) -> bool:
    """Whether a word goes on from one character to the next."""
    return is_word(character) and is_word(following)


def _window(text: str, start: int, end: int) -> tuple[int, int]:
    """The surroundings of a place, cut where there is a space if one is near."""
    first, last = max(start - _WINDOW, 0), min(end + _WINDOW, len(text))
    space = _SPACE_BEFORE.search(text[max(first - _LONGEST, 0) : first][::-1]) if first else None
    return first - (space.start() if space else 0), last


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Without list marks before, and spaces, colons and quotes after."""
    surface = text[start:end]
    return (
        start + len(surface) - len(_BEFORE.sub("", surface)),
        end - len(surface) + len(_AFTER.sub("", surface)),
    )


@cache
def _rules() -> _Rules:
    source = resources.files("murmure").joinpath("disclosure.toml").read_text("utf-8")
    return _Rules(tomllib.loads(source))
