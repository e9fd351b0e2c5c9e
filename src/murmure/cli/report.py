"""`murmure report`: writes the page over a tagged run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Ui(StrEnum):
    """Languages of the page."""

    fr = "fr"
    en = "en"


class Window(StrEnum):
    """Periods of the charts over time."""

    day = "day"
    week = "week"
    month = "month"


def report(
    *,
    tagged: Annotated[
        list[Path], typer.Argument(help="Folders that murmure tag wrote.", metavar="TAGGED...")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write.")] = Path(
        "page.html"
    ),
    ui: Annotated[Ui, typer.Option(help="Language of the page.")] = Ui.fr,
    catalog: Annotated[
        Path | None,
        typer.Option(help="Brands to count; those the posts were tagged with where not given."),
    ] = None,
    window: Annotated[Window, typer.Option(help="Periods of the charts.")] = Window.week,
    title: Annotated[str | None, typer.Option(help="Heading of the page.")] = None,
    show_authors: Annotated[
        bool, typer.Option("--show-authors", help="Show who wrote the examples.")
    ] = False,
) -> None:
    """Write the page over tagged posts: one HTML file that needs nothing else."""
    from murmure import influence
    from murmure.report import build, write

    counts = influence.count(
        tagged,
        catalog=catalog,
        by=("entity", "language", "channel", "media"),
        window=window.value,
    )
    page = build(
        tagged, counts, ui=ui.value, catalog=catalog, title=title, show_authors=show_authors
    )
    write(page, output)
    typer.echo(output)
