"""`murmure audit` from the outside."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from murmure.cli.audit import audit
from murmure.errors import UsageError
from tests.runs import write_run

ROWS = [{"sentiment": "negative"}, {"sentiment": "positive"}, {"sentiment": "positive"}]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(audit, [str(argument) for argument in arguments])


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    """The sheet of all posts of a run, all of which are said to be positive."""
    folder = write_run(tmp_path / "run", ROWS)
    drawn = run("sample", folder, "-o", tmp_path / "sheet.csv")
    assert drawn.exit_code == 0
    assert drawn.stdout == ""
    assert "3 of 3 drawn, all there are (-n 300)" in drawn.stderr
    text = (tmp_path / "sheet.csv").read_text(encoding="utf-8-sig")
    rows = list(csv.reader(text.splitlines()))
    for row in rows[1:]:
        row[2] = "positive"
    with (tmp_path / "sheet.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return tmp_path / "sheet.csv"


def test_how_right_the_tagger_is_goes_to_standard_output(sheet: Path) -> None:
    result = run("apply", sheet.parent / "run", sheet)
    assert result.exit_code == 0
    head, sentiment, *_ = result.stdout.splitlines()
    assert head.split()[:3] == ["tag", "labels", "right"]
    assert sentiment.split()[:3] == ["sentiment", "3", "66.7%"]
    assert "3 posts taken over" in result.stderr


def test_all_figures_as_json(sheet: Path) -> None:
    (sentiment,) = json.loads(run("apply", sheet.parent / "run", sheet, "--json").stdout)
    assert sentiment["confusion"]["negative"] == {"negative": 0, "neutral": 0, "positive": 1}


def test_the_sheet_goes_to_standard_output(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", ROWS)
    result = run("sample", folder, "-n", "2", "--show-labels")
    assert result.exit_code == 0
    assert result.stdout.lstrip("\ufeff").startswith("key,text,sentiment (")
    assert "tagger_sentiment" in result.stdout


def test_wrong_usage_is_told_before_anything_is_drawn(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", ROWS)
    result = run("sample", folder, "-o", tmp_path / "sheet.xlsx")
    assert isinstance(result.exception, UsageError)
    assert not (folder / "audit").exists()
