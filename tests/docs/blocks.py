"""The code blocks of a Markdown page: what kind each is, and where it stands.

A page may hold these blocks and no others, so that none stands there that nothing runs:

- ```` ```sh ````: commands, run by bash; the first that fails ends the block and the test.
- ```` ```python ````: run too, all blocks of a page in one namespace. A comment at the end of an
  expression, as in `2 + 2  # 4`, is what it gives (its `repr`).
- ```` ```text ```` after a block that runs: what that block writes, standard error included.
- ```` ```csv title="posts.csv" ````, of any language, with a title: a file of the reader's, written
  to the page's folder.

In what is written `...` stands for anything on its line, and a line of its own for any lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from markdown_it import MarkdownIt

Kind = Literal["sh", "python", "text", "file"]

_TITLE = re.compile(r'title="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        kind: what is done with it.
        content: what stands between the fences, without indentation.
        line: the line of its opening fence, from 1.
        end: the line of its closing fence.
        title: the name of the file, for kind `file`.
    """

    kind: Kind
    content: str
    line: int
    end: int
    title: str = ""


def blocks_of(page: Path) -> Iterator[Block]:
    """Give the blocks of a page in order.

    Raises:
        ValueError: at a block that would neither be run nor compared; tells page and line.
    """
    before: Kind | None = None
    for token in MarkdownIt().parse(page.read_text("utf-8")):
        if token.type not in ("fence", "code_block") or token.map is None:
            continue
        start, end = token.map
        language, _, rest = token.info.strip().partition(" ")
        title = _TITLE.search(rest)
        kind: Kind
        if title is not None:
            kind = "file"
        elif language in ("sh", "python"):
            kind = "sh" if language == "sh" else "python"
        elif language == "text" and before in ("sh", "python"):
            kind = "text"
        else:
            named = repr(language) if language else "no language"
            message = f"a block of {named} that nothing runs or compares"
            raise ValueError(f"{page}, line {start + 1}: {message}")
        yield Block(kind, token.content, start + 1, end, title[1] if title else "")
        before = kind


def matches(shown: str, written: str) -> bool:
    r"""Tell whether what was written is what is shown.

    Example:
        >>> matches("3 rows in ...\n", "3 rows in 0.12 s\n")
        True
        >>> matches("a\n...\nd\n", "a\nb\nc\nd\n")
        True
        >>> matches("a ...\n", "a\nb\n")
        False
    """
    pattern = "".join(
        r"(?:.*\n)*" if line == "..." else ".*".join(map(re.escape, line.split("..."))) + r"\n"
        for line in _lines(shown)
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in _lines(written))) is not None


def renewed(shown: str, written: str) -> str:
    r"""Give what was written, with the ellipses of what was shown where they still fit.

    Example:
        >>> renewed("... rows in 0.1 s\nold\n", "3 rows in 0.1 s\nnew\n")
        '... rows in 0.1 s\nnew\n'
        >>> renewed("a\n...\nz\n", "b\nc\nd\ne\n")
        'b\n...\ne\n'
    """
    if matches(shown, written):
        return shown
    before, after = _lines(shown), _lines(written)
    if "..." in before:
        place = before.index("...")
        rest = len(before) - place - 1
        if place + rest < len(after):
            after = [*after[:place], "...", *after[len(after) - rest :]]
    veiled = [line for line in before if "..." in line and line != "..."]
    lines = [next((veil for veil in veiled if matches(veil, line)), line) for line in after]
    return "".join(f"{line}\n" for line in lines)


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().split("\n")] if text.strip() else []
