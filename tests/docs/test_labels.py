"""The guide to the labels speaks of the labels that there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pytest

from murmure.schema import LABELS, TAGS
from tests.docs.reader import ROOT

LINES = (ROOT / "docs" / "labels.md").read_text("utf-8").splitlines()


def _examples() -> Iterator[dict[str, str]]:
    """The rows of the guide's tables, by the heads of their columns."""
    head: list[str] = []
    for line in LINES:
        cells = [cell.strip() for cell in line.strip("|").split("|")] if "|" in line else []
        if not cells:
            head = []
        elif not head:
            head = cells
        elif not line.startswith("|--"):
            yield dict(zip(head, cells, strict=True))


def test_every_label_is_one_of_the_schema() -> None:
    assert len(list(_examples())) > 40
    for example in _examples():
        for tag in TAGS:
            assert example.get(tag, LABELS[tag][0]) in LABELS[tag], example


@pytest.mark.parametrize("tag", TAGS)
def test_every_label_has_an_example(tag: str) -> None:
    shown = defaultdict(list)
    for example in _examples():
        if tag in example and len(example) == 3:
            shown[example[tag]].append(example["post"])
    assert set(shown) == set(LABELS[tag])


def test_a_touchpoint_is_none_exactly_where_the_experience_is() -> None:
    whole = [example for example in _examples() if set(TAGS) <= set(example)]
    assert whole
    for example in whole:
        assert (example["touchpoint"] == "none") == (example["experience"] == "none"), example
