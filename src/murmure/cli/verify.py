"""`murmure tag --verify`: proves that a run's folder is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from murmure.cli.words import counted

if TYPE_CHECKING:
    from murmure.batch import Verification


def tell(found: Verification, *, unfinished: bool = False) -> None:
    """Says on standard error what was found, and ends with 1 where something is wrong.

    Args:
        found: what was found.
        unfinished: whether a run that is not finished is all right.
    """
    faults = list(found.faults)
    if not (found.complete or unfinished):
        faults.append(
            f"manifest.json: the run is not finished ({counted(found.rows, 'row')} done); "
            "the same murmure tag goes on with it"
        )
    for fault in faults:
        typer.echo(f"murmure: {found.folder}: {fault}", err=True)
    if faults:
        typer.echo(f"murmure: {found.folder}: not whole", err=True)
        raise typer.Exit(1)
    counts = f"{counted(found.rows, 'row')} in = {found.tagged} tagged + {found.rejected} rejected"
    counts += f" + {found.forgotten} forgotten" if found.forgotten else ""
    proved = f"{counted(found.parts, 'part')}, every hash right"
    proved += f", {_as_they_were(found.inputs)}" if found.inputs else ""
    typer.echo(f"murmure: {found.folder}: whole: {counts}; {proved}", err=True)


def _as_they_were(inputs: int) -> str:
    return f"{counted(inputs, 'input')} as {'it was' if inputs == 1 else 'they were'}"
