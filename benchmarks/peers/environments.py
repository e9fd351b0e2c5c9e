"""A virtual environment for each peer, made once and weighed before anything else comes in."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[2]
REQUIREMENTS = Path(__file__).parent / "requirements"
_STATE = "environment.json"
#: What the files of posts are read with; no peer's own, so that it is not weighed.
_ALWAYS = ("pyarrow",)
#: What some peers' models are made with, and their taggers do without.
_BESIDE = {"transformers": ("onnx", "onnxscript", "onnxruntime")}
#: Whose environment holds murmure itself, and is renewed with it.
OWN = "murmure"
#: What murmure is built from; copied, since a checkout's models may have gigabytes beside them.
_SOURCES = ("src", "models", "data", "pyproject.toml", "README.md", "LICENSE")
_LEFT_OUT = shutil.ignore_patterns("*.training", "__pycache__", "*.egg-info")
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a peer is installed.

    Attributes:
        name: of its file of requirements.
        python: the interpreter.
        megabytes: what it takes on the disk with all that it depends on, without pip, the
            interpreter and what reads the posts (10^6 bytes).
        versions: of all that is installed.
    """

    name: str
    python: Path
    megabytes: float
    versions: dict[str, str]


def make(name: str, work: Path) -> Environment:
    """Gives a peer's environment, installed where it is not there yet.

    Packages come from wherever pip is set up to look; those in `constraints.txt` have the versions
    given there.

    Args:
        name: of a file in `requirements/`.
        work: the folder with all environments.

    Raises:
        RuntimeError: pip failed.
    """
    folder = work / "environments" / name
    state, python = folder / _STATE, folder / "bin" / "python"
    keys = {"wanted": _hash([REQUIREMENTS / f"{name}.txt"]), "own": _hash(_own_files(name))}
    known = json.loads(state.read_text("utf-8")) if state.is_file() else {}
    if known.get("wanted") != keys["wanted"] or not as_pinned(known["versions"]):
        sys.stderr.write(f"installing {name} into {folder}\n")
        venv.create(folder, clear=True, symlinks=True, with_pip=False)
    elif known.get("own") != keys["own"]:
        sys.stderr.write(f"renewing {name} in {folder}\n")
        state.unlink()
        _pip(python, "uninstall", "--yes", name)
    else:
        return Environment(name, python, known["megabytes"], known["versions"])
    with _sources(name) as sources:
        _install(python, ["-r", str(REQUIREMENTS / f"{name}.txt")], folder=sources)
    megabytes = round(weigh(folder) / _MEGABYTE, 1)
    _install(python, [*_ALWAYS, *_BESIDE.get(name, ())])
    made = Environment(name, python, megabytes, _versions(python))
    content = {**asdict(made), "python": str(python), **keys}
    state.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    return made


@contextmanager
def _sources(name: str) -> Iterator[Path]:
    """The folder that requirements are relative to."""
    if name != OWN:
        yield ROOT
        return
    with tempfile.TemporaryDirectory(prefix="murmure-source-") as made:
        for one in _SOURCES:
            source, target = ROOT / one, Path(made) / one
            if source.is_dir():
                shutil.copytree(source, target, ignore=_LEFT_OUT)
            else:
                shutil.copy(source, target)
        yield Path(made)


def as_pinned(versions: Mapping[str, str], constraints: Path = ROOT / "constraints.txt") -> bool:
    """Tells whether what is installed has the versions of `constraints.txt`, where it has any."""
    lines = constraints.read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line and line[0] != "#")
    for name, version in versions.items():
        plain = version.partition("+")[0]
        if pins.get(name.lower().replace("_", "-"), plain) != plain:
            return False
    return True


def _own_files(name: str) -> list[Path]:
    """What murmure is built from, as far as it changes."""
    if name != OWN:
        return []
    own = [ROOT / "pyproject.toml", *sorted((ROOT / "src").rglob("*.py"))]
    return [*own, *sorted((ROOT / "models").glob("*/manifest.json"))]


def _hash(files: Iterable[Path]) -> str:
    return sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def weigh(folder: Path) -> int:
    """Gives the bytes of all files in a folder, links left out."""
    return sum(
        file.stat().st_size
        for file in folder.rglob("*")
        if file.is_file() and not file.is_symlink()
    )


def _install(python: Path, wanted: Iterable[str], *, folder: Path = ROOT) -> None:
    constraints = str(ROOT / "constraints.txt")
    _pip(python, "install", "--quiet", "-c", constraints, *wanted, folder=folder)


def _pip(python: Path, *wanted: str, folder: Path = ROOT) -> None:
    options = ("--python", str(python), "--disable-pip-version-check", "--no-input")
    command = [sys.executable, "-m", "pip", *options, *wanted]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with code {done.returncode}\n{done.stderr}")


def _versions(python: Path) -> dict[str, str]:
    code = (
        "import json, platform; from importlib.metadata import distributions; "
        "found = {one.metadata['Name']: one.version for one in distributions()}; "
        "print(json.dumps({'python': platform.python_version(), **dict(sorted(found.items()))}))"
    )
    told = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout
    versions: dict[str, str] = json.loads(told)
    return versions
