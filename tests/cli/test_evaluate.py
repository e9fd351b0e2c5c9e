"""`murmure evaluate`: the table, the JSON, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from murmure.assets import models_folder, sample_folder
from murmure.cli.main import app
from murmure.schema import LABELS, TAGS

POSTS, SAMPLE_LABELS = sample_folder() / "posts.jsonl", sample_folder() / "labels.csv"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def test_the_sample_is_measured_in_a_table_and_the_same_as_json() -> None:
    shown = run(POSTS, "--labels", SAMPLE_LABELS, "--model", "fast")
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert lines[0] == "model fast: 400 posts, 0 rejected"
    result = json.loads(run(POSTS, "--labels", SAMPLE_LABELS, "--model", "fast", "--json").stdout)
    assert list(result["tags"]) == list(TAGS)
    assert set(result["languages"]) == {"fr", "en"}
    for tag, scores in result["tags"].items():
        (row,) = [line.split() for line in lines if line.split()[:2] == [tag, "400"]]
        assert row[2] == f"{scores['macro_f1']:.3f}"
        assert 0.3 < scores["macro_f1"] <= 1
        assert sum(found["posts"] for found in scores["labels"].values()) == 400
        assert list(scores["labels"]) == list(LABELS[tag])
    by_label = {(line.split()[0], line.split()[1]) for line in lines if line.strip()}
    assert {("touchpoint", "delivery"), ("sponsored", "yes")} <= by_label


def test_what_cannot_be_measured_ends_with_a_message(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("id,sentiment\nfr-001,great\n", "utf-8")
    for arguments, told in (
        ((POSTS,), "no labels: expected a column for at least one of language, "),
        ((POSTS, "--labels", labels), "column 'sentiment': unknown label 'great' of post 'fr-001'"),
        ((tmp_path / "nowhere.csv",), "nowhere.csv: no such file"),
        ((POSTS, "--labels", SAMPLE_LABELS, "--model", "swift"), "no model 'swift'"),
    ):
        result = run(*arguments)
        assert result.exit_code == 1
        assert result.stdout == ""
        assert told in result.stderr
        assert result.stderr.startswith("murmure: ")


def test_several_models_are_compared_and_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra train")
    fast = models_folder() / "fast"
    given = (POSTS, "--labels", SAMPLE_LABELS, "--model", "fast", "--model", fast)
    shown = run(*given, "--plots", tmp_path / "plots")
    assert shown.exit_code == 0, shown.stderr
    assert (tmp_path / "plots" / "reliability.png").read_bytes().startswith(b"\x89PNG")
    assert f"fast beside {fast}, on the same posts" in shown.stdout
    assert "+0.000 to +0.000" in shown.stdout
    assert "sentiment: worst on language " in shown.stdout
    assert "sentiment: French " in shown.stdout
    assert max(len(line) for line in shown.stdout.splitlines()) <= 110
    # Each confusion's rows sum to the posts of a label.
    lines = shown.stdout.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("sponsored, chosen:"))
    assert sum(int(count) for count in lines[start + 1].split()[1:]) == 55


def test_plots_without_matplotlib_are_refused_before_anything_is_tagged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run(tmp_path / "nowhere.csv", "--plots", tmp_path)
    assert result.exit_code == 2
    assert "pip install 'murmure[train]'" in result.stderr
