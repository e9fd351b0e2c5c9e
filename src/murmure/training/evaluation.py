"""Measuring a model on labelled posts: tags them as `murmure tag` does, then compares."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from murmure.batch import RunSummary, tag_file
from murmure.batch.manifest import read_manifest
from murmure.errors import InputError
from murmure.schema import LABELS, TAGS
from murmure.training.corpora import MISSING, Labels
from murmure.training.scores import measure


def evaluate(
    sources: Sequence[str | Path],
    *,
    model: str | Path | None = None,
    labels: str | Path | None = None,
    columns: Mapping[str, str] | str | None = None,
) -> dict[str, Any]:
    """Measure a model.

    Args:
        sources: files of posts, as `murmure tag` reads them, with a column for each labelled tag.
        model: the name of a shipped model, or a folder; None for the default.
        labels: a CSV, JSONL or Parquet file with `id` and the tag columns, if they stand apart.
        columns: which input column is which, as in `tag_file`.

    Returns:
        `model`; `rows` (`in`, `tagged`, `rejected`); `tags`, as `scores.measure` gives them; and
        `languages` with the same for posts labelled, or else tagged, French and English.

    Raises:
        InputError: if no post has a label, or a label is unknown.
    """
    with tempfile.TemporaryDirectory(prefix="murmure-") as folder:
        run = Path(folder) / "run"
        summary = tag_file(list(sources), run, model=model, columns=columns)
        tagged = _read(run, None if labels is None else Path(labels))
        manifest = read_manifest(run)
    name = str(labels or sources[0])
    true = {tag: _codes(tagged, tag, name) for tag in TAGS}
    if not any((codes != MISSING).any() for codes in true.values()):
        raise InputError(
            f"no labels: expected a column for at least one of {', '.join(TAGS)}; "
            "labels that stand apart are given with --labels",
            file=name,
        )
    probabilities = {tag: _matrix(tagged[f"{tag}_probabilities"], tag) for tag in TAGS}
    return {
        "model": "" if manifest is None else manifest.identity.model["name"],
        "rows": _rows(summary),
        "tags": measure(probabilities, true),
        "languages": _by_language(probabilities, true),
    }


def _rows(summary: RunSummary) -> dict[str, int]:
    return {"in": summary.rows, "tagged": summary.tagged, "rejected": summary.rejected}


def _read(run: Path, labels: Path | None) -> pa.Table:
    """Give the tagged posts, with their true labels in columns named `input_TAG`."""
    posts = duckdb.read_parquet(str(run / "part-*.parquet"))
    if labels is None:
        return posts.to_arrow_table()
    if not labels.is_file():
        raise InputError("no such file", file=labels)
    try:
        if labels.suffix == ".csv":
            # Left to itself, DuckDB would take yes and no for truth values.
            apart = duckdb.read_csv(str(labels), all_varchar=True)
        elif labels.suffix == ".parquet":
            apart = duckdb.read_parquet(str(labels))
        else:
            apart = duckdb.read_json(str(labels))
    except duckdb.Error as error:
        raise InputError(f"cannot be read as labels ({error})", file=labels) from error
    if "id" not in apart.columns:
        raise InputError("no column 'id' that says which post a label is of", file=labels)
    given = [tag for tag in TAGS if tag in apart.columns]
    known = ", ".join(f"CAST(labels.{tag} AS VARCHAR) AS input_{tag}" for tag in given)
    own = [name for name in posts.columns if name not in {f"input_{tag}" for tag in given}]
    kept = ", ".join(f'posts."{name}"' for name in own)
    joined = duckdb.sql(
        f"SELECT {kept}{', ' if known else ''}{known} FROM posts "  # noqa: S608 - our own names
        "JOIN apart AS labels ON posts.id = CAST(labels.id AS VARCHAR)"
    )
    assert joined is not None  # noqa: S101 - a query always gives a relation
    return joined.to_arrow_table()


def _codes(tagged: pa.Table, tag: str, file: str) -> Labels:
    column = f"input_{tag}"
    if column not in tagged.column_names:
        return np.full(tagged.num_rows, MISSING, np.int8)
    codes = {label: code for code, label in enumerate(LABELS[tag])}
    names = tagged[column].to_pylist()
    for row, name in enumerate(names):
        if name not in codes and name not in (None, ""):
            raise InputError(
                f"unknown label {name!r} of post {tagged['id'][row].as_py()!r}; "
                f"expected one of {', '.join(codes)}",
                file=file,
                column=tag,
            )
    return np.array([codes.get(name, MISSING) for name in names], np.int8)


def _matrix(column: pa.ChunkedArray, tag: str) -> NDArray[np.float32]:
    flat = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return np.asarray(flat, np.float32).reshape(-1, len(LABELS[tag]))


def _by_language(
    probabilities: Mapping[str, NDArray[np.float32]], true: Mapping[str, Labels]
) -> dict[str, dict[str, Any]]:
    tagged = np.argmax(probabilities["language"], axis=1)
    spoken = np.where(true["language"] == MISSING, tagged, true["language"])
    measured = {}
    for language in ("fr", "en"):
        rows = spoken == LABELS["language"].index(language)
        if rows.any():
            measured[language] = measure(
                {tag: table[rows] for tag, table in probabilities.items()},
                {tag: codes[rows] for tag, codes in true.items()},
            )
    return measured
