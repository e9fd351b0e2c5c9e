"""Opens run folders to be counted: checks that they are whole and that one model made them all."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from murmure.batch.manifest import MANIFEST_NAME, read_manifest
from murmure.errors import InputError, RunError, UsageError
from murmure.schema import POST_COLUMNS, TAGS

if TYPE_CHECKING:
    from murmure.catalog import Catalog

_NEEDED_COLUMNS = (*POST_COLUMNS, *TAGS, "mentions")


@dataclass(frozen=True, slots=True)
class Part:
    """One Parquet file of a run.

    Attributes:
        file: its path.
        rows: how many posts it holds.
        first: the number of its first post, all runs counted through.
    """

    file: Path
    rows: int
    first: int


@dataclass(frozen=True, slots=True)
class Run:
    """A run's folder as it was found.

    Attributes:
        folder: its path.
        model: the name or folder of the model that tagged it.
        fingerprint: that model's fingerprint.
        catalog: what the manifest says of the catalogue (`sha256` of its file, and `brands` with
            their groups where it tells them); None for a run tagged without.
        parts: its Parquet files, in the order of the input.
    """

    folder: Path
    model: str
    fingerprint: str
    catalog: Mapping[str, Any] | None
    parts: tuple[Part, ...]


def open_runs(folders: Sequence[str | Path], *, partial: bool = False) -> list[Run]:
    """Opens run folders that are to be counted together.

    Args:
        folders: one or several.
        partial: whether an unfinished run is taken as far as it goes.

    Returns:
        The runs in the order given, their posts numbered through.

    Raises:
        UsageError: when no folder is given, or one twice.
        InputError: when a path is no run's folder, or a part lacks a column.
        RunError: when a run is unfinished or damaged, or different models tagged the runs; the
            message names the folders.

    Example:
        >>> open_runs(["nowhere"])
        Traceback (most recent call last):
        murmure.errors.InputError: nowhere: no such folder; give the folder that murmure tag wrote
    """
    if not folders:
        raise UsageError("no run to count; give the folders that murmure tag wrote")
    runs: list[Run] = []
    places: set[Path] = set()
    posts = 0
    for folder in map(Path, folders):
        place = folder.resolve()
        if place in places:
            raise UsageError(f"{folder}: given twice; its posts would be counted twice")
        places.add(place)
        runs.append(_open(folder, first=posts, partial=partial))
        posts += sum(part.rows for part in runs[-1].parts)
    _refuse_mixed_models(runs)
    return runs


def refuse_mixed_catalogs(runs: Iterable[Run]) -> None:
    """Raises a RunError when the runs' mentions come from different catalogues."""
    by_catalog = defaultdict(list)
    for run in runs:
        by_catalog[(run.catalog or {}).get("sha256")].append(run)
    if len(by_catalog) > 1:
        groups = "; ".join(
            f"{'none' if sha256 is None else sha256[:12]}: {_names(some)}"
            for sha256, some in by_catalog.items()
        )
        message = f"runs tagged with different catalogues ({groups}); give one with --catalog"
        raise RunError(message)


def tagged_with(told: Mapping[str, Any] | None, catalog: Catalog, file: str | Path | None) -> bool:
    """Whether a run was tagged with a catalogue.

    Args:
        told: what the run's manifest says of its own.
        catalog: the catalogue.
        file: where it was read, which older manifests are compared with by its SHA-256.
    """
    told = told or {}
    if told.get("fingerprint") == catalog.fingerprint:
        return True
    if file is None or "sha256" not in told:
        return False
    digest = hashlib.sha256(Path(file).read_bytes()).hexdigest()
    return bool(digest == told["sha256"])


def _refuse_mixed_models(runs: Iterable[Run]) -> None:
    by_fingerprint: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        by_fingerprint[run.fingerprint].append(run)
    if len(by_fingerprint) > 1:
        groups = "; ".join(
            f"{some[0].model} ({fingerprint[:12]}): {_names(some)}"
            for fingerprint, some in by_fingerprint.items()
        )
        message = f"tagged by different models, which cannot be counted together: {groups}"
        raise RunError(f"{message}. Count them apart, or tag them again with one model")


def _names(runs: Iterable[Run]) -> str:
    return ", ".join(str(run.folder) for run in runs)


def _open(folder: Path, *, first: int, partial: bool) -> Run:
    remedy = "give the folder that murmure tag wrote"
    if not folder.exists():
        raise InputError(f"no such folder; {remedy}", file=folder)
    manifest = read_manifest(folder)
    if manifest is None:
        raise InputError(f"not a run's folder: it has no {MANIFEST_NAME}; {remedy}", file=folder)
    if not (manifest.complete or partial):
        message = f"{folder}: the run is not finished; start the same murmure tag again to resume"
        raise RunError(f"{message} it, or count what there is with murmure count --partial")
    if manifest.part_format != "parquet":
        message = f"{folder}: its parts are {manifest.part_format}, and only Parquet is counted"
        raise RunError(f"{message}; tag again with --format parquet")
    parts = []
    for part in manifest.parts:
        path = folder / part.file
        _check_part(path, part.tagged)
        parts.append(Part(path, part.tagged, first))
        first += part.tagged
    model = manifest.identity.model
    return Run(
        folder,
        str(model.get("name")),
        str(model.get("fingerprint")),
        manifest.identity.catalog,
        tuple(parts),
    )


def _check_part(path: Path, rows: int) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as parquet:
            found, columns = parquet.metadata.num_rows, parquet.schema_arrow.names
    except (OSError, pa.ArrowException) as error:
        reason = "is missing" if not path.exists() else f"cannot be read ({error})"
        raise _damaged(path, reason) from None
    if found != rows:
        raise _damaged(path, f"has {found} rows, but the manifest says {rows}")
    missing = [name for name in _NEEDED_COLUMNS if name not in columns]
    if missing:
        message = "missing; tag again with this version of murmure"
        raise InputError(message, file=path, column=missing[0])


def _damaged(path: Path, reason: str) -> RunError:
    return RunError(f"{path}: {reason}; tag again with --overwrite")
