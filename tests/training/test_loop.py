"""The training loop: learns, resumes bit for bit, stops early, and fails without harm."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from murmure.batch.files import locked
from murmure.errors import ConfigurationError, RunError
from murmure.training import loop
from murmure.training.batches import Rows, deal
from murmure.training.loop import CHECKPOINT, LOG, Schedule, clear, fit, freeze, masked_loss
from tests.training.tiny import TEXTS, make_posts, make_tagger


def schedule(**changes: Any) -> Schedule:
    return Schedule(
        **{
            "learning_rate": 3e-3,
            "heads_learning_rate": 1e-2,
            "warm_up": 0.1,
            "weight_decay": 0.01,
            "clip": 1.0,
            "frozen": 0,
            "precision": "float32",
            "checkpoint_every": 5,
            "validate_every": 0,
            "patience": 0,
            "seed": 1,
            **changes,
        }
    )


def batches(epochs: int = 4) -> list[Rows]:
    order = np.concatenate(
        [np.random.default_rng(e).permutation(len(TEXTS)) for e in range(epochs)]
    )
    return deal(order, make_posts().lengths, size=12, seed=1)


def entries(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / LOG).read_text("utf-8").splitlines()]


def test_refuses_a_precision_that_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"base\.precision: expected one of auto.*'bf16'"):
        fit(make_tagger(), make_posts(), batches(), schedule(precision="bf16"), tmp_path)


def test_what_was_left_is_cleared_and_nothing_else(tmp_path: Path) -> None:
    for name in ("alone", "shared"):
        (tmp_path / name).mkdir()
        for left in (CHECKPOINT, LOG):
            (tmp_path / name / left).touch()
    (tmp_path / "shared/broad.safetensors").touch()
    for name in ("alone", "shared", "nowhere"):
        clear(tmp_path / name)
    assert [str(one.relative_to(tmp_path)) for one in sorted(tmp_path.rglob("*"))] == [
        "shared",
        "shared/broad.safetensors",
    ]


def test_learns_what_one_word_tells(tmp_path: Path) -> None:
    posts = make_posts()
    tagger = fit(make_tagger(), posts, batches(8), schedule(), tmp_path)
    ids, mask = posts.read(np.arange(len(posts)))
    chosen = tagger.split(tagger(ids, mask).logits)["sentiment"].argmax(1).numpy()
    assert (chosen == posts.labels["sentiment"]).mean() > 0.95
    losses = [entry["loss"] for entry in entries(tmp_path) if "loss" in entry]
    assert losses[-1] < losses[0] / 2


def test_a_missing_label_moves_nothing() -> None:
    posts = make_posts()
    tagger = make_tagger()
    rows = np.arange(6)
    ids, mask = posts.read(rows)
    masked_loss(tagger.split(tagger(ids, mask).logits), posts, rows).backward()
    slopes = {name: value.grad for name, value in tagger.heads.named_parameters()}
    assert slopes["sentiment.weight"] is not None
    assert slopes["sponsored.weight"] is not None
    assert slopes["sentiment.weight"].abs().sum() > 0
    assert slopes["sponsored.weight"].abs().sum() == 0


class Killed(Exception):  # noqa: N818 - it stands for a signal
    """In the place of a signal that kills."""


def kill_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    steps = iter(range(1, 10_000))
    real = loop._step

    def stop(*given: Any) -> float:
        if next(steps) == step:
            raise Killed
        return real(*given)

    monkeypatch.setattr(loop, "_step", stop)


@pytest.mark.parametrize("step", [2, 6, 13, 40])
def test_a_killed_training_ends_with_the_very_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    whole = fit(make_tagger(), make_posts(), batches(), schedule(), tmp_path / "whole")
    with monkeypatch.context() as patched, pytest.raises(Killed):
        kill_at(patched, step)
        fit(make_tagger(), make_posts(), batches(), schedule(), tmp_path / "killed")
    resumed = fit(make_tagger(), make_posts(), batches(), schedule(), tmp_path / "killed")
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_gpu_has_its_own_generator_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    place, state = torch.device(device), torch.arange(16, dtype=torch.uint8)
    restored: list[tuple[torch.device, torch.Tensor]] = []
    monkeypatch.setattr("torch.cuda.get_rng_state", lambda where: {place: state}[where])
    monkeypatch.setattr("torch.cuda.set_rng_state", lambda to, where: restored.append((where, to)))
    saved = loop._gpu_random(place)
    loop._set_gpu_random(place, saved)
    loop._set_gpu_random(place, None)
    if device == "cpu":
        assert saved is None
        assert not restored
    else:
        assert [(where, to.tolist()) for where, to in restored] == [(place, state.tolist())]


def test_a_resumed_training_gives_the_gpu_what_the_checkpoint_has_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = iter(torch.tensor([number], dtype=torch.uint8) for number in range(1, 100))
    restored: list[int | None] = []
    monkeypatch.setattr(loop, "_gpu_random", lambda _: next(states))
    monkeypatch.setattr(
        loop,
        "_set_gpu_random",
        lambda _, state: restored.append(None if state is None else int(state)),
    )
    with monkeypatch.context() as patched, pytest.raises(Killed):
        kill_at(patched, 13)  # after the second checkpoint
        fit(make_tagger(), make_posts(), batches(), schedule(), tmp_path)
    assert restored == []
    saved = torch.load(tmp_path / CHECKPOINT, weights_only=True)
    del saved["gpu_random"]
    fit(make_tagger(), make_posts(), batches(), schedule(), tmp_path)
    assert restored == [2]
    torch.save(saved, tmp_path / CHECKPOINT)  # as an earlier version left it
    fit(make_tagger(), make_posts(), batches(), schedule(), tmp_path)
    assert restored == [2, None]


def test_a_process_that_was_killed_goes_on(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from tests.training.test_loop import batches, schedule\n"
        "from tests.training.tiny import make_posts, make_tagger\n"
        "from murmure.training.loop import fit\n"
        "fit(make_tagger(), make_posts(), batches(400), schedule(), Path(sys.argv[1]))\n"
    )
    folder = tmp_path / "run"
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)])
    deadline = time.monotonic() + 300
    while not (folder / CHECKPOINT).exists():
        assert process.poll() is None, "ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    saved = torch.load(folder / CHECKPOINT, weights_only=True)
    assert saved["step"] % 5 == 0
    done = fit(make_tagger(), make_posts(), batches(400), schedule(), folder)
    assert entries(folder)[-1]["step"] == len(batches(400))
    assert not done.training


def test_stops_when_validation_gets_no_better_and_keeps_the_best(tmp_path: Path) -> None:
    scores = iter([0.5, 0.7, 0.6, 0.65, 0.9])
    seen: list[torch.Tensor] = []

    def validate(tagger: Any) -> float:
        seen.append(tagger.heads["sentiment"].weight.detach().clone())
        return next(scores)

    given = schedule(validate_every=4, patience=1)
    tagger = fit(make_tagger(), make_posts(), batches(), given, tmp_path, validate=validate)
    assert len(seen) == 4
    assert torch.equal(tagger.heads.state_dict()["sentiment.weight"], seen[1])


def test_frozen_layers_keep_their_weights(tmp_path: Path) -> None:
    before = {name: value.clone() for name, value in make_tagger().state_dict().items()}
    tagger = fit(make_tagger(), make_posts(), batches(1), schedule(frozen=1), tmp_path)
    for name, value in tagger.state_dict().items():
        still = "embeddings" in name or "layer.0." in name
        if still:
            assert torch.equal(value, before[name]), name
    assert not torch.equal(
        tagger.state_dict()["encoder.encoder.layer.1.output.dense.weight"],
        before["encoder.encoder.layer.1.output.dense.weight"],
    )


def test_refuses_to_freeze_more_layers_than_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"base\.\*\.frozen.*the encoder has \(2\)"):
        freeze(make_tagger(), 3)


def test_refuses_a_checkpoint_of_another_training(tmp_path: Path) -> None:
    fit(make_tagger(), make_posts(), batches(), schedule(), tmp_path)
    with pytest.raises(RunError, match=r"other learning_rate.*remove it to start anew"):
        fit(make_tagger(), make_posts(), batches(), schedule(learning_rate=1e-3), tmp_path)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive", b"\x80\x04."])
def test_tells_of_an_unreadable_checkpoint(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / CHECKPOINT).write_bytes(damage)
    with pytest.raises(RunError, match=r"unreadable checkpoint.*remove it"):
        fit(make_tagger(), make_posts(), batches(), schedule(), tmp_path)


def test_a_full_disk_leaves_the_last_checkpoint_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, saves = torch.save, iter(range(10))

    def save(content: Any, stream: Any) -> None:
        if next(saves):
            stream.write(b"half of it")
            raise OSError(28, "No space left on device")
        real(content, stream)

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(RunError, match=r"No space left.*the one before it is whole"):
        fit(make_tagger(), make_posts(), batches(), schedule(), tmp_path)
    monkeypatch.setattr(torch, "save", real)
    assert torch.load(tmp_path / CHECKPOINT, weights_only=True)["step"] == 5
    assert [file.name for file in tmp_path.iterdir() if "unfinished" in file.name] == []
    fit(make_tagger(), make_posts(), batches(), schedule(), tmp_path)


def test_refuses_a_folder_in_which_another_training_runs(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    with locked(folder), pytest.raises(RunError, match="another murmure run is writing here"):
        fit(make_tagger(), make_posts(), batches(), schedule(), folder)
    assert not (folder / LOG).exists()
    fit(make_tagger(), make_posts(), batches(), schedule(), folder)
    assert (folder / LOG).exists()


def test_tells_of_a_loss_that_is_no_number(tmp_path: Path) -> None:
    tagger = make_tagger()
    with torch.no_grad():
        dict(tagger.heads.named_parameters())["sentiment.bias"].fill_(float("nan"))
    with pytest.raises(RunError, match=r"loss of step 1 is nan.*learning_rate"):
        fit(tagger, make_posts(), batches(), schedule(), tmp_path)


def test_refuses_posts_without_any_label(tmp_path: Path) -> None:
    posts = make_posts(["a b"], sentiment=[-1])
    with pytest.raises(ConfigurationError, match="no labelled post"):
        fit(make_tagger(), posts, [np.array([0])], schedule(), tmp_path)


def test_bfloat16_trains_too(tmp_path: Path) -> None:
    fit(make_tagger(), make_posts(), batches(1), schedule(precision="bfloat16"), tmp_path)
    assert all(np.isfinite(entry["loss"]) for entry in entries(tmp_path))
