"""Files of posts with hostile rows among good ones, and what must become of every row.

Twenty kinds of rows that other tools stop at, drop or double. Where a row may hold anything,
hypothesis makes it up: the same with the same version.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Made = TypeVar("Made")

#: A model that is told to fails on texts with this word.
POISON = "POISON"
#: Texts of more characters are rejected.
MAX_TEXT = 20_000

_SEED = 20261122
# fmt: off
_WORDS = (
    "le", "la", "un", "café", "machine", "Brizelo", "Torvella", "Marelle", "mousse", "délicieux",
    "en", "panne", "jamais", "reçue", "colis", "the", "a", "coffee", "grinder", "loud", "great",
    "broken", "arrived", "late", "again", "love", "it", "service", "😡", "☕", "l’été", "déçu",
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Row:
    """One row as it is written.

    Attributes:
        data: its bytes, without a line's end; of Parquet its text alone, None for null.
        is_good: whether it must be tagged; otherwise it must be rejected.
        id: its id, where it must be tagged.
    """

    data: bytes | None
    is_good: bool
    id: str = ""


@dataclass(slots=True)
class Expected:
    """What must become of some files' rows.

    Attributes:
        sources: the files.
        ids: of all rows that must be tagged, in order.
        rejects: source and line of all that must be rejected, in order.
        hostile: how many hostile rows there are, by kind.
    """

    sources: list[Path] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    rejects: list[tuple[str, int]] = field(default_factory=list)
    hostile: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.ids) + len(self.rejects)


Make = Callable[[str, random.Random], Row]


def _sentence(chance: random.Random) -> str:
    return " ".join(chance.choices(_WORDS, k=chance.randint(3, 30)))


def _json(row: object, *, good: bool, name: str = "") -> Row:
    return Row(json.dumps(row).encode(), good, name)


def _good_json(name: str, chance: random.Random) -> Row:
    row = {"id": name, "text": _sentence(chance), "author": f"@a{chance.randint(0, 999)}", "n": 1}
    return Row(json.dumps(row, ensure_ascii=False).encode(), True, name)


def _deep(name: str, chance: random.Random) -> Row:
    del name, chance
    return Row(b'{"text": "deep", "x": ' + b"[" * 200 + b"]" * 200 + b"}", False)


def _any_json(texts: Iterator[str]) -> Make:
    def make(name: str, chance: random.Random) -> Row:
        del chance
        return _json({"id": name, "text": f"x{next(texts)}"}, good=True, name=name)

    return make


def _any_bytes(lines: Iterator[bytes]) -> Make:
    def make(name: str, chance: random.Random) -> Row:
        del name, chance
        return Row(b"\xff{" + next(lines).replace(b"\n", b"").replace(b"\r", b""), False)

    return make


def json_kinds(count: int) -> dict[str, Make]:
    """Hostile rows of JSON lines, by kind; each can be made so many times."""
    texts, lines = iter(any_texts(count)), iter(any_lines(count))
    return {
        "cut short": lambda name, chance: Row(_good_json(name, chance).data[:-9], False),  # type: ignore[index]
        "no object": lambda *_: _json([1, "text"], good=False),
        "text missing": lambda name, _: _json({"id": name, "body": "a"}, good=False),
        "text null": lambda name, _: _json({"id": name, "text": None}, good=False),
        "text a number": lambda name, _: _json({"id": name, "text": 7}, good=False),
        "text blank": lambda name, _: _json({"id": name, "text": " \t\u00a0"}, good=False),
        "text endless": lambda name, _: _json({"id": name, "text": "é" * 30_000}, good=False),
        "nested deep": _deep,
        "any bytes": _any_bytes(lines),
        "any characters": _any_json(texts),
        "half an emoji, NUL": lambda name, _: Row(
            f'{{"id": "{name}", "text": "cut \\ud83d\\u0000 \\u2028 here"}}'.encode(), True, name
        ),
        "odd time and author": lambda name, _: _json(
            {"id": name, "text": "ok", "created_at": "soon", "author": {"a": [1]}, "n": 1},
            good=True,
            name=name,
        ),
    }


def _good_csv(name: str, chance: random.Random) -> Row:
    text = _sentence(chance)
    quoted = f'"{text}, ""so"""' if chance.random() < 0.3 else text
    return Row(f"{name},{quoted},@a{chance.randint(0, 999)}".encode(), True, name)


