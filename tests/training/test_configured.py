"""The posts that a configuration names."""

from __future__ import annotations

from pathlib import Path

import pytest

from murmure.errors import ConfigurationError
from murmure.training.configuration import default_configuration
from murmure.training.configured import configured_corpora, left_out
from tests.training.test_corpora import numbered, write


def test_corpora_are_picked_by_licence_and_name(tmp_path: Path) -> None:
    for name, kind in {"a": "personal", "b": "stated-open", "c": "unstated"}.items():
        write(tmp_path / name / "train.parquet", *numbered(1))
        (tmp_path / name / "card.toml").write_text(f'class = "{kind}"', "utf-8")
    write(tmp_path / "books_fr/train.parquet", *numbered(1))
    given = default_configuration()["corpora"] | {"folders": [str(tmp_path)], "leave_out": ["c"]}
    assert configured_corpora(given).corpus.tolist() == ["b"]
    assert left_out(given) == ["a", "books_fr", "c"]
    given["licences"] = ["personal"]
    assert configured_corpora(given).corpus.tolist() == ["a", "books_fr"]
    assert left_out(given) == ["b", "c"]


def test_records_that_are_not_there_are_named(tmp_path: Path) -> None:
    write(tmp_path / "mine/train.parquet", *numbered(1))
    given = default_configuration()["corpora"] | {
        "folders": [str(tmp_path)],
        "records": ["gone.parquet"],
    }
    with pytest.raises(ConfigurationError, match=r"corpora\.records=\[\] .*'gone\.parquet'"):
        configured_corpora(given)
