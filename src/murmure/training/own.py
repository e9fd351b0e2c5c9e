"""A user's own corpus: a file of labelled posts, checked row by row and split for training."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murmure.errors import ConfigurationError, InputError
from murmure.schema import LABELS, TAGS
from murmure.training.corpora import (
    Corpora,
    join_corpora,
    to_corpora,
)
from murmure.training.files import Rows, read_rows
from murmure.training.keys import key_of
from murmure.training.labels import MISSING, nearest

_log = logging.getLogger(__name__)

#: A label with fewer examples than this is warned about.
FEW = 20

_SPLITS = ("train", "validation")
_NONE = "none"
# Splits that are tried until every label stands on both sides.
_ATTEMPTS = 20
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class OwnPosts:
    """The posts of a user's files, and where each stands.

    Attributes:
        posts: with labels; `validation` as the files tell it, or else False.
        files: the file of each post.
        lines: the line of each post in its file.
        split: whether the files tell which posts are for validation.
    """

    posts: Corpora
    files: tuple[str, ...]
    lines: tuple[int, ...]
    split: bool

    def place(self, row: int) -> str:
        """Name a post by file and line."""
        return f"{self.files[row]}, line {self.lines[row]}"


def own_corpus(
    files: Sequence[str | Path],
    *,
    validation_share: float = 0.15,
    seed: int = 0,
    encoding: str = "utf-8",
) -> Corpora:
    """Read files of labelled posts that a model is to be trained on further.

    A file has a column `text` and one or more of the five tags. It may have `key` (the same for
    copies of a post; else `keys.key_of` tells), `split` (`train` or `validation`; else it is
    drawn), `weak` and `origin`; other columns are passed over. An empty cell is no label.

    Whatever is doubtful but can be trained on is logged as a warning; `examine` gives the same.

    Args:
        files: CSV, TSV, JSON lines or Parquet.
        validation_share: of the keys, for measuring; 0 leaves all for training. Copies of a post
            are never on both sides, and every label that can be is on both.
        seed: of the draw.
        encoding: of text files.

    Returns:
        The posts; `validation` tells the two sides apart.

    Raises:
        InputError: if a file cannot be read or holds no post; a text is missing or empty; a label
            is unknown; `touchpoint` is `none` where `experience` is not, or the reverse; no tag
            has a label; a tag has one label only, or one that a single post carries.
        ConfigurationError: if the share is none.
    """
    if not 0 <= validation_share < 1:
        raise ConfigurationError(
            "corpora.validation_share",
            given=validation_share,
            expected="a number from 0 to below 1",
        )
    read = read_own(files, encoding=encoding)
    if not read.split and validation_share:
        _refuse_lone(read)
        chosen = split_by_key(read.posts, share=validation_share, seed=seed)
        read = replace(read, posts=replace(read.posts, validation=chosen))
    for finding in examine(read):
        _log.warning("%s", finding)
    return read.posts


def read_own(files: Sequence[str | Path], *, encoding: str = "utf-8") -> OwnPosts:
    """Read and check files, as `own_corpus` does, without drawing a split.

    Raises:
        InputError: as `own_corpus`, but for what a split needs.
    """
    if not files:
        raise InputError("no file of posts was given")
    parts: list[Corpora] = []
    names: list[str] = []
    lines: list[int] = []
    told: dict[str, bool] = {}
    for file in files:
        before = len(names)
        for rows in read_rows(file, encoding=encoding):
            told[rows.name] = "split" in rows.found
            parts.append(_check_rows(rows, _name_of(Path(file))))
            names += [rows.name] * len(rows)
            lines += rows.lines
        if len(names) == before:
            raise InputError("holds no posts", file=file)
    read = OwnPosts(join_corpora(parts), tuple(names), tuple(lines), all(told.values()))
    if any(told.values()) and not read.split:
        missing = next(name for name, has in told.items() if not has)
        raise InputError("no column 'split', which the other files have", file=missing)
    _check_labels(read)
    if read.split:
        _check_split(read)
    return read


def _name_of(file: Path) -> str:
    return file.name.partition(".")[0] or file.name


def _check_rows(rows: Rows, name: str) -> Corpora:
    if not any(tag in rows.found for tag in TAGS):
        likely = {column: nearest(column, TAGS) for column in rows.found}
        hints = [f"rename {column!r} to {tag!r}" for column, tag in likely.items() if tag]
        message = f"no column of labels; expected at least one of {', '.join(TAGS)}"
        raise InputError("; ".join([message, *hints[:1]]), file=rows.name)
    for line, text in zip(rows.lines, rows.columns["text"], strict=True):
        if not isinstance(text, str) or not text.strip():
            shown = "nothing" if text is None or text != text else repr(text)  # noqa: PLR0124
            message = f"expected a text, but found {shown}; fill it or drop the row"
            raise InputError(message, file=rows.name, line=line, column="text")
    posts = to_corpora(rows, name=name, validation=False)
    _check_touchpoints(rows, posts)
    given = rows.columns.get("key", [None] * len(rows))
    texts = rows.columns["text"]
    keys = [str(key) if key else key_of(text) for key, text in zip(given, texts, strict=True)]
    return replace(posts, key=np.array(keys, str), validation=_validation(rows))


def _check_touchpoints(rows: Rows, posts: Corpora) -> None:
    """Refuse a touchpoint without an experience, and an experience without one."""
    experience, touchpoint = posts.labels["experience"], posts.labels["touchpoint"]
    without = experience == LABELS["experience"].index(_NONE)
    nowhere = touchpoint == LABELS["touchpoint"].index(_NONE)
    wrong = (experience != MISSING) & (touchpoint != MISSING) & (without != nowhere)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise InputError(
            f"touchpoint {LABELS['touchpoint'][touchpoint[row]]!r} with experience "
            f"{LABELS['experience'][experience[row]]!r}; "
            "the one is none exactly where the other is",
            file=rows.name,
            line=rows.lines[row],
            column="touchpoint",
        )


def _validation(rows: Rows) -> NDArray[np.bool_]:
    values = rows.columns.get("split", ["train"] * len(rows))
    for line, value in zip(rows.lines, values, strict=True):
        if value not in _SPLITS:
            near = nearest(str(value), _SPLITS)
            hint = f"; did you mean {near!r}?" if near else ""
            message = f"expected one of {', '.join(_SPLITS)}, but found {value!r}{hint}"
            raise InputError(message, file=rows.name, line=line, column="split")
    return np.array([value == "validation" for value in values], bool)


def _check_labels(read: OwnPosts) -> None:
    names = ", ".join(dict.fromkeys(read.files))
    labelled = {tag: codes[codes != MISSING] for tag, codes in read.posts.labels.items()}
    if not any(map(len, labelled.values())):
        raise InputError("no post has a label", file=names)
    for tag, codes in labelled.items():
        if len(codes) and len(np.unique(codes)) == 1:
            only = LABELS[tag][codes[0]]
            message = f"{only!r} is the only label; give posts with another, or drop the column"
            raise InputError(message, file=names, column=tag)


def _check_split(read: OwnPosts) -> None:
    names = ", ".join(dict.fromkeys(read.files))
    for split, rows in zip(_SPLITS, (~read.posts.validation, read.posts.validation), strict=True):
        if not any((codes[rows] != MISSING).any() for codes in read.posts.labels.values()):
            message = f"no labelled post is of {split!r}; mark some, or drop the column"
            raise InputError(message, file=names, column="split")


def _refuse_lone(read: OwnPosts) -> None:
    """Refuse a label that cannot be both trained and measured on."""
    for tag, label, rows in _by_label(read.posts):
        if len(np.unique(read.posts.key[rows])) == 1:
            row = int(rows[0])
            posts = "this post and its copies" if len(rows) > 1 else "this post"
            message = (
                f"{label!r} is the label of {posts} alone, which cannot be both trained and "
                "measured on; add posts like it, empty the cell, or give --validation-share 0"
            )
            raise InputError(message, file=read.files[row], line=read.lines[row], column=tag)


def _by_label(posts: Corpora) -> Iterator[tuple[str, str, NDArray[np.intp]]]:
    """Give tag, label and rows of every label that some post has."""
    for tag in TAGS:
        for code, label in enumerate(LABELS[tag]):
            rows = np.flatnonzero(posts.labels[tag] == code)
            if len(rows):
                yield tag, label, rows


def split_by_key(posts: Corpora, *, share: float, seed: int) -> NDArray[np.bool_]:
    """Draw posts for validation, so that labels stand on both sides and copies on one.

    Rare labels are dealt out first. Of a few draws, the first that puts every label on both
    sides is taken, or else the one that misses fewest.

    Args:
        posts: with their labels and keys.
        share: of each label's keys that goes to validation, at least one where it has two.
        seed: of the draw.

    Returns:
        A truth value for each post; False for posts without a label.
    """
    keys, place = np.unique(posts.key, return_inverse=True)
    groups = [np.unique(place[rows]) for _, _, rows in _by_label(posts)]
    groups.sort(key=len)
    best, fewest = np.zeros(len(keys), bool), len(groups) * 2 + 1
    for attempt in range(_ATTEMPTS):
        chosen = _deal(groups, len(keys), share, np.random.default_rng([seed, attempt]))
        missing = sum(bool(chosen[group].all() or not chosen[group].any()) for group in groups)
        if missing < fewest:
            best, fewest = chosen, missing
        if not missing:
            break
    return np.asarray(best[place], np.bool_)


def _deal(
    groups: Sequence[NDArray[np.intp]], keys: int, share: float, random: np.random.Generator
) -> NDArray[np.bool_]:
    chosen, decided = np.zeros(keys, bool), np.zeros(keys, bool)
    for group in groups:
        wanted = min(max(1, round(share * len(group))), len(group) - 1) - chosen[group].sum()
        free = random.permutation(group[~decided[group]])
        chosen[free[: max(0, wanted)]] = True
        decided[group] = True
    return chosen


def examine(read: OwnPosts) -> list[str]:
    """Tell what is doubtful about posts that can be trained on all the same.

    Returns:
        A sentence for each finding: copies of a post on both sides of the split, copies that are
        labelled differently, labels with fewer than `FEW` posts, labels without any, labels on
        one side only, and texts that look like missing values.
    """
    copies = _copies(read.posts)
    return [
        *_straddling(read, copies),
        *_conflicts(read, copies),
        *_rare(read.posts),
        *_one_sided(read.posts),
        *_missing_values(read),
    ]


def _copies(posts: Corpora) -> Mapping[str, list[int]]:
    rows: dict[str, list[int]] = defaultdict(list)
    for row, key in enumerate(posts.key.tolist()):
        rows[key].append(row)
    return {key: found for key, found in rows.items() if len(found) > 1}


def _straddling(read: OwnPosts, copies: Mapping[str, list[int]]) -> Iterator[str]:
    sides = read.posts.validation
    both = [rows for rows in copies.values() if len({bool(sides[row]) for row in rows}) > 1]
    if both:
        yield (
            f"{len(both)} posts stand in both train and validation, so that figures flatter the "
            f"model: {_shown(read, both)}"
        )


def _conflicts(read: OwnPosts, copies: Mapping[str, list[int]]) -> Iterator[str]:
    for tag in TAGS:
        codes = read.posts.labels[tag]
        differing = [
            rows for rows in copies.values() if len({codes[row] for row in rows} - {MISSING}) > 1
        ]
        if differing:
            yield (
                f"{tag}: {len(differing)} posts have copies with another label: "
                f"{_shown(read, differing)}"
            )


def _shown(read: OwnPosts, groups: Sequence[Sequence[int]]) -> str:
    pairs = [" and ".join(read.place(row) for row in rows[:2]) for rows in groups[:_SHOWN]]
    return "; ".join(pairs) + ("; …" if len(groups) > _SHOWN else "")


def _counts(posts: Corpora, tag: str) -> dict[str, int]:
    codes = posts.labels[tag]
    counts = np.bincount(codes[codes != MISSING], minlength=len(LABELS[tag])).tolist()
    return dict(zip(LABELS[tag], counts, strict=True))


def _rare(posts: Corpora) -> Iterator[str]:
    for tag in TAGS:
        counts = _counts(posts, tag)
        if not any(counts.values()):
            continue
        few = [f"{label} ({count})" for label, count in counts.items() if 0 < count < FEW]
        none = [label for label, count in counts.items() if not count]
        if few:
            yield f"{tag}: fewer than {FEW} posts of {', '.join(few)}; expect little of them"
        if none:
            yield f"{tag}: no post of {', '.join(none)}; the model may forget what it knew of them"


def _one_sided(posts: Corpora) -> Iterator[str]:
    if not posts.validation.any():
        return
    for tag, label, rows in _by_label(posts):
        sides = set(posts.validation[rows].tolist())
        if len(sides) == 1:
            yield f"{tag}: {label} stands in {_SPLITS[sides.pop()]} alone"


def _missing_values(read: OwnPosts) -> Iterator[str]:
    rows = [row for row, text in enumerate(read.posts.texts) if text.strip() in ("nan", "NaN")]
    if rows:
        places = ", ".join(read.place(row) for row in rows[:_SHOWN])
        yield f"{len(rows)} texts are 'nan', as pandas writes a missing value: {places}"


def describe(posts: Corpora) -> dict[str, Any]:
    """Count the posts of each label, for training and for validation.

    Returns:
        Per tag that has labels, per split, the number of posts a label.
    """
    sides = {"train": posts.take(~posts.validation), "validation": posts.take(posts.validation)}
    return {
        tag: {side: _counts(some, tag) for side, some in sides.items()}
        for tag in TAGS
        if (posts.labels[tag] != MISSING).any()
    }
