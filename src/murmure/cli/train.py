"""`murmure train`: trains a model folder from corpora; `python train.py` is the same."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from murmure.errors import UsageError


def train(
    model: Annotated[str, typer.Option(metavar="NAME", help="What to train: fast.")] = "fast",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="The model folder.", show_default="models/NAME"
        ),
    ] = None,
    configuration: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="TOML that names what differs from the default."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="One setting, such as fast.bits=20."),
    ] = None,
) -> None:
    """Train a model on labelled corpora, measure it and write its folder."""
    if model != "fast":
        raise UsageError(f"no recipe for a model '{model}'; there is one for: fast")
    from murmure.training.configuration import load_configuration
    from murmure.training.fast import train as train_fast

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    folder = output or Path("models") / model
    manifest = train_fast(load_configuration(configuration, settings=settings or ()), folder)
    for tag, scores in manifest["metrics"]["cross_fitted"].items():
        typer.echo(f"{tag}\t{scores['macro_f1']:.3f}")


def main() -> None:
    """Run `murmure train` by itself, as `train.py` does."""
    from murmure.cli.main import run

    run(["train"])
