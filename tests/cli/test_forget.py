"""`murmure forget` and `murmure tag --verify`: what they say, and with which code they end."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from murmure.cli import main
from tests.batch.runs import tag


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A run over three posts of two people."""
    lines = [f'{{"text": "post {n}", "author": "{"ana" if n else "ben"}"}}\n' for n in range(3)]
    (tmp_path / "a.jsonl").write_text("".join(lines))
    tag(tmp_path / "a.jsonl", tmp_path / "out")
    return tmp_path / "out"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main.app, [str(one) for one in arguments])


def test_whole_folder_is_told_with_its_sum(out: Path) -> None:
    result = run("tag", "--verify", out)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "whole: 3 rows in = 3 tagged + 0 rejected; 1 part, every hash right" in result.stderr
    result = run("tag", out.parent / "a.jsonl", "--verify", out)
    assert "1 part, every hash right, 1 input as it was\n" in result.stderr


def test_damaged_part_is_named_and_ends_with_1(out: Path) -> None:
    part = out / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    result = run("tag", "--verify", out)
    assert result.exit_code == 1
    assert "part-00000.parquet: its SHA-256 is not the manifest's" in result.stderr
    assert "not whole" in result.stderr


def test_forgetting_tells_what_was_erased_and_proves_the_rest(out: Path) -> None:
    result = run("forget", out, "--author", "ana")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "2 posts and 0 rejects erased, 1 part written again\n" in result.stderr
    assert "3 rows in = 1 tagged + 0 rejected + 2 forgotten" in result.stderr
    assert "ana" not in (out / "manifest.json").read_text()
    assert "already; nothing of theirs was left" in run("forget", out, "--author", "ana").stderr
    assert run("tag", "--verify", out).exit_code == 0


def test_nobody_of_that_name_ends_with_1(out: Path) -> None:
    result = run("forget", out, "--author", "Ana")
    assert result.exit_code == 1
    assert "no row is of 'Ana'" in result.stderr
    assert "there is 'ana'" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tag"], "Missing argument 'SOURCE...'"),
        (["tag", "a.jsonl"], "Missing option '--output'"),
        (["tag", "--verify", "out", "-o", "x"], "--verify OUT tags nothing"),
    ],
)
def test_tag_without_what_it_needs_is_wrong_usage(arguments: list[str], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
