"""Reliability diagrams: a picture for each tag, or what to install."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from murmure.errors import UsageError
from murmure.training import plots
from murmure.training.reliability import bins


def cut(posts: int) -> list[dict[str, object]]:
    random = np.random.default_rng(posts)
    scores = random.uniform(0.4, 1, posts).astype(np.float32)
    return bins(scores, random.random(posts) < scores)


def test_a_row_is_drawn_for_each_model_and_a_panel_for_each_tag(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the extra train")
    image = pytest.importorskip("matplotlib.image")
    one, two = tmp_path / "new" / "one.png", tmp_path / "two.png"
    plots.reliability({"fast": {"sentiment": cut(500)}}, one)
    of_two = {"sentiment": cut(500), "sponsored": cut(30)}
    plots.reliability({"fast": of_two, "mine": {"sponsored": cut(1)}}, two)
    narrow, wide = image.imread(one), image.imread(two)
    assert wide.shape[1] > 1.5 * narrow.shape[1]
    assert narrow.std() > 0.05  # something stands on it
    again = tmp_path / "again.png"
    plots.reliability({"fast": {"sentiment": cut(500)}}, again)
    assert again.read_bytes() == one.read_bytes()


def test_without_matplotlib_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"pip install 'murmure\[train\]'"):
        plots.reliability({"fast": {"sentiment": cut(50)}}, tmp_path / "plot.png")
    assert not (tmp_path / "plot.png").exists()
