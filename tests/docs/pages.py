"""Runs a page from its first block to its last, and tells or mends where it says what is not so."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.docs import reader
from tests.docs.blocks import blocks_of, matches, renewed
from tests.docs.reader import ROOT, Reader

#: Pages that are read within a clone, from before anything is installed.
IN_A_CLONE = ("README.md",)
#: Pages that start Spark, which needs Java.
ON_SPARK = ("docs/how-to/spark.md",)
#: What the other pages use of a clone.
_LENT = ("data/sample", "examples")
#: What the README calls the reader's own files.
_GIVEN = Path(__file__).parent / "given"


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where a page says something else than what came out.

    Attributes:
        line: of the page.
        shown: what the page says.
        written: what came out.
    """

    line: int
    shown: str
    written: str


class Pages:
    """Runs pages; makes what they need once.

    Args:
        folder: an empty one, for everything that is made.
        environment: a virtual environment that has murmure; one is made where it is not given.
    """

    def __init__(self, folder: Path, *, environment: Path | None = None) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._installed = environment

    def run(self, page: Path) -> list[Difference]:
        """Run a page; gives where it differs.

        Raises:
            AssertionError: if a command fails, with what it wrote.
            ValueError: if a block is of a kind that cannot be run or compared.
        """
        blocks = list(blocks_of(page))
        if not blocks:
            return []
        one = self._reader(page)
        found: list[Difference] = []
        written = ""
        for block in blocks:
            try:
                if block.kind == "file":
                    one.write(block)
                elif block.kind == "sh":
                    written = one.shell(block)
                elif block.kind == "python":
                    written, said = one.python(block)
                    if said != block.content:
                        found.append(Difference(block.line, block.content, said))
                elif not matches(block.content, written):
                    found.append(Difference(block.line, block.content, written))
            except Exception as error:
                error.add_note(f"{page}, line {block.line}")
                raise
        return found

    def update(self, page: Path) -> list[Difference]:
        """Run a page and write into it what came out; gives what was changed."""
        found = self.run(page)
        lines = page.read_text("utf-8").splitlines(keepends=True)
        blocks = {block.line: block for block in blocks_of(page)}
        for one in reversed(found):
            block = blocks[one.line]
            content = one.written if block.kind == "python" else renewed(one.shown, one.written)
            lines[block.line : block.end - 1] = [_indented(content, lines[block.line - 1])]
        page.write_text("".join(lines), "utf-8")
        return found

    def _reader(self, page: Path) -> Reader:
        name = page.relative_to(ROOT).as_posix()
        folder = self._folder / name.replace("/", "-").removesuffix(".md")
        if name in IN_A_CLONE:
            reader.clone(folder)
            shutil.copytree(_GIVEN, folder, dirs_exist_ok=True)
            return Reader(folder, reader.environment(folder / ".venv"))
        folder.mkdir()
        for part in _LENT:
            if (ROOT / part).is_dir():
                shutil.copytree(ROOT / part, folder / part)
        return Reader(folder, self._environment())

    def _environment(self) -> Path:
        if self._installed is None:
            self._installed = reader.environment(self._folder / "environment")
            reader.install(self._installed, reader.clone(self._folder / "clone"))
        return self._installed


def _indented(content: str, fence: str) -> str:
    indent = fence[: len(fence) - len(fence.lstrip())]
    return "".join(f"{indent}{line}" if line.strip() else line for line in content.splitlines(True))
