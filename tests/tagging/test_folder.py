"""Model folders: found by name or path, and refused unless every file is whole."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from murmure.assets import models_folder
from murmure.errors import ModelError
from murmure.schema import LABELS, TAGS
from murmure.tagging import Predictor
from murmure.tagging.folder import (
    CALIBRATION,
    MANIFEST,
    OWN_FILES,
    ModelFolder,
    default_model,
    write_manifest,
)
from murmure.tagging.linear import WEIGHTS

Damage = Callable[[Path], object]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the fast model."""
    return Path(shutil.copytree(models_folder() / "fast", tmp_path / "copy"))


def change_manifest(folder: Path, **changes: Any) -> None:
    content = json.loads((folder / MANIFEST).read_text("utf-8"))
    content.update(changes)
    kept = {key: value for key, value in content.items() if value is not None}
    (folder / MANIFEST).write_text(json.dumps(kept), "utf-8")


def change_byte(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def replace_weights(folder: Path, content: bytes) -> None:
    """Weights of another kind, with a manifest that knows of them."""
    (folder / WEIGHTS).write_bytes(content)
    files = json.loads((folder / MANIFEST).read_text("utf-8"))["files"]
    change_manifest(folder, files={**files, WEIGHTS: hashlib.sha256(content).hexdigest()})


def name_file(folder: Path, name: str) -> None:
    files = json.loads((folder / MANIFEST).read_text("utf-8"))["files"]
    change_manifest(folder, files={**files, name: "0" * 64})


def unlist(folder: Path, *names: str) -> None:
    """Whatever these files then hold, the fingerprint stays."""
    files = json.loads((folder / MANIFEST).read_text("utf-8"))["files"]
    change_manifest(folder, files={name: files[name] for name in files if name not in names})


def change_calibration(folder: Path, tag: str, fits: Any) -> None:
    calibration = json.loads((folder / MANIFEST).read_text("utf-8"))["calibration"]
    change_manifest(folder, calibration={**calibration, tag: fits})


def change_fit(folder: Path, **changes: Any) -> None:
    """Another fit of a tag in French, which posts in French alone would meet."""
    fits = json.loads((folder / MANIFEST).read_text("utf-8"))["calibration"]["sentiment"]
    change_calibration(folder, "sentiment", {**fits, "fr": {**fits["fr"], **changes}})


def change_settings(folder: Path, **changes: Any) -> None:
    settings = json.loads((folder / MANIFEST).read_text("utf-8"))["settings"]
    change_manifest(folder, settings={**settings, **changes})


def change_tensor(folder: Path, name: str, tensor: Any) -> None:
    from safetensors.numpy import load, save

    tensors = load((folder / WEIGHTS).read_bytes())
    replace_weights(folder, save({**tensors, name: tensor}))


def test_every_file_of_a_whole_folder_is_checked(model: Path) -> None:
    folder = ModelFolder.open(model)
    assert folder.name == "fast"
    assert WEIGHTS in folder.manifest["files"]
    assert folder.fingerprint == hashlib.sha256((model / MANIFEST).read_bytes()).hexdigest()
    assert set(folder.thresholds) == set(TAGS)


NO_FITS: list[Any] = [[], {}, 3, {"any": []}, {"any": {"scale": [1.0]}}]
NO_SCALES: list[Any] = [
    *(["a", 1, 1], ["1", "1", "1"], [1, 1], 1),
    *([1, 1, float("nan")], [1, 1, 10**400]),
]
NO_BITS: list[Any] = [60, 25, 7, -1, "21", 10**30, []]

DAMAGES: dict[str, tuple[Damage, str, str]] = {
    "no manifest": (lambda f: (f / MANIFEST).unlink(), MANIFEST, "not a model folder"),
    "half a manifest": (
        lambda f: (f / MANIFEST).write_bytes((f / MANIFEST).read_bytes()[:500]),
        MANIFEST,
        "fetch the model again",
    ),
    "not UTF-8": (lambda f: (f / MANIFEST).write_bytes(b"\xff\xfe{"), MANIFEST, "cannot be read"),
    "a list": (lambda f: (f / MANIFEST).write_text("[1]"), MANIFEST, "format"),
    "other format": (lambda f: change_manifest(f, format=2), MANIFEST, "format 2"),
    "other labels": (
        lambda f: change_manifest(f, labels={**LABELS, "sponsored": ["no", "yes"]}),
        MANIFEST,
        "other tags or labels",
    ),
    "no thresholds": (
        lambda f: change_manifest(f, thresholds=None),
        MANIFEST,
        "lacks proper thresholds",
    ),
    "no files": (lambda f: change_manifest(f, files=None), MANIFEST, "lacks proper files"),
    "lists no file": (lambda f: change_manifest(f, files={}), MANIFEST, f"not list {WEIGHTS}, "),
    "weights not listed": (lambda f: unlist(f, WEIGHTS), MANIFEST, f"does not list {WEIGHTS};"),
    "calibration not listed": (
        lambda f: unlist(f, CALIBRATION),
        MANIFEST,
        f"does not list {CALIBRATION};",
    ),
    "outside": (lambda f: name_file(f, "../weights.bin"), MANIFEST, "outside the folder"),
    "absolute": (lambda f: name_file(f, "/etc/passwd"), MANIFEST, "outside the folder"),
    "parent": (lambda f: name_file(f, ".."), MANIFEST, "outside the folder"),
    "files is a list": (lambda f: change_manifest(f, files=["x"]), MANIFEST, "proper files"),
    "thresholds is a text": (
        lambda f: change_manifest(f, thresholds="x"),
        MANIFEST,
        "proper thresholds",
    ),
    "a threshold lacks": (lambda f: change_manifest(f, thresholds={}), MANIFEST, "threshold of"),
    "calibration lacks": (lambda f: change_manifest(f, calibration={}), MANIFEST, "calibration"),
    **{
        f"calibration {number}": (
            partial(change_calibration, tag="language", fits=fits),
            MANIFEST,
            "whole calibration",
        )
        for number, fits in enumerate(NO_FITS)
    },
    **{
        f"scale {number}": (partial(change_fit, scale=scale), MANIFEST, "whole calibration")
        for number, scale in enumerate(NO_SCALES)
    },
    "disclosed in words": (
        lambda f: change_calibration(f, "disclosed", "often"),
        MANIFEST,
        "whole calibration",
    ),
    **{
        f"bits {number}": (partial(change_settings, bits=bits), WEIGHTS, "bits: expected 8 to 24")
        for number, bits in enumerate(NO_BITS)
    },
    "fewer bits": (lambda f: change_settings(f, bits=20), WEIGHTS, "linear model"),
    "more bits": (lambda f: change_settings(f, bits=22), WEIGHTS, "language.weights: expected"),
    "a disclosure adds a word": (
        lambda f: change_settings(f, disclosed="much"),
        WEIGHTS,
        "linear model",
    ),
    "a disclosure adds no number": (
        lambda f: change_settings(f, disclosed=float("nan")),
        WEIGHTS,
        "disclosed: expected a number",
    ),
    "a bias that is no number": (
        lambda f: change_tensor(f, "bias", np.full(14, np.nan, np.float32)),
        WEIGHTS,
        "sentiment: does not give a number",
    ),
    "too few biases": (
        lambda f: change_tensor(f, "bias", np.zeros(13, np.float32)),
        WEIGHTS,
        "linear model",
    ),
    "a scale that is no number": (
        lambda f: change_tensor(f, "words.scale", np.full(14, np.inf, np.float32)),
        WEIGHTS,
        "weights that are no numbers",
    ),
    "changed byte": (lambda f: change_byte(f / WEIGHTS), WEIGHTS, "is not what manifest.json says"),
    "missing weights": (lambda f: (f / WEIGHTS).unlink(), WEIGHTS, "No such file"),
    "weights are a folder": (
        lambda f: (f / WEIGHTS).rename(f / "aside").with_name(WEIGHTS).mkdir(),
        WEIGHTS,
        "fetch the model again",
    ),
    "missing card": (lambda f: (f / "README.md").unlink(), "README.md", "No such file"),
    "no weights at all": (lambda f: replace_weights(f, b""), WEIGHTS, "linear model"),
    "other weights": (
        lambda f: replace_weights(f, b"\x02\x00\x00\x00\x00\x00\x00\x00{}"),
        WEIGHTS,
        "linear model",
    ),
    "other kind": (lambda f: change_manifest(f, kind="oracle"), "copy", "kind 'oracle'"),
}


@pytest.mark.parametrize(("damage", "file", "told"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_folder_is_refused_by_the_name_of_the_file(
    model: Path, damage: Damage, file: str, told: str
) -> None:
    damage(model)
    with pytest.raises(ModelError, match=told) as refused:
        Predictor.from_pretrained(model)
    assert refused.value.file is not None
    assert Path(refused.value.file).name == file
    assert str(refused.value).startswith(refused.value.file)


@pytest.mark.parametrize("name", ["swift", "", "../fast", "models/nothing"])
def test_an_unknown_model_is_refused_with_the_names_of_those_there_are(name: str) -> None:
    with pytest.raises(ModelError, match=r"installed are: .*fast|not a model folder"):
        ModelFolder.open(name)


def test_the_default_is_a_model_that_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("murmure.tagging.folder.models_folder", lambda: tmp_path)
    assert default_model() == "fast"
    for name in ("fast", "base"):
        (tmp_path / name).mkdir()
        (tmp_path / name / MANIFEST).touch()
        assert default_model() == name


def test_a_copy_is_whole_and_may_be_over_itself(model: Path, tmp_path: Path) -> None:
    folder = ModelFolder.open(model)
    folder.copy(tmp_path / "new" / "place")
    folder.copy(model)
    for path in (tmp_path / "new" / "place", model):
        assert ModelFolder.open(path).fingerprint == folder.fingerprint


def test_a_written_manifest_names_every_other_file(tmp_path: Path) -> None:
    (tmp_path / WEIGHTS).write_bytes(b"x")
    needed: dict[str, Any] = {"name": "own", "kind": "linear", "settings": {}, "calibration": {}}
    write_manifest(tmp_path, {**needed, "thresholds": dict.fromkeys(TAGS, 0.5)})
    assert set(ModelFolder.open(tmp_path).manifest["files"]) == {WEIGHTS}
    (tmp_path / WEIGHTS).write_bytes(b"y")
    with pytest.raises(ModelError, match=r"weights\.safetensors: is not what manifest\.json says"):
        ModelFolder.open(tmp_path)


@pytest.mark.parametrize("name", OWN_FILES["encoder"])
def test_an_encoder_lists_what_it_reads(tmp_path: Path, name: str) -> None:
    for file in OWN_FILES["encoder"]:
        (tmp_path / file).write_bytes(b"x")
    needed: dict[str, Any] = {"name": "own", "kind": "encoder", "settings": {}, "calibration": {}}
    write_manifest(tmp_path, {**needed, "thresholds": dict.fromkeys(TAGS, 0.5)})
    assert ModelFolder.open(tmp_path).name == "own"
    unlist(tmp_path, name)
    with pytest.raises(ModelError, match=f"does not list {name};"):
        ModelFolder.open(tmp_path)


def test_a_folder_without_calibration_posts_need_not_list_them(model: Path) -> None:
    (model / CALIBRATION).unlink()
    unlist(model, CALIBRATION)
    assert ModelFolder.open(model).name == "fast"
