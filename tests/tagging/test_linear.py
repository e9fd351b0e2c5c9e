"""Where a linear model finds the weights of n-grams."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from murmure.tagging.linear import NgramTable


@given(
    bits=st.integers(5, 12),
    known=st.lists(st.integers(0, 2**12 - 1), unique=True, max_size=300),
    data=st.data(),
)
def test_every_known_bucket_has_its_own_weights_and_no_other_has_any(
    bits: int, known: list[int], data: st.DataObject
) -> None:
    buckets = np.array([bucket for bucket in known if bucket < 1 << bits], np.uint32)
    weights = np.arange(1, 2 * len(buckets) + 1, dtype=np.float32).reshape(-1, 2)
    frequency = np.full(len(buckets), 2.0, np.float32)
    table = NgramTable.from_tensors(buckets, frequency, weights, bits=bits)
    asked = data.draw(st.lists(st.integers(0, (1 << bits) - 1), max_size=50))
    asked += [int(bucket) for bucket in buckets]
    of_bucket = dict(zip(buckets.tolist(), weights.tolist(), strict=True))
    found = table.rows[table.find(np.array(asked, np.uint32))]
    for bucket, row in zip(asked, found.tolist(), strict=True):
        expected = of_bucket.get(bucket)
        assert row == ([0, 0, 0] if expected is None else [2 * x for x in expected] + [4])


def test_a_block_full_of_known_buckets_is_counted_to_the_last() -> None:
    buckets = np.arange(512, dtype=np.uint32)
    weights = np.arange(512, dtype=np.float32)[:, None]
    table = NgramTable.from_tensors(buckets, np.ones(512, np.float32), weights, bits=9)
    assert table.rows[table.find(buckets), 0].tolist() == weights[:, 0].tolist()
