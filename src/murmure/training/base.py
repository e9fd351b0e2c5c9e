"""Training of the base model: an encoder with a head per tag, cross-fitted, calibrated, exported.

Everything is kept in `FOLDER.training` as it is done, so that a training that was killed goes on
from there; the folder may be removed once the model is written.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from murmure.disclosure import find_all, where_found
from murmure.errors import ConfigurationError, ModelError
from murmure.schema import LABELS, TAGS
from murmure.tagging.encoder import TOKENIZER
from murmure.tagging.folder import ModelFolder, write_manifest
from murmure.training import card, figures, plots
from murmure.training.configured import configured_corpora, left_out, recorded_names, settings_told
from murmure.training.encoder import Tagger
from murmure.training.licences import licences_told
from murmure.training.packaging import (
    Companion,
    calibrate_mixture,
    describe,
    measure_export,
    write_folder,
)
from murmure.training.phases import (
    READ_TARGET,
    Material,
    gather,
    is_done,
    load_tagger,
    logits_of,
    make_tagger,
    read_record,
    record_of,
    run_phase,
    save_tagger,
)
from murmure.training.pretrained import open_tokenizer

_log = logging.getLogger(__name__)

# So many posts tell the export how far the inputs of each layer reach.
_MEASURED_ON = 1000

Floats = NDArray[np.float32]
Logits = dict[str, Floats]


def train(configuration: Mapping[str, Any], output: Path) -> dict[str, Any]:
    """Train, measure, export and save the base model.

    Args:
        configuration: as `load_configuration` gives it.
        output: the model folder; files of the same names are replaced.

    Returns:
        The manifest.

    Raises:
        InputError: if the corpora or the encoder cannot be read.
        ConfigurationError: if a setting does not fit the corpora or the encoder.
        RunError: if a checkpoint cannot be read or written.
    """
    settings, given = configuration["base"], configuration["corpora"]
    # Before anything that takes long.
    companion = _companion(settings["companion"])
    started = _started(settings["start"])
    tokenizer = open_tokenizer(settings["encoder"])
    corpora = configured_corpora(given)
    material = gather(configuration, corpora, tokenizer)
    measured = material.corpora.take(material.target)
    # Asked for first: whether the companion was measured on these very posts.
    beside = figures.kept(companion.path, measured)

    work = output.with_name(output.name + ".training")
    work.mkdir(parents=True, exist_ok=True)
    # An encoder of the hub has no folder here that holds it.
    tokenizer.backend_tokenizer.save(str(work / TOKENIZER))
    broad = started or _broad(material, configuration, work)
    start = _further(material, configuration, broad, work)
    logits = _cross_fit(material, configuration, start, work)
    shipped = _shipped(material, configuration, start, work)

    folds = material.fold[material.target]
    balance = {tag: settings[tag]["calibration_balance"] for tag in TAGS}
    disclosed = where_found(find_all(measured.texts))
    calibrated = calibrate_mixture(
        logits,
        measured,
        folds,
        beside=beside,
        balance=balance,
        disclosed=disclosed,
        rows=material.trainable[material.target],
    )
    metrics = figures.held_out(calibrated.probabilities, measured, disclosed)
    metrics["abstention"] = figures.abstention(
        calibrated.probabilities, measured, calibrated.thresholds
    )
    metrics["compared"] = {
        companion.name: figures.compare(calibrated.probabilities, measured, companion.path)
    }
    metrics["protocol"] = _protocol(configuration, material)
    metrics["language"] = companion.manifest.get("metrics", {}).get("language")
    output.mkdir(parents=True, exist_ok=True)
    figures.save_calibration(output / figures.CALIBRATION, measured, calibrated.probabilities)
    plots.reliability({output.name: metrics["reliability"]}, output / figures.RELIABILITY)
    metrics["reliability_plot"] = figures.RELIABILITY
    manifest = write_folder(
        output,
        shipped,
        tokenizer=work / TOKENIZER,
        texts=_some(material, seed=given["seed"]),
        companion=Companion.of(companion),
        mixture=calibrated.mixture,
        calibration=calibrated.calibration,
        thresholds=calibrated.thresholds,
        description={
            "architecture": describe(
                shipped, settings["about"], Companion.of(companion), calibrated.mixture
            ),
            "training": _describe(material, configuration, Companion.of(companion)),
            "metrics": metrics,
        },
    )
    _log.info("measuring the exported model")
    metrics["export"] = measure_export(output, shipped, measured.take(measured.validation))
    metrics["validation"] = figures.validation(output, measured)
    metrics["validation_compared"] = figures.validation_compared(
        output, measured, calibrated.probabilities
    )
    external = [name for name in settings["external"] if name in corpora.corpus]
    metrics["external"] = figures.external(output, corpora, external, beside=[companion.path])
    (output / "README.md").write_text(card.render(manifest), "utf-8")
    write_manifest(output, manifest)
    return manifest


def _companion(name: str) -> ModelFolder:
    """Open the companion, and see that there is a linear model in it."""
    try:
        folder = ModelFolder.open(name)
        Companion.of(folder)
    except ModelError as error:
        expected = f"a model folder, as `murmure train --model fast` writes it ({error})"
        raise ConfigurationError("base.companion", given=name, expected=expected) from error
    return folder


def _started(name: str) -> Path | None:
    """Give the weights to go on from, and see that folds that do so can tell the truth."""
    if not name:
        return None
    expected = "weights that a training kept of a phase before it read corpora.target"
    if not Path(name).is_file():
        expected += ", as build/base.training/further.safetensors"
        raise ConfigurationError("base.start", given=name, expected=expected)
    read = read_record(Path(name)).get(READ_TARGET)
    if read != "no":
        why = "which read its labels" if read else "which tells nothing of its training"
        raise ConfigurationError("base.start", given=f"{name}, {why}", expected=expected)
    return Path(name)


def _some(material: Material, *, seed: int) -> list[str]:
    """Give a few hundred of the target's posts that may be trained on."""
    rows = np.flatnonzero(material.target & material.trainable & ~material.corpora.validation)
    chosen = np.random.default_rng(seed).permutation(rows)[:_MEASURED_ON]
    return [material.corpora.texts[row] for row in chosen]


