# ruff: noqa: S608 - every name in this SQL is murmure's own, every value is quoted
"""What one task of a cluster counts: all posts of some people, as a local count does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from murmure.errors import RunError
from murmure.influence.cells import Cells
from murmure.influence.database import connect, quote
from murmure.influence.facts import make_facts, make_posts
from murmure.influence.material import (
    PLACES,
    STORED,
    make_cells_tables,
    read_labels,
    read_rows,
)
from murmure.influence.mentions import FOUND, find_mentions, read_mentions
from murmure.influence.metrics import ALL
from murmure.influence.runs import Part, Run
from murmure.influence.slices import cuts, group_voices, make_slices
from murmure.influence.spark_echoes import ALL_BUT_ONE, EVERY
from murmure.schema import LABELS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from murmure.catalog import Catalog

SLICE_KEYS = ("entity", "win", "language", "channel", "media")
ALL_LABELS = (*SLICE_KEYS, "promotion", "metric", "experience", "touchpoint", "sentiment")
#: The kinds of row that one task tells of its posts.
SLICES, SPLITS, GROUPS, MATERIAL = "slices", "splits", "grouped", "material"
KIND_AND_LABELS = ("kind", *ALL_LABELS)
#: What a row of the material has besides its labels.
OF_ROWS = {"author": pa.int64(), "echo": pa.int32(), "cell": pa.int32()}


@dataclass(frozen=True, slots=True)
class Retag:
    """Tags texts with the posts' own model, which the worker loads when the first comes.

    Attributes:
        model: its name or folder.
        fingerprint: what it must have.
    """

    model: str
    fingerprint: str

    def __call__(self, brands: Catalog, texts: Sequence[str]) -> pa.Array:
        """Tags the mentions of brands in texts."""
        return _predictor(self, brands).predict_mentions(texts)


_PREDICTORS: dict[tuple[Retag, str], Any] = {}


def _predictor(setup: Retag, brands: Catalog) -> Any:  # noqa: ANN401 - a Predictor, loaded late
    from murmure.tagging import Predictor

    known = (setup, brands.fingerprint)
    if known not in _PREDICTORS:
        predictor = Predictor.from_pretrained(setup.model, catalog=brands)
        if predictor.fingerprint != setup.fingerprint:
            message = f"model '{setup.model}' is another on this worker than where the job began"
            raise RunError(message)
        _PREDICTORS.clear()
        _PREDICTORS[known] = predictor
    return _PREDICTORS[known]


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts the posts of one partition, which holds all posts of its authors.

    Attributes:
        groups: the group of each entity; None where posts name none.
        by: the columns to split by.
        window: how windows are named, for DuckDB's strftime.
        languages: which languages' posts are counted.
        kinds: the kind of media of each channel.
        brands: the brands to look for in the texts; None where `mentions` tells them.
        retag: tags the posts that name several of them.
        cells: of the model that tagged the posts; None where nothing is estimated.
    """

    groups: Mapping[str, str] | None
    by: tuple[str, ...]
    window: str
    languages: tuple[str, ...]
    kinds: Mapping[str, str]
    brands: Catalog | None
    retag: Retag | None
    cells: Cells | None

    @property
    def of_mentions(self) -> pa.StructType:
        """What is read of a mention."""
        text, vector = pa.string(), pa.list_(pa.float32())
        fields = [("entity", text), ("start", pa.int32())]
        for tag in ("sentiment", "experience", "touchpoint"):
            fields.append((tag, text))
            if tag == "sentiment" or self.cells is not None:
                fields.append((f"{tag}_probabilities", vector))
        return pa.struct(fields)

    @property
    def reads(self) -> pa.Schema:
        """What is read of each post, besides flags."""
        text, vector = pa.string(), pa.list_(pa.float32())
        names = ("key", "author", "channel", "repost_of", *LABELS)
        fields = [("created_at", pa.timestamp("us", tz="UTC")), *((name, text) for name in names)]
        if self.cells is not None or self.brands is not None:
            fields += [(f"{tag}_probabilities", vector) for tag in LABELS]
        if self.brands is None:
            return pa.schema([*fields, ("mentions", pa.list_(self.of_mentions))])
        scores = [(f"{tag}_score", pa.float32()) for tag in LABELS]
        return pa.schema([*fields, *scores, ("text", text)])

    @property
    def schema(self) -> pa.Schema:
        """The columns given: which kind of row, its labels, and numbers that add up."""
        with TemporaryDirectory(prefix="murmure-count-") as folder:
            file = Path(folder, "part.parquet")
            pq.write_table(self.reads.empty_table(), file)
            return self._count(file, pa.table({"key": [], "flag": []}), 0).schema

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Counts one partition's posts."""
        with TemporaryDirectory(prefix="murmure-count-") as folder:
            file = Path(folder, "part.parquet")
            flags, rows = self._store(batches, file)
            if rows:
                yield from self._count(file, flags, rows).to_batches(max_chunksize=10_000)

    def _store(self, batches: Iterator[pa.RecordBatch], file: Path) -> tuple[pa.Table, int]:
        """Writes the posts down, and gives the flags and how many posts there are."""
        names = self.reads.names
        flags = [pa.table({"key": pa.array([], pa.string()), "flag": pa.array([], pa.int32())})]
        rows = 0
        with ExitStack() as stack:
            writer = None
            for batch in batches:
                is_post = pc.equal(batch.column("flag"), 0)
                told = batch.filter(pc.invert(is_post))
                flags.append(pa.table({"key": told.column("key"), "flag": told.column("flag")}))
                posts = batch.filter(is_post).select(names)
                rows += posts.num_rows
                if writer is None:
                    writer = stack.enter_context(pq.ParquetWriter(file, posts.schema))
                writer.write_batch(posts)
        return pa.concat_tables(flags), rows

    def _count(self, file: Path, flags: pa.Table, rows: int) -> pa.Table:
        """What a local count makes of the posts before metrics, as rows that add up."""
        runs = [Run(file.parent, "", "", {}, (Part(file, rows, 0),))]
        with connect(runs) as connection:
            connection.execute("SET threads = 1")
            _flag(connection, file, flags)
            make_posts(
                connection, runs, kinds=self.kinds, languages=self.languages, window=self.window
            )
            if self.brands is not None and self.retag is not None:
                brands, retag = self.brands, self.retag
                find_mentions(connection, runs, brands, lambda texts: retag(brands, texts))
            elif self.groups is not None:
                read_mentions(connection, runs)
            tables = []
            if self.cells is not None:
                found = STORED if self.brands is None else FOUND
                told_by = None if self.groups is None else found
                make_cells_tables(connection, runs, self.cells, mentions=told_by)
                tables.append(self._material(connection))
            make_facts(connection, self.groups, split="entity" in self.by)
            groups = " UNION ALL ".join(
                f"(SELECT rivals::VARCHAR AS entity, * EXCLUDE (rivals) FROM ({group_voices(cut)}))"
                for cut in cuts(self.by)
            )
            connection.execute(f"CREATE TABLE grouped AS {groups}")
            make_slices(connection, self.by)
            tables += [_rows(connection, kind) for kind in (GROUPS, SPLITS, SLICES)]
            every = pa.schema(list(OF_ROWS.items())).empty_table()
            columns = [*KIND_AND_LABELS, *_measures(connection), *OF_ROWS]
            return pa.concat_tables([*tables, every], promote_options="default").select(columns)

    def _material(self, connection: DuckDBPyConnection) -> pa.Table:
        """What estimates are made of, with names for numbers that are of this task alone."""
        entities = [ALL, *(self.groups or {} if "entity" in self.by else {})]
        rows = read_rows(connection, entities, whole=self.groups is None)
        columns = {"kind": pa.array([MATERIAL] * len(rows["cell"]), pa.string())}
        for name, labels in [
            ("entity", entities),
            *((p, read_labels(connection, p)) for p in PLACES),
        ]:
            columns[name] = pa.array(labels, pa.string()).take(pa.array(rows[name]))
        author = pa.array(rows["author"].astype(np.uint64).view(np.int64))
        columns["author"] = pc.if_else(pa.array(rows["known"]), author, pa.scalar(None, pa.int64()))
        for name in ("echo", "cell"):
            columns[name] = pa.array(rows[name].astype(np.int32))
        return pa.table(columns)


