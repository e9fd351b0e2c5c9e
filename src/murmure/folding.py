"""Text folded for matching: one case, no accents, one kind of apostrophe, dash and space.

What is found in the folded text is told in characters of the raw text, so that « ŒUVRE », "œuvre"
and "oeuvre" are one word and every span still cuts the raw text where its reader sees it.

What it cannot do: letters of other scripts are lower-cased, not transliterated.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from functools import lru_cache

#: Folds to nothing: accents written apart, soft hyphens, joiners, bidirectional marks.
_DELETED = "\u00ad\u0300-\u036f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff"
#: Folds to several letters.
_EXPANDED = {
    "œ": "oe", "Œ": "oe", "æ": "ae", "Æ": "ae", "ß": "ss", "ẞ": "ss",
    "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st",
}  # fmt: skip
#: Letters that have no decomposition, and signs that are written in several ways.
_REPLACED = {
    **dict.fromkeys("’‘‛ʼʹ´′＇ꞌ՚", "'"),
    **dict.fromkeys("‐‑‒–—―−﹘﹣－", "-"),
    **dict.fromkeys("\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008", " "),
    **dict.fromkeys("\u2009\u200a\u202f\u205f\u3000", " "),
    **{"＃": "#", "﹟": "#", "＠": "@", "﹫": "@", "＆": "&", "％": "%", "：": ":"},
    **{"ø": "o", "Ø": "o", "ł": "l", "Ł": "l", "đ": "d", "Đ": "d", "ð": "d", "Ð": "d", "ı": "i"},
}  # fmt: skip

_deleted = re.compile(f"[{_DELETED}]")
_uneven = re.compile(f"[{_DELETED}{''.join(_EXPANDED)}]")
_SURROGATES = range(0xD800, 0xE000)


class _Table(dict[int, str]):
    """Code point to folded text, filled as characters are met."""

    def __missing__(self, code: int) -> str:
        self[code] = folded = _fold_character(chr(code))
        return folded


def _fold_character(character: str) -> str:
    if ord(character) in _SURROGATES:
        return "\ufffd"  # searchers take valid Unicode only
    if _deleted.match(character):
        return ""
    for table in (_EXPANDED, _REPLACED):
        if character in table:
            return table[character]
    if not (character.isalpha() or character.isdecimal()):
        return character
    base = [c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c)]
    folded = "".join(base).lower()
    # Whatever else would change length stays, so that only `_uneven` has to be mapped back.
    return folded if len(folded) == 1 else character


_table = _Table()


def fold(text: str) -> str:
    """Fold a text for matching; safe for any string, lone surrogates included.

    Example:
        >>> fold("L’ŒUVRE d'Émilie"), fold("Straße")
        ("l'oeuvre d'emilie", 'strasse')
    """
    return text.lower() if text.isascii() else text.translate(_table)


class Alignment:
    """Where the characters of a folded text stand in the raw text.

    Args:
        text: the raw text.

    Example:
        >>> text = "Une œuvre"
        >>> start = fold(text).index("vre")
        >>> Alignment(text).span(start, start + 3)
        (6, 9)
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._folded_starts, self._raw_starts = [0], [0]
        if text.isascii():
            return
        shift = 0  # raw position less folded position, for what follows
        for match in _uneven.finditer(text):
            shift += 1 - len(_table[ord(match.group())])
            self._folded_starts.append(match.end() - shift)
            self._raw_starts.append(match.end())

    def _raw(self, position: int) -> int:
        run = bisect_right(self._folded_starts, position) - 1
        raw = self._raw_starts[run] + position - self._folded_starts[run]
        if run + 1 < len(self._raw_starts):  # within the letters of one expanded character
            raw = min(raw, self._raw_starts[run + 1] - 1)
        return raw

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Start and end in the raw text of a span of the folded text that is not empty."""
        raw_end = self._raw(end - 1) + 1
        while raw_end < len(self._text) and unicodedata.combining(self._text[raw_end]):
            raw_end += 1  # an accent written apart belongs to its letter
        return self._raw(start), raw_end


def is_word(character: str) -> bool:
    """Whether a character continues a word: a letter, a digit or an underscore."""
    return character.isalnum() or character == "_"


def stands_alone(folded: str, start: int, end: int) -> bool:
    """Whether a span begins and ends on word boundaries of a folded text.

    An edge that is itself no letter or digit, such as the sign of "#orange", needs no boundary
    other than that two signs do not follow each other.

    Example:
        >>> stands_alone("l'orange", 2, 8), stands_alone("orangeade", 0, 6)
        (True, False)
    """
    if start > 0:
        before = folded[start - 1]
        if is_word(before) and (is_word(folded[start]) or folded[start] in "#@"):
            return False
    return not (end < len(folded) and is_word(folded[end]) and is_word(folded[end - 1]))


@lru_cache(maxsize=4096)
def fold_pattern(written: str) -> str:
    """Fold what is to be searched for: also without outer spaces, inner ones single."""
    return " ".join(fold(written).split())
