"""What a teacher says of posts, and a student that learns from it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from murmure.errors import RunError
from murmure.tagging import Predictor
from murmure.tagging.columns import TagColumns
from murmure.tagging.linear import TEXT_TAGS
from murmure.training import fast, teaching
from murmure.training.configuration import load_configuration
from murmure.training.corpora import read_corpora
from murmure.training.linear import SoftLabels, fit_labels
from tests.training.worlds import make_target, write_corpora

pytest.importorskip("sklearn", reason="needs the extra dev or train")

_TEXTS = ["Commande jamais reçue 😡", "Great coffee machine", "hola"] * 2
_DRAWN = {"posts": 5000, "temperature": 2.0, "weights": {"found": 0.0, "language": 0.0}}


def test_no_post_that_is_measured_on_nor_a_copy_is_taught(tmp_path: Path) -> None:
    given = load_configuration(write_corpora(tmp_path, make_target(60)))["corpora"]
    corpora = read_corpora(given["folders"])
    # A copy of a measured post, in a corpus of its own.
    copied = int(np.flatnonzero(corpora.corpus == "written")[0])
    corpora.key[copied] = corpora.key[np.flatnonzero(corpora.corpus == "annotated")[0]]
    folds = corpora.folds(target="annotated", count=3, seed=1)
    rows = teaching.choose(corpora, folds, _DRAWN, seed=1)
    assert set(corpora.corpus[rows]) == {"written"}
    assert len(np.unique(rows)) == len(rows) == 40 - 1
    assert copied not in rows
    few = teaching.choose(corpora, folds, {**_DRAWN, "posts": 7}, seed=1)
    assert len(few) == 7


def test_a_teacher_that_was_interrupted_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = teaching.ask(teaching.ModelTeacher("fast"), _TEXTS, tmp_path / "whole")
    assert whole.texts == _TEXTS
    said = Predictor.from_pretrained("fast").predict_columns(_TEXTS).probabilities
    for tag in TEXT_TAGS:
        assert (whole.probabilities[tag] == said[tag]).all()

    asked: list[str] = []
    real = Predictor.predict_columns

    def interrupted(self: Predictor, texts: Sequence[str]) -> TagColumns:
        if len(asked) == 4:
            raise KeyboardInterrupt
        asked.extend(texts)
        return real(self, texts)

    monkeypatch.setattr(teaching, "_POSTS_AT_ONCE", 2)
    monkeypatch.setattr(Predictor, "predict_columns", interrupted)
    with pytest.raises(KeyboardInterrupt):
        teaching.ask(teaching.ModelTeacher("fast"), _TEXTS, tmp_path / "parts")
    asked.clear()
    again = teaching.ask(teaching.ModelTeacher("fast"), _TEXTS, tmp_path / "parts")
    assert asked == _TEXTS[4:]
    for tag in TEXT_TAGS:
        assert again.probabilities[tag] == pytest.approx(said[tag], abs=1e-6)
    # Other posts are asked about anew.
    asked.clear()
    teaching.ask(teaching.ModelTeacher("fast"), ["hello there"], tmp_path / "parts")
    assert asked == ["hello there"]


def test_what_cannot_be_read_of_a_teacher_is_named(tmp_path: Path) -> None:
    (tmp_path / teaching.LESSONS).write_bytes(b"no tensors")
    with pytest.raises(RunError, match=r"lessons\.safetensors: cannot be read .*remove it"):
        teaching.ask(teaching.ModelTeacher("fast"), _TEXTS, tmp_path)


def test_a_word_that_only_the_teacher_speaks_of_is_learnt() -> None:
    # The third word stands in no labelled post.
    labelled = csr_array(np.array([[1, 0, 0], [0, 1, 0]] * 20, np.float32))
    labels = np.array([0, 1] * 20, np.int8)
    lessons = csr_array(np.array([[0, 0, 1]] * 20, np.float32))
    options: dict[str, Any] = {
        "count": 2,
        "weights": np.ones(40, np.float32),
        "regularization": 10.0,
        "balance": 0.0,
    }
    alone = fit_labels(labelled, labels, **options)
    says = np.tile(np.array([[0.9, 0.1]], np.float32), (20, 1))
    taught = fit_labels(labelled, labels, **options, soft=SoftLabels(lessons, says, 1.0))
    unsure = fit_labels(
        labelled, labels, **options, soft=SoftLabels(lessons, np.full_like(says, 0.5), 1.0)
    )
    assert alone.weights[2].tolist() == [0, 0]
    assert taught.weights[2, 0] > 0.5 > -0.5 > taught.weights[2, 1]
    assert np.abs(unsure.weights[2]).max() < 0.2


def test_a_student_is_trained_and_its_card_names_the_teacher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("murmure.training.figures.yardsticks", lambda _: {})
    file = write_corpora(tmp_path, make_target(90))
    settings = ["fast.taught.teacher=fast", "fast.taught.weights.written=1.0"]
    manifest = fast.train(load_configuration(file, settings=settings), tmp_path / "student")
    taught = {"teacher": "`fast`", "read_target": True, "posts": 40}
    assert manifest["training"]["taught"] == taught
    assert manifest["metrics"]["held_out"]["sentiment"]["posts"] == 30
    assert manifest["metrics"]["validation"] == manifest["metrics"]["held_out"]
    assert (tmp_path / "student.training" / teaching.LESSONS).is_file()
    assert "Taught by `fast`" in (tmp_path / "student/README.md").read_text("utf-8")
    assert Predictor.from_pretrained(tmp_path / "student")("ravie génial").language.label == "fr"