_CSV_KINDS: dict[str, Make] = {
    "stray quote": lambda name, _: Row(f'{name},"never closed,@a'.encode(), False),
    "too many fields": lambda name, _: Row(f"{name},a,b,c".encode(), False),
    "not UTF-8": lambda name, _: Row(f"{name},caf".encode() + b"\xe9,@a", False),
    "text of several lines": lambda name, _: Row(f'{name},"a\n\r\n""b",@a'.encode(), True, name),
    "a formula": lambda name, _: Row(f"{name},=HYPERLINK(1),@a".encode(), True, name),
}


def _good_text(name: str, chance: random.Random) -> Row:
    return Row(_sentence(chance).encode(), True, name)


_PARQUET_KINDS: dict[str, Make] = {
    "null": lambda *_: Row(None, False),
    "not UTF-8, in Parquet": lambda *_: Row(b"caf\xe9", False),
    "poisonous": lambda *_: Row(f"bon {POISON} bon".encode(), False),
}


def any_texts(count: int) -> list[str]:
    """Texts of any characters, some of them long, as hypothesis makes them up."""
    from hypothesis import strategies as st

    return _made(st.text(st.characters(codec="utf-8"), max_size=300), count)


def any_lines(count: int) -> list[bytes]:
    """Bytes of any kind, as hypothesis makes them up."""
    from hypothesis import strategies as st

    return _made(st.binary(max_size=300), count)


def _made(strategy: SearchStrategy[Made], count: int) -> list[Made]:
    from hypothesis import HealthCheck, Phase, given, settings

    found: list[Made] = []

    @settings(
        max_examples=max(1, count),
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(one: Made) -> None:
        found.append(one)

    collect()
    # Few possible values end hypothesis early: they come again then.
    return [found[number % len(found)] for number in range(count)]


#: How many kinds of hostile rows there are.
KINDS = len(json_kinds(0)) + len(_CSV_KINDS) + len(_PARQUET_KINDS)


def write_posts(folder: Path, *, good: int, hostile: int) -> Expected:
    """Writes gzipped JSON lines, CSV and Parquet with good rows and hostile ones in between.

    Args:
        folder: where; it is there.
        good: how many good rows, over all files.
        hostile: how many hostile rows; every kind comes as often as every other, or once more.
    """
    each = -(-hostile // KINDS)
    jsons = json_kinds(each)
    left = hostile
    expected = Expected()
    chance = random.Random(_SEED)
    share = good // 5
    plan: tuple[tuple[str, int, Make, dict[str, Make]], ...] = (
        ("a.jsonl.gz", 2 * share, _good_json, jsons),
        ("b.csv", 2 * share, _good_csv, _CSV_KINDS),
        ("c.parquet", good - 4 * share, _good_text, _PARQUET_KINDS),
    )
    for file, count, make, kinds in plan:
        makers: list[Make] = [make] * count
        for kind, maker in kinds.items():
            times = min(each, left)
            left -= times
            expected.hostile[kind] = times
            makers += [maker] * times
        chance.shuffle(makers)
        rows = [maker(f"{file[0]}{number}", chance) for number, maker in enumerate(makers)]
        _write(folder / file, rows)
        expected.sources.append(folder / file)
        line = 2 if file.endswith(".csv") else 1
        for row in rows:
            if row.is_good:
                expected.ids.append(row.id)
            else:
                expected.rejects.append((file, line))
            line += 1 if row.data is None or file == "c.parquet" else 1 + row.data.count(b"\n")
    return expected


def _write(path: Path, rows: list[Row]) -> None:
    if path.suffix == ".parquet":
        _write_parquet(path, rows)
        return
    head = b"id,text,author\n" if path.suffix == ".csv" else b""
    data = head + b"".join((row.data or b"") + b"\n" for row in rows)
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def _write_parquet(path: Path, rows: list[Row]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Bytes seen as strings: whoever wrote the file did not check them.
    texts = pa.array([row.data for row in rows], pa.binary()).view(pa.string())
    ids = pa.array([row.id or f"bad{number}" for number, row in enumerate(rows)])
    pq.write_table(pa.table({"id": ids, "text": texts}), path, row_group_size=5_000)
