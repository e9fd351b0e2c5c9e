"""The shape of a run's manifest: looked over before anything in it is believed."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from murmure.batch.writers import PART_FORMATS

#: What an entry must be: a test, a list of one kind, or an object whose entries are told. Entries
#: whose names end with `?` may be missing; others than those told may be there.
Kind: TypeAlias = "Callable[[Any], bool] | Sequence[Kind] | Mapping[str, Kind]"

# A part lies in the run's folder, and is not hidden.
_PLAIN_NAME = re.compile(r"[^./\\\0][^/\\\0]*")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _is_tally(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_count, value.values()))


def _is_part_name(value: object) -> bool:
    return isinstance(value, str) and _PLAIN_NAME.fullmatch(value) is not None


#: The record of one erasure.
ERASURE: Kind = {
    "salt": _is_text,
    "sha256": _is_text,
    "date": _is_text,
    "posts?": _is_count,
    "rejects?": _is_count,
    "parts?": _is_count,
}
_COUNTS: dict[str, Kind] = {
    "rows": _is_count,
    "tagged": _is_count,
    "rejected": _is_count,
    "forgotten?": _is_count,
}
_PART: Kind = {
    **_COUNTS,
    "file": _is_part_name,
    "first_row": _is_count,
    "size": _is_count,
    "sha256": _is_text,
    "rejects_end": _is_count,
    "counts": [{**_COUNTS, "input": _is_count}],
    "reasons?": _is_tally,
    "warnings?": _is_tally,
}
_CATALOG: Kind = {
    "file?": _is_text,
    "sha256?": _is_text,
    "fingerprint?": _is_text,
    "brands?": [{"name": _is_text}],
}
_DUPLICATES: Kind = {"ids": _is_count, "rows": _is_count, "first": [_is_text]}
_MANIFEST: Kind = {
    "complete": lambda value: isinstance(value, bool),
    "inputs": [{"source": _is_text, "sha256": _is_text}],
    "model": {"name": _is_text, "fingerprint": _is_text},
    "catalog": lambda value: value is None or fault(value, _CATALOG) is None,
    "configuration": {"format?": lambda value: value in PART_FORMATS},
    "duplicate_ids": lambda value: value is None or fault(value, _DUPLICATES) is None,
    "rejects": {"sha256": lambda value: value is None or _is_text(value)},
    "erasures?": [ERASURE],
    "parts": [_PART],
}


def check_shape(manifest: object) -> None:
    """Makes sure that a manifest, as JSON has it, has all that is asked of it later.

    Raises:
        ValueError: it has not; the message tells the entry.

    Example:
        >>> check_shape({"complete": "yes"})
        Traceback (most recent call last):
            ...
        ValueError: complete: 'yes' cannot stand here
    """
    found = fault(manifest, _MANIFEST)
    if found is None:
        found = _unknown_input(manifest)
    if found is not None:
        raise ValueError(found)


def fault(value: object, kind: Kind, place: str = "") -> str | None:
    """Where a value is not of a kind; None where it is.

    Example:
        >>> fault({"parts": [{"rows": -1}]}, {"parts": [{"rows": _is_count}]})
        'parts[0].rows: -1 cannot stand here'
    """
    wrong = f"{place or 'the whole'}: {reprlib.repr(value)} cannot stand here"
    if callable(kind):
        return None if kind(value) else wrong
    if isinstance(kind, Mapping):
        if not isinstance(value, dict):
            return wrong
        dot = f"{place}." if place else ""
        for name, inner in kind.items():
            key = name.removesuffix("?")
            if key in value:
                found = fault(value[key], inner, f"{dot}{key}")
            else:
                found = None if name != key else f"{dot}{key}: is missing"
            if found is not None:
                return found
        return None
    if not isinstance(value, list):
        return wrong
    faults = (fault(one, kind[0], f"{place}[{position}]") for position, one in enumerate(value))
    return next((found for found in faults if found is not None), None)


def _unknown_input(manifest: Any) -> str | None:  # noqa: ANN401 - of the right shape by now
    for number, part in enumerate(manifest["parts"]):
        for counts in part["counts"]:
            if counts["input"] >= len(manifest["inputs"]):
                return f"parts[{number}].counts: there is no input {counts['input']}"
    return None
