"""`murmure report` from the outside."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from murmure.cli.report import report
from murmure.errors import InputError
from tests.report.pages import small_story
from tests.runs import write_run

app = typer.Typer()
app.command()(report)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_page_is_written_and_its_place_told(tmp_path: Path) -> None:
    folder, page = write_run(tmp_path / "run", small_story()), tmp_path / "page.html"
    result = run(folder, "-o", page, "--ui", "en", "--title", "Our <coffee>", "--window", "month")
    assert result.exit_code == 0
    assert result.stdout == f"{page}\n"
    html = page.read_text(encoding="utf-8")
    assert "<title>Our &lt;coffee&gt;</title>" in html
    assert "month of" not in html
    assert "March 2026" in html
    assert "writer" not in html


def test_authors_are_shown_when_asked_for(tmp_path: Path) -> None:
    folder, page = write_run(tmp_path / "run", small_story()), tmp_path / "page.html"
    assert run(folder, "-o", page, "--show-authors").exit_code == 0
    assert "writer" in page.read_text(encoding="utf-8")


def test_other_brands_are_counted_with_their_catalogue(tmp_path: Path) -> None:
    folder, page = write_run(tmp_path / "run", small_story()), tmp_path / "page.html"
    catalog = tmp_path / "catalog.toml"
    catalog.write_text('[[brand]]\nname = "Moka"\naliases = ["Brizelo"]\n', encoding="utf-8")
    assert run(folder, "-o", page, "--catalog", catalog, "--ui", "en").exit_code == 0
    html = page.read_text(encoding="utf-8")
    assert "What people say about Moka" in html
    assert "post 0 about Brizelo" in re.sub("</?mark>", "", html)


def test_a_language_or_window_that_there_is_not_is_wrong_usage(tmp_path: Path) -> None:
    assert run(tmp_path, "--ui", "de").exit_code == 2
    assert run(tmp_path, "--window", "year").exit_code == 2


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    result = run(tmp_path / "missing")
    assert isinstance(result.exception, InputError)
    assert "missing" in str(result.exception)


def test_a_page_that_cannot_be_written_is_refused_before_the_counting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def count(*_: Any, **__: Any) -> None:
        pytest.fail("counted first")

    monkeypatch.setattr("murmure.influence.count", count)
    folder = write_run(tmp_path / "run", small_story())
    (tmp_path / "file").touch()
    for page in (tmp_path, tmp_path / "file" / "page.html", tmp_path / "file" / "in" / "page.html"):
        result = run(folder, "-o", page)
        assert isinstance(result.exception, InputError)
        assert str(result.exception).startswith(f"{page}: cannot be written (")
    monkeypatch.setattr("os.access", lambda _, mode, **__: not mode & os.W_OK)
    result = run(folder, "-o", tmp_path / "new" / "page.html")
    assert isinstance(result.exception, InputError)
    assert f"nothing can be written in {tmp_path}" in str(result.exception)
    assert not (tmp_path / "new").exists()


def test_the_folder_of_a_page_is_made(tmp_path: Path) -> None:
    page = tmp_path / "new" / "one" / "page.html"
    assert run(write_run(tmp_path / "run", small_story()), "-o", page).exit_code == 0
    assert page.is_file()
