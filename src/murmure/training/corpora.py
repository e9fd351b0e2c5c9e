"""Labelled posts from many corpora, in one table; a missing label is masked, never guessed."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from murmure.batch.sources import format_of
from murmure.errors import InputError
from murmure.schema import TAGS
from murmure.training import files, licences
from murmure.training.files import Rows
from murmure.training.labels import Labels, label_codes, weak_tags

_log = logging.getLogger(__name__)

#: Longer texts are cut: no model here learns more from them.
_LONGEST = 1500
#: The most posts of one split of a corpus that are held in memory, unless told otherwise.
MOST_POSTS = 1_000_000

_VALIDATION = "validation"
_SUFFIXES = (".parquet", ".jsonl", ".jsonl.gz", ".jsonl.zst", ".csv", ".csv.gz", ".tsv", ".tsv.gz")


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


def read_corpora(
    folders: Sequence[str | Path],
    *,
    datasets: Sequence[str] = (),
    leave_out: Sequence[str] = (),
    accepted: Sequence[str] = licences.ACCEPTED,
    most_posts: int = MOST_POSTS,
    seed: int = 0,
) -> Corpora:
    """Read every corpus of some folders, and some data sets of Hugging Face's hub.

    A corpus larger than `most_posts` is read to its end block by block, and a random sample of
    that many posts is held, in their order; the same sample for the same seed.

    Args:
        folders: each holds NAME/train.parquet and perhaps NAME/validation.parquet (or .jsonl,
            .csv, .tsv, also compressed), or a file NAME.jsonl that is called after the folder.
        datasets: hub ids such as `owner/name`, or local folders laid out as data sets; `train` and
            `validation` are read of them.
        leave_out: names of corpora that are not read.
        accepted: classes of licences; a corpus of another class is not read. See `licences`.
        most_posts: of one split of a corpus.
        seed: of the sample.

    Raises:
        InputError: if a folder is missing or empty, a file has no text, or a label is unknown.
        ConfigurationError: if a class of licences is unknown.
    """
    names = corpus_names(folders, datasets=datasets)
    dropped = {*leave_out, *refused_corpora(folders, datasets=datasets, accepted=accepted)}
    if dropped & set(names):
        _log.info("left out: %s", ", ".join(sorted(dropped & set(names))))
    parts = []
    for name, validation, readers in [*_in_folders(folders), *_in_datasets(datasets, dropped)]:
        if name not in dropped:
            blocks = (block for read in readers for block in read())
            random = np.random.default_rng([seed, zlib.crc32(f"{name} {validation}".encode())])
            parts.append(_sample(blocks, most_posts, random, name=name))
    joined = join_corpora(parts)
    if not len(joined):
        raise InputError("hold no posts", file=", ".join(map(str, [*folders, *datasets])))
    return joined


def corpus_names(folders: Sequence[str | Path], *, datasets: Sequence[str] = ()) -> list[str]:
    """Name the corpora of some folders and data sets.

    Raises:
        InputError: if a folder is missing or empty.
    """
    named = [name for name, _, _ in _in_folders(folders)]
    return sorted({*named, *map(_dataset_name, datasets)})


def refused_corpora(
    folders: Sequence[str | Path],
    *,
    datasets: Sequence[str] = (),
    accepted: Sequence[str] = licences.ACCEPTED,
) -> list[str]:
    """Name the corpora that are not read, because their cards tell a licence not accepted.

    Raises:
        InputError: if a folder is missing or empty, or a card cannot be read.
        ConfigurationError: if a class of licences is unknown.
    """
    cards = licences.read_cards(folders)
    return licences.refused(corpus_names(folders, datasets=datasets), cards, accepted=accepted)


def stream_corpus(
    source: str | Path,
    *,
    name: str | None = None,
    split: str = "train",
    block: int = 10_000,
    encoding: str = "utf-8",
) -> Iterator[Corpora]:
    """Yield the posts of one corpus block by block, however large it is.

    Args:
        source: a file; or else a data set, by its hub id or folder.
        name: of the corpus; the file's folder or the data set's own name where it is None.
        split: which split of a data set; `validation` marks the posts of a file, too.
        block: the most posts of a block.
        encoding: of a text file.

    Raises:
        InputError: if it cannot be read, a post has no text, or a label is unknown.
    """
    path = Path(source)
    if path.is_file() or format_of(path):
        rows = files.read_rows(path, block=block, encoding=encoding)
        name = name or path.parent.name
    else:
        rows = files.read_dataset(str(source), split=split, block=block)
        name = name or _dataset_name(str(source))
    for some in rows:
        yield to_corpora(some, name=name, validation=split == _VALIDATION)


Part = tuple[str, bool, Sequence[Callable[[], Iterator[Corpora]]]]


def _in_folders(folders: Sequence[str | Path]) -> list[Part]:
    """Give the splits of all corpora: name, whether it is for validation, and how to read it."""
    parts: list[Part] = []
    for folder in map(Path, folders):
        found = {*folder.glob("*/*.parquet"), *folder.glob("*.jsonl")}
        for split in ("train", _VALIDATION):
            for suffix in _SUFFIXES:
                found |= {*folder.glob(f"*/{split}*{suffix}")}
        if not found:
            raise InputError(
                "holds no corpus (NAME/train.parquet or NAME.jsonl); "
                "name the folders with --set corpora.folders='[\"…\"]'",
                file=folder,
            )
        for (name, validation), same in groupby(sorted(found), _split_of):
            split = _VALIDATION if validation else "train"
            readers = [partial(stream_corpus, file, name=name, split=split) for file in same]
            parts.append((name, validation, readers))
    return parts


def _split_of(file: Path) -> tuple[str, bool]:
    # A lone file is named after the folder that describes it.
    return file.parent.name, file.name.partition(".")[0].partition("-")[0] == _VALIDATION


def _in_datasets(names: Sequence[str], dropped: Iterable[str]) -> list[Part]:
    parts: list[Part] = []
    for given in names:
        if _dataset_name(given) in dropped:
            continue
        splits = [one for one in ("train", _VALIDATION) if one in files.dataset_splits(given)]
        if not splits:
            raise InputError("has neither a split 'train' nor 'validation'", file=given)
        for split in splits:
            readers = [partial(stream_corpus, given, split=split)]
            parts.append((_dataset_name(given), split == _VALIDATION, readers))
    return parts


def _dataset_name(given: str) -> str:
    return Path(given.partition(":")[0]).name


def _sample(
    blocks: Iterator[Corpora], most: int, random: np.random.Generator, *, name: str
) -> Corpora:
    """Draw at most so many posts, in their order, holding no more than twice as many."""
    held: list[Corpora] = []
    drawn: list[NDArray[np.float64]] = []
    total = 0
    for block in blocks:
        total += len(block)
        held.append(block)
        # The posts with the least numbers stay; how the posts came in blocks changes nothing.
        drawn.append(random.random(len(block)))
        if sum(map(len, held)) > 2 * most:
            held, drawn = _least(held, drawn, most)
    if total > most:
        held, drawn = _least(held, drawn, most)
        _log.warning(
            "%s: %d of %d posts drawn at random; corpora.most_posts holds more", name, most, total
        )
    return join_corpora(held)


def _least(
    held: list[Corpora], drawn: list[NDArray[np.float64]], most: int
) -> tuple[list[Corpora], list[NDArray[np.float64]]]:
    joined, numbers = join_corpora(held), np.concatenate(drawn)
    rows = np.sort(np.argsort(numbers, kind="stable")[:most])
    return [joined.take(rows)], [numbers[rows]]


def to_corpora(rows: Rows, *, name: str, validation: bool) -> Corpora:
    """Make posts of the rows of a file.

    Raises:
        InputError: if a row has no text, or a label is unknown.
    """
    count, columns = len(rows), rows.columns
    for line, text in zip(rows.lines, columns["text"], strict=True):
        if not isinstance(text, str):
            message = f"expected a text, not {text!r}"
            raise InputError(message, file=rows.name, line=line, column="text")
    weak = weak_tags(rows)

    def strings(column: str, default: str = "") -> NDArray[np.str_]:
        values = columns.get(column, [None] * count)
        return np.array(
            [default if value is None else str(value) or default for value in values], str
        )

    return Corpora(
        texts=[text[:_LONGEST] for text in columns["text"]],
        corpus=np.full(count, name),
        origin=strings("origin", name),
        key=strings("key") if "key" in columns else strings("id"),
        draw=strings("draw"),
        validation=np.full(count, validation),
        labels={tag: label_codes(rows, tag) for tag in TAGS},
        weak={tag: np.array([tag in tags for tags in weak], bool) for tag in TAGS},
    )


def join_corpora(parts: Sequence[Corpora]) -> Corpora:
    """Put corpora one after the other."""
    none = np.array([], str)
    return Corpora(
        texts=[text for part in parts for text in part.texts],
        corpus=np.concatenate([none, *[part.corpus for part in parts]]),
        origin=np.concatenate([none, *[part.origin for part in parts]]),
        key=np.concatenate([none, *[part.key for part in parts]]),
        draw=np.concatenate([none, *[part.draw for part in parts]]),
        validation=np.concatenate([np.array([], bool), *[part.validation for part in parts]]),
        labels={
            tag: np.concatenate([np.array([], np.int8), *[part.labels[tag] for part in parts]])
            for tag in TAGS
        },
        weak={
            tag: np.concatenate([np.array([], bool), *[part.weak[tag] for part in parts]])
            for tag in TAGS
        },
    )
