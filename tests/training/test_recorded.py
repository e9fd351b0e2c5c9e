"""Posts take their labels from records, and leave their corpora."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from murmure.errors import InputError
from murmure.training.configuration import default_configuration
from murmure.training.configured import barred_posts, configured_corpora
from murmure.training.corpora import read_corpora
from murmure.training.labels import MISSING
from murmure.training.recorded import relabel
from murmure.training.standoff import SCHEMA, text_hash, write_records
from tests.training.test_corpora import numbered, write


def write_records_of(file: Path, said: dict[str, str]) -> str:
    """Write records that label the sentiment of texts."""
    empty = {"origin": "o", "source": "s", "draw": "sought", "split": "train"}
    rows = [
        {**empty, "id": f"made-{row}", "sha256": text_hash(text), "sentiment": label}
        for row, (text, label) in enumerate(said.items())
    ]
    file.parent.mkdir(exist_ok=True)
    write_records(pa.Table.from_pylist(rows, schema=SCHEMA), file)
    return str(file)


def test_recorded_posts_are_a_corpus_of_their_own(tmp_path: Path) -> None:
    texts = ["Marelle fuit", "Brizelo répond", "Torvella"]
    rows = [{"text": text, "sentiment": "neutral", "weak": ["sentiment"]} for text in texts]
    # A copy in the same corpus goes, one in a validation split stays.
    write(tmp_path / "in/tweets/train.parquet", *rows, {**rows[0], "sponsored": "no"})
    write(tmp_path / "in/tweets/validation.parquet", rows[1])
    files = [
        write_records_of(tmp_path / "further/a.parquet", {texts[0]: "negative", "None": "neutral"}),
        write_records_of(tmp_path / "further/b.parquet", {texts[1]: "positive"}),
    ]
    given = default_configuration()["corpora"] | {"folders": [str(tmp_path / "in")]}
    corpora = configured_corpora({**given, "records": files})
    assert corpora.corpus.tolist() == ["tweets"] * 2 + ["further"] * 2
    assert corpora.texts == [texts[2], texts[1], texts[0], texts[1]]
    assert corpora.validation.tolist() == [False, True, False, False]
    assert corpora.origin.tolist() == ["tweets"] * 4
    assert corpora.draw.tolist()[-2:] == ["sought"] * 2
    negative, _, positive = range(3)
    assert corpora.labels["sentiment"].tolist()[-2:] == [negative, positive]
    assert corpora.labels["sponsored"].tolist()[-2:] == [MISSING] * 2
    assert corpora.weak["sentiment"].tolist() == [True] * 2 + [False] * 2
    without = configured_corpora({**given, "records": files, "leave_out": ["further"]})
    assert set(without.corpus.tolist()) == {"tweets"}


def test_records_of_other_posts_change_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path / "in/tweets/train.parquet", *numbered(2))
    file = write_records_of(tmp_path / "further/records.parquet", {"Nowhere": "neutral"})
    corpora = read_corpora([tmp_path / "in"])
    assert relabel(corpora, [file], target="mine").corpus.tolist() == corpora.corpus.tolist()
    assert "1 of 1 records found no text" in caplog.text
    with pytest.raises(InputError, match="no such file"):
        relabel(corpora, [tmp_path / "nowhere.parquet"], target="mine")


def test_posts_that_are_measured_on_keep_their_labels_and_their_corpus(tmp_path: Path) -> None:
    write(tmp_path / "in/mine/train.parquet", {"text": "Marelle fuit", "sentiment": "neutral"})
    corpora = read_corpora([tmp_path / "in"])
    said = {"Marelle fuit": "negative"}
    file = write_records_of(tmp_path / "further/records.parquet", said)
    assert relabel(corpora, [file], target="mine").corpus.tolist() == ["mine"]
    same = write_records_of(tmp_path / "mine/records.parquet", said)
    with pytest.raises(InputError, match=r"records\.parquet: lies in .* the corpus 'mine'"):
        relabel(corpora, [same], target="mine")


def test_a_recorded_post_goes_by_the_licence_of_its_origin(tmp_path: Path) -> None:
    post = {"text": "Marelle fuit", "sentiment": "neutral", "origin": "books_fr"}
    write(tmp_path / "in/annotated/train.parquet", post, {**post, "text": "b", "origin": "sst_en"})
    said = {"Marelle fuit": "negative", "b": "neutral"}
    file = write_records_of(tmp_path / "others/records.parquet", said)
    given = default_configuration()["corpora"] | {
        "folders": [str(tmp_path / "in")],
        "records": [file],
        "target": "mine",
    }
    corpora = configured_corpora(given)
    assert corpora.corpus.tolist() == ["others"] * 2
    assert barred_posts(corpora, given).tolist() == [True, False]
