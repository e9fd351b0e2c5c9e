"""Training a shipped model further on a user's own posts."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murmure.disclosure import find_all
from murmure.errors import ModelError
from murmure.schema import LABELS, TAGS
from murmure.tagging.calibration import ANY_LANGUAGE, Calibration, VectorScaling
from murmure.tagging.encoder import LEAST_PROBABILITY, TOKENIZER, EncoderModel
from murmure.tagging.folder import ModelFolder, write_manifest
from murmure.training import card, comparing, figures
from murmure.training.batches import Posts, deal, label_weights, repeat
from murmure.training.calibrating import fit_mixture, fit_scaling
from murmure.training.corpora import Corpora
from murmure.training.labels import MISSING
from murmure.training.licences import licences_told
from murmure.training.loop import clear, fit
from murmure.training.packaging import Companion, load_tokenizer, write_folder
from murmure.training.phases import schedule_of, validation_score
from murmure.training.readback import read_back
from murmure.training.scores import measure

_log = logging.getLogger(__name__)

Floats = NDArray[np.float32]

# How far a few posts may move the calibration, as a standard deviation.
_SPREAD = 0.3
# With fewer posts than these, encoder and companion count as before.
_ENOUGH = 30


def fine_tune(
    posts: Corpora,
    configuration: Mapping[str, Any],
    output: Path,
    *,
    start: str | Path,
) -> dict[str, Any]:
    """Train a model further, on posts that have labels of one tag or more.

    Where a post has no label of a tag, the model's own is held before it at less weight, so that
    what the posts do not speak of is not forgotten (Li and Hoiem, "Learning without forgetting",
    ECCV 2016).

    Args:
        posts: as `own_corpus` gives them; those for validation stop the training early, and
            adjust mixture and calibration, so that figures on them flatter a little.
        configuration: as `load_configuration` gives it.
        output: the model folder; files of the same names are replaced.
        start: the name of a shipped model, or a folder, of kind `encoder`.

    Returns:
        The manifest; `metrics` holds `validation` and `validation_compared`, the same posts read
        by the model before.

    Raises:
        ModelError: if there is no such model, or it cannot be trained further.
        RunError: if a checkpoint cannot be read or written.
    """
    folder = ModelFolder.open(start)
    if folder.manifest["kind"] != "encoder":
        kind = folder.manifest["kind"]
        raise ModelError(f"is of kind '{kind}'; only an encoder trains further", file=folder.path)
    before = EncoderModel.load(folder)
    settings, seed = configuration["base"], configuration["corpora"]["seed"]
    tagger = read_back(folder.path)
    read = _labelled(posts, before, configuration, folder)
    own = settings["own"]
    rows = np.flatnonzero(~posts.validation)
    held = np.flatnonzero(posts.validation)
    batches = deal(
        repeat(rows, epochs=own["epochs"], seed=seed),
        read.lengths,
        size=settings["batch"],
        seed=seed,
    )
    judged = replace(read, labels={tag: posts.labels[tag] for tag in read.labels})
    schedule = replace(
        schedule_of(settings, own, seed=seed),
        validate_every=max(1, len(batches) // max(1, round(own["epochs"]))),
    )
    work = output.with_name(output.name + ".training")
    fit(
        tagger,
        read,
        batches,
        schedule,
        work,
        validate=(lambda model: validation_score(model, judged, held)) if len(held) else None,
    )

    measured = posts.take(held)
    former = _predict(before, measured)
    companion = Companion.of(folder)
    description = {
        "architecture": dict(folder.manifest.get("architecture", {})),
        "training": _describe(posts, folder, configuration) | {"companion": companion.told},
    }
    metrics: dict[str, Any] = {}
    manifest = write_folder(
        output,
        tagger,
        tokenizer=folder.path / TOKENIZER,
        texts=posts.texts,
        companion=companion,
        mixture={tag: tuple(pair) for tag, pair in folder.settings["mixture"].items()},
        calibration=before.calibration,
        thresholds=folder.thresholds,
        description={**description, "metrics": metrics},
    )
    if len(held):
        after = EncoderModel.load(ModelFolder.open(output))
        after = replace(after, mixture=_mix_anew(after, measured))
        after = replace(after, calibration=_recalibrate(after, measured))
        probabilities = _predict(after, measured)
        manifest["calibration"] = after.calibration.to_json()
        mixture = {tag: list(pair) for tag, pair in after.mixture.items()}
        manifest["settings"]["mixture"] = mixture
        manifest["architecture"]["companion"] = {"name": companion.name, "mixture": mixture}
        metrics["validation"] = measure(probabilities, measured.labels)
        metrics["validation_compared"] = comparing.compare(probabilities, former, measured.labels)
        figures.save_calibration(output / figures.CALIBRATION, measured, probabilities)
    (output / "README.md").write_text(card.render(manifest), "utf-8")
    write_manifest(output, manifest)
    # Hundreds of megabytes, which would keep the same command from reading another post.
    clear(work)
    return manifest


def _labelled(
    posts: Corpora, model: EncoderModel, configuration: Mapping[str, Any], folder: ModelFolder
) -> Posts:
    """Give the posts with the model's own labels where they have none."""
    settings = configuration["base"]
    said = _predict(model, posts)
    weights = label_weights(
        replace(posts, corpus=np.full(len(posts), "own")),
        model.tags,
        target="own",
        settings=settings,
    )
    labels = {}
    for tag in model.tags:
        missing = posts.labels[tag] == MISSING
        labels[tag] = np.where(missing, np.argmax(said[tag], axis=1), posts.labels[tag]).astype(
            np.int8
        )
        weights[tag][missing] = settings["own"]["held"]
    return Posts(
        posts.texts,
        labels,
        weights,
        load_tokenizer(folder.path / TOKENIZER),
        str(folder.settings["prefix"]),
        min(settings["longest_trained"], int(folder.settings["longest"])),
    )


