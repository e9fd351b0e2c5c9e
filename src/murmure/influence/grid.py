"""The grid: what a model says of a post, as one number.

Five million posts are too many to adapt one by one in every slice they are in. Posts of which the
model says about the same share a cell of a grid: one axis for sentiment, one for experience and
touchpoint, one for sponsored. What is worked out of a cell is true of all its posts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from murmure.influence.clustering import cluster, evenly, nearest
from murmure.schema import LABELS

Probabilities = Mapping[str, NDArray[np.float32]]
Cell = NDArray[np.uint32]

# The tags of each axis, and how many steps it has at most: what is worked
# out of each cell is done once a count, so that there may be some 200,000.
_AXES: Mapping[tuple[str, ...], int] = {
    ("sentiment",): 40,
    ("experience", "touchpoint"): 400,
    ("sponsored",): 12,
}


@dataclass(frozen=True, slots=True)
class Grid:
    """The steps of each axis.

    Attributes:
        axes: for each of `_AXES` the middles of its steps, of shape (steps, labels): square roots
            of the probabilities of all labels of its tags.
    """

    axes: tuple[NDArray[np.float32], ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of steps of each axis."""
        return tuple(len(centres) for centres in self.axes)

    def __len__(self) -> int:
        """Return the number of cells."""
        return int(np.prod(self.shape))

    def assign(self, probabilities: Probabilities) -> Cell:
        """The cell of each post: on each axis the nearest step (Hellinger distance).

        Args:
            probabilities: by tag an array (posts, labels).
        """
        steps = [
            nearest(_roots(probabilities, tags), centres)
            for tags, centres in zip(_AXES, self.axes, strict=True)
        ]
        return np.ravel_multi_index(steps, self.shape).astype(np.uint32)

    def probabilities(self) -> dict[str, NDArray[np.float32]]:
        """What the model says of posts in the middle of each cell: by tag (cells, labels)."""
        steps = np.unravel_index(np.arange(len(self)), self.shape)
        found: dict[str, NDArray[np.float32]] = {}
        for tags, centres, step in zip(_AXES, self.axes, steps, strict=True):
            first = 0
            for tag in tags:
                table = centres[:, first : first + len(LABELS[tag])] ** 2
                first += len(LABELS[tag])
                found[tag] = (table / table.sum(axis=1, keepdims=True))[step]
        return found


def make_grid(probabilities: Probabilities) -> Grid:
    """Lays a grid where a model's posts are.

    Args:
        probabilities: what it says of some posts, one at least: by tag an array (posts, labels).
    """
    # Where a rare label is common, slices are told apart by what is said of its posts.
    return Grid(
        tuple(
            cluster(_roots(probabilities, tags), steps, weights=evenly(probabilities[tags[-1]]))
            for tags, steps in _AXES.items()
        )
    )


def _roots(probabilities: Probabilities, tags: tuple[str, ...]) -> NDArray[np.float32]:
    table = np.concatenate([probabilities[tag] for tag in tags], axis=1)
    roots: NDArray[np.float32] = np.sqrt(table, dtype=np.float32)
    return roots
