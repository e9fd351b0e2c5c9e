"""A predictor by rule of thumb that finds the catalogue's brands, for tests of the whole way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from murmure.catalog import Catalog
from murmure.schema import LABELS, TAGS, result_fields

#: What a post says by a word in it; the first that fits wins.
WORDS: dict[str, dict[str, str]] = {
    "#ad": {"sentiment": "positive", "sponsored": "yes"},
    "late": {"sentiment": "negative", "experience": "own", "touchpoint": "delivery"},
    "lovely": {"sentiment": "positive", "experience": "own", "touchpoint": "product"},
}
_DEFAULT = {
    "language": "en",
    "sentiment": "neutral",
    "experience": "none",
    "touchpoint": "none",
    "sponsored": "no",
}


class RuleColumns:
    """Tags of texts, as columns."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self._rows = rows

    def to_arrow(self) -> list[pa.Array]:
        """One array a result field."""
        return [
            pa.array([row[field.name] for row in self._rows], field.type)
            for field in result_fields()
        ]


class RulePredictor:
    """Same face as a real predictor."""

    name = "rules"

    def __init__(self, catalog: Catalog | None) -> None:
        self._catalog = catalog
        self.fingerprint = "rules".ljust(64, "0") if catalog is None else catalog.fingerprint

    def predict_columns(self, texts: Sequence[str], /) -> RuleColumns:
        """Tags texts."""
        spans = [()] * len(texts) if self._catalog is None else self._catalog.find_all(texts)
        rows = []
        for text, found in zip(texts, spans, strict=True):
            tags = _tags(text)
            mentions = [
                {"entity": s.entity, "surface": s.surface, "start": s.start, "end": s.end}
                | _tags(text[s.sentence_start : s.sentence_end])
                for s in found
            ]
            abstained = {f"{tag}_abstained": False for tag in TAGS}
            result = {"disclosure": None, "truncated": False, "mentions": mentions}
            rows.append(tags | abstained | result)
        return RuleColumns(rows)


def _tags(text: str) -> dict[str, Any]:
    said = next((labels for word, labels in WORDS.items() if word in text), {})
    columns: dict[str, Any] = {}
    for tag, label in (_DEFAULT | said).items():
        rest = 0.1 / (len(LABELS[tag]) - 1)
        columns[tag] = label
        columns[f"{tag}_score"] = 0.9
        columns[f"{tag}_probabilities"] = [0.9 if one == label else rest for one in LABELS[tag]]
    return columns


def load_rules(model: str, catalog: Path | None) -> RulePredictor:  # noqa: ARG001 - as others
    """Loads it."""
    return RulePredictor(None if catalog is None else Catalog.load(catalog))
