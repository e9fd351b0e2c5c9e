"""A small model trained from end to end, and what its folds may not see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from murmure.errors import ConfigurationError
from murmure.schema import LABELS, TAGS
from murmure.tagging import Predictor
from murmure.tagging.linear import TEXT_TAGS
from murmure.tagging.ngrams import NgramHasher
from murmure.training import fast
from murmure.training.configuration import load_configuration
from murmure.training.configured import barred_posts
from murmure.training.corpora import read_corpora
from murmure.training.language import fit_language, is_held_out, make_sets
from murmure.training.linear import read_language
from murmure.training.material import gather
from tests.training.worlds import make_target, write_corpora

pytest.importorskip("sklearn", reason="needs the extra dev or train")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    configuration = load_configuration(write_corpora(folder, make_target()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("murmure.training.figures.yardsticks", lambda _: {})
        fast.train(configuration, folder / "small")
    return folder / "small"


def test_a_trained_folder_is_whole_and_tags_what_it_learnt(trained: Path) -> None:
    predictor = Predictor.from_pretrained(trained)
    assert predictor.name == "small"
    good, bad = predictor.predict(
        [
            "j'ai reçu ma machine qui fuit ravie génial bonne journée",
            "my sister had her parcel from the courier awful broken have a nice day",
        ]
    )
    assert (good.language.label, good.sentiment.label) == ("fr", "positive")
    assert (bad.language.label, bad.sentiment.label) == ("en", "negative")
    assert (good.experience.label, good.touchpoint.label) == ("own", "product")
    assert (bad.experience.label, bad.touchpoint.label) == ("shared", "delivery")


def test_the_manifest_tells_what_was_measured(trained: Path) -> None:
    manifest = json.loads((trained / "manifest.json").read_text("utf-8"))
    metrics = manifest["metrics"]
    assert set(metrics["held_out"]) == set(metrics["held_out_source"]) == set(TAGS)
    for tag in ("sentiment", "experience", "touchpoint"):
        assert metrics["held_out"][tag]["macro_f1"] > 0.8
        assert metrics["held_out"][tag]["posts"] == 240 + 30
    assert metrics["validation"]["sentiment"]["posts"] == 30
    assert metrics["held_out_source"]["sentiment"]["posts"] == (240 + 30) * 4 // 5
    assert manifest["training"]["posts"]["sentiment"]["annotated"] == 240
    assert set(metrics["abstention"]) == set(TAGS)
    told = manifest["training"]
    licences = {one["corpus"]: one["licence"] for one in told["licences"]}
    assert licences["annotated"] == "as the text's origin"
    assert set(licences) == {*told["language"]["corpora"]}.union(*told["posts"].values())
    assert str(trained.parent) not in json.dumps(manifest)  # no path of the machine it came from


def test_the_card_is_filled_and_holds_no_text_of_a_corpus(trained: Path) -> None:
    card = (trained / "README.md").read_text("utf-8")
    assert card.startswith("# murmure model: small\n")
    headings = ("How right it is", "When it abstains", "Language", "Sponsorship")
    for heading in (*headings, "What it was trained on"):
        assert f"\n## {heading}\n" in card
    assert "](reliability.png)" in card
    assert (trained / "reliability.png").read_bytes().startswith(b"\x89PNG")
    assert "nan" not in card
    for post in make_target():
        assert post["text"] not in card


def test_the_calibration_table_holds_probabilities_of_every_target_post(trained: Path) -> None:
    table = pq.read_table(trained / "calibration.parquet")
    assert table.num_rows == 240 + 30
    assert "text" not in table.column_names
    for tag in TAGS:
        assert set(table[f"{tag}_true"].to_pylist()) <= {*LABELS[tag], None}
        rows = np.array(table[f"{tag}_probabilities"].to_pylist(), float)
        assert rows.sum(axis=1) == pytest.approx(np.ones(len(rows)), abs=5e-3)


def test_a_corpus_that_is_not_there_is_refused_by_its_setting(tmp_path: Path) -> None:
    file = write_corpora(tmp_path, make_target(24))
    for setting in ("corpora.target", "fast.language.corpus"):
        configuration = load_configuration(file, settings=[f"{setting}=nowhere"])
        with pytest.raises(ConfigurationError, match=f"{setting}: .*annotated.*'nowhere'"):
            fast.train(configuration, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def _cross_fit(folder: Path, target: list[dict[str, Any]]) -> tuple[NDArray[np.int64], Any]:
    """Folds and out-of-fold logits of the target's posts."""
    folder.mkdir()
    configuration = load_configuration(write_corpora(folder, target))
    given = configuration["corpora"]
    corpora = read_corpora(given["folders"])
    hasher = NgramHasher(bits=configuration["fast"]["bits"])
    material = gather(corpora, configuration, hasher, None, folder / "work")
    logits = fast._cross_fit(material, configuration["fast"], given["folds"])
    return material.fold[material.target], logits


