"""The patterns of `disclosure.toml` as spaCy's Matcher takes them, and the tokens that it sees.

What the signs in a pattern mean is told at the head of that file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, product
from typing import Any, NamedTuple

from murmure.folding import fold

# Lengths are bounded, so that hostile texts take linear time.
_TOKEN = re.compile(
    r"(?:(?:https?://|www\.)|(?<![\w.@-])[a-z0-9-]{1,40}(?:\.[a-z0-9-]{1,40}){1,3}/)[^\s<>\"»()\[\]#]{0,1999}"
    r"|(?<![\w.+-])\w[\w.+-]{0,63}@[\w-]{1,63}\.\w[\w.-]{0,63}"
    r"|[#@＃＠]\w+|\d+|[^\W\d_][\w\u0300-\u036f]*|\r\n|\n|[^\s]",
    re.IGNORECASE,
)
_ENDS = ("\n", ".", "!", "?", "…")
_SURROGATE = re.compile("[\ud800-\udfff]")
_Pattern = list[dict[str, Any]]
_QUOTES = ('"', "“", "”", "„", "«", "»", "'", "‘", "’", "`")
# A code has two capitals, a capital and a digit, or small letters before its digits; some
# abbreviations and names of techniques look like that.
_CODE = (
    r"^(?!(?:HTML?|CSS|PHP|JSON|XML|SQL|JAVA|PYTHON|API|NAF|APE|SIRET|PIN|PUK|RIO|IBAN|IMEI|WIFI|SMS|PDF"
    r"|QR|URL|ISBN|EAN|USA|UK|THE|AND|FOR|PROMO|ICI|POUR|SUR|AVEC|DE|DU|LA|LE|LES|BELOW|HERE)$)"
    r"(?=.*[A-ZÀ-Ý].*[A-ZÀ-Ý0-9])[A-ZÀ-Ýa-zà-ÿ][\w-]{2,}$"
    r"|^(?!(?:html|css|php|python|base|utf|sha|vue|web|ascii|article)\d)[a-zà-ÿ]{3,}\d{1,3}$"
)
_CLASSES: dict[str, list[_Pattern]] = {
    "code": [[{"TEXT": {"REGEX": _CODE}}]],
    "name": [[{"TEXT": {"REGEX": r"^[#@]?[A-ZÀ-Ý0-9][\w-]+$|^[#@]\w+$"}}]],
    "handle": [[{"TEXT": {"REGEX": r"^@\w"}}]],
    "number": [[{"TEXT": {"REGEX": r"^\d+$"}}]],
    "quote": [[{"TEXT": {"IN": list(_QUOTES)}}]],
    "email": [[{"TEXT": {"REGEX": r"^[^@\s]+@[^@\s]+\."}}]],
    "link": [[{"TEXT": {"REGEX": r"^(?i:https?://|www\.|[a-z0-9-]+\.[a-z0-9.-]+/)"}}]],
    "line": [[{"TEXT": "\n"}, *[{"TEXT": {"REGEX": r"^[^\w\s#@\[(]$"}, "OP": "?"}] * 3]],
    # A dash without a space joins words, as in "ad-free".
    "after": [[{"NORM": {"IN": [":", "|"]}}], [{"NORM": "-", "SPACY": True}]],
}
_NEWLINE = "⏎"


class Token(NamedTuple):
    """A token of the text: where it stands, as written and folded."""

    start: int
    end: int
    text: str
    norm: str


def tokenize(text: str, start: int, end: int) -> list[Token]:
    """The tokens of part of a text; the edges of the whole text count as ends of a line."""
    matches = _TOKEN.finditer(text, start, end)
    tokens = [Token(*match.span(), *_read(match.group())) for match in matches]
    # The edges of the post are edges of a line; those of a window are not.
    first = [Token(0, 0, "\n", "\n")] if start == 0 else []
    last = [Token(end, end, "\n", "\n")] if end == len(text) else []
    return [*first, *tokens, *last]


@lru_cache(maxsize=2048)
def _read(token: str) -> tuple[str, str]:
    """A token as the rules see it, and folded."""
    # Matchers take valid Unicode only.
    written = "\n" if token[-1] == "\n" else _SURROGATE.sub("\ufffd", token)
    return written, fold(written) or written


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the rules.

    Attributes:
        patterns: what spaCy's Matcher is to find.
        needed: lists of words, of each of which every match has one; the rarest list first.
        whole: whether a word of the first list has to be a token of its own.
        longest: how many tokens a match has at most.
        norms: for each pattern sets, of each of which every match has a norm.
    """

    patterns: list[_Pattern]
    needed: list[list[str]]
    whole: bool = True
    longest: int = field(init=False)
    norms: list[list[frozenset[str]]] = field(init=False)

    def __post_init__(self) -> None:
        """Reads from the patterns what a glance at some tokens can rule out."""
        object.__setattr__(self, "longest", max(map(len, self.patterns)))
        object.__setattr__(self, "norms", [list(_needed_norms(p)) for p in self.patterns])

    def may_match(self, norms: Iterable[str]) -> bool:
        """Whether tokens of these norms have all that one of the patterns needs."""
        found = set(norms)
        for needed in self.norms:
            for one in needed:
                if found.isdisjoint(one):
                    break
            else:
                return True
        return False


