"""Windows, by number and by name."""

from __future__ import annotations

import numpy as np
import pytest

from murmure.influence.windows import label_windows, number_window


@pytest.mark.parametrize(
    ("window", "names"),
    [
        ("week", ["2020-W52", "2020-W53", "2021-W01"]),
        ("month", ["2020-12", "2021-01", "2021-02"]),
        ("day", ["2020-02-28", "2020-02-29", "2020-03-01"]),
        ("day", ["1969-12-31", "1970-01-01", "1970-01-02"]),
        ("week", ["1969-W52", "1970-W01", "1970-W02"]),
        ("month", ["0001-01", "0001-02", "0001-03"]),
        ("week", ["9999-W50", "9999-W51", "9999-W52"]),
    ],
)
def test_windows_follow_each_other(window: str, names: list[str]) -> None:
    first = number_window(names[0], window)
    assert [number_window(name, window) - first for name in names] == [0, 1, 2]
    assert label_windows(np.arange(first, first + 3), window) == names
