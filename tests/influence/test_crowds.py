"""Who wrote several posts in a slice, and which of its posts are copies of one another."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murmure.influence.crowds import copy_pairs, meet
from murmure.influence.layout import make_layout
from murmure.influence.material import sort_rows


def test_pairs_are_those_of_counting_them_slice_by_slice() -> None:
    generator = np.random.default_rng(0)
    posts = 400
    rows: dict[str, NDArray[Any]] = {
        "win": generator.integers(1, 4, posts),
        "language": generator.integers(1, 3, posts).astype(np.int8),
        "channel": generator.integers(1, 4, posts),
        "author": generator.integers(0, 60, posts).astype(np.int32),
        "echo": generator.random(posts) < 0.3,
        "family": np.maximum(generator.integers(-40, 20, posts), 0).astype(np.int32),
        "said": np.zeros(posts, np.uint8),
        "cell": np.zeros(posts, np.uint32),
    }
    material = sort_rows(
        generator.integers(0, 3, posts),
        rows,
        entities=("all", "Brizelo", "Torvella"),
        labels={
            "win": ("all", "a", "b", "c"),
            "language": ("all", "fr", "en"),
            "channel": ("all", "x", "y", "z"),
            "media": ("all", "social", "press"),
        },
        kinds=np.array([0, 1, 2, 1]),
        groups={},
    )
    layout = make_layout(material, range(1, 3), ("channel", "media"))
    chosen = generator.random(len(layout.leaf)) < 0.5
    by_author, by_family = meet(layout).pairs(), copy_pairs(layout)
    by_chosen = copy_pairs(layout, chosen)
    here = layout.here
    entity = np.repeat([1, 2], np.diff(material.firsts)[1:])
    place = [entity, material.win[here], material.language[here], material.channel[here]]
    place.append(material.kinds[material.channel[here]])
    author = np.where(material.echo[here], 0, material.author[here])
    family = material.family[here]
    at, slices = layout.slices()
    for row, key in zip(at, slices.T, strict=True):
        inside = np.all([(own == k) | (k == 0) for own, k in zip(place, key, strict=True)], axis=0)
        assert by_author[row] == pairs(author[inside])
        assert by_family[row] == pairs(family[inside])
        assert by_chosen[row] == pairs(family[inside & chosen])
    assert by_family.any()


def pairs(values: NDArray[np.int32]) -> int:
    return sum(many * (many - 1) for many in Counter(values[values > 0].tolist()).values())
