"""Whole runs: what ends up where, and which runs are refused."""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from murmure.batch import Progress, forget, tag_file, verify
from murmure.batch import folder as folder_module
from murmure.batch.files import locked
from murmure.batch.manifest import sealed
from murmure.batch.rows import made_id
from murmure.batch.values import BAD_ORDER, BAD_TIME
from murmure.errors import InputError, ModelError, MurmureError, RunError, UsageError
from murmure.schema import POST_COLUMNS, result_fields
from tests.batch.fakes import DEADLY, POISON, FakeColumns, FakePredictor, load_fake
from tests.batch.runs import contents, manifest, rejects, rows, tag, tag_bytes, texts


def write(path: Path, *posts: dict[str, Any] | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [post if isinstance(post, str) else json.dumps(post) for post in posts]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def posts(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [
        {"id": f"p{number}", "text": "x" * (number % 7 + 1)}
        for number in range(start, start + count)
    ]


def test_row_has_the_posts_columns_then_the_inputs_then_the_tags(tmp_path: Path) -> None:
    source = write(
        tmp_path / "a.jsonl",
        {"text": "a", "likes": 3, "created_at": "2026-03-01T11:00:00+01:00", "id": 5},
    )
    tag(source, tmp_path / "out")
    [row] = rows(tmp_path / "out")
    assert list(row) == [*POST_COLUMNS, "likes", *(field.name for field in result_fields())]
    assert (row["id"], row["author"], row["likes"]) == ("5", None, 3)
    assert row["created_at"] == datetime(2026, 3, 1, 10, tzinfo=UTC)
    assert row["sentiment_probabilities"] == pytest.approx([0.1, 0.8, 0.1])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1790000000000000001, 1.5], ["1790000000000000001", "1.5"]),
        ([3, 1.5], [3.0, 1.5]),
        ([2**64 - 1, -1], ["18446744073709551615", "-1"]),
    ],
)
@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_numbers_of_several_files_keep_every_digit(
    values: list[Any], expected: list[Any], kind: str, tmp_path: Path
) -> None:
    for number, value in enumerate(values):
        post = {"text": "a", "n": value}
        if kind == "jsonl":
            write(tmp_path / f"in/{number}.jsonl", post)
        else:
            (tmp_path / "in").mkdir(exist_ok=True)
            wide = pa.uint64() if value == 2**64 - 1 else None
            column = pa.array([value], wide)
            table = pa.table({"text": ["a"], "n": column})
            pq.write_table(table, tmp_path / f"in/{number}.parquet")
    tag(tmp_path / "in", tmp_path / "out")
    assert [row["n"] for row in rows(tmp_path / "out")] == expected


