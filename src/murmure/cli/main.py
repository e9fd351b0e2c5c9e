"""The command `murmure`: its subcommands, and how each ends."""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from murmure.cli.audit import audit
from murmure.cli.count import count
from murmure.cli.demo import demo
from murmure.cli.encoder import encoder
from murmure.cli.evaluate import evaluate
from murmure.cli.forget import forget
from murmure.cli.models import models
from murmure.cli.report import report
from murmure.cli.tag import INTERRUPTED, tag
from murmure.cli.train import train
from murmure.errors import MurmureError


class Commands(TyperGroup):
    """The subcommands, with one way to end for all of them.

    What murmure refuses to do ends with its message and exit code, never with a traceback.
    """

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - Typer's own context
        """Runs a subcommand."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except MurmureError as error:
            _tell(str(error))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            _tell("stopped")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError:
            # Whoever read the output has enough; nothing may be flushed to it when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except OSError as error:
            place = f"{error.filename}: " if error.filename else ""
            _tell(f"{place}{error.strerror or error}")
            raise typer.Exit(1) from None
        return result


app = typer.Typer(
    cls=Commands,
    # Plain help: rich would take half of the time that `--help` may take.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _tell(message: str) -> None:
    typer.echo(f"murmure: {message}", err=True)


def _show_version(wanted: bool) -> None:
    if wanted:
        import murmure

        typer.echo(f"murmure {murmure.__version__}")
        raise typer.Exit


@app.callback()
def _murmure(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and stop."
        ),
    ] = False,
) -> None:
    """Read posts in French and English for what people report, then count the people.

    First `murmure tag`, then `murmure count` or `murmure report`; `murmure demo` shows all three.
    """


app.command(short_help="Tag files of posts, however long")(tag)
app.command(short_help="Count tagged posts and the people behind them")(count)
app.command(short_help="Write the page over tagged posts")(report)
app.add_typer(audit, name="audit", short_help="Sharpen the counts with labels by hand")
app.command(short_help="Erase an author's posts from a run's folder")(forget)
app.command(short_help="Measure a model on labelled posts")(evaluate)
app.command(short_help="Train a model on labelled corpora")(train)
app.command(short_help="Make the encoder that base is trained from")(encoder)
app.command(short_help="List the installed models, with their figures")(models)
app.command(short_help="Tag, count and report the sample posts")(demo)


def run(arguments: list[str] | None = None) -> None:
    """Runs the command line and ends the process with its exit code.

    Args:
        arguments: what comes before those that the process was given, such as a subcommand.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Rows are UTF-8 whatever the locale says; names of files come out as they are.
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    app([*(arguments or ()), *sys.argv[1:]], prog_name="murmure")
