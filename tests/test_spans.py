"""Hashes of spans, beside the sum that they stand for."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from murmure.spans import SpanHasher

BASE = 0x9E3779B97F4A7C15


def plain(span: str) -> int:
    return sum(ord(sign) * pow(BASE, place, 2**64) for place, sign in enumerate(span)) % 2**64


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=24), min_size=1)
)
def test_every_span_hashes_to_the_sum_of_its_characters(texts: list[str]) -> None:
    hasher = SpanHasher(BASE)
    for text in texts:
        codes = np.frombuffer(text.encode("utf-32-le"), np.uint32)
        hashes = hasher.read(codes)
        for size in range(len(text) + 2):
            starts = np.arange(max(len(text) - size + 1, 0))
            spans = [plain(text[start : start + size]) for start in starts]
            assert hashes(starts, starts + size).tolist() == spans
            assert hashes.every(size).tolist() == spans
