"""Builds the page: one HTML file that holds everything it shows and asks nothing of the network.

The reader's browser gets the numbers of the counts table as data and chooses among them; it adds
nothing up. Words of strangers (posts, names of authors, brands and channels) are cleaned, then
escaped by the template; the script writes them with `textContent` alone, and none of them reaches
the charting library.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from markupsafe import Markup

from murmure.errors import InputError
from murmure.influence.runs import tagged_with
from murmure.report import crowd, examples, runs, safe
from murmure.report.headline import COLUMNS, groups
from murmure.report.slices import ALL, Slice, Slices
from murmure.report.view import PANELS, SHOWN, View
from murmure.report.words import Words

#: Brands that share a page; more are split over several.
BRANDS_A_PAGE = 50
#: Alerts shown before the earlier ones are asked for.
LATEST = 3
#: The parts of the page's script, in their order.
SCRIPT = ("numbers", "headline", "charts", "tables", "downloads", "page")

if TYPE_CHECKING:
    import pyarrow as pa
    from jinja2 import Template

    from murmure.catalog import Catalog


def build_pages(
    folders: Sequence[str | Path],
    counts: pa.Table,
    *,
    name: str = "page.html",
    ui: str = "fr",
    catalog: str | Path | None = None,
    title: str | None = None,
    show_authors: bool = False,
) -> dict[str, str]:
    """The pages over some tagged runs: one HTML document, or several where brands are many.

    Args:
        folders: of the runs that were counted; examples and data quality are read from them.
        counts: the counts table over these runs, with slices by language, channel and media;
            fewer slices make fewer filters.
        name: the first page's file; the others get a number before its ending, and each leads to
            the others.
        ui: language of the page, `fr` or `en`.
        catalog: the file of brands that was counted, where it is not the runs' own: examples are
            then looked for in the texts.
        title: the page's heading; made from the brands' names where None.
        show_authors: whether the examples show who wrote them and whom they name.

    Returns:
        HTML by file name, UTF-8 when written; the same for the same runs and counts.

    Raises:
        InputError: where a folder is no run's, a part cannot be read or counts lack a column.
        UsageError: where the page does not speak `ui`.
    """
    words = Words.load(ui)
    paths = [Path(folder) for folder in folders]
    slices = Slices.of(counts, brands_a_page=BRANDS_A_PAGE)
    brands = slices.brands()
    foreign = _foreign(catalog, paths)
    size = -(-len(brands) // slices.pages)
    shares = [brands[first : first + size] for first in range(0, len(brands), size)]
    stem, suffix = Path(name).stem, Path(name).suffix
    names = [name] + [f"{stem}-{number}{suffix}" for number in range(2, len(shares) + 1)]
    pages = {}
    with runs.connect() as database:
        quality = runs.quality(paths, database)
        # Which brands a post names is known where it was tagged with the catalogue counted.
        crowds = {} if foreign else crowd.find(paths, database, named=brands != [ALL])
        for file, share in zip(names, shares, strict=True):
            posts = examples.choose(
                paths, database, brands=share, catalog=foreign, show_authors=show_authors
            )
            view = View(
                slices=slices, words=words, quality=quality, posts=posts, brands=share,
                crowd=crowds,
            )  # fmt: skip
            links = _links(names, shares, here=file, view=view) if len(names) > 1 else []
            pages[file] = _render(view, links=links, title=title, show_authors=show_authors)
    return pages


def build(
    folders: Sequence[str | Path],
    counts: pa.Table,
    *,
    ui: str = "fr",
    catalog: str | Path | None = None,
    title: str | None = None,
    show_authors: bool = False,
) -> str:
    """The page over some tagged runs, as one HTML document; see `build_pages`.

    Where brands are more than one page holds, this is the page of those with most voices.
    """
    pages = build_pages(
        folders, counts, ui=ui, catalog=catalog, title=title, show_authors=show_authors
    )
    return next(iter(pages.values()))


def check_output(file: str | Path) -> None:
    """Whether a page can be written there, before the counting, which takes time.

    Nothing is made: `write` makes the folder.

    Raises:
        InputError: where it cannot.
    """
    file = Path(file)
    reason = None
    try:
        there = next(folder for folder in file.absolute().parents if folder.exists())
        if file.is_dir():
            reason = "is a folder"
        elif not there.is_dir():
            reason = f"{there} is no folder"
        elif not os.access(there, os.W_OK | os.X_OK):
            reason = f"nothing can be written in {there}"
    except OSError as error:
        reason = error.strerror or str(error)
    if reason is not None:
        raise InputError(f"cannot be written ({reason}); choose another place", file=file)


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
    own = all(tagged_with(told, loaded, catalog) for told in runs.catalogs(folders))
    return None if own else loaded


def _links(
    names: Sequence[str], shares: Sequence[Sequence[str]], *, here: str, view: View
) -> list[dict[str, object]]:
    """What leads from a page to the others."""
    return [
        {
            "file": quote(name),
            "here": name == here,
            "told": view.words(
                "head.page",
                n=number,
                first=view.entity_name(share[0]),
                last=view.entity_name(share[-1]),
            ),
        }
        for number, (name, share) in enumerate(zip(names, shares, strict=True), start=1)
    ]


def _render(
    view: View, *, links: list[dict[str, object]], title: str | None, show_authors: bool
) -> str:
    style, charts = (_asset(name) for name in ("page.css", "vendor/echarts.common.min.js"))
    script = _script()
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
    told = view.alerts()
    html = _template().render(
        w=words,
        ui=words.language,
        policy=policy,
        style=_inline(style),
        script=_inline(script),
        charts=_inline(charts),
        title=safe.clean(title) if title else view.title(),
        deck=view.deck(),
        links=links,
        notices=view.notices(),
        alerts=[(view.entity_name(one.entity), view.brands.index(one.entity), one) for one in told],
        no_alert=view.no_alert(),
        latest=LATEST,
        trend=view.trend(),
        empty=not view.slices.value(Slice(promotion=ALL), "posts"),
        corrected=view.slices.corrected,
        stories=[(view.entity_name(one.entity), one.sentences) for one in view.stories()],
        crowds=view.crowds(),
        brands=[view.entity_name(brand) for brand in view.brands],
        languages=[words.name("language", language) for language in view.languages],
        places=view.options(),
        periods=[period.long for period in view.axis],
        touchpoints=view.touchpoints(),
        columns=COLUMNS,
        groups=groups(),
        rows=view.rows(),
        several=list(view.brands) != [ALL],
        examples=view.examples(),
        shown=SHOWN,
        panels=PANELS,
        quality=view.quality,
        quality_rows=view.quality_rows(),
        reservations=view.reservations(),
        show_authors=show_authors,
        data=safe.script_json(view.data()),
        cells=view.cells(),
    )
    return html.rstrip() + "\n"


@cache
def _script() -> str:
    """The parts of the script as one, which waits for its numbers to be unpacked."""
    parts = "".join(_asset(f"script/{name}.js") for name in SCRIPT)
    return f'"use strict";\n(async () => {{\n{parts}}})();\n'


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
