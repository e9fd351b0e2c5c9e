"""`murmure tag`: what it says, and with which code it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from murmure.batch import tag_file
from murmure.cli.tag import parse_limit, tag
from murmure.errors import UsageError
from murmure.tagging.folder import default_model
from tests.batch.fakes import load_fake

POSTS = '{"text": "a", "id": "1"}\n{"text": "b", "id": "1"}\nbroken\n{"text": null}\n'


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def fake(*given: Any, **options: Any) -> Any:
        return tag_file(*given, **{**options, "load_predictor": load_fake, "jobs": 1})

    monkeypatch.setattr("murmure.batch.run.tag_file", fake)
    monkeypatch.setattr("murmure.batch.worker.spare_memory", lambda: None)
    yield


def run(*arguments: object, stdin: str | None = None) -> Result:
    app = typer.Typer()
    app.command()(tag)
    return CliRunner().invoke(app, [str(one) for one in arguments], input=stdin)


def write(folder: Path, text: str = POSTS) -> Path:
    path = folder / "a.jsonl"
    path.write_text(text, encoding="utf-8")
    return path


def test_help_names_the_model_that_is_used() -> None:
    shown = " ".join(run("--help").stdout.split())
    assert f"[default: ({default_model()};" in shown


def test_summary_goes_to_standard_error_alone(tmp_path: Path) -> None:
    result = run(write(tmp_path), "-o", tmp_path / "out")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert "4 rows in, 2 tagged, 2 rejected; " in result.stderr
    assert "rejected: 1 × not JSON" in result.stderr
    assert "note: 1 id on 2 rows: 1" in result.stderr


def test_ids_that_would_steer_the_terminal_are_shown_as_escapes(tmp_path: Path) -> None:
    posts = '{"text": "a", "id": "\\u001b[2Jé"}\n' * 2
    result = run(write(tmp_path, posts), "-o", tmp_path / "out")
    assert r"note: 1 id on 2 rows: '\x1b[2Jé'" in result.stderr
    assert "\x1b" not in result.stderr


def test_rows_go_to_standard_output_and_rejects_to_standard_error() -> None:
    result = run("-", "-o", "-", stdin=POSTS)
    assert result.exit_code == 0
    assert [line[:11] for line in result.stdout.splitlines()] == ['{"id": "1",'] * 2
    assert '"reason": "text is null"' in result.stderr


@pytest.mark.parametrize(
    ("limit", "code"), [("1", 3), ("2", 0), ("49%", 3), ("50%", 0), ("0", 3), ("many", 2)]
)
def test_more_rejects_than_allowed_end_with_3_but_all_rows_done(
    limit: str, code: int, tmp_path: Path
) -> None:
    result = run(write(tmp_path), "-o", tmp_path / "out", "--max-rejects", limit)
    if code == 2:
        assert isinstance(result.exception, UsageError)
        return
    assert result.exit_code == code
    assert (tmp_path / "out/rejects.jsonl").read_text().count("\n") == 2
    assert ("more than --max-rejects" in result.stderr) is (code == 3)


def test_finished_run_says_so(tmp_path: Path) -> None:
    run(write(tmp_path), "-o", tmp_path / "out")
    result = run(tmp_path / "a.jsonl", "-o", tmp_path / "out")
    assert result.exit_code == 0
    assert "already done: 4 rows in" in result.stderr


@pytest.mark.parametrize("given", ["-1", "x", "101%", "nan%", "1.5", "inf%", "%", ""])
def test_limit_that_makes_no_sense_is_wrong_usage(given: str) -> None:
    with pytest.raises(UsageError, match="--max-rejects"):
        parse_limit(given)


_SLOW = """
import sys, time, typer
import murmure.batch.run as run
from murmure.cli.tag import tag
from tests.batch.fakes import load_fake

whole = run.tag_file
told = sys.stdout if "-" not in sys.argv else sys.stderr

def slow(*given, **options):
    progress = lambda _: (print("ready", file=told, flush=True), time.sleep(0.1))
    options |= {"load_predictor": load_fake, "progress": progress, "jobs": 2}
    return whole(*given, **options, part_rows=10, chunk_rows=5)

run.tag_file = slow
typer.run(tag)
"""


def test_ctrl_c_leaves_a_run_that_goes_on_and_one_line(tmp_path: Path) -> None:
    source = write(tmp_path, POSTS * 50)
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
    command = [sys.executable, "-c", _SLOW, str(source), "-o", str(tmp_path / "out")]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(4):
            process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors.splitlines() == [
        "murmure: stopped; the same command goes on from the last finished part"
    ]
    summary = tag_file(
        source, tmp_path / "out", load_predictor=load_fake, jobs=1, part_rows=10, chunk_rows=5
    )
    assert summary.resumed >= 10
    assert summary.rows == 200


def test_command_line_alone_loads_no_heavy_library() -> None:
    code = "import sys, murmure.cli.tag; sys.exit('pyarrow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_reader_that_has_enough_ends_the_run_quietly(tmp_path: Path) -> None:
    source = write(tmp_path, POSTS * 500)
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
    command = [sys.executable, "-c", _SLOW, str(source), "-o", "-"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        errors = process.stderr.read()
    assert process.returncode == 1
    assert "Traceback" not in errors
