# ruff: noqa: S608 - every name in this SQL is murmure's own, every value is quoted
"""What estimates are made from: for each post and entity its slice, its author and its cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from murmure.influence.cells import Cells
from murmure.influence.classes import CLASS_TAGS
from murmure.influence.database import chunks, scan
from murmure.influence.mentions import FOUND
from murmure.influence.metrics import ALL
from murmure.influence.posteriors import language_numbers
from murmure.influence.runs import Run
from murmure.schema import LABELS

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

#: The mentions that tagging stored in the runs, not those of the view `FOUND`.
STORED = "stored"

_CHUNK = 250_000
_NEUTRAL = LABELS["sentiment"].index("neutral") + 1  # SQL counts from 1
_ROWS = ("win", "language", "channel", "media", "author", "echo", "cell")
#: What tells where and when a post was written; DuckDB has a type for each.
PLACES = ("win", "language", "channel", "media")
_OF_MENTION = ("sentiment", "experience", "touchpoint")


@dataclass(frozen=True, slots=True)
class Material:
    """One row for each post and entity that it names, sorted by entity and author.

    Attributes:
        entities: the names of the entities, "all" first.
        firsts: where each entity's rows begin, and where the last one's end.
        win, language, channel, media: positions among the labels of DuckDB's types, "all" being 0.
        author: who wrote the post, as a number; 0 where that is not known.
        echo: whether it copies another post.
        cell: what the model says of it.
        labels: the names of windows, languages, channels and kinds of media.
        kinds: the kind of media of each channel, by position; 0 for "all".
        groups: the group of each entity; None where there are none.
    """

    entities: tuple[str, ...]
    firsts: NDArray[np.int64]
    win: NDArray[np.int32]
    language: NDArray[np.int32]
    channel: NDArray[np.int32]
    media: NDArray[np.int32]
    author: NDArray[np.int32]
    echo: NDArray[np.bool_]
    cell: NDArray[np.uint8]
    labels: Mapping[str, tuple[str, ...]]
    kinds: NDArray[np.int64]
    groups: Mapping[str, str] | None

    def together(self, entities: Sequence[int]) -> Material:
        """The rows of several entities as if they were one, sorted by author."""
        places = [np.arange(self.firsts[entity], self.firsts[entity + 1]) for entity in entities]
        rows = np.concatenate([np.zeros(0, np.int64), *places])
        rows = rows[np.argsort(self.author[rows], kind="stable")]
        return replace(
            self,
            entities=(ALL,),
            firsts=np.array([0, len(rows)]),
            **{name: getattr(self, name)[rows] for name in _ROWS},
        )

    def rows(self, entity: int) -> slice:
        """The rows of an entity, by its position."""
        return slice(int(self.firsts[entity]), int(self.firsts[entity + 1]))


def make_cells_tables(
    connection: DuckDBPyConnection, runs: Sequence[Run], cells: Cells, *, mentions: str | None
) -> None:
    """Makes the tables `post_cells` and `mention_cells` from the probabilities that runs hold.

    Args:
        connection: knows the parts.
        runs: the runs to read.
        cells: of the model that tagged them.
        mentions: which mentions are counted: those `STORED` in the runs, those `FOUND` anew,
            or, None, none at all.
    """
    connection.execute("CREATE TABLE post_cells (number BIGINT, cell UTINYINT)")
    connection.execute("CREATE TABLE mention_cells (number BIGINT, entity VARCHAR, cell UTINYINT)")
    columns = ["language", *(f"{tag}_probabilities" for tag in CLASS_TAGS)]
    for parts in chunks(runs, _CHUNK):
        table = connection.sql(f"SELECT * FROM {scan(parts, columns)}").to_arrow_table()
        _insert(connection, "post_cells", table, cells_of(table, cells))
    if mentions is None:
        return
    for run in runs:
        for parts in chunks([run], _CHUNK):
            posts = scan(parts, ["language", "sponsored_probabilities", *_stored(mentions)])
            if mentions == FOUND:
                posts = f"{posts} JOIN {FOUND} USING (number)"
            table = connection.sql(_mentions_query(posts)).to_arrow_table()
            _insert(connection, "mention_cells", table, cells_of(table, cells))


def _stored(mentions: str | None) -> list[str]:
    return ["mentions"] if mentions == STORED else []


def _mentions_query(posts: str) -> str:
    """SQL of what is said of each entity by the mention that speaks for it, as counts have it."""
    own = ", ".join(f"mention.{tag}_probabilities AS {tag}_probabilities" for tag in _OF_MENTION)
    return (
        f"SELECT number, mention.entity AS entity, language, sponsored_probabilities, {own} "
        "FROM (SELECT number, language, sponsored_probabilities, unnest(mentions) AS mention "
        f"FROM {posts}) QUALIFY row_number() OVER (PARTITION BY number, mention.entity "
        f"ORDER BY mention.sentiment_probabilities[{_NEUTRAL}], mention.start) = 1"
    )


def gather(
    connection: DuckDBPyConnection, groups: Mapping[str, str] | None, *, split: bool
) -> Material:
    """Reads the material from DuckDB.

    Args:
        connection: with the tables `posts`, `mentions` where there are groups, and those that
            `make_cells_tables` makes, which are dropped.
        groups: as `facts.make_facts` takes them.
        split: likewise.
    """
    entities = (ALL, *(groups if split and groups is not None else {}))
    rows = read_rows(connection, entities, whole=groups is None)
    labels = {name: read_labels(connection, name) for name in PLACES}
    kinds = np.zeros(len(labels["channel"]), np.int64)
    pairs = "SELECT enum_code(channel)::INT, enum_code(media)::INT FROM kinds"
    for channel, kind in connection.execute(pairs).fetchall():
        kinds[channel] = kind
    return sort_rows(rows, entities, labels, kinds, groups)


def read_rows(
    connection: DuckDBPyConnection, entities: Sequence[str], *, whole: bool
) -> dict[str, NDArray[Any]]:
    """One row for each post and entity, in no order, as arrays.

    Args:
        connection: as `gather` takes it.
        entities: "all", then those that are told apart.
        whole: whether "all" is over every post, not only those that name an entity.

    Returns:
        By name the columns `entity` (its position), those of `PLACES` (positions among their
        labels), `author` (a hash), `known` (whether there is one), `echo` and `cell`.
    """
    import pyarrow as pa

    codes = pa.table({"entity": pa.array(list(entities)), "code": range(len(entities))})
    connection.register("entity_codes", codes)
    places = ", ".join(f"enum_code({name})::INT AS {name}" for name in PLACES)
    columns = f"{places}, coalesce(author, 0) AS author, author IS NOT NULL AS known, echo"
    naming = "" if whole else "WHERE number IN (SELECT number FROM mentions)"
    query = (
        f"SELECT 0 AS entity, {columns}, c.cell FROM posts JOIN post_cells c USING (number) "
        f"{naming}"
    )
    if len(entities) > 1:
        query += (
            f" UNION ALL SELECT e.code, {columns}, coalesce(mc.cell, c.cell) FROM mentions m "
            "JOIN posts USING (number) JOIN post_cells c USING (number) "
            "JOIN entity_codes e ON e.entity = m.entity "
            "LEFT JOIN mention_cells mc ON mc.number = m.number AND mc.entity = m.entity"
        )
    rows: dict[str, NDArray[Any]] = connection.execute(query).fetchnumpy()
    connection.unregister("entity_codes")
    for table in ("post_cells", "mention_cells"):
        connection.execute(f"DROP TABLE {table}")
    return rows


def sort_rows(
    rows: Mapping[str, Any],
    entities: tuple[str, ...],
    labels: Mapping[str, tuple[str, ...]],
    kinds: NDArray[np.int64],
    groups: Mapping[str, str] | None,
) -> Material:
    """The material of rows as `read_rows` gives them."""
    # Authors' hashes become small numbers: 0 is nobody.
    author = np.zeros(len(rows["author"]), np.int32)
    known = np.asarray(rows["known"], np.bool_)
    _, author[known] = np.unique(np.asarray(rows["author"])[known], return_inverse=True)
    author[known] += 1
    entity = np.asarray(rows["entity"], np.int64)
    order = np.argsort(entity * (int(author.max(initial=0)) + 1) + author)
    counted = np.bincount(entity, minlength=len(entities))

    def column(name: str, kind: type[np.generic] = np.int32) -> NDArray[Any]:
        return np.asarray(rows[name])[order].astype(kind)

    return Material(
        entities=entities,
        firsts=np.concatenate([[0], np.cumsum(counted)]),
        win=column("win"),
        language=column("language"),
        channel=column("channel"),
        media=column("media"),
        author=author[order],
        echo=column("echo", np.bool_),
        cell=column("cell", np.uint8),
        labels=labels,
        kinds=kinds,
        groups=groups,
    )


def read_labels(connection: DuckDBPyConnection, name: str) -> tuple[str, ...]:
    """The labels of one of DuckDB's types, "all" first."""
    ((values,),) = connection.execute(f"SELECT enum_range(NULL::{name}_label)").fetchall()
    return tuple(values)


def cells_of(table: pa.Table, cells: Cells, *, language: str = "language") -> NDArray[np.uint8]:
    """The cell of each row of a table with the columns `TAG_probabilities`.

    Args:
        table: of posts or mentions.
        cells: of the model.
        language: the column of the posts' languages.
    """
    probabilities = {}
    for tag in CLASS_TAGS:
        column = table[f"{tag}_probabilities"].combine_chunks()
        flat = column.flatten().to_numpy(zero_copy_only=False)
        probabilities[tag] = np.asarray(flat, np.float32).reshape(-1, len(LABELS[tag]))
    return cells.assign(probabilities, language_numbers(table[language].to_numpy()))


def _insert(
    connection: DuckDBPyConnection, name: str, table: pa.Table, cell: NDArray[np.uint8]
) -> None:
    import pyarrow as pa

    keys = [column for column in ("number", "entity") if column in table.column_names]
    connection.register("found_cells", table.select(keys).append_column("cell", pa.array(cell)))
    connection.execute(f"INSERT INTO {name} SELECT * FROM found_cells")
    connection.unregister("found_cells")
