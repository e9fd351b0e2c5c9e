"""Training of the fast model: cross-fitted figures and calibration first, then what ships."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murmure.errors import ConfigurationError
from murmure.schema import LABELS
from murmure.tagging.folder import write_manifest
from murmure.tagging.linear import TEXT_TAGS, UNITS, WEIGHTS
from murmure.tagging.ngrams import NgramHasher
from murmure.training import card, figures, plots
from murmure.training.configured import barred_posts, configured_corpora, left_out, settings_told
from murmure.training.corpora import Corpora
from murmure.training.crossfitting import calibrate, calibrate_across, fit_thresholds
from murmure.training.language import LanguagePart, fit_language, make_sets
from murmure.training.licences import licences_told
from murmure.training.linear import (
    Floats,
    Linear,
    SoftLabels,
    Vocabulary,
    fit_labels,
    quantize,
    read_language,
)
from murmure.training.material import Features, Mask, Material, gather
from murmure.training.teaching import find_teacher

_log = logging.getLogger(__name__)


def train(configuration: Mapping[str, Any], output: Path) -> dict[str, Any]:
    """Train, measure and save the fast model.

    Args:
        configuration: as `load_configuration` gives it.
        output: the model folder; files of the same names are replaced.

    Returns:
        The manifest.

    Raises:
        InputError: if the corpora cannot be read.
        ConfigurationError: if a corpus that a setting names is not among them, or there is no
            such teacher.
        UsageError: if matplotlib is not installed.
    """
    settings, given = configuration["fast"], configuration["corpora"]
    corpora = configured_corpora(given)
    # Before anything that takes long.
    plots.require()
    teacher = find_teacher(configuration)
    _log.info("%d posts in %d corpora", len(corpora), len(np.unique(corpora.corpus)))
    hasher = NgramHasher(bits=settings["bits"])
    target, seed = given["target"], given["seed"]
    for name, corpus in (
        ("corpora.target", target),
        ("fast.language.corpus", settings["language"]["corpus"]),
    ):
        if corpus not in corpora.corpus:
            known = ", ".join(np.unique(corpora.corpus))
            raise ConfigurationError(name, given=corpus, expected=f"a corpus, one of {known}")

    allowed = corpora.take(~barred_posts(corpora, given))
    sets = make_sets(allowed, settings["language"], target=target, seed=seed)
    read = read_language(sets.texts, hasher)
    regularization = settings["language"]["regularization"]
    language = fit_language(sets, read, regularization=regularization, seed=seed)
    _log.info("language trained on %d texts", len(sets.texts))

    work = output.with_name(output.name + ".training")
    material = gather(corpora, configuration, hasher, teacher, work)
    logits = _cross_fit(material, settings, given["folds"])
    measured = material.corpora.take(material.target)
    found = material.counted.disclosed[material.target]
    disclosed = _weigh_disclosures(logits["sponsored"], measured, found)
    logits["sponsored"][found, 0] += disclosed
    folds = material.fold[material.target]
    logits["language"] = np.zeros((len(measured), len(LABELS["language"])), np.float32)
    for fold in np.unique(folds):
        held = folds == fold
        part = fit_language(
            sets,
            read,
            regularization=regularization,
            seed=seed,
            leave_out=measured.key[held],
        )
        logits["language"][held] = part.logits(measured.take(held).texts, hasher)
        _log.info("language, fold %d", fold + 1)
    may_fit = material.trainable[material.target]
    fitted: dict[str, Any] = {
        "language": language.scaling,
        "balance": {tag: settings[tag]["calibration_balance"] for tag in TEXT_TAGS},
        "disclosed": found,
        "rows": may_fit,
    }
    probabilities = calibrate_across(logits, measured, folds, **fitted)
    calibration = calibrate(logits, measured, **fitted)
    thresholds = fit_thresholds(probabilities, measured, rows=may_fit)

    own = material.target & material.trainable & ~material.corpora.validation
    vocabulary = Vocabulary.choose(
        material.counted.plain, np.flatnonzero(own), least=settings["least_posts"]
    )
    output.mkdir(parents=True, exist_ok=True)
    rows = material.trainable & ~material.corpora.validation
    _save_weights(output / WEIGHTS, material, rows, vocabulary, settings, language)
    manifest: dict[str, Any] = {
        "name": output.name,
        "kind": "linear",
        "settings": {"bits": settings["bits"], "disclosed": disclosed},
        "calibration": calibration.to_json(),
        "thresholds": thresholds,
        "training": _describe(corpora, material, sets.texts, configuration),
        "metrics": {},
    }
    write_manifest(output, manifest)
    manifest["metrics"] = _measure(
        output, measured, found, None if material.read_all else probabilities, thresholds
    ) | {"language": figures.language(language, hasher, sets)}
    (output / "README.md").write_text(card.render(manifest), "utf-8")
    write_manifest(output, manifest)
    return manifest


def _measure(
    output: Path,
    measured: Corpora,
    found: Mask,
    probabilities: Mapping[str, Floats] | None,
    thresholds: Mapping[str, float],
) -> dict[str, Any]:
    """Measure the saved model, and keep what the counts need to know of its errors.

    Args:
        output: the model folder.
        measured: the target's posts.
        found: whether the rules found a disclosure in each.
        probabilities: of each, out of fold; None where a teacher read the labels of all posts that
            were trained on, and handed them down even to the models of the folds. What neither
            saw are the validation posts then, so that they alone tell.
        thresholds: below which the model abstains, by tag.
    """
    if probabilities is None:
        found, measured = found[measured.validation], measured.take(measured.validation)
        probabilities = figures.predict(output, measured.texts)
        metrics = figures.held_out(probabilities, measured, found)
        validation = metrics["held_out"]
    else:
        metrics = figures.held_out(probabilities, measured, found)
        validation = figures.validation(output, measured)
    figures.save_calibration(output / figures.CALIBRATION, measured, probabilities)
    plots.reliability({output.name: metrics["reliability"]}, output / figures.RELIABILITY)
    return metrics | {
        "abstention": figures.abstention(probabilities, measured, thresholds),
        "reliability_plot": figures.RELIABILITY,
        "validation": validation,
    }


def _fit_all(
    material: Material, vocabulary: Vocabulary, rows: Mask, settings: Mapping[str, Any]
) -> tuple[Features, dict[str, Linear]]:
    """Fit every text tag on those of some posts that have a label of it, and on the lessons."""
    features = material.counted.read(vocabulary)
    taught = material.counted_lessons and material.counted_lessons.read(vocabulary)
    fits = {}
    for tag in TEXT_TAGS:
        chosen = np.flatnonzero(rows & (material.weights[tag] > 0))
        fits[tag] = fit_labels(
            features.of(tag)[chosen],
            material.corpora.labels[tag][chosen],
            count=len(LABELS[tag]),
            weights=material.weights[tag][chosen],
            regularization=settings[tag]["regularization"],
            balance=settings[tag]["balance"],
            soft=SoftLabels(
                taught.of(tag), material.lessons.probabilities[tag], settings[tag]["taught"]
            )
            if taught and material.lessons and settings[tag]["taught"]
            else None,
        )
    return features, fits


def _cross_fit(material: Material, settings: Mapping[str, Any], folds: int) -> dict[str, Floats]:
    """Give the logits of the target's posts, each from models that never saw its key."""
    logits = {
        tag: np.zeros((len(material.corpora), len(LABELS[tag])), np.float32) for tag in TEXT_TAGS
    }
    for fold in range(folds):
        apart = material.fold == fold
        known = np.flatnonzero(material.target & material.trainable & ~apart)
        vocabulary = Vocabulary.choose(material.counted.plain, known, least=settings["least_posts"])
        held = apart & material.target
        features, fits = _fit_all(material, vocabulary, material.trainable & ~apart, settings)
        for tag, (weights, bias) in fits.items():
            logits[tag][held] = features.of(tag)[held] @ weights + bias
        _log.info("fold %d of %d", fold + 1, folds)
    return {tag: table[material.target] for tag, table in logits.items()}


