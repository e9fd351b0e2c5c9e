"""Writes small run folders, as `murmure tag` would, for the tests of what reads them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from murmure.batch.manifest import REJECTS_NAME, Counts, Identity, Manifest, Part
from murmure.schema import LABELS, POST_COLUMNS, TAGS, post_fields, result_fields

#: What a post says where a test's row does not.
DEFAULTS: Mapping[str, Any] = {
    "author": None,
    "created_at": None,
    "channel": None,
    "repost_of": None,
    "in_reply_to": None,
    "language": "fr",
    "sentiment": "neutral",
    "experience": "none",
    "touchpoint": "none",
    "sponsored": "no",
    "disclosure": None,
    "truncated": False,
    "mentions": (),
}


def run_schema() -> pa.Schema:
    """The columns of a run's parts: a post's, then what tagging adds."""
    return pa.schema([*post_fields(), *result_fields()])


def probabilities(tag: str, label: str, score: float = 0.9) -> list[float]:
    """A distribution over the labels of `tag` that gives `label` the probability `score`."""
    rest = (1 - score) / (len(LABELS[tag]) - 1)
    return [score if name == label else rest for name in LABELS[tag]]


def full_row(row: Mapping[str, Any], number: int = 0) -> dict[str, Any]:
    """A row of a run's part from the few fields that a test cares for.

    Args:
        row: any columns of a post, any tag's label under the tag's name, `TAG_score` (.9 where it
            is missing), `created_at` as ISO 8601 or a datetime, and `mentions`: entity names, or
            mappings with `entity` and the tags that the mention's sentence has of its own.
        number: the row's place, from which a missing id and text are made.
    """
    given = {"id": f"p{number}", "text": f"post {number}", **DEFAULTS, **row}
    time = given["created_at"]
    if isinstance(time, str):
        time = datetime.fromisoformat(time)
    if time is not None and time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    given["created_at"] = time
    full = {name: given[name] for name in POST_COLUMNS} | _tags(given, abstained=True)
    full |= {"disclosure": given["disclosure"], "truncated": given["truncated"]}
    full["mentions"] = [_mention(mention, given) for mention in given["mentions"]]
    return full


def _tags(row: Mapping[str, Any], *, abstained: bool) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for tag in TAGS:
        score = row.get(f"{tag}_score", 0.9)
        columns |= {
            tag: row[tag],
            f"{tag}_score": score,
            f"{tag}_probabilities": probabilities(tag, row[tag], score),
        }
        if abstained:
            columns[f"{tag}_abstained"] = row.get(f"{tag}_abstained", False)
    return columns


def _mention(mention: str | Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    own: dict[str, Any] = {"entity": mention} if isinstance(mention, str) else dict(mention)
    surface: str = own.get("surface", own["entity"])
    start = max(row["text"].find(surface), 0)
    place = {"entity": own["entity"], "surface": surface, "start": start}
    return place | {"end": start + len(surface)} | _tags({**row, **own}, abstained=False)


def write_run(
    folder: str | Path,
    rows: Sequence[Mapping[str, Any]],
    *,
    part_rows: int = 1000,
    model: str = "fast",
    fingerprint: str = "0" * 64,
    catalog: Mapping[str, Any] | None = None,
    finished: bool = True,
) -> Path:
    """Writes `rows` as a run's folder: parts, rejects (none) and manifest.

    Args:
        folder: where; made if it is not there.
        rows: what each post says, as `full_row` takes it.
        part_rows: posts a part; no rows make one empty part.
        model: the model's name in the manifest.
        fingerprint: the model's fingerprint in the manifest.
        catalog: the manifest's catalogue; made up where None and a row has mentions.
        finished: what the manifest says.

    Returns:
        The folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / REJECTS_NAME).write_bytes(b"")
    full = [full_row(row, number) for number, row in enumerate(rows)]
    parts = []
    for number, first in enumerate(range(0, max(len(full), 1), part_rows)):
        some = full[first : first + part_rows]
        file = folder / f"part-{number:05d}.parquet"
        pq.write_table(pa.Table.from_pylist(some, schema=run_schema()), file)
        part = Part(
            file=file.name,
            first_row=first,
            rows=len(some),
            tagged=len(some),
            rejected=0,
            size=file.stat().st_size,
            sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
            rejects_end=0,
            counts=(Counts(input=0, rows=len(some), tagged=len(some), rejected=0),),
        )
        parts.append(part)
    if catalog is None and any(row["mentions"] for row in full):
        catalog = {"file": "catalog.toml", "sha256": "c" * 64}
    source = {"source": "posts.jsonl", "format": "jsonl", "size": 0, "sha256": "d" * 64}
    identity = Identity(
        inputs=[source],
        model={"name": model, "fingerprint": fingerprint},
        catalog=catalog,
        configuration={},
    )
    manifest = Manifest(identity=identity, parts=parts, complete=finished)
    manifest.rejects_sha256 = hashlib.sha256(b"").hexdigest() if finished else None
    manifest.write(folder)
    return folder
