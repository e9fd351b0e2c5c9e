"""Runs `tag_file` with the fake predictor and reads back what it wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from murmure.batch import RunSummary, tag_file
from murmure.batch.blocks import Reject
from murmure.batch.flow import Limits, read_chunks
from murmure.batch.inputs import survey_all
from murmure.batch.sources import expand
from tests.batch.fakes import load_fake


def tag(sources: Any, out: Path | str, **options: Any) -> RunSummary:
    """`tag_file` in this process with the fake predictor, whatever models are shipped."""
    return tag_file(
        sources, out, **{"model": "fake", "load_predictor": load_fake, "jobs": 1, **options}
    )


def tag_bytes(folder: Path, name: str, data: bytes, **options: Any) -> RunSummary:
    """Tags a file with these bytes into `folder / "out"`, and checks that no row is lost."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    summary = tag(folder / name, folder / "out", **options)
    assert summary.rows == summary.tagged + summary.rejected
    assert len(rows(folder / "out")) == summary.tagged
    assert len(rejects(folder / "out")) == summary.rejected
    return summary


def read_bytes(
    folder: Path, name: str, data: bytes, *, chunk_rows: int = 3
) -> tuple[list[dict[str, Any]], list[Reject]]:
    """The posts and rejects of a file with these bytes, tagging left out; no row is lost."""
    path = folder / name
    path.write_bytes(data)
    inputs, plan = survey_all(expand([path]), encoding="utf-8", columns={})
    limits = Limits(part_rows=4, chunk_rows=chunk_rows, max_text=1000)
    posts: list[dict[str, Any]] = []
    faults: list[Reject] = []
    for chunk in read_chunks(inputs, plan, limits=limits, done=[0]):
        assert chunk.rows == chunk.posts.num_rows + len(chunk.rejects)
        chunk.posts.validate(full=True)
        posts += chunk.posts.to_pylist()
        faults += chunk.rejects
    return posts, faults


def rows(out: Path) -> list[dict[str, Any]]:
    """All rows of a run's parts."""
    return [
        row
        for part in sorted(out.glob("part-*.parquet"))
        for row in pq.ParquetFile(part).read().to_pylist()
    ]


def texts(out: Path) -> list[str]:
    """The texts of all rows of a run's parts."""
    return [row["text"] for row in rows(out)]


def rejects(out: Path) -> list[dict[str, Any]]:
    """All rejects of a run."""
    lines = (out / "rejects.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def manifest(out: Path) -> dict[str, Any]:
    """A run's manifest as it stands in the file."""
    loaded: dict[str, Any] = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    return loaded


def contents(out: Path) -> dict[str, bytes]:
    """Every file of a run's folder, byte for byte."""
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}
