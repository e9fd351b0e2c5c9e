"""What a training reads, in which order: posts as tokens, drawn from corpora, dealt in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from murmure.schema import LABELS
from murmure.text import encoder_texts
from murmure.training.corpora import Corpora
from murmure.training.labels import MISSING

Rows = NDArray[np.intp]
Floats = NDArray[np.float32]

# Batches of alike lengths are cut from so many batches' worth of posts: less padding, and still
# nearly a random order.
_BATCHES_SORTED = 32
# More tokens than these are never kept of a text; what is cut costs no time either.
_CHARACTERS_PER_TOKEN = 12


@dataclass(frozen=True)
class Posts:
    """Posts as an encoder reads them; they become tokens as they are read.

    Attributes:
        texts: as published.
        labels: per tag of the model, positions in `LABELS`, -1 where there is no label.
        weights: per tag of the model, what a post's label weighs in the loss.
        tokenizer: of the encoder, as transformers loads it.
        prefix: put before every text.
        longest: how many tokens are kept of a post, special ones included.
    """

    texts: Sequence[str]
    labels: Mapping[str, NDArray[np.int8]]
    weights: Mapping[str, Floats]
    tokenizer: Any
    prefix: str
    longest: int

    def __len__(self) -> int:
        """Return the number of posts."""
        return len(self.texts)

    @property
    def lengths(self) -> NDArray[np.intp]:
        """How many characters of each post may be read."""
        most = self.longest * _CHARACTERS_PER_TOKEN
        return np.array([min(len(text), most) for text in self.texts], np.intp)

    def read(self, rows: Rows) -> tuple[torch.Tensor, torch.Tensor]:
        """Stack posts: token ids and attention mask, both int64 of shape (rows, tokens)."""
        most = self.longest * _CHARACTERS_PER_TOKEN
        texts = encoder_texts([self.texts[row][:most] for row in rows])
        read = self.tokenizer(
            [self.prefix + text for text in texts],
            truncation=True,
            max_length=self.longest,
            padding=True,
            return_tensors="pt",
        )
        return read["input_ids"], read["attention_mask"]


def label_weights(
    corpora: Corpora,
    tags: Sequence[str],
    *,
    target: str,
    settings: Mapping[str, Mapping[str, Any]],
) -> dict[str, Floats]:
    """Tell what each post's label weighs: nothing where there is none, less where it was derived.

    Args:
        corpora: the posts.
        tags: the model's.
        target: the corpus whose labels weigh in full.
        settings: per tag `weak`, `others` and the `weights` of single corpora, and `balance`,
            which evens out the classes by the target's own shares to that power.
    """
    of_target = corpora.corpus == target
    weights = {}
    for tag in tags:
        knobs, labels = settings[tag], corpora.labels[tag]
        weight = np.where(of_target, 1.0, knobs["others"]).astype(np.float32)
        for name, value in knobs["weights"].items():
            weight[corpora.corpus == name] = value
        weight[corpora.weak[tag]] *= knobs["weak"]
        weight *= class_weights(labels[of_target], tag, balance=knobs["balance"])[labels]
        weight[labels == MISSING] = 0
        weights[tag] = weight
    return weights


def class_weights(labels: NDArray[np.int8], tag: str, *, balance: float) -> Floats:
    """Give each label's weight: its share to the power of `-balance`, 1 on the average post.

    Example:
        >>> class_weights(np.array([0, 1, 1, 1], np.int8), "sponsored", balance=1.0)
        array([2.       , 0.6666667], dtype=float32)
        >>> class_weights(np.array([], np.int8), "sponsored", balance=1.0)
        array([1., 1.], dtype=float32)
    """
    counts = np.bincount(labels[labels != MISSING], minlength=len(LABELS[tag]))
    if not counts.any():
        return np.ones(len(counts), np.float32)
    shares = counts / counts.sum()
    # A label that the target lacks altogether weighs what the rarest does.
    weights = np.maximum(shares, shares[shares > 0].min()) ** -balance
    return np.asarray(weights / (weights * shares).sum(), np.float32)


def draw(
    corpus: NDArray[np.str_],
    *,
    posts: int,
    temperature: float,
    weights: Mapping[str, float],
    seed: int,
) -> Rows:
    """Draw posts from a mixture of corpora.

    A corpus of n posts is drawn from in proportion to its weight times n to the power of
    1 / temperature (Arivazhagan et al., "Massively multilingual neural machine translation in
    the wild", 2019). No post comes a second time before all of its corpus came once.

    Args:
        corpus: of each post that may be drawn.
        posts: how many to draw.
        temperature: 1 draws in proportion to size; higher ones favour small corpora.
        weights: of single corpora; the others weigh 1.
        seed: for what is drawn, and in which order.

    Returns:
        Positions in `corpus`, of shape (posts,), or none where there is nothing to draw from.
    """
    generator = np.random.default_rng(seed)
    names, sizes = np.unique(corpus, return_counts=True)
    share = sizes ** (1 / temperature) * [weights.get(str(name), 1.0) for name in names]
    if not posts or not share.sum():
        return np.zeros(0, np.intp)
    counts = generator.multinomial(posts, share / share.sum())
    drawn = [
        _cycle(np.flatnonzero(corpus == name), count, generator)
        for name, count in zip(names, counts, strict=True)
    ]
    return generator.permutation(np.concatenate(drawn))


def repeat(rows: Rows, *, epochs: float, seed: int) -> Rows:
    """Go through posts so many times, each time in another order; the last time in part."""
    generator = np.random.default_rng(seed)
    return _cycle(rows, round(len(rows) * epochs), generator)


def _cycle(rows: Rows, count: int, generator: np.random.Generator) -> Rows:
    if not len(rows):
        return rows
    rounds = [generator.permutation(rows) for _ in range(-(-count // len(rows)))]
    return np.concatenate([np.zeros(0, np.intp), *rounds])[:count]


def deal(order: Rows, lengths: NDArray[np.intp], *, size: int, seed: int) -> list[Rows]:
    """Cut posts into batches of alike lengths, nearly in the order given.

    Args:
        order: positions of posts.
        lengths: of all posts, in any unit.
        size: of a batch; the last of a stretch may be smaller.
        seed: for the order of batches within a stretch.
    """
    generator = np.random.default_rng(seed)
    batches: list[Rows] = []
    for start in range(0, len(order), size * _BATCHES_SORTED):
        stretch = order[start : start + size * _BATCHES_SORTED]
        stretch = stretch[np.argsort(lengths[stretch], kind="stable")]
        cut = [stretch[at : at + size] for at in range(0, len(stretch), size)]
        batches += [cut[at] for at in generator.permutation(len(cut))]
    return batches
