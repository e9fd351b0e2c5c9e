"""Small runs, their counts and their pages, for the tests of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from murmure.influence import count
from murmure.report import build
from tests.runs import write_run

SPLITS = ("entity", "language", "channel", "media")

GOOD = {"sentiment": "positive", "experience": "own", "touchpoint": "product"}
BAD = {"sentiment": "negative", "experience": "own", "touchpoint": "delivery"}


def small_story() -> list[dict[str, Any]]:
    """Two brands over four weeks: one late with its parcels in week 11, one with sponsored fans."""
    rows: list[dict[str, Any]] = []

    def add(number: int, day: str, brand: str, **more: Any) -> None:
        for _ in range(number):
            who = len(rows)
            base = {"id": f"r{who}", "author": f"writer{who}", "text": f"post {who} about {brand}"}
            base |= {"created_at": day, "channel": "x"}
            rows.append({**base, "mentions": [brand], **more})

    add(4, "2026-03-03", "Brizelo", **GOOD)
    add(2, "2026-03-04", "Brizelo", **BAD, channel="reviews")
    add(9, "2026-03-10", "Brizelo", **BAD)
    add(3, "2026-03-17", "Brizelo", **GOOD, language="en")
    add(2, "2026-03-24", "Brizelo", **GOOD, channel="press", language="en")
    add(5, "2026-03-11", "Marelle", **GOOD, sponsored="yes", channel="instagram")
    add(6, "2026-03-18", "Marelle", **GOOD, language="en")
    add(1, "2026-03-25", "Marelle", **BAD, author=None)
    return rows


def late_parcels() -> list[dict[str, Any]]:
    """Two brands over twelve weeks: two late parcels a week, then thirty in the tenth."""
    rows: list[dict[str, Any]] = []

    def add(number: int, week: int, brand: str, **more: Any) -> None:
        for _ in range(number):
            who = len(rows)
            day = datetime(2026, 2, 2, tzinfo=UTC) + timedelta(weeks=week)
            base = {"author": f"writer{who}", "text": f"post {who} about {brand}", "channel": "x"}
            rows.append({**base, "created_at": day, "mentions": [brand], **more})

    for week in range(12):
        add(30 if week == 9 else 2, week, "Brizelo", **BAD)
        add(4, week, "Brizelo", **GOOD)
        add(3, week, "Marelle", **GOOD)
    return rows


def counts_of(folder: Path, *, window: str = "week") -> pa.Table:
    """The counts of a run, split as the page wants them."""
    return count(folder, by=SPLITS, window=window)


def page_of(folder: Path, rows: Sequence[Mapping[str, Any]], **options: Any) -> str:
    """The page over `rows`, written as a run into `folder`."""
    run = write_run(folder, rows)
    return build([run], counts_of(run), **options)


def with_estimates(counts: pa.Table) -> pa.Table:
    """The counts as they will be once errors are corrected: raw + 1, from raw - 2 to raw + 3."""
    for name, shift in (("estimate", 1.0), ("low", -2.0), ("high", 3.0)):
        index = counts.schema.get_field_index(name)
        flags = pc.equal(counts["metric"], "alert")
        moved = pc.add(counts["raw"], pc.if_else(flags, 0.0, shift)).cast(pa.float64())
        counts = counts.set_column(index, pa.field(name, pa.float64()), moved)
    return counts


def multiplied(counts: pa.Table, factor: float) -> pa.Table:
    """The counts as they would be of so many times as many posts; ratios stay as they are."""
    counted = pc.is_in(counts["metric"], pa.array(["influence", "share", "alert"]))
    factors = pc.if_else(counted, 1.0, factor)
    for name in ("raw", "estimate", "low", "high"):
        index = counts.schema.get_field_index(name)
        grown = pc.multiply(counts[name].cast(pa.float64()), factors)
        counts = counts.set_column(index, pa.field(name, pa.float64()), grown)
    return counts


@dataclass
class Element:
    """One element of a page, as the browser's rules for tags see it."""

    name: str
    attributes: dict[str, str | None]
    text: str = ""


@dataclass
class Parsed(HTMLParser):
    """A page taken apart: its elements in order, each with the text directly in it."""

    page: str
    elements: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Takes the page apart."""
        super().__init__(convert_charrefs=True)
        self._open: list[Element] = []
        self.feed(self.page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes an element."""
        element = Element(tag, dict(attrs))
        self.elements.append(element)
        if tag not in {"meta", "input", "br", "hr", "img", "link"}:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        """Closes the elements up to this one."""
        while self._open and self._open.pop().name != tag:
            pass

    def handle_data(self, data: str) -> None:
        """Adds to the text of the innermost element."""
        if self._open:
            self._open[-1].text += data

    def all(self, name: str) -> list[Element]:
        """The elements of one name."""
        return [element for element in self.elements if element.name == name]

    def visible(self) -> str:
        """All text that a reader sees."""
        hidden = {"script", "style"}
        return " ".join(e.text.strip() for e in self.elements if e.name not in hidden)
