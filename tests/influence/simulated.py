"""A tagger whose errors are known, for tests of what corrects them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from murmure.influence.classes import CLASS_TAGS, CLASSES
from murmure.influence.posteriors import Sample
from murmure.schema import LABELS
from murmure.tagging.calibration import agree

Numbers = NDArray[np.int64]

#: How far the tagger's scores of the right label lie above the others.
SHARPNESS = {"sentiment": 2.0, "experience": 2.5, "touchpoint": 2.5, "sponsored": 3.0}


def place(*labels: str) -> int:
    """The class with these labels: sentiment, experience, touchpoint, sponsored."""
    return CLASSES.index(labels)


#: Some classes, and how common each is among the calibration posts.
MIX = {
    place("neutral", "none", "none", "no"): 0.4,
    place("neutral", "none", "none", "yes"): 0.1,
    place("positive", "own", "product", "no"): 0.15,
    place("negative", "own", "service", "no"): 0.15,
    place("negative", "own", "delivery", "no"): 0.05,
    place("negative", "none", "none", "no"): 0.1,
    place("positive", "shared", "product", "no"): 0.05,
}


def draw_classes(many: int, generator: np.random.Generator, mix: dict[int, float]) -> Numbers:
    """Classes of posts, drawn from a mix."""
    shares = np.array(list(mix.values()))
    return generator.choice(np.array(list(mix)), many, p=shares / shares.sum())


def tag_posts(classes: Numbers, generator: np.random.Generator) -> Sample:
    """What the tagger says of posts of these classes."""
    probabilities = {}
    for column, tag in enumerate(CLASS_TAGS):
        labels = LABELS[tag]
        right = np.array([labels.index(CLASSES[number][column]) for number in classes], np.int64)
        scores = generator.normal(size=(len(classes), len(labels)))
        scores[np.arange(len(classes)), right] += SHARPNESS[tag]
        chances = np.exp(scores)
        probabilities[tag] = (chances / chances.sum(axis=1, keepdims=True)).astype(np.float32)
    languages = generator.integers(0, 2, len(classes))
    return Sample(classes, languages, agree(probabilities), np.full(len(classes), "simulated"))
