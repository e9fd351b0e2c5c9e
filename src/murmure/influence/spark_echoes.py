"""Echoes on a cluster: the same posts as a local count finds, in tasks that each hold a few.

Equal posts are found by a digest of their words. Of those that remain, two that are near copies
share some of their smallest shingles (see `echoes`): all posts that hold such a shingle come
together in one task, which compares them with the function that a local count uses. A copy that
is found in any task is one; and none is missed, for whoever is similar meets somewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from murmure.influence.database import connect
from murmure.influence.echo_search import words_query
from murmure.influence.echoes import Numbers, Words, find_copies, first_pass

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyspark.sql import DataFrame

#: A flag's reach: every row of the key, or all but one of rows that are alike in everything.
EVERY, ALL_BUT_ONE = 1, 2

_READ = ("digest", "needed", "prefix", "words")


def read_words(posts: DataFrame) -> DataFrame:
    """The posts of four words or more, with their words and smallest shingles.

    Args:
        posts: the columns `key` (which row), `bucket` (whose), `time`, `repost` (whether it is
            one), `tie_0` and so on (which is earlier where times and the former are equal) and
            `text`.

    Returns:
        The same without `text`, with what `find_flags` needs.
    """
    from pyspark.sql import types

    schema = types.StructType([field for field in posts.schema if field.name != "text"])
    number = types.LongType()
    for name in _READ:
        schema.add(name, types.ArrayType(number) if name in {"prefix", "words"} else number)
    return posts.mapInArrow(_read_partition, schema)


def find_flags(words: DataFrame, *, parts: int, unique: bool) -> DataFrame:
    """Finds the posts that copy an earlier one.

    Args:
        words: what `read_words` gives; read several times.
        parts: in how many tasks near copies are looked for.
        unique: whether no two rows have one key.

    Returns:
        The columns `key` and `bucket` of the copies, and `flag`: whether all rows of the key are
        copies (`EVERY`) or all but one (`ALL_BUT_ONE`).
    """
    from pyspark.sql import functions as F  # noqa: N812 - Spark's own name for it

    order = ["time", "repost", *(name for name in words.columns if name.startswith("tie_")), "key"]
    firsts = words.groupBy("digest").agg(
        F.min(F.struct(*order, "bucket")).alias("first"),
        F.first("needed").alias("needed"),
        F.first("prefix").alias("prefix"),
        F.first("words").alias("words"),
    )
    firsts = firsts.select("first.*", "digest", "needed", "prefix", "words")
    equal = (
        words.select("digest", "key", "bucket")
        .join(firsts.select("digest", F.col("key").alias("earliest")), "digest")
        .where("key <> earliest")
        .select("key", "bucket", F.lit(EVERY).alias("flag"))
    )
    shingles = firsts.select("key", "needed", F.explode("prefix").alias("shingle"))
    shared = shingles.groupBy("shingle").count().where("count > 1").select("shingle")
    suspects = (
        shingles.join(shared, "shingle", "left_semi")
        .groupBy("key", "needed")
        .count()
        .where("count >= needed")
        .select("key")
    )
    near = (
        firsts.join(suspects, "key", "left_semi")
        .withColumn("shingle", F.explode("prefix"))
        .drop("digest", "needed", "prefix")
        .repartition(parts, "shingle")
        .mapInArrow(_Compare(tuple(order)), "key string, bucket long, flag int")
    )
    flags = equal.unionByName(near)
    if not unique:
        alike = words.groupBy("key", "bucket").count().where("count > 1")
        flags = flags.unionByName(alike.select("key", "bucket", F.lit(ALL_BUT_ONE).alias("flag")))
    return flags.distinct()


def _read_partition(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    with one_thread() as connection:
        for batch in batches:
            yield _read(connection, batch)


def _read(connection: DuckDBPyConnection, batch: pa.RecordBatch) -> pa.RecordBatch:
    table = pa.table({"number": pa.array(np.arange(batch.num_rows)), "text": batch.column("text")})
    connection.register("batch", table)
    found = connection.execute(words_query("batch")).fetchnumpy()
    connection.unregister("batch")
    order = np.argsort(found["number"], kind="stable")
    numbers, hashes = found["number"][order], found["hash"][order]
    posts, digests, needed, prefixes, owners = first_pass(lambda _: iter([(numbers, hashes)]))
    first = np.searchsorted(numbers, posts, "left")
    last = np.searchsorted(numbers, posts, "right")
    sizes = np.bincount(owners, minlength=len(posts))
    ends = np.cumsum(sizes)
    lists = [hashes[a:b].astype(np.int64) for a, b in zip(first, last, strict=True)]
    shingles = [
        prefixes[end - size : end].astype(np.int64) for end, size in zip(ends, sizes, strict=True)
    ]
    kept = batch.drop_columns(["text"]).take(pa.array(posts))
    columns = [
        *kept.columns,
        pa.array(digests.astype(np.int64)),
        pa.array(needed, pa.int64()),
        pa.array(shingles, pa.list_(pa.int64())),
        pa.array(lists, pa.list_(pa.int64())),
    ]
    names = [*kept.schema.names, "digest", "needed", "prefix", "words"]
    return pa.RecordBatch.from_arrays(columns, names=names)


@dataclass(frozen=True, slots=True)
class _Compare:
    """Finds the near copies among the posts that share a shingle.

    Attributes:
        order: the columns that tell which post is earlier.
    """

    order: tuple[str, ...]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Compares the posts of one partition."""
        seen: set[str] = set()
        kept = []
        for batch in batches:
            new = []
            for position, key in enumerate(batch.column("key").to_pylist()):
                if key not in seen:
                    seen.add(key)
                    new.append(position)
            kept.append(batch.take(pa.array(new, pa.int64())))
        if not seen:
            return
        posts = pa.Table.from_batches(kept).combine_chunks()
        earlier = pc.sort_indices(posts, sort_keys=[(name, "ascending") for name in self.order])
        ranks = np.empty(posts.num_rows, dtype=np.int64)
        ranks[earlier.to_numpy()] = np.arange(posts.num_rows)
        column = posts["words"].combine_chunks()
        sizes = pc.list_value_length(column).to_numpy()
        numbers = np.repeat(np.arange(posts.num_rows), sizes)
        hashes = column.flatten().to_numpy().astype(np.uint64)

        def words(only: Numbers | None) -> Iterator[Words]:
            wanted = slice(None) if only is None else np.isin(numbers, only)
            yield numbers[wanted], hashes[wanted]

        copies = find_copies(words, ranks) != np.arange(posts.num_rows)
        found = posts.filter(pa.array(copies))
        flag = pa.array(np.full(found.num_rows, EVERY), pa.int32())
        table = pa.table({"key": found["key"], "bucket": found["bucket"], "flag": flag})
        yield from table.to_batches()


@contextmanager
def one_thread() -> Iterator[DuckDBPyConnection]:
    """A DuckDB for one task, on one thread: Spark runs as many tasks as there are cores."""
    with connect([]) as connection:
        connection.execute("SET threads = 1")
        yield connection
