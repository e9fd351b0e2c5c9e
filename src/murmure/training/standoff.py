"""Stand-off records: the labels of posts without their texts, and their way back together.

A record holds the SHA-256 of a post's text. Whoever has the texts from their sources can join the
labels to them; whoever has not learns nothing of them.
"""

from __future__ import annotations

import hashlib
import html
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from murmure.errors import InputError
from murmure.schema import LABELS, TAGS
from murmure.training.licences import Cards, read_cards

_SPLITS = ("train", "validation")
_UNKNOWN = "not recorded"
_ENTITY_PASSES = 3

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("commit", pa.string()),
        pa.field("sha256", pa.binary(32), nullable=False),
        *[pa.field(tag, pa.string()) for tag in TAGS],
        pa.field("draw", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
    ]
)
#: The columns of a file of records: `id` of the post in the corpus, the `origin` that it was drawn
#: from, that origin's `source` and `commit`, the `sha256` of the text (32 bytes), the five labels,
#: `draw` (`source` or `sought`) and `split` (`train` or `validation`).


def text_hash(text: str) -> bytes:
    """Give the SHA-256 of a text in UTF-8, its HTML entities resolved.

    Example:
        >>> text_hash("Brizelo &amp; fils") == text_hash("Brizelo & fils")
        True
        >>> text_hash("Brizelo") == text_hash("brizelo")
        False
    """
    return hashlib.sha256(_resolve(text).encode("utf-8", "surrogatepass")).digest()


def _resolve(text: str) -> str:
    # Some sources hold entities within entities.
    for _ in range(_ENTITY_PASSES):
        text = html.unescape(text)
    return text


def make_records(folder: str | Path, *, cards: Cards | None = None) -> pa.Table:
    """Make the records of a corpus.

    Args:
        folder: with `train.parquet`, and perhaps `validation.parquet`, as `data/README.md` has
            them; both with `id`, `origin`, `draw` and the five tags.
        cards: that tell each origin's source; those that murmure ships if None.

    Returns:
        A table of `SCHEMA`, sorted by id.

    Raises:
        InputError: if the folder holds no such files, a column is missing, a label is unknown, an
            id or a text stands twice, an id tells more than a name and a hash, or an origin has no
            card.
    """
    cards = read_cards() if cards is None else cards
    rows: list[dict[str, Any]] = []
    for split in _SPLITS:
        file = Path(folder) / f"{split}.parquet"
        if file.is_file():
            rows += [_record(row, cards, split, file) for row in _read(file)]
    if not rows:
        raise InputError("holds no train.parquet with posts", file=folder)
    for column in ("id", "sha256"):
        twice = [value for value, count in Counter(r[column] for r in rows).items() if count > 1]
        if twice:
            what = "id" if column == "id" else "text"
            names = [row["id"] for row in rows if row[column] == twice[0]]
            raise InputError(f"one {what} stands twice, at {' and '.join(names)}", file=folder)
    rows.sort(key=lambda row: str(row["id"]))
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _read(file: Path) -> list[dict[str, Any]]:
    columns = ["id", "origin", "text", "draw", *TAGS]
    try:
        table = pq.read_table(file)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"cannot be read ({error})", file=file) from error
    for column in columns:
        if column not in table.column_names:
            raise InputError(f"no column {column!r}", file=file)
    rows: list[dict[str, Any]] = table.select(columns).to_pylist()
    return rows


def _record(row: dict[str, Any], cards: Cards, split: str, file: Path) -> dict[str, Any]:
    name, origin = row["id"], row["origin"]
    # An id made of a name and hexadecimal digits can hold neither words nor an author.
    if not set(name.rpartition("-")[2]) <= set("0123456789abcdef"):
        message = f"the id {name!r} is not a name and a hash, and might tell what it should not"
        raise InputError(message, file=file, column="id")
    if origin not in cards.origins and origin not in cards.corpora:
        raise InputError(f"the origin {origin!r} has no card", file=file, column="origin")
    for tag in TAGS:
        if row[tag] not in (None, *LABELS[tag]):
            raise InputError(f"unknown label {row[tag]!r} of {name}", file=file, column=tag)
    source, commit = _source(cards.of_origin(origin).source)
    return {
        "id": name,
        "origin": origin,
        "source": source,
        "commit": commit,
        "sha256": text_hash(row["text"]),
        **{tag: row[tag] for tag in TAGS},
        "draw": row["draw"],
        "split": split,
    }


