"""Writing that survives a power cut: whole files appear under their names, or nothing does."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from murmure.errors import RunError

LOCK_NAME = ".lock"
TEMPORARY_SUFFIX = ".tmp"


def temporary(path: Path) -> Path:
    """Where a file is written before it gets its name: hidden, beside it."""
    return path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")


def put_in_place(written: Path, path: Path) -> None:
    """Gives a completely written file its name, such that a power cut leaves either or neither."""
    with written.open("rb") as file:
        os.fsync(file.fileno())
    written.replace(path)
    sync_folder(path.parent)


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file or replaces it, never leaving half of one."""
    written = temporary(path)
    written.write_bytes(data)
    put_in_place(written, path)


def sync_folder(folder: Path) -> None:
    """Makes sure that the names in a folder are on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps a folder for one process; the lock goes with the process, however it ends.

    Raises:
        RunError: another process has it.
    """
    path = folder / LOCK_NAME
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            message = (
                f"{folder}: another murmure run is writing here; wait for it or choose another"
            )
            raise RunError(message) from error
        # Whoever held the lock before may have removed the file that this handle stands for.
        if path.exists() and os.fstat(handle).st_ino == path.stat().st_ino:
            break
        os.close(handle)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)
