"""That the products are those of the model."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.products import attention_inputs, only_products, open_session, tell_all

from murmure.tagging.encoder import MODEL
from murmure.tagging.folder import ModelFolder

pytest.importorskip("onnx")


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
