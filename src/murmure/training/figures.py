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
from murmure.errors import ConfigurationError, InputError
from murmure.schema import LABELS, TAGS
from murmure.tagging.columns import most_probable
from murmure.tagging.folder import ModelFolder
from murmure.tagging.ngrams import NgramHasher
from murmure.training import comparing, reliability, slices
from murmure.training.corpora import Corpora
from murmure.training.language import LanguagePart, LanguageSets, yardsticks
from murmure.training.scores import confusion, f1_scores, interval, macro_f1, measure

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

#: The file of a model folder that holds what the counts rest on.
CALIBRATION = "calibration.parquet"
#: The file that shows whether its scores mean what they say.
RELIABILITY = "reliability.png"

_LEAST_SPONSORED = 20
_MIXED = LABELS["language"].index("mixed")


def held_out(
    probabilities: Mapping[str, Floats], measured: Corpora, disclosed: Mask
) -> dict[str, Any]:
    """Measure what was said of posts by models that were not trained on them.

    Args:
        probabilities: per tag an array (n, labels), of the posts of `measured` in their order.
        measured: the target's posts.
        disclosed: whether the rules found a disclosure.

    Returns:
        What a manifest holds under `metrics`: `held_out` over all posts, `held_out_source` over
        those drawn at random within their source, `sponsored`; then
        `languages`, `origins`, `worst`, `gap`, `reliability` as `training.slices` and
        `training.reliability` give them; reliability, `languages_source` and `gap_source` on the
        posts drawn at random.
    """
    labels, spoken = measured.labels, slices.spoken(probabilities, measured.labels)
    at_random, labels_at_random = _at_random(probabilities, measured)
    spoken_at_random = spoken[measured.draw == "source"]
    origins = slices.by_slice(probabilities, labels, measured.origin)
    languages = slices.by_slice(probabilities, labels, slices.name_languages(spoken))
    return {
        "held_out": measure(probabilities, labels),
        "held_out_source": measure(at_random, labels_at_random),
        "sponsored": _sponsored(probabilities, measured, disclosed),
        "languages": slices.by_language(probabilities, labels, spoken),
        "languages_source": slices.by_language(at_random, labels_at_random, spoken_at_random),
        "origins": origins,
        "worst": slices.worst({"language": languages, "origin": origins}),
        "gap": slices.gap(probabilities, labels, spoken),
        "gap_source": slices.gap(at_random, labels_at_random, spoken_at_random),
        "reliability": reliability.reliability(at_random, labels_at_random),
    }


def abstention(
    probabilities: Mapping[str, Floats], measured: Corpora, thresholds: Mapping[str, float]
) -> dict[str, Any]:
    """Tell how often a model abstains on the posts drawn at random, and whether it should."""
    return reliability.abstention(*_at_random(probabilities, measured), thresholds)


def compare(
    probabilities: Mapping[str, Floats], measured: Corpora, model: str | Path
) -> dict[str, Any]:
    """Compare out-of-fold probabilities with those that another model's folder keeps.

    Args:
        probabilities: per tag an array (n, labels), of the posts of `measured` in their order.
        measured: the target's posts.
        model: the name of a shipped model, or a folder, measured on the same posts.

    Raises:
        ModelError: if there is no such model.
        InputError: if it was measured on other posts, or they were labelled otherwise.
    """
    return comparing.compare(probabilities, kept(model, measured), measured.labels)


def kept(model: str | Path, measured: Corpora) -> dict[str, Floats]:
    """Read the out-of-fold probabilities that a model's folder keeps.

    Args:
        model: the name of a shipped model, or a folder.
        measured: the target's posts, which it must have been measured on.

    Returns:
        Per tag an array (n, labels), in the order of `measured`.

    Raises:
        ModelError: if there is no such model.
        InputError: if it was measured on other posts, or they were labelled otherwise.
    """
    file = ModelFolder.open(model).path / CALIBRATION
    table = pq.read_table(file)
    same = table.num_rows == len(measured) and all(
        table[f"{tag}_true"].to_pylist() == _names(tag, measured) for tag in TAGS
    )
    if not same or table["origin"].to_pylist() != measured.origin.tolist():
        raise InputError(
            f"is not of the same {len(measured):,} posts in the same order; compare models that "
            "were trained on the same corpora",
            file=file,
        )
    return {
        tag: np.stack(table[f"{tag}_probabilities"].to_numpy()).astype(np.float32) for tag in TAGS
    }


def _at_random(
    probabilities: Mapping[str, Floats], measured: Corpora
) -> tuple[dict[str, Floats], dict[str, NDArray[np.int8]]]:
    """Give probabilities and labels of the posts drawn at random within their source."""
    drawn = measured.draw == "source"
    return (
        {tag: table[drawn] for tag, table in probabilities.items()},
        {tag: labels[drawn] for tag, labels in measured.labels.items()},
    )


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
    posts = measured.take(measured.validation)
    return measure(predict(folder, posts.texts), posts.labels)


def validation_compared(
    folder: Path, measured: Corpora, probabilities: Mapping[str, Floats]
) -> dict[str, Any]:
    """Compare the saved model with those of the folds on the posts that none was trained on.

    Args:
        folder: of the saved model.
        measured: the target's posts.
        probabilities: per tag an array (n, labels), out of fold, of the same posts.
    """
    held = measured.validation
    posts = measured.take(held)
    of_folds = {tag: table[held] for tag, table in probabilities.items()}
    return comparing.compare(predict(folder, posts.texts), of_folds, posts.labels)


def external(
    folder: Path, corpora: Corpora, names: Sequence[str], *, beside: Sequence[str | Path] = ()
) -> dict[str, Any]:
    """Measure the saved model on the validation posts of other corpora.

    Args:
        folder: of the saved model.
        corpora: posts of many corpora.
        names: which corpora to measure on.
        beside: other models, measured on the same posts.

    Returns:
        Per corpus and tag that it labels in two ways or more, what `scores.measure` gives, and
        `compared`: per other model what `comparing.compare` gives.

    Raises:
        ConfigurationError: if a corpus has no validation posts.
        ModelError: if there is no such model.
    """
    measured = {}
    for name in names:
        posts = corpora.take((corpora.corpus == name) & corpora.validation)
        if not len(posts):
            known = ", ".join(np.unique(corpora.corpus[corpora.validation]))
            raise ConfigurationError(
                "corpora.external", given=name, expected=f"a corpus with validation posts: {known}"
            )
        probabilities = predict(folder, posts.texts)
        others = {
            ModelFolder.open(model).name: comparing.compare(
                probabilities, predict(model, posts.texts), posts.labels
            )
            for model in beside
        }
        measured[name] = {
            tag: scores | {"compared": {other: found[tag] for other, found in others.items()}}
            for tag, scores in measure(probabilities, posts.labels).items()
            if sum(label["posts"] > 0 for label in scores["labels"].values()) > 1
        }
    return measured


def predict(model: str | Path, texts: Sequence[str]) -> Mapping[str, Floats]:
    """Give a model's probabilities: per tag an array (n, labels)."""
    from murmure.tagging import Predictor

    return Predictor.from_pretrained(model).predict_columns(texts).probabilities


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
