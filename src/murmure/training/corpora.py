"""Labelled posts from many corpora, in one table; a missing label is masked, never guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq
from numpy.typing import NDArray

from murmure.errors import InputError
from murmure.schema import LABELS, TAGS

#: Longer texts are cut: a linear model learns nothing more from them.
_LONGEST = 1500
MISSING = -1

Labels = NDArray[np.int8]


@dataclass(frozen=True)
class Corpora:
    """Posts with labels, row by row.

    Attributes:
        texts: as published, cut at 1,500 characters.
        corpus: which corpus a post is of.
        origin: which corpus it comes from in the first place.
        key: the same for two copies of one post.
        draw: `source`, `sought` or empty.
        validation: whether the post may be measured on but not trained on.
        labels: per tag, positions in `LABELS`; -1 where there is no label.
        weak: per tag, whether the label was derived rather than read.
    """

    texts: list[str]
    corpus: NDArray[np.str_]
    origin: NDArray[np.str_]
    key: NDArray[np.str_]
    draw: NDArray[np.str_]
    validation: NDArray[np.bool_]
    labels: Mapping[str, Labels]
    weak: Mapping[str, NDArray[np.bool_]]

    def __len__(self) -> int:
        """Return the number of posts."""
        return len(self.texts)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Corpora:
        """Choose rows, by position or mask."""
        positions = np.arange(len(self))[rows]
        return Corpora(
            texts=[self.texts[row] for row in positions],
            corpus=self.corpus[positions],
            origin=self.origin[positions],
            key=self.key[positions],
            draw=self.draw[positions],
            validation=self.validation[positions],
            labels={tag: labels[positions] for tag, labels in self.labels.items()},
            weak={tag: weak[positions] for tag, weak in self.weak.items()},
        )

    def folds(self, *, target: str, count: int, seed: int) -> NDArray[np.int64]:
        """Deal the target corpus's keys into folds; -1 for posts that share none of them."""
        keys = np.unique(self.key[self.corpus == target])
        if not len(keys):
            return np.full(len(self), -1)
        dealt = np.random.default_rng(seed).permutation(len(keys)) % count
        place = np.minimum(np.searchsorted(keys, self.key), max(len(keys) - 1, 0))
        return np.where(keys[place] == self.key, dealt[place], -1)


def read_corpora(folders: Sequence[str | Path], *, leave_out: Sequence[str] = ()) -> Corpora:
    """Read every corpus of some folders.

    Raises:
        InputError: if a folder is missing or empty, a file has no text, or a label is unknown.
    """
    tables = []
    for folder in map(Path, folders):
        files = sorted([*folder.glob("*/*.parquet"), *folder.glob("*.jsonl")])
        if not files:
            raise InputError(
                "holds no corpus (NAME/train.parquet or NAME.jsonl); "
                "name the folders with --set corpora.folders='[\"…\"]'",
                file=folder,
            )
        for file in files:
            # A lone file is named after the folder that describes it.
            name = file.parent.name
            if name not in leave_out:
                tables.append(_read_corpus(file, name))
    return _join(tables)


def _read_corpus(file: Path, name: str) -> Corpora:
    try:
        table = pa.json.read_json(file) if file.suffix == ".jsonl" else pq.read_table(file)
    except pa.ArrowInvalid as error:
        raise InputError(f"cannot be read ({error})", file=file) from error
    if "text" not in table.column_names:
        raise InputError("no column 'text'", file=file)
    columns = {column: table[column].to_pylist() for column in table.column_names}
    rows = table.num_rows
    for row, text in enumerate(columns["text"], 1):
        if not isinstance(text, str):
            raise InputError(f"expected a text, not {text!r}", file=file, line=row, column="text")
    texts = [text[:_LONGEST] for text in columns["text"]]
    weak = [frozenset(tags or ()) for tags in columns.get("weak", [()] * rows)]

    def strings(column: str, default: str = "") -> NDArray[np.str_]:
        return np.array([value or default for value in columns.get(column, [None] * rows)], str)

    return Corpora(
        texts=texts,
        corpus=np.full(rows, name),
        origin=strings("origin", name),
        key=strings("key") if "key" in columns else strings("id"),
        draw=strings("draw"),
        validation=np.full(rows, file.stem == "validation"),
        labels={tag: _codes(columns.get(tag), tag, rows, file) for tag in TAGS},
        weak={tag: np.array([tag in tags for tags in weak], bool) for tag in TAGS},
    )


def _codes(values: list[str | None] | None, tag: str, rows: int, file: Path) -> Labels:
    if values is None:
        return np.full(rows, MISSING, np.int8)
    codes = {label: code for code, label in enumerate(LABELS[tag])}
    for row, value in enumerate(values, 1):
        if value is not None and value not in codes:
            raise InputError(
                f"unknown label {value!r}; expected one of {', '.join(codes)}",
                file=file,
                line=row,
                column=tag,
            )
    return np.array([MISSING if value is None else codes[value] for value in values], np.int8)


def _join(parts: Sequence[Corpora]) -> Corpora:
    return Corpora(
        texts=[text for part in parts for text in part.texts],
        corpus=np.concatenate([part.corpus for part in parts]),
        origin=np.concatenate([part.origin for part in parts]),
        key=np.concatenate([part.key for part in parts]),
        draw=np.concatenate([part.draw for part in parts]),
        validation=np.concatenate([part.validation for part in parts]),
        labels={tag: np.concatenate([part.labels[tag] for part in parts]) for tag in TAGS},
        weak={tag: np.concatenate([part.weak[tag] for part in parts]) for tag in TAGS},
    )
