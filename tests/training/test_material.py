"""What the fast model is trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from murmure.schema import LABELS
from murmure.tagging.linear import TEXT_TAGS
from murmure.training import material
from murmure.training.configuration import load_configuration
from murmure.training.configured import configured_corpora
from murmure.training.teaching import Lessons
from tests.training.worlds import make_target, write_corpora

if TYPE_CHECKING:
    from murmure.training.teaching import Teacher


def test_the_corpora_that_a_teacher_was_asked_about_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_corpora(tmp_path, make_target(24))
    configuration = load_configuration(file, settings=["fast.taught.weights.written=1.0"])
    said = {tag: np.zeros((40, len(LABELS[tag])), np.float32) for tag in TEXT_TAGS}
    answer = Lessons("`fast`", True, [""] * 40, said)
    monkeypatch.setattr(material, "ask", lambda *_: answer)
    corpora = configured_corpora(configuration["corpora"])
    folds = corpora.folds(target="annotated", count=3, seed=1)
    nobody = cast("Teacher", None)
    lessons = material.learn(nobody, corpora, folds, configuration, tmp_path)
    assert lessons.corpora == ("written",)
