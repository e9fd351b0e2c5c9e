"""What the page reads from runs' folders besides the counts: their manifests and parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from glob import escape
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

from murmure.batch.manifest import Manifest, read_manifest
from murmure.errors import InputError, RunError
from murmure.influence import database
from murmure.influence.authors import somebody
from murmure.schema import TAGS

if TYPE_CHECKING:
    import duckdb

#: Reasons for rejects that are told one by one; the rest are lumped together.
_REASONS = 8


@dataclass(frozen=True)
class Quality:
    """What went into the counts and what did not.

    Attributes:
        rows_in: rows read; None where no manifest says.
        tagged: rows tagged, as the parts hold them.
        rejected: rows rejected; None where no manifest says.
        complete: whether every run says that it was finished.
        reasons: rejected rows by reason, commonest first.
        other: posts in other languages.
        unknown_authors: posts without an author, other languages left out.
        undated: posts without a time, other languages left out.
        truncated: posts longer than the model reads.
        abstained: unsure labels, by tag.
        models: the names of the models that tagged.
        first: time of the first post.
        last: time of the last post.
    """

    rows_in: int | None
    tagged: int
    rejected: int | None
    complete: bool = True
    reasons: Mapping[str, int] = field(default_factory=dict)
    other: int = 0
    unknown_authors: int = 0
    undated: int = 0
    truncated: int = 0
    abstained: Mapping[str, int] = field(default_factory=dict)
    models: tuple[str, ...] = ()
    first: datetime | None = None
    last: datetime | None = None

    @property
    def whole(self) -> bool:
        """Whether the runs are finished and rows in = tagged + rejected, as far as is known."""
        balanced = self.rows_in is None or self.rows_in == self.tagged + (self.rejected or 0)
        return self.complete and balanced


def parts(folders: Iterable[Path]) -> list[str]:
    """The Parquet parts of some runs, in order, as DuckDB's patterns that fit them alone.

    Raises:
        InputError: where a folder is missing or holds no part.
        RunError: where a manifest cannot be read.

    Example:
        >>> parts([Path("nowhere")])
        Traceback (most recent call last):
        murmure.errors.InputError: nowhere: no such folder; give the folder that `murmure tag` wrote
    """
    return [escape(file) for file in _files(folders)]


def _files(folders: Iterable[Path]) -> list[str]:
    found: list[str] = []
    for folder in folders:
        if not folder.is_dir():
            raise InputError(
                "no such folder; give the folder that `murmure tag` wrote", file=folder
            )
        manifest = read_manifest(folder)
        if manifest is None:
            files = sorted(folder.glob("part-*.parquet"))
        else:
            files = [folder / part.file for part in manifest.parts]
        if not files:
            raise InputError("no part-*.parquet in it; run `murmure tag` first", file=folder)
        found += map(str, files)
    return found


@contextmanager
def connect() -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB as the counts have it: bounded in memory, with a temporary folder, off the network."""
    with database.connect(()) as connection:
        connection.execute("SET autoload_known_extensions = false")
        connection.execute("SET preserve_insertion_order = false")
        yield connection


@contextmanager
def reading(folders: Sequence[Path]) -> Iterator[None]:
    """Tells what is at fault where DuckDB fails within the block.

    Raises:
        InputError: where a part cannot be read; it is named as far as DuckDB names it.
        RunError: where memory or room for temporary files is lacking.
    """
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        named = [file for file in _files(folders) if file in reason]
        if named:
            message = f"cannot be read ({reason}); tag its posts again"
            raise InputError(message, file=max(named, key=len)) from error
        if isinstance(error, duckdb.OutOfMemoryException | duckdb.IOException):
            raise RunError(
                f"DuckDB could not work within {database.MEMORY_LIMIT} of memory and the temporary "
                f"folder ({reason}); make room in {gettempdir()}, or set TMPDIR to another folder"
            ) from error
        listed = ", ".join(map(str, folders))
        raise InputError(f"a part cannot be read ({reason})", file=listed) from error


def quality(folders: Sequence[Path], connection: duckdb.DuckDBPyConnection) -> Quality:
    """Looks through the runs for what the counts rest on.

    Raises:
        InputError: where a part cannot be read.
        RunError: where a manifest cannot be read, or memory or room is lacking.
    """
    abstained = ", ".join(f"count(*) FILTER ({tag}_abstained)" for tag in TAGS)
    counted = "language <> 'other'"
    query = f"""
        SELECT count(*), count(*) FILTER (NOT {counted}),
            count(*) FILTER ({counted} AND NOT {somebody()}),
            count(*) FILTER ({counted} AND created_at IS NULL),
            count(*) FILTER (truncated),
            epoch_us(min(created_at) FILTER ({counted})),
            epoch_us(max(created_at) FILTER ({counted})),
            {abstained}
        FROM read_parquet($parts, union_by_name = true, hive_partitioning = false)
    """  # noqa: S608 - only our own column names are put in
    files = parts(folders)
    with reading(folders):
        row = connection.execute(query, {"parts": files}).fetchone()
    assert row is not None  # noqa: S101 - an aggregate always has its one row
    found = [read_manifest(folder) for folder in folders]
    manifests = [manifest for manifest in found if manifest is not None]
    known = len(manifests) == len(found)
    return Quality(
        rows_in=sum(m.rows - m.forgotten for m in manifests) if known else None,
        tagged=row[0],
        rejected=sum(manifest.rejected for manifest in manifests) if known else None,
        complete=all(manifest.complete for manifest in manifests),
        reasons=_reasons(manifests),
        other=row[1],
        unknown_authors=row[2],
        undated=row[3],
        truncated=row[4],
        first=time_of(row[5]),
        last=time_of(row[6]),
        abstained=dict(zip(TAGS, row[7:], strict=True)),
        models=tuple(dict.fromkeys(str(m.identity.model["name"]) for m in manifests)),
    )


def catalogs(folders: Iterable[Path]) -> list[Mapping[str, Any] | None]:
    """What the manifest of each run says of the catalogue it was tagged with; None for none."""
    manifests = [read_manifest(folder) for folder in folders]
    return [None if manifest is None else manifest.identity.catalog for manifest in manifests]


def _reasons(manifests: Iterable[Manifest]) -> dict[str, int]:
    counter: Counter[str] = Counter()
    for manifest in manifests:
        counter.update(manifest.reasons())
    commonest = dict(counter.most_common(_REASONS))
    rest = counter.total() - sum(commonest.values())
    return commonest | ({"…": rest} if rest else {})


def time_of(microseconds: int | None) -> datetime | None:
    """The UTC time of some microseconds since 1970; None where a calendar has no such day."""
    from datetime import UTC, timedelta

    if microseconds is None:
        return None
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    except OverflowError:
        return None
