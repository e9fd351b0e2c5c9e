"""The fast model: one linear model a tag over hashed word and character n-grams.

It counts words. It misses irony, negation at a distance, who lived the experience, and promotion
that reads like praise; `models/fast/README.md` says how often.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from murmure.disclosure import Disclosure, mask, where_found
from murmure.errors import ModelError
from murmure.schema import LABELS, TAGS
from murmure.tagging.calibration import Calibration
from murmure.tagging.folder import MANIFEST, OWN_FILES, ModelFolder
from murmure.tagging.ngrams import NgramHasher, Ngrams, Reading, Spans, Unit
from murmure.text import normalize_lines
from murmure.tokens import TokenMemory, cut, in_parts

(WEIGHTS,) = OWN_FILES["linear"]
#: What a linear model reads of a post, in characters.
READS = 20_000
# So many buckets are counted together; no more than a byte counts.
_BLOCK = 128
#: The tags whose weights share the table of n-grams; language has its own.
TEXT_TAGS = TAGS[1:]
UNITS: tuple[Unit, ...] = ("words", "characters")
#: Which n-grams count for the text tags: shortest and longest.
TEXT_SIZES: Mapping[Unit, tuple[int, int]] = {"words": (1, 2), "characters": (3, 6)}
LANGUAGE_SIZES: Mapping[Unit, tuple[int, int]] = {"words": (1, 1), "characters": (1, 5)}
#: How many bits of a bucket the language table drops.
LANGUAGE_SHIFT = 2
#: How many bits a bucket may have: more would fill the memory before anything is read.
BITS = range(8, 25)
# What a model is tried on: both languages, pairs of words, signs.
_TRIAL = "Merci, très bien ! Thank you so much 🙂"

# The language's weights of an n-gram are one number, so that they are added up together: a lane of
# this many bits for each label, its weight made positive, and one that counts. At most six n-grams
# begin at one place.
_LANE = np.uint64(11)
_LANES = len(LABELS["language"]) + 1
_MIDDLE = 128

# A letter of a word that is no link, handle, address or hashtag, nor a mark of those who repost.
_SPOKEN = re.compile(r"(?<![\w#@:;=])(?!(?:http|RT)\b|\S*@email)[^\W\d_]")
_NO_LANGUAGE = np.array([9 if label == "other" else -9 for label in LABELS["language"]], np.float32)

Floats = NDArray[np.float32]


def text_columns() -> dict[str, slice]:
    """Tell which columns of the shared table belong to which tag."""
    columns, start = {}, 0
    for tag in TEXT_TAGS:
        columns[tag] = slice(start, start + len(LABELS[tag]))
        start += len(LABELS[tag])
    return columns


def counts_toward(ngrams: Ngrams | Spans, sizes: Mapping[Unit, tuple[int, int]]) -> bool:
    """Tell whether n-grams of this kind are among those sizes."""
    shortest, longest = sizes[ngrams.unit]
    return shortest <= ngrams.size <= longest


@dataclass(frozen=True, slots=True)
class NgramTable:
    """The weights of one unit's n-grams.

    Attributes:
        before: int32 of shape (blocks,): how many buckets are known before a block of `_BLOCK`.
        within: uint8 of shape (2**bits,): the how-manieth of its block a bucket is, from 1 on; 0
            for n-grams that are not known. Row numbers would take four times the room.
        rows: float32 of shape (1 + known, columns + 1): the weights times the inverse document
            frequency, and the square of that frequency, from which the norm is made.
    """

    before: NDArray[np.int32]
    within: NDArray[np.uint8]
    rows: Floats

    @classmethod
    def from_tensors(
        cls, buckets: NDArray[np.uint32], frequency: Floats, weights: Floats, *, bits: int
    ) -> NgramTable:
        """Lay out what a weights file holds."""
        order = np.argsort(buckets)
        known = np.zeros(1 << bits, np.bool_)
        known[buckets] = True
        blocks = known.reshape(-1, min(_BLOCK, len(known)))
        within = np.cumsum(blocks, axis=1, dtype=np.uint8) * blocks
        before = np.cumsum(blocks.sum(axis=1), dtype=np.int32)
        rows = np.zeros((len(buckets) + 1, weights.shape[1] + 1), np.float32)
        rows[1:, :-1] = weights[order] * frequency[order, None]
        rows[1:, -1] = frequency[order] ** 2
        return cls(np.append(np.int32(0), before[:-1]), within.ravel(), rows)

    def find(self, buckets: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
        """The row of each bucket; 0 for n-grams that are not known."""
        place = self.within[buckets]
        found: NDArray[np.int32] = self.before[buckets // _BLOCK] + place
        found *= place > 0
        return found

    def add(self, ngrams: Ngrams) -> Floats:
        """Sum the rows of each text's n-grams: (texts, columns + 1)."""
        return _sum_rows(self.find(ngrams.buckets), ngrams.row_ends, self.rows)

    def add_all(self, spans: Sequence[Spans], reading: Reading) -> Floats:
        """Sum the rows of all n-grams of each text that was read: (texts, columns + 1)."""
        indices = np.zeros((len(reading), len(spans)), np.int32)
        for column, ngrams in enumerate(spans):
            rows = self.find(ngrams.buckets)
            rows *= ngrams.kept
            indices[: len(rows), column] = rows
        known = np.flatnonzero(indices)
        ends = np.searchsorted(known, reading.breaks[1:] * len(spans)).astype(np.int32)
        return _sum_rows(indices.ravel()[known], ends, self.rows)


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
        language: int8 of shape (buckets, languages).
        language_scale: float32 of shape (languages,): what one of those is worth.
        language_bias: float32 of shape (languages,).
        disclosed: what a disclosure that the rules found adds to the logit of `sponsored`.
        calibration: turns logits into probabilities.
    """

    hasher: NgramHasher
    tables: Mapping[Unit, NgramTable]
    bias: Floats
    language: NDArray[np.int8]
    language_scale: Floats
    language_bias: Floats
    disclosed: float
    calibration: Calibration
    reads: int = READS
    _packed: NDArray[np.uint64] = field(init=False, repr=False)
    _memory: TokenMemory = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Lays out what is looked up."""
        object.__setattr__(self, "_packed", _pack(self.language))
        object.__setattr__(self, "_memory", TokenMemory(self._work_out, kind=self._kind))

    @property
    def _kind(self) -> np.dtype[np.void]:
        """What is remembered of a token: what it adds to a post's sums, and its outer words."""
        width = (len(self.bias) + 1,)
        return np.dtype(
            [
                ("words", np.float32, width),
                ("characters", np.float32, width),
                ("language", np.float32, (_LANES,)),
                ("first", np.uint64),
                ("last", np.uint64),
                ("worded", np.bool_),
                ("spoken", np.bool_),
            ],
            align=True,
        )

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
            bits, disclosed = _settings(settings)
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
                language=tensors["language.weights"],
                language_scale=tensors["language.scale"],
                language_bias=tensors["language.bias"],
                disclosed=disclosed,
                calibration=calibration,
            )
            model._check()
        except (SafetensorError, KeyError, TypeError, ValueError, IndexError, OSError) as error:
            raise ModelError(f"does not hold a linear model ({error})", file=file) from error
        return model

    def _check(self) -> None:
        """Look at the weights, and try one text.

        Raises:
            ValueError: if they do not fit together, or give what is no number.
        """
        width = len(LABELS["language"])
        buckets = 1 << self.hasher.bits - LANGUAGE_SHIFT
        if self.language.shape != (buckets, width) or self.language.dtype != np.int8:
            raise ValueError(f"language.weights: expected {buckets} rows of {width} int8")
        columns = sum(len(LABELS[tag]) for tag in TEXT_TAGS)
        if any(table.rows.shape[1] != columns + 1 for table in self.tables.values()):
            raise ValueError(f"expected weights of {columns} labels")
        if not all(np.isfinite(table.rows).all() for table in self.tables.values()):
            raise ValueError("weights that are no numbers")
        for tag, logits in self.logits([_TRIAL], [()]).items():
            if logits.shape != (1, len(LABELS[tag])) or not np.isfinite(logits).all():
                raise ValueError(f"{tag}: does not give a number for each label")

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
        logits = self.logits(texts, disclosures)
        return self.calibration(logits, disclosed=where_found(disclosures))

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
        cropped = [text[: self.reads] for text in texts]
        parts = [self._read_some(part) for part in in_parts(cropped)]
        if not texts:
            return np.zeros((0, len(self.bias)), np.float32), np.zeros((0, 4), np.float32)
        return np.concatenate([t for t, _ in parts]), np.concatenate([g for _, g in parts])

    def _read_some(self, texts: Sequence[str]) -> tuple[Floats, Floats]:
        tokens = cut(texts)
        known = self._memory(tokens)
        words, characters, language = (
            _sum_segments(known[name], tokens.text_ends)
            for name in ("words", "characters", "language")
        )
        words += self._pairs(known, tokens.text_ends)
        table = self.bias + _normed(words) + _normed(characters)
        length = np.sqrt(np.maximum(language[:, -1:], 1))
        spoken = language[:, :-1] * self.language_scale / length + self.language_bias
        # Emoji, links, handles and hashtags are in no language.
        silent = np.diff(np.append(0, known["spoken"].cumsum())[tokens.text_ends], prepend=0) == 0
        spoken[silent] = _NO_LANGUAGE
        return np.asarray(table), np.asarray(spoken, np.float32)

    def _work_out(self, tokens: list[str]) -> NDArray[np.void]:
        """What each of some raw tokens adds to the sums of a post that holds it."""
        lines = normalize_lines("\n".join(tokens))
        reading = self.hasher.read(lines)
        spans = list(reading.spans())
        found = np.zeros(len(tokens), self._kind)
        for unit in UNITS:
            counted = [one for one in spans if one.unit == unit and counts_toward(one, TEXT_SIZES)]
            found[unit] = self.tables[unit].add_all(counted, reading)
        found["language"] = self._language(spans, reading)
        found["first"], found["last"], found["worded"] = reading.outer_words()
        found["spoken"] = [bool(_SPOKEN.search(line)) for line in lines.split("\n")]
        return found

    def _language(self, spans: Sequence[Spans], reading: Reading) -> NDArray[np.int64]:
        """Sum the language's weights of each text that was read, and count its n-grams."""
        packed = np.zeros(len(reading), np.uint64)
        for ngrams in spans:
            if counts_toward(ngrams, LANGUAGE_SIZES):
                weights = self._packed[ngrams.buckets >> LANGUAGE_SHIFT]
                weights *= ngrams.kept
                packed[: len(weights)] += weights
        lanes = [packed >> _LANE * np.uint64(lane) for lane in range(_LANES)]
        mask = (np.uint64(1) << _LANE) - np.uint64(1)
        sums = np.stack(
            [np.add.reduceat(lane & mask, reading.breaks[:-1]) for lane in lanes], axis=1
        ).astype(np.int64)
        sums[:, :-1] -= _MIDDLE * sums[:, -1:]
        return sums

    def _pairs(self, known: NDArray[np.void], text_ends: NDArray[np.int64]) -> Floats:
        """Sum the rows of the pairs of words that two tokens of a text make together."""
        worded = np.flatnonzero(known["worded"])
        ends = np.searchsorted(worded, text_ends)
        # Each token with a word, but for the last of its text, makes a pair with the next such.
        first = np.ones(len(worded), np.bool_)
        first[ends[ends > 0] - 1] = False
        pairs = np.flatnonzero(first)
        one, other = known["last"][worded[pairs]], known["first"][worded[pairs + 1]]
        row_ends = np.searchsorted(pairs, ends).astype(np.int32)
        return self.tables["words"].add(Ngrams("words", 2, self.hasher.join(one, other), row_ends))