def _protocol(configuration: Mapping[str, Any], material: Material) -> dict[str, str]:
    settings = configuration["base"]
    broad, further, target = settings["broad"], settings["further"], settings["target"]
    fold = {**target, **settings["fold"]}
    name = configuration["corpora"]["target"]

    def epochs(phase: Mapping[str, Any], names: Sequence[str]) -> str:
        times = f"{phase['epochs']:g} epoch{'' if phase['epochs'] == 1 else 's'}"
        return f"{times} over {', '.join(f'`{name}`' for name in names)}"

    def length(phase: Mapping[str, Any], names: Sequence[str]) -> str:
        mixed = f", with {phase['others']:,} posts of other corpora mixed in"
        return epochs(phase, names) + (mixed if phase["others"] else "")

    here = np.unique(material.corpora.corpus)
    recorded = [one for one in recorded_names(configuration["corpora"]) if one in here]
    more = f" and was trained for {length(further, recorded)}" if recorded else ""
    first = f"read {broad['others']:,} posts of the other corpora"
    if settings["start"]:
        first = (
            f"goes on from weights that another training kept (`{Path(settings['start']).stem}`)"
        )
    return {
        "folds": f"The figures are from {configuration['corpora']['folds']}-fold cross-fitting "
        f"over the {material.target.sum():,} posts of `{name}`: no model was trained on the posts "
        "that it is measured on, nor on any post with one of their keys. All folds start from one "
        f"model that {first}{more}, its weights chosen "
        f"by the validation posts; each is then trained for {length(fold, [name])}.",
        "shipped": "What ships starts from the same model and is trained for "
        f"{length(target, [name])}, and keeps the weights that were best on the validation posts.",
        "calibration": "Encoder and companion are weighed, and the mixture is calibrated, on the "
        "out-of-fold logits of posts drawn at random; each fold by the others.",
    }


