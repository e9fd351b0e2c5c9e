"""A run's folder while it is being filled: parts, rejects and manifest kept in step.

The manifest is what counts. A part and its rejects are on the disk before the manifest names
them; whatever it does not name is removed when the run goes on.
"""

from __future__ import annotations

import glob
import logging
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from murmure.batch.failpoints import reach
from murmure.batch.files import TEMPORARY_SUFFIX, put_in_place, sync_folder
from murmure.batch.flow import TaggedChunk
from murmure.batch.forgotten import Absent, Forgotten
from murmure.batch.manifest import REJECTS_NAME, Counts, Identity, Manifest, Part
from murmure.batch.parts import values
from murmure.batch.sources import sha256_of
from murmure.batch.values import json_line
from murmure.batch.writers import PartFormat, PartWriter, open_part
from murmure.errors import RunError

#: Standard input, laid down to be read twice.
SPOOL_NAME = ".stdin.jsonl"
_ANEW = "--overwrite starts anew"
_PENDING_SUFFIX = ".forget"
_log = logging.getLogger(__name__)


class RunFolder:
    """Takes tagged chunks in order and makes parts of them.

    Args:
        path: the folder.
        manifest: what is done already.
        schema: the columns of the parts.
        part_rows: input rows a part.
    """

    def __init__(
        self, path: Path, manifest: Manifest, *, schema: pa.Schema, part_rows: int
    ) -> None:
        self.path = path
        self.manifest = manifest
        self._schema = schema
        self._part_rows = part_rows
        self._writer: PartWriter | None = None
        self._absent = Absent(manifest.erasures)
        self._begin()

    def __enter__(self) -> Self:
        """Nothing to do."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Gives up the part that is not finished."""
        if self._writer is not None:
            self._writer.abandon()
            self._writer = None

    def _begin(self) -> None:
        self._counts: dict[int, Counter[str]] = {}
        self._rejects: list[bytes] = []
        self._reasons: Counter[str] = Counter()
        self._warnings: Counter[str] = Counter()
        self._rows = self._tagged = self._forgotten = 0

    def add(self, chunk: TaggedChunk) -> None:
        """Adds a chunk, and finishes the part that it fills."""
        if self._writer is None:
            self._writer = self._open()
        batch, rejects = chunk.batch, chunk.rejects
        if self._absent:
            there = [not self._absent(name) for name in batch.column("author").to_pylist()]
            batch = batch.filter(pa.array(there, pa.bool_()))
            rejects = [one for one in rejects if not self._absent.wrote(one.author, one.raw)]
        forgotten = chunk.rows - batch.num_rows - len(rejects)
        self._writer.write(batch)
        label = str(self.manifest.identity.inputs[chunk.source]["source"])
        for reject in rejects:
            self._rejects.append(json_line(reject.to_dict(label)).encode())
            self._reasons[reject.reason.partition(":")[0]] += 1
        self._counts.setdefault(chunk.source, Counter()).update(
            rows=chunk.rows, tagged=batch.num_rows, rejected=len(rejects), forgotten=forgotten
        )
        self._warnings.update(chunk.warnings)
        self._rows += chunk.rows
        self._tagged += batch.num_rows
        self._forgotten += forgotten
        if self._rows >= self._part_rows:
            self._commit()

    def _name(self) -> str:
        return f"part-{len(self.manifest.parts):05d}.{self.manifest.part_format}"

    def _open(self) -> PartWriter:
        return open_part(self.path / self._name(), self._schema, self.manifest.part_format)

    def _commit(self) -> None:
        """Puts the part in its place, then its rejects, and only then tells the manifest."""
        name = self._name()
        writer = self._writer or self._open()
        self._writer = writer
        size, sha256 = writer.finish()
        self._writer = None
        end = self.manifest.rejects_end
        data = b"".join(self._rejects)
        with (self.path / REJECTS_NAME).open("r+b") as file:
            file.seek(end)
            file.write(data[: len(data) // 2])
            file.flush()
            reach("mid-reject")
            file.write(data[len(data) // 2 :])
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
        counts = [Counts(input=number, **found) for number, found in sorted(self._counts.items())]
        part = Part(
            file=name,
            first_row=self.manifest.rows,
            rows=self._rows,
            tagged=self._tagged,
            rejected=len(self._rejects),
            size=size,
            sha256=sha256,
            rejects_end=end + len(data),
            forgotten=self._forgotten,
            counts=tuple(counts),
            reasons=dict(sorted(self._reasons.items())),
            warnings=dict(sorted(self._warnings.items())),
        )
        self.manifest.parts.append(part)
        self.manifest.rejects_sha256 = None
        reach("before-manifest")
        self.manifest.write(self.path)
        self._begin()

    def finish(self) -> None:
        """Finishes the last part, and the run; a run over no rows has one part without rows."""
        if self._writer is not None or not self.manifest.parts:
            self._commit()
        files = [self.path / part.file for part in self.manifest.parts]
        self.manifest.duplicate_ids = duplicate_ids(files, self.manifest.part_format)
        self.manifest.rejects_sha256 = sha256_of(self.path / REJECTS_NAME)
        self.manifest.complete = True
        self.manifest.write(self.path)


def start(folder: Path, identity: Identity, erasures: Sequence[Forgotten] = ()) -> Manifest:
    """Begins a run in a folder, over whatever run was there before.

    Args:
        folder: there already.
        identity: of the run.
        erasures: who was forgotten in the run before; their rows are left out of this one too.
    """
    manifest = Manifest(identity=identity, erasures=list(erasures))
    manifest.write(folder)
    (folder / REJECTS_NAME).write_bytes(b"")
    tidy(folder, manifest)
    return manifest


def resume(folder: Path, manifest: Manifest) -> None:
    """Makes sure that what a manifest says is done is there, and removes all else.

    Raises:
        RunError: a part or the rejects are not as they were written.
    """
    put_pending_in_place(folder, manifest)
    check_parts(folder, manifest)
    if manifest.complete:
        return
    os.truncate(folder / REJECTS_NAME, manifest.rejects_end)
    tidy(folder, manifest)


def check_parts(folder: Path, manifest: Manifest) -> None:
    """Makes sure that what a manifest says is done is there.

    Raises:
        RunError: a part or the rejects are not as they were written.
    """
    for part in manifest.parts:
        path = folder / part.file
        if not path.is_file() or path.stat().st_size != part.size:
            raise RunError(f"{path}: missing or changed since it was written; {_ANEW}")
        if sha256_of(path) != part.sha256:
            raise RunError(f"{path}: changed since it was written; {_ANEW}")
    rejects = folder / REJECTS_NAME
    if not rejects.exists() and not manifest.rejects_end:
        rejects.write_bytes(b"")
    if not rejects.exists() or rejects.stat().st_size < manifest.rejects_end:
        raise RunError(f"{rejects}: missing or changed since it was written; {_ANEW}")
    if manifest.complete and sha256_of(rejects) != manifest.rejects_sha256:
        raise RunError(f"{rejects}: changed since it was written; {_ANEW}")


def pending(path: Path) -> Path:
    """Where a file is held that is to take its place once the manifest says so."""
    return path.with_name(f".{path.name}{_PENDING_SUFFIX}")


def put_pending_in_place(folder: Path, manifest: Manifest) -> None:
    """Finishes an erasure that the manifest records, and takes back one that it does not."""
    expected = {part.file: part.sha256 for part in manifest.parts}
    expected[REJECTS_NAME] = manifest.rejects_sha256 or ""
    for path in sorted(folder.glob(f".*{_PENDING_SUFFIX}")):
        name = path.name[1:].removesuffix(_PENDING_SUFFIX)
        if sha256_of(path) == expected.get(name):
            put_in_place(path, folder / name)
        else:
            path.unlink()


def tidy(folder: Path, manifest: Manifest) -> None:
    """Removes what a manifest does not name: parts and half-written files of a killed run."""
    named = {part.file for part in manifest.parts}
    for path in [*folder.glob("part-*.*"), *folder.glob(f".*{TEMPORARY_SUFFIX}")]:
        if path.name not in named:
            path.unlink()
    sync_folder(folder)


def check_free(folder: Path) -> None:
    """Makes sure that a folder without a run holds nothing of anybody's.

    Raises:
        RunError: it does.
    """
    foreign = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if foreign:
        message = f"{folder}: holds no murmure run but other files ({foreign[0]}, for one)"
        raise RunError(f"{message}; choose another folder with -o")


_DUPLICATE_MEMORY = ("128MB", "512MB", "2GB")
_IDS_AT_ONCE = 100_000


def duplicate_ids(files: Sequence[Path], part_format: PartFormat) -> dict[str, object]:
    """How many ids more than one row has, how many rows those are, and the first few of them.

    DuckDB counts them from the parts and spills to the disk what memory does not hold.

    Raises:
        RunError: even so there was no room. A manifest without the count would not be that of
            an uninterrupted run, so the run waits at its end until there is.
    """
    import duckdb

    for memory in _DUPLICATE_MEMORY:
        try:
            return _count_duplicates(files, part_format, memory)
        except duckdb.Error as error:
            told = str(error).partition("\n")[0]
            _log.warning("ids could not be compared with %s of memory: %s", memory, told)
    message = f"ids could not be compared ({told}); with more room in memory or in the folder for"
    raise RunError(f"{message} temporary files (TMPDIR) the same command goes on, at its end")


def _count_duplicates(
    files: Sequence[Path], part_format: PartFormat, memory: str
) -> dict[str, object]:
    import duckdb

    # A name may look like a pattern, or like a partition that has its own id.
    grouped = (
        "SELECT id, count(*) AS n FROM read_parquet(?, hive_partitioning = false) "
        "GROUP BY id HAVING n > 1"
    )
    with tempfile.TemporaryDirectory() as spill, duckdb.connect() as database:
        if part_format != "parquet":
            files = [_ids_of(files, part_format, Path(spill) / "ids.parquet")]
        names = [glob.escape(str(file)) for file in files]
        database.execute(f"SET memory_limit='{memory}'")
        database.execute("SET threads=2")
        database.execute(f"SET temp_directory='{spill}'")
        database.execute(f"CREATE TEMP TABLE doubles AS {grouped}", [names])
        count = database.execute("SELECT count(*), coalesce(sum(n), 0) FROM doubles").fetchone()
        ids_first = database.execute("SELECT id FROM doubles ORDER BY id LIMIT 10").fetchall()
    ids, rows = count or (0, 0)
    return {"ids": int(ids), "rows": int(rows), "first": [name for (name,) in ids_first]}


def _ids_of(files: Sequence[Path], part_format: PartFormat, out: Path) -> Path:
    """Writes the ids of parts of text as Parquet."""
    schema = pa.schema([("id", pa.string())])
    with pq.ParquetWriter(out, schema, compression="zstd") as writer:
        for file in files:
            ids = values(file, part_format, "id")
            while some := list(islice(ids, _IDS_AT_ONCE)):
                writer.write_table(pa.table({"id": some}, schema=schema))
    return out
