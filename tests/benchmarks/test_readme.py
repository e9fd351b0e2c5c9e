"""What README.md is told of the benchmarks: no figure of an earlier model passes for a new one."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from benchmarks.shipped import earlier, shipped, with_note

from benchmarks import readme
from murmure.assets import models_folder

KNOWN = {"base": {"b1", "c1"}, "fast": {"f1"}}
OTHER = "Measured on an earlier `base`."


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ({"settings": {"fingerprints": {"base": "b1", "fast": "f1"}}}, ""),
        ({"settings": {"fingerprints": {"base": "b0", "fast": "f1"}}}, OTHER),
        (
            {"settings": {"fingerprints": {"fast": "f0", "base": "b0"}}},
            "Measured on an earlier `base` and an earlier `fast`.",
        ),
        ({"settings": {"model": "base", "fingerprint": "b1"}}, ""),
        ({"settings": {"model": "models/base", "fingerprint": "b0"}}, OTHER),
        ({"settings": {"base": "b1"}}, ""),
        ({"settings": {"base": "b0"}}, OTHER),
        ({"name": "base", "calibration_sha256": "c1"}, ""),
        ({"name": "base", "calibration_sha256": "c0"}, OTHER),
        ({"growth": {"base": {"fingerprint": "b1"}, "fast": {"fingerprint": "f1"}}}, ""),
        ({"growth": {"base": {"fingerprint": "b0"}, "fast": {"fingerprint": "f1"}}}, OTHER),
        ({"settings": {"model": "gone", "fingerprint": "b1"}}, "Measured on an earlier `gone`."),
        ({"settings": {"model": "fast"}}, ""),
    ],
)
def test_a_model_that_is_another_by_now_is_told(result: dict[str, Any], told: str) -> None:
    assert earlier(result, KNOWN) == told


def test_the_shipped_models_are_told_by_manifest_and_calibration() -> None:
    known = shipped()
    for name in ("base", "fast"):
        folder = models_folder() / name
        for file in ("manifest.json", "calibration.parquet"):
            assert hashlib.sha256((folder / file).read_bytes()).hexdigest() in known[name]


def test_a_note_ends_the_last_paragraph() -> None:
    assert with_note("One.\n\nTwo.\n\n", OTHER) == f"One.\n\nTwo. {OTHER}\n\n"


@pytest.mark.parametrize("fresh", [True, False])
def test_every_paragraph_says_what_it_was_measured_on(
    monkeypatch: pytest.MonkeyPatch, fresh: bool
) -> None:
    if fresh:
        monkeypatch.setattr(readme, "earlier", lambda *_: "")
    else:
        monkeypatch.setattr(readme, "shipped", lambda: {})
    measured = json.loads((readme._RESULTS / "tagging-corpora.json").read_text("utf-8"))
    told = [readme.speed(measured), readme.peers(), readme.counts(), readme.own()]
    assert [text.count("Measured on an earlier") for text in told] == (
        [0] * 4 if fresh else [1, 4, 1, 1]
    )


def test_readme_shows_what_was_measured_with_what_it_was_measured_on() -> None:
    page = (readme.ROOT / "README.md").read_text("utf-8")
    measured = json.loads((readme._RESULTS / "tagging-corpora.json").read_text("utf-8"))
    assert readme.speed(measured) in page, "python benchmarks/readme.py"
    for name, told in (("peers", readme.peers()), ("counts", readme.counts())):
        assert f"<!-- {name} -->" in page
        assert readme.fill(page, name, told) == page, "python benchmarks/readme.py"
