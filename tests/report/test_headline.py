"""The columns of the headline table."""

from __future__ import annotations

import pytest

from murmure.report.headline import COLUMNS, groups
from murmure.report.words import Words


def test_columns_of_a_group_stand_beside_each_other() -> None:
    spanned = [group for group, width in groups() for _ in range(width)]
    assert spanned == [column.group for column in COLUMNS]


@pytest.mark.parametrize("ui", ["fr", "en"])
def test_every_column_has_its_words(ui: str) -> None:
    table = Words.load(ui).table
    for column in COLUMNS:
        assert {column.id, f"{column.id}_unit", column.group} <= set(table["table"])
        assert column.about in table["definition"]
