"""Training of the fast model: cross-fitted figures and calibration first, then what ships."""

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
from murmure.errors import ConfigurationError
from murmure.schema import LABELS
from murmure.tagging.folder import write_manifest
from murmure.tagging.linear import TEXT_TAGS, UNITS, WEIGHTS
from murmure.tagging.ngrams import NgramHasher, Unit
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
    count_ngrams,
    fit_labels,
    quantize,
    read_language,
)
from murmure.training.teaching import Lessons, Teacher, ask, choose, find_teacher

_log = logging.getLogger(__name__)

Codes = NDArray[np.int8]
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
    material = _gather(corpora, configuration, hasher, teacher, work)
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
        output, measured, found, None if _read_all(material) else probabilities, thresholds
    ) | {"language": figures.language(language, hasher, sets)}
    (output / "README.md").write_text(card.render(manifest), "utf-8")
    write_manifest(output, manifest)
    return manifest


def _read_all(material: Material) -> bool:
    """Tell whether the labels of all folds came to the models of each, through their teacher."""
    return material.lessons is not None and material.lessons.read_target


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


def _gather(
    corpora: Corpora,
    configuration: Mapping[str, Any],
    hasher: NgramHasher,
    teacher: Teacher | None,
    work: Path,
) -> Material:
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
    lessons = _learn(teacher, corpora, folds, configuration, work) if teacher else None
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


def _learn(
    teacher: Teacher,
    corpora: Corpora,
    folds: NDArray[np.int64],
    configuration: Mapping[str, Any],
    work: Path,
) -> Lessons:
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
            "read_target": _read_all(material),
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
