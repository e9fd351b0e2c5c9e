"""Files of more and longer posts, and what is told of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.growth import LENGTHS, draw, posts_of_length, table, tell
from benchmarks.posts import read_jsonl
from tokenizers import Tokenizer

from murmure.tagging.encoder import TOKENIZER
from murmure.tagging.folder import ModelFolder

SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "posts.jsonl"


def test_posts_have_about_the_tokens_asked_for_and_are_distinct() -> None:
    tokenizer = Tokenizer.from_file(str(ModelFolder.open("base").path / TOKENIZER))
    for tokens in (5, 100):
        posts = posts_of_length(read_jsonl(SAMPLE), tokenizer, tokens=tokens, count=50)
        found = [len(tokenizer.encode(post, add_special_tokens=False).ids) for post in posts]
        assert len(set(posts)) == 50
        assert abs(sum(found) / len(found) - tokens) < 0.1 * tokens


def growth(rate: int) -> dict[str, Any]:
    rows = [
        {"rows": n, "posts_per_second": 900, "memory_mib": {"rss": 500.0, "pss": 400.0}}
        for n in (1000, 10_000)
    ]
    lengths = [{"tokens": n, "working_posts_per_second": rate * 30 // n} for n in LENGTHS]
    return {
        "settings": {"jobs": 2},
        "growth": {"base": {"by_rows": rows, "by_length": lengths}},
    }


def test_the_target_is_told_as_met_or_missed() -> None:
    assert tell(growth(250)).endswith("on 2 cores; the target is met (200).")
    assert tell(growth(150)).endswith("on 2 cores; the target is missed (200).")
    assert not tell({"growth": {"fast": {}}})


def test_the_table_has_a_row_for_each_size_and_length(tmp_path: Path) -> None:
    lines = table(growth(200)).splitlines()
    assert "| base | 10,000 | 900 | 400 |" in lines
    assert "| 30 | 200 |" in lines
    draw(growth(200), tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 5_000
