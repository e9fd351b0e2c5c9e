"""`murmure forget`: erases a person's posts from a run's folder, and proves it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from murmure.cli.words import counted


def forget(
    folder: Annotated[
        Path,
        typer.Argument(metavar="TAGGED", help="A run's folder.", show_default=False),
    ],
    author: Annotated[
        str,
        typer.Option(
            metavar="A",
            help="The author as the column author has it, letter for letter.",
            show_default=False,
        ),
    ],
) -> None:
    """Erase an author's posts and rejects from a run's folder, and check the folder anew.

    The manifest keeps a salted hash of the author, how much was erased, and the day; not the name.
    A run that goes on in the folder, or is started anew there, leaves the author's rows out. The
    files that were tagged are not touched; neither are counts and pages that were made before.
    """
    from murmure.batch import forget as erase
    from murmure.batch import verify
    from murmure.cli.verify import tell

    erasure = erase(folder, author)
    if erasure.earlier is not None:
        said = f"erased on {erasure.earlier} already; nothing of theirs was left"
    else:
        said = f"{counted(erasure.posts, 'post')} and {counted(erasure.rejects, 'reject')} erased"
        said += f", {counted(len(erasure.parts), 'part')} written again"
    typer.echo(f"murmure: {folder}: {said}", err=True)
    tell(verify(folder), unfinished=True)
