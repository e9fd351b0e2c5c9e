"""Files and data sets of labelled posts, read block by block with the line that each begins on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from murmure.batch.blocks import Block
from murmure.batch.columns import Extra, Plan
from murmure.batch.inputs import survey
from murmure.batch.lines import check_encoding
from murmure.batch.sources import Source, format_of
from murmure.errors import InputError
from murmure.schema import POST_COLUMNS, TAGS

#: What is read of a file; all other columns are passed over.
COLUMNS = ("id", "text", "key", "split", "origin", "draw", "weak", *TAGS)

#: The kinds of file that are read, as messages name them.
KINDS = ".parquet, .jsonl, .csv or .tsv (the last three also .gz or .zst)"

_BLOCK = 10_000
_SHOWN = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Some rows of one file or data set.

    Attributes:
        name: the file, or the data set's name, as messages have it.
        found: all columns that it has.
        columns: those of `COLUMNS` among them, as Python values; None where a cell is empty.
        lines: the line that each row begins on, from 1; of Parquet and data sets, the row.
    """

    name: str
    found: Sequence[str]
    columns: Mapping[str, list[Any]]
    lines: Sequence[int]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.lines)


def read_rows(file: str | Path, *, block: int = _BLOCK, encoding: str = "utf-8") -> Iterator[Rows]:
    """Yield the rows of a file, a block at a time, however large the file.

    Args:
        file: Parquet, JSON lines, CSV or TSV, by its name's ending.
        block: the most rows of a block.
        encoding: of a text file.

    Raises:
        InputError: if the file is missing, empty, damaged or of another kind, has no column
            `text`, or holds a row that cannot be read.

    Example:
        >>> next(read_rows("nowhere.csv"))
        Traceback (most recent call last):
            ...
        murmure.errors.InputError: nowhere.csv: no such file
    """
    path = Path(file)
    if not path.is_file():
        raise InputError("is a folder, not a file" if path.is_dir() else "no such file", file=path)
    kind = format_of(path)
    if kind is None:
        raise InputError(f"not a kind of file that training reads; it reads {KINDS}", file=path)
    if path.stat().st_size == 0:
        raise InputError("is empty", file=path)
    if kind[0] == "parquet":
        yield from _read_parquet(path, block)
    else:
        check_encoding(encoding)
        yield from _read_text(Source(path.name, path, *kind), block, encoding)


def _check_columns(name: str | Path, found: Sequence[str]) -> None:
    if "text" not in found:
        shown = ", ".join(map(repr, found[:_SHOWN])) + (", …" if len(found) > _SHOWN else "")
        # Spreadsheets like a capital, or a blank beside a name.
        near = next((name for name in found if name.strip().casefold() == "text"), None)
        remedy = f"rename {near!r} to 'text'" if near else "rename the one that holds the posts"
        message = f"no column 'text'; found {shown or 'none'}; {remedy}"
        raise InputError(message, file=name)


def _read_parquet(path: Path, block: int) -> Iterator[Rows]:
    try:
        with pq.ParquetFile(path) as file:
            found = file.schema_arrow.names
            _check_columns(path, found)
            wanted = [name for name in COLUMNS if name in found]
            first = 1
            for batch in file.iter_batches(block, columns=wanted, use_threads=False):
                yield Rows(
                    name=str(path),
                    found=found,
                    columns={name: batch[name].to_pylist() for name in wanted},
                    lines=range(first, first + batch.num_rows),
                )
                first += batch.num_rows
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise InputError(f"cannot be read ({reason})", file=path) from error


def _read_text(source: Source, block: int, encoding: str) -> Iterator[Rows]:
    names = {name: name for name in POST_COLUMNS}
    surveyed = survey(source, encoding=encoding, posts=names)
    found = surveyed.columns.names
    _check_columns(source.path, found)
    wanted = [name for name in COLUMNS if name in found]
    extras = [Extra(name, surveyed.columns.field(name)) for name in wanted if name not in names]
    reader = surveyed.open(Plan(names, tuple(extras)))
    try:
        while (read := reader.read(block)) is not None:
            for reject in read.rejects:
                reason = reject.reason
                if reason.startswith("text is"):
                    reason = f"expected a text, but it {reason.removeprefix('text ')}"
                    raise InputError(reason, file=source.path, line=reject.line, column="text")
                raise InputError(reason, file=source.path, line=reject.line)
            columns = {name: _values(read, name) for name in wanted}
            yield Rows(name=str(source.path), found=found, columns=columns, lines=list(read.lines))
    finally:
        reader.close()


def _values(block: Block, name: str) -> list[Any]:
    values = block.columns[name].to_pylist()
    if name in block.json_columns:
        return [None if value is None else json.loads(value) for value in values]
    # An empty cell of a table of texts is no value; an empty text is told apart later.
    return values if name == "text" else [None if value == "" else value for value in values]


def read_dataset(name: str, *, split: str, block: int = _BLOCK) -> Iterator[Rows]:
    """Yield the rows of one split of a Hugging Face data set, streamed and never stored.

    Args:
        name: a hub id such as `owner/name`, or a local folder laid out as a data set; with
            `:configuration` after it where it has several.
        split: such as `train`.
        block: the most rows of a block.

    Raises:
        InputError: if it cannot be loaded, or has no column `text`.
    """
    data = _load(name, split)
    labels = {
        column: feature.names
        for column, feature in (data.features or {}).items()
        if hasattr(feature, "names")
    }
    first = 1
    blocks = iter(data.iter(batch_size=block))
    while True:
        try:
            batch = next(blocks, None)
        except Exception as error:  # datasets raises what its many readers raise
            raise _not_loaded(name, error) from error
        if batch is None:
            return
        found = list(batch)
        _check_columns(name, found)
        columns = {
            column: _named(batch[column], labels.get(column))
            for column in COLUMNS
            if column in found
        }
        rows = len(batch["text"])
        yield Rows(
            name=f"{name} ({split})",
            found=found,
            columns=columns,
            lines=range(first, first + rows),
        )
        first += rows


def dataset_splits(name: str) -> list[str]:
    """Give the names of a data set's splits.

    Raises:
        InputError: if it cannot be loaded.
    """
    import datasets

    path, _, configuration = name.partition(":")
    try:
        return [str(one) for one in datasets.get_dataset_split_names(path, configuration or None)]
    except Exception as error:  # datasets raises what its many readers raise
        raise _not_loaded(name, error) from error


def _load(name: str, split: str) -> Any:  # noqa: ANN401 - datasets is not typed
    import datasets

    path, _, configuration = name.partition(":")
    try:
        return datasets.load_dataset(path, configuration or None, split=split, streaming=True)
    except Exception as error:  # datasets raises what its many readers raise
        raise _not_loaded(name, error) from error


def _not_loaded(name: str, error: Exception) -> InputError:
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return InputError(f"cannot be loaded as a data set ({reason})", file=name)


def _named(values: list[Any], names: Sequence[str] | None) -> list[Any]:
    """Put names in the place of a data set's numbered labels."""
    if names is not None:
        # A data set writes -1 for a row without a label.
        return [names[value] if isinstance(value, int) and value >= 0 else None for value in values]
    return values
