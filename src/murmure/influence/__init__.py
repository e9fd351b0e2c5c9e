"""Adds tagged posts up: posts, people and what they report, per entity, window and slice."""

from murmure.influence.counting import LANGUAGES, SPLITS, count
from murmure.influence.metrics import DERIVED, METRICS, Metric, explain
from murmure.influence.tables import counts_schema, write_counts
from murmure.influence.windows import WINDOWS

__all__ = [
    "DERIVED",
    "LANGUAGES",
    "METRICS",
    "SPLITS",
    "WINDOWS",
    "Metric",
    "count",
    "counts_schema",
    "explain",
    "write_counts",
]
