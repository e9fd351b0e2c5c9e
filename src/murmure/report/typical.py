"""Chooses among posts those that say what the others say, without saying it twice.

A post is typical where its words are those of the posts around it: the cosine between its words,
weighed by how rare they are, and the mean of all. Each next one is the most typical that is unlike
those chosen (maximal marginal relevance: Carbonell and Goldstein, 1998, "The use of MMR,
diversity-based reranking for reordering documents and producing summaries").
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import log, sqrt

#: What being typical is worth beside being unlike those already chosen.
TYPICAL = 0.6
#: Words of a post that are looked at.
_WORDS = 80

_WORD = re.compile(r"[^\W\d_]{3,}")
Vector = dict[str, float]


def vectors(texts: Sequence[str]) -> list[Vector]:
    """The words of each text, weighed by how few of the texts have them, of length 1."""
    counted = [Counter(_WORD.findall(text.casefold())[:_WORDS]) for text in texts]
    spread = Counter(word for words in counted for word in words)
    count = len(texts)
    return [
        _unit({word: n * log(1 + count / spread[word]) for word, n in words.items()})
        for words in counted
    ]


def typicality(found: Sequence[Vector]) -> list[float]:
    """How near each vector is to the mean of all, from 0 to 1.

    Example:
        >>> said = vectors(["colis perdu", "colis abîmé", "colis perdu encore", "bon café"])
        >>> [round(near, 1) for near in typicality(said)]
        [0.8, 0.6, 0.7, 0.4]
    """
    middle: Counter[str] = Counter()
    for vector in found:
        middle.update(vector)
    mean = _unit(dict(middle))
    return [alike(vector, mean) for vector in found]


def alike(one: Vector, other: Vector) -> float:
    """The cosine of two vectors of length 1."""
    if len(one) > len(other):
        one, other = other, one
    return sum(weight * other.get(word, 0.0) for word, weight in one.items())


def _unit(vector: Vector) -> Vector:
    length = sqrt(sum(weight**2 for weight in vector.values()))
    return {word: weight / length for word, weight in vector.items()} if length else {}
