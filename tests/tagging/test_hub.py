"""Models named like one on the hub are fetched; nothing here goes to the network."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from murmure.assets import models_folder
from murmure.errors import ModelError, UsageError
from murmure.tagging import Predictor


def _pretend(monkeypatch: pytest.MonkeyPatch, snapshot_download: object) -> None:
    library = types.ModuleType("huggingface_hub")
    library.snapshot_download = snapshot_download  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "huggingface_hub", library)


def test_owner_and_name_are_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def snapshot_download(name: str, *, revision: str | None) -> str:
        asked.append((name, revision))
        return str(models_folder() / "fast")

    _pretend(monkeypatch, snapshot_download)
    predictor = Predictor.from_pretrained("torvella/tagger", revision="v1")
    assert predictor.name == "fast"
    assert asked == [("torvella/tagger", "v1")]


def test_a_folder_here_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _pretend(monkeypatch, None)
    Predictor.from_pretrained("fast").save_pretrained(tmp_path / "mine" / "tagger")
    monkeypatch.chdir(tmp_path)
    assert Predictor.from_pretrained("mine/tagger").name == "fast"


def test_what_the_hub_does_not_give_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def snapshot_download(*_: object, **__: object) -> str:
        raise ConnectionError("no route\nand more")

    _pretend(monkeypatch, snapshot_download)
    with pytest.raises(ModelError, match=r"no folder 'a/b', and the .* did not give it: no route$"):
        Predictor.from_pretrained("a/b")


def test_without_the_library_the_way_to_get_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ModelError, match=r"no folder 'a/b'; .* pip install huggingface_hub"):
        Predictor.from_pretrained("a/b")


@pytest.mark.parametrize("model", ["fast", None, Path("a/b")])
def test_a_revision_of_a_model_here_is_wrong_usage(model: str | Path | None) -> None:
    with pytest.raises(UsageError, match="revision"):
        Predictor.from_pretrained(model, revision="v1")


@pytest.mark.parametrize("model", ["./mine/x", "../x", "/tmp/none/such", "a/b/c", "-a/b"])
def test_paths_are_not_taken_for_the_hub(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _pretend(monkeypatch, None)
    with pytest.raises(ModelError, match="no model "):
        Predictor.from_pretrained(model)
