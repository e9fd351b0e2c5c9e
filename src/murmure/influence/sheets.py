"""Sheets: a sample of posts for a person to label in a spreadsheet, and the labels read back.

A sheet is CSV (UTF-8 with a byte order mark, without which Excel misreads accents; no cell that a
spreadsheet would compute) or JSONL. Read back are `key` and the five tags alone, so that sorting,
notes and whatever a spreadsheet does to ids or numbers do no harm. Sheets saved with semicolons or
tabs, or in Windows' encoding, as French Excel does, are read too.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from murmure.errors import InputError, UsageError
from murmure.guard import guard_one
from murmure.influence.audit import Unit
from murmure.influence.units import contradiction
from murmure.schema import LABELS, TAGS

#: In the order in which a person asks: what it says, then in which language.
_ASKED = ("sentiment", "experience", "touchpoint", "sponsored", "language")
_SEPARATORS = (",", ";", "\t")
_SHOWN_FAULTS = 5


def tag_header(tag: str) -> str:
    """The head of the column that a tag's labels go into.

    Example:
        >>> tag_header("sponsored")
        'sponsored (yes / no)'
    """
    return f"{tag} ({' / '.join(LABELS[tag])})"


def write_sheet(units: Sequence[Unit], output: str | Path, *, show_labels: bool = False) -> None:
    """Writes a sheet with an empty column for each tag.

    Args:
        units: the sample.
        output: a file that ends in .csv or .jsonl, opened as such; a name without an ending for
            both.
        show_labels: whether the tagger's own labels stand beside; they lead the reader.

    Raises:
        UsageError: when the name ends otherwise.
        InputError: when the file cannot be written.

    Example:
        >>> write_sheet([], "sample.xlsx")
        Traceback (most recent call last):
        murmure.errors.UsageError: sample.xlsx: ends in neither .csv nor .jsonl; rename it
    """
    for path in check_sheet(output):
        write = _WRITERS[path.suffix.lower()]
        unfinished = path.with_name(f".{path.name}.part")
        try:
            with unfinished.open("wb") as sink:
                write(units, sink, show_labels)
            unfinished.replace(path)
        except OSError as error:
            message = f"cannot be written ({error.strerror}); choose another --output"
            raise InputError(message, file=path) from None
        finally:
            unfinished.unlink(missing_ok=True)


def check_sheet(output: str | Path) -> list[Path]:
    """The files that a sheet of this name is written to.

    Raises:
        UsageError: when the name ends in neither format.
        InputError: when its folder is not there.
    """
    path = Path(output)
    if path.suffix and path.suffix.lower() not in _WRITERS:
        raise UsageError(f"{output}: ends in neither .csv nor .jsonl; rename it")
    if not path.parent.is_dir():
        raise InputError("its folder is not there; make it first", file=output)
    return [path] if path.suffix else [path.with_name(path.name + end) for end in _WRITERS]


def write_csv(units: Sequence[Unit], sink: IO[bytes], show_labels: bool = False) -> None:
    """Writes a sheet as CSV."""
    text = io.StringIO()
    about = any(unit.about for unit in units)
    head = ["key", "text", *(["about"] if about else []), *map(tag_header, _ASKED), "note"]
    head += ["id", "stratum", "weight"]
    head += [f"tagger_{tag}" for tag in _ASKED] if show_labels else []
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(head)
    for unit in units:
        row = [unit.key, unit.text, *([unit.about or ""] if about else []), *[""] * len(_ASKED)]
        row += ["", unit.id, unit.stratum, f"{unit.weight:.6g}"]
        row += [unit.labels[tag] for tag in _ASKED] if show_labels else []
        writer.writerow([_guard(cell) for cell in row])
    sink.write(b"\xef\xbb\xbf" + text.getvalue().encode("utf-8", "replace"))


def write_jsonl(units: Sequence[Unit], sink: IO[bytes], show_labels: bool = False) -> None:
    """Writes a sheet as JSONL; `labels` tells what may be filled in."""
    allowed = {tag: list(LABELS[tag]) for tag in _ASKED}
    for unit in units:
        row: dict[str, Any] = {"key": unit.key, "text": unit.text, "about": unit.about}
        row |= dict.fromkeys(_ASKED)
        row |= {"labels": allowed, "id": unit.id, "stratum": unit.stratum, "weight": unit.weight}
        row |= {f"tagger_{tag}": unit.labels[tag] for tag in _ASKED} if show_labels else {}
        sink.write(f"{json.dumps(row, ensure_ascii=False)}\n".encode("utf-8", "replace"))


def read_sheet(path: str | Path, *, keys: Collection[str]) -> dict[str, dict[str, str]]:
    """Reads back what a person filled in.

    Where the experience is given as none, so is the touchpoint.

    Args:
        path: the sheet, CSV or JSONL, whatever its name.
        keys: those of the run's draws; rows of any other are refused.

    Returns:
        By key, then by tag, the labels filled in. Rows without any are left out: where several
            people share a sheet, another may have read them.

    Raises:
        InputError: when the file is no sheet, or a row has a strange key, an unknown label or
            labels that contradict each other; the message names the rows.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        message = f"cannot be read ({error.strerror}); name the sheet that was filled in"
        raise InputError(message, file=path) from None
    text = _decode(content)
    rows = _json_rows(text, path) if text.lstrip().startswith("{") else _csv_rows(text, path)
    labels: dict[str, dict[str, str]] = {}
    faults: list[str] = []
    for number, row in rows:
        key = str(row.get("key") or "").strip().lstrip("'")
        if not key and not any(row.values()):
            continue
        if key not in keys:
            told = f"key '{key}'" if key else "without a key"
            faults.append(f"row {number}: {told} is of no sample of this run")
            continue
        given, found = _labels(row)
        faults += [f"row {number}: {fault}" for fault in found]
        if labels.setdefault(key, given) != given:
            faults.append(f"row {number}: key '{key}' is there twice with other labels")
    if faults:
        more = len(faults) - _SHOWN_FAULTS
        told = "; ".join(faults[:_SHOWN_FAULTS]) + (f"; and {more} more" if more > 0 else "")
        raise InputError(f"{told}. Nothing was taken over", file=path)
    return {key: given for key, given in labels.items() if given}


