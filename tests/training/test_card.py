"""The card of the shipped model, which is what its manifest says."""

from __future__ import annotations

import json

from murmure.assets import models_folder
from murmure.training import card

FAST = models_folder() / "fast"


def test_the_shipped_card_is_the_one_that_its_manifest_makes() -> None:
    manifest = json.loads((FAST / "manifest.json").read_text("utf-8"))
    assert (FAST / "README.md").read_text("utf-8") == card.render(manifest)


def test_the_card_gives_the_figures_of_the_manifest() -> None:
    manifest = json.loads((FAST / "manifest.json").read_text("utf-8"))
    written = card.render(manifest)
    for tag, scores in manifest["metrics"]["cross_fitted"].items():
        row = next(line for line in written.splitlines() if line.startswith(f"| {tag} | "))
        assert f"{scores['macro_f1']:.3f}" in row
