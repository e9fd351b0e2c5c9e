"""`murmure models`: which models are there, and how well they do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer


def models(
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="All that the models' manifests say, as JSON.")
    ] = False,
) -> None:
    """List the models that are installed, with the figures of their cards."""
    from murmure.assets import models_folder

    found = installed(models_folder())
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    if not found:
        typer.echo("murmure: no model is installed; train one with train.py", err=True)
    for model in found:
        typer.echo(f"{model['name']}  {model['size'] / 1e6:.1f} MB  {', '.join(model['tags'])}")
        for figure, value in _figures(model["metrics"]):
            typer.echo(f"  {figure:<40} {value}")


def installed(folder: Path) -> list[dict[str, Any]]:
    """The models of a folder, by name, each checked to be whole.

    Args:
        folder: holds one folder for each model.

    Returns:
        For each model `name`, `folder`, `size` (bytes of all its files), `tags` (their labels in
        order) and `metrics`, as its manifest tells them.

    Raises:
        ModelError: where one is damaged.
    """
    from murmure.tagging.folder import MANIFEST, ModelFolder

    models = [ModelFolder.open(file.parent) for file in sorted(folder.glob(f"*/{MANIFEST}"))]
    return [
        {
            "name": model.name,
            "folder": str(model.path),
            "size": sum(file.stat().st_size for file in model.path.rglob("*") if file.is_file()),
            "tags": model.manifest["labels"],
            "metrics": model.manifest.get("metrics", {}),
        }
        for model in models
    ]


def _figures(metrics: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Every number of nested metrics, with its path."""
    for name, value in metrics.items():
        path = f"{above} {name}".strip()
        if isinstance(value, Mapping):
            yield from _figures(value, path)
        elif isinstance(value, float):
            yield path, f"{value:.3f}"
        else:
            yield path, str(value)
