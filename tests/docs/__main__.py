"""`python -m tests.docs` runs the pages; with `--update` it writes into them what comes out.

    python -m tests.docs --update                     # all pages
    python -m tests.docs --update docs/how-to/tag.md  # one

What has changed is told, to be read before it is committed: what a page says around a block may
have to change too.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.docs.metrics import update_metrics
from tests.docs.pages import Pages
from tests.docs.reader import ROOT, files_of


def main() -> int:
    """Gives 0, or 1 where a page cannot be run, or differs and was left as it is."""
    parser = argparse.ArgumentParser(description="Run the documentation's code blocks.")
    parser.add_argument("pages", nargs="*", type=Path, help="all, if left out")
    parser.add_argument("--update", action="store_true", help="write what comes out into the pages")
    wanted = parser.parse_args()
    if wanted.update:
        update_metrics()
    differences = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        pages = Pages(Path(folder))
        for page in [page.resolve() for page in wanted.pages] or files_of(ROOT):
            try:
                found = pages.update(page) if wanted.update else pages.run(page)
            except Exception as error:  # a page that cannot be run keeps none of the others back
                failed += 1
                told = "\n".join([str(error), *getattr(error, "__notes__", [])])
                sys.stdout.write(f"{page.relative_to(ROOT)} cannot be run: {told}\n")
                continue
            differences += len(found)
            for one in found:
                told = f"{page.relative_to(ROOT)}, line {one.line}: was\n{one.shown}is\n"
                sys.stdout.write(f"{told}{one.written}\n")
    return int(failed > 0 or (differences > 0 and not wanted.update))


if __name__ == "__main__":
    sys.exit(main())
