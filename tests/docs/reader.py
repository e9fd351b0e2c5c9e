"""The reader: somebody in a folder of their own who types what a page shows, and has no network.

What is stood in for, and how:

- **The network.** pip is told to ask no index (`PIP_NO_INDEX`). The libraries that it would fetch
  are there: the reader's virtual environment sees those of the Python that runs the tests. So
  `pip install` and `make demo` do all that they do elsewhere (they resolve the requirements under
  the constraints, build murmure with its models, install it), but for the download; a requirement
  that is not among murmure's extras fails.
- **Spark** is the one that pip installs, on this machine, set up to be small as in
  `tests/clusters.py`; where there is no Java, its page is left out with the other tests on Spark.

All else is what it is: the commands are run by bash and the Python by this process.
"""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import io
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.clusters import SETTINGS
from tests.docs.blocks import Block, matches

ROOT = Path(__file__).parents[2]

#: What a fresh clone holds, as far as pages need it.
_CLONED = (
    *("Makefile", "README.md", "LICENSE", "pyproject.toml", "constraints.txt", "train.py"),
    *("mkdocs.yml", "src", "models", "data", "docs", "examples"),
)
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.training", "*.pyc")
_LONGEST = 600


class Reader:
    """Types blocks into a terminal and into Python.

    Args:
        folder: where they are.
        environment: the virtual environment whose commands they have.
    """

    def __init__(self, folder: Path, environment: Path) -> None:
        self.folder = folder
        self._names: dict[str, Any] = {"__name__": "__main__"}
        spark = _spark_home()
        self._variables = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PIP_", "PYTHONPATH", "PYTEST_", "VIRTUAL_ENV", "MAKE"))
        } | {
            "PATH": os.pathsep.join([str(environment / "bin"), f"{spark}/bin", os.environ["PATH"]]),
            "SPARK_HOME": spark,
            "SPARK_CONF_DIR": str(environment),
            "PYSPARK_PYTHON": str(environment / "bin" / "python"),
            "COLUMNS": "100",
            "LC_ALL": "C.UTF-8",
            "PIP_NO_INDEX": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # means no isolation: pip reads this one as its negation
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
            "SPARK_LOCAL_IP": "127.0.0.1",
        }

    def write(self, block: Block) -> None:
        """Put a file of the reader's into the folder."""
        file = self.folder / block.title
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(block.content, encoding="utf-8")

    def shell(self, block: Block) -> str:
        """Run commands; give what they write.

        Raises:
            AssertionError: if one fails.
        """
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", block.content],
            cwd=self.folder,
            env=self._variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            text=True,
            timeout=_LONGEST,
        )
        assert done.returncode == 0, f"exit code {done.returncode}:\n{done.stdout}"
        return done.stdout

    def python(self, block: Block) -> tuple[str, str]:
        """Run Python; give what it prints, and the block with the values that expressions give."""
        lines = block.content.splitlines()
        printed = io.StringIO()
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(printed):
            for statement in ast.parse(block.content).body:
                value = self._run(statement)
                at = (statement.end_lineno or 0) - 1
                code, mark, comment = lines[at].partition("  # ")
                if isinstance(statement, ast.Expr) and mark:
                    lines[at] = f"{code}{mark}{_settled(comment, repr(value))}"
        return printed.getvalue(), "\n".join(lines) + "\n"

    def _run(self, statement: ast.stmt) -> Any:
        if isinstance(statement, ast.Expr):
            code = compile(ast.Expression(statement.value), "<page>", "eval")
            return eval(code, self._names)
        exec(compile(ast.Module([statement], []), "<page>", "exec"), self._names)
        return None


def _spark_home() -> str:
    found = importlib.util.find_spec("pyspark")
    return str(Path(found.origin).parent) if found is not None and found.origin else ""


def _settled(comment: str, value: str) -> str:
    return comment if matches(comment, value) else value


def clone(folder: Path) -> Path:
    """Copy what a fresh clone holds; gives the folder."""
    folder.mkdir(parents=True)
    for name in _CLONED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=_LEFT_OUT)
        else:
            shutil.copy(source, folder / name)
    return folder


def environment(folder: Path) -> Path:
    """Make a virtual environment that has all libraries but murmure; gives the folder."""
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", folder], check=True, capture_output=True
    )
    (site,) = folder.glob("lib/python*/site-packages")
    # The path alone: what is installed there in place, murmure, stays out.
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    pip = folder / "bin" / "pip"
    pip.write_text(f'#!/bin/sh\nexec "{folder / "bin" / "python"}" -m pip "$@"\n', "utf-8")
    pip.chmod(0o755)
    _set_up_spark(folder)
    return folder


def _set_up_spark(folder: Path) -> None:
    lines = [f"{name} {value}\n" for name, value in SETTINGS.items()]
    (folder / "spark-defaults.conf").write_text("".join(lines), "utf-8")


def install(folder: Path, source: Path) -> None:
    """Install murmure in place from a clone into an environment, as `make demo` does."""
    pip = (folder / "bin" / "pip", "install", "--quiet", "--no-index", "--no-deps")
    done = subprocess.run(
        [*pip, "--no-build-isolation", "--editable", source],
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def files_of(folder: Path) -> Iterator[Path]:
    """Give the pages with code, the README first."""
    yield folder / "README.md"
    yield from sorted((folder / "docs").rglob("*.md"))
