"""Whatever comes in, the command ends with a message or goes on with a reject; never a traceback.

With the model that ships, through the whole command line.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from murmure.assets import models_folder
from murmure.cli.main import app
from tests.batch.runs import rejects, rows
from tests.processes import python

GOOD = {"id": "good", "text": "Commande jamais reçue 😡"}
HUGE = 5_000_000


@pytest.fixture(autouse=True)
def _in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("murmure.batch.worker.spare_memory", lambda: None)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def write(name: str, content: bytes | str) -> str:
    Path(name).write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
    return name


def lines(*rows: object) -> str:
    """JSONL, with one good post after whatever is given."""
    told = [row if isinstance(row, str) else json.dumps(row) for row in (*rows, GOOD)]
    return "".join(f"{row}\n" for row in told)


def save_parquet(name: str, **columns: list[object]) -> str:
    pq.write_table(pa.table(dict(columns)), name)
    return name


def damage_model() -> str:
    shutil.copytree(models_folder() / "fast", "damaged")
    content = bytearray(Path("damaged/weights.safetensors").read_bytes())
    content[-1] ^= 1
    Path("damaged/weights.safetensors").write_bytes(content)
    return "damaged"


REFUSED: dict[str, tuple[Callable[[], list[str]], int, str]] = {
    "missing file": (lambda: ["nowhere.jsonl"], 1, "nowhere.jsonl: no such file"),
    "file of no kind": (lambda: [write("a.docx", "x")], 1, "a.docx"),
    "empty file": (lambda: [write("a.jsonl", "")], 1, "a.jsonl: is empty"),
    "empty table": (lambda: [write("a.csv", "")], 1, "a.csv: is empty"),
    "no column text": (lambda: [write("a.csv", "id,body\n1,b\n")], 1, "--columns text=body"),
    "unknown column": (
        lambda: [write("a.csv", "id,text\n1,b\n"), "--columns", "text=body"],
        1,
        "'body'",
    ),
    "unknown field": (
        lambda: [write("a.csv", "id,text\n1,b\n"), "--columns", "mood=id"],
        2,
        "mood",
    ),
    "no key text": (
        lambda: [write("a.jsonl", '{"body": "a"}\n')],
        1,
        "a.jsonl: no column 'text'; found 'body'; name it with --columns text=body",
    ),
    "an array": (
        lambda: [write("a.jsonl", '[{"text": "a"}]')],
        1,
        "a.jsonl, line 1: is a JSON array; write one object a line",
    ),
    "no Parquet": (lambda: [write("a.parquet", "PAR1 nothing")], 1, "a.parquet"),
    "cut Parquet": (
        lambda: [
            write("b.parquet", Path(save_parquet("a.parquet", text=["a"] * 99)).read_bytes()[:-20])
        ],
        1,
        "b.parquet",
    ),
    "no gzip": (lambda: [write("a.jsonl.gz", "not gzip")], 1, "a.jsonl.gz"),
    "unknown model": (
        lambda: [write("a.jsonl", lines()), "--model", "oracle"],
        1,
        "no model 'oracle'; installed are: ",
    ),
    "damaged model": (
        lambda: [write("a.jsonl", lines()), "--model", damage_model()],
        1,
        "weights.safetensors: is not what manifest.json says; fetch the model again",
    ),
    "no catalogue": (
        lambda: [write("a.jsonl", lines()), "--catalog", "nowhere.toml"],
        1,
        "nowhere.toml",
    ),
    "broken catalogue": (
        lambda: [write("a.jsonl", lines()), "--catalog", write("c.toml", "[[brand]]\nname = \n")],
        1,
        "c.toml, line 2",
    ),
}


@pytest.mark.parametrize(("arrange", "code", "told"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_tagged_at_all_is_refused_with_what_to_do(
    arrange: Callable[[], list[str]], code: int, told: str
) -> None:
    result = run("tag", *arrange(), "-o", "out")
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == code
    assert told in result.stderr
    assert result.stderr.startswith("murmure: ")
    assert result.stdout == ""
    assert not list(Path().glob("out/part-*"))


REJECTED: dict[str, tuple[Callable[[], str], int, str]] = {
    "broken JSON": (lambda: write("a.jsonl", lines('{"text": "a"')), 1, "not JSON"),
    "a JSON text": (lambda: write("a.jsonl", lines('"a"')), 1, "not a JSON object"),
    "not UTF-8": (
        lambda: write("a.csv", b"id,text\n1,\xe9t\xe9\n" + f"good,{GOOD['text']}\n".encode()),
        2,
        "not UTF-8: byte 0xe9; if the file has another encoding, name it with --encoding",
    ),
    "null": (lambda: write("a.jsonl", lines({"text": None})), 1, "text is null"),
    "a number": (lambda: write("a.jsonl", lines({"text": 3})), 1, "text is "),
    "a list for text": (lambda: write("a.jsonl", lines({"text": ["a"]})), 1, "text is "),
    "no text": (lambda: write("a.jsonl", f"{lines()}{json.dumps({'id': 'x'})}\n"), 2, "text"),
    "an empty text": (lambda: write("a.jsonl", lines({"text": "  "})), 1, "text is "),
    "5 MB": (lambda: write("a.jsonl", lines({"text": "é" * (HUGE // 2)})), 1, "long"),
    "5 MB in a table": (
        lambda: write("a.csv", f"id,text\n1,{'a' * HUGE}\ngood,{GOOD['text']}\n"),
        2,
        "long",
    ),
    "stray quote": (
        lambda: write("a.csv", f'id,text\n1,"a"b,c\ngood,{GOOD["text"]}\n'),
        2,
        "',' expected after '\"'",
    ),
    "too few fields": (lambda: write("a.csv", f"text,id\na\n{GOOD['text']},good\n"), 2, "field"),
    "null in Parquet": (
        lambda: save_parquet("a.parquet", text=[None, GOOD["text"]], id=["1", "good"]),
        1,
        "text is null",
    ),
}


@pytest.mark.parametrize(("arrange", "place", "reason"), REJECTED.values(), ids=REJECTED)
def test_one_bad_row_is_recorded_with_its_reason_and_the_others_are_tagged(
    arrange: Callable[[], str], place: int, reason: str
) -> None:
    name = arrange()
    result = run("tag", name, "-o", "out")
    assert result.exit_code == 0, result.stderr
    (fault,) = rejects(Path("out"))
    assert reason in fault["reason"]
    assert fault["source"] == name
    if not name.endswith(".parquet"):
        assert fault["line"] == place
    assert "1 rejected" in result.stderr
    (good,) = [row for row in rows(Path("out")) if row["id"] == "good"]
    assert (good["language"], good["text"]) == ("fr", GOOD["text"])


@pytest.mark.parametrize(
    "text",
    [
        "\x00",
        "a\x00b",
        "\ud83d",
        "\u202e",
        "<script>alert(1)</script>",
        "x" * 30_000,
        "&amp;" * 999,
    ],
    ids=lambda text: ascii(text)[:12],
)
def test_odd_texts_are_tagged_or_rejected_but_never_lost(text: str) -> None:
    name = write("a.jsonl", lines({"id": "odd", "text": text}))
    assert run("tag", name, "-o", "out").exit_code == 0
    tagged = {row["id"]: row for row in rows(Path("out"))}
    assert "good" in tagged
    assert ("odd" in tagged) != (len(rejects(Path("out"))) == 1)
    if "odd" in tagged:
        assert tagged["odd"]["truncated"] is (len(text) > 20_000)


def test_a_real_process_ends_the_same_way(tmp_path: Path) -> None:
    write("a.jsonl", lines("{broken", {"text": "\ud83d \x00"}))
    good = python("-m", "murmure", "tag", "a.jsonl", "-o", "out", folder=tmp_path)
    assert good.returncode == 0
    assert "not JSON" in good.stderr
    bad = python("-m", "murmure", "tag", "a.jsonl", "-o", "new", "--model", "x", folder=tmp_path)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr.startswith("murmure: no model 'x'; installed are: ")
    assert "Traceback" not in good.stderr + bad.stderr
    assert bad.stderr.count("\n") == 1
