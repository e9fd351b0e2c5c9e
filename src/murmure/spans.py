"""Hashes of any spans of a text, each in one subtraction and one multiplication.

A polynomial prefix hash over the text's code points (Karp and Rabin, 1987), modulo 2**64, so that
NumPy carries the loop over characters.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint32]
Hashes = NDArray[np.uint64]
Places = NDArray[np.int64]


class SpanHasher:
    """Reads texts with one base; spans of the same characters have the same hash, wherever.

    Args:
        base: odd, so that it has an inverse modulo 2**64.

    Example:
        >>> codes = np.frombuffer("papa".encode("utf-32-le"), np.uint32)
        >>> hashes = SpanHasher(12345).read(codes)(np.array([0, 2, 1]), np.array([2, 4, 3]))
        >>> bool(hashes[0] == hashes[1]), bool(hashes[0] == hashes[2])
        (True, False)
    """

    def __init__(self, base: int) -> None:
        self._base, self._inverse = base, pow(base, -1, 2**64)
        self._held = np.ones(1, np.uint64), np.ones(1, np.uint64)

    def read(self, codes: Codes) -> PrefixHashes:
        """Read a text, given as its code points."""
        powers, inverse = self._powers(len(codes))
        prefix = np.zeros(len(codes) + 1, np.uint64)
        np.cumsum(codes * powers[: len(codes)], out=prefix[1:])
        return PrefixHashes(prefix, inverse)

    def _powers(self, count: int) -> tuple[Hashes, Hashes]:
        """More powers of the base, and of its inverse, than there are characters."""
        held = self._held
        if len(held[0]) <= count:
            size = 1 << count.bit_length()
            powers, inverse = np.full((2, size), 1, np.uint64)
            powers[1:], inverse[1:] = self._base, self._inverse
            self._held = held = np.cumprod(powers), np.cumprod(inverse)
        return held


class PrefixHashes:
    """A text whose spans can be hashed.

    Args:
        prefix: sums of code * base**place up to each place.
        inverse: powers of the base's inverse.
    """

    def __init__(self, prefix: Hashes, inverse: Hashes) -> None:
        self._prefix, self._inverse = prefix, inverse

    def __call__(self, starts: Places, ends: Places) -> Hashes:
        """Hash the spans from each start to each end (exclusive)."""
        hashes: Hashes = self._prefix[ends] - self._prefix[starts]
        hashes *= self._inverse[starts]
        return hashes

    def every(self, size: int) -> Hashes:
        """Hash all spans of one size, in order."""
        hashes: Hashes = self._prefix[size:] - self._prefix[: max(len(self._prefix) - size, 0)]
        hashes *= self._inverse[: len(hashes)]
        return hashes
