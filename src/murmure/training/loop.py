"""The training loop: batches in, a tagger out; killed, it goes on from its last checkpoint."""

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from torch import nn

from murmure.batch.files import locked
from murmure.errors import ConfigurationError, RunError
from murmure.training.batches import Posts, Rows
from murmure.training.configuration import PRECISIONS
from murmure.training.encoder import Tagger

_log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
# A line in the log every so many steps.
_LOG_EVERY = 20


@dataclass(frozen=True)
class Schedule:
    """How a training goes.

    Attributes:
        learning_rate: of the encoder, at its highest.
        heads_learning_rate: of the heads, at its highest.
        warm_up: share of the steps in which the rates rise; then they fall to nothing.
        weight_decay: of AdamW.
        clip: the longest gradient.
        frozen: how many of the lowest layers keep their weights; 0 trains the embeddings too.
        precision: `float32`, `bfloat16` (autocast), or `auto`: bfloat16 where the machine
            multiplies it faster.
        checkpoint_every: steps between checkpoints.
        validate_every: steps between validations; 0 for none but the last.
        patience: stop after so many validations that were no better.
        seed: for dropout.
    """

    learning_rate: float
    heads_learning_rate: float
    warm_up: float
    weight_decay: float
    clip: float
    frozen: int
    precision: str
    checkpoint_every: int
    validate_every: int
    patience: int
    seed: int


@dataclass
class _State:
    step: int = 0
    best: float = -math.inf
    worse: int = 0
    kept: dict[str, torch.Tensor] | None = None


def fit(
    tagger: Tagger,
    posts: Posts,
    batches: Sequence[Rows],
    schedule: Schedule,
    folder: Path,
    *,
    validate: Callable[[Tagger], float] | None = None,
) -> Tagger:
    """Train a tagger, in place, and leave it as it was when it validated best.

    Started again with the same arguments after it was killed, it goes on from the last
    checkpoint, with the same batches in the same order and, on the same kind of device, the same
    dropout.

    Args:
        tagger: what to train.
        posts: the posts.
        batches: which of them make up each step.
        schedule: how.
        folder: for the checkpoint and the log, one JSON object a line.
        validate: gives the score that must not stop rising.

    Raises:
        ConfigurationError: if there is nothing to train on, or the precision is not known.
        RunError: if the loss is no number, a checkpoint is of another training or unreadable,
            or none can be written, where the last whole one stays; or another process trains
            in the folder.
    """
    if not batches or not any(weights.any() for weights in posts.weights.values()):
        raise ConfigurationError(
            "corpora.folders", given="no labelled post", expected="posts with a label of a tag"
        )
    if schedule.precision not in PRECISIONS:
        expected = f"one of {', '.join(PRECISIONS)}"
        raise ConfigurationError("base.precision", given=schedule.precision, expected=expected)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    nn.Module.to(tagger, device)
    freeze(tagger, schedule.frozen)
    optimizer = _optimizer(tagger, schedule)
    rates = torch.optim.lr_scheduler.LambdaLR(optimizer, _ramp(len(batches), schedule.warm_up))
    folder.mkdir(parents=True, exist_ok=True)
    identity = identity_of(schedule, batches, posts)
    with (
        locked(folder),
        (folder / LOG).open("a", encoding="utf-8") as log,
        _progress(len(batches)) as advance,
    ):
        state = _resume(folder / CHECKPOINT, tagger, optimizer, rates, identity)
        if state.step == 0:
            torch.manual_seed(schedule.seed)
        started, first = time.monotonic(), state.step
        tagger.train()
        advance(state.step, math.nan)
        for rows in batches[state.step :]:
            loss = _step(tagger, posts, rows, optimizer, schedule)
            rates.step()
            state.step += 1
            last = state.step == len(batches)
            if not math.isfinite(loss):
                raise RunError(
                    f"the loss of step {state.step} is {loss}; lower base.*.learning_rate",
                    file=folder / LOG,
                )
            advance(state.step, loss)
            if state.step % _LOG_EVERY == 0 or last:
                passed = time.monotonic() - started
                _write(
                    log,
                    step=state.step,
                    loss=round(loss, 4),
                    rate=rates.get_last_lr()[0],
                    steps_per_second=round((state.step - first) / passed, 3),
                )
            if validate is not None and (last or _due(state.step, schedule.validate_every)):
                score = validate(tagger)
                tagger.train()
                _write(log, step=state.step, score=round(score, 4))
                _log.info(
                    "step %d of %d: mean macro-F1 %.4f on validation",
                    *(state.step, len(batches), score),
                )
                _judge(state, tagger, score)
                if state.worse > schedule.patience:
                    _log.info("no better for %d validations: stopped", state.worse)
                    break
            if _due(state.step, schedule.checkpoint_every) and not last:
                _save(folder / CHECKPOINT, tagger, optimizer, rates, identity, state)
    if state.kept is not None:
        tagger.load_state_dict(state.kept)
    tagger.eval()
    return tagger


