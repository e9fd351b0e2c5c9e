"""Measuring a model on labelled posts, as `murmure evaluate` does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from murmure.assets import models_folder
from murmure.errors import InputError, ModelError
from murmure.training.evaluation import evaluate

POSTS: list[dict[str, Any]] = [
    {"id": "1", "text": "Commande jamais reçue, service client injoignable, à fuir 😡"},
    {"id": "2", "text": "I love my new machine, works perfectly, best purchase ever!"},
    {"id": "3", "text": "Je déteste, horrible, en panne au bout de deux jours, très déçue"},
    {"id": "4", "text": None},
]
LABELS = "id,language,sentiment\n1,fr,negative\n2,en,positive\n3,,negative\n9,fr,positive\n"


def write(folder: Path, posts: list[dict[str, Any]]) -> Path:
    file = folder / "posts.jsonl"
    file.write_text("".join(f"{json.dumps(post)}\n" for post in posts), "utf-8")
    return file


def labelled(**labels: str | None) -> list[dict[str, Any]]:
    return [{**post, **labels} for post in POSTS[:3]]


def test_labels_apart_are_joined_by_id_and_posts_without_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text(LABELS, "utf-8")
    result = evaluate([write(tmp_path, POSTS)], labels=tmp_path / "labels.csv")
    assert result["model"]
    assert result["rows"] == {"in": 4, "tagged": 3, "rejected": 1}
    assert list(result["tags"]) == ["language", "sentiment"]
    assert [scores["posts"] for scores in result["tags"].values()] == [2, 3]
    assert result["tags"]["sentiment"]["macro_f1"] == 1
    assert {name: found["sentiment"]["posts"] for name, found in result["languages"].items()} == {
        "fr": 2,  # one by its label, one by the tag
        "en": 1,
    }


@pytest.mark.parametrize("name", ["labels.csv", "labels.parquet", "labels.jsonl"])
def test_what_the_folder_of_labels_is_called_is_no_column(tmp_path: Path, name: str) -> None:
    rows = [{"id": "1", "sentiment": "negative"}, {"id": "2", "sentiment": "positive"}]
    file = tmp_path / "id=9" / name
    file.parent.mkdir()
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), file)
    elif name.endswith(".csv"):
        file.write_text("id,sentiment\n1,negative\n2,positive\n", "utf-8")
    else:
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    result = evaluate([write(tmp_path, POSTS)], labels=file)
    assert result["tags"]["sentiment"]["posts"] == 2


def test_labels_may_stand_in_the_posts_own_columns(tmp_path: Path) -> None:
    posts = labelled(sentiment="negative", sponsored="no")
    result = evaluate([write(tmp_path, posts)])
    assert list(result["tags"]) == ["sentiment", "sponsored"]
    assert result["tags"]["sentiment"]["confusion"][0] == [2, 0, 1]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("labels.csv", "id,sentiment\n1,good\n", "column 'sentiment': unknown label 'good'.*'1'"),
        ("labels.csv", "post,sentiment\n1,negative\n", "no column 'id'"),
        ("labels.csv", "id,mood\n1,negative\n", "no labels: expected a column for at least one"),
        ("labels.csv", "id,sentiment\n9,negative\n", "no labels"),
        ("labels.csv", "", "labels.csv"),
        ("labels.parquet", "nothing", "cannot be read as labels"),
        ("labels.jsonl", '{"id": "1", "sentiment": ', "cannot be read as labels"),
        ("nowhere.csv", None, "no such file"),
    ],
)
def test_labels_that_make_no_sense_are_refused_by_file_and_column(
    tmp_path: Path, name: str, content: str | None, told: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_text(content, "utf-8")
    with pytest.raises(InputError, match=told) as refused:
        evaluate([write(tmp_path, POSTS)], labels=file)
    assert str(refused.value).startswith(str(file))


def test_ids_are_compared_as_they_are_written(tmp_path: Path) -> None:
    ids = ["007", "7", "12345678901234567890123"]
    posts = [{**post, "id": name} for post, name in zip(POSTS, ids, strict=False)]
    labels = tmp_path / "labels.csv"
    labels.write_text(f"id,sentiment\n007,negative\n{ids[2]},negative\n", "utf-8")
    result = evaluate([write(tmp_path, posts)], labels=labels)
    assert result["tags"]["sentiment"]["confusion"][0] == [2, 0, 0]


def test_labels_yes_and_no_are_no_truth_values(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("id,sponsored\n1,no\n2,no\n", "utf-8")
    result = evaluate([write(tmp_path, POSTS)], labels=labels)
    assert result["tags"]["sponsored"]["posts"] == 2


def test_posts_without_any_label_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no labels: .* are given with --labels"):
        evaluate([write(tmp_path, POSTS)])
    with pytest.raises(InputError, match="unknown label 'furious' of post '1'"):
        evaluate([write(tmp_path, labelled(sentiment="furious"))])


def many(count: int = 120) -> list[dict[str, Any]]:
    """Posts of two origins, those of one labelled the wrong way round."""
    texts = ("Je déteste, horrible, en panne, très déçue 😡", "I love it, works perfectly, great!")
    return [
        {
            "id": str(number // 2),  # each id twice, with different texts
            "text": texts[number % 2],
            "origin": ("shop", "forum")[number >= count // 2],
            "sentiment": ("negative", "positive")[(number % 2) ^ (number >= count // 2)],
        }
        for number in range(count)
    ]


def test_the_worst_origin_is_named(tmp_path: Path) -> None:
    result = evaluate([write(tmp_path, many())])
    assert set(result["origins"]) == {"shop", "forum"}
    assert result["worst"]["sentiment"]["slice"] == "forum"
    assert result["worst"]["sentiment"]["by"] == "origin"
    assert result["origins"]["shop"]["sentiment"]["macro_f1"] == 1
    assert sum(one["posts"] for one in result["reliability"]["sentiment"]) == 120
    assert result["beside"] == {}


def test_another_model_is_measured_on_the_same_posts_in_the_same_order(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    rows = [f"{number},{('negative', 'positive', 'neutral')[number % 3]}" for number in range(60)]
    labels.write_text("\n".join(["id,sentiment", *rows]) + "\n", "utf-8")
    posts = write(tmp_path, many())
    result = evaluate([posts], model="fast", beside=[models_folder() / "fast"], labels=labels)
    (found,) = result["beside"].values()
    assert found["tags"] == result["tags"]
    assert found["compared"]["sentiment"]["posts"] == 120
    # Were a single pair out of order, some draw would differ.
    assert found["compared"]["sentiment"]["interval"] == [0, 0]
    with pytest.raises(ModelError, match="no model 'swift'"):
        evaluate([posts], beside=["swift"], labels=labels)
