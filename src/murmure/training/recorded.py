"""Posts with labels that were recorded apart from them: see `training.standoff`."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from murmure.errors import InputError
from murmure.schema import TAGS
from murmure.training import standoff
from murmure.training.corpora import Corpora, join_corpora
from murmure.training.files import Rows
from murmure.training.labels import Labels, label_codes

_log = logging.getLogger(__name__)


def records_name(file: str | Path) -> str:
    """Name the corpus that a file of records makes: as the folder that it lies in.

    Example:
        >>> records_name("data/further/records.parquet")
        'further'
    """
    return Path(file).resolve().parent.name


def relabel(corpora: Corpora, files: Sequence[str | Path], *, target: str) -> Corpora:
    """Give posts the labels that files of stand-off records hold for their texts.

    Such posts leave the corpora that they stood in, with the labels they had there, for one named
    by `records_name`; their origin stays. Other copies of their texts are dropped. The target's
    posts and validation posts are left as they are. A text of more than 1,500 characters was cut,
    and finds no record.

    Args:
        corpora: the posts.
        files: of records, as `standoff.read_records` takes them; of two records of one text the
            last counts.
        target: the corpus that is measured on.

    Raises:
        InputError: if a file is missing, damaged, holds an unknown label, or lies in a folder that
            is named as a corpus.
    """
    tables = [standoff.read_records(file) for file in files]
    named = {records_name(file): file for file in files}
    for name in sorted(named.keys() & set(corpora.corpus.tolist())):
        message = f"lies in a folder that is named as the corpus {name!r}; rename the folder"
        raise InputError(message, file=named[name])
    records = pa.concat_tables(tables)
    rows_of = standoff.rows_by_hash(records)
    found: dict[int, int] = {}
    copies: list[int] = []
    for post in np.flatnonzero(~corpora.validation & (corpora.corpus != target)).tolist():
        row = rows_of.get(standoff.text_hash(corpora.texts[post]))
        if row is not None and found.setdefault(row, post) != post:
            copies.append(post)
    if len(found) < len(rows_of):
        missing = len(rows_of) - len(found)
        _log.warning("%d of %d records found no text", missing, len(rows_of))
    rows, posts = np.array([*found.items()], np.intp).reshape(-1, 2).T
    codes = [_codes(file, table) for file, table in zip(files, tables, strict=True)]
    names = [[records_name(file)] * len(table) for file, table in zip(files, tables, strict=True)]
    relabelled = replace(
        corpora.take(posts),
        corpus=np.concatenate(names)[rows],
        draw=np.array(records["draw"].to_pylist(), str)[rows],
        labels={tag: np.concatenate([one[tag] for one in codes])[rows] for tag in TAGS},
        weak={tag: np.zeros(len(posts), np.bool_) for tag in TAGS},
    )
    others = np.setdiff1d(np.arange(len(corpora)), [*posts, *copies])
    return join_corpora([corpora.take(others), relabelled])


def _codes(file: str | Path, records: pa.Table) -> dict[str, Labels]:
    rows = Rows(
        name=str(file),
        found=list(TAGS),
        columns={tag: records[tag].to_pylist() for tag in TAGS},
        lines=range(1, len(records) + 1),
    )
    return {tag: label_codes(rows, tag) for tag in TAGS}
