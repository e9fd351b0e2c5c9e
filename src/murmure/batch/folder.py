"""A run's folder while it is being filled: parts, rejects and manifest kept in step.

The manifest is what counts. A part and its rejects are on the disk before the manifest names
them; whatever it does not name is removed when the run goes on.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from murmure.batch.files import TEMPORARY_SUFFIX, sync_folder
from murmure.batch.flow import TaggedChunk
from murmure.batch.manifest import REJECTS_NAME, Counts, Identity, Manifest, Part
from murmure.batch.sources import sha256_of
from murmure.batch.values import json_line
from murmure.batch.writers import PartWriter
from murmure.errors import RunError

_ANEW = "--overwrite starts anew"


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
        self._counts: dict[int, list[int]] = {}
        self._rejects: list[bytes] = []
        self._reasons: Counter[str] = Counter()
        self._warnings: Counter[str] = Counter()
        self._rows = self._tagged = 0

    def add(self, chunk: TaggedChunk) -> None:
        """Adds a chunk, and finishes the part that it fills."""
        if self._writer is None:
            self._writer = PartWriter(self.path / self._name(), self._schema)
        self._writer.write(chunk.batch)
        label = str(self.manifest.identity.inputs[chunk.source]["source"])
        for reject in chunk.rejects:
            self._rejects.append(json_line(reject.to_dict(label)).encode())
            self._reasons[reject.reason.partition(":")[0]] += 1
        counts = self._counts.setdefault(chunk.source, [0, 0, 0])
        for position, count in enumerate((chunk.rows, chunk.batch.num_rows, len(chunk.rejects))):
            counts[position] += count
        self._warnings.update(chunk.warnings)
        self._rows += chunk.rows
        self._tagged += chunk.batch.num_rows
        if self._rows >= self._part_rows:
            self._commit()

    def _name(self) -> str:
        return f"part-{len(self.manifest.parts):05d}.parquet"

    def _commit(self) -> None:
        """Puts the part in its place, then its rejects, and only then tells the manifest."""
        name = self._name()
        writer = self._writer or PartWriter(self.path / name, self._schema)
        self._writer = writer
        size, sha256 = writer.finish()
        self._writer = None
        end = self.manifest.rejects_end
        data = b"".join(self._rejects)
        with (self.path / REJECTS_NAME).open("r+b") as file:
            file.seek(end)
            file.write(data)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
        counts = [
            Counts(input=number, rows=rows, tagged=tagged, rejected=rejected)
            for number, (rows, tagged, rejected) in sorted(self._counts.items())
        ]
        part = Part(
            file=name,
            first_row=self.manifest.rows,
            rows=self._rows,
            tagged=self._tagged,
            rejected=len(self._rejects),
            size=size,
            sha256=sha256,
            rejects_end=end + len(data),
            counts=tuple(counts),
            reasons=dict(sorted(self._reasons.items())),
            warnings=dict(sorted(self._warnings.items())),
        )
        self.manifest.parts.append(part)
        self.manifest.write(self.path)
        self._begin()

    def finish(self) -> None:
        """Finishes the last part, and the run; a run over no rows has one part without rows."""
        if self._writer is not None or not self.manifest.parts:
            self._commit()
        self.manifest.duplicate_ids = duplicate_ids(self.path, self.manifest)
        self.manifest.rejects_sha256 = sha256_of(self.path / REJECTS_NAME)
        self.manifest.complete = True
        self.manifest.write(self.path)


def start(folder: Path, identity: Identity) -> Manifest:
    """Begins a run in a folder, over whatever run was there before."""
    manifest = Manifest(identity=identity)
    manifest.write(folder)
    (folder / REJECTS_NAME).write_bytes(b"")
    _tidy(folder, manifest)
    return manifest


def resume(folder: Path, manifest: Manifest) -> None:
    """Makes sure that what a manifest says is done is there, and removes all else.

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
    if manifest.complete:
        if sha256_of(rejects) != manifest.rejects_sha256:
            raise RunError(f"{rejects}: changed since it was written; {_ANEW}")
        return
    os.truncate(rejects, manifest.rejects_end)
    _tidy(folder, manifest)


def _tidy(folder: Path, manifest: Manifest) -> None:
    named = {part.file for part in manifest.parts}
    for path in [*folder.glob("part-*.parquet"), *folder.glob(f".*{TEMPORARY_SUFFIX}")]:
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


_DUPLICATE_MEMORY = "128MB"


def duplicate_ids(folder: Path, manifest: Manifest) -> dict[str, object] | None:
    """How many ids more than one row has, how many rows those are, and the first few of them.

    DuckDB counts them from the parts and spills to the disk what memory does not hold; where
    even that fails, None says that they were not counted.
    """
    import duckdb

    paths = [str(folder / part.file) for part in manifest.parts]
    grouped = "SELECT id, count(*) AS n FROM read_parquet(?) GROUP BY id HAVING n > 1"
    try:
        with tempfile.TemporaryDirectory() as spill, duckdb.connect() as database:
            database.execute(f"SET memory_limit='{_DUPLICATE_MEMORY}'")
            database.execute("SET threads=2")
            database.execute(f"SET temp_directory='{spill}'")
            database.execute(f"CREATE TEMP TABLE doubles AS {grouped}", [paths])
            count = database.execute("SELECT count(*), coalesce(sum(n), 0) FROM doubles").fetchone()
            ids_first = database.execute("SELECT id FROM doubles ORDER BY id LIMIT 10").fetchall()
    except duckdb.Error:
        return None
    ids, rows = count or (0, 0)
    return {"ids": int(ids), "rows": int(rows), "first": [name for (name,) in ids_first]}
