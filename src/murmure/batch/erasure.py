"""Erasing an author from a run's folder, such that a kill in the middle loses and leaves nothing.

First everything that changes is written beside its place, as `.NAME.forget`. Then the manifest,
which names the new hashes and records the erasure, takes the old one's place at once; from then on
the erasure is done. Last the new files take their places. Whoever opens the folder next finishes
what a kill has left: a file beside its place with the hash that the manifest names is put there,
any other is removed.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from murmure.batch.beside import erase_beside
from murmure.batch.failpoints import reach
from murmure.batch.files import locked, sync_folder
from murmure.batch.folder import (
    SPOOL_NAME,
    check_parts,
    duplicate_ids,
    pending,
    put_pending_in_place,
    tidy,
)
from murmure.batch.forgotten import Absent, Forgotten
from murmure.batch.manifest import (
    MANIFEST_NAME,
    REJECTS_NAME,
    Counts,
    Manifest,
    Part,
    read_manifest,
)
from murmure.batch.parts import values, write_without
from murmure.batch.sources import sha256_of
from murmure.errors import InputError, RunError

_MOST_SUGGESTED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """What was erased.

    Attributes:
        posts: tagged posts.
        rejects: rejected rows.
        parts: the parts that were written again.
        earlier: the day on which the same author was erased before, where nothing was left of
            them since.
    """

    posts: int
    rejects: int
    parts: tuple[str, ...]
    earlier: str | None = None


def forget(folder: str | Path, author: str) -> Erasure:
    """Erases an author's posts and rejects from a run's folder, and records that it was done.

    The name is matched exactly. The record, in `manifest.json`, holds a salted hash instead of the
    name, how much was erased, and the day. A run that goes on in the folder, or is started anew
    there, leaves the author's rows out. What counts and audits keep beside the parts loses the
    posts too. Posts of others that quote or name the author stay, and so do the files that were
    tagged.

    Args:
        folder: as `tag_file` wrote it, finished or not.
        author: as in the column `author`.

    Raises:
        InputError: no such folder, or no row of this author in it.
        RunError: the folder is in use, damaged, or cannot be written.

    Example:
        >>> forget("runs/none", "@ana")
        Traceback (most recent call last):
            ...
        murmure.errors.InputError: runs/none: no such folder; give the folder that murmure tag wrote
    """
    path = Path(folder)
    if not path.is_dir():
        raise InputError("no such folder; give the folder that murmure tag wrote", file=path)
    if not author.strip():
        raise InputError("an empty name; give the author as the column 'author' has it", file=path)
    try:
        with locked(path):
            manifest = read_manifest(path, untouched=True)
            if manifest is None:
                raise InputError(f"not a run's folder: it has no {MANIFEST_NAME}", file=path)
            return _forget(path, manifest, author)
    except OSError as error:
        message = f"{path}: cannot be written ({error.strerror or error}); nothing was erased"
        raise RunError(f"{message} unless manifest.json says so: start it again") from error


def _forget(folder: Path, manifest: Manifest, author: str) -> Erasure:
    put_pending_in_place(folder, manifest)
    check_parts(folder, manifest)
    # What a killed run has left may hold the author's posts too.
    (folder / SPOOL_NAME).unlink(missing_ok=True)
    tidy(folder, manifest)
    record = Forgotten.of(author, date="", posts=0, rejects=0, parts=0)
    absent = Absent([record])
    near: set[str] = set()
    found = [_positions(folder, part, manifest, author, near) for part in manifest.parts]
    beside = pending(folder / REJECTS_NAME)
    rejects = _sort_rejects(folder / REJECTS_NAME, beside, manifest, absent)
    posts = sum(map(len, found))
    rejected = sum(one.count for one in rejects)
    if not posts and not rejected:
        beside.unlink()
        earlier = next((one.date for one in manifest.erasures if one.is_of(author)), None)
        if earlier is not None:
            return Erasure(posts=0, rejects=0, parts=(), earlier=earlier)
        message = f"no row is of {author!r}; a name is matched exactly, as the column 'author' has"
        like = f" it; there is {', '.join(map(repr, sorted(near)))}" if near else " it"
        raise InputError(message + like, file=folder)
    # Before the record, which says that nothing is left.
    erase_beside(folder, _ids(folder, manifest, found))
    new, changed = [], []
    for part, positions, held in zip(manifest.parts, found, rejects, strict=True):
        now = _less(part, manifest, positions, held)
        if positions:
            out = pending(folder / part.file)
            size, sha256 = write_without(
                folder / part.file, out, manifest.part_format, lambda name: name == author
            )
            now = replace(now, size=size, sha256=sha256)
            changed.append(part.file)
        new.append(now)
    manifest.parts[:] = new
    manifest.rejects_sha256 = sha256_of(beside)
    if manifest.complete:
        names = [part.file for part in new]
        files = [pending(folder / name) if name in changed else folder / name for name in names]
        manifest.duplicate_ids = duplicate_ids(files, manifest.part_format)
    manifest.erasures.append(
        replace(
            record,
            date=datetime.now(UTC).date().isoformat(),
            posts=posts,
            rejects=rejected,
            parts=len(changed),
        )
    )
    sync_folder(folder)
    reach("forget-before-manifest")
    manifest.write(folder)
    reach("forget-after-manifest")
    put_pending_in_place(folder, manifest)
    return Erasure(posts=posts, rejects=rejected, parts=tuple(changed))


def _positions(
    folder: Path, part: Part, manifest: Manifest, author: str, near: set[str]
) -> list[int]:
    """Which rows of a part are the author's; gathers names that differ only a little."""
    folded = author.strip().lstrip("@").casefold()
    positions = []
    for position, name in enumerate(values(folder / part.file, manifest.part_format, "author")):
        if name == author:
            positions.append(position)
        elif (
            name is not None
            and len(near) < _MOST_SUGGESTED
            and name.strip().lstrip("@").casefold() == folded
        ):
            near.add(name)
    return positions


