"""Hashed word and character n-grams of many texts at once.

All texts of a batch are read as one array of code points. A polynomial prefix hash over it gives
the hash of any span (a word, an n-gram) in one subtraction and one multiplication, so that NumPy
carries the loop over characters. Feature hashing after Weinberger et al. (2009).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

_BASE = 0x9E3779B97F4A7C15  # odd, so that it has an inverse modulo 2**64
_INVERSE = pow(_BASE, -1, 2**64)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_FOLD = np.uint64(29)
_SPACE, _BREAK = 0x20, 0x0A
_SYMBOL, _WORD, _BLANK, _APOSTROPHE = range(4)
_CLASSES = 1 << 16  # characters beyond the basic plane are symbols: emoji, nearly always


Unit = Literal["words", "characters"]


class Ngrams(NamedTuple):
    """All n-grams of one kind in a batch.

    Attributes:
        unit: of words or of characters.
        size: how many of them.
        buckets: int32, the hashed n-grams, text by text in reading order.
        row_ends: int32, of shape (texts,): where the n-grams of each text end.
    """

    unit: Unit
    size: int
    buckets: NDArray[np.int32]
    row_ends: NDArray[np.int32]


_Codes = NDArray[np.uint32]
_Hashes = NDArray[np.uint64]
_Spans = tuple[Unit, int, NDArray[np.int64], _Hashes]


@dataclass(frozen=True, slots=True)
class NgramHasher:
    """Finds and hashes the n-grams of texts.

    Words are runs of letters and digits, with the apostrophe that ends an elision; every other
    sign is a word of its own. Character n-grams stay within a word and the space on either side.

    Attributes:
        bits: the table has 2**bits buckets.
        words: the longest word n-gram.
        characters: the shortest and the longest character n-gram.
    """

    bits: int = 21
    words: int = 2
    characters: tuple[int, int] = (1, 6)

    def transform(self, texts: Sequence[str]) -> Iterator[Ngrams]:
        """Hash the n-grams of normalised texts, one kind of n-gram after the other.

        Args:
            texts: normalised, so that none holds a line break. Case is dropped here.
        """
        codes = _codes(texts)
        breaks = np.flatnonzero(codes == _BREAK)[1:]
        prefix, inverse = _prefix(codes)
        spans = chain(self._words(codes, prefix, inverse), self._characters(codes, prefix, inverse))
        for unit, size, starts, hashes in spans:
            mixed = (hashes ^ (hashes >> _FOLD)) * _MIX
            buckets = (mixed >> np.uint64(64 - self.bits)).astype(np.int32)
            ends = np.searchsorted(starts, breaks).astype(np.int32)
            yield Ngrams(unit, size, buckets, ends)

    def _words(self, codes: _Codes, prefix: _Hashes, inverse: _Hashes) -> Iterator[_Spans]:
        starts, ends = _words(codes)
        word = (prefix[ends] - prefix[starts]) * inverse[starts]
        text = np.cumsum(codes == _BREAK)[starts]
        ngram = word
        for size in range(1, self.words + 1):
            count = max(len(word) - size + 1, 0)
            if size > 1:
                ngram = (ngram[:count] * _MIX) ^ word[size - 1 :]
            # The words of one n-gram stand in one text.
            same = text[:count] == text[size - 1 :]
            yield "words", size, starts[:count][same], ngram[same]

    def _characters(self, codes: _Codes, prefix: _Hashes, inverse: _Hashes) -> Iterator[_Spans]:
        blank = (codes == _SPACE) | (codes == _BREAK)
        blanks = np.concatenate([np.zeros(1, np.int32), np.cumsum(blank, dtype=np.int32)])
        for size in range(self.characters[0], self.characters[1] + 1):
            count = max(len(codes) - size + 1, 0)
            if size == 1:
                kept = ~blank
            elif size == 2:
                kept = ~(blank[:count] & blank[1:])
            else:
                # Blanks may stand at the ends alone.
                kept = blanks[size - 1 : size - 1 + count] == blanks[1 : 1 + count]
            starts = np.flatnonzero(kept)
            hashes = (prefix[starts + size] - prefix[starts]) * inverse[starts]
            yield "characters", size, starts, hashes + np.uint64(size)


def _codes(texts: Sequence[str]) -> NDArray[np.uint32]:
    """Give the code points of all texts, lower-cased, a line break before, between and after."""
    joined = "\n" + "\n".join(texts).lower() + "\n"
    return np.frombuffer(joined.encode("utf-32-le", "replace"), np.uint32)


@cache
def _classes() -> NDArray[np.uint8]:
    table = np.zeros(_CLASSES + 1, np.uint8)
    for code in range(_CLASSES):
        character = chr(code)
        if character.isalnum() or 0x300 <= code < 0x370:
            table[code] = _WORD
        elif character.isspace():
            table[code] = _BLANK
    table[ord("'")] = _APOSTROPHE
    return table


def _words(codes: NDArray[np.uint32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find where words start and end (exclusive)."""
    kind = _classes()[np.minimum(codes, _CLASSES)]
    word = kind == _WORD
    # An apostrophe after a letter belongs to the word that it elides: « n' », "don'".
    word[1:] |= (kind[1:] == _APOSTROPHE) & (kind[:-1] == _WORD)
    starting = kind != _BLANK
    starting[1:] &= ~(word[1:] & word[:-1]) | (kind[:-1] == _APOSTROPHE)
    starts = np.flatnonzero(starting)
    stopping = np.ones(len(codes), bool)
    stopping[:-1] = starting[1:] | (kind[1:] == _BLANK)
    return starts, np.flatnonzero(stopping & (kind != _BLANK)) + 1


def _prefix(codes: NDArray[np.uint32]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Give prefix sums of code * BASE**i, and BASE**-i, both modulo 2**64."""
    powers = np.full(len(codes) + 1, _BASE, np.uint64)
    powers[0] = 1
    inverse = np.full(len(codes) + 1, _INVERSE, np.uint64)
    inverse[0] = 1
    prefix = np.zeros(len(codes) + 1, np.uint64)
    # A line break carries no weight: it bounds texts and hashes like a space.
    weights = np.where(codes == _BREAK, np.uint64(_SPACE), codes.astype(np.uint64))
    np.cumsum(weights * np.cumprod(powers)[:-1], out=prefix[1:])
    return prefix, np.cumprod(inverse)
