"""From a trained tagger to a model folder: mixed, calibrated, exported, measured, described."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from murmure.errors import InputError, ModelError
from murmure.schema import LABELS, TAGS
from murmure.tagging.calibration import Calibration, VectorScaling
from murmure.tagging.encoder import (
    LEAST_PROBABILITY,
    OVERLAP,
    TOKENIZER,
    WINDOWS,
    EncoderModel,
)
from murmure.tagging.folder import ModelFolder, write_manifest
from murmure.tagging.linear import WEIGHTS
from murmure.text import encoder_texts
from murmure.training.batches import Posts
from murmure.training.corpora import Corpora
from murmure.training.crossfitting import (
    Mixture,
    calibrate,
    calibrate_across,
    fit_mixtures,
    fit_thresholds,
    mix,
)
from murmure.training.encoder import Tagger
from murmure.training.export import SCHEME, export
from murmure.training.phases import logits_of
from murmure.training.scores import confusion, macro_f1

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Logits = dict[str, Floats]

# The companion's language probabilities are calibrated already.
_AS_IT_IS = VectorScaling((1.0,) * len(LABELS["language"]), (0.0,) * len(LABELS["language"]))
# How far the fits of French and English stray from the common one, as a standard deviation.
_SPREAD = 0.5
# So many posts are read alone, to see what neighbours change.
_ALONE = 200
COMPANION = "companion.safetensors"
# What tokenizers call their padding, in small letters.
_PADDING = ("<pad>", "[pad]", "<|pad|>")


@dataclass(frozen=True)
class Calibrated:
    """What cross-fitting gives beside the figures.

    Attributes:
        probabilities: out of fold, per tag an array (posts, labels).
        mixture: how much encoder and companion count, by tag.
        calibration: fitted on all folds, for what ships.
        thresholds: below which the model abstains, by tag.
    """

    probabilities: dict[str, Floats]
    mixture: Mixture
    calibration: Calibration
    thresholds: dict[str, float]


def calibrate_mixture(
    logits: Mapping[str, Floats],
    measured: Corpora,
    folds: NDArray[np.int64],
    *,
    beside: Mapping[str, Floats],
    balance: Mapping[str, float],
    disclosed: Mask,
    rows: Mask,
) -> Calibrated:
    """Weigh out-of-fold logits with a companion's out-of-fold probabilities, and calibrate both.

    What a fold's posts get was fitted on the other folds, mixture included.

    Args:
        logits: per tag of the encoder an array (posts, labels).
        measured: the posts.
        folds: of each post.
        beside: the companion's out-of-fold probabilities of the same posts, per tag.
        balance: per tag, as `fit_scaling` takes it.
        disclosed: whether the rules found a disclosure in each post.
        rows: the posts that may be fitted on.
    """
    beside = {tag: np.log(np.maximum(table, LEAST_PROBABILITY)) for tag, table in beside.items()}
    across = {tag: np.zeros_like(table) for tag, table in beside.items()}
    for fold in np.unique(folds):
        held = folds == fold
        mixture = fit_mixtures(logits, beside, measured, rows=rows & ~held)
        for tag, table in mix(logits, beside, mixture).items():
            across[tag][held] = table[held]
    mixture = fit_mixtures(logits, beside, measured, rows=rows)
    mixed = mix(logits, beside, mixture)
    for tables in (across, mixed):
        # Tags that the encoder has no head for are the companion's.
        tables |= {tag: beside[tag] for tag in TAGS if tag not in logits}
    options: dict[str, Any] = {
        "language": _AS_IT_IS,
        "balance": balance,
        "disclosed": disclosed,
        "spread": _SPREAD,
        "rows": rows,
    }
    probabilities = calibrate_across(across, measured, folds, **options)
    calibration = calibrate(mixed, measured, **options)
    thresholds = fit_thresholds(probabilities, measured, rows=rows)
    return Calibrated(probabilities, mixture, calibration, thresholds)


@dataclass(frozen=True)
class Companion:
    """The linear model beside an encoder.

    Attributes:
        name: what it was called by itself.
        file: its weights.
        settings: as its own manifest holds them.
        calibration: as its own manifest holds it.
        training: what it was trained on, as its own manifest tells; empty where that is not told.
    """

    name: str
    file: Path
    settings: Mapping[str, Any]
    calibration: Mapping[str, Any]
    training: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: ModelFolder) -> Companion:
        """Take a linear model, or the one that stands beside an encoder.

        Raises:
            ModelError: if the folder holds neither.
        """
        training = folder.manifest.get("training", {})
        if folder.manifest["kind"] == "linear":
            file = folder.path / WEIGHTS
            return cls(folder.name, file, folder.settings, folder.calibration, training)
        given = folder.settings.get("companion")
        if given is None:
            raise ModelError("has no linear model beside it; train base", file=folder.path)
        return cls(
            given["name"],
            folder.path / given["file"],
            given["settings"],
            given["calibration"],
            training.get("companion", {}),
        )

    @property
    def told(self) -> dict[str, Any]:
        """What the manifest of the model beside it holds as `training.companion`."""
        known = ("posts", "taught", "language", "left_out")
        told = {key: self.training[key] for key in known if key in self.training}
        return {"name": self.name, **told} if told else {}

    @property
    def corpora(self) -> set[str]:
        """The names of the corpora that it was trained on."""
        spoken = self.training.get("language", {}).get("corpora", ())
        licensed = (one["corpus"] for one in self.training.get("licences", ()))
        return {*spoken, *licensed}.union(*self.training.get("posts", {}).values())


def write_folder(
    output: Path,
    tagger: Tagger,
    *,
    tokenizer: Path,
    texts: Sequence[str],
    companion: Companion,
    mixture: Mapping[str, tuple[float, float]],
    calibration: Calibration,
    thresholds: Mapping[str, float],
    description: Mapping[str, Any],
) -> dict[str, Any]:
    """Export a tagger and write a folder that `Predictor.from_pretrained` reads.

    Args:
        output: the folder; files of the same names are replaced.
        tagger: what was trained.
        tokenizer: its `tokenizer.json`.
        texts: raw posts like those to be tagged, on which the reach of each layer is measured.
        companion: the linear model whose probabilities are mixed in.
        mixture: how much encoder and companion count, by tag.
        calibration: of the mixture.
        thresholds: below which the model abstains, by tag.
        description: what else the manifest holds, such as `training` and `metrics`.

    Returns:
        The manifest, to which figures may be added before it is written again.
    """
    output.mkdir(parents=True, exist_ok=True)
    settings = export(tagger, tokenizer, output, texts=texts)
    shutil.copyfile(companion.file, output / COMPANION)
    manifest: dict[str, Any] = {
        "name": output.name,
        "kind": "encoder",
        "settings": {
            **settings,
            "companion": {
                "name": companion.name,
                "file": COMPANION,
                "settings": dict(companion.settings),
                "calibration": dict(companion.calibration),
            },
            "mixture": {
                tag: [round(weight, 6) for weight in pair] for tag, pair in mixture.items()
            },
        },
        "calibration": calibration.to_json(),
        "thresholds": dict(thresholds),
        **description,
    }
    write_manifest(output, manifest)
    return manifest


def describe(
    tagger: Tagger,
    about: Mapping[str, str],
    companion: Companion,
    mixture: Mapping[str, tuple[float, float]],
) -> dict[str, Any]:
    """Tell a card's reader what the model is made of.

    Args:
        tagger: what was trained.
        about: `encoder` and `source`, in words.
        companion: the linear model beside it.
        mixture: how much encoder and companion count, by tag.
    """
    shape = tagger.encoder.config
    return {
        **about,
        "layers": shape.num_hidden_layers,
        "hidden": shape.hidden_size,
        "parameters": sum(value.numel() for value in tagger.parameters()),
        "vocabulary": shape.vocab_size,
        "longest": tagger.config.longest,
        "weights": SCHEME,
        "windows": f"longer posts are read in up to {WINDOWS} windows of which neighbours share "
        f"{OVERLAP} tokens, and their logits are averaged by tokens",
        "companion": {
            "name": companion.name,
            "mixture": {tag: list(pair) for tag, pair in mixture.items()},
        },
    }


def measure_export(folder: Path, tagger: Tagger, posts: Corpora) -> dict[str, Any]:
    """Compare what was exported with what was trained, on posts of all lengths.

    Args:
        folder: what `write_folder` wrote.
        tagger: what was trained.
        posts: labelled posts.

    Returns:
        `posts`; `tags`: per tag of the encoder its macro-F1 in torch and exported, and the share
        of posts that get the same label; `neighbours`: the largest change of a probability when
        a post is read alone rather than beside others.
    """
    model = EncoderModel.load(ModelFolder.open(folder))
    exported = model.encoder_logits(posts.texts)
    tokenizer = load_tokenizer(folder / TOKENIZER)
    read = Posts(posts.texts, {}, {}, tokenizer, tagger.config.prefix, tagger.config.longest)
    trained = logits_of(tagger, read, np.arange(len(posts)))
    # Longer posts are read in windows by the one and cut by the other.
    texts = [tagger.config.prefix + text for text in encoder_texts(list(posts.texts))]
    lengths = np.array([len(ids) for ids in tokenizer(texts)["input_ids"]])
    rows = np.flatnonzero(lengths <= tagger.config.longest)
    tags = {}
    for tag, table in exported.items():
        true, count = posts.labels[tag][rows], len(LABELS[tag])
        ours, theirs = np.argmax(table[rows], axis=1), np.argmax(trained[tag][rows], axis=1)
        tags[tag] = {
            "torch": macro_f1(confusion(true, theirs, count)),
            "exported": macro_f1(confusion(true, ours, count)),
            "equal": float((ours == theirs).mean()),
        }
    some = rows[:_ALONE]
    together = model.predict(posts.texts, [()] * len(posts))
    alone = [model.predict([posts.texts[row]], [()]) for row in some]
    change = max(
        float(np.abs(np.concatenate([one[tag] for one in alone]) - table[some]).max())
        for tag, table in together.items()
    )
    return {"posts": len(rows), "tags": tags, "neighbours": change}


def load_tokenizer(file: Path) -> PreTrainedTokenizerFast:
    """Load the tokenizer of a model folder as transformers uses it.

    Raises:
        InputError: if it has no token for padding; one that was added would be beyond the model's.
    """
    known = Tokenizer.from_file(str(file)).get_vocab()
    padding = [token for token in known if token.lower() in _PADDING]
    if not padding:
        raise InputError(f"has no padding token, such as {', '.join(_PADDING)}", file=file)
    # Where there are two, the tokenizer's own came first.
    first = min(padding, key=lambda token: known[token])
    return PreTrainedTokenizerFast(tokenizer_file=str(file), pad_token=first)
