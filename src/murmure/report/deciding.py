"""The words of a post that decided: those whose weights in the fast model speak for its sentiment.

The fast model is linear in n-grams, so that what each word adds to its verdict is known exactly. It
is asked whichever model tagged the posts: an encoder's reasons cannot be read off its weights.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from murmure.errors import ModelError
from murmure.schema import LABELS
from murmure.tagging.folder import ModelFolder
from murmure.tagging.linear import TEXT_SIZES, UNITS, LinearModel, counts_toward, text_columns
from murmure.text import normalize_all

Span = tuple[int, int]

#: The model whose weights are read.
MODEL = "fast"
#: Words marked in a post at most, and what each must have of the weightiest one's weight.
MOST, _LEAST = 5, 0.4

_TOKEN = re.compile(r"\S+")
# What a word is marked without: signs around it.
_CORE = re.compile(r"\w(?:.*\w)?", re.DOTALL)

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Decider:
    """Finds the words that decide."""

    model: LinearModel

    @staticmethod
    def load() -> Decider | None:
        """The decider, or None where the fast model is not installed."""
        try:
            return Decider(LinearModel.load(ModelFolder.open(MODEL)))
        except ModelError:
            return None

    def spans(self, texts: Sequence[str], labels: Sequence[str]) -> list[list[Span]]:
        """Where the words stand that speak most for a sentiment.

        Args:
            texts: posts.
            labels: of each the sentiment, `negative` or `positive`.

        Returns:
            For each text some spans (start, end) in reading order, `MOST` at most.
        """
        tokens = [list(_TOKEN.finditer(text)) for text in texts]
        weights = self._weights([[token[0] for token in found] for found in tokens])
        columns = [LABELS["sentiment"].index(label) for label in labels]
        marked = []
        for found, weight, column in zip(tokens, weights, columns, strict=True):
            others = [place for place in range(weight.shape[1]) if place != column]
            speaks = weight[:, column] - weight[:, others].mean(axis=1)
            marked.append(_heaviest(found, speaks))
        return marked

    def _weights(self, texts: Sequence[Sequence[str]]) -> list[Floats]:
        """What each word adds to each sentiment's logit: per text of shape (words, sentiments).

        An n-gram of characters stays within a word and the blanks around it, one of words within
        two words. What the two have together and neither alone is shared equally.
        """
        columns = text_columns()["sentiment"]
        words = normalize_all([word for text in texts for word in text])
        starts = np.cumsum([0, *map(len, texts)])
        alone = self._sums(words)
        pairs = [f"{a} {b}" for a, b in pairwise(words)]
        both = self._sums(pairs)
        result = []
        for first, last in pairwise(starts.tolist()):
            weights = np.zeros((last - first, columns.stop - columns.start), np.float32)
            for unit in UNITS:
                own = alone[unit][first:last].copy()
                if unit == "words" and last - first > 1:
                    joint = both[unit][first : last - 1] - own[:-1] - own[1:]
                    norm = own[:, -1].sum() + joint[:, -1].sum()
                    own[:-1] += joint / 2
                    own[1:] += joint / 2
                else:
                    norm = own[:, -1].sum()
                weights += own[:, columns] / max(float(norm), 1e-12) ** 0.5
            result.append(weights)
        return result

    def _sums(self, texts: Sequence[str]) -> dict[str, Floats]:
        """The weights of each text's n-grams, summed, by unit: (texts, columns + 1)."""
        width = len(self.model.bias) + 1
        sums: dict[str, Floats] = {
            unit: np.zeros((len(texts), width), np.float32) for unit in UNITS
        }
        if texts:
            for ngrams in self.model.hasher.transform(texts):
                if counts_toward(ngrams, TEXT_SIZES):
                    sums[ngrams.unit] += self.model.tables[ngrams.unit].add(ngrams)
        return sums


def pieces(text: str, spans: Sequence[Span]) -> list[tuple[str, bool]]:
    """A text cut into what is marked and what is not.

    Example:
        >>> pieces("Colis jamais reçu", [(6, 17)])
        [('Colis ', False), ('jamais reçu', True)]
    """
    cut, place = [], 0
    for start, end in spans:
        cut += [(text[place:start], False), (text[start:end], True)]
        place = end
    return [(part, marked) for part, marked in [*cut, (text[place:], False)] if part]


def _heaviest(tokens: Sequence[re.Match[str]], speaks: Floats) -> list[Span]:
    if not len(speaks):
        return []
    least = max(float(speaks.max()) * _LEAST, 1e-6)
    order = sorted(range(len(tokens)), key=lambda place: -float(speaks[place]))
    kept = sorted(place for place in order[:MOST] if speaks[place] >= least)
    spans: list[Span] = []
    last = -2
    for place in kept:
        token = tokens[place]
        core = _CORE.search(token[0]) or re.search(r".+", token[0], re.DOTALL)
        if core is None:
            continue
        start, end = token.start() + core.start(), token.start() + core.end()
        if place == last + 1 and spans:  # neighbours are marked as one
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
        last = place
    return spans