def test_no_post_nor_a_copy_of_it_teaches_the_model_that_it_is_measured_by(
    tmp_path: Path,
) -> None:
    target = make_target(120)
    # A post, and a copy of it under the same key: the same text, labelled by chance.
    target.append({**target[7], "id": "copy"})
    other = [dict(post) for post in target]
    for post in (other[7], other[-1]):
        swapped = "negative" if post["sentiment"] == "positive" else "positive"
        post |= {"sentiment": swapped, "sponsored": "yes" if post["sponsored"] == "no" else "no"}
    folds, logits = _cross_fit(tmp_path / "one", target)
    folds_of_other, logits_of_other = _cross_fit(tmp_path / "other", other)
    assert (folds == folds_of_other).all()
    assert folds[7] == folds[120]
    apart = folds == folds[7]
    for tag in ("sentiment", "sponsored"):
        assert (logits[tag][apart] == logits_of_other[tag][apart]).all()
        # The models of the other folds did see it.
        assert (logits[tag][~apart] != logits_of_other[tag][~apart]).any()
    for tag in TEXT_TAGS:
        assert np.isfinite(logits[tag]).all()


def test_words_of_a_fold_alone_are_unknown_to_the_model_that_it_is_measured_by(
    tmp_path: Path,
) -> None:
    target = make_target(120)
    with_snow = [dict(post) for post in target]
    with_snow[7]["text"] += " ☃ ☃ ☃"
    folds, logits = _cross_fit(tmp_path / "plain", target)
    _, snowy = _cross_fit(tmp_path / "snowy", with_snow)
    for tag in ("sentiment", "experience", "touchpoint"):
        # The new sign weighs nothing; that the words around it are a little changed is all.
        others = (folds == folds[7]) & (np.arange(len(folds)) != 7)
        assert (logits[tag][others] == snowy[tag][others]).all()


def test_posts_of_an_origin_that_bars_training_are_measured_on_alone(tmp_path: Path) -> None:
    target = make_target(120)
    configuration = load_configuration(write_corpora(tmp_path, target))
    _, logits = _cross_fit(tmp_path / "free", target)
    for post in target[:40]:
        post["origin"] = "books_fr"
    _, barred = _cross_fit(tmp_path / "barred", target)
    other = [dict(post) for post in target]
    for post in other[:40]:
        post |= {"sentiment": "neutral", "sponsored": "yes"}
    _, relabelled = _cross_fit(tmp_path / "relabelled", other)
    for tag in ("sentiment", "sponsored"):
        assert barred[tag].shape == logits[tag].shape
        assert (barred[tag] != logits[tag]).any()
        assert (barred[tag] == relabelled[tag]).all()
    corpora = read_corpora(configuration["corpora"]["folders"])
    assert not barred_posts(corpora, configuration["corpora"]).any()


def test_language_is_measured_by_models_that_did_not_see_the_post(tmp_path: Path) -> None:
    target = make_target(120)
    places = [n for n in range(4, 120, 12) if not is_held_out(f"k{n}")]
    for place in places:
        target[place] |= {"text": "☃ ☃☃", "language": "fr"}
    configuration = load_configuration(write_corpora(tmp_path, target))
    corpora = read_corpora(configuration["corpora"]["folders"])
    hasher = NgramHasher(bits=18)
    sets = make_sets(corpora, configuration["fast"]["language"], target="annotated", seed=1)
    read = read_language(sets.texts, hasher)
    options: dict[str, Any] = {"regularization": 10.0, "seed": 3}
    whole = fit_language(sets, read, **options)
    apart = fit_language(sets, read, leave_out=np.array([f"k{n}" for n in places]), **options)
    assert (whole.logits(["☃"], hasher) != whole.bias).any()
    assert (apart.logits(["☃"], hasher) == apart.bias).all()


def test_what_language_is_measured_on_is_not_trained_on(tmp_path: Path) -> None:
    configuration = load_configuration(write_corpora(tmp_path, make_target(120)))
    corpora = read_corpora(configuration["corpora"]["folders"])
    sets = make_sets(corpora, configuration["fast"]["language"], target="annotated", seed=1)
    # Foreign texts of this small world repeat; French and English ones are all different.
    held = {
        text for text, label in zip(sets.held_texts, sets.held_labels, strict=True) if label < 2
    }
    assert held
    assert not held & set(sets.texts)
    assert all(len(snippet) <= 19 for snippet in sets.snippets)
    assert len(sets.texts) == len(sets.labels)
    assert set(sets.labels.tolist()) == {0, 1, 2, 3}
