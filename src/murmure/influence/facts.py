# ruff: noqa: S608 - every name in this SQL is murmure's own, every value is quoted
"""From the parts of runs to small tables that counts are made of, all within DuckDB.

The tables, in the order in which they are made:

- `echoes`: the numbers of posts that copy an earlier one, over all posts of all runs.
- `posts`: one row per post of the languages asked for, labels as small numbers.
- `sums`: posts per entity, window, language, channel, author known or not, and labels.
- `people`: one row per post with an author that is no echo, and entity.

`entity` is each entity that a post names, and "all". The tags that count: sentiment, experience
and touchpoint are those of the mention; language and sponsored those of the post, whoever it
names. For the entity "all" they are all the post's own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from murmure.influence.database import chunks, quote, scan
from murmure.influence.echoes import DROPPED, Numbers, Words, find_copies
from murmure.influence.media import KINDS, UNKNOWN
from murmure.influence.metrics import ALL
from murmure.influence.runs import Run
from murmure.schema import LABELS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_TEXT_CHUNK = 200_000
_POST_CHUNK = 1_000_000
_MENTION_TAGS = ("sentiment", "experience", "touchpoint")
_SPOKEN_OF = "win, language, channel, media, author, sponsored, echo"

# "all" is a value of the slice columns: a channel of that name is told apart.
_CHANNEL = (
    f"CASE lower(trim(channel)) WHEN '' THEN '{UNKNOWN}' WHEN '{ALL}' THEN '{ALL} (channel)' "
    f"ELSE coalesce(trim(channel), '{UNKNOWN}') END"
)
_CLEAN = f"trim(regexp_replace(lower(nfc_normalize(text)), {quote(DROPPED)}, ' ', 'g'))"
_LATEST = 2**63 - 1


def make_echoes(connection: DuckDBPyConnection, runs: Sequence[Run]) -> None:
    """Makes the table `echoes`. Earlier is by time, then by place in the input; no time is last."""
    import numpy as np
    import pyarrow as pa

    posts = sum(part.rows for run in runs for part in run.parts)
    times: Numbers = np.zeros(posts, dtype=np.int64)
    echoes = np.zeros(posts, dtype=np.bool_)
    for parts in chunks(runs, _POST_CHUNK):
        rows = connection.execute(
            f"SELECT number, coalesce(epoch_us(created_at), {_LATEST}) AS time, "
            f"{_filled('repost_of')} AS repost FROM {scan(parts, ['created_at', 'repost_of'])}"
        ).fetchnumpy()
        times[rows["number"]] = rows["time"]
        echoes[rows["number"]] = rows["repost"]
    ranks = np.empty(posts, dtype=np.int64)
    ranks[np.argsort(times, kind="stable")] = np.arange(posts)
    del times

    def words(only: Numbers | None) -> Iterator[Words]:
        wanted = "true"
        if only is not None:
            connection.register("suspects", pa.table({"number": only}))
            wanted = "number IN (SELECT number FROM suspects)"
        for parts in chunks(runs, _TEXT_CHUNK):
            rows = connection.execute(words_query(scan(parts, ["text"]), wanted)).fetchnumpy()
            yield rows["number"], rows["hash"]

    echoes |= find_copies(words, ranks)
    connection.register("found", pa.table({"number": np.flatnonzero(echoes)}))
    connection.execute("CREATE TABLE echoes AS SELECT number FROM found")
    connection.unregister("found")


def words_query(posts: str, wanted: str = "true") -> str:
    """SQL that gives the normalised words of posts, hashed, each with its post's number.

    Args:
        posts: a table with the columns `number` and `text`.
        wanted: the condition on the posts.
    """
    return (
        "SELECT number, hash(word) AS hash FROM (SELECT number, "
        f"unnest(string_split({_CLEAN}, ' ')) AS word FROM {posts} WHERE {wanted}) "
        "WHERE word <> ''"
    )


def make_posts(
    connection: DuckDBPyConnection,
    runs: Sequence[Run],
    *,
    kinds: Mapping[str, str],
    languages: Collection[str],
    window: str,
) -> None:
    """Makes the table `posts`, and `kinds`: which kind of media each channel is.

    Args:
        connection: with the table `echoes`.
        runs: the runs to read.
        kinds: the kind of each channel, by its name in lower case.
        languages: the languages of the posts to take.
        window: how windows are named, for DuckDB's strftime.
    """
    win = f"coalesce(strftime(make_timestamp(epoch_us(created_at)), '{window}'), '{UNKNOWN}')"
    spoken = f"language IN ({', '.join(map(quote, languages))})"
    wins: set[str] = set()
    channels: set[str] = set()
    for parts in chunks(runs, _POST_CHUNK):
        table = scan(parts, ["channel", "created_at", "language"])
        for found, value in ((wins, win), (channels, _CHANNEL)):
            rows = connection.execute(f"SELECT DISTINCT {value} FROM {table} WHERE {spoken}")
            found.update(value for (value,) in rows.fetchall())
    make_types(connection, wins=wins, channels=channels)
    _make_pairs(
        connection,
        "kinds (channel channel_label, media media_label)",
        [(name, kinds.get(name.lower(), UNKNOWN)) for name in sorted(channels)],
    )
    connection.execute(
        "CREATE TABLE posts (number BIGINT, win win_label, language language_label, "
        "channel channel_label, media media_label, author UBIGINT, sponsored BOOLEAN, "
        "echo BOOLEAN, sentiment sentiment_label, experience experience_label, "
        "touchpoint touchpoint_label)"
    )
    columns = ["author", "created_at", "channel", *LABELS]
    for parts in chunks(runs, _POST_CHUNK):
        # People are told apart by a 64-bit hash of their names: of five million, two share one
        # with a probability below one in a million.
        connection.execute(
            "INSERT INTO posts SELECT number, win, language, kinds.channel, media, author, "
            "sponsored, echo, sentiment, experience, touchpoint FROM (SELECT number, "
            f"{win} AS win, language, {_CHANNEL} AS place, sponsored = 'yes' AS sponsored, "
            f"CASE WHEN {_filled('author')} THEN hash(trim(author)) END AS author, "
            "number IN (SELECT number FROM echoes) AS echo, sentiment, experience, touchpoint "
            f"FROM {scan(parts, columns)} WHERE {spoken}) "
            "JOIN kinds ON kinds.channel = place::channel_label"
        )


def make_types(
    connection: DuckDBPyConnection, *, wins: Collection[str], channels: Collection[str]
) -> None:
    """Makes the types of windows, channels, media and tags, whose labels are sorted as given."""
    _make_labels(connection, "win", sorted(wins, key=lambda name: (name == UNKNOWN, name)))
    _make_labels(connection, "channel", sorted(channels))
    _make_labels(connection, "media", [*KINDS, UNKNOWN])
    for tag in ("language", *_MENTION_TAGS):
        _make_labels(connection, tag, LABELS[tag])


def make_rivals(connection: DuckDBPyConnection, groups: Mapping[str, str]) -> None:
    """Makes the type of entities, and the table `rivals`: the group that each belongs to."""
    _make_labels(connection, "entity", list(groups))
    rivals = {group: number for number, group in enumerate(sorted(set(groups.values())))}
    pairs = [(name, rivals[group]) for name, group in groups.items()]
    _make_pairs(connection, "rivals (entity entity_label, rivals BIGINT)", pairs)


def make_facts(
    connection: DuckDBPyConnection, groups: Mapping[str, str] | None, *, split: bool
) -> None:
    """Makes the tables `sums` and `people`, and `rivals`: the group that each entity belongs to.

    Args:
        connection: with the tables `posts` and, where there are groups, `mentions`.
        groups: the group of each entity, which may be empty; None where posts name no entities,
            and "all" is over every post.
        split: whether entities are told apart; "all" alone is made where not.
    """
    named = groups if split and groups is not None else {}
    make_rivals(connection, named)
    whole = "" if groups is None else "WHERE number IN (SELECT number FROM mentions)"
    facts = (
        f"SELECT '{ALL}'::entity_label AS entity, {_SPOKEN_OF}, {', '.join(_MENTION_TAGS)} "
        f"FROM posts {whole}"
    )
    if named:
        tags = ", ".join(f"coalesce(m.{tag}::{tag}_label, p.{tag})" for tag in _MENTION_TAGS)
        facts += (
            f" UNION ALL SELECT m.entity::entity_label, {_SPOKEN_OF}, {tags} "
            "FROM mentions m JOIN posts p USING (number)"
        )
    connection.execute(f"CREATE TABLE facts AS {facts}")
    connection.execute(
        "CREATE TABLE sums AS SELECT entity, win, language, channel, media, sponsored, echo, "
        "author IS NOT NULL AS known, sentiment, experience, touchpoint, count(*) AS posts "
        "FROM facts GROUP BY ALL"
    )
    balance = "CASE sentiment WHEN 'positive' THEN 1 WHEN 'negative' THEN -1 ELSE 0 END"
    connection.execute(
        "CREATE TABLE people AS SELECT entity, win, language, channel, media, author, sponsored, "
        f"(CASE WHEN sponsored THEN 0 ELSE {balance} END)::TINYINT AS balance, "
        f"(CASE WHEN sponsored OR experience <> 'own' THEN 0 ELSE {balance} END)::TINYINT AS own "
        "FROM facts WHERE author IS NOT NULL AND NOT echo"
    )
    for table in ("facts", "posts", "mentions"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")


def _filled(column: str) -> str:
    return f"trim(coalesce({column}, '')) <> ''"


def _make_labels(connection: DuckDBPyConnection, name: str, values: Collection[str]) -> None:
    """Makes the type `NAME_label`, "all" first: small in memory, and sorted in this order."""
    listed = ", ".join(map(quote, [ALL, *values]))
    connection.execute(f"CREATE TYPE {name}_label AS ENUM ({listed})")


def _make_pairs(
    connection: DuckDBPyConnection, table: str, pairs: Sequence[tuple[str, str | int]]
) -> None:
    connection.execute(f"CREATE TABLE {table}")
    if pairs:
        name = table.split(maxsplit=1)[0]
        connection.executemany(f"INSERT INTO {name} VALUES (?, ?)", pairs)