def test_missing_id_is_made_from_source_row_and_text(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", {"text": "a"}, "broken", {"text": "a", "id": ""})
    tag(source, tmp_path / "out")
    assert [row["id"] for row in rows(tmp_path / "out")] == [
        made_id("a.jsonl", 0, "a"),
        made_id("a.jsonl", 2, "a"),
    ]


def test_several_inputs_become_parts_of_fixed_rows(tmp_path: Path) -> None:
    sources = [write(tmp_path / "in/a.jsonl", *posts(5), "broken")]
    (tmp_path / "in/b.csv").write_text("id,text,n\n" + "p,y,1\n" * 5)
    summary = tag([tmp_path / "in"], tmp_path / "out", part_rows=4, chunk_rows=3)
    told = manifest(tmp_path / "out")
    assert [part["rows"] for part in told["parts"]] == [4, 4, 3]
    assert [(one["source"], one["rows"], one["rejected"]) for one in told["inputs"]] == [
        ("a.jsonl", 6, 1),
        ("b.csv", 5, 0),
    ]
    assert (told["rows"], told["tagged"], told["rejected"], told["complete"]) == (11, 10, 1, True)
    assert told["rejected_for"] == {"not JSON": 1}
    assert (summary.rows, summary.tagged, summary.rejected) == (11, 10, 1)
    assert [row["n"] for row in rows(tmp_path / "out")] == [None] * 5 + ["1"] * 5
    schemas = {
        str(pq.ParquetFile(part).schema_arrow) for part in (tmp_path / "out").glob("*.parquet")
    }
    assert len(schemas) == 1
    assert sources


def test_ids_given_twice_are_kept_and_reported(tmp_path: Path) -> None:
    ids = ["a", "b", "a", "c", "b", "a"]
    source = write(tmp_path / "a.jsonl", *({"id": name, "text": "x"} for name in ids))
    summary = tag(source, tmp_path / "out", part_rows=2)
    assert [row["id"] for row in rows(tmp_path / "out")] == ids
    assert summary.duplicate_ids == {"ids": 2, "rows": 5, "first": ["a", "b"]}


@pytest.mark.parametrize("folder", ["run[1]", "id=7"])
def test_ids_are_those_of_this_run_whatever_its_folder_is_called(
    folder: str, tmp_path: Path
) -> None:
    tag(write(tmp_path / "b.jsonl", *({"id": "b", "text": "x"} for _ in "ab")), tmp_path / "run1")
    source = write(tmp_path / "a.jsonl", *({"id": "a", "text": "x"} for _ in "abc"))
    summary = tag(source, tmp_path / folder)
    assert summary.duplicate_ids == {"ids": 1, "rows": 3, "first": ["a"]}


def test_ids_that_cannot_be_compared_leave_a_run_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "a.jsonl", *posts(9))
    tag(source, tmp_path / "whole", part_rows=4)

    def fail(*_: object) -> None:
        raise duckdb.OutOfMemoryException("no room\nat all")

    with monkeypatch.context() as patched:
        patched.setattr(folder_module, "_count_duplicates", fail)
        with pytest.raises(RunError, match=r"\(no room\).*TMPDIR.*goes on"):
            tag(source, tmp_path / "out", part_rows=4)
    assert not manifest(tmp_path / "out")["complete"]
    assert tag(source, tmp_path / "out", part_rows=4).resumed == 9
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_empty_file_among_others_is_told_and_costs_nothing(tmp_path: Path) -> None:
    write(tmp_path / "in/a.jsonl", *posts(3))
    (tmp_path / "in/b.csv").write_text("")
    (tmp_path / "in/c.jsonl.gz").write_bytes(gzip.compress(b""))
    (tmp_path / "in/d.parquet").touch()
    told: list[str] = []
    summary = tag(tmp_path / "in", tmp_path / "out", notice=told.append)
    assert summary.rows == 3
    assert [line.rpartition("/")[2] for line in told] == [
        f"{name}: is empty, so no post of it" for name in ("b.csv", "c.jsonl.gz", "d.parquet")
    ]
    inputs = manifest(tmp_path / "out")["inputs"]
    assert [(one["source"], one["rows"]) for one in inputs] == [
        ("a.jsonl", 3),
        ("b.csv", 0),
        ("c.jsonl.gz", 0),
        ("d.parquet", 0),
    ]
    assert tag(tmp_path / "in", tmp_path / "out").already_done
    (tmp_path / "in/a.jsonl").unlink()
    with pytest.raises(InputError, match=r"b\.csv: is empty, as are all others"):
        tag(tmp_path / "in", tmp_path / "none")


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_dates_are_read_in_the_order_that_is_told_and_never_guessed(
    name: str, tmp_path: Path
) -> None:
    times = ["12/03/2026 14:05", "2026-03-12T14:05", None, "31/12/2026", "soon"]
    if name == "a.csv":
        rows_in = "".join(f"p{n},x,{time or ''}\n" for n, time in enumerate(times))
        (tmp_path / name).write_text(f"id,text,created_at\n{rows_in}")
    else:
        write(tmp_path / name, *({"text": "x", "created_at": time} for time in times))
    noon = datetime(2026, 3, 12, 14, 5, tzinfo=UTC)
    summary = tag(tmp_path / name, tmp_path / "out")
    assert [row["created_at"] for row in rows(tmp_path / "out")] == [None, noon, None, None, None]
    assert summary.warnings == {BAD_ORDER: 2, BAD_TIME: 1}
    with pytest.raises(RunError, match=r"dates \(not given, now 'day-first'\)"):
        tag(tmp_path / name, tmp_path / "out", dates="day-first")
    summary = tag(tmp_path / name, tmp_path / "out", dates="day-first", overwrite=True)
    last = datetime(2026, 12, 31, tzinfo=UTC)
    assert [row["created_at"] for row in rows(tmp_path / "out")] == [noon, noon, None, last, None]
    assert summary.warnings == {BAD_TIME: 1}
    tag(tmp_path / name, tmp_path / "us", dates="month-first")
    assert rows(tmp_path / "us")[0]["created_at"] == datetime(2026, 12, 3, 14, 5, tzinfo=UTC)


