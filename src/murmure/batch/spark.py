"""Tagging on a cluster: a Spark frame of posts in, tagged posts and rejects out.

The rows are those that `tag_file` makes of the same table in a Parquet file: the same columns, the
same reasons for rejects, the same tags; one post that fails costs one reject. What differs:

- A made id depends on the row alone (all its columns), not on its place, of which Spark has none
  that a retried task would find again. Rows alike in every column get the same id.
- Rejects tell no source and no line. What Spark's own reader could not read, it hands over in a
  column for corrupt records; those rows are rejects too.
- `TAG_probabilities` are lists: Spark has no lists of fixed size.

Each Python worker loads the model once and keeps it from task to task. Nothing depends on which
worker does what, or how often: a task that is run again gives the same rows.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from murmure.batch.blocks import MAX_BLOCK_CHARACTERS, Block, Reject
from murmure.batch.columns import Plan, free_name, make_plan, parse_columns
from murmure.batch.dates import check_dates
from murmure.batch.flow import TaggedChunk, tag_chunks
from murmure.batch.lines import excerpt
from murmure.batch.parquet import characters, holds_text, sort_out, with_strings
from murmure.batch.pool import InProcessTagger
from murmure.batch.rows import Chunk, to_chunk
from murmure.batch.run import MAX_TEXT, chunk_rows_of
from murmure.batch.values import as_text, empty_to_null, to_json
from murmure.batch.worker import LoadPredictor, load_predictor
from murmure.errors import InputError, RunError, UsageError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

#: What a reject tells: the row's own id and author, what is wrong, and what was read.
REJECT_TYPE = pa.struct([(name, pa.string()) for name in ("id", "author", "reason", "raw")])

#: Why a row that Spark's own reader gave up on is rejected.
CORRUPT = "corrupt record: Spark could not read it as a row"

_SHOWN = "the frame"
_CORRUPT_SETTING = "spark.sql.columnNameOfCorruptRecord"
_ID_BYTES = 12


@dataclass(frozen=True, slots=True)
class Tagged:
    """What became of a frame of posts.

    Every row of the frame is one row of `rows`, and either in `posts` or in `rejects`. Nothing is
    computed before it is asked for, and again each time: where both are wanted, persist `rows`
    first, or write it and read it back.

    Attributes:
        rows: the columns of a run's parts, and a last column that is null where the post was
            tagged, and else a struct of id, author, reason and
            raw; the other columns are null there.
        reject: the name of that last column: `reject`, where no column of the input is called so.
    """

    rows: DataFrame
    reject: str

    @property
    def posts(self) -> DataFrame:
        """The tagged posts, in the columns of a run's parts."""
        return self.rows.where(self.rows[self.reject].isNull()).drop(self.reject)

    @property
    def rejects(self) -> DataFrame:
        """The other rows: their own id and author, the reason, and the start of what was read."""
        found = self.rows.where(self.rows[self.reject].isNotNull())
        return found.select(f"`{self.reject}`.*")


