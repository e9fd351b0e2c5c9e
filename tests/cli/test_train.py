"""`murmure train`: its settings, and how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from murmure.cli.main import app
from tests.processes import python

ROOT = Path(__file__).parents[2]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (
            ["--set", "fast.bits=many"],
            2,
            "fast.bits: expected a whole number, but was given 'many'",
        ),
        (["--set", "fast.speed=1"], 2, "fast.speed: expected one of bits"),
        (["--set", "fast"], 2, "fast: expected section.key=value"),
        (["--model", "oracle"], 2, "no recipe for a model 'oracle'; there is one for: fast"),
        (["--configuration", "nowhere.toml"], 1, "nowhere.toml: no such file"),
        (["--set", 'corpora.folders=["nowhere"]'], 1, "nowhere: holds no corpus"),
    ],
)
def test_what_cannot_be_trained_ends_with_a_message(
    arguments: list[str], code: int, told: str, tmp_path: Path
) -> None:
    result = run(*arguments, "-o", tmp_path / "model")
    assert result.exit_code == code
    assert f"murmure: {told}" in result.stderr
    assert result.stdout == ""
    assert not list(tmp_path.iterdir())


def test_settings_reach_the_training_and_scores_come_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def train(configuration: dict[str, Any], output: Path) -> dict[str, Any]:
        seen.append((configuration["fast"]["bits"], configuration["corpora"]["folds"], output))
        return {"metrics": {"cross_fitted": {"sentiment": {"macro_f1": 0.7512}}}}

    monkeypatch.setattr("murmure.training.fast.train", train)
    own = tmp_path / "own.toml"
    own.write_text("[corpora]\nfolds = 3\n", "utf-8")
    result = run("--configuration", own, "--set", "fast.bits=18", "-o", tmp_path / "model")
    assert result.stdout == "sentiment\t0.751\n"
    assert seen == [(18, 3, tmp_path / "model")]


def test_the_script_is_the_command() -> None:
    done = python(ROOT / "train.py", "--set", "fast.bits=many", folder=ROOT)
    assert done.returncode == 2
    assert done.stderr == "murmure: fast.bits: expected a whole number, but was given 'many'\n"
