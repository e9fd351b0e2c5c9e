"""Labelled corpora: read into one table, and dealt into folds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from murmure.errors import InputError
from murmure.schema import LABELS, TAGS
from murmure.training.corpora import MISSING, read_corpora


def write(file: Path, *rows: dict[str, Any]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".jsonl":
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    else:
        pq.write_table(pa.Table.from_pylist(list(rows)), file)
    return file


def test_corpora_of_all_kinds_become_one_table(tmp_path: Path) -> None:
    write(
        tmp_path / "in/stars/train.parquet",
        {"key": "a", "text": "é" * 2000, "sentiment": "positive", "weak": ["sentiment"]},
        {"key": "b", "text": "b", "sentiment": None, "weak": None},
    )
    write(tmp_path / "in/stars/validation.parquet", {"key": "c", "text": "c", "draw": "source"})
    write(tmp_path / "in/other/train.parquet", {"key": "d", "text": "d"})
    write(tmp_path / "own/posts.jsonl", {"id": "e", "text": "e", "origin": "us", "language": "fr"})
    corpora = read_corpora([tmp_path / "in", tmp_path / "own"], leave_out=["other"])
    assert len(corpora) == 4
    assert [len(text) for text in corpora.texts] == [1500, 1, 1, 1]
    assert corpora.corpus.tolist() == ["stars", "stars", "stars", "own"]
    assert corpora.origin.tolist() == ["stars", "stars", "stars", "us"]
    assert corpora.key.tolist() == ["a", "b", "c", "e"]
    assert corpora.draw.tolist() == ["", "", "source", ""]
    assert corpora.validation.tolist() == [False, False, True, False]
    assert corpora.labels["sentiment"].tolist() == [2, MISSING, MISSING, MISSING]
    assert corpora.labels["language"].tolist() == [MISSING, MISSING, MISSING, 0]
    assert corpora.weak["sentiment"].tolist() == [True, False, False, False]
    assert set(corpora.labels) == set(corpora.weak) == set(TAGS)
    some = corpora.take(np.array([3, 0]))
    assert (some.texts[0], some.key.tolist()) == ("e", ["e", "a"])


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_an_unknown_label_names_file_row_and_column(tmp_path: Path, suffix: str) -> None:
    name = "posts.jsonl" if suffix == "jsonl" else "mine/train.parquet"
    file = write(
        tmp_path / name, {"text": "a", "touchpoint": "none"}, {"text": "b", "touchpoint": "Shop"}
    )
    with pytest.raises(
        InputError, match="unknown label 'Shop'; expected one of product"
    ) as refused:
        read_corpora([tmp_path])
    assert (refused.value.file, refused.value.line) == (str(file), 2)
    assert refused.value.column == "touchpoint"


def test_a_label_that_is_no_text_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "posts.jsonl", {"text": "a", "sponsored": True})
    with pytest.raises(InputError, match="column 'sponsored': unknown label True"):
        read_corpora([tmp_path])


def test_a_folder_without_corpora_is_named_with_what_to_do(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match=r"holds no corpus.*--set corpora\.folders"):
            read_corpora([folder])


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for name, content in {
        "a/train.parquet": b"PAR1 not really",
        "b.jsonl": b'{"text": "a"}\n{"text": \n',
        "c.jsonl": b'{"body": "a"}\n',
        "d.jsonl": b"",
    }.items():
        folder = tmp_path / name[0] / "in"
        file = folder / name
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
        with pytest.raises(InputError) as refused:
            read_corpora([folder])
        assert refused.value.file == str(file)


@pytest.mark.parametrize("text", [None, 3])
def test_a_post_without_a_text_is_refused_by_its_row(tmp_path: Path, text: object) -> None:
    rows: list[dict[str, object]] = (
        [{"text": "a"}, {"text": text}] if text is None else [{"text": text}]
    )
    write(tmp_path / "posts.jsonl", *rows)
    with pytest.raises(InputError, match=f"line {len(rows)}, column 'text': expected a text"):
        read_corpora([tmp_path])


def test_copies_of_a_post_are_in_one_fold_whichever_corpus_they_are_of(tmp_path: Path) -> None:
    target = [{"key": f"k{number // 2}", "text": "a"} for number in range(40)]
    write(tmp_path / "target/train.parquet", *target)
    others = [{"key": f"k{number}", "text": "a"} for number in range(15, 25)]
    write(tmp_path / "more/train.parquet", *others)
    corpora = read_corpora([tmp_path])
    fold = corpora.folds(target="target", count=4, seed=1)
    by_key: dict[str, set[int]] = {}
    for key, of_post in zip(corpora.key.tolist(), fold.tolist(), strict=True):
        by_key.setdefault(key, set()).add(of_post)
    assert all(len(found) == 1 for found in by_key.values())
    assert {key for key, found in by_key.items() if found == {-1}} == {
        f"k{number}" for number in range(20, 25)
    }
    sizes = np.bincount([found.pop() for found in by_key.values() if found != {-1}])
    assert sizes.tolist() == [5, 5, 5, 5]
    assert (corpora.folds(target="target", count=4, seed=1) == fold).all()
    assert not (corpora.folds(target="target", count=4, seed=2) == fold).all()


def test_without_a_target_no_post_is_in_a_fold(tmp_path: Path) -> None:
    write(tmp_path / "more/train.parquet", {"key": "a", "text": "a"})
    assert read_corpora([tmp_path]).folds(target="target", count=2, seed=0).tolist() == [-1]


def test_every_label_has_its_code(tmp_path: Path) -> None:
    for tag in TAGS:
        write(tmp_path / tag / "train.parquet", *[{"text": "a", tag: one} for one in LABELS[tag]])
        corpora = read_corpora([tmp_path], leave_out=[other for other in TAGS if other != tag])
        assert corpora.labels[tag].tolist() == list(range(len(LABELS[tag])))
