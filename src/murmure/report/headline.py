"""The headline table: its columns, their headings, and how a number of it is written."""

from __future__ import annotations

from dataclasses import dataclass

from murmure.report.slices import Cell
from murmure.report.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One number of the headline table.

    Attributes:
        id: what words and definitions are filed under.
        metric: of the counts table.
        promotion: `organic` or `sponsored` where the column is always that; "" for the chosen one.
        form: `signed`, `count` or `percent`.
        about: the definition that explains it.
        group: the heading that the column stands under.
        tone: the colour of its mark.
    """

    id: str
    metric: str
    promotion: str
    form: str
    about: str
    group: str
    tone: str = ""


#: In the order of the page.
COLUMNS = (
    Column(id="influence", metric="influence", promotion="organic", form="signed",
           about="influence", group="think"),
    Column(id="detractors", metric="detractors", promotion="organic", form="count",
           about="detractors", group="think", tone="negative"),
    Column(id="advocates", metric="advocates", promotion="organic", form="count",
           about="advocates", group="think", tone="positive"),
    Column(id="voices_organic", metric="voices", promotion="organic", form="count",
           about="voices", group="who", tone="organic"),
    Column(id="voices_sponsored", metric="voices", promotion="sponsored", form="count",
           about="promotion", group="who", tone="sponsored"),
    Column(id="share", metric="share", promotion="organic", form="percent",
           about="share", group="who"),
    Column(id="posts", metric="posts", promotion="", form="count", about="posts", group="live"),
    Column(id="good", metric="good", promotion="", form="count", about="good", group="live",
           tone="positive"),
    Column(id="bad", metric="bad", promotion="", form="count", about="bad", group="live",
           tone="negative"),
)  # fmt: skip

#: Metrics without a row in "Everyone": a share of everyone says nothing.
NOT_FOR_ALL = ("share",)


def figure(cell: Cell | None, form: str, words: Words) -> dict[str, str]:
    """A number, its interval, its raw count and what a hover tells; the script writes the same.

    The raw count is for paper, where nothing hovers, and stands beside estimates alone.

    Example:
        >>> told = figure(Cell(64.0, 90, 60.2, 49.0, 81.4), "count", Words.load("en"))
        >>> told["value"], told["interval"], told["raw"]
        ('60', '[49–81]', 'raw 64')
        >>> told["hint"]
        'estimate 60 [49–81] · raw 64 · n 90'
        >>> figure(None, "count", Words.load("en"))
        {'value': '–', 'interval': '', 'raw': '', 'hint': ''}
    """
    if cell is None or cell.value is None:
        return {"value": words("table.none"), "interval": "", "raw": "", "hint": ""}
    write = {"signed": words.signed, "percent": words.percent}.get(form, words.number)
    interval, raw, told = "", "", []
    if cell.low is not None and cell.high is not None:
        low = words.number(100 * cell.low) if form == "percent" else write(cell.low)
        ends = {"low": low, "high": write(cell.high)}
        span = (
            words("chart.from_to", **ends) if form == "signed" else f"{ends['low']}–{ends['high']}"
        )
        interval = f"[{span}]"
    if cell.estimate is not None:
        told.append(f"{words('chart.estimate')} {write(cell.estimate)} {interval}".rstrip())
    if cell.raw is not None:
        told.append(f"{words('chart.raw')} {write(cell.raw)}")
        raw = told[-1] if cell.estimate is not None else ""
    told.append(f"{words('chart.n')} {words.number(cell.n)}")
    hint = " · ".join(told)
    return {"value": write(cell.value), "interval": interval, "raw": raw, "hint": hint}


def groups() -> list[tuple[str, int]]:
    """The headings over the headline table's columns, and how many columns each spans."""
    widths: dict[str, int] = {}
    for column in COLUMNS:
        widths[column.group] = widths.get(column.group, 0) + 1
    return list(widths.items())
