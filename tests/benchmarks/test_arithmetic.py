"""What is charged to what, and that the products are those of the model."""

from __future__ import annotations

import time

import numpy as np
import pytest
from benchmarks.arithmetic import (
    Clock,
    attention_inputs,
    only_products,
    open_session,
    tell,
    tell_all,
)

from murmure.tagging.encoder import MODEL
from murmure.tagging.folder import ModelFolder

pytest.importorskip("onnx")


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


def test_the_products_of_base_give_what_they_give_within_it() -> None:
    model = (ModelFolder.open("base").path / MODEL).read_bytes()
    products, taken, attention = only_products(model)
    assert len(attention) >= 1
    within = [name for of in attention.values() for name in of[:3]]
    alone = open_session(products)
    last = alone.get_outputs()[0].name
    whole = open_session(tell_all(model, [*taken, *dict.fromkeys(within), last]))
    tokens = np.array([[0, 5, 6, 2], [0, 7, 2, 0]], np.int64)
    given = {"input_ids": tokens, "attention_mask": (tokens >= 0).astype(np.int64)}
    names = [one.name for one in whole.get_outputs()]
    found = dict(zip(names, whole.run(names, given), strict=True))
    inputs = {name: found[name] for name in taken} | attention_inputs(found, attention)
    np.testing.assert_allclose(alone.run([last], inputs)[0], found[last], rtol=1e-5)


def test_whether_the_targets_are_met_is_told() -> None:
    result = {
        "settings": {"model": "base"},
        "share": {"encoder": 0.8, "tokenising": 0.2},
        "overhead": {"share": 0.2, "target": 0.15},
        "encoder": {"times_products": 1.3, "target": 1.5},
    }
    assert "20.0%, over the 15%" in tell(result)
    assert "1.30 times its own matrix products alone, within the 1.5" in tell(result)
