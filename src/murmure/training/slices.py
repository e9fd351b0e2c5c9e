"""How right a model is on parts of the posts: languages, origins, the worst of them, the gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murmure.schema import LABELS, TAGS
from murmure.tagging.columns import most_probable
from murmure.training.scores import confusion, f1_scores, measure, middle, resample

Floats = NDArray[np.float32]
Codes = NDArray[np.int8]

#: Fewer posts than this make no slice, and fewer with a label do not count for the gap.
LEAST_POSTS = 50
_LEAST_OF_LABEL = 10
_LANGUAGES = ("fr", "en")


def spoken(probabilities: Mapping[str, Floats], labels: Mapping[str, Codes]) -> NDArray[Any]:
    """Give each post's language, the labelled or else the tagged one, as in `LABELS`."""
    tagged = np.argmax(probabilities["language"], axis=1)
    return np.where(labels["language"] < 0, tagged, labels["language"])


def name_languages(spoken: NDArray[Any]) -> NDArray[np.str_]:
    """Give the names of languages that are positions in `LABELS["language"]`."""
    return np.asarray(np.array(LABELS["language"])[spoken], np.str_)


def by_language(
    probabilities: Mapping[str, Floats], labels: Mapping[str, Codes], spoken: NDArray[Any]
) -> dict[str, dict[str, Any]]:
    """Measure the French posts and the English ones, each as `scores.measure` does.

    Args:
        probabilities: per tag an array (n, labels).
        labels: per tag the true labels, -1 where there is none.
        spoken: the language of each post, as positions in `LABELS["language"]`.
    """
    measured = {}
    for language in _LANGUAGES:
        rows = spoken == LABELS["language"].index(language)
        if rows.any():
            measured[language] = measure(
                {tag: table[rows] for tag, table in probabilities.items()},
                {tag: codes[rows] for tag, codes in labels.items()},
            )
    return measured


def by_slice(
    probabilities: Mapping[str, Floats], labels: Mapping[str, Codes], names: NDArray[np.str_]
) -> dict[str, dict[str, Any]]:
    """Measure the posts of each slice that has at least 50.

    A label that few posts of a slice have says little of it and would sway its average, so only
    those of 10 posts or more count; with fewer than two of them there is nothing to tell apart.

    Args:
        probabilities: per tag an array (n, labels).
        labels: per tag the true labels, -1 where there is none.
        names: which slice each post is of, of shape (n,); posts of '' are of none.

    Returns:
        Per slice and tag: `posts`, `macro_f1` over the labels counted, its `interval`, and how
        many posts have each of those `labels`.
    """
    chosen = most_probable(probabilities)
    measured: dict[str, dict[str, Any]] = {}
    for name in np.unique(names[names != ""]):
        scores = {}
        for tag in TAGS:
            rows = (names == name) & (labels[tag] >= 0)
            counts = confusion(labels[tag][rows], chosen[tag][rows], len(LABELS[tag]))
            present = counts.sum(axis=1)
            counted = present >= _LEAST_OF_LABEL
            if rows.sum() >= LEAST_POSTS and counted.sum() > 1:
                draws = f1_scores(resample(counts))[:, counted].mean(axis=1)
                scores[tag] = {
                    "posts": int(rows.sum()),
                    "macro_f1": float(f1_scores(counts)[counted].mean()),
                    "interval": middle(draws),
                    "labels": {
                        label: int(posts)
                        for label, posts in zip(LABELS[tag], present, strict=True)
                        if posts >= _LEAST_OF_LABEL
                    },
                }
        if scores:
            measured[str(name)] = scores
    return measured


def worst(kinds: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Name per tag the slice where macro-F1 is lowest.

    Args:
        kinds: slices by kind, such as `{"origin": by_slice(…)}`.

    Returns:
        Per tag: `by` (the kind), `slice` (its name), and what `by_slice` tells of it.

    Example:
        >>> good, bad = ({"sentiment": {"posts": 50, "macro_f1": score}} for score in (0.9, 0.4))
        >>> worst({"language": {"fr": good}, "origin": {"forum": bad}})["sentiment"]
        {'by': 'origin', 'slice': 'forum', 'posts': 50, 'macro_f1': 0.4}
    """
    found: dict[str, dict[str, Any]] = {}
    for kind, slices in kinds.items():
        for name, tags in slices.items():
            for tag, scores in tags.items():
                if tag not in found or scores["macro_f1"] < found[tag]["macro_f1"]:
                    found[tag] = {"by": kind, "slice": name, **scores}
    return {tag: found[tag] for tag in TAGS if tag in found}


def gap(
    probabilities: Mapping[str, Floats], labels: Mapping[str, Codes], spoken: NDArray[Any]
) -> dict[str, dict[str, Any]]:
    """Tell how much better a model reads French than English.

    Each language's macro-F1 is over the labels that 50 posts have in both; French and English
    posts are drawn apart.

    Args:
        probabilities: per tag an array (n, labels).
        labels: per tag the true labels, -1 where there is none.
        spoken: the language of each post, as positions in `LABELS["language"]`.

    Returns:
        Per tag, but for language itself: the `labels` counted, macro-F1 of `fr` and of `en`,
        their `difference` (above 0 where French is read better) and its 95 % `interval`. A tag
        with fewer than two such labels is left out.
    """
    chosen = most_probable(probabilities)
    found = {}
    for tag in TAGS[1:]:
        counts = [
            confusion(labels[tag][rows], chosen[tag][rows], len(LABELS[tag]))
            for rows in (
                (spoken == LABELS["language"].index(language)) & (labels[tag] >= 0)
                for language in _LANGUAGES
            )
        ]
        common = np.all([table.sum(axis=1) >= LEAST_POSTS for table in counts], axis=0)
        if common.sum() < 2:
            continue
        draws = [
            f1_scores(resample(table, seed=seed))[:, common].mean(axis=1)
            for seed, table in enumerate(counts)
        ]
        french, english = (float(f1_scores(table)[common].mean()) for table in counts)
        found[tag] = {
            "labels": _chosen_names(LABELS[tag], common),
            "fr": french,
            "en": english,
            "difference": french - english,
            "interval": middle(draws[0] - draws[1]),
        }
    return found


def _chosen_names(names: Sequence[str], mask: NDArray[np.bool_]) -> list[str]:
    return [name for name, chosen in zip(names, mask, strict=True) if chosen]
