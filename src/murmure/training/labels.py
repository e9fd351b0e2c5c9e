"""Labels as files write them, and as a training counts with them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murmure.errors import InputError
from murmure.schema import LABELS, TAGS
from murmure.training.files import Rows

Labels = NDArray[np.int8]

#: The code of a label that is not given.
MISSING = -1

# What people write for a label; compared in lower case.
_SYNONYMS = {"true": "yes", "false": "no", "oui": "yes", "non": "no", "1": "yes", "0": "no"}


def weak_tags(rows: Rows) -> list[Iterable[str]]:
    """Read, row by row, the tags whose label was derived: a list, or a text with commas.

    Raises:
        InputError: if it is neither, or names what is no tag.
    """
    if "weak" not in rows.columns:
        return [()] * len(rows)
    weak: list[Iterable[str]] = []
    for line, given in zip(rows.lines, rows.columns["weak"], strict=True):
        tags = given.replace(",", " ").split() if isinstance(given, str) else given
        if tags is None:
            weak.append(())
        elif isinstance(tags, list | tuple) and all(tag in TAGS for tag in tags):
            weak.append(tags)
        else:
            message = f"expected a list of tags among {', '.join(TAGS)}, not {given!r}"
            raise InputError(message, file=rows.name, line=line, column="weak")
    return weak


def label_codes(rows: Rows, tag: str) -> Labels:
    """Give the positions of the labels of a tag in `LABELS`, -1 where there is none.

    Raises:
        InputError: if a label is unknown; the message suggests the nearest one.
    """
    values = rows.columns.get(tag)
    if values is None:
        return np.full(len(rows), MISSING, np.int8)
    codes: dict[Any, int] = {label: code for code, label in enumerate(LABELS[tag])}
    found = []
    for line, value in zip(rows.lines, values, strict=True):
        # Tables made with pandas hold nan where a cell is empty.
        empty = value is None or (isinstance(value, float) and value != value)  # noqa: PLR0124
        if not empty and not (isinstance(value, str) and value in codes):
            raise InputError(
                f"unknown label {value!r}; expected one of {', '.join(codes)}"
                f"{_suggestion(value, LABELS[tag])}",
                file=rows.name,
                line=line,
                column=tag,
            )
        found.append(MISSING if empty else codes[value])
    return np.array(found, np.int8)


def _suggestion(value: object, labels: Sequence[str]) -> str:
    near = nearest(str(value), labels)
    if near is not None:
        return f"; did you mean {near!r}?"
    if str(value).strip().casefold() in {"", "nan", "null", "na", "n/a"}:
        return "; leave the cell empty where there is no label"
    return ""


def nearest(given: str, names: Sequence[str]) -> str | None:
    """Give the name that was most likely meant, if any is like what was given.

    Example:
        >>> nearest("Positif", LABELS["sentiment"]), nearest("TRUE", LABELS["sponsored"])
        ('positive', 'yes')
        >>> nearest("blue", LABELS["sentiment"]) is None
        True
    """
    plain = given.strip().casefold()
    plain = _SYNONYMS.get(plain, plain) if _SYNONYMS.get(plain) in names else plain
    beginning = [name for name in names if plain and name.startswith(plain)]
    near = [plain] if plain in names else difflib.get_close_matches(plain, names, n=1, cutoff=0.6)
    return next(iter(near or beginning), None)