def _labels(row: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """What a row gives by tag, and what is wrong with it."""
    given: dict[str, str] = {}
    faults = []
    for tag in TAGS:
        written = str(row.get(tag) or "").strip()
        if not written:
            continue
        label = written.casefold().lstrip("'")
        if label in LABELS[tag]:
            given[tag] = label
        else:
            allowed = ", ".join(LABELS[tag])
            faults.append(f"{tag} '{written}' is unknown; known are {allowed}")
    if given.get("experience") == "none" and "touchpoint" not in given and not faults:
        given["touchpoint"] = "none"
    if given.get("touchpoint") == "none" and "experience" not in given and not faults:
        given["experience"] = "none"
    fault = contradiction(given)
    return given, [*faults, fault] if fault else faults


def _guard(cell: str) -> str:
    """The cell, with an apostrophe before what a spreadsheet would compute; no NUL."""
    return guard_one(cell.replace("\0", ""))


def _decode(content: bytes) -> str:
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _csv_rows(text: str, path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Rows with their number as a spreadsheet shows it, by the first word of each head."""
    first = text.split("\n", 1)[0]
    separator = max(_SEPARATORS, key=first.count)
    csv.field_size_limit(2**31 - 1)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        head = [cell.split("(")[0].strip().casefold() for cell in next(reader, [])]
        if "key" not in head or not any(tag in head for tag in TAGS):
            message = "no sheet of murmure audit sample: its first row names no 'key', or no tag"
            raise InputError(f"{message}; keep the first row as it was", file=path)
        for number, cells in enumerate(reader, 2):
            yield number, dict(zip(head, cells, strict=False))
    except csv.Error as error:
        raise InputError(f"broken CSV ({error}); save the sheet as CSV again", file=path) from None


def _json_rows(text: str, path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"broken JSON ({error})", file=path, line=number) from None
        if not isinstance(row, dict):
            raise InputError("expected an object a line", file=path, line=number)
        yield number, row


_WRITERS: dict[str, Callable[[Sequence[Unit], IO[bytes], bool], None]] = {
    ".csv": write_csv,
    ".jsonl": write_jsonl,
}
