"""Files and data sets of labelled posts: the same rows from every kind of file, lines told."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murmure.errors import InputError, UsageError
from murmure.schema import LABELS
from murmure.training.files import dataset_splits, read_dataset, read_rows

ROWS: list[dict[str, Any]] = [
    {"id": "1", "text": "Colis Brizelo perdu,\nmerci", "sentiment": "negative", "likes": 3},
    {"id": "2", "text": 'Torvella « parfaite » "oui"', "sentiment": None, "likes": 0},
    {"id": "3", "text": "é\t☕", "sentiment": "positive", "likes": 1},
]
KINDS = ["csv", "tsv", "jsonl", "jsonl.gz", "parquet"]


def write(file: Path, rows: list[dict[str, Any]]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    kind = file.name.partition(".")[2]
    if kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    elif kind.startswith("jsonl"):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
        file.write_bytes(gzip.compress(lines) if kind.endswith("gz") else lines)
    else:
        with file.open("w", encoding="utf-8", newline="") as stream:
            delimiter = "\t" if kind == "tsv" else ","
            writer = csv.DictWriter(stream, list(rows[0]), delimiter=delimiter)
            writer.writeheader()
            writer.writerows(rows)
    return file


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_gives_the_same_rows(kind: str, tmp_path: Path) -> None:
    file = write(tmp_path / f"mine.{kind}", ROWS)
    (rows,) = read_rows(file)
    assert rows.columns == {
        name: [row[name] for row in ROWS] for name in ("id", "text", "sentiment")
    }
    assert set(rows.found) == {"id", "text", "sentiment", "likes"}
    assert rows.name == str(file)


@pytest.mark.parametrize(("kind", "lines"), [("csv", [2, 4, 5]), ("jsonl", [1, 2, 3])])
def test_lines_are_those_that_rows_begin_on(kind: str, lines: list[int], tmp_path: Path) -> None:
    (rows,) = read_rows(write(tmp_path / f"mine.{kind}", ROWS))
    assert list(rows.lines) == lines


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_add_up_to_the_file(kind: str, tmp_path: Path) -> None:
    file = write(tmp_path / f"mine.{kind}", [{"text": f"post {n}", "id": n} for n in range(25)])
    blocks = list(read_rows(file, block=10))
    assert [len(block) for block in blocks] == [10, 10, 5]
    texts = [text for block in blocks for text in block.columns["text"]]
    assert texts == [f"post {number}" for number in range(25)]
    lines = [line for block in blocks for line in block.lines]
    assert lines == list(range(lines[0], lines[0] + 25))


_TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


@settings(max_examples=25)
@given(
    st.lists(
        st.fixed_dictionaries(
            {"text": _TEXTS, "sentiment": st.sampled_from([None, *LABELS["sentiment"]])}
        ),
        min_size=1,
        max_size=8,
    )
)
def test_whatever_posts_hold_comes_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("posts")
    for kind in KINDS:
        blocks = list(read_rows(write(folder / f"mine.{kind}", rows)))
        for name in ("text", "sentiment"):
            read = [value for block in blocks for value in block.columns[name]]
            assert read == [row[name] for row in rows]


def test_other_encodings_are_read_if_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_bytes("text,sponsored\ncafé,no\n".encode("cp1252"))
    (rows,) = read_rows(file, encoding="cp1252")
    assert rows.columns["text"] == ["café"]
    with pytest.raises(InputError, match=r"line 2: not UTF-8.*--encoding"):
        list(read_rows(file))
    with pytest.raises(UsageError, match="no encoding is called 'klingon'"):
        list(read_rows(file, encoding="klingon"))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.csv", b"", "is empty"),
        ("a.parquet", b"PAR1 not really", "cannot be read"),
        ("a.parquet", b"", "is empty"),
        ("a.docx", b"text", "not a kind of file that training reads; it reads .parquet"),
        ("a.csv", b"body,mood\nx,y\n", "no column 'text'; found 'body', 'mood'; rename the one"),
        ("a.csv", b"Text,mood\nx,y\n", "found 'Text', 'mood'; rename 'Text' to 'text'"),
        ("a.jsonl", b'{"body": "x"}\n', "no column 'text'; found 'body'"),
        ("a.jsonl", b'{"text": "x"}\n{"text": \n', "line 2: not JSON"),
        ("a.jsonl", b'{"text": "x"}\n{"text": 4}\n', "line 2, column 'text': expected a text"),
        ("a.jsonl", b'{"text": NaN}\n', "line 1, column 'text': expected a text"),
        ("a.csv", b"text,id\nx,1\ny\n", "line 3: wrong number of fields: 1, the header has 2"),
    ],
)
def test_what_cannot_be_read_is_named(name: str, content: bytes, told: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(InputError) as refused:
        list(read_rows(file))
    assert told in str(refused.value)
    assert refused.value.file == str(file)


def test_missing_files_and_folders_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.csv: no such file"):
        list(read_rows(tmp_path / "nowhere.csv"))
    with pytest.raises(InputError, match="is a folder, not a file"):
        list(read_rows(tmp_path))


def test_a_column_of_several_types_keeps_its_values(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"text": "a", "sponsored": "yes"},
        {"text": "b", "sponsored": True},
        {"text": "c"},
    ]
    (read,) = read_rows(write(tmp_path / "mine.jsonl", rows))
    assert read.columns["sponsored"] == ["yes", True, None]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Data sets keep what they read in a folder that goes with the test."""
    datasets = pytest.importorskip("datasets", reason="needs the extra train")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    return tmp_path / "mine"


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "csv"])
def test_a_folder_laid_out_as_a_data_set_is_streamed(cache: Path, kind: str) -> None:
    write(cache / f"data/train.{kind}", [{"text": f"post {n}", "likes": n} for n in range(12)])
    write(cache / f"data/validation.{kind}", [{"text": "kept", "likes": 1}])
    assert sorted(dataset_splits(str(cache))) == ["train", "validation"]
    blocks = list(read_dataset(str(cache), split="train", block=5))
    assert [list(block.lines) for block in blocks] == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12]]
    assert [text for block in blocks for text in block.columns["text"]] == [
        f"post {number}" for number in range(12)
    ]
    assert blocks[0].name == f"{cache} (train)"


def test_numbered_labels_of_a_data_set_get_their_names(cache: Path) -> None:
    import datasets

    features = datasets.Features(
        {"text": datasets.Value("string"), "sponsored": datasets.ClassLabel(names=["no", "yes"])}
    )
    rows = {"text": ["a", "b", "c"], "sponsored": [1, 0, -1]}
    cache.mkdir()
    made = datasets.Dataset.from_dict(rows, features=features)
    made.to_parquet(cache / "train.parquet")
    (read,) = read_dataset(str(cache), split="train")
    assert read.columns["sponsored"] == ["yes", "no", None]


def test_a_data_set_that_cannot_be_loaded_is_named(cache: Path) -> None:
    for name in (str(cache / "nowhere"), "nobody/nothing"):
        with pytest.raises(InputError, match=f"{name}: cannot be loaded as a data set"):
            list(read_dataset(name, split="train"))
    write(cache / "train.jsonl", [{"body": "x"}])
    with pytest.raises(InputError, match="no column 'text'; found 'body'"):
        list(read_dataset(str(cache), split="train"))
