"""What is charged to what, and how it is told."""

from __future__ import annotations

import time

import pytest
from benchmarks.arithmetic import Clock, tell


def spin(seconds: float) -> None:
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def test_what_is_inside_counts_there_alone() -> None:
    clock = Clock()
    inner = clock.wrap("inner", spin)
    with clock.at("outer"):
        spin(0.02)
        inner(0.05)
    assert clock.seconds["inner"] == pytest.approx(0.05, abs=0.02)
    assert clock.seconds["outer"] == pytest.approx(0.02, abs=0.02)


def test_whether_the_targets_are_met_is_told() -> None:
    result = {
        "settings": {"model": "base"},
        "share": {"encoder": 0.8, "tokenising": 0.2},
        "overhead": {"share": 0.2, "target": 0.15},
        "encoder": {"times_products": 1.3, "target": 1.5},
    }
    assert "20.0%, over the 15%" in tell(result)
    assert "1.30 times its own matrix products alone, within the 1.5" in tell(result)
