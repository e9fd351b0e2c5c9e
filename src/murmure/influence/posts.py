# ruff: noqa: S608 - every name in this SQL is murmure's own
"""The posts of runs and what they name, as arrays: 5 million take some hundred megabytes.

`entity` is each entity that a post names, and "all". The tags that count: sentiment, experience
and touchpoint are those of the mention; language and sponsored those of the post, whoever it
names. For the entity "all" they are all the post's own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from murmure.influence.authors import somebody
from murmure.influence.cells import Cells
from murmure.influence.classes import CLASS_TAGS
from murmure.influence.columns import Names, distinct_texts, label_codes, matrix
from murmure.influence.echoes import Echoes
from murmure.influence.grid import Cell
from murmure.influence.media import KINDS, UNKNOWN
from murmure.influence.metrics import ALL
from murmure.influence.runs import Part, Run
from murmure.influence.said import say
from murmure.influence.speaking import Told, mention_columns, speaking_mentions
from murmure.influence.windows import NO_TIME, label_windows, number_windows
from murmure.schema import LABELS

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

#: Where mentions are: in the runs' own column.
STORED = "stored"

_BATCH = 65_536
_THREADS = 2


@dataclass(frozen=True, slots=True)
class Posts:
    """All posts of all runs, each in the place of its number.

    Attributes:
        kept: whether it is in a language that is counted.
        win, language, channel: positions in `labels`, "all" being 0.
        author: who wrote it, as a number; 0 where that is not known (see `authors`).
        echo: whether it copies another post.
        family: which posts are copies of one another, as a number; 0 where it is by itself.
        said: its labels, a position in `said.SAID`.
        cell: what the model says of it.
        chances: of sponsored, of shape (posts, labels); empty where nobody asked for it.
        labels: the names of windows, languages, channels and kinds of media.
        kinds: the kind of media of each channel, by position; 0 for "all".
        names: of authors, as hashes, by their number; 0 for nobody.
    """

    kept: Flags
    win: NDArray[np.integer[Any]]
    language: NDArray[np.int8]
    channel: NDArray[np.integer[Any]]
    author: NDArray[np.int32]
    echo: Flags
    family: NDArray[np.int32]
    said: NDArray[np.uint8]
    cell: Cell
    chances: NDArray[np.float32]
    labels: Mapping[str, tuple[str, ...]]
    kinds: Numbers
    names: NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Mentions:
    """What posts say of entities: a row for each post and entity that it names.

    Attributes:
        names: of the entities.
        number: of the post.
        entity: position in `names`.
        said, cell: as in `Posts`, of the mention.
    """

    names: tuple[str, ...]
    number: Numbers
    entity: NDArray[np.int32]
    said: NDArray[np.uint8]
    cell: Cell


def read_posts(
    connection: DuckDBPyConnection,
    runs: Sequence[Run],
    echoes: Echoes,
    *,
    kinds: Mapping[str, str],
    languages: Collection[str],
    window: str,
    cells: Cells | None,
    mentions: str | None = None,
    sponsored: bool = False,
    threads: int = _THREADS,
) -> tuple[Posts, Mentions | None]:
    """Reads the posts of runs.

    Args:
        connection: a DuckDB, which hashes authors' names.
        runs: the runs to read.
        echoes: which posts copy another, by number.
        kinds: the kind of media of each channel, by its name in lower case.
        languages: the languages of the posts that count.
        window: `day`, `week` or `month`.
        cells: of the model that tagged the posts; None where nothing is estimated.
        mentions: `STORED` where the runs' own mentions are to be read.
        sponsored: whether the probabilities of sponsored are to be kept.
        threads: how many parts are read at a time.
    """
    many = len(echoes.flags)
    reader = _Reader(connection, window, cells, mentions=mentions == STORED, sponsored=sponsored)
    found: dict[str, NDArray[Any]] = {
        "win": np.full(many, NO_TIME, np.int32),
        "language": np.zeros(many, np.int8),
        "channel": np.zeros(many, np.int32),
        "hash": np.zeros(many, np.uint64),
        "known": np.zeros(many, np.bool_),
        "said": np.zeros(many, np.uint8),
        "cell": np.zeros(many, np.uint32),
        "chances": np.zeros((many if sponsored else 0, 2), np.float32),
    }
    channels, entities = Names(), Names()
    rows: list[tuple[Numbers, NDArray[np.int32], NDArray[np.uint8], Cell]] = []
    parts = [part for run in runs for part in run.parts if part.rows]
    with ThreadPoolExecutor(threads) as pool:
        for first, batch in _in_turn(pool, reader, parts):
            here = slice(first, first + len(batch["win"]))
            batch["channel"] = channels.number(*batch["channel"])
            for name, column in found.items():
                if name in batch:
                    column[here] = batch[name]
            if mentions == STORED:
                number, (entity, names), said, cell = batch["mentions"]
                rows.append((number + first, entities.number(entity, names), said, cell))
    posts = _posts(found, channels.names, echoes, kinds=kinds, languages=languages, window=window)
    if mentions != STORED:
        return posts, None
    return posts, _mentions(entities.names, rows)


def read_mentions(posts: Posts, files: Sequence[tuple[Path, int]], cells: Cells | None) -> Mentions:
    """Reads the mentions that were found anew (see `mentions.find_mentions`).

    Args:
        posts: read with the probabilities of sponsored, if there are cells.
        files: with the columns `number` and `mentions`, each with the number of its first post.
        cells: as `read_posts` takes them.
    """
    import pyarrow.parquet as pq

    entities = Names()
    rows = []
    for file, first in files:
        with pq.ParquetFile(file) as parquet:
            columns = ["number", *mention_columns(parquet, cells)]
            for batch in parquet.iter_batches(_BATCH, columns=columns):
                number = batch.column("number").to_numpy() + first
                told = Told(
                    posts.said[number],
                    posts.cell[number],
                    posts.chances[number] if cells else None,
                    None,
                )
                place, (entity, names), said, cell = speaking_mentions(batch, told, cells)
                rows.append((number[place], entities.number(entity, names), said, cell))
    return _mentions(entities.names, rows)


def _mentions(names: Sequence[str], rows: Sequence[tuple[Any, Any, Any, Any]]) -> Mentions:
    kinds = (np.int64, np.int32, np.uint8, np.uint32)
    columns = [
        np.concatenate([np.zeros(0, kind), *(row[place] for row in rows)])
        for place, kind in enumerate(kinds)
    ]
    return Mentions(tuple(names), *columns)


def _in_turn(
    pool: ThreadPoolExecutor, reader: _Reader, parts: Sequence[Part]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The batches of all parts in their order, of which the pool reads some ahead."""
    for found in pool.map(reader.read, parts):
        yield from found


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads parts."""

    connection: DuckDBPyConnection
    window: str
    cells: Cells | None
    mentions: bool
    sponsored: bool

    def read(self, part: Part) -> list[tuple[int, dict[str, Any]]]:
        """What is needed of a part, in batches, each with the number of its first post."""
        import pyarrow.parquet as pq

        found = []
        first = part.first
        columns = ["author", "created_at", "channel", *LABELS]
        if self.cells is not None or self.sponsored:
            columns += [f"{tag}_probabilities" for tag in CLASS_TAGS]
        with (
            self.connection.cursor() as cursor,
            pq.ParquetFile(part.file, read_dictionary=["channel", *LABELS]) as parquet,
        ):
            if self.mentions:
                columns += mention_columns(parquet, self.cells)
            for batch in parquet.iter_batches(_BATCH, columns=columns, use_threads=False):
                found.append((first, self._columns(cursor, batch)))
                first += batch.num_rows
        return found

    def _columns(self, cursor: DuckDBPyConnection, batch: pa.RecordBatch) -> dict[str, Any]:
        codes = {tag: label_codes(batch.column(tag), LABELS[tag]) for tag in LABELS}
        found: dict[str, Any] = {
            "win": number_windows(batch.column("created_at"), self.window),
            "language": codes["language"] + 1,
            "channel": distinct_texts(batch.column("channel")),
            "said": say(codes),
        }
        found["hash"], found["known"] = _hash_authors(cursor, batch.column("author"))
        chances = None
        if self.cells is not None or self.sponsored:
            chances = {tag: matrix(batch.column(f"{tag}_probabilities"), tag) for tag in CLASS_TAGS}
        found["cell"] = np.zeros(batch.num_rows, np.uint32)
        if self.cells is not None and chances is not None:
            found["cell"] = self.cells.assign(chances)
        if self.sponsored and chances is not None:
            found["chances"] = chances["sponsored"]
        if self.mentions:
            sponsored = None if chances is None else chances["sponsored"]
            told = Told(found["said"], found["cell"], sponsored, chances)
            found["mentions"] = speaking_mentions(batch, told, self.cells)
        return found


def _hash_authors(
    cursor: DuckDBPyConnection, authors: pa.Array
) -> tuple[NDArray[np.uint64], Flags]:
    """A hash of each author's name, and whether it is a person's.

    People are told apart by a 64-bit hash of their names: of five million, two share one with a
    probability below one in a million.
    """
    import pyarrow as pa

    cursor.register("authors", pa.table({"author": authors.cast(pa.string())}))
    found = cursor.execute(
        f"SELECT hash(name) AS hash, {somebody('name')} AS known "
        "FROM (SELECT trim(coalesce(author, '')) AS name FROM authors)"
    ).fetchnumpy()
    cursor.unregister("authors")
    return np.asarray(found["hash"], np.uint64), np.asarray(found["known"], np.bool_)


def _posts(
    found: dict[str, NDArray[Any]],
    channels: Sequence[str],
    echoes: Echoes,
    *,
    kinds: Mapping[str, str],
    languages: Collection[str],
    window: str,
) -> Posts:
    asked = np.array([False, *(name in languages for name in LABELS["language"])])
    kept = asked[found["language"]]
    # Only what posts that count have is a window or a channel.
    numbers, win = np.unique(found.pop("win")[kept], return_inverse=True)
    wins = label_windows(numbers, window)
    names = [_channel(name) for name in channels]
    there = np.bincount(found["channel"][kept], minlength=len(names)) > 0
    labels = make_labels(wins, [name for name, used in zip(names, there, strict=True) if used])
    win_place = _places(wins, labels["win"])
    channel_place = _places(names, labels["channel"])
    hashes = found.pop("hash")
    people, author = np.unique(hashes[found["known"]], return_inverse=True)
    authors = np.zeros(len(kept), np.int32)
    authors[found["known"]] = author + 1
    del hashes, author
    win_of = np.zeros(len(kept), _smallest(len(labels["win"])))
    win_of[kept] = win_place[win] if len(win_place) else 0
    channel = np.zeros(len(kept), _smallest(len(labels["channel"])))
    if names:
        channel[kept] = channel_place[found["channel"][kept]]
    return Posts(
        kept=kept,
        win=win_of,
        language=found["language"],
        channel=channel,
        author=authors,
        echo=echoes.flags,
        family=echoes.families,
        said=found["said"],
        cell=found["cell"],
        chances=found["chances"],
        labels=labels,
        kinds=kinds_of(labels, kinds),
        names=np.concatenate([np.zeros(1, np.uint64), people]),
    )


def make_labels(wins: Collection[str], channels: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The labels of windows, languages, channels and kinds of media in their order, "all" first."""
    return {
        "win": (ALL, *sorted({*wins}, key=lambda name: (name == UNKNOWN, name))),
        "language": (ALL, *LABELS["language"]),
        "channel": (ALL, *sorted({*channels})),
        "media": (ALL, *KINDS, UNKNOWN),
    }


def kinds_of(labels: Mapping[str, Sequence[str]], kinds: Mapping[str, str]) -> Numbers:
    """The kind of media of each channel, as positions among the labels; 0 for "all"."""
    media = [kinds.get(name.lower(), UNKNOWN) for name in labels["channel"][1:]]
    return np.array([0, *(labels["media"].index(kind) for kind in media)], np.int64)


def _places(names: Sequence[str], labels: Sequence[str]) -> Numbers:
    place = {name: at for at, name in enumerate(labels)}
    return np.array([place.get(name, 0) for name in names], np.int64)


def _channel(name: str) -> str:
    """What a channel is called in counts: "all" is a value of its own there."""
    name = name.strip(" ")
    if name.lower() == ALL:
        return f"{ALL} (channel)"
    return name or UNKNOWN


def _smallest(labels: int) -> type[np.signedinteger[Any]]:
    return np.int16 if labels < 2**15 else np.int32
