"""`murmure train`: its settings, and how it ends."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from murmure.assets import models_folder
from murmure.cli.main import app
from murmure.training.corpora import Corpora
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
        (["--model", "oracle"], 2, "no recipe for a model 'oracle'; there is one for: base, fast"),
        (["--start", "m"], 2, "--start goes with --corpus FILE, which trains a model further"),
        (["--validation-share", 0.2], 2, "--validation-share goes with --corpus FILE"),
        (["--licences", "gratis"], 2, "corpora.licences: expected one or more of stated-open"),
        (["--licences", ","], 2, "corpora.licences: expected one or more of stated-open"),
        (["--corpus", "nowhere.csv"], 1, "nowhere.csv: no such file"),
        (
            ["--corpus", "nowhere.csv", "--validation-share", 1],
            2,
            "corpora.validation_share: expected a number of at least 0 and below 1, but was given",
        ),
        (
            ["--corpus", "nowhere.csv", "--model", "fast"],
            2,
            "--corpus trains the base model further, not 'fast'; for it, name the corpus's folder",
        ),
        (["--configuration", "nowhere.toml"], 1, "nowhere.toml: no such file"),
        (
            ["--model", "fast", "--set", 'corpora.folders=["nowhere"]'],
            1,
            "nowhere: holds no corpus",
        ),
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
        return {"metrics": {"held_out": {"sentiment": {"macro_f1": 0.7512}}}}

    monkeypatch.setattr("murmure.training.fast.train", train)
    own = tmp_path / "own.toml"
    own.write_text("[corpora]\nfolds = 3\n", "utf-8")
    result = run(
        "--model", "fast", "--configuration", own, "--set", "fast.bits=18", "-o", tmp_path / "model"
    )
    assert result.stdout == "sentiment\t0.751\n"
    assert seen == [(18, 3, tmp_path / "model")]


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A recipe for the base model that only notes what it was given."""
    seen: list[Any] = []
    monkeypatch.setattr("murmure.cli.train.find_spec", lambda _: True)
    recipes = ModuleType("murmure.training.base"), ModuleType("murmure.training.fine_tuning")

    def train(configuration: dict[str, Any], output: Path) -> dict[str, Any]:
        seen.append((configuration["corpora"]["licences"], output))
        return {"metrics": {"held_out": {"sponsored": {"macro_f1": 0.9}}}}

    def fine_tune(
        posts: Corpora, configuration: dict[str, Any], output: Path, *, start: Path
    ) -> dict[str, Any]:
        seen.append((posts, configuration["corpora"]["validation_share"], output, start))
        return {
            "metrics": {
                "validation": {"sponsored": {"macro_f1": 0.8}},
                "validation_compared": {
                    "sponsored": {
                        "posts": 10,
                        "macro_f1": 0.8,
                        "other": 0.75,
                        "difference": 0.05,
                        "interval": (-0.1, 0.2),
                    }
                },
            }
        }

    for recipe in recipes:
        recipe.__dict__.update(train=train, fine_tune=fine_tune)
        monkeypatch.setitem(sys.modules, recipe.__name__, recipe)
    return seen


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A corpus of 40 posts."""
    file = tmp_path / "mine.csv"
    rows = [f"Brizelo numero {number},{('yes', 'no')[number % 2]}" for number in range(40)]
    file.write_text("\n".join(["text,sponsored", *rows]) + "\n", "utf-8")
    return file


def test_base_is_trained_by_default_on_the_licences_named(base: list[Any], tmp_path: Path) -> None:
    result = run("--licences", "stated-open, unstated", "-o", tmp_path / "model")
    assert result.stdout == "sponsored\t0.900\n"
    assert base == [(["stated-open", "unstated"], tmp_path / "model")]


def test_a_corpus_of_ones_own_trains_the_base_model_further(
    base: list[Any], mine: Path, tmp_path: Path
) -> None:
    start = tmp_path / "start"
    result = run(
        "--corpus", mine, "--validation-share", 0.25, "--start", start, "-o", tmp_path / "out"
    )
    assert result.stdout == "sponsored\t0.800\n"
    ((posts, share, output, started),) = base
    assert (len(posts), int(posts.validation.sum()), share) == (40, 10, 0.25)
    assert (output, started) == (tmp_path / "out", start)


def test_the_shipped_base_is_the_start_and_the_file_names_the_model(
    base: list[Any], mine: Path
) -> None:
    result = run("--corpus", mine)
    assert result.exit_code == 0, result.stderr
    ((_, _, output, start),) = base
    assert output == Path("models/mine")
    assert start == models_folder() / "base"


def test_the_end_tells_what_has_changed_and_what_to_do_next(
    base: list[Any], mine: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    run("--corpus", mine, "-o", "there")
    assert base
    assert caplog.messages[-3:] == [
        "training on 34 posts; 6 others are kept to measure on",
        "sponsored: macro-F1 0.800 on 10 posts, before 0.750; difference +0.050 (-0.100 to +0.200)",
        "there: written; tag with it: murmure tag POSTS -o RUN --model there",
    ]


def test_no_model_is_replaced_by_one_trained_further(base: list[Any], mine: Path) -> None:
    named = mine.rename(mine.with_name("base.csv"))
    for arguments in (["--corpus", named], ["--corpus", named, "--start", "a", "-o", "a"]):
        result = run(*arguments)
        assert result.exit_code == 2
        assert "would replace a model that is there; name another with -o" in result.stderr
    assert not base


def test_a_bad_row_ends_before_a_model_is_touched(base: list[Any], mine: Path) -> None:
    mine.write_text(mine.read_text("utf-8").replace("7,no", "7,nope"), "utf-8")
    result = run("--corpus", mine)
    assert result.exit_code == 1
    assert f"murmure: {mine}, line 9, column 'sponsored': unknown label 'nope'" in result.stderr
    assert not base


@pytest.mark.parametrize(
    ("arguments", "missing"),
    [
        ([], "torch"),
        ([], "matplotlib"),
        (["--corpus", "nowhere.csv"], "transformers"),
        (["--corpus", "nowhere.csv"], "onnx"),
        (["--model", "fast"], "sklearn"),
        (["--model", "fast", "--set", "fast.taught.teacher=base"], "torch"),
    ],
)
def test_a_library_that_is_not_installed_is_named_before_anything_is_read(
    arguments: list[str], missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("murmure.cli.train.find_spec", lambda name: name != missing or None)
    result = run(*arguments, "--set", 'corpora.folders=["nowhere"]', "-o", tmp_path / "model")
    assert result.exit_code == 2
    assert result.stderr == f"murmure: training needs {missing}; pip install 'murmure[train]'\n"


def test_fast_without_a_teacher_needs_no_torch(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="needs the extra dev or train")
    script = (
        "import sys; sys.modules.update(torch=None, transformers=None); "
        "from murmure.cli.train import main; main()"
    )
    folder = 'corpora.folders=["nowhere"]'
    done = python("-c", script, "--model", "fast", "--set", folder, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("murmure: nowhere: holds no corpus")


def test_the_script_is_the_command() -> None:
    done = python(ROOT / "train.py", "--set", "fast.bits=many", folder=ROOT)
    assert done.returncode == 2
    assert done.stderr == "murmure: fast.bits: expected a whole number, but was given 'many'\n"
