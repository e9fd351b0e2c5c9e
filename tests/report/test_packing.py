"""The numbers that the script is given are the ones looked up, and no more than a page holds."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest

from murmure.report import build_pages
from murmure.report.packing import compress, pack
from murmure.report.slices import ALL, Slice, Slices
from tests.report.pages import GOOD, counts_of, small_story, with_estimates
from tests.runs import write_run

WEEKS = ["2026-W10", "2026-W11", "2026-W12", "2026-W13"]


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    return with_estimates(counts_of(write_run(tmp_path_factory.mktemp("run"), small_story())))


def test_packed_cells_are_the_looked_up_ones(counts: pa.Table) -> None:
    packed = pack(
        Slices.of(counts), entities=["Brizelo", ALL], languages=["fr"], places=["x"], windows=WEEKS
    )
    assert packed["0.0.0.o"]["bad"][0] == [11, 20, 12, 9, 14]
    assert packed["0.0.0.o"]["bad:delivery"][2] == [9, 9, 10, 7, 12]
    assert [cell and cell[0] for cell in packed["0.1.1.o"]["bad"]] == [9, 0, 9]
    assert all(key.split(".")[0] in {"0", "1"} for key in packed)
    assert json.loads(gzip.decompress(base64.b64decode(compress(packed)))) == packed


def test_the_windows_of_the_finest_slices_give_way_first(counts: pa.Table) -> None:
    everything = Slices.of(counts)
    held = sum(len(w) for m in everything.cells.values() for w in m.values())
    fewer = Slices.of(counts, most=held - 1)
    fewest = Slices.of(counts, most=1)
    assert everything.depth == 3
    assert everything.pages == 1
    assert fewer.depth == 2
    both = Slice("Brizelo", "fr", "x")
    assert list(fewer.cells[both]["bad"]) == ["all"]
    assert "2026-W11" in fewer.cells[Slice("Brizelo", place="x")]["bad"]
    assert fewest.depth == 0
    assert "2026-W11" in fewest.cells[Slice("Brizelo")]["bad:delivery"]
    assert fewest.value(both, "bad") == everything.value(both, "bad")


def test_more_brands_than_a_page_holds_are_split_over_pages_that_lead_to_each_other(
    tmp_path: Path,
) -> None:
    rows = [
        {**GOOD, "author": f"w{brand}.{n}", "text": f"{brand} {n}", "mentions": [f"Brand {brand}"]}
        for brand in range(53)
        for n in range(60 - brand)
    ]
    run = write_run(tmp_path, rows)
    pages = build_pages([run], counts_of(run), ui="en", name="my page.html")
    assert list(pages) == ["my page.html", "my page-2.html"]
    first, second = pages.values()
    assert "<bdi>Brand 0</bdi>" in first
    assert "<bdi>Brand 52</bdi>" not in first
    assert "<bdi>Brand 52</bdi>" in second
    assert 'href="my%20page-2.html"' in first
    assert "Page 2: Brand 27 to Brand 52" in first
