"""Labels chosen from probabilities, and the two forms in which they come out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from murmure.schema import LABELS, TAGS, Tag, Tags, result_fields
from murmure.tagging.columns import MentionPlace, TagColumns, most_probable

THRESHOLDS = dict.fromkeys(TAGS, 0.5)


def some_probabilities(rows: int, seed: int = 0) -> dict[str, NDArray[np.float32]]:
    """Random ones, with the same share of no experience in experience and touchpoint."""
    random = np.random.default_rng(seed)
    tables = {tag: random.dirichlet(np.ones(len(LABELS[tag])), rows) for tag in TAGS}
    none = random.random((rows, 1))
    for tag in ("experience", "touchpoint"):
        others = tables[tag][:, :-1]
        tables[tag] = np.hstack([others / others.sum(axis=1, keepdims=True) * (1 - none), none])
    return {tag: table.astype(np.float32) for tag, table in tables.items()}


def some_columns(posts: int, rows: int, **options: Any) -> TagColumns:
    given = {
        "disclosures": [None] * posts,
        "truncated": np.zeros(posts, bool),
        "thresholds": THRESHOLDS,
        **options,
    }
    return TagColumns(posts=posts, probabilities=some_probabilities(rows), **given)


def told(column: pa.Array, row: int) -> Any:
    return column[row].as_py()


@given(st.integers(0, 2**32 - 1), st.integers(1, 50))
def test_touchpoint_is_none_exactly_where_experience_is(seed: int, rows: int) -> None:
    chosen = most_probable(some_probabilities(rows, seed))
    none = {tag: chosen[tag] == LABELS[tag].index("none") for tag in ("experience", "touchpoint")}
    assert (none["experience"] == none["touchpoint"]).all()


@given(st.integers(0, 2**32 - 1))
def test_other_labels_are_the_most_probable(seed: int) -> None:
    tables = some_probabilities(20, seed)
    chosen = most_probable(tables)
    for tag in ("language", "sentiment", "sponsored"):
        best = tables[tag].max(axis=1)
        assert (tables[tag][np.arange(20), chosen[tag]] == best).all()
    touchpoint, experience = tables["touchpoint"], tables["experience"]
    assert (chosen["touchpoint"] == touchpoint.argmax(axis=1)).all()
    reported = chosen["touchpoint"] != LABELS["touchpoint"].index("none")
    assert (chosen["experience"][reported] == experience[reported, :-1].argmax(axis=1)).all()


@pytest.mark.parametrize(
    ("product", "none", "said"), [(0.5, 0.3, ("own", "product")), (0.2, 0.45, ("none", "none"))]
)
def test_the_touchpoint_decides_whether_an_experience_is_reported(
    product: float, none: float, said: tuple[str, str]
) -> None:
    tables = some_probabilities(1)
    tables["experience"] = np.array([[0.55 - none / 2, 0.45 - none / 2, none]], np.float32)
    tables["touchpoint"] = np.array([[product, 0.9 - product - none, 0.1, 0, 0, none]], np.float32)
    chosen = most_probable(tables)
    assert LABELS["experience"][chosen["experience"][0]] == said[0]
    assert LABELS["touchpoint"][chosen["touchpoint"][0]] == said[1]


def test_arrow_columns_have_the_fields_of_the_schema_and_say_what_records_say() -> None:
    place = MentionPlace("Brizelo", "brizelo", 3, 10, row=4)
    columns = some_columns(
        3,
        5,
        disclosures=[None, "#ad | offert", None],
        truncated=np.array([False, True, False]),
        mentions=[[], [place, MentionPlace("Marelle", "Marelle", 12, 19, row=1)], []],
    )
    arrays = columns.to_arrow()
    records = columns.tags()
    assert len(columns) == len(records) == 3
    fields = result_fields()
    assert [array.type for array in arrays] == [field.type for field in fields]
    assert [len(array) for array in arrays] == [3] * len(fields)
    table = pa.Table.from_arrays(arrays, schema=pa.schema(fields))
    table.validate(full=True)
    for row, (record, told) in enumerate(zip(records, table.to_pylist(), strict=True)):
        same(record, told)
        assert told["disclosure"] == record.disclosure
        assert told["truncated"] is record.truncated
        assert len(told["mentions"]) == len(record.mentions) == (2 if row == 1 else 0)
        for mention, of_mention in zip(record.mentions, told["mentions"], strict=True):
            same(mention, of_mention)
            assert (mention.entity, mention.surface) == (
                of_mention["entity"],
                of_mention["surface"],
            )
            assert (mention.start, mention.end) == (of_mention["start"], of_mention["end"])
    assert records[1].disclosure == "#ad | offert"
    assert records[1].truncated


def same(record: Any, told: dict[str, Any]) -> None:
    """Whether a record's or a mention's tags are those of a row of Arrow columns."""
    for tag in TAGS:
        of_record: Tag = getattr(record, tag)
        assert told[tag] == of_record.label
        assert told[f"{tag}_score"] == of_record.score
        assert tuple(told[f"{tag}_probabilities"]) == of_record.probabilities
        assert told.get(f"{tag}_abstained", of_record.abstained) is of_record.abstained


def test_a_mention_has_the_tags_of_its_own_row() -> None:
    columns = some_columns(
        2,
        3,
        mentions=[[MentionPlace("Brizelo", "B", 0, 1, row=2)], [MentionPlace("M", "M", 0, 1, 1)]],
    )
    first, second = columns.tags()
    own = some_columns(3, 3).tags()
    assert first.mentions[0].sentiment == own[2].sentiment != first.sentiment
    assert second.mentions[0].touchpoint == second.touchpoint


def test_a_score_below_the_threshold_abstains() -> None:
    tables = some_probabilities(1)
    tables["sentiment"] = np.array([[0.25, 0.25, 0.5]], np.float32)
    for threshold, abstained in ((0.5, False), (0.51, True)):
        thresholds = {**THRESHOLDS, "sentiment": threshold}
        columns = TagColumns(1, tables, thresholds, [None], np.zeros(1, bool))
        (record,) = columns.tags()
        assert record.sentiment == Tag("positive", 0.5, (0.25, 0.25, 0.5), abstained)
        names = [field.name for field in result_fields()]
        assert told(columns.to_arrow()[names.index("sentiment_abstained")], 0) is abstained


@pytest.mark.parametrize("mentions", [(), [[]]])
def test_no_posts_and_no_mentions_give_empty_columns(mentions: list[list[MentionPlace]]) -> None:
    posts = len(mentions)
    columns = some_columns(posts, posts, mentions=mentions)
    records: list[Tags] = columns.tags()
    assert [record.mentions for record in records] == [()] * posts
    assert [array.type for array in columns.to_arrow()] == [field.type for field in result_fields()]
