"""A user's own corpus: refused by row, warned about, and split by copies."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murmure.errors import ConfigurationError, InputError
from murmure.schema import LABELS
from murmure.training.corpora import Corpora, to_corpora
from murmure.training.files import Rows
from murmure.training.keys import key_of
from murmure.training.labels import MISSING
from murmure.training.own import describe, examine, own_corpus, read_own, split_by_key

MOODS = LABELS["sentiment"]


def write(file: Path, *rows: dict[str, Any]) -> Path:
    if file.suffix == ".jsonl":
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    elif file.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(list(rows)), file)
    else:
        lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
        file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


def posts(count: int) -> list[dict[str, Any]]:
    return [
        {"text": f"Brizelo numero {number}", "sentiment": MOODS[number % 3]}
        for number in range(count)
    ]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_file_becomes_a_corpus_of_its_name(kind: str, tmp_path: Path) -> None:
    corpus = own_corpus([write(tmp_path / f"mine.{kind}", *posts(90))], seed=1)
    assert len(corpus) == 90
    assert set(corpus.corpus.tolist()) == set(corpus.origin.tolist()) == {"mine"}
    assert corpus.key[0] == key_of("Brizelo numero 0")
    assert corpus.labels["sentiment"].tolist() == [0, 1, 2] * 30
    assert set(corpus.labels["language"].tolist()) == {MISSING}
    kept = corpus.labels["sentiment"][corpus.validation]
    assert np.bincount(kept).tolist() == [4, 4, 4]


def test_the_same_seed_draws_the_same_split_whatever_the_kind_of_file(tmp_path: Path) -> None:
    files = [write(tmp_path / f"mine.{kind}", *posts(60)) for kind in ("csv", "jsonl", "parquet")]
    drawn = [own_corpus([file], seed=3).validation.tolist() for file in files]
    assert drawn[0] == drawn[1] == drawn[2]
    assert own_corpus([files[0]], seed=4).validation.tolist() != drawn[0]


def test_several_files_make_one_corpus(tmp_path: Path) -> None:
    rows = posts(40)
    one, two = write(tmp_path / "a.csv", *rows[:20]), write(tmp_path / "b.jsonl", *rows[20:])
    corpus = own_corpus([one, two])
    assert corpus.texts == [row["text"] for row in rows]
    assert corpus.corpus.tolist() == ["a"] * 20 + ["b"] * 20


def test_a_share_of_0_leaves_all_for_training(tmp_path: Path) -> None:
    rows = [*posts(6), {"text": "la seule", "sentiment": "neutral"}]
    assert not own_corpus([write(tmp_path / "a.csv", *rows)], validation_share=0).validation.any()


@pytest.mark.parametrize("share", [1, -0.1, float("nan")])
def test_a_share_that_is_none_is_refused(share: float, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"corpora\.validation_share: expected a number"):
        own_corpus([write(tmp_path / "a.csv", *posts(6))], validation_share=share)


def test_the_split_and_the_keys_of_a_file_are_kept(tmp_path: Path) -> None:
    rows = [
        row | {"key": f"k{number}", "split": "train" if number < 20 else "validation"}
        for number, row in enumerate(posts(30))
    ]
    corpus = own_corpus([write(tmp_path / "a.csv", *rows)])
    assert corpus.validation.tolist() == [False] * 20 + [True] * 10
    assert corpus.key[29] == "k29"


@pytest.mark.parametrize(
    ("rows", "line", "column", "told"),
    [
        (
            [{"text": "a", "sentiment": "positif"}],
            1,
            "sentiment",
            "unknown label 'positif'; expected one of negative, neutral, positive; "
            "did you mean 'positive'?",
        ),
        (
            [{"text": "a", "sponsored": "no"}, {"text": "b", "sponsored": "Oui"}],
            2,
            "sponsored",
            "unknown label 'Oui'; expected one of yes, no; did you mean 'yes'?",
        ),
        ([{"text": "a", "sponsored": True}], 1, "sponsored", "did you mean 'yes'?"),
        (
            [{"text": "a", "language": "nan"}],
            1,
            "language",
            "unknown label 'nan'; expected one of fr, en, mixed, other; "
            "leave the cell empty where there is no label",
        ),
        ([{"text": None, "sponsored": "no"}], 1, "text", "expected a text, but found nothing"),
        ([{"text": " \n", "sponsored": "no"}], 1, "text", r"expected a text, but found ' \n'"),
        ([{"text": "", "sponsored": "no"}], 1, "text", "fill it or drop the row"),
        ([{"text": float("nan"), "sponsored": "no"}], 1, "text", "expected a text"),
        ([{"text": 3, "sponsored": "no"}], 1, "text", "expected a text, but it is a number"),
        (
            [
                {"text": "a", "experience": "own", "touchpoint": "product"},
                {"text": "b", "experience": "none", "touchpoint": "product"},
            ],
            2,
            "touchpoint",
            "touchpoint 'product' with experience 'none'; the one is none exactly where",
        ),
        (
            [{"text": "a", "experience": "shared", "touchpoint": "none"}],
            1,
            "touchpoint",
            "touchpoint 'none' with experience 'shared'",
        ),
        (
            [{"text": "a", "sponsored": "no", "split": "valid"}],
            1,
            "split",
            "expected one of train, validation, but found 'valid'; did you mean 'validation'?",
        ),
        ([{"text": "a", "sponsored": "no", "split": None}], 1, "split", "but found None"),
        (
            [{"text": "a", "sponsored": "no", "weak": "sponsored, stars"}],
            1,
            "weak",
            "expected a list of tags among language, sentiment",
        ),
    ],
)
def test_a_bad_row_is_refused_by_its_line_and_column(
    rows: list[dict[str, Any]], line: int, column: str, told: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as refused:
        own_corpus([write(tmp_path / "mine.jsonl", *rows)])
    assert told in str(refused.value)
    assert (refused.value.line, refused.value.column) == (line, column)
    assert refused.value.file == str(tmp_path / "mine.jsonl")


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([{"text": "a", "mood": "no"}], "no column of labels; expected at least one of language"),
        ([{"text": "a", "Sentiments": "no"}], "rename 'Sentiments' to 'sentiment'"),
        ([{"text": "a", "sponsored": None}], "no post has a label"),
        (
            [{"text": "a", "sponsored": "no"}, {"text": "b", "sponsored": "no"}],
            "column 'sponsored': 'no' is the only label; give posts with another",
        ),
        (
            [{"text": f"post {n}", "sponsored": "no" if n else "yes"} for n in range(9)],
            "line 1, column 'sponsored': 'yes' is the label of this post alone, which cannot be",
        ),
        (
            [
                {"text": f"post {max(n, 2)}", "sponsored": "no" if n > 2 else "yes"}
                for n in range(9)
            ],
            "'yes' is the label of this post and its copies alone",
        ),
        (
            [
                {"text": f"p {n}", "sponsored": ("no", "yes")[n % 2], "split": "train"}
                for n in (1, 2)
            ],
            "column 'split': no labelled post is of 'validation'; mark some, or drop",
        ),
    ],
)
def test_a_corpus_that_cannot_be_trained_on_is_refused(
    rows: list[dict[str, Any]], told: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as refused:
        own_corpus([write(tmp_path / "mine.jsonl", *rows)])
    assert told in str(refused.value)


def test_files_without_posts_are_refused(tmp_path: Path) -> None:
    empty = tmp_path / "mine.csv"
    empty.write_text("text,sponsored\n", "utf-8")
    with pytest.raises(InputError, match=r"mine\.csv: holds no posts"):
        own_corpus([empty])
    with pytest.raises(InputError, match="no file of posts was given"):
        own_corpus([])


def test_all_files_tell_the_split_or_none(tmp_path: Path) -> None:
    one = write(tmp_path / "a.csv", *[row | {"split": "train"} for row in posts(9)])
    two = write(tmp_path / "b.csv", *posts(9))
    with pytest.raises(InputError, match=r"b\.csv: no column 'split', which the other files have"):
        own_corpus([one, two])


def test_copies_on_both_sides_and_labelled_differently_are_told(tmp_path: Path) -> None:
    rows = [row | {"split": ("train", "validation")[n > 50]} for n, row in enumerate(posts(90))]
    rows[60] |= {"text": "@sav BRIZELO numero 7 !", "sentiment": "positive"}
    found = examine(read_own([write(tmp_path / "mine.csv", *rows)]))
    places = f"{tmp_path}/mine.csv, line 9 and {tmp_path}/mine.csv, line 62"
    assert found == [
        "1 posts stand in both train and validation, so that figures flatter the model: " + places,
        "sentiment: 1 posts have copies with another label: " + places,
    ]


def test_rare_and_missing_labels_and_missing_texts_are_told(tmp_path: Path) -> None:
    rows = [{"text": f"post {n}", "experience": "own" if n < 19 else "none"} for n in range(40)]
    rows[3]["text"] = "nan"
    assert examine(read_own([write(tmp_path / "mine.jsonl", *rows)])) == [
        "experience: fewer than 20 posts of own (19); expect little of them",
        "experience: no post of shared; the model may forget what it knew of them",
        "1 texts are 'nan', as pandas writes a missing value: " + f"{tmp_path}/mine.jsonl, line 4",
    ]


def test_a_label_on_one_side_of_a_given_split_is_told(tmp_path: Path) -> None:
    rows = [row | {"split": ("train", "validation")[n > 70]} for n, row in enumerate(posts(90))]
    for row in rows[71:]:
        row["sentiment"] = "neutral"
    found = examine(read_own([write(tmp_path / "mine.csv", *rows)]))
    assert found == [
        "sentiment: negative stands in train alone",
        "sentiment: positive stands in train alone",
    ]


def test_findings_are_logged_as_warnings_and_a_sound_corpus_has_none(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    own_corpus([write(tmp_path / "sound.csv", *posts(90))])
    assert not caplog.messages
    own_corpus([write(tmp_path / "small.csv", *posts(57))])
    (told,) = caplog.messages
    assert told.startswith("sentiment: fewer than 20 posts of negative (19), neutral (19)")


def test_the_posts_of_each_label_are_counted_by_side(tmp_path: Path) -> None:
    corpus = own_corpus([write(tmp_path / "mine.csv", *posts(60))], validation_share=0.25)
    assert describe(corpus) == {
        "sentiment": {
            "train": {"negative": 15, "neutral": 15, "positive": 15},
            "validation": {"negative": 5, "neutral": 5, "positive": 5},
        }
    }


def corpora(*, keys: list[int], **labels: list[str | None]) -> Corpora:
    columns: dict[str, list[Any]] = {"text": [f"post {key}" for key in keys], "key": keys, **labels}
    rows = Rows(name="mine", found=list(columns), columns=columns, lines=range(len(keys)))
    return to_corpora(rows, name="mine", validation=False)


_LABELLED = st.tuples(
    st.integers(0, 20),
    st.sampled_from([None, *LABELS["language"]]),
    st.sampled_from([None, *LABELS["sentiment"]]),
)


@settings(max_examples=100)
@given(st.lists(_LABELLED, min_size=1, max_size=60), st.floats(0.01, 0.9), st.integers(0, 5))
def test_copies_of_a_post_are_on_one_side(
    rows: list[tuple[int, str | None, str | None]], share: float, seed: int
) -> None:
    keys, languages, moods = map(list, zip(*rows, strict=True))
    read = corpora(keys=keys, language=languages, sentiment=moods)
    chosen = split_by_key(read, share=share, seed=seed)
    assert len(set(zip(keys, chosen.tolist(), strict=True))) == len(set(keys))
    labelled = {key for key, *labels in rows if any(labels)}
    assert set(read.key[chosen].tolist()) <= {str(key) for key in labelled}


@settings(max_examples=100)
@given(st.lists(st.sampled_from(MOODS), min_size=1, max_size=80), st.floats(0.01, 0.9))
def test_every_label_of_two_posts_is_on_both_sides_in_its_share(
    moods: list[str], share: float
) -> None:
    read = corpora(keys=list(range(len(moods))), sentiment=list(moods))
    chosen = split_by_key(read, share=share, seed=0)
    for code, mood in enumerate(MOODS):
        count = moods.count(mood)
        kept = int(chosen[read.labels["sentiment"] == code].sum())
        assert kept == (0 if count < 2 else min(max(1, round(share * count)), count - 1))


def test_rare_labels_of_several_tags_are_on_both_sides() -> None:
    random = np.random.default_rng(0)
    moods = [str(mood) for mood in random.choice(MOODS, 200, p=[0.9, 0.08, 0.02])]
    languages = [
        str(one) for one in random.choice(LABELS["language"], 200, p=[0.5, 0.46, 0.02, 0.02])
    ]
    read = corpora(keys=list(range(200)), sentiment=list(moods), language=list(languages))
    chosen = split_by_key(read, share=0.1, seed=0)
    for tag in ("language", "sentiment"):
        for code in range(len(LABELS[tag])):
            assert set(chosen[read.labels[tag] == code].tolist()) == {False, True}
    assert 16 <= chosen.sum() <= 32
