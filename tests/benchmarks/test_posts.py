"""Posts to measure with: distinct, of real lengths, always the same."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks.posts import make_posts, read_corpora, read_jsonl
from hypothesis import given
from hypothesis import strategies as st

SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "posts.jsonl"


def test_spliced_posts_are_distinct_and_as_long_as_real_ones() -> None:
    texts = read_jsonl(SAMPLE)
    posts = make_posts(texts, 3000)
    assert len(set(posts)) == len(posts) == 3000
    real, made = median(map(len, texts)), median(map(len, posts[len(texts) :]))
    assert 0.8 * real < made < 1.2 * real
    assert max(map(len, posts)) <= 1.2 * max(map(len, texts))


def test_spliced_posts_hold_whole_words_of_the_texts() -> None:
    texts = ["un bon café ce matin", "three cups a day, every day", "jamais reçu ma commande"]
    known = {word for text in texts for word in text.split()}
    assert {word for post in make_posts(texts, 40) for word in post.split()} <= known


def test_the_same_texts_give_the_same_posts_and_fewer_are_their_beginning() -> None:
    texts = read_jsonl(SAMPLE)
    assert make_posts(texts, 900)[:700] == make_posts(texts, 700)


@given(st.lists(st.text(min_size=1, max_size=40), min_size=1, max_size=5), st.integers(1, 12))
def test_any_texts_give_as_many_distinct_posts_as_asked_for_or_say_no(
    texts: list[str], count: int
) -> None:
    try:
        posts = make_posts(texts, count)
    except ValueError as error:
        assert "distinct posts" in str(error)
    else:
        assert len(set(posts)) == len(posts) == count


def test_corpora_give_each_text_once_and_no_blank_one(tmp_path: Path) -> None:
    for name, texts in {"a": ["un", "deux", " ", None], "b": ["deux", "trois"]}.items():
        (tmp_path / name).mkdir()
        pq.write_table(pa.table({"text": texts}), tmp_path / name / "train.parquet")
    assert sorted(read_corpora(tmp_path)) == ["deux", "trois", "un"]


def test_a_folder_without_corpora_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=tmp_path.name):
        read_corpora(tmp_path)
