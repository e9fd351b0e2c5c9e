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
        for line in _figures(model["metrics"]):
            typer.echo(f"  {line}")


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


def _figures(metrics: Mapping[str, Any]) -> Iterator[str]:
    """The figures of the card's first table, a line a tag."""
    measured, drawn = metrics.get("held_out", {}), metrics.get("held_out_source", {})
    if measured:
        posts = next(iter(measured.values()))["posts"]
        yield f"measured on {posts:,} posts, each by a model that was not trained on it"
        yield f"{'':<12}{'macro-F1':>9}{'95 % interval':>16}{'calibration error':>20}"
    for tag, scores in measured.items():
        bounds = "–".join(f"{bound:.3f}" for bound in scores["interval"])
        error = drawn.get(tag, scores)["calibration_error"]
        yield f"{tag:<12}{scores['macro_f1']:>9.3f}{bounds:>16}{error:>20.3f}"
