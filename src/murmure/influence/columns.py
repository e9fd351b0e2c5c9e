"""Columns of batches as arrays: labels, texts and probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from murmure.schema import LABELS

if TYPE_CHECKING:
    import pyarrow as pa

Numbers = NDArray[np.int64]


class Names:
    """Numbers the names of several dictionaries through."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._place: dict[str, int] = {}

    def number(self, codes: Numbers, names: Sequence[str]) -> NDArray[np.int32]:
        """The codes of one dictionary as positions in `names`."""
        for name in names:
            if name not in self._place:
                self._place[name] = len(self.names)
                self.names.append(name)
        places = np.array([self._place[name] for name in names], np.int32)
        return places[codes] if len(places) else np.zeros(len(codes), np.int32)


def distinct_texts(column: pa.Array) -> tuple[Numbers, list[str]]:
    """A column of texts as positions among its distinct texts; null is the empty text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type):
        column = pc.fill_null(column.cast(pa.string()), "").dictionary_encode()
    names = [name or "" for name in column.dictionary.to_pylist()]
    if column.null_count:
        codes = pc.fill_null(column.indices, len(names)).to_numpy()
        return codes.astype(np.int64), [*names, ""]
    return column.indices.to_numpy().astype(np.int64), names


def label_codes(column: pa.Array, labels: Sequence[str]) -> Numbers:
    """Positions of a column's labels; -1 for null."""
    codes, names = distinct_texts(column)
    places = np.array([labels.index(name) if name in labels else -1 for name in names], np.int64)
    return places[codes] if len(places) else codes


def matrix(column: pa.Array, tag: str) -> NDArray[np.float32]:
    """A column of a tag's probabilities, of shape (rows, labels)."""
    flat = column.flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, np.float32).reshape(-1, len(LABELS[tag]))
