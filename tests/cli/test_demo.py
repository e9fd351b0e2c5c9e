"""`murmure demo`: the sample's whole way, here with a predictor by rule of thumb."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from murmure.batch import tag_file
from murmure.batch.manifest import read_manifest
from murmure.cli.main import app
from tests.taggers import load_rules


@pytest.fixture(autouse=True)
def _rules(monkeypatch: pytest.MonkeyPatch) -> None:
    def by_rules(*given: Any, **options: Any) -> Any:
        return tag_file(*given, **{**options, "load_predictor": load_rules})

    monkeypatch.setattr("murmure.batch.run.tag_file", by_rules)
    monkeypatch.setattr("murmure.batch.worker.spare_memory", lambda: None)


def test_demo_tags_counts_and_reports_and_prints_where_the_page_is(tmp_path: Path) -> None:
    out = tmp_path / "my demo"
    result = CliRunner().invoke(app, ["demo", "-o", str(out), "--ui", "en"])
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{out / 'page.html'}\n"
    manifest = read_manifest(out / "run")
    assert manifest is not None
    assert (manifest.rows, manifest.tagged) == (400, 400)
    assert (out / "counts.csv").read_text(encoding="utf-8").count("Brizelo") > 10
    assert '<html lang="en"' in (out / "page.html").read_text(encoding="utf-8")
    assert f"$ murmure report '{out / 'run'}' -o '{out / 'page.html'}' --ui en" in result.stderr


def test_demo_can_be_shown_again(tmp_path: Path) -> None:
    results = [CliRunner().invoke(app, ["demo", "-o", str(tmp_path / "demo")]) for _ in range(2)]
    assert [result.exit_code for result in results] == [0, 0]
    assert "already done" not in results[1].stderr


def test_demo_writes_over_nothing_but_its_own(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("precious")
    result = CliRunner().invoke(app, ["demo", "-o", str(tmp_path)])
    assert result.exit_code == 1
    assert "holds no murmure run but other files" in result.stderr
    assert (tmp_path / "run" / "thesis.txt").read_text() == "precious"
