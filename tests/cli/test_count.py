"""`murmure count` from the outside."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from murmure.cli.count import count
from murmure.errors import MurmureError, UsageError
from murmure.influence import DERIVED, METRICS
from murmure.influence.audit import apply_labels, draw_sample
from murmure.tagging.folder import ModelFolder
from tests.runs import write_run

app = typer.Typer()
app.command()(count)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_counts_go_to_standard_output_as_csv(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [{"author": "ana", "channel": "x"}])
    result = run(folder, "--by", "channel, media", "--window", "month")
    assert result.exit_code == 0
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert {row["channel"] for row in rows} == {"all", "x"}
    assert {row["media"] for row in rows} == {"all", "social"}
    assert {row["language"] for row in rows} == {"all"}
    assert result.stderr == ""


def test_counts_go_to_a_file(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [{}])
    result = run(folder, "-o", tmp_path / "counts.jsonl")
    assert (result.exit_code, result.stdout) == (0, "")
    assert (tmp_path / "counts.jsonl").stat().st_size > 0


def test_explain_lists_every_metric_and_needs_no_run() -> None:
    result = run("--explain")
    assert result.exit_code == 0
    for metric in METRICS + DERIVED:
        for told in (metric.name, metric.formula, metric.unit, metric.source):
            assert told in result.stdout


@pytest.mark.parametrize("arguments", [[], ["run", "-o", "counts.xlsx"]])
def test_wrong_usage_is_told_before_anything_is_read(arguments: list[str]) -> None:
    result = run(*arguments)
    assert isinstance(result.exception, UsageError)


def test_what_is_no_run_is_an_error_of_murmure(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert isinstance(result.exception, MurmureError)


def test_labels_about_entities_alone_are_said_not_to_audit_all(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"mentions": ["Brizelo"], "text": f"{n}"} for n in range(40)]
    folder = write_run(tmp_path / "run", rows, fingerprint=ModelFolder.open("fast").fingerprint)
    labels = {"sentiment": "neutral", "experience": "none", "touchpoint": "none"}
    labels |= {"sponsored": "no"}
    told = []
    for whole in (False, True):
        drawn = draw_sample(folder, size=40, whole=whole).units
        apply_labels(folder, {unit.key: labels for unit in drawn})
        told.append(run(folder, "--by", "entity", "-o", tmp_path / "counts.csv").stderr)
    remedy = '; "all" with none: murmure audit sample --whole'
    assert f"counts audited with 40 labels by hand{remedy}\n" in told[0]
    assert "counts audited with 80 labels by hand\n" in told[1]
