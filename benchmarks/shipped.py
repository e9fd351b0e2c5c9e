"""Whether a result was measured on the models that ship, so that no stale figure passes for new."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from murmure.assets import models_folder
from murmure.tagging.folder import CALIBRATION, MANIFEST, installed_models


def shipped() -> dict[str, set[str]]:
    """Per installed model what a result may tell it by: its fingerprint, its calibration's hash."""
    known = {}
    for name in installed_models():
        content = (models_folder() / name / MANIFEST).read_bytes()
        files = json.loads(content)["files"]
        known[name] = {hashlib.sha256(content).hexdigest(), *filter(None, [files.get(CALIBRATION)])}
    return known


def earlier(result: Mapping[str, Any], known: Mapping[str, Collection[str]]) -> str:
    """A sentence that names the models that a result was measured on and that are others by now.

    Args:
        result: what a benchmark wrote.
        known: per model, as `shipped` gives them.

    Returns:
        "" where there are none, or the result tells no fingerprint.

    Example:
        >>> earlier({"settings": {"model": "base", "fingerprint": "ab"}}, {"base": {"cd"}})
        'Measured on an earlier `base`.'
    """
    old = {name for name, told in _told(result) if told not in known.get(name, ())}
    if not old:
        return ""
    return (
        "Measured on an earlier " + " and an earlier ".join(f"`{one}`" for one in sorted(old)) + "."
    )


def with_note(text: str, note: str) -> str:
    r"""A text of Markdown whose last paragraph ends with a note, if there is one.

    Example:
        >>> with_note("Fast.\n", "Measured on an earlier `base`."), with_note("Fast.\n", "")
        ('Fast. Measured on an earlier `base`.\n', 'Fast.\n')
    """
    return re.sub(r"\n*\Z", lambda end: f" {note}{end[0]}", text, count=1) if note else text


def _told(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The models that a result names, with what it tells each by."""
    settings = result.get("settings", {})
    yield from settings.get("fingerprints", {}).items()
    if "fingerprint" in settings:
        yield Path(settings["model"]).name, settings["fingerprint"]
    # What is trained further tells the model that it began with.
    if "base" in settings:
        yield "base", settings["base"]
    if "calibration_sha256" in result:
        yield result["name"], result["calibration_sha256"]
    for name, found in result.get("growth", {}).items():
        yield name, found["fingerprint"]