def tag(
    frame: DataFrame,
    *,
    model: str | Path | None = None,
    catalog: str | Path | None = None,
    columns: str | Mapping[str, str] | None = None,
    dates: str | None = None,
    corrupt: str | None = None,
    chunk_rows: int | None = None,
    max_text: int = MAX_TEXT,
    load_predictor: LoadPredictor | None = None,
) -> Tagged:
    """Tags the posts of a Spark frame, on the cluster.

    Args:
        frame: the posts, one a row.
        model: name of a shipped model, or a folder that lies at this path both here and on every
            worker; None for the default.
        catalog: TOML file of brands whose mentions are to be found; it needs to be here only.
        columns: which column fills which of murmure's, as `"text=body,author=user"` or a mapping.
        dates: `"day-first"` or `"month-first"`, to understand dates such as 12/03/2026.
        corrupt: the column where Spark's reader put what it could not read; the session's
            `spark.sql.columnNameOfCorruptRecord` where None.
        chunk_rows: rows, at most, that are tagged together, whatever the size of Arrow's batches;
            None for as many as suit the model.
        max_text: texts of more characters are rejected.
        load_predictor: makes the predictor from `model` and the catalogue's file; importable from
            a module on the workers.

    Returns:
        The tagged posts and the rejects, still to be computed.

    Raises:
        InputError: the frame has no text column, or it holds no text.
        UsageError: options that do not exist or do not fit each other.
        ModelError: no such model here, or a damaged one. Where a worker has none or another, the
            Spark job fails and says so.
    """
    from pyspark.sql.pandas.types import from_arrow_schema

    from murmure.tagging.folder import default_model

    if chunk_rows is None:
        chunk_rows = chunk_rows_of(default_model() if model is None else str(model))
    for name, value in (("chunk_rows", chunk_rows), ("max_text", max_text)):
        if value < 1:
            raise UsageError(f"{name}: expected 1 or more, but was given {value}")
    given = frame.limit(0).toArrow().schema
    if repeated := {name for name in given.names if given.names.count(name) > 1}:
        raise InputError(f"has two columns {min(repeated)!r}; rename one", file=_SHOWN)
    if corrupt is None:
        default = frame.sparkSession.conf.get(_CORRUPT_SETTING)
        corrupt = default if default in given.names else None
    elif corrupt not in given.names:
        raise UsageError(f"corrupt: the frame has no column {corrupt!r}")
    table = pa.schema([field for field in given if field.name != corrupt])
    plan = replace(make_plan([(_SHOWN, table)], parse_columns(columns)), dates=check_dates(dates))
    text = table.field(plan.posts["text"])
    if not holds_text(text.type):
        message = f"holds {text.type}, not text; name the text column with columns='text=NAME'"
        raise InputError(message, file=_SHOWN, column=text.name)
    schema = plan.schema()
    reject = free_name("reject", {name.casefold() for name in schema.names})
    work = _Work(
        plan=plan,
        schema=pa.schema(
            [
                *(pa.field(field.name, _for_spark(field.type)) for field in schema),
                pa.field(reject, REJECT_TYPE),
            ]
        ),
        corrupt=corrupt,
        setup=_setup(model, catalog, load_predictor),
        chunk_rows=chunk_rows,
        max_text=max_text,
    )
    return Tagged(frame.mapInArrow(work, from_arrow_schema(work.schema)), reject)


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker needs to load the model; equal for equal models.

    Attributes:
        model: its name or folder.
        fingerprint: what it must have; None where only the workers can tell.
        catalog: what the catalogue's file holds.
        load: makes the predictor.
    """

    model: str
    fingerprint: str | None
    catalog: bytes | None
    load: LoadPredictor


def _setup(
    model: str | Path | None, catalog: str | Path | None, load: LoadPredictor | None
) -> Setup:
    from murmure.catalog import Catalog
    from murmure.tagging.folder import ModelFolder, default_model

    name = default_model() if model is None else str(model)
    content = fingerprint = None
    if catalog is not None:
        Catalog.load(catalog)  # a fault in it shows here, not on the workers
        content = Path(catalog).read_bytes()
    if load is None:
        fingerprint = ModelFolder.open(name).fingerprint
    return Setup(name, fingerprint, content, load or load_predictor)


# A worker that is given another model drops the first.
@lru_cache(maxsize=1)
def load_tagger(setup: Setup) -> InProcessTagger:
    """The worker's tagger, which it keeps from task to task."""
    with TemporaryDirectory(prefix="murmure-") as folder:
        file = None
        if setup.catalog is not None:
            file = Path(folder, "catalog.toml")
            file.write_bytes(setup.catalog)
        tagger = InProcessTagger(setup.model, catalog=file, load=setup.load)
        _, fingerprint = tagger.describe()
    if setup.fingerprint not in {None, fingerprint}:
        message = f"model '{setup.model}' is another on this worker than where the job was started"
        raise RunError(f"{message} ({fingerprint[:12]}, not {setup.fingerprint[:12]})")
    return tagger


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What each task does, with all that it needs; sent to the workers.

    Attributes:
        plan: which column fills which.
        schema: the columns to give.
        corrupt: the column of what could not be read, if any.
        setup: the model.
        chunk_rows: rows, at most, that are tagged together.
        max_text: characters that a text may have.
    """

    plan: Plan
    schema: pa.Schema
    corrupt: str | None
    setup: Setup
    chunk_rows: int
    max_text: int

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Tags the rows of one partition."""
        tagger = load_tagger(self.setup)
        chunks = (self._chunk(piece) for piece in _pieces(batches, self.chunk_rows))
        for chunk in tag_chunks(chunks, tagger, ahead=False):
            yield self._rows(chunk)

    def _chunk(self, batch: pa.RecordBatch) -> Chunk:
        """Checks the rows and gives each column its type, as a local run does."""
        rows = batch.num_rows
        numbers: Sequence[int] = range(rows)
        rejects: list[Reject] = []
        names = batch.schema.names
        batch = with_strings(batch, names.index(self.plan.posts["text"]))
        try:
            batch.validate(full=True)
        except pa.ArrowInvalid:
            batch, numbers, rejects = sort_out(
                batch, names, numbers, author=self.plan.posts["author"]
            )
        if self.corrupt is not None:
            batch, numbers, corrupt = _without_corrupt(batch, numbers, self.corrupt, self.plan)
            rejects += corrupt
        columns = dict(zip(batch.schema.names, batch.columns, strict=True))
        column = self.plan.posts["id"]
        columns[column], made = _with_ids(batch, column)
        block = Block(
            first=0, rows=rows, columns=columns, numbers=numbers, lines=numbers, rejects=rejects
        )
        chunk = to_chunk(
            block,
            source=0,
            label=_SHOWN,
            plan=self.plan,
            posts=self.plan,
            max_text=self.max_text,
        )
        # A reject tells the row's own id, not one that was made for it.
        own = [replace(one, id=None) if one.id in made else one for one in chunk.rejects]
        return replace(chunk, rejects=own)

    def _rows(self, chunk: TaggedChunk) -> pa.RecordBatch:
        tagged, rejected = chunk.batch.num_rows, len(chunk.rejects)
        told = [{name: getattr(one, name) for name in REJECT_TYPE.names} for one in chunk.rejects]
        kinds = self.schema.types[:-1]
        arrays = [
            pa.concat_arrays([column.cast(kind), pa.nulls(rejected, kind)])
            for column, kind in zip(chunk.batch.columns, kinds, strict=True)
        ]
        arrays.append(pa.array([None] * tagged + told, REJECT_TYPE))
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def _pieces(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The batches cut where rows or characters are many, so that long posts fill no memory."""
    for batch in batches:
        total = np.cumsum(characters(batch))
        first = 0
        while first < batch.num_rows:
            before = total[first - 1] if first else 0
            full = int(np.searchsorted(total, before + MAX_BLOCK_CHARACTERS)) + 1
            last = min(first + rows, full, batch.num_rows)
            yield batch.slice(first, last - first)
            first = last


def _without_corrupt(
    batch: pa.RecordBatch, numbers: Sequence[int], name: str, plan: Plan
) -> tuple[pa.RecordBatch, Sequence[int], list[Reject]]:
    """Sets aside the rows that Spark could not read."""
    records = batch.column(name)
    batch = batch.drop_columns([name])
    if records.null_count == len(records):
        return batch, numbers, []
    ids, authors = (
        _texts(batch, plan.posts[ours]).filter(records.is_valid()) for ours in ("id", "author")
    )
    found = zip(
        [number for number, record in zip(numbers, records, strict=True) if record.is_valid],
        as_text(records.drop_null(), Counter()).to_pylist(),
        ids.to_pylist(),
        authors.to_pylist(),
        strict=True,
    )
    rejects = [
        Reject(row=row, line=row, reason=CORRUPT, raw=excerpt(raw), id=own, author=author)
        for row, raw, own, author in found
    ]
    kept = [number for number, record in zip(numbers, records, strict=True) if not record.is_valid]
    return batch.filter(records.is_null()), kept, rejects


def _texts(batch: pa.RecordBatch, name: str) -> pa.Array:
    if name not in batch.schema.names:
        return pa.nulls(batch.num_rows, pa.string())
    return empty_to_null(as_text(batch.column(name), Counter()))


def _with_ids(batch: pa.RecordBatch, name: str) -> tuple[pa.Array, frozenset[str]]:
    """The rows' ids, made where there are none from all that the row says; and those made."""
    ids = _texts(batch, name)
    if not ids.null_count:
        return ids, frozenset()
    rows = batch.filter(ids.is_null()).to_pylist()
    made = [made_id({key: value for key, value in row.items() if key != name}) for row in rows]
    return pc.replace_with_mask(ids, ids.is_null(), pa.array(made, pa.string())), frozenset(made)


def made_id(row: Mapping[str, object]) -> str:
    """An id for a post that came without one: the same for the same row, wherever it stands.

    Example:
        >>> made_id({"text": "Bon café", "likes": 3})
        'made-e9add17dec3bc7672813c1be'
    """
    seed = to_json(dict(sorted(row.items()))).encode("utf-8", "surrogatepass")
    return f"made-{hashlib.blake2b(seed, digest_size=_ID_BYTES).hexdigest()}"


def _for_spark(kind: pa.DataType) -> pa.DataType:
    """The type with lists of any size where it has lists of fixed size."""
    if pa.types.is_fixed_size_list(kind) or pa.types.is_list(kind):
        return pa.list_(_for_spark(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _for_spark(field.type)) for field in kind])
    return kind
