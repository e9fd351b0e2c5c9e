"""What an installation gets: the package's face, and the files in its wheel."""

from __future__ import annotations

import tomllib
import zipfile
from pathlib import Path

import pytest

import murmure
from murmure.assets import models_folder, sample_folder
from tests.processes import python

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    builders = pytest.importorskip("hatchling.builders.wheel", reason="needs hatchling (extra dev)")
    folder = tmp_path_factory.mktemp("wheel")
    (built,) = builders.WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return zipfile.ZipFile(built).namelist()


@pytest.mark.parametrize("name", [name for name in murmure.__all__ if name != "__version__"])
def test_every_public_name_is_there_and_documented(name: str) -> None:
    public = getattr(murmure, name)
    assert public.__name__ == name
    assert public.__doc__
    assert name in dir(murmure)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Oracle'"):
        murmure.Oracle  # noqa: B018 - the access is what is tested


def test_importing_murmure_loads_no_other_library() -> None:
    code = """
import sys
before = set(sys.modules)
import murmure
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(new - sys.stdlib_module_names))
"""
    done = python("-c", code)
    assert done.stdout == "['murmure']\n"


def test_wheel_holds_every_file_of_the_package(wheel: list[str]) -> None:
    source = ROOT / "src"
    expected = {
        file.relative_to(source).as_posix()
        for file in (source / "murmure").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert {"murmure/py.typed", "murmure/disclosure.toml"} <= expected
    assert expected <= set(wheel)


def test_wheel_holds_models_and_sample(wheel: list[str]) -> None:
    shipped = {"models": models_folder(), "sample": sample_folder()}
    for name, folder in shipped.items():
        files = [
            file
            for file in folder.rglob("*")
            # What a training keeps for its own use is not shipped.
            if file.is_file() and ".training/" not in file.as_posix()
        ]
        assert files, name
        for file in files:
            assert f"murmure/{name}/{file.relative_to(folder).as_posix()}" in wheel


def test_wheel_holds_nothing_else(wheel: list[str]) -> None:
    tops = {name.partition("/")[0] for name in wheel}
    assert tops == {"murmure", f"murmure-{_version()}.dist-info"}
    unwanted = ("__pycache__", "/tests/", ".training/")
    assert not [name for name in wheel if any(part in name for part in unwanted)]


def _version() -> str:
    with (ROOT / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])
