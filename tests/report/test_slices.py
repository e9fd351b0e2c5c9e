"""The counts table, looked up: nothing is added up, nothing is made up."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from murmure.report.slices import ALL, Cell, Slice, Slices
from tests.report.pages import counts_of, small_story
from tests.runs import write_run


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    return counts_of(write_run(tmp_path_factory.mktemp("run"), small_story()))


def test_every_number_is_one_of_the_table(counts: pa.Table) -> None:
    slices = Slices.of(counts)
    assert slices.value(Slice("Brizelo"), "bad") == 11
    assert slices.value(Slice("Brizelo", place="reviews"), "bad") == 2
    assert slices.value(Slice("Brizelo", place="kind:social"), "bad") == 11
    assert slices.value(Slice("Brizelo", language="en"), "bad") == 0
    assert slices.value(Slice("Brizelo"), "bad:delivery", "2026-W11") == 9
    assert slices.value(Slice("Brizelo"), "bad:experience:own") == 11
    assert slices.value(Slice("Marelle", promotion="sponsored"), "voices") == 5
    assert slices.value(Slice("Marelle"), "posts:negative") == 1


def test_what_is_not_in_the_table_is_zero_for_counts_and_unknown_otherwise(
    counts: pa.Table,
) -> None:
    nowhere = Slice("Nobody")
    assert Slices.of(counts).value(nowhere, "bad:delivery") == 0
    assert Slices.of(counts).value(nowhere, "influence") is None


def test_brands_and_filters_come_biggest_first_and_kinds_before_their_channels(
    counts: pa.Table,
) -> None:
    slices = Slices.of(counts)
    assert slices.brands() == ["Brizelo", "Marelle"]
    assert slices.languages() == ["fr", "en"]
    social = ["kind:social", "x", "instagram", "reviews"]
    assert slices.places() == [*social, "kind:traditional", "press"]


def test_a_number_that_is_not_finite_is_not_known(counts: pa.Table) -> None:
    index = counts.schema.get_field_index("raw")
    broken = counts.set_column(index, "raw", pa.array([float("nan")] * counts.num_rows))
    slices = Slices.of(broken)
    assert slices.value(Slice("Brizelo"), "bad") is None
    assert Cell(None, 0).value is None


def test_the_entity_all_stands_alone_without_brands(tmp_path: Path) -> None:
    rows = [{**row, "mentions": ()} for row in small_story()]
    assert Slices.of(counts_of(write_run(tmp_path, rows))).brands() == [ALL]
