"""The fast model: one linear model a tag over hashed word and character n-grams.

It counts words. It misses irony, negation at a distance, who lived the experience, and promotion
that reads like praise; `models/fast/README.md` says how often.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from murmure.disclosure import Disclosure, mask
from murmure.errors import ModelError
from murmure.schema import LABELS, TAGS
from murmure.tagging.calibration import Calibration
from murmure.tagging.folder import MANIFEST, ModelFolder
from murmure.tagging.ngrams import NgramHasher, Ngrams, Unit
from murmure.text import normalize_all

WEIGHTS = "weights.safetensors"
#: What a linear model reads of a post, in characters.
READS = 20_000
#: The tags whose weights share the table of n-grams; language has its own.
TEXT_TAGS = TAGS[1:]
UNITS: tuple[Unit, ...] = ("words", "characters")
#: Which n-grams count for the text tags: shortest and longest.
TEXT_SIZES: Mapping[Unit, tuple[int, int]] = {"words": (1, 2), "characters": (3, 6)}
LANGUAGE_SIZES: Mapping[Unit, tuple[int, int]] = {"words": (1, 1), "characters": (1, 5)}
#: How many bits of a bucket the language table drops.
LANGUAGE_SHIFT = 2

# So many characters are hashed together: enough to amortise calls, few enough for the cache.
_CHARACTERS_AT_ONCE = 100_000

Floats = NDArray[np.float32]


def text_columns() -> dict[str, slice]:
    """Tell which columns of the shared table belong to which tag."""
    columns, start = {}, 0
    for tag in TEXT_TAGS:
        columns[tag] = slice(start, start + len(LABELS[tag]))
        start += len(LABELS[tag])
    return columns


def counts_toward(ngrams: Ngrams, sizes: Mapping[Unit, tuple[int, int]]) -> bool:
    """Tell whether n-grams of this kind are among those sizes."""
    shortest, longest = sizes[ngrams.unit]
    return shortest <= ngrams.size <= longest


@dataclass(frozen=True, slots=True)
class NgramTable:
    """The weights of one unit's n-grams.

    Attributes:
        lookup: int32 of shape (2**bits,): the row of a bucket; 0 for n-grams that are not known.
        rows: float32 of shape (1 + known, columns + 1): the weights times the inverse document
            frequency, and the square of that frequency, from which the norm is made.
    """

    lookup: NDArray[np.int32]
    rows: Floats

    @classmethod
    def from_tensors(
        cls, buckets: NDArray[np.uint32], frequency: Floats, weights: Floats, *, bits: int
    ) -> NgramTable:
        """Lay out what a weights file holds."""
        lookup = np.zeros(1 << bits, np.int32)
        lookup[buckets] = np.arange(1, len(buckets) + 1, dtype=np.int32)
        rows = np.zeros((len(buckets) + 1, weights.shape[1] + 1), np.float32)
        rows[1:, :-1] = weights * frequency[:, None]
        rows[1:, -1] = frequency**2
        return cls(lookup, rows)

    def add(self, ngrams: Ngrams) -> Floats:
        """Sum the rows of each text's n-grams: (texts, columns + 1)."""
        return _sum_rows(self.lookup[ngrams.buckets], ngrams.row_ends, self.rows)


def _sum_rows(indices: NDArray[np.int32], row_ends: NDArray[np.int32], rows: Floats) -> Floats:
    starts = np.concatenate([np.zeros(1, np.int32), row_ends])
    ones = np.ones(len(indices), np.float32)
    counts = csr_array((ones, indices, starts), shape=(len(row_ends), len(rows)))
    return np.asarray(counts @ rows)