def _weigh_disclosures(logits: Floats, measured: Corpora, found: Mask) -> float:
    """Fit how much a found disclosure adds to the logit of `yes`."""
    from sklearn.linear_model import LogisticRegression

    features = np.stack([logits[:, 0], found], axis=1)
    fit = LogisticRegression().fit(features, measured.labels["sponsored"] == 0)
    return float(fit.coef_[0, 1] / fit.coef_[0, 0])


def _save_weights(  # noqa: PLR0917 - all that a file of weights holds
    file: Path,
    material: Material,
    rows: Mask,
    vocabulary: Vocabulary,
    settings: Mapping[str, Any],
    language: LanguagePart,
) -> None:
    from safetensors.numpy import save

    fits = _fit_all(material, vocabulary, rows, settings)[1].values()
    weights = np.concatenate([weight for weight, _ in fits], axis=1)
    tensors: dict[str, NDArray[Any]] = {
        "bias": np.concatenate([bias for _, bias in fits]),
        "language.weights": language.weights,
        "language.scale": language.scale,
        "language.bias": language.bias,
    }
    start = 0
    for unit in UNITS:
        buckets = vocabulary.buckets[unit]
        stored, scale = quantize(weights[start : start + len(buckets)])
        start += len(buckets)
        tensors[f"{unit}.buckets"] = buckets
        tensors[f"{unit}.frequency"] = vocabulary.frequency[unit].astype(np.float16)
        tensors[f"{unit}.weights"] = stored
        tensors[f"{unit}.scale"] = scale
    # Written by us, because the library's own file can be read by its owner alone.
    file.write_bytes(save(tensors))


def _describe(
    corpora: Corpora, material: Material, language: list[str], configuration: Mapping[str, Any]
) -> dict[str, Any]:
    """Tell what was trained on: posts a corpus and tag, and their licences."""
    of_tag: dict[str, dict[str, int]] = {}
    for tag in TEXT_TAGS:
        used = (material.weights[tag] > 0) & material.trainable & ~material.corpora.validation
        names, counts = np.unique(material.corpora.corpus[used], return_counts=True)
        of_tag[tag] = dict(zip(names.tolist(), counts.tolist(), strict=True))
    names = np.unique(corpora.corpus[corpora.labels["language"] >= 0]).tolist()
    lessons, settings = material.lessons, configuration["fast"]
    read = {*names}.union(*of_tag.values(), lessons.corpora if lessons else ())
    taught = settings["taught"]
    return {
        "posts": of_tag,
        "taught": {
            "teacher": lessons.teacher if lessons else "",
            "read_target": material.read_all,
            "posts": len(lessons or ()),
        },
        "language": {"texts": len(language), "corpora": names},
        "left_out": left_out(configuration["corpora"]),
        "licences": licences_told(read, folders=configuration["corpora"]["folders"]),
        "configuration": {
            "corpora": settings_told(configuration["corpora"]),
            "fast": {**settings, "taught": {**taught, "teacher": Path(taught["teacher"]).name}},
        },
    }
