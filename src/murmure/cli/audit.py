"""`murmure audit`: a person's labels on a random sample tell how right the tagger is on a run."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from murmure.influence.accuracy import Share, TagAccuracy

audit = typer.Typer(
    no_args_is_help=True,
    help="Labels by hand on a random sample: how right the tagger is here, and sharper counts.",
    rich_markup_mode=None,
)

_Tagged = Annotated[
    Path, typer.Argument(metavar="TAGGED", help="The folder that murmure tag wrote.")
]
_Partial = Annotated[
    bool, typer.Option("--partial", help="Take an unfinished run as far as it goes.")
]


@audit.command(short_help="Draw a random sample of posts to label")
def sample(  # noqa: PLR0917 - Typer reads the options from these
    tagged: _Tagged,
    size: Annotated[
        int, typer.Option("--number", "-n", metavar="N", help="How many posts to draw.")
    ] = 300,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help=".csv (opens in a spreadsheet) or .jsonl; without an ending both; "
            "- for CSV on stdout.",
        ),
    ] = "-",
    stratify: Annotated[
        str,
        typer.Option(
            metavar="STRATA",
            help="Any of uncertainty, entity, language, channel: more of what the tagger is "
            "unsure of. A simple random sample, if left out.",
            show_default=False,
        ),
    ] = "",
    languages: Annotated[
        str, typer.Option(metavar="LABELS", help="Languages drawn from.")
    ] = "fr,en,mixed",
    seed: Annotated[int, typer.Option(min=0, help="The same gives the same sample.")] = 0,
    whole: Annotated[
        bool,
        typer.Option(
            "--whole",
            help="Ask about posts as wholes, for the numbers of 'all', not about each brand that "
            "they name. Changes nothing in a run without catalogue.",
        ),
    ] = False,
    show_labels: Annotated[
        bool,
        typer.Option(
            "--show-labels", help="Write the tagger's labels beside; they lead the reader."
        ),
    ] = False,
    partial: _Partial = False,
) -> None:
    """Draw a random sample of tagged posts, to be labelled in a spreadsheet.

    Fill in what you can, in any order, then give the file to `murmure audit apply`.
    """
    from murmure.influence.audit import draw_sample
    from murmure.influence.sheets import check_sheet, write_csv, write_sheet

    if output != "-":
        check_sheet(output)
    draw = draw_sample(
        tagged,
        size=size,
        stratify=_names(stratify),
        languages=_names(languages),
        seed=seed,
        whole=whole,
        partial=partial,
    )
    if output == "-":
        sys.stdout.flush()
        write_csv(draw.units, sys.stdout.buffer, show_labels)
        sys.stdout.buffer.flush()
    else:
        write_sheet(draw.units, output, show_labels=show_labels)
    told = f"{len(draw.units):,} of {draw.population:,} drawn"
    if len(draw.units) < size:
        told += f", all there are (-n {size})"
    _tell(f"{told}; fill in what you can, then: murmure audit apply {tagged} FILE")


@audit.command(short_help="Read the labels back; tell how right the tagger is")
def apply(
    tagged: _Tagged,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The sheet, filled in as far as you like.")
    ],
    level: Annotated[float, typer.Option(help="How often intervals shall cover the truth.")] = 0.95,
    as_json: Annotated[bool, typer.Option("--json", help="All figures, as JSON.")] = False,
    partial: _Partial = False,
) -> None:
    """Read a person's labels, keep them in the run's folder, tell how right the tagger is.

    `murmure count` uses them from then on, and says how many audited its counts, or that none did.
    """
    from murmure.errors import UsageError
    from murmure.influence.accuracy import measure
    from murmure.influence.audit import apply_labels, drawn_keys
    from murmure.influence.sheets import read_sheet

    if not 0 < level < 1:
        raise UsageError(f"--level {level}: must lie between 0 and 1, as 0.95 does")
    labels = read_sheet(file, keys=drawn_keys(tagged))
    table = apply_labels(tagged, labels, partial=partial)
    measured = measure(table, level=level)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in measured], ensure_ascii=False, indent=1))
    else:
        typer.echo("\n".join(_lines(measured, level)))
    _tell(f"{len(labels):,} posts taken over, {table.num_rows:,} in all; counts will use them")


def _names(listed: str) -> list[str]:
    return [name.strip() for name in listed.split(",") if name.strip()]


def _tell(message: str) -> None:
    typer.echo(f"murmure: {message}", err=True)


def _lines(measured: Sequence[TagAccuracy], level: float) -> Iterator[str]:
    yield f"{'tag':<12}{'labels':>7}{'right':>8}{f'{level:.0%} interval':>16}"
    for one in measured:
        yield f"{one.tag:<12}{one.labels:>7,}{_share(one.accuracy)}"
    for one in measured:
        yield ""
        seen = [
            name
            for name in one.confusion
            if any(one.confusion[name].values()) or any(row[name] for row in one.confusion.values())
        ]
        yield f"{one.tag}: share of the run's posts, the tagger's labels down, yours across"
        yield f"{'':<12}" + "".join(f"{name:>10}" for name in seen) + f"{'right':>8}{'':>16}"
        for name in seen:
            cells = "".join(f"{one.weighted[name][other]:>10.1%}" for other in seen)
            yield f"{name:<12}{cells}{_share(one.trusted[name])}"
        found = "".join(f"{_percent(one.found[name].value):>10}" for name in seen)
        yield f"{'found':<12}{found}"


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def _share(share: Share) -> str:
    if share.value is None or share.low is None or share.high is None:
        return f"{'–':>8}{'':>16}"
    return f"{share.value:>8.1%}{f'{share.low:.1%}–{share.high:.1%}':>16}"
