"""Training's features: the same numbers as the model reads when it predicts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array

from murmure.tagging.linear import UNITS
from murmure.tagging.ngrams import NgramHasher
from murmure.training.linear import (
    Vocabulary,
    count_ngrams,
    fit_labels,
    quantize,
    read_language,
)

HASHER = NgramHasher(bits=16)
TEXTS = ["le café est bon", "the coffee is bad", "", "😡 😡", "le café"]
LEAST = {"words": 2, "characters": 2}


def test_only_ngrams_that_enough_posts_hold_are_known() -> None:
    counts = count_ngrams(TEXTS, HASHER)
    vocabulary = Vocabulary.choose(counts, np.arange(len(TEXTS)), least=LEAST)
    held = {unit: (counts[unit].toarray() > 0).sum(axis=0) for unit in UNITS}
    for unit in UNITS:
        assert vocabulary.buckets[unit].tolist() == np.flatnonzero(held[unit] >= 2).tolist()
        known = held[unit][vocabulary.buckets[unit]]
        expected = np.log(len(TEXTS) / (1 + known)) + 1
        assert vocabulary.frequency[unit] == pytest.approx(expected, rel=1e-3)


def test_rows_apart_do_not_choose_what_is_known() -> None:
    counts = count_ngrams(["a b", "a b", "zz zz", "zz zz"], HASHER)
    some = Vocabulary.choose(counts, np.arange(2), least=LEAST)
    alone = Vocabulary.choose(count_ngrams(["a b", "a b"], HASHER), np.arange(2), least=LEAST)
    for unit in UNITS:
        assert some.buckets[unit].tolist() == alone.buckets[unit].tolist()


def test_every_post_that_holds_something_known_has_unit_length() -> None:
    counts = count_ngrams(TEXTS, HASHER)
    vocabulary = Vocabulary.choose(counts, np.arange(len(TEXTS)), least=LEAST)
    read = vocabulary.read({unit: counts[unit] for unit in UNITS})
    words = len(vocabulary.buckets["words"])
    norms = np.sqrt((read[:, :words] ** 2).sum(axis=1))
    assert norms.tolist() == pytest.approx([1, 0, 0, 0, 1])


def test_what_language_reads_shrinks_with_the_root_of_its_length() -> None:
    read = read_language(["a", "", "é é"], HASHER)
    assert read.shape == (3, 1 << 14)
    assert read.sum(axis=1).tolist() == pytest.approx([np.sqrt(5), 0, np.sqrt(10)])


def test_labels_are_fitted_and_weights_of_0_do_not_count() -> None:
    matrix = csr_array(np.tile(np.eye(2, dtype=np.float32), (20, 1)))
    labels = np.tile(np.array([0, 1], np.int8), 20)
    weights, bias = fit_labels(
        matrix, labels, count=2, weights=np.ones(40, np.float32), regularization=10, balance=1
    )
    assert weights.shape == (2, 2)
    assert ((matrix @ weights + bias).argmax(axis=1) == labels).all()
    assert weights.dtype == bias.dtype == np.float32


def test_eight_bits_keep_weights_within_half_a_step() -> None:
    weights = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32) * [1, 1e-3, 0]
    stored, scale = quantize(weights.astype(np.float32))
    assert stored.dtype == np.int8
    assert np.abs(stored * scale - weights).max(axis=0) == pytest.approx(
        scale / 2, rel=0.1, abs=1e-9
    )
