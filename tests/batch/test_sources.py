"""Which files are read, and what they are called."""

from __future__ import annotations

from pathlib import Path

import pytest

from murmure.batch.sources import expand
from murmure.errors import InputError


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def labels(*given: Path | str, leave_out: Path | None = None) -> list[str]:
    return [source.label for source in expand(given, leave_out=leave_out)]


def test_folder_is_searched_through_in_sorted_order_without_hidden_and_foreign_files(
    tmp_path: Path,
) -> None:
    touch(tmp_path / "b.csv", tmp_path / "a/z.jsonl.gz", tmp_path / "_SUCCESS.csv")
    touch(tmp_path / ".c.csv", tmp_path / "notes.txt", tmp_path / ".git/d.csv")
    assert labels(tmp_path) == ["a/z.jsonl.gz", "b.csv"]


def test_glob_is_labelled_from_its_first_wildcard_on(tmp_path: Path) -> None:
    touch(tmp_path / "in/x/1.csv", tmp_path / "in/y/1.csv", tmp_path / "in/y/2.txt")
    assert labels(str(tmp_path / "in/*/*")) == ["x/1.csv", "y/1.csv"]


def test_file_named_twice_is_read_once(tmp_path: Path) -> None:
    touch(tmp_path / "a.csv", tmp_path / "b.csv")
    assert labels(tmp_path / "b.csv", tmp_path) == ["b.csv", "a.csv"]


def test_files_of_one_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    touch(tmp_path / "x/a.csv", tmp_path / "y/a.csv")
    given = [tmp_path / "x/a.csv", tmp_path / "y/a.csv"]
    assert labels(*given) == [path.as_posix() for path in given]


def test_of_a_tagged_run_only_the_parts_are_read(tmp_path: Path) -> None:
    touch(tmp_path / "part-00000.parquet", tmp_path / "manifest.json", tmp_path / "rejects.jsonl")
    assert labels(tmp_path) == ["part-00000.parquet"]


def test_the_run_never_reads_its_own_output(tmp_path: Path) -> None:
    touch(tmp_path / "a.csv", tmp_path / "out/part-00000.parquet")
    assert labels(tmp_path, leave_out=tmp_path / "out") == ["a.csv"]


@pytest.mark.parametrize("given", ["none.csv", "none/*.csv", "."])
def test_what_stands_for_no_file_is_an_error_that_names_it(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^" + given.replace("*", r"\*").replace(".", r"\.")):
        expand([given])


def test_unknown_kind_of_file_is_an_error_that_lists_the_known(tmp_path: Path) -> None:
    touch(tmp_path / "posts.xlsx")
    with pytest.raises(InputError, match=r"posts\.xlsx.*\.jsonl"):
        expand([tmp_path / "posts.xlsx"])
