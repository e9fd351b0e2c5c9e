"""Tagging whole files: every row tagged, or listed with the reason why not.

`tag_file` is the run behind `murmure tag`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from murmure.batch.run import tag_file
    from murmure.batch.settings import Progress, RunSummary

__all__ = ["Progress", "RunSummary", "tag_file"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - as the module's own names
    """Loads the run only where it is used: worker processes do without it."""
    if name in __all__:
        from murmure.batch import run

        return getattr(run, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
