"""The definitions on docs/metrics.md, which are those of `murmure.influence.metrics`."""

from __future__ import annotations

import re

from murmure.influence.metrics import DERIVED, METRICS, Metric
from tests.docs.reader import ROOT

PAGE = ROOT / "docs" / "metrics.md"
_PLACE = re.compile(r"(<!-- definitions -->\n).*?(<!-- /definitions -->)", re.DOTALL)


def with_definitions(page: str) -> str:
    """Give the page with the definitions of today.

    Raises:
        ValueError: if the page has no place for them.
    """
    told = "\n".join(map(_told, METRICS + DERIVED))
    renewed, places = _PLACE.subn(lambda place: f"{place[1]}\n{told}\n{place[2]}", page)
    if places != 1:
        raise ValueError(f"{PAGE}: <!-- definitions --> … <!-- /definitions --> is not there once")
    return renewed


def update_metrics() -> None:
    """Write the definitions of today into the page."""
    PAGE.write_text(with_definitions(PAGE.read_text("utf-8")), "utf-8")


def _told(metric: Metric) -> str:
    facts = {
        "is": metric.formula,
        "in": metric.unit,
        "`n` counts": metric.rests_on,
        "given for": ", ".join(metric.promotions),
        "apart by": ", ".join(metric.split_by),
        "source": metric.source,
    }
    lines = [f"### `{metric.name}`", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {fact} |" for name, fact in facts.items() if fact]
    return "\n".join([*lines, ""])
