"""The card of the shipped model, which is what its manifest says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from murmure.assets import models_folder
from murmure.training import card

FAST = models_folder() / "fast"


def test_the_shipped_card_is_the_one_that_its_manifest_makes() -> None:
    manifest = json.loads((FAST / "manifest.json").read_text("utf-8"))
    assert (FAST / "README.md").read_text("utf-8") == card.render(manifest)


def test_the_card_gives_the_figures_of_the_manifest() -> None:
    manifest = json.loads((FAST / "manifest.json").read_text("utf-8"))
    written = card.render(manifest)
    for tag, scores in manifest["metrics"]["held_out"].items():
        row = next(line for line in written.splitlines() if line.startswith(f"| {tag} | "))
        assert f"{scores['macro_f1']:.3f}" in row


@pytest.mark.parametrize("name", ["base", "fast"])
def test_the_card_tells_what_is_taken_for_what(name: str) -> None:
    manifest = json.loads((models_folder() / name / "manifest.json").read_text("utf-8"))
    written = card.render(manifest)
    for tag, scores in manifest["metrics"]["held_out"].items():
        section = written.partition(f"\n### {tag.capitalize()}\n")[2].partition("\n#")[0]
        lines = section.strip().splitlines()
        assert (
            lines[0] == "| true | " + " | ".join(f"said {one}" for one in scores["labels"]) + " |"
        )
        for line, label, counts in zip(
            lines[2:], scores["labels"], scores["confusion"], strict=True
        ):
            assert line == f"| {label} | " + " | ".join(f"{count:,}" for count in counts) + " |"
    assert "`docs/labels.md`" in written


@pytest.mark.parametrize("name", ["base", "fast"])
def test_what_an_older_manifest_lacks_has_no_section(name: str) -> None:
    manifest = json.loads((models_folder() / name / "manifest.json").read_text("utf-8"))
    whole = card.render(manifest)
    for part in ("architecture", "training", "metrics"):
        given = manifest.get(part, {})
        for key in given:
            less = {**manifest, part: {one: given[one] for one in given if one != key}}
            assert len(card.render(less)) <= len(whole), key
    for scores in manifest["metrics"]["held_out"].values():
        scores.pop("confusion")
    assert "## What it takes for what" not in card.render(manifest)
    own = {"validation": manifest["metrics"]["validation"]}
    assert "### Sentiment" in card.render({"name": "own", "kind": "encoder", "metrics": own})
    bare = card.render({"name": "old", "kind": manifest["kind"], "metrics": {}})
    assert "Not measured: no posts were held back." in bare
    assert "## What it was trained on" not in bare
    assert "## What it cannot do" in bare


def encoder_manifest() -> dict[str, Any]:
    """The fast model's figures under another kind."""
    manifest: dict[str, Any] = json.loads((FAST / "manifest.json").read_text("utf-8"))
    made = {"encoder": "a small one", "source": "a package", "layers": 3, "hidden": 64}
    made |= {"parameters": 1_234_567, "vocabulary": 5000, "longest": 96, "weights": "int8 | rows"}
    companion = {"name": "fast", "mixture": {"sentiment": [0.9, 0.25]}}
    licences = [{"corpus": "posts_fr", "licence": "none stated", "source": "a/b@1", "note": "weak"}]
    return {
        **manifest,
        "name": "mine",
        "kind": "encoder",
        "architecture": {**made, "companion": companion},
        "training": {**manifest["training"], "licences": licences},
    }


def test_an_encoders_card_says_what_it_is_and_by_which_licences() -> None:
    written = card.render(encoder_manifest())
    assert written.startswith("# murmure model: mine\n")
    for row in (
        "| layers | 3, of 64 units |",
        "| parameters | 1,234,567 |",
        "| weights | int8 \\| rows |",
        "| sentiment | 0.900 | 0.250 |",
        "| posts_fr | none stated | a/b@1 | weak |",
    ):
        assert row in written
    assert "counts words and pieces" not in written
    assert "## On other corpora" not in written


def test_an_encoders_card_says_what_the_model_beside_it_was_trained_on() -> None:
    manifest = encoder_manifest()
    beside = {"posts": {"sentiment": {"posts_fr": 1234}}, "left_out": ["books"]}
    beside["language"] = {"texts": 5678, "corpora": ["tongues", "posts_fr"]}
    manifest["training"] = {
        "posts": {"sentiment": {"posts_en": 99}},
        "companion": {"name": "fast", **beside},
    }
    written = card.render(manifest).partition("## What it was trained on")[2]
    own, _, companion = written.partition("The linear model `fast` beside it")
    assert "| posts_en | 99 |" in own
    assert "posts_fr" not in own
    assert "| posts_fr | 1,234 |" in companion
    assert "Language: 5,678 texts and pieces of texts from tongues, posts_fr;" in companion


def test_each_figure_that_was_measured_has_its_section() -> None:
    manifest = encoder_manifest()
    one = {"posts": 40, "macro_f1": 0.8, "other": 0.7, "difference": 0.1, "interval": [-0.05, 0.2]}
    found = {**manifest["metrics"]["held_out"]["sentiment"], "macro_recall": 0.71}
    found |= {"macro_recall_interval": [0.7, 0.72], "brier": 0.31, "log_loss": 0.42}
    source = {"sentiment": found}
    part = {"posts": 60, "macro_f1": 0.512, "interval": [0.4, 0.6], "labels": {"negative": 60}}
    gap = {"labels": ["negative", "positive"], "fr": 0.8, "en": 0.75}
    manifest["metrics"] |= {
        "protocol": {"folds": "Folds were shorter."},
        "external": {"tweets": {"sentiment": {**found, "compared": {"fast": one}}}},
        "compared": {"fast": {"sentiment": one}},
        "validation_compared": {"sentiment": one},
        "held_out_source": source,
        "languages": {"fr": source, "en": source},
        "languages_source": {"fr": source, "en": source},
        "gap": {"sentiment": {**gap, "difference": 0.05, "interval": [0.01, 0.09]}},
        "origins": {"forum": {"sentiment": part}},
        "worst": {"sentiment": {**part, "by": "origin", "slice": "forum"}},
        "reliability": {"sentiment": []} | {"language": []},
        "reliability_plot": "reliability.png",
        "abstention": {"sentiment": {"threshold": 0.55, "abstained": 0.1, "right_kept": 0.9}
            | {"right_abstained": None}},
        "export": {"posts": 9, "neighbours": 0.013, "tags": {"sentiment": {"torch": 0.8}
            | {"exported": 0.79, "equal": 0.995}}},
    }  # fmt: skip
    manifest["metrics"]["held_out"] = {"sentiment": found}
    written = card.render(manifest)
    for told in (
        "Folds were shorter.",
        "| fast | sentiment | 40 | 0.800 | 0.700 | +0.100 (−0.050 to +0.200) |",
        "0.710 (0.700–0.720)",
        "| sentiment | all | negative, positive | 0.800 | 0.750 | +0.050 (+0.010 to +0.090) |",
        "| forum | 60 | 0.512 |",
        "sentiment: origin `forum`, 0.512 (0.400–0.600, 60 posts)",
        "![How often posts of a score are right, by tag](reliability.png)",
        "| sentiment | 0.550 | 0.100 | 0.900 | – |",
        "| sentiment | 0.800 | 0.790 | 0.995 |",
        "changes its probabilities by at most 0.013.",
    ):
        assert told in written, told
