"""Opening run folders: what is refused, and with which words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from murmure.errors import InputError, MurmureError, RunError, UsageError
from murmure.influence.runs import open_runs
from tests.runs import write_run


def refusal(*folders: Path, partial: bool = False) -> MurmureError:
    with pytest.raises(MurmureError) as caught:
        open_runs(folders, partial=partial)
    return caught.value


def test_posts_are_numbered_through_all_runs(tmp_path: Path) -> None:
    one = write_run(tmp_path / "one", [{}] * 3, part_rows=2)
    two = write_run(tmp_path / "two", [{}] * 2)
    runs = open_runs([one, two])
    assert [(part.first, part.rows) for run in runs for part in run.parts] == [
        (0, 2),
        (2, 1),
        (3, 2),
    ]


def test_runs_of_different_models_are_refused_by_name(tmp_path: Path) -> None:
    one = write_run(tmp_path / "one", [{}], fingerprint="a" * 64)
    two = write_run(tmp_path / "two", [{}], fingerprint="b" * 64, model="base")
    error = refusal(one, two)
    assert isinstance(error, RunError)
    assert f"fast (aaaaaaaaaaaa): {one}" in str(error)
    assert f"base (bbbbbbbbbbbb): {two}" in str(error)


def test_an_unfinished_run_counts_only_where_that_is_asked_for(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [{}], finished=False)
    error = refusal(run)
    assert isinstance(error, RunError)
    assert "not finished" in str(error)
    assert "--partial" in str(error)
    assert len(open_runs([run], partial=True)) == 1


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "posts.csv"
    file.write_text("text\n")
    for place, said in (
        (tmp_path / "nowhere", "no such folder"),
        (tmp_path, "not a run's folder: it has no manifest.json"),
        (file, "not a run's folder"),
    ):
        error = refusal(place)
        assert isinstance(error, InputError)
        assert str(error).startswith(f"{place}: {said}")


def test_no_folder_and_the_same_folder_twice_are_wrong_usage(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [{}])
    assert isinstance(refusal(), UsageError)
    error = refusal(run, tmp_path / "." / "run")
    assert isinstance(error, UsageError)
    assert "given twice" in str(error)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"file": "part-9.parquet"}, "part-9.parquet: is missing"),
        ({"rows": 7, "tagged": 7}, "has 1 rows, but the manifest says 7"),
        ({"file": "rejects.jsonl"}, "rejects.jsonl: cannot be read"),
    ],
)
def test_a_damaged_run_is_refused(tmp_path: Path, values: dict[str, Any], said: str) -> None:
    run = write_run(tmp_path / "run", [{}])
    file = run / "manifest.json"
    manifest = json.loads(file.read_text())
    manifest["parts"][0] |= values
    file.write_text(json.dumps(manifest))
    with pytest.raises(RunError, match=said):
        open_runs([run])


@pytest.mark.parametrize("content", ["{", "[]", "\udcff"])
def test_a_manifest_that_is_no_table_is_named(tmp_path: Path, content: str) -> None:
    run = write_run(tmp_path / "run", [{}])
    (run / "manifest.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(RunError, match=r"manifest\.json"):
        open_runs([run])


def test_a_part_without_a_column_is_refused_by_its_name(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [{}])
    (part,) = run.glob("*.parquet")
    pq.write_table(pq.read_table(part).drop_columns(["sentiment"]), part)
    error = refusal(run)
    assert isinstance(error, InputError)
    assert (error.file, error.column) == (str(part), "sentiment")
