"""`murmure count`: adds tagged posts up."""

from __future__ import annotations

import json
import logging
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from murmure.errors import UsageError


def count(  # noqa: PLR0917 - Typer reads the options from these
    tagged: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="TAGGED...",
            help="Folders that murmure tag wrote; several are counted together.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help=".parquet, .csv (rounded) or .jsonl; - for CSV on stdout.",
        ),
    ] = "-",
    catalog: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Brands to count (TOML); those that the posts were tagged with, if left out.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        str, typer.Option(metavar="COLUMNS", help="Any of entity, language, channel, media.")
    ] = "entity,language,channel",
    window: Annotated[str, typer.Option(help="day, week or month (UTC, ISO weeks).")] = "week",
    level: Annotated[float, typer.Option(help="How often intervals shall cover the truth.")] = 0.95,
    languages: Annotated[
        str, typer.Option(metavar="LABELS", help="Languages counted, any of fr, en, mixed, other.")
    ] = "fr,en,mixed",
    media: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Which channels are traditional media, which social (TOML).",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="The model that tagged the posts, where its name does not lead to it.",
            show_default=False,
        ),
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Count an unfinished run as far as it goes.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="List the metrics with formula, unit and source.")
    ] = False,
) -> None:
    """Count posts, people and what they report, per entity, window, language and channel."""
    from murmure import influence
    from murmure.influence.tables import check_output

    if explain:
        typer.echo(influence.explain(), nl=False)
        return
    if not tagged:
        raise UsageError("TAGGED is missing; give the folder that murmure tag wrote")
    check_output(output)
    logging.basicConfig(format="murmure: %(message)s", level=logging.WARNING)
    with _status("Counting"):
        counts = influence.count(
            tagged,
            catalog=catalog,
            by=_names(by),
            window=window,
            level=level,
            languages=_names(languages),
            media=media,
            model=model,
            partial=partial,
        )
    influence.write_counts(counts, output)
    told = json.loads((counts.schema.metadata or {}).get(b"murmure", b"{}"))
    if told.get("audited"):
        message = f"murmure: counts audited with {told['audited']:,} labels by hand"
        if not told["audited_all"]:
            message += '; "all" with none: murmure audit sample --whole'
        typer.echo(message, err=True)


def _names(listed: str) -> list[str]:
    return [name.strip() for name in listed.split(",") if name.strip()]


def _status(message: str) -> AbstractContextManager[Any]:
    """A sign of life on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(message)
