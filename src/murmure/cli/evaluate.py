"""`murmure evaluate`: how right a model is on labelled posts, alone or beside others."""

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
    *,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A shipped model, or a model's folder; given again, one to compare it with.",
            show_default=False,
        ),
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
    figures: Annotated[
        Path | None,
        typer.Option(
            "--plots", metavar="FOLDER", help="Draw reliability.png there.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All figures, as JSON.")] = False,
) -> None:
    """Measure macro-F1, per-label scores and calibration on labelled posts.

    A column `origin` says which source a post is of, if there are several: the worst is named.
    """
    from murmure.training import evaluation, plots

    if figures is not None:
        plots.require()
    names = model or []
    result = evaluation.evaluate(
        sources,
        model=names[0] if names else None,
        beside=names[1:],
        labels=labels,
        columns=columns,
    )
    if figures is not None:
        drawn = {result["model"]: result, **result["beside"]}
        file = figures / "reliability.png"
        plots.reliability({name: found["reliability"] for name, found in drawn.items()}, file)
        typer.echo(f"drawn: {file}", err=True)
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False, indent=1))
    else:
        typer.echo("\n".join(_lines(result)))


def _lines(result: Mapping[str, Any]) -> Iterator[str]:
    rows = result["rows"]
    yield f"model {result['model']}: {rows['tagged']:,} posts, {rows['rejected']:,} rejected"
    yield ""
    yield from _tags(result)
    yield ""
    yield from _labels(result["tags"])
    yield ""
    yield from _confusions(result["tags"])
    for part in (_origins(result), _slices(result), _beside(result)):
        lines = list(part)
        if lines:
            yield ""
            yield from lines


def _score(value: float | None, width: int) -> str:
    return f"{'–' if value is None else format(value, '.3f'):>{width}}"


def _between(bounds: tuple[float, float], *, signed: bool = False) -> str:
    low, high = bounds
    return f"{low:+.3f} to {high:+.3f}" if signed else f"{low:.3f}–{high:.3f}"


def _tags(result: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"{'tag':<12}{'posts':>7}{'macro-F1':>10}{'95 % interval':>14}{'macro-recall':>14}"
        f"{'calibration':>13}{'Brier':>7}{'log loss':>9}"
        + "".join(f"{f'F1 {language}':>7}" for language in result["languages"])
    )
    for tag, scores in result["tags"].items():
        by_language = [found.get(tag) for found in result["languages"].values()]
        yield (
            f"{tag:<12}{scores['posts']:>7,}{scores['macro_f1']:>10.3f}"
            f"{_between(scores['interval']):>14}{scores['macro_recall']:>14.3f}"
            f"{scores['calibration_error']:>13.3f}{scores['brier']:>7.3f}"
            f"{scores['log_loss']:>9.3f}"
        ) + "".join(_score(found and found["macro_f1"], 7) for found in by_language)


def _labels(tags: Mapping[str, Any]) -> Iterator[str]:
    yield f"{'tag':<12}{'label':<10}{'precision':>10}{'recall':>8}{'F1':>8}{'posts':>8}"
    for tag, scores in tags.items():
        for label, score in scores["labels"].items():
            if score["posts"]:
                yield (
                    f"{tag:<12}{label:<10}{_score(score['precision'], 10)}"
                    f"{_score(score['recall'], 8)}{_score(score['f1'], 8)}{score['posts']:>8,}"
                )


def _confusions(tags: Mapping[str, Any]) -> Iterator[str]:
    for place, (tag, scores) in enumerate(tags.items()):
        title = f"{tag}, chosen:" if place else f"{tag}: true in rows, chosen:"
        names = list(scores["labels"])
        yield f"{title:<32}" + "".join(f"{name:>10}" for name in names)
        for name, row in zip(names, scores["confusion"], strict=True):
            yield f"{f'  {name}':<32}" + "".join(f"{count:>10,}" for count in row)


def _origins(result: Mapping[str, Any]) -> Iterator[str]:
    tags, origins = result["tags"], result["origins"]
    if origins:
        yield f"{'macro-F1 by origin':<26}" + "".join(f"{tag:>12}" for tag in tags)
    for origin, scores in origins.items():
        yield f"{origin:<26}" + "".join(
            _score(scores[tag]["macro_f1"] if tag in scores else None, 12) for tag in tags
        )


def _slices(result: Mapping[str, Any]) -> Iterator[str]:
    for tag, scores in result["worst"].items():
        yield (
            f"{tag}: worst on {scores['by']} {scores['slice']}, macro-F1 {scores['macro_f1']:.3f} "
            f"({_between(scores['interval'])}), {scores['posts']:,} posts"
        )
    for tag, found in result["gap"].items():
        yield (
            f"{tag}: French {found['fr']:.3f}, English {found['en']:.3f}, "
            f"difference {found['difference']:+.3f} ({_between(found['interval'], signed=True)})"
        )


def _beside(result: Mapping[str, Any]) -> Iterator[str]:
    for name, found in result["beside"].items():
        yield f"{result['model']} beside {name}, on the same posts"
        yield (
            f"{'tag':<12}{'macro-F1':>10}{'other':>8}{'difference':>12}{'95 % interval':>20}"
            f"{'calibration':>13}{'other':>8}"
        )
        for tag, scores in found["compared"].items():
            errors = [of[tag]["calibration_error"] for of in (result["tags"], found["tags"])]
            yield (
                f"{tag:<12}{scores['macro_f1']:>10.3f}{scores['other']:>8.3f}"
                f"{scores['difference']:>+12.3f}{_between(scores['interval'], signed=True):>20}"
                f"{errors[0]:>13.3f}{errors[1]:>8.3f}"
            )