def _ids(folder: Path, manifest: Manifest, found: Sequence[list[int]]) -> set[str]:
    """The ids of rows of the parts, given by position."""
    ids: set[str] = set()
    for part, positions in zip(manifest.parts, found, strict=True):
        chosen = set(positions)
        if chosen:
            rows = enumerate(values(folder / part.file, manifest.part_format, "id"))
            ids.update(name for row, name in rows if row in chosen and name is not None)
    return ids


@dataclass(frozen=True, slots=True, kw_only=True)
class _Erased:
    """What becomes of the rejects of one part.

    Attributes:
        end: how many bytes of rejects there are then, up to the end of this part.
        sources: how many rejects are erased, by source.
        reasons: the same by reason.
    """

    end: int
    sources: Counter[str]
    reasons: Counter[str]

    @property
    def count(self) -> int:
        """How many rejects are erased."""
        return self.sources.total()


def _sort_rejects(file: Path, out: Path, manifest: Manifest, absent: Absent) -> list[_Erased]:
    """Writes the rejects that stay, and tells part by part which do not."""
    erased = []
    with file.open("rb") as lines, out.open("wb") as kept:
        for part in manifest.parts:
            sources: Counter[str] = Counter()
            reasons: Counter[str] = Counter()
            while lines.tell() < part.rejects_end:
                line = lines.readline()
                reject = json.loads(line)
                if absent.wrote(reject.get("author"), reject["raw"]):
                    sources[reject["source"]] += 1
                    reasons[reject["reason"].partition(":")[0]] += 1
                else:
                    kept.write(line)
            erased.append(_Erased(end=kept.tell(), sources=sources, reasons=reasons))
        kept.flush()
        os.fsync(kept.fileno())
    return erased


def _less(part: Part, manifest: Manifest, positions: list[int], held: _Erased) -> Part:
    """What the manifest says of a part without some rows."""
    counts: list[Counts] = []
    first = 0
    for one in part.counts:
        # A part holds the rows of its inputs in their order.
        posts = sum(first <= position < first + one.tagged for position in positions)
        rejects = held.sources[str(manifest.identity.inputs[one.input]["source"])]
        first += one.tagged
        counts.append(
            replace(
                one,
                tagged=one.tagged - posts,
                rejected=one.rejected - rejects,
                forgotten=one.forgotten + posts + rejects,
            )
        )
    return replace(
        part,
        tagged=part.tagged - len(positions),
        rejected=part.rejected - held.count,
        forgotten=part.forgotten + len(positions) + held.count,
        rejects_end=held.end,
        counts=tuple(counts),
        reasons={
            reason: count - held.reasons[reason]
            for reason, count in part.reasons.items()
            if count > held.reasons[reason]
        },
    )
