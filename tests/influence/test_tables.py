"""Writing counts."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmure.errors import InputError, UsageError
from murmure.influence.tables import (
    METRIC_COLUMNS,
    SLICE_COLUMNS,
    counts_schema,
    rounded,
    write_counts,
)


def table(*entities: str) -> pa.Table:
    texts: dict[str, Any] = dict.fromkeys((*SLICE_COLUMNS, *METRIC_COLUMNS), "all")
    rows = [texts | {"entity": entity, "raw": None, "n": 0, "labels": 0} for entity in entities]
    return pa.Table.from_pylist(rows, schema=counts_schema())


def test_parquet_and_jsonl_give_back_what_was_written(tmp_path: Path) -> None:
    counts = table("Brizelo", "=Café, «\n»")
    write_counts(counts, tmp_path / "counts.parquet")
    write_counts(counts, tmp_path / "counts.jsonl")
    read = pq.read_table(tmp_path / "counts.parquet")
    assert read.to_pylist() == counts.to_pylist()
    assert read.schema.field("entity").type == pa.string()
    lines = (tmp_path / "counts.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    assert [json.loads(line) for line in lines] == counts.to_pylist()


def test_csv_cells_are_no_formulas_for_a_spreadsheet(tmp_path: Path) -> None:
    risky = ["=1+1", "+33", "-1", "@brizelo", "\tx", "\rx", " =1+1", "\n=1", "＝1", "'t Brizelo"]
    safe = ["Brizelo", "a=b", "", 'quote " and, comma']
    write_counts(table(*risky, *safe), tmp_path / "counts.csv")
    with (tmp_path / "counts.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["entity"] for row in rows] == ["'" + name for name in risky] + safe
    assert {row["raw"] for row in rows} == {""}
    assert {row["n"] for row in rows} == {"0"}


@given(st.lists(st.one_of(st.none(), st.floats(1e-9, 1e15), st.floats(-1e15, -1e-9), st.just(0.0))))
def test_numbers_keep_six_digits_and_all_before_the_point(numbers: list[float | None]) -> None:
    found = rounded(pa.array(numbers, pa.float64())).to_pylist()
    for number, near in zip(numbers, found, strict=True):
        if number is None or near is None:
            assert number is near
            continue
        assert abs(near - number) <= max(0.5000001, 5.000001e-6 * abs(number))
        assert abs(near - number) <= 0.5000001 if abs(number) >= 1e5 else len(digits(near)) <= 6


def digits(number: float) -> str:
    """The significant digits, as they are written."""
    return f"{Decimal(repr(number)):f}".replace(".", "").replace("-", "").strip("0")


def test_csv_is_rounded_and_parquet_is_not(tmp_path: Path) -> None:
    number = 4.951277338489823
    counts = table("Brizelo").set_column(
        counts_schema().get_field_index("raw"), "raw", pa.array([number])
    )
    write_counts(counts, tmp_path / "counts.csv")
    write_counts(counts, tmp_path / "counts.parquet")
    with (tmp_path / "counts.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file))["raw"] == "4.95128"
    assert pq.read_table(tmp_path / "counts.parquet")["raw"].to_pylist() == [number]


def test_a_dash_writes_csv_to_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_counts(table("Brizelo"), "-")
    rows = list(csv.DictReader(io.StringIO(capfdbinary.readouterr().out.decode())))
    assert [row["entity"] for row in rows] == ["Brizelo"]


def test_an_unknown_ending_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"counts\.xlsx: ends in none of \.parquet, \.csv"):
        write_counts(table(), tmp_path / "counts.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"counts\.csv: its folder is not there"):
        write_counts(table(), tmp_path / "nowhere" / "counts.csv")
    (tmp_path / "counts.csv").mkdir()
    with pytest.raises(InputError, match=r"counts\.csv: cannot be written"):
        write_counts(table(), tmp_path / "counts.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["counts.csv"]
