"""Calibration: probabilities from logits, and the fits that make them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from murmure.schema import LABELS, TAGS
from murmure.tagging.calibration import Calibration, VectorScaling, agree, softmax


def scaling(tag: str, seed: int) -> VectorScaling:
    random = np.random.default_rng(seed)
    size = len(LABELS[tag])
    return VectorScaling(
        tuple(random.uniform(0.3, 2, size).tolist()), tuple(random.normal(size=size).tolist())
    )


def some_calibration() -> Calibration:
    fits = {
        tag: {name: scaling(tag, seed) for seed, name in enumerate(("any", "fr", "en"))}
        for tag in TAGS[1:]
    }
    return Calibration({"language": {"any": scaling("language", 3)}, **fits})


def some_logits(rows: int, seed: int = 0, spread: float = 3) -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    return {
        tag: random.normal(scale=spread, size=(rows, len(LABELS[tag]))).astype(np.float32)
        for tag in TAGS
    }


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1.0, 30.0, 1e4]))
def test_probabilities_sum_to_one_and_agree_on_no_experience(seed: int, spread: float) -> None:
    tables = some_calibration()(some_logits(20, seed, spread))
    for tag in TAGS:
        assert tables[tag].dtype == np.float32
        assert (tables[tag] >= 0).all()
        assert tables[tag].sum(axis=1) == pytest.approx(np.ones(20), abs=1e-5)
    assert (tables["experience"][:, -1] == tables["touchpoint"][:, -1]).all()


def test_each_language_has_its_own_fit_and_others_the_common_one() -> None:
    calibration, logits = some_calibration(), some_logits(200)
    tables = calibration(logits)
    spoken = np.array(LABELS["language"])[tables["language"].argmax(axis=1)]
    assert set(spoken) == set(LABELS["language"])
    for language in LABELS["language"]:
        rows = spoken == language
        fit = calibration.fits["sentiment"][language if language in ("fr", "en") else "any"]
        expected = fit(logits["sentiment"][rows])
        assert tables["sentiment"][rows] == pytest.approx(expected)


def test_agreement_keeps_the_shares_of_the_other_labels() -> None:
    tables = {
        "experience": np.array([[0.6, 0.2, 0.2]], np.float32),
        "touchpoint": np.array([[0.1, 0.1, 0.1, 0.1, 0.2, 0.4]], np.float32),
    }
    both = agree(tables)
    assert both["experience"][0].tolist() == pytest.approx([0.525, 0.175, 0.3])
    assert both["touchpoint"][0].tolist() == pytest.approx([7 / 60] * 4 + [7 / 30, 0.3])


def test_scaling_is_a_softmax_of_scaled_and_shifted_logits() -> None:
    fit = VectorScaling((2.0, 1.0), (0.0, float(np.log(3))))
    found = fit(np.array([[0.0, 0.0], [1.0, 2.0]], np.float32))
    assert found[:, 1].tolist() == pytest.approx([0.75, 0.75])


def test_huge_logits_do_not_overflow() -> None:
    assert softmax(np.array([[1e30, -1e30]], np.float32)).tolist() == [[1, 0]]


def test_a_disclosure_is_believed_at_least_as_far_as_the_rules_are_right() -> None:
    calibration, logits = replace(some_calibration(), disclosed=0.9), some_logits(200)
    found = np.arange(200) % 2 == 0
    plain, told = calibration(logits), calibration(logits, disclosed=found)
    yes = told["sponsored"][:, LABELS["sponsored"].index("yes")]
    before = plain["sponsored"][:, LABELS["sponsored"].index("yes")]
    assert (before[found] < 0.9).any()
    assert (before[found] > 0.9).any()
    assert yes[found] == pytest.approx(np.maximum(before[found], 0.9))
    assert (told["sponsored"][~found] == plain["sponsored"][~found]).all()
    assert told["sponsored"].sum(axis=1) == pytest.approx(1)


def test_a_manifest_keeps_every_fit() -> None:
    calibration = replace(some_calibration(), disclosed=0.97)
    content = json.loads(json.dumps(calibration.to_json()))
    assert Calibration.from_json(content) == calibration


def test_a_manifest_without_a_tag_is_refused() -> None:
    content = some_calibration().to_json()
    del content["sponsored"]
    with pytest.raises(KeyError, match="sponsored"):
        Calibration.from_json(content)
