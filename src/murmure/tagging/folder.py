"""Model folders: where they are, and proof that they are whole.

A folder holds `manifest.json`, weights that cannot run code, `calibration.parquet` and a card.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from murmure.assets import models_folder
from murmure.errors import ModelError
from murmure.schema import LABELS

MANIFEST = "manifest.json"
FORMAT = 1
#: What the counts are put right with, where a model has it.
CALIBRATION = "calibration.parquet"
#: What each kind of model reads its weights from.
OWN_FILES: Mapping[str, tuple[str, ...]] = {
    "linear": ("weights.safetensors",),
    "encoder": ("model.onnx", "tokenizer.json"),
}
#: Which shipped model is the default: the first of these that is installed.
_PREFERRED = ("base", "fast")
# What may stand beside a model and be edited without making another of it.
_NOTES = ("EXPERIMENTS.md",)
# What every manifest holds, and of which kind.
_PARTS = {
    "name": str,
    "kind": str,
    "settings": dict,
    "calibration": dict,
    "thresholds": dict,
    "files": dict,
}


@dataclass(frozen=True)
class ModelFolder:
    """A model folder whose every file was checked.

    Attributes:
        path: where it is.
        manifest: the content of `manifest.json`.
        fingerprint: SHA-256 of `manifest.json`, which holds that of every other file.
    """

    path: Path
    manifest: Mapping[str, Any]
    fingerprint: str

    @property
    def name(self) -> str:
        """What the model is called."""
        return str(self.manifest["name"])

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the model's own kind needs to know."""
        settings: Mapping[str, Any] = self.manifest["settings"]
        return settings

    @property
    def calibration(self) -> Mapping[str, Any]:
        """The fits that turn logits into probabilities."""
        calibration: Mapping[str, Any] = self.manifest["calibration"]
        return calibration

    @property
    def thresholds(self) -> dict[str, float]:
        """Per tag the score below which the model abstains.

        Raises:
            ModelError: if the manifest lacks one.
        """
        given = self.manifest["thresholds"]
        for tag in LABELS:
            if not isinstance(given.get(tag), int | float):
                file = self.path / MANIFEST
                raise ModelError(f"lacks the threshold of {tag}; fetch the model again", file=file)
        return {tag: float(given[tag]) for tag in LABELS}

    @classmethod
    def open(cls, model: str | Path | None = None) -> ModelFolder:
        """Find a model and check it.

        Args:
            model: the name of a shipped model, or a folder; None for the default.

        Raises:
            ModelError: if there is none, or it is damaged or of another version.

        Example:
            >>> ModelFolder.open("fast").name
            'fast'
            >>> ModelFolder.open("swift")
            Traceback (most recent call last):
                ...
            murmure.errors.ModelError: no model 'swift'; installed are: base, fast; or give a folder
        """
        path = _find(model)
        file = path / MANIFEST
        try:
            content = file.read_bytes()
            manifest = json.loads(content)
        except FileNotFoundError:
            raise ModelError("missing; this is not a model folder", file=file) from None
        except (ValueError, OSError) as error:
            raise ModelError(
                f"cannot be read ({error}); fetch the model again", file=file
            ) from error
        _check(manifest, file)
        for name, expected in manifest["files"].items():
            _check_file(path / name, expected)
        return cls(path, manifest, hashlib.sha256(content).hexdigest())

    def copy(self, folder: str | Path) -> None:
        """Copy the folder's files to another, which is made if need be."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        for name in [*self.manifest["files"], MANIFEST]:
            if not (target / name).exists() or not (target / name).samefile(self.path / name):
                shutil.copyfile(self.path / name, target / name)


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write `manifest.json`, with the SHA-256 of every other file of the folder."""
    files = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.iterdir())
        if file.is_file() and file.name not in (MANIFEST, *_NOTES)
    }
    content = {
        "format": FORMAT,
        **manifest,
        "labels": {tag: list(labels) for tag, labels in LABELS.items()},
        "files": files,
    }
    text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)
    (folder / MANIFEST).write_text(text + "\n", "utf-8")


def installed_models() -> list[str]:
    """Name the models that ship with murmure."""
    return sorted(file.parent.name for file in models_folder().glob(f"*/{MANIFEST}"))


def default_model() -> str:
    """Name the model that is used unless another is asked for."""
    installed = installed_models()
    return next((name for name in _PREFERRED if name in installed), _PREFERRED[-1])


def kind_of(model: str | Path) -> str | None:
    """The kind of a model, by its manifest alone; None where none can be read.

    Example:
        >>> kind_of("fast"), kind_of("swift")
        ('linear', None)
    """
    try:
        kind = json.loads((_find(model) / MANIFEST).read_bytes())["kind"]
    except (ModelError, OSError, ValueError, KeyError, TypeError):
        return None
    return str(kind)


def _find(model: str | Path | None) -> Path:
    if model is None:
        model = default_model()
    installed = installed_models()
    if str(model) in installed:
        return models_folder() / model
    path = Path(model)
    if not path.is_dir():
        names = ", ".join(installed) or "none"
        raise ModelError(f"no model '{model}'; installed are: {names}; or give a folder")
    return path


def _check(manifest: Any, file: Path) -> None:  # noqa: ANN401 - any JSON value
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else manifest
        raise ModelError(
            f"format {found!r}, but this murmure reads format {FORMAT}; "
            "use the model's own version of murmure, or train it again",
            file=file,
        )
    if manifest.get("labels") != {tag: list(labels) for tag, labels in LABELS.items()}:
        raise ModelError("other tags or labels than this murmure's; train it again", file=file)
    lacking = [part for part, kind in _PARTS.items() if not isinstance(manifest.get(part), kind)]
    if lacking:
        raise ModelError(f"lacks proper {', '.join(lacking)}; fetch the model again", file=file)
    if any(Path(name).name != name or name in ("", "..") for name in manifest["files"]):
        raise ModelError("names a file outside the folder; it is not to be trusted", file=file)
    # A file that is not listed could be any: the fingerprint would not tell this model from others.
    needed = [*OWN_FILES.get(manifest["kind"], ())]
    needed += [CALIBRATION] if (file.parent / CALIBRATION).exists() else []
    unlisted = [name for name in needed if name not in manifest["files"]]
    if unlisted:
        raise ModelError(f"does not list {', '.join(unlisted)}; fetch the model again", file=file)


def _check_file(file: Path, expected: str) -> None:
    try:
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ModelError(f"{error.strerror}; fetch the model again", file=file) from error
    if found != expected:
        raise ModelError("is not what manifest.json says; fetch the model again", file=file)