def clear(folder: Path) -> None:
    """Remove what `fit` left in a folder, and the folder where nothing else is in it."""
    for name in (CHECKPOINT, LOG):
        (folder / name).unlink(missing_ok=True)
    # Phases of another training may stand there too.
    with suppress(OSError):
        folder.rmdir()


def freeze(tagger: Tagger, layers: int) -> None:
    """Hold the embeddings and the lowest layers still; 0 trains everything.

    Raises:
        ConfigurationError: if the encoder has no list of layers, or fewer.
    """
    if not layers:
        return
    stack = getattr(getattr(tagger.encoder, "encoder", None), "layer", None)
    if not isinstance(stack, nn.ModuleList) or len(stack) < layers:
        had = len(stack) if isinstance(stack, nn.ModuleList) else "no list of layers"
        raise ConfigurationError(
            "base.*.frozen", given=layers, expected=f"at most what the encoder has ({had})"
        )
    for part in (tagger.encoder.embeddings, *stack[:layers]):
        part.requires_grad_(False)


def multiplies_bfloat16() -> bool:
    """Tell whether this machine multiplies bfloat16 faster than float32."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    # Elsewhere it is done in float32 with conversions, and is slower.
    check = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(check and check())


def _step(
    tagger: Tagger,
    posts: Posts,
    rows: Rows,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
) -> float:
    ids, mask = posts.read(rows)
    half = schedule.precision == "bfloat16" or (
        schedule.precision == "auto" and multiplies_bfloat16()
    )
    with torch.autocast(tagger.device.type, torch.bfloat16, enabled=half):
        logits = tagger(ids.to(tagger.device), mask.to(tagger.device)).logits
    loss = masked_loss(tagger.split(logits.float()), posts, rows)
    loss.backward()
    nn.utils.clip_grad_norm_(tagger.parameters(), schedule.clip)
    optimizer.step()
    optimizer.zero_grad()
    return float(loss.detach())


def masked_loss(logits: Mapping[str, torch.Tensor], posts: Posts, rows: Rows) -> torch.Tensor:
    """Give the weighted cross-entropy, summed over tags; a missing label weighs nothing.

    Each tag's loss is divided by the number of posts, not by their weights, so that a batch of
    little weight moves the model little.
    """
    total = torch.zeros((), device=next(iter(logits.values())).device)
    for tag, table in logits.items():
        weights = torch.from_numpy(posts.weights[tag][rows]).to(table.device)
        labels = torch.from_numpy(posts.labels[tag][rows]).long().clamp(min=0).to(table.device)
        losses = nn.functional.cross_entropy(table, labels, reduction="none")
        total = total + (losses * weights).sum() / len(rows)
    return total


def _optimizer(tagger: Tagger, schedule: Schedule) -> torch.optim.Optimizer:
    heads = {id(parameter) for parameter in tagger.heads.parameters()}
    trained = [parameter for parameter in tagger.parameters() if parameter.requires_grad]
    groups = [
        {
            "params": [one for one in trained if id(one) not in heads],
            "lr": schedule.learning_rate,
        },
        {
            "params": [one for one in trained if id(one) in heads],
            "lr": schedule.heads_learning_rate,
        },
    ]
    return torch.optim.AdamW(groups, weight_decay=schedule.weight_decay, fused=True)


def _ramp(steps: int, warm_up: float) -> Callable[[int], float]:
    rising = max(1, round(steps * warm_up))
    return lambda step: min((step + 1) / rising, (steps - step) / max(steps - rising, 1), 1.0)


def _judge(state: _State, tagger: Tagger, score: float) -> None:
    if score > state.best:
        state.best, state.worse = score, 0
        state.kept = {name: value.clone() for name, value in tagger.state_dict().items()}
    else:
        state.worse += 1


def _due(step: int, every: int) -> bool:
    return every > 0 and step % every == 0


def identity_of(schedule: Schedule, batches: Sequence[Rows], posts: Posts) -> dict[str, Any]:
    """Tell one training from another: its settings, the posts it reads, and their order."""
    digest = sha256()
    for rows in batches:
        digest.update(rows.tobytes())
        for row in rows:
            digest.update(posts.texts[row].encode("utf-8", "replace"))
        for tag in posts.labels:
            digest.update(posts.labels[tag][rows].tobytes() + posts.weights[tag][rows].tobytes())
    return {**asdict(schedule), "posts": digest.hexdigest()}


def _resume(
    file: Path,
    tagger: Tagger,
    optimizer: torch.optim.Optimizer,
    rates: torch.optim.lr_scheduler.LambdaLR,
    identity: Mapping[str, Any],
) -> _State:
    if not file.exists():
        return _State()
    try:
        # Only tensors and plain values: a checkpoint cannot run code.
        saved = torch.load(file, weights_only=True, map_location=tagger.device)
        differing = [key for key, value in identity.items() if saved["identity"].get(key) != value]
        if not differing:
            tagger.load_state_dict(saved["tagger"])
            optimizer.load_state_dict(saved["optimizer"])
            rates.load_state_dict(saved["rates"])
            torch.set_rng_state(saved["random"].cpu())
            _set_gpu_random(tagger.device, saved.get("gpu_random"))
    except Exception as error:
        raise RunError(
            f"unreadable checkpoint ({error}); remove it to start this training anew", file=file
        ) from error
    if differing:
        raise RunError(
            f"checkpoint of another training (other {', '.join(differing)}); "
            "remove it to start anew, or give the former settings",
            file=file,
        )
    _log.info("going on from step %d", saved["step"])
    return _State(saved["step"], saved["best"], saved["worse"], saved["kept"])


def _gpu_random(device: torch.device) -> torch.Tensor | None:
    """Where the GPU's generator of dropout stands; None without a GPU."""
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def _set_gpu_random(device: torch.device, state: torch.Tensor | None) -> None:
    # A checkpoint of a machine without a GPU, or of an earlier version, has none.
    if state is not None and device.type == "cuda":
        torch.cuda.set_rng_state(state.cpu(), device)


