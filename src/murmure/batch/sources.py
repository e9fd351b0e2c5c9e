"""Which files a run reads: paths, folders and globs turned into an ordered list of sources."""

from __future__ import annotations

import glob
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from murmure.errors import InputError

#: What stands for standard input among the sources, and for standard output as OUT.
STANDARD = "-"

Format = Literal["jsonl", "csv", "tsv", "parquet"]
Compression = Literal["gzip", "zstd"]


class EmptyFileError(InputError):
    """A file without anything in it: alone no table of posts, among others one without rows."""


_FORMATS: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_COMPRESSIONS: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}


@dataclass(frozen=True, slots=True)
class Source:
    """One file of posts.

    Attributes:
        label: its name in manifests, rejects and made ids: the file's name, or its path below
            the folder that was given, so that a run means the same from any working directory.
        path: where it is.
        format: how its rows are written.
        compression: how the whole file is compressed, if it is.
    """

    label: str
    path: Path
    format: Format
    compression: Compression | None = None

    @property
    def shown(self) -> str:
        """Its name in messages."""
        return "standard input" if self.label == STANDARD else str(self.path)


def format_of(path: Path) -> tuple[Format, Compression | None] | None:
    """The format and compression that a file's name tells; None where it tells nothing known.

    Example:
        >>> format_of(Path("posts.jsonl.gz"))
        ('jsonl', 'gzip')
        >>> format_of(Path("posts.docx")) is None
        True
    """
    name = path.name.lower()
    compression = _COMPRESSIONS.get(Path(name).suffix)
    if compression is not None:
        name = name.rpartition(".")[0]
    found = _FORMATS.get(Path(name).suffix)
    if found is None or (found == "parquet" and compression is not None):
        return None
    return found, compression


def expand(sources: Sequence[str | Path], *, leave_out: Path | None = None) -> list[Source]:
    """Finds the files that paths, folders and globs stand for, in a fixed order.

    Sources keep the order given; the files of a folder or glob are sorted by path. Folders are
    searched through and through; names that begin with `.` or `_` are passed over, and of a
    tagged run's folder only the parts are taken. A file that is named twice is read once.

    Args:
        sources: paths of files and folders, and glob patterns.
        leave_out: a folder whose files are not taken (the run's own output).

    Raises:
        InputError: a path that does not exist, a folder or pattern without a readable file, or
            a file whose name tells no known format.
    """
    found: dict[Path, tuple[str, str]] = {}
    for given in sources:
        for path, label in _files(str(given)):
            if leave_out is not None and leave_out.resolve() in path.resolve().parents:
                continue
            found.setdefault(path.resolve(), (label, str(path)))
    taken = Counter(label for label, _ in found.values())
    expanded = []
    for label, shown in found.values():
        kind = format_of(Path(shown))
        if kind is None:
            raise InputError(
                "not a kind of file that murmure reads; it reads "
                ".jsonl, .ndjson, .json, .csv, .tsv (each also .gz or .zst) and .parquet",
                file=shown,
            )
        unique = label if taken[label] == 1 else Path(shown).as_posix()
        expanded.append(Source(unique, Path(shown), *kind))
    if not expanded:
        raise InputError("no file of posts found", file=", ".join(map(str, sources)))
    return expanded


def _files(given: str) -> Iterator[tuple[Path, str]]:
    """The files that one argument stands for, each with its label."""
    path = Path(given)
    if path.is_dir():
        yield from _folder(path)
    elif path.exists():
        yield path, path.name
    elif glob.has_magic(given):
        matches = sorted(Path(match) for match in glob.glob(given, recursive=True))  # noqa: PTH207 - keeps absolute patterns
        root = _fixed_part(path)
        files = [match for match in matches if match.is_file() and format_of(match)]
        if not files:
            raise InputError("no file of posts matches this pattern", file=given)
        for match in files:
            yield match, match.relative_to(root).as_posix()
    else:
        raise InputError("no such file or folder", file=given)


def _folder(folder: Path) -> Iterator[tuple[Path, str]]:
    is_run = (folder / "manifest.json").is_file() and any(folder.glob("part-*"))
    pattern = "part-*" if is_run else "**/*"
    count = 0
    for path in sorted(folder.glob(pattern)):
        relative = path.relative_to(folder)
        hidden = any(part.startswith((".", "_")) for part in relative.parts)
        if not hidden and path.is_file() and format_of(path):
            count += 1
            yield path, relative.as_posix()
    if not count:
        raise InputError("no file of posts in this folder", file=folder)


def _fixed_part(pattern: Path) -> Path:
    """The folders of a pattern that come before its first wildcard."""
    fixed = Path()
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            break
        fixed /= part
    return fixed


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", file=path) from error
