# ruff: noqa: S608 - every name in this SQL is murmure's own, every value is quoted
"""Looks for echoes in runs: reads times, reposts and words with DuckDB, where the parts lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from murmure.influence.database import chunks, quote, scan
from murmure.influence.echoes import DROPPED, Numbers, Words, find_copies
from murmure.influence.runs import Run

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_TEXT_CHUNK = 200_000
_POST_CHUNK = 1_000_000
_CLEAN = f"trim(regexp_replace(lower(nfc_normalize(text)), {quote(DROPPED)}, ' ', 'g'))"
_LATEST = 2**63 - 1


def find_echoes(connection: DuckDBPyConnection, runs: Sequence[Run]) -> NDArray[np.bool_]:
    """Whether each post of all runs copies an earlier one, by number.

    Earlier is by time, no time being last; then what is no repost, whose original it may be; then
    by place in the input.

    Args:
        connection: knows the parts.
        runs: the runs to read.
    """
    import pyarrow as pa

    posts = sum(part.rows for run in runs for part in run.parts)
    times: Numbers = np.zeros(posts, dtype=np.int64)
    echoes = np.zeros(posts, dtype=np.bool_)
    for parts in chunks(runs, _POST_CHUNK):
        rows = connection.execute(
            f"SELECT number, coalesce(epoch_us(created_at), {_LATEST}) AS time, "
            "trim(coalesce(repost_of, '')) <> '' AS repost "
            f"FROM {scan(parts, ['created_at', 'repost_of'])}"
        ).fetchnumpy()
        times[rows["number"]] = rows["time"]
        echoes[rows["number"]] = rows["repost"]
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

    echoes |= find_copies(words, ranks)
    return echoes


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
