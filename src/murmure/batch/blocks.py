"""What readers hand on: blocks of rows as columns, and the rows that could not be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa

#: A block ends once its rows hold this many characters, so that long posts fill no memory.
MAX_BLOCK_CHARACTERS = 4 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """A row that could not be tagged, and why.

    Attributes:
        row: its number in the source, from 0, counting every row.
        line: the line it begins on, from 1 (of Parquet: the row, from 1).
        reason: what is wrong; the words before the first colon name the kind of fault.
        raw: the beginning of what was read, if anything was; nothing of a long row whose author
            could not be read, who may be forgotten later.
        id: the row's own id, if it could be read.
        author: its author, if that could be.
    """

    row: int
    line: int
    reason: str
    raw: str | None = None
    id: str | None = None
    author: str | None = None

    def to_dict(self, source: str) -> dict[str, object]:
        """As it is written in `rejects.jsonl`."""
        return {
            "source": source,
            "line": self.line,
            "id": self.id,
            "author": self.author,
            "reason": self.reason,
            "raw": self.raw,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Rows read from one source.

    Attributes:
        first: number of the first row in its source, from 0.
        rows: how many rows were read: those in `columns` and those in `rejects`.
        columns: the input's columns under their own names, all of one length.
        numbers: for each row of `columns` its number in the source.
        lines: for each row of `columns` the line it begins on.
        rejects: the rows that could not be read, in order.
        warnings: how often something was put right, by what it was.
        json_columns: the columns whose values are JSON text already.
    """

    first: int
    rows: int
    columns: Mapping[str, pa.Array]
    numbers: Sequence[int]
    lines: Sequence[int]
    rejects: Sequence[Reject] = ()
    warnings: Counter[str] = field(default_factory=Counter)
    json_columns: frozenset[str] = frozenset()


class Reader(Protocol):
    """Reads one source from the beginning, block after block."""

    def read(self, rows: int) -> Block | None:
        """The next block of at most so many rows; None at the end.

        Where a block ends depends only on where it begins and on what is in the file.
        """
        ...

    def skip(self, rows: int) -> None:
        """Passes over rows that an earlier run has done."""
        ...

    def close(self) -> None:
        """Closes the file."""
        ...
