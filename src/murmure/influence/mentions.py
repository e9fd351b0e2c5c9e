# ruff: noqa: S608 - every name in this SQL is murmure's own, every value is quoted
"""Which entities each post names, for a catalogue that the runs were not tagged with.

The names are looked for in the stored texts: a post that names one entity speaks of it with the
post's own tags, and in a post that names several the sentences that do are tagged. What is found is
kept in the run's folder, for the next count with this catalogue and model; where that cannot be
written, it is found anew each time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from murmure.batch.beside import MENTIONS_FOLDER
from murmure.batch.files import put_in_place, temporary
from murmure.batch.manifest import read_manifest
from murmure.influence.database import chunks, scan
from murmure.influence.runs import Run
from murmure.schema import TAGS, mention_type

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from murmure.catalog import Catalog, Span

_LOG = logging.getLogger(__name__)

#: Tags texts that name several entities: gives an array of `schema.mention_type()` lists.
Retag = Callable[[Sequence[str]], "pa.Array"]

_CHUNK = 50_000


def find_mentions(
    connection: DuckDBPyConnection,
    runs: Sequence[Run],
    catalog: Catalog,
    retag: Retag,
    *,
    model: str | None = None,
) -> list[tuple[Path, int]]:
    """Looks for the catalogue's names in the stored texts.

    Args:
        connection: knows the parts.
        runs: the runs to read.
        catalog: the brands to look for.
        retag: called with the texts that name several of them.
        model: the fingerprint of the model that `retag` tags with. Where given, what is found is
            kept beside each run, and what was kept of the same parts is read.

    Returns:
        For each run a file with the columns `number` (of the post within the run) and `mentions`
        (lists of `schema.mention_type()`), and the number of the run's first post. It is there as
        long as the connection's temporary folder.
    """
    return [
        (_find(connection, run, catalog, retag, model=model, place=place), run.parts[0].first)
        for place, run in enumerate(run for run in runs if run.parts)
    ]


def _find(
    connection: DuckDBPyConnection,
    run: Run,
    catalog: Catalog,
    retag: Retag,
    *,
    model: str | None,
    place: int,
) -> Path:
    """The file of a run's mentions, made if it is not kept."""
    ((folder,),) = connection.execute("SELECT current_setting('temp_directory')").fetchall()
    passing = Path(folder) / f"mentions-{place}.parquet"
    if model is None:
        passing.parent.mkdir(parents=True, exist_ok=True)
        _write(connection, run, catalog, retag, passing, told="")
        return passing
    told = _identity(run, catalog, model)
    kept = run.folder / MENTIONS_FOLDER / f"{catalog.fingerprint[:16]}-{model[:16]}.parquet"
    if _told(kept) == told:
        return kept
    unfinished = temporary(kept.with_name(f"{kept.name}.{os.getpid()}"))
    try:
        kept.parent.mkdir(exist_ok=True)
        unfinished.touch()  # before the search, which takes time
        _write(connection, run, catalog, retag, unfinished, told=told)
        put_in_place(unfinished, kept)
    except OSError as error:
        _LOG.info("%s: mentions are not kept (%s)", run.folder, error.strerror or error)
    else:
        return kept
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
    passing.parent.mkdir(parents=True, exist_ok=True)
    _write(connection, run, catalog, retag, passing, told=told)
    return passing


def _identity(run: Run, catalog: Catalog, model: str) -> str:
    """What the mentions of a run depend on: its parts, the catalogue and the model."""
    manifest = read_manifest(run.folder)
    parts = [(part.file, part.sha256) for part in manifest.parts] if manifest else []
    content = json.dumps([parts, catalog.fingerprint, model])
    return hashlib.sha256(content.encode()).hexdigest()


_KEY = b"murmure"


def _told(path: Path) -> str | None:
    """What a kept file says that it depends on; None where there is none to be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        told: bytes = (pq.read_schema(path).metadata or {}).get(_KEY, b"")
        return told.decode()
    except (OSError, pa.ArrowException):
        return None


def _write(
    connection: DuckDBPyConnection,
    run: Run,
    catalog: Catalog,
    retag: Retag,
    path: Path,
    *,
    told: str,
) -> None:
    """Writes the mentions of a run: `number` (of the post within the run) and `mentions`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kind = pa.list_(mention_type())
    schema = pa.schema(
        [pa.field("number", pa.int64()), pa.field("mentions", kind)], metadata={_KEY: told}
    )
    columns = ["text", *(f"{tag}{what}" for tag in TAGS for what in _OF_TAG)]
    first = run.parts[0].first
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for parts in chunks([run], _CHUNK):
            rows = connection.sql(f"SELECT * FROM {scan(parts, columns)} ORDER BY number")
            for batch in rows.to_arrow_reader(_CHUNK):
                numbers, mentions = _found_in(pa.table(batch), catalog, retag)
                if numbers:
                    within = pa.array([number - first for number in numbers], pa.int64())
                    writer.write_table(pa.table([within, mentions], schema=schema))


_OF_TAG = ("", "_score", "_probabilities")


def _found_in(posts: pa.Table, catalog: Catalog, retag: Retag) -> tuple[list[int], pa.Array]:
    """The numbers of the posts that name any entity, and their mentions."""
    import pyarrow as pa

    texts = posts["text"].to_pylist()
    numbers = posts["number"].to_pylist()
    alone: list[tuple[int, Span]] = []
    several: list[int] = []
    for row, spans in enumerate(catalog.find_all(texts)):
        entities = {span.entity for span in spans}
        if len(entities) == 1:
            # All its mentions have the post's tags: one will do.
            alone.append((row, spans[0]))
        elif entities:
            several.append(row)
    kind = pa.list_(mention_type())
    mentions = _of_post(posts, alone)
    if several:
        tagged = retag([texts[row] for row in several]).cast(kind)
        mentions = pa.concat_arrays([mentions, tagged])
    return [numbers[row] for row in [*(row for row, _ in alone), *several]], mentions


def _of_post(posts: pa.Table, alone: Sequence[tuple[int, Span]]) -> pa.Array:
    """For each a list of one mention, which has the tags of its post."""
    import numpy as np
    import pyarrow as pa

    kind = mention_type()
    rows = pa.array([row for row, _ in alone], pa.int64())
    columns = [
        pa.array([span.entity for _, span in alone], pa.string()),
        pa.array([span.surface for _, span in alone], pa.string()),
        pa.array([span.start for _, span in alone], pa.int32()),
        pa.array([span.end for _, span in alone], pa.int32()),
    ]
    fields = [kind.field(index) for index in range(kind.num_fields)]
    for field in fields[len(columns) :]:
        column = posts[field.name].take(rows)
        # Where runs were written without Arrow's schema, vectors come back as plain lists.
        columns.append(column.cast(field.type).combine_chunks())
    offsets = pa.array(np.arange(len(alone) + 1), pa.int32())
    structs = pa.StructArray.from_arrays(columns, fields=fields)
    return pa.ListArray.from_arrays(offsets, structs).cast(pa.list_(kind))