@pytest.mark.parametrize("out", ["out", "-"])
def test_dates_that_are_not_understood_are_told_once_before_anything_is_tagged(
    out: str, tmp_path: Path
) -> None:
    dates = ["2026-03-12", "12/03/2026", "13/03/2026", "14/03/2026"]
    posts = ({"text": f"post {day}", "created_at": day} for day in dates)
    happened: list[str] = []

    class Told(FakePredictor):
        def predict_columns(self, texts: Sequence[str], /) -> FakeColumns:
            happened.extend(texts)
            return super().predict_columns(texts)

    tag(
        write(tmp_path / "a.jsonl", *posts),
        out if out == "-" else tmp_path / out,
        load_predictor=lambda *_: Told("told", "0" * 64),
        chunk_rows=2,
        notice=happened.append,
        stdout=io.StringIO(),
    )
    [said] = [one for one in happened if "--dates day-first" in one]
    assert happened.index(said) < happened.index("post 12/03/2026")


def test_time_that_is_not_understood_is_empty_and_counted(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", {"text": "a", "created_at": "soon"}, {"text": "b"})
    summary = tag(source, tmp_path / "out")
    assert summary.rejected == 0
    assert manifest(tmp_path / "out")["warnings"] == {"created_at not understood, left empty": 1}


@pytest.mark.parametrize("jobs", [1, 2])
def test_posts_that_break_the_tagger_cost_one_reject_each(jobs: int, tmp_path: Path) -> None:
    odd = {3: POISON, 8: DEADLY} if jobs > 1 else {3: POISON, 8: POISON}
    lines = [{"id": f"p{row}", "text": odd.get(row, "fine")} for row in range(12)]
    tag(write(tmp_path / "a.jsonl", *lines), tmp_path / "out", jobs=jobs, chunk_rows=5)
    assert texts(tmp_path / "out") == ["fine"] * 10
    told = [(one["line"], one["id"], one["raw"]) for one in rejects(tmp_path / "out")]
    assert told == [(row + 1, f"p{row}", text) for row, text in odd.items()]


def test_encoder_gets_chunks_that_several_workers_can_share(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", *posts(3))
    for kind, rows_together in {"linear": 2_048, "encoder": 512}.items():
        write(tmp_path / kind / "manifest.json", {"kind": kind})
        tag(source, tmp_path / "out", model=tmp_path / kind, overwrite=True)
        assert manifest(tmp_path / "out")["configuration"]["chunk_rows"] == rows_together


def test_number_of_jobs_changes_nothing(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", *posts(60), "broken", *posts(60))
    for jobs in (1, 2):
        tag(source, tmp_path / str(jobs), jobs=jobs, part_rows=50, chunk_rows=8)
    assert contents(tmp_path / "1") == contents(tmp_path / "2")


def test_model_that_fails_on_everything_ends_the_run(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", *({"text": f"{POISON} {n}"} for n in range(100)))
    with pytest.raises(RunError, match=r"failed on all of 100 texts.*poison"):
        tag(source, tmp_path / "out", load_predictor=load_fake)


def test_tagger_that_fails_on_all_of_a_few_posts_ends_the_run(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", {"text": POISON}, "broken", {"text": POISON})
    with pytest.raises(RunError, match=r"failed on all 2 posts.*ValueError: poison"):
        tag(source, tmp_path / "out")
    assert not manifest(tmp_path / "out")["complete"]
    with pytest.raises(RunError, match="failed on all 2 posts"):
        stream(source, load_predictor=load_fake)


def test_one_post_that_fails_may_be_all_there_is(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", {"text": POISON}, "broken")
    assert tag(source, tmp_path / "out").rejected == 2


def test_posts_that_fail_after_others_did_not_are_rejects(tmp_path: Path) -> None:
    lines = [{"text": "a"}, {"text": "b"}, {"text": POISON}, {"text": POISON}]
    source = write(tmp_path / "a.jsonl", *lines)

    def stop(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tag(source, tmp_path / "out", part_rows=2, progress=stop)
    summary = tag(source, tmp_path / "out", part_rows=2)
    assert (summary.resumed, summary.tagged, summary.rejected) == (2, 2, 2)


def test_one_poisonous_text_however_often_is_no_fault_of_the_model(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", *({"text": POISON} for _ in range(100)), {"text": "a"})
    summary = tag(source, tmp_path / "out")
    assert (summary.tagged, summary.rejected) == (1, 100)
    assert [one["line"] for one in rejects(tmp_path / "out")] == [*range(1, 101)]


def test_finished_run_is_done_and_not_touched(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", *posts(9), "broken")
    first = tag(source, tmp_path / "out")
    before = contents(tmp_path / "out")
    second = tag(source, tmp_path / "out")
    assert (first.already_done, second.already_done) == (False, True)
    assert (second.rows, second.tagged, second.rejected) == (10, 9, 1)
    assert contents(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "other"}, r"model \(fake fake-Non, now other other-No\)"),
        ({"max_text": 5}, r"max_text \(1000000, now 5\)"),
        ({"part_rows": 5}, "part_rows"),
        ({"columns": "author=id"}, "columns"),
        ({"encoding": "cp1252"}, "encoding"),
        ({"catalog": "brands.toml"}, r"catalogue \(none, now brands\.toml"),
        ({"sources": ["a.jsonl", "b.jsonl"]}, r"inputs \(with b\.jsonl\)"),
        ({"sources": ["b.jsonl"]}, r"inputs \(without a\.jsonl and with b\.jsonl\)"),
    ],
    ids=str,
)
def test_run_with_other_settings_is_refused_and_says_which(
    change: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.jsonl", *posts(3))
    write(tmp_path / "b.jsonl", *posts(3))
    (tmp_path / "brands.toml").write_text('[[brand]]\nname = "Brizelo"\n', encoding="utf-8")
    tag(["a.jsonl"], "out")
    before = contents(tmp_path / "out")
    options = {"sources": ["a.jsonl"], **change}
    with pytest.raises(RunError, match=f"out: .*different settings: {message}.*--overwrite"):
        tag(options.pop("sources"), "out", **options)
    assert contents(tmp_path / "out") == before
    options = {"sources": ["a.jsonl"], **change}
    assert not tag(options.pop("sources"), "out", overwrite=True, **options).already_done


def test_changed_input_is_refused_until_overwritten(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", *posts(30))
    tag(source, tmp_path / "out", part_rows=10)
    write(source, *posts(5))
    with pytest.raises(RunError, match=r"inputs \(changed: a\.jsonl\)"):
        tag(source, tmp_path / "out", part_rows=10)
    tag(source, tmp_path / "out", part_rows=10, overwrite=True)
    assert len(rows(tmp_path / "out")) == 5


@pytest.mark.parametrize("name", ["part-00001.parquet", "rejects.jsonl"])
@pytest.mark.parametrize("damage", ["change", "remove"])
def test_damaged_run_is_not_gone_on_with(name: str, damage: str, tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", *posts(9), "broken")
    tag(source, tmp_path / "out", part_rows=4)
    path = tmp_path / "out" / name
    data = path.read_bytes()
    path.unlink()
    if damage == "change":
        path.write_bytes(data[:-3] + b"xxx")
    with pytest.raises(RunError, match=rf"{name}: (missing or )?changed.*--overwrite"):
        tag(source, tmp_path / "out", part_rows=4)


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": "x", "version": 9}'])
def test_manifest_that_cannot_be_read_is_refused(text: str, tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", *posts(2))
    write(tmp_path / "out/manifest.json", text)
    with pytest.raises(RunError, match=r"manifest\.json: .*--overwrite"):
        tag(source, tmp_path / "out")


def _part(told: dict[str, Any]) -> dict[str, Any]:
    part: dict[str, Any] = told["parts"][0]
    return part


@pytest.mark.parametrize(
    "damage",
    [
        lambda told: told["configuration"].update(format="xml"),
        lambda told: told.update(model="fake"),
        lambda told: told.update(erasures=[{"salt": 1, "sha256": "", "date": ""}]),
        lambda told: _part(told).update(rows="x"),
        lambda told: _part(told).update(rows=True),
        lambda told: _part(told).update(file="../../a.jsonl"),
        lambda told: _part(told).update(file=".."),
        lambda told: _part(told)["counts"][0].update(input=7),
        lambda told: told.update(parts={}),
    ],
)
def test_manifest_with_an_entry_that_cannot_be_is_refused_by_all(
    damage: Callable[[dict[str, Any]], None], tmp_path: Path
) -> None:
    source = write(tmp_path / "a.jsonl", *posts(9))
    out = tmp_path / "out"
    tag(source, out)
    told = manifest(out)
    damage(told)
    told.pop("sha256")
    (out / "manifest.json").write_bytes(sealed(told))
    for use in (partial(tag, source, out), partial(verify, out), partial(forget, out, "ana")):
        with pytest.raises(RunError, match=r"manifest\.json: not a manifest.*--overwrite"):
            use()


def test_manifest_that_was_changed_is_not_written_again(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", {"text": "a", "author": "ana"}, {"text": "b"})
    out = tmp_path / "out"
    tag(source, out)
    told = manifest(out)
    write(out / "manifest.json", told | {"erasures": []} | {"complete": False})
    for use in (partial(tag, source, out), partial(forget, out, "ana")):
        with pytest.raises(RunError, match=r"manifest\.json: was changed.*--overwrite"):
            use()
    assert not verify(out).is_whole


@pytest.mark.parametrize(("keeps", "kept"), [(True, 1), (False, 0)])
def test_who_was_forgotten_in_a_run_whose_manifest_is_damaged_is_told(
    keeps: bool, kept: int, tmp_path: Path
) -> None:
    source = write(tmp_path / "a.jsonl", {"text": "a", "author": "ana"}, {"text": "b"})
    out = tmp_path / "out"
    tag(source, out)
    forget(out, "ana")
    erasures = manifest(out)["erasures"] if keeps else "gone"
    write(out / "manifest.json", {"format": "x", "erasures": erasures})
    told: list[str] = []
    summary = tag(source, out, overwrite=True, notice=told.append)
    assert summary.forgotten == kept
    assert any(f"{kept} erasures could be read in it" in one for one in told)


def test_folder_of_other_files_is_never_written_to(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", *posts(2))
    write(tmp_path / "out/part-00000.parquet", "precious")
    with pytest.raises(RunError, match="holds no murmure run but other files"):
        tag(source, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out/part-00000.parquet").read_text() == "precious\n"


def test_second_run_on_a_folder_is_refused_while_the_first_is_at_it(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", *posts(2))
    (tmp_path / "out").mkdir()
    with (
        locked(tmp_path / "out"),
        pytest.raises(RunError, match=r"out: another murmure run is writing here"),
    ):
        tag(source, tmp_path / "out")
    tag(source, tmp_path / "out")
    assert ".lock" not in contents(tmp_path / "out")


def test_input_that_changes_under_the_run_is_an_error(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", *posts(50))

    def change(_: Progress) -> None:
        with source.open("a") as file:
            file.write("{}\n")

    with pytest.raises(InputError, match=r"a\.jsonl: was changed while it was being read"):
        tag(source, tmp_path / "out", chunk_rows=10, progress=change)


def test_full_disk_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"No space left on device.*same command goes on"):
        tag(write(tmp_path / "a.jsonl", *posts(2)), tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"sources": "none.csv"}, InputError, r"none\.csv: no such file"),
        ({"sources": ["-", "a.jsonl"]}, UsageError, "standard input"),
        ({"out": "a.jsonl"}, UsageError, r"a\.jsonl: is a file"),
        ({"out": "new.jsonl"}, UsageError, r"new\.jsonl: -o takes a folder"),
        ({"model": "missing"}, ModelError, "no model is called 'missing'"),
        ({"model": "missing", "jobs": 2}, ModelError, "no model is called 'missing'"),
        ({"catalog": "none.toml"}, InputError, r"none\.toml"),
        ({"columns": "text=body"}, InputError, r"a\.jsonl: no column 'body'"),
        ({"encoding": "klingon"}, UsageError, "--encoding: no encoding is called 'klingon'"),
        ({"out": "new.csv"}, UsageError, r"--format csv -o - > new\.csv"),
        ({"dates": "french"}, UsageError, "--dates: expected day-first or month-first"),
        ({"jobs": 0}, UsageError, "--jobs"),
        ({"max_text": 0}, UsageError, "max_text"),
    ],
    ids=str,
)
def test_what_cannot_be_run_leaves_no_folder_behind(
    options: dict[str, Any],
    error: type[MurmureError],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.jsonl", *posts(2))
    given = {"sources": "a.jsonl", "out": "out", **options}
    with pytest.raises(error, match=message):
        tag(given.pop("sources"), given.pop("out"), **given)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl"]


def test_standard_input_becomes_a_folder_but_not_twice(tmp_path: Path) -> None:
    told: list[str] = []
    data = io.BytesIO(b'{"text": "a", "n": 1}\n{"text": 1}\n')
    summary = tag("-", tmp_path / "out", stdin=data, notice=told.append)
    assert (summary.tagged, summary.rejected) == (1, 1)
    assert rows(tmp_path / "out")[0]["n"] == 1
    assert rejects(tmp_path / "out")[0]["source"] == "-"
    assert sorted(contents(tmp_path / "out")) == [
        "manifest.json",
        "part-00000.parquet",
        "rejects.jsonl",
    ]
    assert "must be started anew" in told[0]
    with pytest.raises(RunError, match="one from standard input cannot go on"):
        tag("-", tmp_path / "out", stdin=io.BytesIO(b'{"text": "a"}\n'))


def stream(source: Any, **options: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    out, faults = io.StringIO(), io.StringIO()
    given = {"load_predictor": load_fake, "jobs": 1, **options}
    tag_file(source, "-", stdout=out, rejects=faults, **given)
    return tuple(  # type: ignore[return-value]
        [json.loads(line) for line in file.getvalue().splitlines()] for file in (out, faults)
    )


def test_standard_output_gets_rows_as_they_came_with_their_tags() -> None:
    data = (
        b'{"text": "a\\u2028", "tags": ["x"], "n": NaN, "created_at": 1e9, "language": "de"}\n'
        b'{"text": "b", "tags": 3}\nbroken\n'
    )
    written, faults = stream("-", stdin=io.BytesIO(data), chunk_rows=2)
    assert [row["text"] for row in written] == ["a\u2028", "b"]
    assert [row.get("tags") for row in written] == [["x"], 3]
    assert written[0]["created_at"] == "2001-09-09T01:46:40+00:00"
    assert (written[0]["n"], written[0]["input_language"]) == (None, "de")
    assert "n" not in written[1]
    assert [(one["source"], one["line"]) for one in faults] == [("-", 3)]


def test_files_are_streamed_to_standard_output_too(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,n\na,1\nb,2\n")
    written, _ = stream(tmp_path / "a.csv")
    assert [(row["text"], row["n"]) for row in written] == [("a", "1"), ("b", "2")]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "standard input: is empty"),
        (b"id,text\n1,a\n", "standard input, line 1: holds no JSON lines.*file by its name"),
        (b'{"body": "a"}\n', "standard input, line 1: no key 'text'.*--columns text=body"),
        ('{"text": "é"}\n'.encode("latin-1"), "standard input: not UTF-8.*--encoding"),
    ],
)
def test_stream_without_posts_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        stream("-", stdin=io.BytesIO(data))


def test_progress_counts_up_to_all_rows(tmp_path: Path) -> None:
    seen: list[Progress] = []
    tag(write(tmp_path / "a.jsonl", *posts(10)), tmp_path / "o", chunk_rows=4, progress=seen.append)
    assert [(one.rows, one.total) for one in seen] == [(4, 10), (8, 10), (10, 10)]


def test_very_long_posts_do_not_stop_a_run(tmp_path: Path) -> None:
    summary = tag_bytes(tmp_path, "a.csv", b"id,text\n1," + b"a" * 5_000_000 + b"\n2,b\n", jobs=1)
    assert (summary.tagged, summary.rejected) == (1, 1)
