"""`murmure tag`: tags files of posts, however long, and loses none."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from murmure.cli.words import counted
from murmure.errors import UsageError

if TYPE_CHECKING:
    from murmure.batch import Progress, RunSummary

#: Exit codes beyond those of errors: done, but too many rejects; stopped with Ctrl-C.
TOO_MANY_REJECTS = 3
INTERRUPTED = 130

_DATES_REMEDY = "; --dates day-first (12 March) or month-first, with --overwrite, reads them"


def tag(  # noqa: PLR0917 - Typer reads the options from these
    sources: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE...",
            help="JSONL, CSV, TSV (also .gz, .zst), Parquet; folders, globs; - for JSONL on stdin.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="A folder of parts; - for stdout.",
            show_default=False,
        ),
    ] = None,
    part_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="parquet|jsonl|csv",
            help="Of OUT; counts need parquet. Texts in CSV that a spreadsheet would run as "
            "formulas begin with an apostrophe.",
            show_default="parquet; jsonl for stdout",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A shipped model, or a model's folder.",
            show_default="base; fast where base is not installed",
        ),
    ] = None,
    catalog: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Brands whose mentions are found (TOML).", show_default=False
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="OURS=YOURS,...",
            help="Which input column is which: text=body,author=user.",
            show_default=False,
        ),
    ] = None,
    encoding: Annotated[str, typer.Option(help="Of text files.")] = "utf-8",
    dates: Annotated[
        str | None,
        typer.Option(
            metavar="day-first|month-first",
            help="Of created_at such as 12/03/2026.",
            show_default="left empty, and counted",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Processes that tag.", show_default="one a core; 1 for small inputs"
        ),
    ] = None,
    max_rejects: Annotated[
        str | None,
        typer.Option(
            metavar="N|N%",
            help="Exit with 3 if more rows are rejected; all rows are done all the same.",
            show_default=False,
        ),
    ] = None,
    max_text: Annotated[
        int, typer.Option(metavar="N", min=1, help="Longer texts, in characters, are rejected.")
    ] = 1_000_000,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Start anew; without it, a started run goes on.")
    ] = False,
    verify: Annotated[
        Path | None,
        typer.Option(
            metavar="OUT",
            help="Tag nothing; count OUT's rows and check its hashes, and SOURCE's if given.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Tag posts, from any file, with language, sentiment, experience, touchpoint, sponsored.

    Every row is tagged or listed in OUT/rejects.jsonl with the reason. Stop it at any moment:
    the same command goes on where it was.
    """
    if verify is not None:
        from murmure.batch import verify as look_through
        from murmure.cli.verify import tell as tell_found

        if output is not None:
            raise UsageError("--verify OUT tags nothing; leave out -o")
        return tell_found(look_through(verify, sources or ()))
    if not sources:
        raise UsageError("Missing argument 'SOURCE...': what is to be tagged")
    if output is None:
        raise UsageError("Missing option '--output' / '-o': the folder, or - for standard output")
    allowed = parse_limit(max_rejects)
    # murmure runs alone in this process and its workers.
    from murmure.batch.worker import spare_memory

    spare_memory()
    from murmure.batch import tag_file

    try:
        with _progress() as progress:
            summary = tag_file(
                sources,
                output,
                model=model,
                catalog=catalog,
                columns=columns,
                encoding=encoding,
                dates=dates,
                format=part_format,
                jobs=jobs,
                max_text=max_text,
                overwrite=overwrite,
                progress=progress,
                notice=lambda message: typer.echo(f"murmure: {message}", err=True),
            )
    except KeyboardInterrupt:
        typer.echo(f"murmure: stopped; {_after_stop(sources, output)}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        # Whoever read the rows has enough; nothing may be flushed to it when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None
    typer.echo("\n".join(tell(summary)), err=True)
    if allowed is not None and summary.rejected > allowed(summary.rows):
        rejected = f"{counted(summary.rejected, 'row')} rejected"
        typer.echo(f"murmure: {rejected}, more than --max-rejects {max_rejects}", err=True)
        raise typer.Exit(TOO_MANY_REJECTS)


def parse_limit(given: str | None) -> Callable[[int], float] | None:
    """Reads `--max-rejects`: a count, or a share of the rows in percent.

    Returns:
        how many rejects so many rows may have; None where any number may be.

    Raises:
        UsageError: neither a count nor a percentage.

    Example:
        >>> parse_limit("5%")(200), parse_limit("7")(200)
        (10.0, 7.0)
        >>> parse_limit("many")
        Traceback (most recent call last):
            ...
        murmure.errors.UsageError: --max-rejects: expected a count or a percentage such as 1%, \
but was given 'many'
    """
    if given is None:
        return None
    number = given.strip().removesuffix("%")
    is_share = number != given.strip()
    try:
        limit = float(number) if is_share else float(int(number))
    except ValueError:
        limit = -1.0
    if not (0 <= limit < float("inf")) or (is_share and limit > 100):
        message = "--max-rejects: expected a count or a percentage such as 1%, but was given"
        raise UsageError(f"{message} {given!r}")
    return (lambda rows: rows * limit / 100) if is_share else (lambda _: limit)


def tell(summary: RunSummary) -> list[str]:
    """What is said at the end: one line on the run, then one a thing to know of."""
    from murmure.batch.values import BAD_ORDER

    counts = f"{counted(summary.rows, 'row')} in, {summary.tagged} tagged"
    counts += f", {summary.rejected} rejected"
    counts += f", {summary.forgotten} left out (forgotten)" if summary.forgotten else ""
    where = "stdout" if summary.out == "-" else summary.out
    if summary.already_done:
        return [f"murmure: already done: {counts}, in {where} (--overwrite starts anew)"]
    went_on = f", {summary.resumed} of them before" if summary.resumed else ""
    lines = [f"murmure: {counts}{went_on}; {summary.rate:,.0f} posts/s, to {where}"]
    lines += [f"  rejected: {count} × {reason}" for reason, count in summary.rejected_for.items()]
    for warning, count in summary.warnings.items():
        remedy = _DATES_REMEDY if warning == BAD_ORDER else ""
        lines.append(f"  note: {count} × {warning}{remedy}")
    doubles = summary.duplicate_ids or {}
    if doubles.get("ids"):
        # Strangers chose them: what would steer a terminal is shown as an escape.
        shown = [name if name.isprintable() else repr(name) for name in doubles["first"][:3]]
        first = ", ".join(shown)
        ids = counted(doubles["ids"], "id")
        lines.append(f"  note: {ids} on {doubles['rows']} rows: {first}, …")
    return lines


def _after_stop(sources: list[str], output: str) -> str:
    if "-" in (*sources, output):
        return "a run from standard input or to standard output must be started anew"
    return "the same command goes on from the last finished part"


@contextmanager
def _progress() -> Iterator[Callable[[Progress], None] | None]:
    """Shows rows, rate, rejects and time left on standard error, where that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    shown: list[ProgressColumn] = [
        TextColumn("{task.completed:,.0f} rows"),
        BarColumn(),
        TextColumn("{task.fields[rate]}/s"),
        TextColumn("{task.fields[rejected]:,} rejected"),
        TimeRemainingColumn(),
    ]
    with Bar(*shown, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, rejected=0, rate="–")

        def update(progress: Progress) -> None:
            if not bar.tasks[task].completed and progress.resumed:
                bar.update(task, completed=progress.resumed)
            speed = bar.tasks[task].speed
            bar.update(
                task,
                completed=progress.rows,
                total=progress.total,
                rejected=progress.rejected,
                rate="–" if speed is None else f"{speed:,.0f}",
            )

        yield update
