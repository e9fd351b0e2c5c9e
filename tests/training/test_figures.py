"""The figures of a card, of out-of-fold probabilities and of the shipped weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from murmure.assets import models_folder
from murmure.errors import ConfigurationError, InputError
from murmure.schema import LABELS, TAGS
from murmure.tagging.folder import write_manifest
from murmure.training import figures
from murmure.training.corpora import Corpora, read_corpora
from tests.training.worlds import make_target, write_corpora

Tables = dict[str, NDArray[np.float32]]
FAST = models_folder() / "fast"


@pytest.fixture
def corpora(tmp_path: Path) -> Corpora:
    write_corpora(tmp_path, make_target())
    return read_corpora([tmp_path / "corpora"])


@pytest.fixture
def measured(corpora: Corpora) -> Corpora:
    return corpora.take(corpora.corpus == "annotated")


def answers(measured: Corpora, *, wrong: float, seed: int = 0) -> Tables:
    """Probabilities of a model that errs by chance."""
    random = np.random.default_rng(seed)
    tables = {}
    for tag in TAGS:
        count = len(LABELS[tag])
        errs = random.random(len(measured)) < wrong
        chosen = np.where(errs, random.integers(0, count, len(measured)), measured.labels[tag])
        tables[tag] = np.eye(count, dtype=np.float32)[chosen] * np.float32(0.9) + np.float32(
            0.1 / count
        )
    return tables


def test_every_section_is_measured_and_sources_apart(measured: Corpora) -> None:
    found = figures.held_out(answers(measured, wrong=0.2), measured, np.zeros(270, bool))
    assert set(found) == {
        *("held_out", "held_out_source", "sponsored", "languages", "languages_source"),
        *("origins", "worst", "gap", "gap_source", "reliability"),
    }
    drawn = (measured.draw == "source").sum()
    assert sum(one["posts"] for one in found["reliability"]["sentiment"]) == drawn
    by_language = [found["languages"][name]["sentiment"]["posts"] for name in ("fr", "en")]
    assert sum(by_language) == np.isin(measured.labels["language"], (0, 1)).sum()
    assert set(found["origins"]) == {"reviews", "talk"}
    assert found["worst"]["sentiment"]["slice"] in {"reviews", "talk", "fr", "en"}


def folder_of(path: Path, measured: Corpora, tables: Tables) -> Path:
    path.mkdir()
    figures.save_calibration(path / figures.CALIBRATION, measured, tables)
    parts: dict[str, Any] = {"settings": {}, "calibration": {}, "thresholds": {}}
    write_manifest(path, {"name": path.name, "kind": "none", **parts})
    return path


def test_a_model_is_compared_with_what_another_folder_keeps(
    tmp_path: Path, measured: Corpora
) -> None:
    good, bad = (answers(measured, wrong=share, seed=3) for share in (0.05, 0.5))
    other = folder_of(tmp_path / "bad", measured, bad)
    found = figures.compare(good, measured, other)["sentiment"]
    assert found["difference"] > 0.15
    assert found["interval"][0] > 0
    assert figures.compare(bad, measured, other)["sentiment"]["difference"] == 0


def test_a_folder_that_keeps_other_posts_is_refused(tmp_path: Path, measured: Corpora) -> None:
    tables = answers(measured, wrong=0.1)
    other = folder_of(tmp_path / "other", measured, tables)
    turned = measured.take(np.arange(len(measured))[::-1])
    labels = {**measured.labels, "sentiment": (measured.labels["sentiment"] + 1) % 3}
    relabelled = replace(measured, labels=labels)
    for changed in (turned, relabelled, measured.take(np.arange(100))):
        with pytest.raises(InputError, match=r"calibration\.parquet: is not of the same"):
            figures.compare(tables, changed, other)


def test_the_shipped_weights_are_measured_on_posts_kept_back(measured: Corpora) -> None:
    tables = answers(measured, wrong=0.5)
    plain = figures.validation(FAST, measured)
    compared = figures.validation_compared(FAST, measured, tables)
    assert plain["sentiment"]["posts"] == compared["sentiment"]["posts"] == 30
    assert plain["sentiment"]["macro_f1"] == compared["sentiment"]["macro_f1"]


def test_other_corpora_are_measured_on_their_validation_posts(corpora: Corpora) -> None:
    found = figures.external(FAST, corpora, ["annotated"], beside=["fast"])["annotated"]
    assert found["sentiment"]["posts"] == 30
    assert found["sentiment"]["compared"]["fast"]["difference"] == 0
    assert "macro_recall_interval" in found["sentiment"]
    with pytest.raises(ConfigurationError, match=r"validation posts: annotated, .* 'language'"):
        figures.external(FAST, corpora, ["language"])