def _save(  # noqa: PLR0917 - the parts of a checkpoint
    file: Path,
    tagger: Tagger,
    optimizer: torch.optim.Optimizer,
    rates: torch.optim.lr_scheduler.LambdaLR,
    identity: Mapping[str, Any],
    state: _State,
) -> None:
    unfinished = file.with_suffix(".unfinished")
    try:
        with unfinished.open("wb") as stream:
            torch.save(
                {
                    "identity": dict(identity),
                    "tagger": tagger.state_dict(),
                    "optimizer": optimizer.state_dict(),
                    "rates": rates.state_dict(),
                    "random": torch.get_rng_state(),
                    "gpu_random": _gpu_random(tagger.device),
                    **{name: getattr(state, name) for name in ("step", "best", "worse", "kept")},
                },
                stream,
            )
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(file)
    except (OSError, RuntimeError) as error:
        unfinished.unlink(missing_ok=True)
        kept = "the one before it is whole" if file.exists() else "there is none yet"
        raise RunError(
            f"no checkpoint could be written ({error}); {kept}; make room and start again",
            file=file,
        ) from error


def _write(stream: Any, **entry: object) -> None:  # noqa: ANN401 - a text file
    stream.write(json.dumps(entry) + "\n")
    stream.flush()


@contextmanager
def _progress(steps: int) -> Iterator[Callable[[int, float], None]]:
    """Show a bar on a terminal, and nothing elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("loss {task.fields[loss]:.3f}"))
    with Progress(
        *columns, Remaining(), console=console, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("training", total=steps, loss=math.nan)
        yield lambda step, loss: progress.update(task, completed=step, loss=loss)
