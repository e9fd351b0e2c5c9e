"""How many accounts a brand's posts come from: whether many speak, or a few speak a lot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from murmure.influence.authors import somebody
from murmure.report.runs import parts, reading
from murmure.report.slices import ALL
from murmure.report.words import Words

if TYPE_CHECKING:
    import duckdb

#: Fewer accounts than this are no crowd to speak of.
FEWEST = 5

# Copies and reposts are posts here: whoever repeats himself fills the stream too.
_QUERY = f"""
WITH posts AS (
    SELECT hash(trim(author)) AS author,
        list_distinct([m.entity FOR m IN mentions]) AS brands
    FROM read_parquet($parts, union_by_name = true, hive_partitioning = false)
    WHERE language <> 'other' AND sponsored = 'no' AND {somebody()}
), named AS (
    SELECT unnest(brands) AS entity, author FROM posts
    UNION ALL SELECT $everyone, author FROM posts WHERE $unnamed OR len(brands) > 0
), accounts AS (
    SELECT entity, author, count(*) AS posts FROM named GROUP BY ALL
), ranked AS (
    SELECT entity, posts, sum(posts) OVER (PARTITION BY entity) AS whole,
        sum(posts) OVER (PARTITION BY entity ORDER BY posts DESC, author
            ROWS UNBOUNDED PRECEDING) AS so_far
    FROM accounts
)
SELECT entity, count(*), count(*) FILTER (2 * (so_far - posts) < whole), first(whole)
FROM ranked GROUP BY entity
"""  # noqa: S608 - only our own names are put in


@dataclass(frozen=True, slots=True)
class Crowd:
    """The accounts behind a brand's organic posts, as the model's labels have these.

    Attributes:
        accounts: how many there are.
        half: the fewest of them that half of the posts come from.
        posts: how many posts they wrote, copies among them.
    """

    accounts: int
    half: int
    posts: int


def find(
    folders: Sequence[Path], database: duckdb.DuckDBPyConnection, *, named: bool
) -> dict[str, Crowd]:
    """The crowd of each entity that the runs' posts name, and of "all".

    Args:
        folders: of the runs.
        database: to read them with.
        named: whether "all" is the posts that name a brand, rather than every post.

    Raises:
        InputError: where a part cannot be read.
        RunError: where memory or room for temporary files is lacking.
    """
    values = {"parts": parts(folders), "everyone": ALL, "unnamed": not named}
    with reading(folders):
        rows = database.execute(_QUERY, values).fetchall()
    return {entity: Crowd(accounts, half, int(posts)) for entity, accounts, half, posts in rows}


def tell(crowd: Crowd | None, words: Words) -> str:
    """Who half of the posts come from, as a sentence; nothing where too few people speak.

    Example:
        >>> tell(Crowd(accounts=240, half=9, posts=800), Words.load("en"))
        'Half of the organic posts, copies included, come from 9 accounts out of 240.'
        >>> tell(Crowd(accounts=2, half=1, posts=4), Words.load("en"))
        ''
    """
    if crowd is None or crowd.accounts < FEWEST:
        return ""
    return words(
        "crowd.half",
        accounts=words.count("accounts", crowd.half),
        all=words.number(crowd.accounts),
    )