def _describe(
    material: Material, configuration: Mapping[str, Any], companion: Companion
) -> dict[str, Any]:
    """Tell what was trained on: posts a corpus and tag, and their licences."""
    corpora, used = material.corpora, material.trainable & ~material.corpora.validation
    posts: dict[str, dict[str, int]] = {}
    for tag, weight in material.posts.weights.items():
        names, counts = np.unique(corpora.corpus[used & (weight > 0)], return_counts=True)
        posts[tag] = dict(zip(names.tolist(), counts.tolist(), strict=True))
    given = configuration["corpora"]
    read = {name for of_tag in posts.values() for name in of_tag}
    return {
        "posts": posts,
        "left_out": left_out(given),
        "companion": companion.told,
        "licences": licences_told(read | companion.corpora, folders=given["folders"]),
        "configuration": {
            "corpora": settings_told(given),
            # As little as where the encoder lay.
            "base": {
                **configuration["base"],
                "encoder": "",
                "start": Path(configuration["base"]["start"]).name,
                "companion": companion.name,
            },
        },
    }


def _broad(material: Material, configuration: Mapping[str, Any], work: Path) -> Path:
    """Train on all corpora but the target."""
    rows = np.flatnonzero(material.target)
    return _train_phase("broad", material, rows, configuration, work, start=None)


def _further(material: Material, configuration: Mapping[str, Any], broad: Path, work: Path) -> Path:
    """Train on the posts of `corpora.records`; what all folds and what ships start from."""
    names = recorded_names(configuration["corpora"])
    rows = np.flatnonzero(np.isin(material.corpora.corpus, names))
    if not len(rows):
        return broad
    return _train_phase("further", material, rows, configuration, work, start=broad)


def _train_phase(
    name: str,
    material: Material,
    rows: NDArray[np.intp],
    configuration: Mapping[str, Any],
    work: Path,
    *,
    start: Path | None,
) -> Path:
    """Train the phase of a name, unless that was done, and give the file of its weights."""
    done = work / f"{name}.safetensors"
    phase = configuration["base"]["target" if name == "shipped" else name]
    record = record_of(material, rows, configuration, phase=phase, start=start)
    if not is_done(done, record):
        tagger = load_tagger(configuration, start) if start else make_tagger(configuration)
        run_phase(tagger, material, rows, configuration, work / name, phase=phase, validate=True)
        save_tagger(done, tagger, record)
    return done


def _cross_fit(
    material: Material, configuration: Mapping[str, Any], start: Path, work: Path
) -> Logits:
    """Give the logits of the target's posts, each from a model that never saw its key."""
    settings = configuration["base"]
    # The folds' models may be shorter than what ships: the card says so.
    phase = {**settings["target"], **settings["fold"]}
    logits = {
        tag: np.zeros((len(material.corpora), len(LABELS[tag])), np.float32)
        for tag in settings["tags"]
    }
    for fold in range(configuration["corpora"]["folds"]):
        held = np.flatnonzero(material.target & (material.fold == fold))
        rows = np.flatnonzero(material.target & (material.fold != fold))
        done = work / f"fold-{fold}.safetensors"
        record = record_of(material, rows, configuration, phase=phase, start=start)
        if not is_done(done, record):
            tagger = load_tagger(configuration, start)
            folder = work / f"fold-{fold}"
            run_phase(tagger, material, rows, configuration, folder, phase=phase, validate=False)
            save_file(logits_of(tagger, material.posts, held), done, metadata=record)
        tables = load_file(done)
        for tag, table in logits.items():
            table[held] = tables[tag]
        _log.info("fold %d of %d", fold + 1, configuration["corpora"]["folds"])
    return {tag: table[material.target] for tag, table in logits.items()}


def _shipped(
    material: Material, configuration: Mapping[str, Any], start: Path, work: Path
) -> Tagger:
    """Train what ships: on the target's posts but those for validation."""
    rows = np.flatnonzero(material.target & ~material.corpora.validation)
    done = _train_phase("shipped", material, rows, configuration, work, start=start)
    tagger = load_tagger(configuration, done)
    tagger.eval()
    return tagger
