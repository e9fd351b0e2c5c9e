"""The command line as a whole: what it offers, and how it ends."""

from __future__ import annotations

import errno
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from murmure.cli import main
from murmure.errors import InputError, UsageError
from tests.processes import environment, python
from tests.runs import write_run

COMMANDS = ("tag", "count", "report", "models", "demo")


def test_help_lists_every_command_within_half_a_second() -> None:
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        shown = python("-m", "murmure", "--help")
        seconds.append(time.perf_counter() - began)
    assert shown.returncode == 0
    for command in COMMANDS:
        assert f"\n  {command} " in shown.stdout
    assert min(seconds) < 0.5


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_help(command: str) -> None:
    result = CliRunner().invoke(main.app, [command, "--help"])
    assert result.exit_code == 0
    assert f"Usage: murmure {command}" in result.stdout.replace("root", "murmure")


def test_help_and_import_load_no_heavy_library() -> None:
    heavy = "('torch', 'spacy', 'numpy', 'pyarrow', 'duckdb', 'jinja2', 'scipy')"
    loaded = f"[name for name in {heavy} if name in sys.modules]"
    code = f"import sys, murmure, murmure.cli.main; print({loaded})"
    done = python("-c", code)
    assert done.stdout == "[]\n"


def test_version_is_told() -> None:
    shown = python("-m", "murmure", "--version")
    assert shown.returncode == 0
    assert shown.stdout.split()[0] == "murmure"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["count", "nowhere"], 1, "murmure: nowhere: no such folder"),
        (["count", "nowhere", "--by", "country"], 2, "murmure: --by country: unknown"),
        (["tag", "nowhere.csv", "-o", "run"], 1, "murmure: nowhere.csv: no such file"),
        (["tag"], 2, "Missing argument"),
        (["tag", "a.csv", "-o", "run", "--wrong"], 2, "No such option: --wrong"),
        (["report", "nowhere", "--window", "year"], 2, "'year' is not one of"),
        (["sing"], 2, "No such command 'sing'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_done_ends_with_a_message_and_no_traceback(
    arguments: list[str], code: int, message: str, tmp_path: Path
) -> None:
    done = python("-m", "murmure", *arguments, folder=tmp_path)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (InputError("empty", file="a.csv"), 1, "murmure: a.csv: empty\n"),
        (UsageError("--by: no"), 2, "murmure: --by: no\n"),
        (KeyboardInterrupt(), 130, "murmure: stopped\n"),
        (OSError(errno.EACCES, "Permission denied", "a.csv"), 1, "a.csv: Permission denied\n"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else None,
)
def test_each_kind_of_end_has_one_line_and_its_exit_code(
    error: BaseException, code: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("murmure.influence.count", fail)
    result = CliRunner().invoke(main.app, ["count", "run"])
    assert result.exit_code == code
    assert result.stderr.endswith(told)
    assert result.stderr.count("\n") == 1


def test_a_fault_of_murmures_own_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("murmure.influence.count", fail)
    result = CliRunner().invoke(main.app, ["count", "run"])
    assert isinstance(result.exception, ZeroDivisionError)


def test_a_reader_that_has_enough_ends_a_count_quietly(tmp_path: Path) -> None:
    rows = [{"author": f"a{n}", "channel": f"c{n}", "mentions": ["Brizelo"]} for n in range(300)]
    run = write_run(tmp_path / "run", rows)
    with subprocess.Popen(
        [sys.executable, "-m", "murmure", "count", str(run)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("entity,")
        process.stdout.close()
        errors = process.stderr.read().splitlines()
    # The run's model is made up, so that there are no estimates.
    assert [line for line in errors if "no estimates" not in line] == []
    assert process.returncode == 1
