"""Hashed word and character n-grams of many texts at once.

All texts of a batch are read as one array of code points; `murmure.spans` hashes any span of it (a
word, an n-gram). Feature hashing after Weinberger et al. (2009).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from murmure.spans import Hashes, SpanHasher

_BASE = 0x9E3779B97F4A7C15
_SPANS = SpanHasher(_BASE)
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


class Spans(NamedTuple):
    """The same, a bucket for each place of the text that was read.

    Attributes:
        unit: of words or of characters.
        size: how many of them.
        buckets: int32, of what begins at each place; fewer than there are places by the last ones.
        kept: whether an n-gram begins there; if not, the bucket means nothing.
    """

    unit: Unit
    size: int
    buckets: NDArray[np.int32]
    kept: NDArray[np.bool_]


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
        reading = self.read("\n".join(texts))
        for unit, size, buckets, kept in reading.spans():
            starts = np.flatnonzero(kept)
            ends = np.searchsorted(starts, reading.breaks[1:]).astype(np.int32)
            yield Ngrams(unit, size, buckets[starts], ends)

    def read(self, lines: str) -> Reading:
        """Read normalised texts, one a line."""
        return Reading(self, lines)

    def join(self, first: Hashes, second: Hashes) -> NDArray[np.int32]:
        """Give the buckets of pairs of words, by the words' hashes."""
        return self.buckets((first * _MIX) ^ second)

    def buckets(self, hashes: Hashes) -> NDArray[np.int32]:
        """Give the buckets of n-grams by their hashes."""
        mixed = hashes >> _FOLD
        mixed ^= hashes
        mixed *= _MIX
        mixed >>= np.uint64(64 - self.bits)
        return mixed.astype(np.int32)


class Reading:
    """Texts that a hasher has read, a line break before, between and after them.

    Attributes:
        breaks: where the line breaks are, one more than there are texts.
    """

    def __init__(self, hasher: NgramHasher, lines: str) -> None:
        self._hasher = hasher
        lowered = f"\n{lines}\n".lower()
        self._codes = np.frombuffer(lowered.encode("utf-32-le", "replace"), np.uint32)
        self.breaks = np.flatnonzero(self._codes == _BREAK)
        # A line break hashes like a space.
        self._hashes = _SPANS.read(np.where(self._codes == _BREAK, np.uint32(_SPACE), self._codes))
        self._starts, ends = _words(self._codes)
        self._words = self._hashes(self._starts, ends)

    def __len__(self) -> int:
        """Return the number of characters, line breaks included."""
        return len(self._codes)

    def spans(self) -> Iterator[Spans]:
        """Hash all n-grams, one kind after the other."""
        yield from self._word_spans()
        yield from self._character_spans()

    def outer_words(self) -> tuple[Hashes, Hashes, NDArray[np.bool_]]:
        """Give the hashes of each text's first and last word, and whether it has any.

        Where it has none, the hashes are those of other words.
        """
        places = np.searchsorted(self._starts, self.breaks)
        words = np.append(self._words, np.uint64(0))
        return words[places[:-1]], words[places[1:] - 1], places[1:] > places[:-1]

    def _word_spans(self) -> Iterator[Spans]:
        word, text = self._words, np.searchsorted(self.breaks, self._starts)
        ngram = word
        for size in range(1, self._hasher.words + 1):
            count = max(len(word) - size + 1, 0)
            if size > 1:
                ngram = (ngram[:count] * _MIX) ^ word[size - 1 :]
            # The words of one n-gram stand in one text.
            same = text[:count] == text[size - 1 :]
            buckets, kept = np.zeros(len(self), np.int32), np.zeros(len(self), np.bool_)
            buckets[self._starts[:count]] = self._hasher.buckets(ngram)
            kept[self._starts[:count]] = same
            yield Spans("words", size, buckets, kept)

    def _character_spans(self) -> Iterator[Spans]:
        codes = self._codes
        blank = (codes == _SPACE) | (codes == _BREAK)
        blanks = np.concatenate([np.zeros(1, np.int32), np.cumsum(blank, dtype=np.int32)])
        shortest, longest = self._hasher.characters
        for size in range(shortest, longest + 1):
            count = max(len(codes) - size + 1, 0)
            if size == 1:
                kept = ~blank
            elif size == 2:
                kept = ~(blank[:count] & blank[1:])
            else:
                # Blanks may stand at the ends alone.
                kept = blanks[size - 1 : size - 1 + count] == blanks[1 : 1 + count]
            hashes = self._hashes.every(size)
            hashes += np.uint64(size)
            yield Spans("characters", size, self._hasher.buckets(hashes), kept)


@cache
def _classes() -> NDArray[np.uint8]:
    characters = [chr(code) for code in range(_CLASSES)]
    table = np.zeros(_CLASSES + 1, np.uint8)
    table[:-1][np.fromiter(map(str.isspace, characters), np.bool_)] = _BLANK
    table[:-1][np.fromiter(map(str.isalnum, characters), np.bool_)] = _WORD
    table[0x300:0x370] = _WORD
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