@dataclass(frozen=True, slots=True)
class LinearModel:
    """The fast model, ready to predict.

    Attributes:
        hasher: what made the buckets.
        tables: the shared n-grams of the text tags, by unit.
        bias: float32 of shape (columns,).
        language: float32 of shape (buckets, languages).
        language_bias: float32 of shape (languages,).
        disclosed: what a disclosure that the rules found adds to the logit of `sponsored`.
        calibration: turns logits into probabilities.
    """

    hasher: NgramHasher
    tables: Mapping[Unit, NgramTable]
    bias: Floats
    language: Floats
    language_bias: Floats
    disclosed: float
    calibration: Calibration
    reads: int = READS

    @classmethod
    def load(cls, folder: ModelFolder) -> LinearModel:
        """Read a model folder.

        Raises:
            ModelError: if the weights are not those of a linear model.
        """
        return cls.from_file(
            folder.path / WEIGHTS,
            settings=folder.settings,
            calibration=_calibration(folder),
        )

    @classmethod
    def from_file(
        cls, file: Path, *, settings: Mapping[str, Any], calibration: Calibration
    ) -> LinearModel:
        """Read the weights alone; another kind of model may keep a linear one beside it.

        Args:
            file: the weights.
            settings: `bits` and `disclosed`, as the manifest of a linear model holds them.
            calibration: turns logits into probabilities.

        Raises:
            ModelError: if the weights are not those of a linear model.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        try:
            tensors = load_file(file)
            bits = int(settings["bits"])
            model = cls(
                hasher=NgramHasher(bits=bits),
                tables={
                    unit: NgramTable.from_tensors(
                        tensors[f"{unit}.buckets"],
                        tensors[f"{unit}.frequency"].astype(np.float32),
                        tensors[f"{unit}.weights"] * tensors[f"{unit}.scale"],
                        bits=bits,
                    )
                    for unit in UNITS
                },
                bias=tensors["bias"],
                language=tensors["language.weights"] * tensors["language.scale"],
                language_bias=tensors["language.bias"],
                disclosed=float(settings["disclosed"]),
                calibration=calibration,
            )
        except (SafetensorError, KeyError, TypeError, ValueError, IndexError, OSError) as error:
            raise ModelError(f"does not hold a linear model ({error})", file=file) from error
        return model

    def predict(
        self, texts: Sequence[str], disclosures: Sequence[Sequence[Disclosure]]
    ) -> dict[str, Floats]:
        """Give calibrated probabilities.

        Args:
            texts: raw posts, n of them; what lies beyond `reads` characters is ignored.
            disclosures: of each post, by the rules.

        Returns:
            Per tag an array (n, labels).
        """
        return self.calibration(self.logits(texts, disclosures))

    def read(
        self, texts: Sequence[str], disclosures: Sequence[Sequence[Disclosure]]
    ) -> tuple[dict[str, Floats], NDArray[np.bool_]]:
        """Give calibrated probabilities, and which posts are longer than was read of them."""
        longer = np.array([len(text) > self.reads for text in texts], bool)
        return self.predict(texts, disclosures), longer

    def logits(
        self, texts: Sequence[str], disclosures: Sequence[Sequence[Disclosure]]
    ) -> dict[str, Floats]:
        """Give what the linear models say, before calibration: per tag an array (n, labels)."""
        table, language = self._read(texts)
        disclosing = [row for row, found in enumerate(disclosures) if found]
        logits = {tag: table[:, columns] for tag, columns in text_columns().items()}
        if disclosing:
            # Sponsorship is read without the words that disclose it, and these count apart.
            masked = [mask(texts[row], disclosures[row]) for row in disclosing]
            read, _ = self._read(masked)
            sponsored = read[:, text_columns()["sponsored"]]
            sponsored[:, LABELS["sponsored"].index("yes")] += self.disclosed
            logits["sponsored"][disclosing] = sponsored
        return {"language": language, **logits}

    def _read(self, texts: Sequence[str]) -> tuple[Floats, Floats]:
        parts = [self._read_some(part) for part in _in_parts(texts, self.reads)]
        if not parts:
            return np.zeros((0, len(self.bias)), np.float32), np.zeros((0, 4), np.float32)
        return np.concatenate([t for t, _ in parts]), np.concatenate([g for _, g in parts])

    def _read_some(self, texts: Sequence[str]) -> tuple[Floats, Floats]:
        count = len(texts)
        sums = {unit: np.zeros((count, len(self.bias) + 1), np.float32) for unit in UNITS}
        language = np.zeros((count, self.language.shape[1]), np.float32)
        ngrams_read = np.zeros(count, np.int64)
        for ngrams in self.hasher.transform(normalize_all(texts)):
            if counts_toward(ngrams, TEXT_SIZES):
                sums[ngrams.unit] += self.tables[ngrams.unit].add(ngrams)
            if counts_toward(ngrams, LANGUAGE_SIZES):
                buckets = ngrams.buckets >> LANGUAGE_SHIFT
                language += _sum_rows(buckets, ngrams.row_ends, self.language)
                ngrams_read += np.diff(ngrams.row_ends, prepend=0)
        table = self.bias + sum(_normed(sums[unit]) for unit in UNITS)
        length = np.sqrt(np.maximum(ngrams_read, 1)).astype(np.float32)
        return np.asarray(table), language / length[:, None] + self.language_bias


def _calibration(folder: ModelFolder) -> Calibration:
    try:
        return Calibration.from_json(folder.calibration)
    except (KeyError, TypeError) as error:
        message = f"does not hold a whole calibration ({error}); fetch the model again"
        raise ModelError(message, file=folder.path / MANIFEST) from error


def _normed(sums: Floats) -> Floats:
    norm = np.sqrt(np.maximum(sums[:, -1:], np.float32(1e-12)))
    return np.asarray(sums[:, :-1] / norm)


def _in_parts(texts: Sequence[str], reads: int) -> Iterator[list[str]]:
    part: list[str] = []
    characters = 0
    for text in texts:
        part.append(text[:reads])
        characters += len(part[-1])
        if characters >= _CHARACTERS_AT_ONCE:
            yield part
            part, characters = [], 0
    if part:
        yield part