def _settings(settings: Mapping[str, Any]) -> tuple[int, float]:
    """Read how many bits the buckets have, and what a disclosure adds."""
    bits, disclosed = settings["bits"], settings["disclosed"]
    if type(bits) is not int or bits not in BITS:
        raise ValueError(f"bits: expected {BITS[0]} to {BITS[-1]}, but was given {bits!r}")
    if not abs(disclosed) <= float(np.finfo(np.float32).max):
        raise ValueError(f"disclosed: expected a number, but was given {disclosed!r}")
    return bits, float(disclosed)


def _calibration(folder: ModelFolder) -> Calibration:
    try:
        return Calibration.from_json(folder.calibration)
    except (KeyError, TypeError, ValueError) as error:
        message = f"does not hold a whole calibration ({error}); fetch the model again"
        raise ModelError(message, file=folder.path / MANIFEST) from error


def _normed(sums: Floats) -> Floats:
    norm = np.sqrt(np.maximum(sums[:, -1:], np.float32(1e-12)))
    return np.asarray(sums[:, :-1] / norm)


def _sum_segments(rows: Floats, ends: NDArray[np.int64]) -> Floats:
    """Sum the rows up to each end, from the end before."""
    every = np.arange(len(rows), dtype=np.int32)
    return _sum_rows(every, ends.astype(np.int32), np.ascontiguousarray(rows))


def _pack(weights: NDArray[np.int8]) -> NDArray[np.uint64]:
    """Put each row of language weights into one number, a lane each, and a 1 into the last."""
    packed = np.full(len(weights), 1 << int(_LANE) * (_LANES - 1), np.uint64)
    for lane in range(_LANES - 1):
        lifted = (weights[:, lane].astype(np.int16) + _MIDDLE).astype(np.uint64)
        packed |= lifted << _LANE * np.uint64(lane)
    return packed
