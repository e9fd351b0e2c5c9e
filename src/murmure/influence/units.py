# ruff: noqa: S608 - every name in this SQL is murmure's own, every value is quoted
"""Units of a run: what counts add up, and so what an audit samples.

A unit is a post or, where the run was tagged with a catalogue, a post and an entity that it names,
with the tags that count there: sentiment, experience and touchpoint of the mention, language and
sponsored of the post. What counts call "all" adds up posts as wholes, those that name some entity:
they are units as well, of a second kind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from murmure.influence.database import chunks, quote, scan
from murmure.influence.runs import Run
from murmure.influence.sampling import Floats, Integers
from murmure.schema import LABELS, TAGS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

#: What a sample may be stratified by: the tagger's uncertainty, and columns.
STRATA = ("uncertainty", "entity", "language", "channel")

_CHUNK = 1_000_000
_UNCERTAIN = ("sentiment", "experience", "touchpoint", "sponsored")
_OF_MENTION = ("sentiment", "experience", "touchpoint")


def digest_of(text: str) -> str:
    """What tells a text from others, without telling the text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _units(table: str, run: Run, *, whole: bool) -> str:
    """SQL of the units of a table of posts: their number, entity, tags and probabilities."""
    named = run.catalog is not None
    post = "number, language, channel, sponsored, language_probabilities, sponsored_probabilities"
    tags = [name for tag in _OF_MENTION for name in (tag, f"{tag}_probabilities")]
    if whole or not named:
        some = "WHERE len(mentions) > 0" if named else ""
        return f"(SELECT {post}, NULL::VARCHAR AS entity, {', '.join(tags)} FROM {table} {some})"
    own = ", ".join(f"mention.{name} AS {name}" for name in tags)
    neutral = LABELS["sentiment"].index("neutral") + 1
    # As counts do: of several mentions the one that is least likely neutral speaks.
    return (
        f"(SELECT {post}, mention.entity AS entity, {own} "
        f"FROM (SELECT {post}, unnest(mentions) AS mention FROM {table}) "
        "QUALIFY row_number() OVER (PARTITION BY number, mention.entity "
        f"ORDER BY mention.sentiment_probabilities[{neutral}], mention.start) = 1)"
    )


def _columns(run: Run) -> list[str]:
    tags = [name for tag in TAGS for name in (tag, f"{tag}_probabilities")]
    return ["channel", *tags, *(["mentions"] if run.catalog is not None else [])]


def read_frame(
    connection: DuckDBPyConnection,
    run: Run,
    languages: Collection[str],
    stratify: Collection[str],
    whole: bool,
) -> tuple[Integers, NDArray[np.object_], Floats, NDArray[np.str_]]:
    """Of every unit its post's number, its entity, its uncertainty from 0 to 1, and its cell.

    Args:
        connection: a DuckDB.
        run: whose.
        languages: of the posts.
        stratify: any of `STRATA`.
        whole: whether the units are posts as wholes, where the run has a catalogue.
    """
    impure = " + ".join(
        f"1 - list_dot_product({tag}_probabilities::FLOAT[], {tag}_probabilities::FLOAT[])"
        for tag in _UNCERTAIN
    )
    columns = [name for name in STRATA[1:] if name in stratify]
    cell = " || '/' || ".join(f"coalesce({name}, '')" for name in columns) or "''"
    spoken = f"language IN ({', '.join(map(quote, languages))})"
    numbers, names, uncertain, cells = [], [], [], []
    for parts in chunks([run], _CHUNK):
        units = _units(scan(parts, _columns(run)), run, whole=whole)
        found = connection.sql(
            f"SELECT number, entity, ({impure}) / {len(_UNCERTAIN)} AS uncertain, {cell} AS cell "
            f"FROM {units} WHERE {spoken} ORDER BY number, entity"
        ).to_arrow_table()
        numbers.append(found["number"].to_numpy())
        names.append(found["entity"].to_numpy(zero_copy_only=False).astype(object))
        uncertain.append(np.clip(found["uncertain"].to_numpy(), 0.0, 1.0))
        cells.append(found["cell"].to_numpy(zero_copy_only=False).astype(str))
    if not numbers:
        return np.zeros(0, np.int64), np.zeros(0, object), np.zeros(0), np.zeros(0, "U1")
    return (
        np.concatenate(numbers),
        np.concatenate(names),
        np.concatenate(uncertain),
        np.concatenate(cells),
    )


def read_units(
    connection: DuckDBPyConnection,
    run: Run,
    numbers: Integers,
    names: NDArray[np.object_],
    whole: bool,
) -> list[dict[str, Any]]:
    """The posts of some units of one kind, in their order."""
    import pyarrow as pa

    wanted = pa.table(
        {
            "place": np.arange(len(numbers)),
            "number": numbers,
            "entity": pa.array(names.tolist(), pa.string()),
        }
    )
    connection.register("wanted", wanted)
    rows: list[dict[str, Any]] = []
    columns = [*_columns(run), "id", "text"]
    for parts in chunks([run], _CHUNK):
        table = f"(SELECT * FROM {scan(parts, columns)} SEMI JOIN wanted USING (number))"
        units = _units(table, run, whole=whole)
        rows += (
            connection.sql(
                f"SELECT w.place, t.id, t.text, u.* FROM {units} u JOIN wanted w ON "
                "w.number = u.number AND w.entity IS NOT DISTINCT FROM u.entity "
                f"JOIN {table} t ON t.number = u.number"
            )
            .to_arrow_table()
            .to_pylist()
        )
    connection.unregister("wanted")
    return sorted(rows, key=lambda row: int(row["place"]))


def contradiction(labels: Mapping[str, str]) -> str | None:
    """What is wrong with the labels of one unit, together; None where they may be.

    Example:
        >>> contradiction({"experience": "own", "touchpoint": "none"})
        "experience 'own' with touchpoint 'none': both are none, or neither"
        >>> contradiction({"experience": "own"})
    """
    experience, touchpoint = labels.get("experience"), labels.get("touchpoint")
    if experience is None or touchpoint is None or (experience == "none") == (touchpoint == "none"):
        return None
    return f"experience '{experience}' with touchpoint '{touchpoint}': both are none, or neither"


def find_units(
    connection: DuckDBPyConnection, run: Run, asked: Sequence[Mapping[str, Any]]
) -> dict[tuple[str, str, str | None], Mapping[str, Any]]:
    """The units of some draws' rows as the run holds them now, by id, digest and entity."""
    import pyarrow as pa

    ids = pa.table({"id": pa.array(sorted({row["id"] for row in asked}), pa.string())})
    connection.register("asked", ids)
    found: dict[tuple[str, str, str | None], Mapping[str, Any]] = {}
    columns = [*_columns(run), "id", "text"]
    whole_asked = any(row["entity"] is None for row in asked)
    for parts in chunks([run], _CHUNK):
        table = f"(SELECT * FROM {scan(parts, columns)} SEMI JOIN asked USING (id))"
        for whole in {False, whole_asked and run.catalog is not None}:
            rows = connection.sql(
                f"SELECT t.id, t.text, u.* FROM {_units(table, run, whole=whole)} u "
                f"JOIN {table} t USING (number) ORDER BY number"
            )
            for row in rows.to_arrow_table().to_pylist():
                found.setdefault((row["id"], digest_of(row["text"]), row["entity"]), row)
    connection.unregister("asked")
    return found
