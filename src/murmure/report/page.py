"""Builds the page: one HTML file that holds everything it shows and asks nothing of the network.

The reader's browser gets the numbers of the counts table as data and chooses among them; it adds
nothing up. Words of strangers (posts, names of authors, brands and channels) are cleaned, then
escaped by the template; the script writes them with `textContent` alone, and none of them reaches
the charting library.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from murmure.errors import InputError
from murmure.report import examples, runs, safe, story
from murmure.report.slices import ALL, Slice, Slices
from murmure.report.view import COLUMNS, PANELS, SHOWN, View, groups
from murmure.report.words import Words

if TYPE_CHECKING:
    import pyarrow as pa
    from jinja2 import Template

    from murmure.catalog import Catalog


def build(
    folders: Sequence[str | Path],
    counts: pa.Table,
    *,
    ui: str = "fr",
    catalog: str | Path | None = None,
    title: str | None = None,
    show_authors: bool = False,
) -> str:
    """The page over some tagged runs, as one HTML document.

    Args:
        folders: of the runs that were counted; examples and data quality are read from them.
        counts: the counts table over these runs, with slices by language, channel and media;
            fewer slices make fewer filters.
        ui: language of the page, `fr` or `en`.
        catalog: the file of brands that was counted, where it is not the runs' own: examples are
            then looked for in the texts.
        title: the page's heading; made from the brands' names where None.
        show_authors: whether the examples show who wrote them and whom they name.

    Returns:
        HTML, UTF-8 when written; the same bytes for the same runs and counts.

    Raises:
        InputError: where a folder is no run's, a part cannot be read or counts lack a column.
        UsageError: where the page does not speak `ui`.
    """
    words = Words.load(ui)
    paths = [Path(folder) for folder in folders]
    slices = Slices.of(counts)
    with runs.connect() as database:
        quality = runs.quality(paths, database)
        posts = examples.choose(
            paths,
            database,
            brands=slices.brands(),
            catalog=_foreign(catalog, paths),
            show_authors=show_authors,
        )
    view = View(slices=slices, words=words, quality=quality, posts=posts)
    return _render(view, title=title, show_authors=show_authors)


def write(page: str, file: str | Path) -> None:
    """Writes a page whole or not at all, making the folder that it lies in.

    Raises:
        InputError: where the file cannot be written.
    """
    file = Path(file)
    beside = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(page, encoding="utf-8", newline="\n")
        beside.replace(file)
    except OSError as error:
        beside.unlink(missing_ok=True)
        reason = error.strerror or error
        raise InputError(f"cannot be written ({reason}); choose another place", file=file) from None


def _foreign(catalog: str | Path | None, folders: Sequence[Path]) -> Catalog | None:
    """The catalogue where the runs' mentions are not its own."""
    if catalog is None:
        return None
    from murmure.catalog import Catalog

    loaded = Catalog.load(catalog)
    return None if runs.catalog_fingerprints(folders) == {loaded.fingerprint} else loaded


def _render(view: View, *, title: str | None, show_authors: bool) -> str:
    style, script, charts = (
        _asset(name) for name in ("page.css", "page.js", "vendor/echarts.common.min.js")
    )
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {safe.content_hash(charts)} {safe.content_hash(script)}",
            f"style-src {safe.content_hash(style)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    words = view.words
    html = _template().render(
        w=words,
        ui=words.language,
        policy=policy,
        style=_inline(style),
        script=_inline(script),
        charts=_inline(charts),
        title=safe.clean(title) if title else view.title(),
        deck=view.deck(),
        trend=view.trend(),
        empty=not view.slices.value(Slice(promotion=ALL), "posts"),
        corrected=view.slices.corrected,
        stories=[
            (view.entity_name(told.entity), told.sentences)
            for told in story.tell(
                view.slices, brands=view.brands[:PANELS], axis=view.axis, words=words
            )
        ],
        brands=[view.entity_name(brand) for brand in view.brands],
        languages=[words.name("language", language) for language in view.languages],
        places=view.options(),
        columns=COLUMNS,
        groups=groups(),
        rows=view.rows(),
        several=view.brands != [ALL],
        examples=view.examples(),
        shown=SHOWN,
        quality=view.quality,
        quality_rows=view.quality_rows(),
        show_authors=show_authors,
        data=safe.script_json(view.data()),
    )
    return html.rstrip() + "\n"


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("murmure.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja")


@cache
def _asset(name: str) -> str:
    folder = files("murmure.report")
    return (folder / name).read_text(encoding="utf-8").replace("\r\n", "\n")


def _inline(text: str) -> Markup:
    lowered = text.lower()
    if "</script" in lowered or "</style" in lowered or "<!--" in lowered:
        raise AssertionError("an inline script or style would end its element")
    return Markup(text)  # noqa: S704 - a file of this package, looked through above
