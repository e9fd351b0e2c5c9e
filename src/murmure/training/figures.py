"""The figures of a model's card: measured once, when it is trained, and kept in its manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from murmure.assets import sample_folder
from murmure.disclosure import find_all
from murmure.schema import LABELS, TAGS
from murmure.tagging.columns import most_probable
from murmure.tagging.folder import ModelFolder
from murmure.tagging.ngrams import NgramHasher
from murmure.training.corpora import Corpora
from murmure.training.language import LanguagePart, LanguageSets, yardsticks
from murmure.training.scores import (
    confusion,
    f1_scores,
    interval,
    macro_f1,
    measure,
)

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_LEAST_SPONSORED = 20
_MIXED = LABELS["language"].index("mixed")


def cross_fitted(
    probabilities: Mapping[str, Floats], measured: Corpora, disclosed: Mask
) -> dict[str, Any]:
    """Measure out-of-fold probabilities: all posts, those drawn at random, sponsorship apart."""
    drawn = measured.draw == "source"
    return {
        "cross_fitted": measure(probabilities, measured.labels),
        "cross_fitted_source": measure(
            {tag: table[drawn] for tag, table in probabilities.items()},
            {tag: labels[drawn] for tag, labels in measured.labels.items()},
        ),
        "sponsored": _sponsored(probabilities, measured, disclosed),
    }


def _sponsored(
    probabilities: Mapping[str, Floats], measured: Corpora, disclosed: Mask
) -> dict[str, Any]:
    true = measured.labels["sponsored"]
    chosen = most_probable(probabilities)["sponsored"]

    def yes(rows: Mask) -> dict[str, Any]:
        table = confusion(true[rows], chosen[rows], 2)
        return {
            "f1": float(f1_scores(table)[0]),
            "posts": int(table.sum()),
            "yes": int(table[0].sum()),
        }

    silent = ~disclosed
    origins = {
        str(origin): yes(silent & (measured.origin == origin))
        for origin in np.unique(measured.origin)
    }
    praise = (
        (measured.draw == "source")
        & (true == LABELS["sponsored"].index("no"))
        & (measured.labels["sentiment"] == LABELS["sentiment"].index("positive"))
        & (measured.labels["experience"] == LABELS["experience"].index("own"))
    )
    return {
        "without_disclosure": yes(silent),
        "without_disclosure_by_origin": {
            origin: score for origin, score in origins.items() if score["yes"] >= _LEAST_SPONSORED
        },
        "disclosed": {
            "posts": int(disclosed.sum()),
            "precision": float((true[disclosed] == 0).mean()) if disclosed.any() else None,
        },
        "organic_praise": {
            "posts": int(praise.sum()),
            "called_sponsored": float((chosen[praise] == 0).mean()) if praise.any() else None,
        },
    }


def save_calibration(file: Path, measured: Corpora, probabilities: Mapping[str, Floats]) -> None:
    """Write what the counts rest on: per post its true labels and out-of-fold probabilities."""
    columns: dict[str, pa.Array] = {
        "language": pa.array(_names("language", measured)),
        "origin": pa.array(measured.origin.tolist()),
        "draw": pa.array(measured.draw.tolist()),
    }
    for tag in TAGS:
        columns[f"{tag}_true"] = pa.array(_names(tag, measured))
        table = probabilities[tag].astype(np.float16)
        columns[f"{tag}_probabilities"] = pa.FixedSizeListArray.from_arrays(
            pa.array(table.reshape(-1)), table.shape[1]
        )
    pq.write_table(pa.table(columns), file, compression="zstd")


def _names(tag: str, measured: Corpora) -> list[str | None]:
    return [LABELS[tag][code] if code >= 0 else None for code in measured.labels[tag]]


def validation(folder: Path, measured: Corpora) -> dict[str, Any]:
    """Measure the saved model on the posts that it was not trained on."""
    from murmure.tagging.linear import LinearModel

    posts = measured.take(measured.validation)
    model = LinearModel.load(ModelFolder.open(folder))
    return measure(model.predict(posts.texts, find_all(posts.texts)), posts.labels)


def language(part: LanguagePart, hasher: NgramHasher, sets: LanguageSets) -> dict[str, Any]:
    """Measure the language tag beside the yardsticks that are installed."""
    tenth = slice(0, sets.held_corpus)
    return {
        "held_out_tenth": _compare(sets.held_texts[tenth], sets.held_labels[tenth], part, hasher),
        "held_out_tenth_with_posts": _compare(sets.held_texts, sets.held_labels, part, hasher),
        "snippets": _compare(sets.snippets, sets.snippet_labels, part, hasher),
        "mixed": _mixed(part, hasher),
    }


def _compare(
    texts: Sequence[str], labels: NDArray[np.int8], part: LanguagePart, hasher: NgramHasher
) -> dict[str, Any]:
    names = [name for name in LABELS["language"] if name != "mixed"]
    codes = {name: code for code, name in enumerate(names)}
    true = np.array([codes[LABELS["language"][label]] for label in labels])
    scores = part.scaling(part.logits(texts, hasher))
    scores[:, _MIXED] = 0
    own = [LABELS["language"][code] for code in np.argmax(scores, axis=1)]
    answers = {"murmure": own, **yardsticks(texts)}
    compared: dict[str, Any] = {"texts": len(texts)}
    for name, answer in answers.items():
        chosen = np.array([codes[label] for label in answer])
        compared[name] = {
            "macro_f1": macro_f1(confusion(true, chosen, 3)),
            "interval": interval(true.astype(np.int8), chosen, 3),
        }
    return compared


def _mixed(part: LanguagePart, hasher: NgramHasher) -> dict[str, Any] | None:
    file = sample_folder().parent / "mixed" / "posts.jsonl"
    if not file.is_file():
        return None
    posts = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    true = np.array([LABELS["language"].index(post["language"]) for post in posts])
    scores = part.scaling(part.logits([post["text"] for post in posts], hasher))
    table = confusion(true, np.argmax(scores, axis=1), len(LABELS["language"]))
    return {
        "posts": len(posts),
        "mixed": int((true == _MIXED).sum()),
        "f1": float(f1_scores(table)[_MIXED]),
    }
