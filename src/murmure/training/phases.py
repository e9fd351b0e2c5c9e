"""The phases of training an encoder: which posts each reads, how it is run and measured."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from murmure.errors import ConfigurationError, RunError
from murmure.schema import LABELS
from murmure.training.batches import Posts, Rows, deal, draw, label_weights, repeat
from murmure.training.configured import barred_posts
from murmure.training.corpora import Corpora
from murmure.training.encoder import Tagger
from murmure.training.labels import MISSING
from murmure.training.loop import Schedule, fit, identity_of
from murmure.training.scores import confusion, macro_f1

_log = logging.getLogger(__name__)

Floats = NDArray[np.float32]
_POSTS_AT_ONCE = 64
#: Where a record tells whether the model read labels of the target.
READ_TARGET = "read_target"


@dataclass(frozen=True)
class Material:
    """What all phases of a training share.

    Attributes:
        corpora: the posts; every one has a label that weighs something.
        posts: the same as the encoder reads them.
        target: whether a post is of the target corpus.
        fold: of each post; -1 for posts that the target corpus does not hold.
        trainable: whether the licence of a post's corpus, or of its origin, lets it be trained on;
            it may be measured on all the same.
    """

    corpora: Corpora
    posts: Posts
    target: NDArray[np.bool_]
    fold: NDArray[np.int64]
    trainable: NDArray[np.bool_]

    @property
    def validation(self) -> Rows:
        """The target's posts that are never trained on by what ships."""
        return np.flatnonzero(self.target & self.corpora.validation)


def gather(configuration: Mapping[str, Any], corpora: Corpora, tokenizer: Any) -> Material:  # noqa: ANN401
    """Encode the posts that have a label of some tag.

    Raises:
        ConfigurationError: if the target corpus is not among them.
    """
    settings, given = configuration["base"], configuration["corpora"]
    target = given["target"]
    if target not in corpora.corpus:
        known = ", ".join(np.unique(corpora.corpus))
        raise ConfigurationError(
            "corpora.target", given=target, expected=f"a corpus, one of {known}"
        )
    tags = settings["tags"]
    weights = label_weights(corpora, tags, target=target, settings=settings)
    folds = corpora.folds(target=target, count=given["folds"], seed=given["seed"])
    of_target = corpora.corpus == target
    # Other corpora's validation posts are for choosing between models.
    rows = np.any([weights[tag] > 0 for tag in tags], axis=0)
    rows &= of_target | (~corpora.validation & (folds < 0))
    kept = corpora.take(rows)
    posts = Posts(
        kept.texts,
        {tag: kept.labels[tag] for tag in tags},
        {tag: weight[rows] for tag, weight in weights.items()},
        tokenizer,
        settings["prefix"],
        min(settings["longest_trained"], settings["longest"]),
    )
    _log.info("%d posts, %d of them of %s", len(kept), of_target[rows].sum(), target)
    trainable = ~barred_posts(kept, given)
    return Material(kept, posts, of_target[rows], folds[rows], trainable)


def run_phase(
    tagger: Tagger,
    material: Material,
    rows: Rows,
    configuration: Mapping[str, Any],
    folder: Path,
    *,
    phase: Mapping[str, Any],
    validate: bool,
) -> Tagger:
    """Train one phase: `rows` so many epochs, with posts of other corpora mixed in.

    Args:
        tagger: what is trained, in place.
        material: the posts.
        rows: which posts are gone through; those that may not be trained on are passed over.
        configuration: as `load_configuration` gives it.
        folder: for checkpoint and log.
        phase: a section such as `base.target`.
        validate: whether to stop early by the target's validation posts.
    """
    settings = configuration["base"]
    held = material.validation
    return fit(
        tagger,
        material.posts,
        _deal(material, rows, configuration, phase),
        schedule_of(settings, phase, seed=configuration["corpora"]["seed"]),
        folder,
        validate=(lambda model: validation_score(model, material.posts, held))
        if validate and len(held) and settings["validate_every"]
        else None,
    )


def _deal(
    material: Material, rows: Rows, configuration: Mapping[str, Any], phase: Mapping[str, Any]
) -> list[Rows]:
    """Deal the batches of a phase."""
    seed = configuration["corpora"]["seed"]
    others = np.flatnonzero(~material.target & material.trainable)
    rows = rows[material.trainable[rows]]
    drawn = draw(
        material.corpora.corpus[others],
        posts=phase["others"],
        temperature=phase["temperature"],
        weights=phase["weights"],
        seed=seed,
    )
    order = np.concatenate([repeat(rows, epochs=phase["epochs"], seed=seed), others[drawn]])
    if len(drawn) and phase["epochs"]:
        order = np.random.default_rng(seed).permutation(order)
    size = configuration["base"]["batch"]
    return deal(order, material.posts.lengths, size=size, seed=seed)


