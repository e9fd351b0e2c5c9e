# ruff: noqa: S608 - every name in this SQL is murmure's own, every value is quoted
"""Looks for echoes in runs: reads times, reposts and words with DuckDB, where the parts lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from murmure.influence.database import chunks, quote, scan
from murmure.influence.echoes import (
    DROPPED,
    Echoes,
    Flags,
    Hashes,
    Numbers,
    Roots,
    Words,
    find_copies,
)
from murmure.influence.runs import Run

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_TEXT_CHUNK = 200_000
_POST_CHUNK = 1_000_000
_CLEAN = f"trim(regexp_replace(lower(nfc_normalize(text)), {quote(DROPPED)}, ' ', 'g'))"
_LATEST = 2**63 - 1


def find_echoes(connection: DuckDBPyConnection, runs: Sequence[Run]) -> Echoes:
    """Which posts of all runs copy an earlier one, by number.

    A repost copies the post whose id it tells; where that is not there, all that tell the same id
    are copies of one another.

    Earlier is by time, no time being last; then what is no repost, whose original it may be; then
    by place in the input.

    Args:
        connection: knows the parts.
        runs: the runs to read.
    """
    import pyarrow as pa

    posts = sum(part.rows for run in runs for part in run.parts)
    times: Numbers = np.zeros(posts, dtype=np.int64)
    echoes: Flags = np.zeros(posts, dtype=np.bool_)
    reposts: list[Numbers] = [np.zeros(0, np.int64)]
    told: list[Hashes] = [np.zeros(0, np.uint64)]
    for parts in chunks(runs, _POST_CHUNK):
        rows = connection.execute(
            f"SELECT number, coalesce(epoch_us(created_at), {_LATEST}) AS time, "
            "trim(coalesce(repost_of, '')) <> '' AS repost, hash(trim(repost_of)) AS whose "
            f"FROM {scan(parts, ['created_at', 'repost_of'])}"
        ).fetchnumpy()
        times[rows["number"]] = rows["time"]
        echoes[rows["number"]] = rows["repost"]
        reposts.append(rows["number"][rows["repost"]])
        told.append(rows["whose"][rows["repost"]])
    ranks = np.empty(posts, dtype=np.int64)
    ranks[np.lexsort((echoes, times))] = np.arange(posts)
    del times

    def words(only: Numbers | None) -> Iterator[Words]:
        wanted = "true"
        if only is not None:
            connection.register("suspects", pa.table({"number": only}))
            wanted = "number IN (SELECT number FROM suspects)"
        for parts in chunks(runs, _TEXT_CHUNK):
            rows = connection.execute(words_query(scan(parts, ["text"]), wanted)).fetchnumpy()
            yield rows["number"], rows["hash"]

    roots = find_copies(words, ranks)
    del ranks
    echoes |= roots != np.arange(posts)
    number, name = _reposts(connection, runs, np.concatenate(reposts), np.concatenate(told))
    return Echoes(echoes, _families(roots, number, name))


def _reposts(
    connection: DuckDBPyConnection, runs: Sequence[Run], number: Numbers, whose: Hashes
) -> tuple[Numbers, Numbers]:
    """The reposts and the posts that they tell, each with a number of the id that is meant.

    Args:
        connection: knows the parts.
        runs: the runs to read.
        number: of each repost.
        whose: a hash of the id that it tells.
    """
    import pyarrow as pa

    names, name = np.unique(whose, return_inverse=True)
    numbers, places = [number], [name]
    if len(names):
        connection.register("reposted", pa.table({"name": names, "place": np.arange(len(names))}))
        for parts in chunks(runs, _POST_CHUNK):
            rows = connection.execute(
                f"SELECT number, place FROM {scan(parts, ['id'])} "
                "JOIN reposted ON hash(trim(id)) = name"
            ).fetchnumpy()
            numbers.append(rows["number"])
            places.append(rows["place"])
        connection.unregister("reposted")
    return np.concatenate(numbers), np.concatenate(places)


def _families(roots: Roots, number: Numbers, name: Numbers) -> Roots:
    """Numbers the posts that hang together, by what they copy or by an id that they tell or have.

    Args:
        roots: what each post copies.
        number: of the posts with an id that a repost tells, and of reposts.
        name: which id, as a number.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import connected_components

    posts = len(roots)
    copies = np.flatnonzero(roots != np.arange(posts))
    ends = np.concatenate([copies, number]), np.concatenate([roots[copies], posts + name])
    size = posts + int(name.max(initial=-1)) + 1
    graph = csr_matrix((np.ones(len(ends[0]), np.int8), ends), shape=(size, size))
    family: Roots = connected_components(graph, directed=False)[1][:posts] + 1
    family[np.bincount(family)[family] == 1] = 0
    return family


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
