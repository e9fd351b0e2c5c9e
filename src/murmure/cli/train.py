"""`murmure train`: trains a model folder from corpora; `python train.py` is the same."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from murmure.errors import UsageError

_log = logging.getLogger(__name__)

_RECIPES = ("base", "fast")
# What each kind of training imports, some of it only after hours.
_LIBRARIES = {
    "base": ("torch", "transformers", "onnx", "matplotlib"),
    "fast": ("sklearn",),
    "taught": ("sklearn", "torch", "transformers"),
    "further": ("torch", "transformers", "onnx"),
}


def train(  # noqa: PLR0917 - Typer takes options by name
    model: Annotated[
        str, typer.Option(metavar="NAME", help="What to train: base or fast.")
    ] = "base",
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FOLDER",
            help="The model folder.",
            show_default="models/NAME, or models/FILE with --corpus",
        ),
    ] = None,
    corpora: Annotated[
        list[Path] | None,
        typer.Option(
            "--corpus",
            metavar="FILE",
            help="Your own labelled posts, to train a model further on: CSV, TSV, JSONL, Parquet.",
            show_default=False,
        ),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="With --corpus: the model that is trained further.",
            show_default="the shipped base",
        ),
    ] = None,
    validation_share: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="With --corpus: what part is measured on, not trained on.",
            show_default="0.15",
        ),
    ] = None,
    encoding: Annotated[
        str, typer.Option(metavar="NAME", help="With --corpus: of text files.")
    ] = "utf-8",
    licences: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS,...",
            help="Which licences corpora may have.",
            show_default="stated-open,unstated,non-commercial",
        ),
    ] = None,
    configuration: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="TOML that names what differs from the default.",
            show_default=False,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="One setting, such as fast.bits=20.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Train a model on labelled corpora, measure it and write its folder.

    With --corpus, train one further on posts of your own.
    """
    if model not in _RECIPES:
        raise UsageError(
            f"no recipe for a model '{model}'; there is one for: {', '.join(_RECIPES)}"
        )
    if not corpora:
        _refuse_options(start=start, validation_share=validation_share)
    from murmure.training.configuration import load_configuration
    from murmure.training.licences import check_accepted

    given = load_configuration(
        configuration, settings=[*(settings or ()), *_as_settings(licences, validation_share)]
    )
    check_accepted(given["corpora"]["licences"])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    if corpora:
        manifest = _train_further(model, corpora, given, output, start, encoding)
    elif model == "fast":
        _require("taught" if given["fast"]["taught"]["teacher"] else "fast")
        from murmure.training.fast import train as train_fast

        manifest = train_fast(given, output or Path("models") / model)
    else:
        _require("base")
        from murmure.training.base import train as train_base

        manifest = train_base(given, output or Path("models") / model)
    metrics = manifest["metrics"]
    for tag, scores in (metrics.get("held_out") or metrics.get("validation") or {}).items():
        typer.echo(f"{tag}\t{scores['macro_f1']:.3f}")


def _refuse_options(**options: object) -> None:
    for name, value in options.items():
        if value is not None:
            option = "--" + name.replace("_", "-")
            raise UsageError(f"{option} goes with --corpus FILE, which trains a model further")


def _require(kind: str) -> None:
    """See that a training's libraries are installed, before anything is read."""
    for name in _LIBRARIES[kind]:
        if find_spec(name) is None:
            raise UsageError(f"training needs {name}; pip install 'murmure[train]'")


def _as_settings(licences: str | None, validation_share: float | None) -> list[str]:
    settings = []
    if licences is not None:
        classes = [kind.strip() for kind in licences.split(",") if kind.strip()]
        settings.append(f"corpora.licences={json.dumps(classes)}")
    if validation_share is not None:
        settings.append(f"corpora.validation_share={float(validation_share)}")
    return settings


def _train_further(  # noqa: PLR0917 - what the command was given
    model: str,
    files: Sequence[Path],
    configuration: Mapping[str, Any],
    output: Path | None,
    start: Path | None,
    encoding: str,
) -> Mapping[str, Any]:
    """Read a user's own corpus, all of it before a model is touched, and train on it."""
    if model != "base":
        message = (
            f"--corpus trains the base model further, not '{model}'; for it, name the corpus's "
        )
        raise UsageError(message + "folder with --set corpora.folders='[\"…\"]'")
    _require("further")
    from murmure.assets import models_folder
    from murmure.training.own import own_corpus

    folder = start or models_folder() / model
    target = output or Path("models") / files[0].name.partition(".")[0]
    if target.resolve() == folder.resolve() or (output is None and target.name in _RECIPES):
        raise UsageError(f"{target}: would replace a model that is there; name another with -o")
    given = configuration["corpora"]
    posts = own_corpus(
        files,
        validation_share=given["validation_share"],
        seed=given["seed"],
        encoding=encoding,
    )
    from murmure.training.fine_tuning import fine_tune

    held = int(posts.validation.sum())
    _log.info("training on %d posts; %d others are kept to measure on", len(posts) - held, held)
    manifest = fine_tune(posts, configuration, target, start=folder)
    for told in _outcome(manifest["metrics"], target):
        _log.info("%s", told)
    return manifest


def _outcome(metrics: Mapping[str, Any], target: Path) -> Iterator[str]:
    """Tell what came of training further, and what to do next."""
    for tag, found in metrics.get("validation_compared", {}).items():
        low, high = found["interval"]
        yield (
            f"{tag}: macro-F1 {found['macro_f1']:.3f} on {found['posts']} posts, "
            f"before {found['other']:.3f}; "
            f"difference {found['difference']:+.3f} ({low:+.3f} to {high:+.3f})"
        )
    yield f"{target}: written; tag with it: murmure tag POSTS -o RUN --model {target}"


def main() -> None:
    """Run `murmure train` by itself, as `train.py` does."""
    from murmure.cli.main import run

    run(["train"])
