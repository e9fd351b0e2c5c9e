"""Measuring a model on labelled posts: tags them as `murmure tag` does, then compares."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from glob import escape
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
from murmure.training import slices
from murmure.training.comparing import compare
from murmure.training.labels import MISSING, Labels
from murmure.training.reliability import reliability
from murmure.training.scores import measure


def evaluate(
    sources: Sequence[str | Path],
    *,
    model: str | Path | None = None,
    beside: Sequence[str | Path] = (),
    labels: str | Path | None = None,
    columns: Mapping[str, str] | str | None = None,
) -> dict[str, Any]:
    """Measure a model, alone or beside others.

    Args:
        sources: files of posts, as `murmure tag` reads them, with a column for each labelled tag
            and, if posts are of several sources, one named `origin`.
        model: the name of a shipped model, or a folder; None for the default.
        beside: other models to measure on the same posts and to compare it with.
        labels: a CSV, JSONL or Parquet file with `id` and the tag columns, if they stand apart.
        columns: which input column is which, as in `tag_file`.

    Returns:
        `model`; `rows` (`in`, `tagged`, `rejected`); `tags`, as `scores.measure` gives them;
        `languages` with the same for posts labelled, or else tagged, French and English;
        `origins`, `worst` and `gap` as `training.slices` gives them, `reliability` as
        `reliability.reliability` does; and `beside`: per other model `tags` and `reliability`,
        and `compared`, as `comparing.compare` gives it.

    Raises:
        InputError: if no post has a label, or a label is unknown.
        ModelError: if there is no such model.
    """
    apart = None if labels is None else Path(labels)
    tagged, summary, name = _tag(sources, model=model, labels=apart, columns=columns)
    file = str(labels or sources[0])
    true = {tag: _codes(tagged, tag, file) for tag in TAGS}
    if not any((codes != MISSING).any() for codes in true.values()):
        raise InputError(
            f"no labels: expected a column for at least one of {', '.join(TAGS)}; "
            "labels that stand apart are given with --labels",
            file=file,
        )
    probabilities = _probabilities(tagged)
    spoken = slices.spoken(probabilities, true)
    origins = slices.by_slice(probabilities, true, _origins(tagged))
    languages = slices.by_slice(probabilities, true, slices.name_languages(spoken))
    result: dict[str, Any] = {
        "model": name,
        "rows": _rows(summary),
        "tags": measure(probabilities, true),
        "languages": slices.by_language(probabilities, true, spoken),
        "origins": origins,
        "worst": slices.worst({"language": languages, "origin": origins}),
        "gap": slices.gap(probabilities, true, spoken),
        "reliability": reliability(probabilities, true),
        "beside": {},
    }
    for other in beside:
        of_other = _probabilities(_tag(sources, model=other, labels=apart, columns=columns)[0])
        result["beside"][str(other)] = {
            "tags": measure(of_other, true),
            "reliability": reliability(of_other, true),
            "compared": compare(probabilities, of_other, true),
        }
    return result


def _tag(
    sources: Sequence[str | Path],
    *,
    model: str | Path | None,
    labels: Path | None,
    columns: Mapping[str, str] | str | None,
) -> tuple[pa.Table, RunSummary, str]:
    """Give the tagged posts with their true labels, what the run counted, and the model's name."""
    with tempfile.TemporaryDirectory(prefix="murmure-") as folder:
        run = Path(folder) / "run"
        summary = tag_file(list(sources), run, model=model, columns=columns)
        tagged = _read(run, labels)
        manifest = read_manifest(run)
    return tagged, summary, "" if manifest is None else manifest.identity.model["name"]


def _rows(summary: RunSummary) -> dict[str, int]:
    return {"in": summary.rows, "tagged": summary.tagged, "rejected": summary.rejected}


def _read(run: Path, labels: Path | None) -> pa.Table:
    """Give the tagged posts, with their true labels in columns named `input_TAG`."""
    posts = duckdb.read_parquet(f"{escape(str(run))}/part-*.parquet", hive_partitioning=False)
    if labels is None:
        return posts.to_arrow_table()
    if not labels.is_file():
        raise InputError("no such file", file=labels)
    try:
        if labels.suffix == ".csv":
            # Left to itself, DuckDB would take yes and no for truth values.
            apart = duckdb.read_csv(str(labels), all_varchar=True, hive_partitioning=False)
        elif labels.suffix == ".parquet":
            apart = duckdb.read_parquet(escape(str(labels)), hive_partitioning=False)
        else:
            apart = duckdb.read_json(str(labels), hive_partitioning=False)
    except duckdb.Error as error:
        raise InputError(f"cannot be read as labels ({error})", file=labels) from error
    if "id" not in apart.columns:
        raise InputError("no column 'id' that says which post a label is of", file=labels)
    given = [tag for tag in TAGS if tag in apart.columns]
    own = [name for name in posts.columns if name not in {f"input_{tag}" for tag in given}]
    kept = ", ".join([f'posts."{name}"' for name in own] + [f"labels.input_{tag}" for tag in given])
    known = "".join(f", CAST({tag} AS VARCHAR) AS input_{tag}" for tag in given)
    # In the order of the files, so that a second model's posts are in the same order.
    joined = duckdb.sql(
        f"SELECT {kept} "  # noqa: S608 - our own names
        "FROM (SELECT *, row_number() OVER () AS murmure_row FROM posts) AS posts "
        f"JOIN (SELECT CAST(id AS VARCHAR) AS id{known}, row_number() OVER () AS murmure_row "
        "FROM apart) AS labels ON posts.id = labels.id "
        "ORDER BY posts.murmure_row, labels.murmure_row"
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


def _probabilities(tagged: pa.Table) -> dict[str, NDArray[np.float32]]:
    tables = {}
    for tag in TAGS:
        column = tagged[f"{tag}_probabilities"].combine_chunks()
        flat = column.flatten().to_numpy(zero_copy_only=False)
        tables[tag] = np.asarray(flat, np.float32).reshape(-1, len(LABELS[tag]))
    return tables


def _origins(tagged: pa.Table) -> NDArray[np.str_]:
    """Give the column `origin`; '' where there is none."""
    if "origin" not in tagged.column_names:
        return np.full(tagged.num_rows, "")
    return np.array(["" if name is None else str(name) for name in tagged["origin"].to_pylist()])