def _needed_norms(pattern: _Pattern) -> Iterator[frozenset[str]]:
    for token in pattern:
        norm = token.get("NORM")
        if isinstance(norm, dict):
            norm = norm.get("IN")
        if norm is not None and "OP" not in token:
            yield frozenset([norm] if isinstance(norm, str) else norm)


def _literal(word: str) -> _Pattern:
    if word == _NEWLINE:
        return [{"TEXT": "\n"}]
    return [{"NORM": token.norm} for token in tokenize(word, 0, len(word))[1:-1]]


def _parse_element(written: str) -> tuple[list[_Pattern], list[str]]:
    """What one element of a pattern may be, and the words one of which it must be, if any."""
    if re.fullmatch(r"\*\d+", written):
        anything = {"NORM": {"NOT_IN": list(_ENDS)}, "OP": "?"}
        return [[anything] * int(written[1:])], []
    optional = len(written) > 1 and written.endswith("?")
    alternatives = (written[:-1] if optional else written).split("|")
    words = [word for word in alternatives if not re.fullmatch(r"\{\w+\}", word)]
    choices = [one for word in alternatives if word not in words for one in _CLASSES[word[1:-1]]]
    plain = [word for word in words if word != _NEWLINE]
    if len(plain) > 1:
        choices.append([{"NORM": {"IN": plain}}])
        choices += [_literal(word) for word in words if word == _NEWLINE]
    else:
        choices += [_literal(word) for word in words]
    if optional:
        choices.append([])
    return choices, [] if optional or plain != alternatives else plain


def parse(written: str, common: Sequence[str] = ()) -> Line:
    """Read a line of `patterns`.

    Args:
        written: the line.
        common: words in so many posts that others are looked for first.

    Raises:
        ValueError: no plain word is in every match.

    Example:
        >>> parse("code promo|reduction {code}", ["promo"]).needed
        [['code'], ['promo', 'reduction']]
        >>> parse("{number} *2 {code}")
        Traceback (most recent call last):
            ...
        ValueError: disclosure.toml: '{number} *2 {code}' has no plain word that it needs
    """
    elements = [_parse_element(element) for element in written.split()]
    patterns = [
        list(chain.from_iterable(p)) for p in product(*(choices for choices, _ in elements))
    ]
    needed = [words for _, words in elements if words and (words[0] in "[(" or _long(words) > 1)]
    # The longer the shortest word, the fewer posts have to be looked at.
    needed.sort(key=lambda w: (_long(w) < 2, any(word in common for word in w), -_long(w)))
    if not needed or _long(needed[0]) < 2:
        raise ValueError(f"disclosure.toml: {written!r} has no plain word that it needs")
    return Line(patterns, needed)


def _long(words: list[str]) -> int:
    return min(map(len, words))


def parse_hashtag(written: str) -> Line:
    """Read one of `hashtags`."""
    if written.startswith("#*"):
        word = written[2:]
        if word.islower():
            return Line([[{"NORM": {"REGEX": rf"^#\w+{word}$"}}]], [[word]], whole=False)
        shape = rf"^[#＃](?:\w*[^\W_A-Z]|[A-Z]+|\w*_){word}$|^[#＃]\w+_{word.lower()}$"
        return Line([[{"TEXT": {"REGEX": shape}}]], [[word.lower()]], whole=False)
    if written.endswith("*"):
        stem = written[:-1]
        return Line([[{"NORM": {"REGEX": rf"^{stem}\w+$"}}]], [[stem]], whole=False)
    return Line([[{"NORM": written}]], [[written]])


def parse_link(written: str) -> Line:
    """Read one of `links`."""
    pieces = written.split("*")
    shape = rf"^(?:https?://)?(?:www\.)?{'.*'.join(map(re.escape, pieces))}$"
    needed = sorted(([piece] for piece in pieces if piece), key=lambda piece: -len(piece[0]))
    return Line([[{"NORM": {"REGEX": shape}}]], needed, whole=False)
