"""How large a page of many brands is, and how long the browser works when it opens and filters.

    python benchmarks/page.py --brands 50 --weeks 104

The counts are made up: every slice has every number, each with its estimate and interval, which is
more than real counts have. Needs Debian's packages chromium and chromium-driver, and selenium
(extra `dev`). Prints JSON; the browser's times are of its processor, so that a busy machine
changes them little.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from murmure.influence.tables import counts_schema
from murmure.report import build_pages, write
from murmure.schema import LABELS

_PLACES = [
    ("all", "all"), ("all", "social"), ("all", "traditional"),
    *((name, "all") for name in ("x", "reviews", "forum", "instagram", "tv", "press", "radio")),
]  # fmt: skip
_EVERYWHERE = ("all", "all", "all")
_METRICS = ("posts", "voices", "unknown_authors", "echoes", "concentration", "good", "bad")
_ORGANIC = ("influence", "advocates", "detractors", "share")
_FILTERS = {"promotion": "a", "period": "50", "brand": "30"}


def main() -> int:
    """Prints the figures; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brands", type=int, default=50)
    parser.add_argument("--weeks", type=int, default=104)
    options = parser.parse_args()
    counts = make_counts(options.brands, options.weeks)
    with tempfile.TemporaryDirectory(prefix="murmure-page-") as folder:
        run = empty_run(Path(folder) / "run", options.brands)
        pages = build_pages([run], counts, ui="en")
        told: dict[str, Any] = {"brands": options.brands, "weeks": options.weeks}
        told["megabytes"] = [round(len(page.encode()) / 1e6, 2) for page in pages.values()]
        first = Path(folder) / "page.html"
        write(next(iter(pages.values())), first)
        told["browser_seconds"] = measure(first, Path(folder) / "profile")
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
    return 0


def make_counts(brands: int, weeks: int) -> pa.Table:
    """Counts in which every slice of some brands and weeks has every number."""
    rows = list(_rows([f"Brand {number:02d}" for number in range(brands)], weeks))
    generator = np.random.default_rng(1)
    raw = np.round(generator.gamma(2, 40, len(rows)))
    estimate = raw * generator.normal(1, 0.1, len(rows))
    half = 2 * np.sqrt(np.maximum(estimate, 1))
    numbers = {
        "raw": raw, "estimate": estimate, "low": estimate - half, "high": estimate + half,
        "n": (1.2 * raw).astype(int), "labels": np.zeros(len(rows), int),
    }  # fmt: skip
    columns = []
    for place, field in enumerate(counts_schema()):
        if field.name in numbers:
            columns.append(pa.array(numbers[field.name], field.type))
        else:
            texts = pa.array([row[place] for row in rows])
            columns.append(texts.dictionary_encode().cast(field.type))
    told = {b"murmure": json.dumps({"level": 0.95})}
    return pa.table(columns, schema=counts_schema()).replace_schema_metadata(told)


def _rows(brands: list[str], weeks: int) -> Iterator[tuple[str, ...]]:
    first = date(2024, 1, 1)
    days = [(first + timedelta(weeks=week)).isocalendar() for week in range(weeks)]
    windows = [f"{day.year}-W{day.week:02d}" for day in days]
    split = [(name, "all", "all") for name in _METRICS]
    split += [("bad", "all", label) for label in LABELS["touchpoint"] if label != "none"]
    split += [(name, label, "all") for name in ("good", "bad") for label in ("own", "shared")]
    for entity, language, (channel, media) in product(
        ["all", *brands], ["all", "fr", "en", "mixed"], _PLACES
    ):
        dated = windows if (language, channel, media) == _EVERYWHERE else []
        for window, promotion in product(["all", *dated], ["organic", "sponsored", "all"]):
            more = [(name, "all", "all") for name in _ORGANIC if promotion == "organic"]
            for metric, experience, touchpoint in split + more:
                yield (
                    entity, window, language, channel, media, promotion,
                    metric, experience, touchpoint, "all",
                )  # fmt: skip


def empty_run(folder: Path, brands: int) -> Path:
    """A run's folder with a few posts of each brand, for the page's examples."""
    from tests.runs import write_run

    story = "The parcel of the new machine came late and nobody answered, then it broke again. "
    rows = [
        {
            "author": f"writer {brand} {number}", "channel": "x", "experience": "own",
            "text": f"{story} {brand} {number} {story}", "created_at": "2024-03-05",
            "mentions": [f"Brand {brand:02d}"], "touchpoint": "delivery",
            "sponsored": "yes" if number % 4 == 0 else "no",
            "sentiment": "negative" if number % 2 else "positive",
        }
        for brand in range(brands)
        for number in range(32)
    ]  # fmt: skip
    return write_run(folder, rows)


def measure(page: Path, profile: Path) -> dict[str, float]:
    """The processor seconds of the browser's main thread: opening, then each filter."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1240,900"):
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={profile}")
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    driver.set_script_timeout(300)

    def spent() -> float:
        found = driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
        return float(next(one["value"] for one in found if one["name"] == "TaskDuration"))

    settle = """
        const done = arguments[arguments.length - 1], told = document.documentElement.dataset;
        const look = () => (told.ready && !told.drawing ? done() : setTimeout(look, 20));
        setTimeout(look, 20);
    """
    try:
        driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
        driver.get(page.as_uri())
        driver.execute_async_script(settle)
        seconds, before = {"open": round(spent(), 2)}, spent()
        for name, value in _FILTERS.items():
            driver.execute_script(
                """
                const [name, value] = arguments, form = document.getElementById("filters");
                if (name === "promotion") form.elements.promotion.value = value;
                else document.getElementById(`filter-${name}`).value = value;
                form.dispatchEvent(new Event("change", { bubbles: true }));
                """,
                name,
                value,
            )
            driver.execute_async_script(settle)
            seconds[name], before = round(spent() - before, 2), spent()
        return seconds
    finally:
        driver.quit()


if __name__ == "__main__":
    raise SystemExit(main())
