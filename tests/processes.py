"""Runs Python in a process of its own, as a user would, with this one's import path."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def environment() -> dict[str, str]:
    """This process's environment, with its import path."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def python(
    *arguments: object, folder: Path | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """What `python ARGUMENTS...` gives, run in `folder`."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env=environment(),
        capture_output=True,
        check=False,
        text=True,
        timeout=timeout,
    )
