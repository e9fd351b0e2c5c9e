"""Texts cut at blanks, many at once, and what was worked out for a token remembered.

Posts use the same words over and over. What depends on a token alone (its n-grams, whether a rule
may need it) is worked out when it is first met and looked up from then on.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from murmure.spans import Places, SpanHasher

# Keys are drawn anew in each process, so that nobody can write two tokens with one key.
_KEYS = SpanHasher(secrets.randbits(64) | 1)
_MIX = np.uint64(0xD6E8FEB86659FD93)
_FOLD = np.uint64(29)
#: Tokens of more characters are never taken for one another, nor remembered.
_LONGEST = 64
_CHARACTERS_AT_ONCE = 400_000
_PLANE = 1 << 16  # no character beyond the basic plane is a blank

#: What was worked out for tokens, of shape (tokens,) and of any type.
Values = NDArray[Any]


class Tokens(NamedTuple):
    """The tokens of some texts: what stands between blanks, as `str.split` finds it.

    Attributes:
        text: all texts, one after the other.
        starts: where each token begins in it.
        ends: where it ends (exclusive).
        keys: odd, and the same for the same token; of tokens that are too long even, each its own.
        text_ends: of shape (texts,): how many tokens there are up to the end of each text.
    """

    text: str
    starts: Places
    ends: Places
    keys: NDArray[np.uint64]
    text_ends: Places

    def written(self, which: Places) -> list[str]:
        """Some of the tokens, as they stand."""
        places = zip(self.starts[which].tolist(), self.ends[which].tolist(), strict=True)
        return [self.text[start:end] for start, end in places]


def in_parts(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield texts, in order, as many at a time as are well cut together.

    Enough to amortise calls, few enough for the memory, unless a single text is longer.

    Example:
        >>> [len(part) for part in in_parts(["a" * 300_000, "b", "c" * 200_000, "d"])]
        [2, 2]
    """
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    part = np.cumsum(lengths) // _CHARACTERS_AT_ONCE
    ends = [*(np.flatnonzero(np.diff(part)) + 1).tolist(), len(texts)]
    start = 0
    for end in ends:
        yield texts[start:end]
        start = end


def cut(texts: Sequence[str]) -> Tokens:
    r"""Cut texts into tokens.

    Args:
        texts: any strings, however hostile.

    Example:
        >>> tokens = cut(["un  café\n", "", "un thé"])
        >>> tokens.written(np.arange(4)), tokens.text_ends.tolist()
        (['un', 'café', 'un', 'thé'], [2, 2, 4])
        >>> bool(tokens.keys[0] == tokens.keys[2]), bool(tokens.keys[0] == tokens.keys[1])
        (True, False)
    """
    joined = " " + " ".join(texts) + " "
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    blank = _blanks()[np.minimum(codes, _PLANE)]
    edges = np.flatnonzero(blank[1:] != blank[:-1]) + 1
    starts, ends = edges[::2], edges[1::2]
    # One more than each code, or a token would have the same key as itself with a NUL behind it.
    keys = _KEYS.read(codes + np.uint32(1))(starts, ends)
    keys = ((keys ^ (keys >> _FOLD)) * _MIX) | np.uint64(1)
    long = np.flatnonzero(ends - starts > _LONGEST)
    keys[long] = 2 * long + 2
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    return Tokens(joined, starts, ends, keys, np.searchsorted(starts, np.cumsum(lengths + 1)))


@cache
def _blanks() -> NDArray[np.bool_]:
    """Which characters `str.split` cuts at, by code point."""
    every = "".join(map(chr, range(_PLANE)))
    kept = np.frombuffer("".join(every.split()).encode("utf-32-le", "surrogatepass"), np.uint32)
    blanks = np.ones(_PLANE + 1, np.bool_)
    blanks[kept] = blanks[_PLANE] = False
    return blanks


class TokenMemory:
    """Remembers what was worked out for tokens, as many as there is room for.

    A token that needs the place of another takes it, unless that one was asked for since another
    wanted it (the clock of Corbató, 1968). Several threads may ask.

    Args:
        work_out: gives the values of tokens, each from its characters alone.
        kind: the type of a value.
        bits: there is room for 2**bits tokens.

    Example:
        >>> lengths = TokenMemory(lambda tokens: np.array([*map(len, tokens)]), kind=np.dtype(int))
        >>> lengths(cut(["un café", "un thé"])).tolist()
        [2, 4, 2, 3]
    """

    def __init__(
        self, work_out: Callable[[list[str]], Values], *, kind: np.dtype[Any], bits: int = 16
    ) -> None:
        self._work_out = work_out
        self._kind = kind
        self._shift = np.uint64(64 - bits)
        self._keys = np.zeros(1 << bits, np.uint64)
        # As bytes, which NumPy copies faster than values of several parts.
        self._values = np.zeros((1 << bits, kind.itemsize), np.uint8)
        self._asked_for = np.zeros(1 << bits, np.bool_)
        self._lock = threading.Lock()

    def __call__(self, tokens: Tokens) -> Values:
        """The value of each token, in order."""
        slots = (tokens.keys >> self._shift).astype(np.intp)
        with self._lock:
            values = self._values.take(slots, axis=0, mode="clip")
            known = self._keys[slots] == tokens.keys
            self._asked_for[slots[known]] = True
        missing = np.flatnonzero(~known)
        if len(missing):
            keys, first, places = np.unique(
                tokens.keys[missing], return_index=True, return_inverse=True
            )
            new = self._bytes(self._work_out(tokens.written(missing[first])))
            values[missing] = new[places]
            self._keep(slots[missing[first]], keys, new)
        return values.reshape(-1).view(self._kind)

    def _keep(self, slots: Places, keys: NDArray[np.uint64], values: NDArray[np.uint8]) -> None:
        with self._lock:
            kept = np.flatnonzero(keys & np.uint64(1) & ~self._asked_for[slots])
            self._asked_for[slots] = False
            self._keys[slots[kept]], self._values[slots[kept]] = keys[kept], values[kept]

    def _bytes(self, values: Values) -> NDArray[np.uint8]:
        return np.ascontiguousarray(values).view(np.uint8).reshape(-1, self._kind.itemsize)
