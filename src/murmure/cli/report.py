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
    level: Annotated[float, typer.Option(help="How often intervals shall cover the truth.")] = 0.95,
    media: Annotated[
        Path | None,
        typer.Option(help="Which channels are traditional media, which social (TOML)."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="The model that tagged, where its name does not lead to it."),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Heading of the page.")] = None,
    show_authors: Annotated[
        bool, typer.Option("--show-authors", help="Show who wrote the examples.")
    ] = False,
) -> None:
    """Write the page over tagged posts: one HTML file that needs nothing else.

    Over 50 brands, several pages that lead to each other.
    """
    from murmure import influence
    from murmure.report import build_pages, check_output, write

    check_output(output)
    counts = influence.count(
        tagged,
        catalog=catalog,
        by=("entity", "language", "channel", "media"),
        window=window.value,
        level=level,
        media=media,
        model=model,
    )
    pages = build_pages(
        tagged,
        counts,
        name=output.name,
        ui=ui.value,
        catalog=catalog,
        title=title,
        show_authors=show_authors,
    )
    for name, page in pages.items():
        write(page, output.with_name(name))
        typer.echo(output.with_name(name))