def _source(sources: tuple[str, ...]) -> tuple[str, str | None]:
    """Split `owner/name@commit`; several sources are joined, with their commits in their order."""
    if not sources:
        return _UNKNOWN, None
    names, commits = zip(*(source.partition("@")[::2] for source in sources), strict=True)
    return ", ".join(names), ", ".join(filter(None, commits)) or None


def write_records(records: pa.Table, file: str | Path) -> None:
    """Write records as Parquet; the same records make the same bytes with one version of Arrow."""
    pq.write_table(records, file, compression="zstd", compression_level=19, use_dictionary=True)


def read_records(file: str | Path) -> pa.Table:
    """Read a file of records.

    Raises:
        InputError: if it is missing, damaged, or not a file of records.
    """
    try:
        table = pq.read_table(file)
    except FileNotFoundError:
        raise InputError("no such file", file=file) from None
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"cannot be read ({error})", file=file) from error
    if not table.schema.equals(SCHEMA):
        names = ", ".join(SCHEMA.names)
        raise InputError(f"is not a file of stand-off records (columns {names})", file=file)
    return table


def rows_by_hash(records: pa.Table) -> dict[bytes, int]:
    """Give the row of each record by the hash of its text, as `text_hash` makes it."""
    return {digest: row for row, digest in enumerate(records["sha256"].to_pylist())}


@dataclass(frozen=True)
class Joined:
    """Records that found their texts.

    Attributes:
        posts: `id`, `text`, `origin`, the five tags, `draw` and `split`, in the records' order.
        missing: per origin, how many records found no text.
        unused: how many of the texts belong to no record.
    """

    posts: pa.Table
    missing: dict[str, int]
    unused: int


def join(records: pa.Table, texts: Iterable[str]) -> Joined:
    """Join records to the texts that they were made from.

    A text is a record's if its SHA-256 is, HTML entities resolved; nothing else is tried, so that
    no label comes to a text that was changed.

    Args:
        records: as `read_records` gives them.
        texts: in any order, with others among them; held one at a time.

    Example:
        >>> made = {"id": "made-0a", "origin": "o", "source": "s", "commit": None, "draw": "source",
        ...         "sha256": text_hash("Marelle is fine"), "sentiment": "positive",
        ...         "split": "train"}
        >>> records = pa.Table.from_pylist([made], schema=SCHEMA)
        >>> found = join(records, ["Marelle is fine", "Marelle is fine!"])
        >>> found.posts["text"].to_pylist(), found.missing, found.unused
        (['Marelle is fine'], {}, 1)
    """
    rows = rows_by_hash(records)
    found: dict[int, str] = {}
    unused = 0
    for text in texts:
        row = rows.get(text_hash(text))
        if row is None:
            unused += 1
        else:
            found[row] = _resolve(text)
    order = sorted(found)
    kept = records.take(pa.array(order, pa.int64())).drop_columns(["source", "commit", "sha256"])
    column = pa.array([found[row] for row in order], pa.string())
    lost = Counter(
        origin for row, origin in enumerate(records["origin"].to_pylist()) if row not in found
    )
    return Joined(kept.add_column(1, "text", column), dict(sorted(lost.items())), unused)


def verify(records: pa.Table, folder: str | Path, *, cards: Cards | None = None) -> list[str]:
    """Compare records with a corpus, and say where they differ.

    Args:
        records: as `read_records` gives them.
        folder: of the corpus, as for `make_records`.
        cards: as for `make_records`.

    Returns:
        The ids of records that only one of the two has, or that differ in any column.

    Raises:
        InputError: as `make_records`.
    """
    anew = {row["id"]: row for row in make_records(folder, cards=cards).to_pylist()}
    given = {row["id"]: row for row in records.to_pylist()}
    return sorted(name for name in {*anew, *given} if anew.get(name) != given.get(name))
