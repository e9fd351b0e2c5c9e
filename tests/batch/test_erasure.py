"""Authors erased from a run's folder: from parts and rejects, whatever interrupts it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from murmure.batch import forget, verify
from murmure.batch.failpoints import VARIABLE
from murmure.batch.files import locked
from murmure.batch.forgotten import Absent, Forgotten, names_in
from murmure.errors import InputError, RunError
from tests.batch.fakes import POISON
from tests.batch.runs import contents, manifest, rejects, tag
from tests.processes import environment

OPTIONS: dict[str, Any] = {"part_rows": 10, "chunk_rows": 4}
ANA, BEN = "@ané", "ben"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Two files, 36 rows, of which Ana wrote 6 that are tagged and 4 that are rejected."""
    lines = [
        {"id": f"p{n}", "text": f"post {n}", "author": ANA if n in {1, 2, 15} else f"a{n}"}
        for n in range(20)
    ]
    lines[4] = {"id": "x", "text": "@ané a dit =1", "author": BEN}
    written = [json.dumps(line) for line in lines]
    written[7] = '{"author": "@an\\u00e9", "text": "cut sho'
    written[8] = json.dumps({"text": None, "author": ANA})
    written[9] = json.dumps({"text": None, "author": BEN})
    written[11] = json.dumps({"text": POISON, "author": ANA})
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jsonl").write_text("\n".join(written) + "\n", encoding="utf-8")
    rows = [f'{n},"post, {n}\nb",{ANA if n in {3, 4, 15} else BEN}' for n in range(16)]
    rows[9] = f"9,too,many,{ANA}"
    text = "\n".join(["id,text,author", *rows]) + "\n"
    (tmp_path / "in/b.csv").write_text(text, encoding="utf-8")
    return tmp_path / "in"


def names(out: Path) -> bytes:
    return b"".join(contents(out).values())


