"""`murmure models`: what is installed, from the models' own manifests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from murmure.cli.main import app
from murmure.schema import LABELS, TAGS
from murmure.tagging.folder import write_manifest

SCORES = {"posts": 1234, "macro_f1": 0.7345678, "interval": [0.7, 0.75], "calibration_error": 0.021}
METRICS = {"held_out": {"sentiment": SCORES}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("murmure.assets.models_folder", lambda: tmp_path)
    return tmp_path


def add(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    (folder / name / "weights.safetensors").write_bytes(b"x" * 1_500_000)
    needed: dict[str, Any] = {"name": name, "kind": "linear"}
    needed |= {part: {} for part in ("settings", "calibration", "thresholds")}
    write_manifest(folder / name, {**needed, "metrics": METRICS})
    return folder / name


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["models", *arguments])


def test_models_are_listed_with_size_tags_and_figures(folder: Path) -> None:
    add(folder, "fast")
    lines = run().stdout.splitlines()
    assert lines[0] == f"fast  1.5 MB  {', '.join(TAGS)}"
    assert lines[1] == "  measured on 1,234 posts, each by a model that was not trained on it"
    assert lines[2].split() == ["macro-F1", "95", "%", "interval", "calibration", "error"]
    assert lines[3].split() == ["sentiment", "0.735", "0.700–0.750", "0.021"]


def test_json_holds_what_the_manifest_says(folder: Path) -> None:
    add(folder, "fast")
    (found,) = json.loads(run("--json").stdout)
    assert found["metrics"] == METRICS
    assert found["tags"] == {tag: list(labels) for tag, labels in LABELS.items()}
    assert found["folder"] == str(folder / "fast")


def test_no_model_is_said_so(folder: Path) -> None:
    result = run()
    assert (result.exit_code, result.stdout) == (0, "")
    assert "no model is installed" in result.stderr
    assert json.loads(run("--json").stdout) == []
    assert folder.is_dir()


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"format": 3}'])
def test_damaged_manifest_is_named(manifest: str, folder: Path) -> None:
    (add(folder, "fast") / "manifest.json").write_text(manifest)
    result = run()
    assert (result.exit_code, result.stdout) == (1, "")
    assert "fast/manifest.json: " in result.stderr


def test_damaged_weights_are_named(folder: Path) -> None:
    (add(folder, "fast") / "weights.safetensors").write_bytes(b"y")
    result = run()
    assert result.exit_code == 1
    assert "fast/weights.safetensors: " in result.stderr
