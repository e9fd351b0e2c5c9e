"""`murmure demo`: the whole way, from posts to page, over the sample."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from murmure.cli.count import count
from murmure.cli.report import Ui, report
from murmure.cli.tag import tag


def demo(
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where all is written.")
    ] = Path("demo"),
    ui: Annotated[Ui, typer.Option(help="Language of the page.")] = Ui.fr,
) -> None:
    """Tag, count and report the sample posts; print where the page is.

    The three commands that are run are shown first, to be tried on other files.
    """
    from murmure.assets import sample_folder

    posts, catalog = sample_folder() / "posts.jsonl", sample_folder() / "catalog.toml"
    run, counts, page = output / "run", output / "counts.csv", output / "page.html"

    _show("tag", posts, "-o", run, "--catalog", catalog, "--overwrite")
    tag([str(posts)], output=str(run), catalog=catalog, overwrite=True)
    _show("count", run, "-o", counts)
    count([run], output=str(counts))
    _show("report", run, "-o", page, "--ui", ui.value)
    report(tagged=[run], output=page, ui=ui)


def _show(*arguments: str | Path) -> None:
    typer.echo(f"$ murmure {shlex.join(map(str, arguments))}", err=True)
