"""What labels say of a post, as one small number: all labels but the language's together."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murmure.schema import LABELS

#: The tags whose labels are put together, the first counting most.
LABELS_SAID = ("sponsored", "sentiment", "experience", "touchpoint")

#: All combinations of their labels, in the order of their numbers.
SAID = tuple(product(*(LABELS[tag] for tag in LABELS_SAID)))

_SIZES = [len(LABELS[tag]) for tag in LABELS_SAID]


def say(
    codes: Mapping[str, NDArray[np.int64]], *, otherwise: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """The number of each combination of labels, a position in `SAID`.

    Args:
        codes: by tag the position of each post's label in `schema.LABELS`.
        otherwise: what holds for tags that are missing, and where a code is -1.

    Example:
        >>> tags = dict(zip(LABELS_SAID, np.array([[1], [0], [0], [2]])))
        >>> SAID[say(tags)[0]]
        ('no', 'negative', 'own', 'purchase')
        >>> SAID[say({"sentiment": np.array([2])}, otherwise=say(tags))[0]]
        ('no', 'positive', 'own', 'purchase')
    """
    others: Any = [None] * len(_SIZES)
    if otherwise is not None:
        others = np.unravel_index(otherwise.astype(np.int64), _SIZES)
    parts = []
    for tag, other in zip(LABELS_SAID, others, strict=True):
        code = codes.get(tag, other)
        if other is not None:
            code = np.where(code < 0, other, code)
        parts.append(np.maximum(code, 0))
    number: NDArray[np.uint8] = np.ravel_multi_index(tuple(parts), _SIZES).astype(np.uint8)
    return number