def _measures(connection: DuckDBPyConnection) -> list[str]:
    """The numbers of the slices, the voices of a group and the posts of a split among them."""
    names = [name for name, *_ in connection.execute("DESCRIBE slices").fetchall()]
    return [*(name for name in names if name not in SLICE_KEYS), "posts"]


def _rows(connection: DuckDBPyConnection, table: str) -> pa.Table:
    """A table's rows with all label columns, without those that tell nothing."""
    columns = [
        (name, kind) for name, kind, *_ in connection.execute(f"DESCRIBE {table}").fetchall()
    ]
    labels = {name for name, _ in columns if name in ALL_LABELS}
    numbers = {
        # The voices of its group are no number of the slice's own: they are told by group.
        name: f"{'0' if table == SLICES and name == 'group_voices' else name}"
        f"::{'DOUBLE' if kind == 'DOUBLE' else 'BIGINT'} AS {name}"
        for name, kind in columns
        if name not in labels
    }
    told = " OR ".join(
        f"{name} <> 0" for name in numbers if (table, name) != (SLICES, "group_voices")
    )
    selected = [
        f"'{table}' AS kind",
        *(
            f"{name}::VARCHAR AS {name}" if name in labels else f"NULL::VARCHAR AS {name}"
            for name in ALL_LABELS
        ),
        *numbers.values(),
    ]
    return connection.sql(
        f"SELECT {', '.join(selected)} FROM {table} WHERE {told}"
    ).to_arrow_table()


def _flag(connection: DuckDBPyConnection, file: Path, flags: pa.Table) -> None:
    """Makes the table `echoes` of what was found, and of reposts."""
    connection.register("flags", flags)
    connection.execute(
        "CREATE TABLE echoes AS SELECT number FROM (SELECT file_row_number AS number, key, "
        "trim(coalesce(repost_of, '')) <> '' AS repost, "
        "row_number() OVER (PARTITION BY key ORDER BY file_row_number) AS place "
        f"FROM read_parquet({quote(file.as_posix())}, file_row_number = true)) p "
        f"WHERE repost OR key IN (SELECT key FROM flags WHERE flag = {EVERY}) "
        f"OR place > 1 AND key IN (SELECT key FROM flags WHERE flag = {ALL_BUT_ONE})"
    )
    connection.unregister("flags")
