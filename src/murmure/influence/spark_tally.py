# ruff: noqa: S608 - every name in this SQL is murmure's own, every value is quoted
"""What one task of a cluster counts: all posts of some people, as a local count does."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
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
from murmure.influence.crowds import meet
from murmure.influence.database import connect, quote
from murmure.influence.echoes import Echoes
from murmure.influence.layout import Layout, make_layout
from murmure.influence.material import PLACES, Material, gather
from murmure.influence.mentions import find_mentions
from murmure.influence.posts import STORED, Posts, read_mentions, read_posts
from murmure.influence.runs import Part, Run
from murmure.influence.slices import MEASURES, SPLITS, count_labels, count_organic_voices
from murmure.influence.spark_echoes import ALL_BUT_ONE, EVERY
from murmure.schema import LABELS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from murmure.catalog import Catalog

#: What tells a slice.
SLICE_KEYS = ("entity", "win", "language", "channel", "media")
#: The kinds of row that one task tells of its posts.
SLICES, GROUPS, MATERIAL = "slices", "grouped", "material"
KIND_AND_LABELS = ("kind", *SLICE_KEYS)
#: The numbers of a slice; they add up over tasks.
NUMBERS = (*MEASURES, *(f"split_{place}" for place in range(len(SPLITS))), "group_voices")
#: What a row of the material has besides its labels.
OF_ROWS = {"author": pa.int64(), "echo": pa.int32(), "said": pa.int32(), "cell": pa.int32()}
_KINDS = {
    **dict.fromkeys(KIND_AND_LABELS, pa.string()),
    **dict.fromkeys(NUMBERS, pa.int64()),
    **OF_ROWS,
}


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
        window: `day`, `week` or `month`.
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
        return pa.schema(list(_KINDS.items()))

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
        search, retag = self.brands, self.retag
        with connect(runs) as connection:
            connection.execute("SET threads = 1")
            stored = search is None and self.groups is not None
            posts, mentions = read_posts(
                connection,
                runs,
                _flag(connection, file, flags, rows),
                kinds=self.kinds,
                languages=self.languages,
                window=self.window,
                cells=self.cells,
                mentions=STORED if stored else None,
                sponsored=search is not None and self.cells is not None,
                threads=1,
            )
            if search is not None and retag is not None:
                found = find_mentions(connection, runs, search, lambda texts: retag(search, texts))
                mentions = read_mentions(posts, found, self.cells)
        material = gather(posts, mentions, self.groups, split="entity" in self.by)
        tables = [self.schema.empty_table()]
        if self.cells is not None:
            tables.append(_material(material, posts))
        else:
            tables += _slices(material, self.by)
        return pa.concat_tables(tables, promote_options="default")


def _slices(material: Material, by: Collection[str]) -> Iterator[pa.Table]:
    for entity in range(len(material.entities)):
        people = meet(make_layout(material, range(entity, entity + 1), by))
        numbers, splits = count_labels(people)
        numbers |= {f"split_{place}": column for place, column in enumerate(splits.T)}
        yield _rows(SLICES, material.entities[entity], people.layout, numbers)
    for group in sorted({material.group(entity) for entity in range(1, len(material.entities))}):
        together = material.together(material.of_group(group))
        people = meet(make_layout(together, range(1), by))
        yield _rows(GROUPS, group, people.layout, {"group_voices": count_organic_voices(people)})


def _rows(kind: str, name: str, layout: Layout, numbers: Mapping[str, Any]) -> pa.Table:
    """The slices of a layout of one entity or group, with their labels."""
    row, keys = layout.slices()
    texts = {"kind": [kind] * len(row), "entity": [name] * len(row)}
    columns = {key: pa.array(values, pa.string()) for key, values in texts.items()}
    for key, code in zip(PLACES, keys[1:], strict=True):
        labels = layout.material.labels[key]
        columns[key] = pa.array(labels, pa.string()).take(pa.array(code))
    for key, values in numbers.items():
        columns[key] = pa.array(values[row], pa.int64())
    return pa.table(columns)


def _material(material: Material, posts: Posts) -> pa.Table:
    """What estimates are made of, with names for numbers that are of this task alone."""
    many = len(material.cell)
    entity = np.repeat(np.arange(len(material.entities)), np.diff(material.firsts))
    columns = {"kind": pa.array([MATERIAL] * many, pa.string())}
    columns["entity"] = pa.array(material.entities, pa.string()).take(pa.array(entity))
    for name in PLACES:
        media = material.kinds[material.channel]
        code = media if name == "media" else getattr(material, name)
        columns[name] = pa.array(material.labels[name], pa.string()).take(pa.array(code))
    author = pa.array(posts.names[material.author].view(np.int64))
    known = pa.array(material.author > 0)
    columns["author"] = pc.if_else(known, author, pa.scalar(None, pa.int64()))
    for name in ("echo", "said", "cell"):
        columns[name] = pa.array(getattr(material, name).astype(np.int32))
    return pa.table(columns)


def _flag(connection: DuckDBPyConnection, file: Path, flags: pa.Table, rows: int) -> Echoes:
    """Which posts are echoes, by what was found, or reposts; of what is not told."""
    connection.register("flags", flags)
    found = connection.execute(
        "SELECT number FROM (SELECT file_row_number AS number, key, "
        "trim(coalesce(repost_of, '')) <> '' AS repost, "
        "row_number() OVER (PARTITION BY key ORDER BY file_row_number) AS place "
        f"FROM read_parquet({quote(file.as_posix())}, file_row_number = true)) p "
        f"WHERE repost OR key IN (SELECT key FROM flags WHERE flag = {EVERY}) "
        f"OR place > 1 AND key IN (SELECT key FROM flags WHERE flag = {ALL_BUT_ONE})"
    ).fetchnumpy()
    connection.unregister("flags")
    echoes = np.zeros(rows, np.bool_)
    echoes[found["number"]] = True
    return Echoes(echoes, np.zeros(rows, np.int32))
