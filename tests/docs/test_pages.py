"""Every code block of README.md and docs/ runs, and gives what the page says it gives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.clusters import needs_cluster
from tests.docs.blocks import Block, blocks_of
from tests.docs.metrics import PAGE, with_definitions
from tests.docs.pages import IN_A_CLONE, ON_SPARK, Pages
from tests.docs.reader import ROOT, files_of

PAGES = {page.relative_to(ROOT).as_posix(): page for page in files_of(ROOT)}
CASES = [pytest.param(name, marks=[needs_cluster] * (name in ON_SPARK)) for name in PAGES]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    return Pages(tmp_path_factory.mktemp("pages"))


@pytest.mark.parametrize("name", CASES)
def test_a_page_says_what_comes_out(name: str, pages: Pages) -> None:
    found = pages.run(PAGES[name])
    told = [f"line {one.line} says\n{one.shown}but it is\n{one.written}" for one in found]
    assert not found, "\n".join([*told, f"python -m tests.docs --update {name}"])


def test_the_definitions_are_those_of_the_metrics() -> None:
    page = PAGE.read_text("utf-8")
    assert with_definitions(page) == page, "python -m tests.docs --update docs/metrics.md"


def test_the_special_pages_are_there() -> None:
    assert {*IN_A_CLONE, *ON_SPARK} <= {*PAGES}


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("tests.docs.pages.ROOT", tmp_path)
    return tmp_path / "page.md"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("```json\n{}\n```\n", "line 1: a block of 'json' that nothing runs or compares"),
        ("x\n\n    murmure tag\n", "line 3: a block of no language that nothing runs"),
        ("```text\nalone\n```\n", "line 1: a block of 'text'"),
        ("```console\n$ ls\n```\n", "line 1: a block of 'console'"),
    ],
)
def test_a_block_that_would_not_run_is_refused(content: str, told: str, page: Path) -> None:
    page.write_text(content, "utf-8")
    with pytest.raises(ValueError, match="line") as refused:
        list(blocks_of(page))
    assert told in str(refused.value)


def test_blocks_within_lists_lose_their_indentation(page: Path) -> None:
    page.write_text('- a\n\n  ```csv title="a.csv"\n  x\n  ```\n', "utf-8")
    assert list(blocks_of(page)) == [Block("file", "x\n", 3, 5, "a.csv")]


WRONG = """\
```csv title="a.csv"
b
```

```sh
cat a.csv; echo 12 s
```

```text
a
... s
```

```python
two = 1 + 1
two  # 3
print("said")
```

```text
unsaid
```
"""


def test_what_a_page_says_wrongly_is_found_and_mended(page: Path, tmp_path: Path) -> None:
    page.write_text(WRONG, "utf-8")
    found = Pages(tmp_path / "one", environment=Path(sys.prefix)).run(page)
    assert [(one.line, one.written) for one in found] == [
        (9, "b\n12 s\n"),
        (14, 'two = 1 + 1\ntwo  # 2\nprint("said")\n'),
        (20, "said\n"),
    ]
    Pages(tmp_path / "two", environment=Path(sys.prefix)).update(page)
    mended = WRONG.replace("\na\n", "\nb\n").replace("# 3", "# 2").replace("unsaid", "said")
    assert page.read_text("utf-8") == mended
    assert not Pages(tmp_path / "three", environment=Path(sys.prefix)).run(page)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("```sh\necho so far; false; echo on\n```\n", "exit code 1:\nso far\n"),
        ("```sh\nfalse | cat\n```\n", "exit code 1"),
        ("```python\n1 / 0\n```\n", "division by zero"),
        ("```sh\npip install unheard-of-package\n```\n", "No matching distribution"),
    ],
)
def test_a_block_that_fails_fails_the_page(
    content: str, told: str, page: Path, tmp_path: Path
) -> None:
    page.write_text(content, "utf-8")
    with pytest.raises((AssertionError, ArithmeticError)) as failed:
        Pages(tmp_path / "one", environment=Path(sys.prefix)).run(page)
    assert told in str(failed.value)
    assert failed.value.__notes__ == [f"{page}, line 1"]


def test_what_contributors_type_is_there() -> None:
    """CONTRIBUTING.md runs the tests themselves, so that its commands are looked up, not run."""
    typed = [block.content for block in blocks_of(ROOT / "CONTRIBUTING.md")]
    commands = [line.partition("  #")[0].split() for line in "".join(typed).splitlines()]
    made = [command for command in commands if command[0] == "make"]
    assert len(made) >= 4
    for command in made:
        subprocess.run(["make", "-n", *command[1:]], cwd=ROOT, check=True, capture_output=True)
    others = [command[:3] for command in commands if command[0] != "make"]
    assert others == [["python", "-m", "tests.docs"]] * len(others)


def test_the_site_builds_strictly_and_asks_no_other_machine(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", tmp_path / "site"],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    pages = {
        page.relative_to(tmp_path / "site").as_posix(): page.read_text("utf-8")
        for page in (tmp_path / "site").rglob("*.html")
    }
    assert {"index.html", "limits.html", "models/base.html", "contributing.html"} <= set(pages)
    for name, content in pages.items():
        assert not _fetched(content), name
    assert "Predictor.from_pretrained" in pages["api/index.html"]


def _fetched(content: str) -> list[str]:
    """What a browser would load from elsewhere to show a page."""
    from html.parser import HTMLParser

    found: list[str] = []

    class Loads(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            told = dict(attrs)
            if tag in ("script", "img", "iframe", "source", "link"):
                url = told.get("src") or told.get("href") or ""
                if url.startswith(("http:", "https:", "//")) and told.get("rel") != "canonical":
                    found.append(url)

    Loads().feed(content)
    return found
