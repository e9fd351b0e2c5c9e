"""A predictor that answers at once, and dies or waits where it is told to.

Arrow is imported late: it starts threads, which would keep workers from being forked.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from murmure.errors import ModelError
from murmure.schema import LABELS, TAGS, result_fields

if TYPE_CHECKING:
    import pyarrow as pa

POISON = "POISON"
DEADLY = "DEADLY"
ROWLESS = "ROWLESS"
ENDLESS = "ENDLESS"


class FakeColumns:
    """Tags that depend on the length of the text alone; none can be made of `ROWLESS`."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._lengths = np.array([len(text) for text in texts], dtype=np.int64)
        self._rowless = any(ROWLESS in text for text in texts)

    def to_arrow(self) -> list[pa.Array]:
        """One array a result field."""
        import pyarrow as pa

        if self._rowless:
            raise ValueError("rowless")
        fields = {field.name: field for field in result_fields()}
        count = len(self._lengths)
        arrays: list[pa.Array] = []
        for tag in TAGS:
            labels = LABELS[tag]
            chosen = self._lengths % len(labels)
            probabilities = np.full((count, len(labels)), 0.1, dtype=np.float32)
            probabilities[np.arange(count), chosen] = 1.1 - 0.1 * len(labels)
            names = pa.array(labels)
            kind = fields[f"{tag}_probabilities"].type
            arrays += [
                names.take(pa.array(chosen)),
                pa.array(probabilities.max(axis=1)) if count else pa.array([], pa.float32()),
                pa.FixedSizeListArray.from_arrays(pa.array(probabilities.ravel()), type=kind),
                pa.array(chosen == 0),
            ]
        arrays.append(pa.nulls(count, pa.string()))
        arrays.append(pa.array([False] * count, pa.bool_()))
        arrays.append(pa.array([[] for _ in range(count)], fields["mentions"].type))
        return arrays


class FakePredictor:
    """Same face as a real predictor; refuses `POISON`, dies of `DEADLY`, never ends `ENDLESS`."""

    def __init__(self, name: str, fingerprint: str) -> None:
        self.name = name
        self.fingerprint = fingerprint

    def predict_columns(self, texts: Sequence[str], /) -> FakeColumns:
        """Tags texts."""
        if any(POISON in text for text in texts):
            raise ValueError("poison")
        if any(DEADLY in text for text in texts):
            os._exit(9)
        if any(ENDLESS in text for text in texts):
            time.sleep(600)
        return FakeColumns(texts)


def load_fake(model: str, catalog: Path | None) -> FakePredictor:
    """Loads the fake: any model but `missing`."""
    if model == "missing":
        raise ModelError("no model is called 'missing'; murmure models lists them")
    return FakePredictor(model, f"{model}-{catalog}".ljust(64, "0"))


def load_with_thread(model: str, catalog: Path | None) -> FakePredictor:
    """Loads the fake, and starts a thread that goes on."""
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    return load_fake(model, catalog)
