"""Where shipped files are found: in a checkout first, else in the installed package."""

from __future__ import annotations

from pathlib import Path

import pytest

from murmure import assets
from murmure.errors import InputError, ModelError


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """An empty checkout and an empty installed package."""
    checkout, package = tmp_path / "checkout", tmp_path / "site-packages" / "murmure"
    checkout.mkdir()
    package.mkdir(parents=True)
    monkeypatch.setattr(assets, "_CHECKOUT", checkout)
    monkeypatch.setattr(assets, "_PACKAGE", package)
    return checkout, package


def test_an_installed_package_has_its_own(places: tuple[Path, Path]) -> None:
    checkout, package = places
    for name in ("models", "sample"):
        (package / name).mkdir()
    (checkout / "models").mkdir()  # a stranger's folder: no pyproject.toml beside it
    assert assets.models_folder() == package / "models"
    assert assets.sample_folder() == package / "sample"


def test_a_checkouts_files_win_over_copies_of_an_earlier_build(places: tuple[Path, Path]) -> None:
    checkout, package = places
    (checkout / "pyproject.toml").touch()
    for folder in (checkout / "models", checkout / "data/sample", package / "models"):
        folder.mkdir(parents=True)
    assert assets.models_folder() == checkout / "models"
    assert assets.sample_folder() == checkout / "data/sample"


@pytest.mark.usefixtures("places")
def test_what_is_missing_is_named_with_what_to_do() -> None:
    with pytest.raises(ModelError, match=r"models: .*install murmure again"):
        assets.models_folder()
    with pytest.raises(InputError, match=r"sample: .*install murmure again"):
        assets.sample_folder()
