"""Runs whose machine loses power: whatever the disk holds then, the same command goes on."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from tests.batch.runs import contents, tag

#: Files of a folder with what they hold.
Disk = dict[str, bytes]

_OPTIONS = {"part_rows": 20, "chunk_rows": 7}


class Power:
    """Notes at each flush what the disk may hold if the power goes then.

    What a file holds is sure once the file was flushed, and its name once its folder was; a disk
    may have a name before it has what the file holds, or the other way round.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        before = sorted(folder.iterdir()) if folder.exists() else []
        self._flushed = {path.stat().st_ino: path.read_bytes() for path in before}
        self._names = {path.name: path.stat().st_ino for path in before}
        self.disks: list[Disk] = []

    def fsync(self, handle: int) -> None:
        """Stands in for `os.fsync`."""
        self._note()
        found = os.fstat(handle)
        there = {path.name: path.stat().st_ino for path in self._folder.iterdir()}
        if stat.S_ISDIR(found.st_mode):
            if found.st_ino == self._folder.stat().st_ino:
                self._names = there
        else:
            self._flushed[found.st_ino] = Path(f"/proc/self/fd/{handle}").read_bytes()
        self._note()

    def _note(self) -> None:
        there = {path.name: path.stat().st_ino for path in self._folder.iterdir()}
        known = {*there.values(), *self._names.values()}
        self._flushed = {node: data for node, data in self._flushed.items() if node in known}
        for names in (self._names, there):
            disk = {name: self._flushed.get(node, b"") for name, node in names.items()}
            if disk not in self.disks:
                self.disks.append(disk)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="reads open files in /proc")
@pytest.mark.parametrize("before", [False, True], ids=["new", "over another run"])
def test_power_lost_at_any_flush_leaves_a_run_that_goes_on(
    before: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts = [{"text": "x" * (number % 9), "n": number} for number in range(70)]
    lines = [json.dumps(post) if number % 5 else "broken" for number, post in enumerate(posts)]
    source = tmp_path / "a.jsonl"
    source.write_text("\n".join(lines))
    out, again = tmp_path / "out", tmp_path / "again"
    if before:
        tag(source, out, part_rows=33)
    power = Power(out)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", power.fsync)
        tag(source, out, overwrite=before, **_OPTIONS)
    whole = contents(out)
    assert len(power.disks) > 20
    for disk in power.disks:
        again.mkdir()
        for name, data in disk.items():
            (again / name).write_bytes(data)
        old = b'"part_rows": 33' in disk.get("manifest.json", b"")
        tag(source, again, overwrite=old, **_OPTIONS)
        assert contents(again) == whole
        for path in again.iterdir():
            path.unlink()
        again.rmdir()
