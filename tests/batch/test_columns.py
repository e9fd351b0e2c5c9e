"""Renames, clashes and types of columns."""

from __future__ import annotations

import pyarrow as pa
import pytest

from murmure.batch.columns import JSON_MARK, Plan, make_plan, parse_columns
from murmure.errors import InputError, UsageError


def plan(*schemas: dict[str, pa.DataType], columns: str | None = None) -> Plan:
    surveyed = [(f"{number}.csv", pa.schema(schema)) for number, schema in enumerate(schemas)]
    return make_plan(surveyed, parse_columns(columns))


def extras(made: Plan) -> dict[str, str]:
    return {extra.source: extra.field.name for extra in made.extras}


def test_column_with_a_name_of_ours_is_passed_through_as_input() -> None:
    made = plan({"text": pa.string(), "sentiment": pa.string(), "Mentions": pa.int64()})
    assert extras(made) == {"sentiment": "input_sentiment", "Mentions": "input_Mentions"}


def test_renamed_column_gives_way_to_the_one_that_is_named_for_it() -> None:
    made = plan(
        {"body": pa.string(), "text": pa.string(), "input_text": pa.int8()}, columns="text=body"
    )
    assert made.posts["text"] == "body"
    assert extras(made) == {"text": "input_text", "input_text": "input_input_text"}


def test_all_columns_of_a_run_have_different_names_whatever_the_case() -> None:
    names = ["text", "Text", "TEXT", "likes", "Likes", "input_likes", "", "id_"]
    made = plan(dict.fromkeys(names, pa.string()))
    folded = [name.casefold() for name in made.schema().names]
    assert len(set(folded)) == len(folded)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (pa.int32(), pa.int64(), pa.int64()),
        (pa.int32(), pa.float32(), pa.float64()),
        (pa.uint8(), pa.uint64(), pa.uint64()),
        (pa.int64(), pa.float64(), pa.string()),
        (pa.int64(), pa.uint64(), pa.string()),
        (pa.int64(), pa.string(), pa.string()),
        (pa.null(), pa.timestamp("s"), pa.timestamp("s")),
        (pa.null(), pa.null(), pa.string()),
        (pa.dictionary(pa.int8(), pa.string()), pa.string(), pa.string()),
        (
            pa.dictionary(pa.int8(), pa.string()),
            pa.dictionary(pa.int8(), pa.string()),
            pa.dictionary(pa.int32(), pa.string()),
        ),
        (pa.list_(pa.int8()), pa.list_(pa.int8()), pa.list_(pa.int8())),
    ],
    ids=str,
)
def test_column_of_several_inputs_gets_a_type_that_holds_all(
    first: pa.DataType, second: pa.DataType, expected: pa.DataType
) -> None:
    made = plan({"text": pa.string(), "x": first}, {"text": pa.string(), "x": second})
    assert made.extras[0].field.type == expected
    assert not made.extras[0].is_json


def test_lists_in_one_input_and_text_in_another_become_json() -> None:
    made = plan(
        {"text": pa.string(), "x": pa.list_(pa.int8())}, {"text": pa.string(), "x": pa.string()}
    )
    assert made.extras[0].field == pa.field("x", pa.string(), metadata=JSON_MARK)


def test_missing_text_column_is_named_with_what_was_found_and_the_remedy() -> None:
    message = r"0\.csv: no column 'text'; found 'id', 'Body'; name it with --columns text=Body"
    with pytest.raises(InputError, match=message):
        plan({"id": pa.string(), "Body": pa.string()})


def test_column_that_no_input_has_is_an_error() -> None:
    with pytest.raises(InputError, match=r"1\.csv: no column 'user', which --columns gives"):
        plan(
            {"text": pa.string(), "user": pa.string()},
            {"text": pa.string(), "usr": pa.string()},
            columns="author=user",
        )


@pytest.mark.parametrize("given", ["text", "text=", "title=x", "text=a,text=b"])
def test_columns_that_make_no_sense_are_wrong_usage(given: str) -> None:
    with pytest.raises(UsageError, match="--columns"):
        parse_columns(given)
