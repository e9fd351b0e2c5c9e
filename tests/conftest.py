"""Tests that train an encoder need torch: without it they are left out, and pytest says so."""

from __future__ import annotations

from importlib.util import find_spec

from hypothesis import settings

# How long an example takes tells of the machine, not of what is tested.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

_WITHOUT_TORCH = find_spec("torch") is None

collect_ignore = (
    [f"training/test_{name}.py" for name in ("base", "batches", "encoder", "loop")]
    if _WITHOUT_TORCH
    else []
)


def pytest_report_header() -> list[str]:
    """Name what is not tested here."""
    if not _WITHOUT_TORCH:
        return []
    return [f"not tested, for want of torch (extra train): {', '.join(collect_ignore)}"]
