# ruff: noqa: S608 - every name in this SQL is murmure's own, every value is quoted
"""Which entities each post names, and how it speaks of each: one row per post and entity.

Runs that were tagged with the catalogue have it in their column `mentions`. For another catalogue
the names are looked for in the stored texts: a post that names one entity speaks of it with the
post's own tags, and a post that names several is tagged again, mention by mention.

Where a post names an entity several times, one mention speaks for all: the one whose sentence is
least likely neutral, the first of those equal. "Brizelo came. Brizelo broke." is a complaint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from murmure.influence.database import chunks, scan
from murmure.influence.runs import Run
from murmure.schema import LABELS, mention_type

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from murmure.catalog import Catalog

#: Tags texts that name several entities: gives an array of `schema.mention_type()` lists.
Retag = Callable[[Sequence[str]], "pa.Array"]

_CHUNK = 50_000
_NEUTRAL = LABELS["sentiment"].index("neutral") + 1  # SQL counts from 1

# A mention without tags of its own leaves them NULL: the post's tags stand.
_TABLE = (
    "mentions (number BIGINT, entity VARCHAR, sentiment VARCHAR, experience VARCHAR, "
    "touchpoint VARCHAR)"
)


def read_mentions(connection: DuckDBPyConnection, runs: Sequence[Run]) -> None:
    """Makes the table `mentions` from what tagging stored.

    Args:
        connection: where the table `mentions` (number, entity, sentiment, experience, touchpoint)
            is made.
        runs: the runs to read.
    """
    connection.execute(f"CREATE TABLE {_TABLE}")
    for run in runs:
        for parts in chunks([run], 1_000_000):
            _insert(connection, scan(parts, ["mentions"]))


def find_mentions(
    connection: DuckDBPyConnection, runs: Sequence[Run], catalog: Catalog, retag: Retag
) -> None:
    """Makes the table `mentions` by looking for the catalogue's names in the stored texts.

    Args:
        connection: where the table is made, as `read_mentions` makes it.
        runs: the runs to read.
        catalog: the brands to look for.
        retag: called with the texts that name several of them.
    """
    import pyarrow as pa

    connection.execute(f"CREATE TABLE {_TABLE}")
    for parts in chunks(runs, _CHUNK):
        cursor = connection.execute(f"SELECT number, text FROM {scan(parts, ['text'])}")
        while rows := cursor.fetchmany(_CHUNK):
            texts = [text for _, text in rows]
            alone: list[tuple[int, str]] = []
            several: list[tuple[int, str]] = []
            for (number, text), spans in zip(rows, catalog.find_all(texts), strict=True):
                entities = {span.entity for span in spans}
                if len(entities) == 1:
                    alone.append((number, entities.pop()))
                elif entities:
                    several.append((number, text))
            found = pa.table(
                {
                    "number": pa.array([number for number, _ in alone], pa.int64()),
                    "entity": pa.array([entity for _, entity in alone], pa.string()),
                }
            )
            with connection.cursor() as writer:  # the reading goes on meanwhile
                writer.register("found", found)
                writer.execute(
                    "INSERT INTO mentions SELECT number, entity, NULL, NULL, NULL FROM found"
                )
                if several:
                    tagged = retag([text for _, text in several])
                    numbers = pa.array([number for number, _ in several], pa.int64())
                    kind = pa.list_(mention_type())
                    table = pa.table({"number": numbers, "mentions": tagged.cast(kind)})
                    writer.register("tagged", table)
                    _insert(writer, "tagged")


def _insert(connection: DuckDBPyConnection, table: str) -> None:
    """Adds the mentions of a table with the columns `number` and `mentions`."""
    tags = ", ".join(f"mention.{tag}" for tag in ("sentiment", "experience", "touchpoint"))
    connection.execute(
        f"INSERT INTO mentions SELECT number, mention.entity, {tags} "
        f"FROM (SELECT number, mentions[1] AS mention FROM {table} WHERE len(mentions) = 1)"
    )
    connection.execute(
        f"INSERT INTO mentions SELECT number, mention.entity, {tags} "
        f"FROM (SELECT number, unnest(mentions) AS mention FROM {table} WHERE len(mentions) > 1) "
        "QUALIFY row_number() OVER (PARTITION BY number, mention.entity "
        f"ORDER BY mention.sentiment_probabilities[{_NEUTRAL}], mention.start) = 1"
    )
