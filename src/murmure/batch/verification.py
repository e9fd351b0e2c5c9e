"""Proving that a run's folder is whole: every row there, every byte as it was written."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from murmure.batch.files import locked
from murmure.batch.folder import put_pending_in_place
from murmure.batch.manifest import (
    MANIFEST_NAME,
    REJECTS_NAME,
    Manifest,
    Part,
    is_sealed,
    read_manifest,
)
from murmure.batch.parts import values
from murmure.batch.sources import expand, sha256_of
from murmure.errors import InputError, RunError


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found in a run's folder.

    Attributes:
        folder: which.
        rows: input rows, as the manifest tells.
        tagged: rows counted in the parts.
        rejected: lines counted in the rejects.
        forgotten: rows that are in neither, because their author was forgotten.
        parts: how many parts there are.
        inputs: how many of the input files were given and looked at, too.
        complete: whether the run was finished.
        faults: what is wrong, each with the file's name; empty where all is well.
    """

    folder: str
    rows: int
    tagged: int
    rejected: int
    forgotten: int
    parts: int
    inputs: int
    complete: bool
    faults: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether the run was finished and nothing is wrong."""
        return self.complete and not self.faults


def verify(folder: str | Path, sources: str | Path | Sequence[str | Path] = ()) -> Verification:
    """Counts every row of a run's folder and reckons every hash anew.

    Args:
        folder: as `tag_file` wrote it.
        sources: the inputs, if their bytes are to be compared with the manifest's hashes, too.

    Returns:
        what was counted, and what is wrong.

    Raises:
        InputError: no such folder, or no run's.
        RunError: a run is writing there, or its manifest cannot be read.

    Example:
        >>> verify("runs/none")
        Traceback (most recent call last):
            ...
        murmure.errors.InputError: runs/none: no such folder; give the folder that murmure tag wrote
    """
    path = Path(folder)
    if not path.is_dir():
        raise InputError("no such folder; give the folder that murmure tag wrote", file=path)
    manifest = _settled(path)
    given = [sources] if isinstance(sources, str | Path) else list(sources)
    tagged, faults = 0, list(_manifest_faults(path, manifest))
    for part in manifest.parts:
        rows, found = _part_faults(path, part, manifest)
        tagged += rows
        faults += found
    rejected, found = _reject_faults(path, manifest)
    faults += found
    if manifest.rows != tagged + rejected + manifest.forgotten and not faults:
        faults.append(f"{manifest.rows} rows in, but {tagged} tagged and {rejected} rejected")
    if given:
        faults += _input_faults(manifest, given, out=path)
    return Verification(
        folder=str(folder),
        rows=manifest.rows,
        tagged=tagged,
        rejected=rejected,
        forgotten=manifest.forgotten,
        parts=len(manifest.parts),
        inputs=len(manifest.identity.inputs) if given else 0,
        complete=manifest.complete,
        faults=tuple(faults),
    )


def _settled(folder: Path) -> Manifest:
    """The manifest, once an erasure that was killed in the middle is finished."""
    manifest = read_manifest(folder)
    if manifest is None:
        raise InputError(f"not a run's folder: it has no {MANIFEST_NAME}", file=folder)
    if not any(
        folder.glob(".*")
    ):  # nothing hidden: nobody is writing, and a folder may be read-only
        return manifest
    with locked(folder):
        manifest = read_manifest(folder)
        if manifest is None:
            raise InputError(f"not a run's folder: it has no {MANIFEST_NAME}", file=folder)
        put_pending_in_place(folder, manifest)
    return manifest


def _manifest_faults(folder: Path, manifest: Manifest) -> Iterator[str]:
    try:
        manifest.check()
    except RunError as error:
        yield f"{MANIFEST_NAME}: {error}"
    written = (folder / MANIFEST_NAME).read_bytes()
    told = json.loads(written)
    told.pop("sha256", None)
    if not is_sealed(written):
        yield f"{MANIFEST_NAME}: was changed since it was written"
    meant = manifest.to_dict()
    for name in sorted({*told, *meant} - {"parts"}):
        if told.get(name) != meant.get(name):
            yield f"{MANIFEST_NAME}: {name} is not what its parts come to"
    # A killed run has left what it wrote last; whoever goes on with it removes that.
    named = {part.file for part in manifest.parts}
    for path in sorted(folder.glob("part-*")) if manifest.complete else ():
        if path.name not in named:
            yield f"{path.name}: is not named by the manifest"


def _part_faults(folder: Path, part: Part, manifest: Manifest) -> tuple[int, list[str]]:
    path = folder / part.file
    if not path.is_file():
        return 0, [f"{part.file}: is missing"]
    faults = []
    size = path.stat().st_size
    if size != part.size:
        faults.append(f"{part.file}: has {size} bytes, but the manifest says {part.size}")
    elif sha256_of(path) != part.sha256:
        faults.append(f"{part.file}: its SHA-256 is not the manifest's")
    try:
        rows = sum(1 for _ in values(path, manifest.part_format, "id"))
    except RunError as error:
        return 0, [*faults, f"{part.file}: {str(error).removeprefix(f'{path}: ')}"]
    if rows != part.tagged:
        faults.append(f"{part.file}: holds {rows} rows, but the manifest says {part.tagged}")
    return rows, faults


def _reject_faults(folder: Path, manifest: Manifest) -> tuple[int, list[str]]:
    path = folder / REJECTS_NAME
    if not path.is_file():
        return 0, [f"{REJECTS_NAME}: is missing"]
    faults: list[str] = []
    by_source: Counter[str] = Counter()
    with path.open("rb") as file:
        for number, line in enumerate(iter(file.readline, b""), 1):
            if not manifest.complete and file.tell() > manifest.rejects_end:
                break
            try:
                by_source[json.loads(line)["source"]] += 1
            except (ValueError, KeyError, TypeError):
                faults.append(f"{REJECTS_NAME}, line {number}: is not a reject")
                break
    if manifest.complete and sha256_of(path) != manifest.rejects_sha256:
        faults.append(f"{REJECTS_NAME}: its SHA-256 is not the manifest's")
    for described, counts in zip(manifest.identity.inputs, manifest.counts(), strict=True):
        found = by_source[str(described["source"])]
        if found != counts.rejected:
            told = f"{found} rows of {described['source']}, but the manifest says {counts.rejected}"
            faults.append(f"{REJECTS_NAME}: lists {told}")
    return by_source.total(), faults


def _input_faults(manifest: Manifest, given: Sequence[str | Path], *, out: Path) -> Iterator[str]:
    there = {source.label: source for source in expand(given, leave_out=out)}
    for described in manifest.identity.inputs:
        source = there.pop(str(described["source"]), None)
        if source is None:
            yield f"{described['source']}: was tagged, but is not among the inputs given"
        elif sha256_of(source.path) != described["sha256"]:
            yield f"{described['source']}: was changed since it was tagged"
    for label in there:
        yield f"{label}: is given, but was not tagged"