@pytest.mark.parametrize("part_format", ["parquet", "jsonl", "csv"])
def test_author_is_gone_from_parts_and_rejects_and_the_folder_is_whole(
    part_format: str, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    tag(source, out, format=part_format, **OPTIONS)
    before = contents(out)
    erasure = forget(out, ANA)
    assert (erasure.posts, erasure.rejects) == (6, 4)
    told = manifest(out)
    counted = (told["rows"], told["tagged"], told["rejected"], told["forgotten"])
    assert counted == (36, 25, 1, 10)
    assert [one["forgotten"] for one in told["inputs"]] == [6, 4]
    assert told["rejected_for"] == {"text is null": 1}
    assert verify(out, source).faults == ()
    assert verify(out).is_whole
    assert [one["author"] for one in rejects(out)] == [BEN]
    # What others wrote stays, with the name in it.
    assert sorted(contents(out)) == sorted(before)
    untouched = set(before) - {*erasure.parts, "manifest.json", "rejects.jsonl"}
    assert all(contents(out)[name] == before[name] for name in untouched)
    if part_format != "parquet":
        assert names(out).count(ANA.encode()) == 1
    assert "ané" not in json.dumps(told, ensure_ascii=False)


def test_record_tells_how_much_and_when_but_not_who(source: Path, tmp_path: Path) -> None:
    tag(source, tmp_path / "out", **OPTIONS)
    forget(tmp_path / "out", ANA)
    forget(tmp_path / "out", BEN)
    first, second = manifest(tmp_path / "out")["erasures"]
    assert (first["posts"], first["rejects"], first["parts"]) == (6, 4, 4)
    assert len(first["date"]) == 10
    assert first["salt"] != second["salt"]
    assert Forgotten(**first).is_of(ANA)
    assert not Forgotten(**first).is_of(BEN)
    assert forget(tmp_path / "out", ANA).earlier == first["date"]


def test_run_that_goes_on_or_is_started_anew_leaves_the_author_out(
    source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"

    class StopError(Exception):
        """Stands for the end of the process."""

    def stop(progress: Any) -> None:
        if progress.rows >= 12:
            raise StopError

    with pytest.raises(StopError):
        tag(source, out, progress=stop, **OPTIONS)
    assert forget(out, ANA).posts == 2
    assert not verify(out).complete
    assert verify(out).faults == ()
    summary = tag(source, out, **OPTIONS)
    assert (summary.resumed, summary.rows, summary.forgotten) == (10, 36, 10)
    assert verify(out).is_whole
    whole = contents(out)
    again = tag(source, out, overwrite=True, **OPTIONS)
    assert (again.tagged, again.rejected, again.forgotten) == (25, 1, 10)
    parts = [name for name in whole if name != "manifest.json"]
    for name in parts:
        assert ANA not in json.dumps(rejects(out), ensure_ascii=False)
        assert (name == "rejects.jsonl") <= (contents(out)[name] == whole[name])


@pytest.mark.parametrize(
    ("place", "is_done"), [("forget-before-manifest", False), ("forget-after-manifest", True)]
)
@pytest.mark.parametrize("then", ["verify", "forget", "tag"])
def test_erasure_killed_in_the_middle_is_done_or_undone(
    place: str, is_done: bool, then: str, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    tag(source, out, **OPTIONS)
    before = contents(out)
    killed = subprocess.run(
        [sys.executable, "-c", f"from murmure.batch import forget; forget({str(out)!r}, {ANA!r})"],
        env={**environment(), VARIABLE: place},
        check=False,
    )
    assert killed.returncode == -9
    if then == "verify":
        assert verify(out).is_whole
        assert (contents(out) == before) is not is_done
    elif then == "tag":
        assert tag(source, out, **OPTIONS).already_done
    erasure = forget(out, ANA)
    assert (erasure.earlier is not None) is is_done
    assert (erasure.posts == 6) is not is_done
    found = verify(out)
    assert (found.is_whole, found.tagged, found.forgotten) == (True, 25, 10)
    assert not [name for name in contents(out) if name.startswith(".")]


def test_name_is_matched_exactly_and_its_like_suggested(source: Path, tmp_path: Path) -> None:
    tag(source, tmp_path / "out", **OPTIONS)
    before = contents(tmp_path / "out")
    with pytest.raises(InputError, match=r"no row is of 'Ané'.*there is '@ané'"):
        forget(tmp_path / "out", "Ané")
    with pytest.raises(InputError, match="an empty name"):
        forget(tmp_path / "out", " ")
    assert contents(tmp_path / "out") == before


def test_folder_in_use_or_damaged_is_refused(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    tag(source, out, **OPTIONS)
    with locked(out), pytest.raises(RunError, match="another murmure run is writing here"):
        forget(out, ANA)
    (out / "part-00001.parquet").unlink()
    with pytest.raises(RunError, match=r"part-00001\.parquet: missing or changed"):
        forget(out, ANA)
    with pytest.raises(InputError, match="not a run's folder"):
        forget(source, ANA)


def test_author_of_a_row_of_parquet_that_is_not_utf8_is_known(tmp_path: Path) -> None:
    texts = pa.array([b"caf\xe9", b"ok", b"\xff"], pa.binary()).view(pa.string())
    table = pa.table({"text": texts, "user": [7, 7, 8]})
    pq.write_table(table, tmp_path / "a.parquet")
    tag(tmp_path / "a.parquet", tmp_path / "out", columns="author=user")
    assert [one["author"] for one in rejects(tmp_path / "out")] == ["7", "8"]
    erasure = forget(tmp_path / "out", "7")
    assert (erasure.posts, erasure.rejects) == (1, 1)


def test_name_in_a_broken_row_is_found_whole_only() -> None:
    absent = Absent([Forgotten.of("ana", date="", posts=0, rejects=0, parts=0)])
    assert absent.wrote(None, '{"author": "ana", "text": "cut')
    assert absent.wrote(None, '7,"text",ana')
    assert not absent.wrote(None, '7,"merci anabel",ben')
    assert not absent.wrote("ben", '7,"x",ana')
    assert not Absent([]).wrote("ana", "ana")
    assert "a, b" in set(names_in('"a, b",c'))


def test_of_long_rows_whose_author_cannot_be_read_no_word_is_kept(tmp_path: Path) -> None:
    long = "parole " * 100
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.jsonl").write_text(
        f'{{"text": "ok"}}\n{{"text": "{long}", "author": "ana\n'
        f'{{"title": "{long}", "author": "ben"}}\n'
    )
    (tmp_path / "in/b.csv").write_text(f"text,author\n{long},too,many,ana\nshort,too,ana\n")
    out = tmp_path / "out"
    tag(tmp_path / "in", out)
    assert [(one["author"], one["raw"] is None) for one in rejects(out)] == [
        (None, True),
        ("ben", False),
        (None, True),
        (None, False),
    ]
    assert (forget(out, "ana").rejects, forget(out, "ben").rejects) == (1, 1)
    assert b"parole" not in names(out)


def test_what_is_kept_beside_the_parts_loses_the_posts_too(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "id=5/out"
    tag(source, out, **OPTIONS)
    (out / "mentions").mkdir()
    (out / "mentions/brands.parquet").write_bytes(b"made anew by the next count")
    (out / "audit").mkdir()
    pq.write_table(
        pa.table({"id": ["p1", "p3"], "key": ["u-1", "u-2"]}), out / "audit/draw.parquet"
    )
    pq.write_table(pa.table({"key": ["u-2"]}), out / "audit/labels.parquet")
    labels = (out / "audit/labels.parquet").read_bytes()
    (out / "audit/older.parquet").write_bytes(b"PAR1 cut short")
    with pytest.raises(RunError, match=r"older\.parquet: cannot be read .*; mend or remove it"):
        forget(out, ANA)
    assert manifest(out)["forgotten"] == 0
    (out / "audit/older.parquet").unlink()
    forget(out, ANA)
    assert not (out / "mentions").exists()
    drawn = pq.ParquetFile(out / "audit/draw.parquet").read()
    assert drawn.to_pydict() == {"id": ["p3"], "key": ["u-2"]}
    assert (out / "audit/labels.parquet").read_bytes() == labels
    assert verify(out).is_whole