def record_of(
    material: Material,
    rows: Rows,
    configuration: Mapping[str, Any],
    *,
    phase: Mapping[str, Any],
    start: Path | None,
) -> dict[str, str]:
    """Tell one phase from another, and whether its model read labels of the target.

    Args:
        material: as for `run_phase`.
        rows: likewise.
        configuration: likewise.
        phase: likewise.
        start: the weights that it starts from, as `save_tagger` kept them; None for a new model.

    Returns:
        `identity` and `read_target`, `yes` or `no`: what `save_tagger` keeps beside the weights.
    """
    before = read_record(start) if start else {}
    batches = _deal(material, rows, configuration, phase)
    schedule = schedule_of(configuration["base"], phase, seed=configuration["corpora"]["seed"])
    told = {**identity_of(schedule, batches, material.posts), "start": before.get("identity")}
    read = before.get(READ_TARGET) == "yes" or any(material.target[one].any() for one in batches)
    digest = sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return {"identity": digest, READ_TARGET: "yes" if read else "no"}


def is_done(file: Path, record: Mapping[str, str]) -> bool:
    """Tell whether a phase was done before.

    Raises:
        RunError: if what was kept of it is damaged, or of another phase.
    """
    if not file.exists():
        return False
    if read_record(file) != record:
        raise RunError("is of other posts or settings; remove it to train it anew", file=file)
    return True


def read_record(file: Path) -> dict[str, str]:
    """Read what `save_tagger` kept beside weights; nothing where it kept none.

    Raises:
        RunError: if the file cannot be read.
    """
    try:
        with safe_open(file, framework="numpy") as tensors:
            return dict(tensors.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise RunError(f"holds no weights ({error}); remove it to train anew", file=file) from error


def schedule_of(settings: Mapping[str, Any], phase: Mapping[str, Any], *, seed: int) -> Schedule:
    """Put a schedule together from `[base]` and one of its phases."""
    shared = (
        "weight_decay", "clip", "precision", "checkpoint_every", "validate_every", "patience",
    )  # fmt: skip
    own = ("learning_rate", "heads_learning_rate", "warm_up", "frozen")
    return Schedule(
        **{name: settings[name] for name in shared},
        **{name: phase[name] for name in own},
        seed=seed,
    )


def logits_of(tagger: Tagger, posts: Posts, rows: Rows) -> dict[str, Floats]:
    """Read posts, longest first; per tag an array (rows, labels) in the order of `rows`."""
    lengths = posts.lengths[rows]
    order = np.argsort(-lengths, kind="stable")
    tables: list[torch.Tensor] = []
    tagger.eval()
    with torch.inference_mode():
        for start in range(0, len(order), _POSTS_AT_ONCE):
            batch = rows[order[start : start + _POSTS_AT_ONCE]]
            ids, mask = posts.read(batch)
            tables.append(tagger(ids.to(tagger.device), mask.to(tagger.device)).logits.cpu())
    table = torch.cat(tables)[torch.from_numpy(np.argsort(order))]
    # A view of some columns would be saved with those beside it.
    return {tag: part.contiguous().numpy() for tag, part in tagger.split(table).items()}


def validation_score(tagger: Tagger, posts: Posts, rows: Rows) -> float:
    """Give the mean over tags of macro-F1 on labelled posts."""
    scores = []
    for tag, table in logits_of(tagger, posts, rows).items():
        true = posts.labels[tag][rows]
        labelled = true != MISSING
        if labelled.any():
            chosen = np.argmax(table[labelled], axis=1)
            scores.append(macro_f1(confusion(true[labelled], chosen, len(LABELS[tag]))))
    return float(np.mean(scores)) if scores else 0.0


def make_tagger(configuration: Mapping[str, Any]) -> Tagger:
    """Make the model that `[base]` describes, its heads untrained."""
    settings = configuration["base"]
    return Tagger.from_encoder(
        settings["encoder"],
        tags=settings["tags"],
        layers=settings["layers"] or None,
        prefix=settings["prefix"],
        longest=settings["longest"],
        dropout=settings["dropout"],
        encoder_dropout=settings["encoder_dropout"],
    )


def load_tagger(configuration: Mapping[str, Any], weights: Path) -> Tagger:
    """Make the model that `[base]` describes, with the weights that `save_tagger` kept.

    Raises:
        RunError: if they are of another model, or damaged.
    """
    tagger = make_tagger(configuration)
    try:
        tagger.load_state_dict(load_file(weights))
    except Exception as error:
        message = f"does not fit the model that [base] describes, or is damaged ({error})"
        raise RunError(message, file=weights) from error
    return tagger


def save_tagger(file: Path, tagger: Tagger, record: Mapping[str, str]) -> None:
    """Keep the weights of a model: all of them or, where there is no room, none.

    Args:
        file: where.
        tagger: the model.
        record: of the phase that made it, as `record_of` gives it.

    Raises:
        RunError: if they cannot be written.
    """
    unfinished = file.with_suffix(".unfinished")
    tensors = {name: value.contiguous().cpu() for name, value in tagger.state_dict().items()}
    try:
        save_file(tensors, unfinished, metadata=dict(record))
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise RunError(f"cannot be written ({error}); make room", file=file) from error
    unfinished.replace(file)
