"""What the fast model is trained on: posts, what each weighs, and their n-grams."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from murmure.disclosure import find_all, mask, where_found
from murmure.tagging.linear import TEXT_TAGS, UNITS
from murmure.tagging.ngrams import NgramHasher, Unit
from murmure.training.configured import barred_posts
from murmure.training.corpora import Corpora
from murmure.training.linear import Floats, Vocabulary, count_ngrams
from murmure.training.teaching import Lessons, Teacher, ask, choose

_log = logging.getLogger(__name__)

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Counted:
    """Posts as the text tags read them.

    Attributes:
        disclosed: whether the rules found a disclosure.
        plain: n-grams of the texts, by unit.
        masked: the same with disclosures masked.
    """

    disclosed: Mask
    plain: Mapping[Unit, csr_array]
    masked: Mapping[Unit, csr_array]

    def read(self, vocabulary: Vocabulary) -> Features:
        """Give what a model with some vocabulary reads of the posts."""
        return Features(vocabulary.read(self.plain), vocabulary.read(self.masked))


@dataclass(frozen=True)
class Features:
    """What a model reads of posts: matrices (posts, features).

    Attributes:
        plain: of the texts.
        masked: of the texts with disclosures masked, which the tag `sponsored` reads.
    """

    plain: csr_array
    masked: csr_array

    def of(self, tag: str) -> csr_array:
        """Give what a tag reads."""
        return self.masked if tag == "sponsored" else self.plain


@dataclass(frozen=True)
class Material:
    """The posts that text tags are trained on, with their n-grams counted once for all folds.

    Attributes:
        corpora: the posts; every one weighs something for some tag, or is measured on.
        weights: per tag, what each post weighs; 0 where it has no label.
        trainable: whether the licence of a post's corpus, or of its origin, lets it be trained on;
            it may be measured on all the same.
        fold: of each post; -1 for posts that the target corpus does not hold.
        target: whether a post is of the target corpus.
        counted: their n-grams.
        lessons: other posts with a teacher's word on them; None without a teacher.
        counted_lessons: their n-grams.
    """

    corpora: Corpora
    weights: Mapping[str, Floats]
    trainable: Mask
    fold: NDArray[np.int64]
    target: Mask
    counted: Counted
    lessons: Lessons | None = None
    counted_lessons: Counted | None = None

    @property
    def read_all(self) -> bool:
        """Whether the labels of all folds came to the models of each, through their teacher."""
        return self.lessons is not None and self.lessons.read_target


def gather(
    corpora: Corpora,
    configuration: Mapping[str, Any],
    hasher: NgramHasher,
    teacher: Teacher | None,
    work: Path,
) -> Material:
    """Gather what the text tags are trained on and measured by, and count its n-grams.

    Args:
        corpora: all posts that were read.
        configuration: as `load_configuration` gives it.
        hasher: of the n-grams.
        teacher: a model whose word on other posts is taken; None for none.
        work: a folder where its answers are kept.
    """
    settings, given = configuration["fast"], configuration["corpora"]
    target = corpora.corpus == given["target"]
    weights = {}
    for tag in TEXT_TAGS:
        knobs = settings[tag]
        weight = np.full(len(corpora), knobs["others"], np.float32)
        for name, value in knobs["weights"].items():
            weight[corpora.corpus == name] = value
        weight[corpora.weak[tag]] *= settings["weak"]
        weight[target] = 1
        # Other corpora's validation posts are for choosing between models.
        weight[(corpora.labels[tag] < 0) | (corpora.validation & ~target)] = 0
        weights[tag] = weight
    rows = np.any([weight > 0 for weight in weights.values()], axis=0)
    kept = corpora.take(rows)
    counted = _count(kept.texts, hasher)
    _log.info(
        "%d posts for the text tags, %d with a disclosure", len(kept), counted.disclosed.sum()
    )
    folds = corpora.folds(target=given["target"], count=given["folds"], seed=given["seed"])
    lessons = learn(teacher, corpora, folds, configuration, work) if teacher else None
    return Material(
        corpora=kept,
        weights={tag: weight[rows] for tag, weight in weights.items()},
        trainable=~barred_posts(kept, given),
        fold=folds[rows],
        target=target[rows],
        counted=counted,
        lessons=lessons,
        counted_lessons=_count(lessons.texts, hasher) if lessons else None,
    )


def learn(
    teacher: Teacher,
    corpora: Corpora,
    folds: NDArray[np.int64],
    configuration: Mapping[str, Any],
    work: Path,
) -> Lessons:
    """Ask a teacher about posts of no fold."""
    taught = configuration["fast"]["taught"]
    rows = choose(corpora, folds, taught, seed=configuration["corpora"]["seed"])
    lessons = ask(teacher, [corpora.texts[row] for row in rows], work)
    return replace(lessons, corpora=tuple(np.unique(corpora.corpus[rows]).tolist()))


def _count(texts: Sequence[str], hasher: NgramHasher) -> Counted:
    disclosures = find_all(texts)
    disclosed = where_found(disclosures)
    masked = [mask(text, found) for text, found in zip(texts, disclosures, strict=True) if found]
    plain, changed = count_ngrams(texts, hasher), count_ngrams(masked, hasher)
    return Counted(
        disclosed,
        plain,
        {unit: _replace(plain[unit], disclosed, changed[unit]) for unit in UNITS},
    )


def _replace(matrix: csr_array, rows: Mask, by: csr_array) -> csr_array:
    """Put other rows in the place of some."""
    from scipy.sparse import vstack

    order = np.arange(matrix.shape[0])
    order[rows] = matrix.shape[0] + np.arange(rows.sum())
    return csr_array(vstack([matrix, by], format="csr")[order])
