"""Tagging whole files: every row tagged, or listed with the reason why not.

`tag_file` is the run behind `murmure tag`, `verify` proves that a run's folder is whole, and
`forget` erases an author from it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from murmure.batch.erasure import Erasure, forget
    from murmure.batch.run import tag_file
    from murmure.batch.settings import Progress, RunSummary
    from murmure.batch.verification import Verification, verify

__all__ = ["Erasure", "Progress", "RunSummary", "Verification", "forget", "tag_file", "verify"]

_HOMES = {
    "Erasure": "erasure",
    "Progress": "settings",
    "RunSummary": "settings",
    "Verification": "verification",
    "forget": "erasure",
    "tag_file": "run",
    "verify": "verification",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - as the module's own names
    """Loads a name where it is first used: worker processes do without all of them."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"murmure.batch.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
