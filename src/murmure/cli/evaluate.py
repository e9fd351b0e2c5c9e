"""`murmure evaluate`: how right a model is on labelled posts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer


def evaluate(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA...",
            help="Labelled posts: files with text and a column for each labelled tag.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A shipped model, or a model's folder."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Labels by id, if they stand apart.", show_default=False),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="OURS=YOURS,...",
            help="Which input column is which: text=body.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All figures, as JSON.")] = False,
) -> None:
    """Measure macro-F1, per-label scores and calibration on labelled posts."""
    from murmure.training import evaluation

    result = evaluation.evaluate(sources, model=model, labels=labels, columns=columns)
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False, indent=1))
    else:
        typer.echo("\n".join(_lines(result)))


def _lines(result: Mapping[str, Any]) -> Iterator[str]:
    rows = result["rows"]
    yield f"model {result['model']}: {rows['tagged']:,} posts, {rows['rejected']:,} rejected"
    yield ""
    yield (
        f"{'tag':<12}{'posts':>7}{'macro-F1':>10}{'95 % interval':>16}{'calibration':>13}"
        + "".join(f"{language:>8}" for language in result["languages"])
    )
    for tag, scores in result["tags"].items():
        low, high = scores["interval"]
        by_language = [found.get(tag) for found in result["languages"].values()]
        yield (
            f"{tag:<12}{scores['posts']:>7,}{scores['macro_f1']:>10.3f}"
            f"{f'{low:.3f}–{high:.3f}':>16}{scores['calibration_error']:>13.3f}"
        ) + "".join(f"{found['macro_f1']:>8.3f}" if found else f"{'–':>8}" for found in by_language)
    yield ""
    yield f"{'tag':<12}{'label':<10}{'precision':>10}{'recall':>8}{'F1':>8}{'posts':>8}"
    for tag, scores in result["tags"].items():
        for label, score in scores["labels"].items():
            if score["posts"]:
                shown = [score["precision"], score["recall"], score["f1"]]
                figures = [f"{'–' if value is None else format(value, '.3f')}" for value in shown]
                yield (
                    f"{tag:<12}{label:<10}{figures[0]:>10}{figures[1]:>8}{figures[2]:>8}"
                    f"{score['posts']:>8,}"
                )
