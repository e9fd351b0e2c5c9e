"""Who was erased from a run: told by a salted hash, so that the record does not name anybody."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_QUOTED = re.compile(r'"((?:[^"\\]|\\.|"")*)"')
_SEPARATED = re.compile(r"[,;\t|\r\n]")
_MOST_REMEMBERED = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """The record of one erasure.

    Attributes:
        salt: random, in hexadecimal; the same author has another hash in every run.
        sha256: of the salt and the author's name.
        date: the day, in UTC, as ISO 8601.
        posts: how many tagged posts were erased.
        rejects: how many rejects were.
        parts: how many parts were written again.
    """

    salt: str
    sha256: str
    date: str
    posts: int = 0
    rejects: int = 0
    parts: int = 0

    @classmethod
    def of(cls, author: str, *, date: str, posts: int, rejects: int, parts: int) -> Forgotten:
        """A record with a salt of its own."""
        salt = secrets.token_hex(16)
        return cls(
            salt=salt,
            sha256=_hash(salt, author),
            date=date,
            posts=posts,
            rejects=rejects,
            parts=parts,
        )

    def is_of(self, author: str) -> bool:
        """Whether the record is of this author.

        Example:
            >>> record = Forgotten.of("@ana", date="2026-11-22", posts=2, rejects=0, parts=1)
            >>> record.is_of("@ana"), record.is_of("ana")
            (True, False)
        """
        return _hash(self.salt, author) == self.sha256


def _hash(salt: str, author: str) -> str:
    return hashlib.sha256(f"{salt}\0{author}".encode("utf-8", "surrogatepass")).hexdigest()


class Absent:
    """Tells whose rows may not be written to a folder any more.

    Args:
        records: of those who were forgotten there.
    """

    def __init__(self, records: Sequence[Forgotten]) -> None:
        self._records = tuple(records)
        self._known: dict[str, bool] = {}

    def __bool__(self) -> bool:
        """Whether there is anybody."""
        return bool(self._records)

    def __call__(self, author: str | None) -> bool:
        """Whether an author was forgotten."""
        if author is None or not self._records:
            return False
        if author not in self._known:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[author] = any(record.is_of(author) for record in self._records)
        return self._known[author]

    def wrote(self, author: str | None, raw: str | None) -> bool:
        """Whether a rejected row is of somebody who was forgotten.

        Args:
            author: as far as the row could be read.
            raw: what stands in the rejects of a row that could not be: it is taken for theirs
                where one of its quoted strings or separated fields is the name. Of a row that
                would be cut there, nothing stands there.
        """
        return self(author) or (author is None and any(map(self, names_in(raw or ""))))


def names_in(raw: str) -> Iterator[str]:
    r"""What could be an author's name in a broken row of JSON or CSV.

    Example:
        >>> sorted(set(names_in('{"author": "@an\\u00e9", broken')))
        ['@ané', 'author', 'broken', '{"author": "@an\\u00e9']
    """
    for quoted in _QUOTED.findall(raw):
        try:
            yield str(json.loads(f'"{quoted}"'))
        except ValueError:
            yield quoted.replace('""', '"')
    for field in _SEPARATED.split(raw):
        yield field.strip().strip('"')
