"""Who half of the posts come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murmure.errors import InputError
from murmure.report.crowd import Crowd, find
from murmure.report.runs import connect
from tests.runs import write_run


def crowds(folder: Path, rows: list[dict[str, Any]], *, named: bool = True) -> dict[str, Crowd]:
    with connect() as database:
        return find([write_run(folder, rows)], database, named=named)


def by(author: str | None, posts: int, **more: Any) -> list[dict[str, Any]]:
    return [{"author": author, "mentions": ["Brizelo"], **more}] * posts


def test_the_busiest_accounts_come_first(tmp_path: Path) -> None:
    rows = [*by("a", 6), *by("b", 3), *by("c", 1), *by("d", 1), *by("e", 1)]
    assert crowds(tmp_path, rows)["Brizelo"] == Crowd(accounts=5, half=1, posts=12)
    rows += by("f", 2)
    assert crowds(tmp_path / "more", rows)["Brizelo"] == Crowd(accounts=6, half=2, posts=14)


def test_posts_for_pay_in_other_languages_or_without_author_are_left_out(tmp_path: Path) -> None:
    rows = [*by("a", 1), *by("b", 9, sponsored="yes"), *by(" ", 9), *by("c", 9, language="other")]
    assert crowds(tmp_path, rows)["Brizelo"] == Crowd(accounts=1, half=1, posts=1)


def test_all_is_every_post_only_where_there_are_no_brands(tmp_path: Path) -> None:
    rows = [*by("a", 2), *by("b", 3, mentions=())]
    assert crowds(tmp_path, rows)["all"].posts == 2
    assert crowds(tmp_path / "none", rows, named=False)["all"].posts == 5


@settings(max_examples=20)
@given(posts=st.lists(st.integers(1, 9), min_size=1, max_size=12))
def test_half_is_the_fewest_accounts_that_suffice(posts: list[int]) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        rows = [row for number, size in enumerate(posts) for row in by(f"w{number}", size)]
        found = crowds(Path(folder), rows)["Brizelo"]
    ranked = sorted(posts, reverse=True)
    assert 2 * sum(ranked[: found.half]) >= sum(posts) > 2 * sum(ranked[: found.half - 1])


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    (tmp_path / "part-00000.parquet").write_bytes(b"no")
    with connect() as database, pytest.raises(InputError, match="cannot be read"):
        find([tmp_path], database, named=True)
