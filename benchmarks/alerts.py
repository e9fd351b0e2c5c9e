"""How often alerts are false, and how soon they see a rise, on simulated counts.

    python benchmarks/alerts.py                     # 5,000 brand-years and more; some minutes
    python benchmarks/alerts.py --brand-years 500   # quicker, and less sure

A brand has a mean of 2 to 200 bad experiences a week (log-uniform), drawn once, and nine times as
many other posts. Weekly counts are negative binomial with a variance of 1, 2 or 3 times the mean,
autocorrelated through the logarithm's normal score of their gamma rate (correlation 0, 0.3 or 0.6
from week to week). The tagger finds 75 % of bad experiences and takes 2 % of other posts for some:
`raw` are its counts, `estimate` what is corrected with these rates, `true` what happened. Of 104
weeks the first 52 are history. A false alarm is a brand-year (the last 52 weeks) without any change
that has an alert. A rise is a doubling from 50 a week that lasts; it is seen where one of its first
two weeks has an alert. Results go to `results/alerts.json`.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))

import murmure
from benchmarks.measuring import machine, versions
from murmure.influence.accuracy import wilson
from murmure.influence.alerts import LEVEL, find_alerts

HISTORY, YEAR = 52, 52
SPREADS = (1.0, 2.0, 3.0)
CORRELATIONS = (0.0, 0.3, 0.6)
FOUND, MISTAKEN, OTHERS = 0.75, 0.02, 9.0
SERIES = ("raw", "estimate", "true")

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def draw_counts(
    generator: np.random.Generator, means: Floats, *, spread: float, correlation: float
) -> Integers:
    """Weekly counts.

    Args:
        generator: of random numbers.
        means: of shape (brands, weeks).
        spread: variance of a count, as a multiple of its mean.
        correlation: of the normal scores of neighbouring weeks' rates.
    """
    if spread <= 1:
        return generator.poisson(means)
    from scipy.special import gammaincinv, ndtr

    score = generator.normal(size=means.shape)
    for week in range(1, means.shape[1]):
        own = (1 - correlation**2) ** 0.5 * score[:, week]
        score[:, week] = correlation * score[:, week - 1] + own
    shape = means / (spread - 1)
    return np.asarray(generator.poisson(gammaincinv(shape, ndtr(score)) * (spread - 1)))


def tag(generator: np.random.Generator, bad: Integers, others: Integers) -> dict[str, Floats]:
    """What the tagger makes of the posts, by name of the series."""
    raw = generator.binomial(bad, FOUND) + generator.binomial(others, MISTAKEN)
    estimate = np.maximum((raw - MISTAKEN * (bad + others)) / (FOUND - MISTAKEN), 0.0)
    return {"raw": raw.astype(float), "estimate": estimate, "true": bad.astype(float)}


def has_alert(counts: Floats) -> bool:
    """Whether a week after the history has an alert."""
    signals = find_alerts(counts, window="week", level=LEVEL)
    return any(signal is not None and signal.alert for signal in signals[HISTORY:])


def measure_cell(
    seed: int, *, spread: float, correlation: float, brand_years: int, rises: int
) -> dict[str, dict[str, int]]:
    """How many brand-years have a false alarm, and how many rises are seen, by series."""
    generator = np.random.default_rng([seed, int(10 * spread), int(10 * correlation)])
    options = {"spread": spread, "correlation": correlation}
    usual = np.exp(generator.uniform(np.log(2), np.log(200), brand_years))
    means = np.repeat(usual[:, None], HISTORY + YEAR, axis=1)
    rising = np.full((rises, HISTORY + 2), 50.0)
    others = draw_counts(generator, OTHERS * rising, **options)
    rising[:, HISTORY:] *= 2
    quiet = tag(
        generator,
        draw_counts(generator, means, **options),
        draw_counts(generator, OTHERS * means, **options),
    )
    risen = tag(generator, draw_counts(generator, rising, **options), others)
    return {
        name: {
            "false_alarms": sum(map(has_alert, quiet[name])),
            "seen": sum(map(has_alert, risen[name])),
        }
        for name in SERIES
    }


def rate(hits: int, size: int) -> dict[str, Any]:
    """A share with its 95 % interval.

    Example:
        >>> rate(5, 100)
        {'share': 0.05, 'low': 0.0215, 'high': 0.1118, 'of': 100}
    """
    low, high = wilson(hits / size, size, level=0.95)
    return {
        "share": round(hits / size, 4),
        "low": round(low, 4),
        "high": round(high, 4),
        "of": size,
    }


def main() -> None:
    """Measures and writes the results."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--brand-years", type=int, default=5_004)
    parser.add_argument("--rises", type=int, default=900)
    parser.add_argument("--seed", type=int, default=20261122)
    default = Path(__file__).parent / "results" / "alerts.json"
    parser.add_argument("--output", type=Path, default=default)
    options = parser.parse_args()
    before = machine()
    cells = list(product(SPREADS, CORRELATIONS))
    years, rises = options.brand_years // len(cells), options.rises // len(cells)
    rows: list[dict[str, Any]] = []
    for spread, correlation in cells:
        found = measure_cell(
            options.seed, spread=spread, correlation=correlation, brand_years=years, rises=rises
        )
        rows.append({"spread": spread, "correlation": correlation, **found})
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)  # noqa: T201 - a sign of life
    everywhere = {
        name: {
            "false_alarms": rate(
                sum(row[name]["false_alarms"] for row in rows), years * len(cells)
            ),
            "doubling_seen_within_2_weeks": rate(
                sum(row[name]["seen"] for row in rows), rises * len(cells)
            ),
            "fewest_seen_in_a_cell": rate(min(row[name]["seen"] for row in rows), rises),
            "most_false_alarms_in_a_cell": rate(
                max(row[name]["false_alarms"] for row in rows), years
            ),
        }
        for name in SERIES
    }
    result = {
        "murmure": murmure.__version__,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": before,
        "versions": versions(["numpy", "scipy"]),
        "nominal": LEVEL,
        "history_weeks": HISTORY,
        "tagger": {"found": FOUND, "mistaken": MISTAKEN, "others": OTHERS},
        "all": everywhere,
        "cells": rows,
        "brand_years_a_cell": years,
        "rises_a_cell": rises,
    }
    options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