def _predict(model: EncoderModel, posts: Corpora) -> dict[str, Floats]:
    return model.predict(posts.texts, find_all(posts.texts))


def _mix_anew(model: EncoderModel, posts: Corpora) -> dict[str, tuple[float, float]]:
    """Weigh the encoder, which has learnt, and its companion, which has not, once more."""
    mixture = dict(model.mixture)
    if model.companion is None:
        return mixture
    own = model.encoder_logits(posts.texts)
    said = model.companion.predict(posts.texts, find_all(posts.texts))
    for tag, table in own.items():
        labelled = posts.labels[tag] != MISSING
        if labelled.sum() >= _ENOUGH and tag in mixture:
            beside = np.log(np.maximum(said[tag][labelled], LEAST_PROBABILITY))
            mixture[tag] = fit_mixture(table[labelled], beside, posts.labels[tag][labelled])
    return mixture


def _recalibrate(model: EncoderModel, posts: Corpora) -> Calibration:
    """Move the calibration toward what a few posts show, tag by tag."""
    logits = model.logits(posts.texts, find_all(posts.texts))
    fits: dict[str, dict[str, VectorScaling]] = {}
    for tag in TAGS:
        labelled = posts.labels[tag] != MISSING
        fits[tag] = dict(model.calibration.fits[tag])
        if tag == "language" or not labelled.any():
            continue
        for language, former in model.calibration.fits[tag].items():
            spoken = labelled.copy()
            if language != ANY_LANGUAGE:
                spoken &= np.argmax(logits["language"], axis=1) == LABELS["language"].index(
                    language
                )
            if spoken.any():
                fits[tag][language] = fit_scaling(
                    logits[tag][spoken], posts.labels[tag][spoken], near=former, spread=_SPREAD
                )
    return Calibration(fits, model.calibration.disclosed)


def _describe(
    posts: Corpora, folder: ModelFolder, configuration: Mapping[str, Any]
) -> dict[str, Any]:
    used = ~posts.validation
    of_tag: dict[str, dict[str, int]] = {}
    for tag in folder.settings["tags"]:
        rows = used & (posts.labels[tag] != MISSING)
        names, counts = np.unique(posts.corpus[rows], return_counts=True)
        of_tag[tag] = dict(zip(names.tolist(), counts.tolist(), strict=True))
    former = folder.manifest.get("training", {})
    read = {name for counts in of_tag.values() for name in counts}
    return {
        "posts": of_tag,
        "left_out": [],
        "further": {"name": folder.name, "fingerprint": folder.fingerprint},
        "licences": [*former.get("licences", []), *licences_told(read)],
        "configuration": {"own": configuration["base"]["own"]},
    }
