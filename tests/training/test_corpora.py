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
from murmure.training.corpora import (
    corpus_names,
    read_corpora,
    stream_corpus,
)
from murmure.training.labels import MISSING


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


def numbered(count: int) -> list[dict[str, Any]]:
    return [{"key": f"k{n}", "text": f"post {n}", "sponsored": "no"} for n in range(count)]


def test_corpora_may_be_tables_of_text_and_come_in_parts(tmp_path: Path) -> None:
    write(tmp_path / "mine/train-1.parquet", *numbered(2))
    write(tmp_path / "mine/train-2.parquet", *numbered(1))
    write(tmp_path / "mine/validation-1.parquet", *numbered(1))
    (tmp_path / "stars").mkdir()
    (tmp_path / "stars/train.csv").write_text("text;sentiment\nbien;positive\nbof;\n", "utf-8")
    (tmp_path / "stars/labels.csv").write_text("id,sentiment\n1,positive\n", "utf-8")
    corpora = read_corpora([tmp_path])
    assert corpora.corpus.tolist() == ["mine"] * 4 + ["stars"] * 2
    assert corpora.validation.tolist() == [False, False, False, True, False, False]
    assert corpora.labels["sentiment"].tolist() == [MISSING] * 4 + [2, MISSING]
    assert corpus_names([tmp_path]) == ["mine", "stars"]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl"])
def test_a_corpus_is_streamed_in_blocks(tmp_path: Path, suffix: str) -> None:
    file = write(tmp_path / f"mine/train.{suffix}", *numbered(25))
    blocks = list(stream_corpus(file, block=10))
    assert [len(block) for block in blocks] == [10, 10, 5]
    assert [text for block in blocks for text in block.texts] == [f"post {n}" for n in range(25)]
    assert set(blocks[0].corpus.tolist()) == {"mine"}
    assert not blocks[0].validation.any()
    (kept,) = stream_corpus(file, name="yours", split="validation")
    assert kept.validation.all()
    assert set(kept.corpus.tolist()) == {"yours"}


def test_of_a_large_corpus_a_random_sample_is_held_in_its_order(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "large/train.parquet", *numbered(2000))
    write(tmp_path / "large/validation.parquet", *numbered(300))
    write(tmp_path / "small/train.parquet", *numbered(400))
    drawn = read_corpora([tmp_path], most_posts=400, seed=7)
    large = drawn.take((drawn.corpus == "large") & ~drawn.validation)
    assert len(large) == 400
    assert drawn.validation.sum() == 300
    assert (drawn.corpus == "small").sum() == 400
    numbers = [int(text.split()[1]) for text in large.texts]
    assert numbers == sorted(set(numbers))
    # Uniform: the mean of 400 of 0 to 1,999 lies within four standard errors.
    assert abs(np.mean(numbers) - 999.5) < 4 * 577 / 20 * 0.9
    assert read_corpora([tmp_path], most_posts=400, seed=7).texts == drawn.texts
    assert read_corpora([tmp_path], most_posts=400, seed=8).texts != drawn.texts
    assert "large: 400 of 2000 posts drawn at random; corpora.most_posts holds more" in caplog.text


def test_how_a_corpus_is_blocked_changes_nothing_in_its_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "large/train.parquet", *numbered(500))
    whole = read_corpora([tmp_path], most_posts=50)

    def in_small_blocks(source: Path, **options: Any) -> Any:
        return stream_corpus(source, block=7, **options)

    monkeypatch.setattr("murmure.training.corpora.stream_corpus", in_small_blocks)
    assert read_corpora([tmp_path], most_posts=50).texts == whole.texts


def test_without_any_post_reading_ends(tmp_path: Path) -> None:
    write(tmp_path / "books_fr/train.parquet", *numbered(1))
    with pytest.raises(InputError, match="hold no posts"):
        read_corpora([tmp_path])


def test_data_sets_are_corpora_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets", reason="needs the extra train")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    write(tmp_path / "in/mine/train.parquet", *numbered(1))
    write(tmp_path / "talk/data/train.parquet", *numbered(3))
    write(tmp_path / "talk/data/validation.parquet", *numbered(2))
    write(tmp_path / "tests/data/test.parquet", *numbered(2))
    talk = str(tmp_path / "talk")
    corpora = read_corpora([tmp_path / "in"], datasets=[talk])
    assert corpora.corpus.tolist() == ["mine"] + ["talk"] * 5
    assert corpora.validation.tolist() == [False] * 4 + [True] * 2
    assert read_corpora([tmp_path / "in"], datasets=[talk], leave_out=["talk"]).corpus == ["mine"]
    with pytest.raises(InputError, match="has neither a split 'train' nor 'validation'"):
        read_corpora([tmp_path / "in"], datasets=[str(tmp_path / "tests")])
