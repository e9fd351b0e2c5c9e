"""Streams of posts: order and length kept, errors as values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmure import Predictor
from murmure.errors import InputError, UsageError
from murmure.schema import Tags
from murmure.tagging.piping import Errors, pipe


class PoisonError(Exception):
    """What the model of these tests says of an odd number."""


def predict(numbers: Sequence[int]) -> list[Any]:
    if any(number % 2 for number in numbers):
        raise PoisonError
    return [f"tags of {number}" for number in numbers]


def values(numbers: Any, *, errors: Errors = "return", batch_size: int = 4) -> Iterator[Any]:
    return pipe(predict, numbers, batch_size=batch_size, errors=errors)


@given(st.lists(st.integers(0, 99)), st.integers(1, 9))
def test_every_post_has_its_value_in_its_place(numbers: list[int], batch_size: int) -> None:
    found = list(values(iter(numbers), batch_size=batch_size))
    assert len(found) == len(numbers)
    for number, value in zip(numbers, found, strict=True):
        assert isinstance(value, PoisonError) if number % 2 else value == f"tags of {number}"


def test_all_posts_before_the_first_error_are_given_where_it_is_raised() -> None:
    stream = values([0, 2, 3, 4], errors="raise")
    assert [next(stream), next(stream)] == ["tags of 0", "tags of 2"]
    with pytest.raises(PoisonError):
        next(stream)


@pytest.mark.parametrize("errors", ["raise", "return"])
def test_fault_of_the_source_comes_after_what_it_gave(errors: Errors) -> None:
    def broken() -> Iterator[int]:
        yield from (0, 2)
        raise OSError("gone")

    stream = values(broken(), errors=errors)
    assert [next(stream), next(stream)] == ["tags of 0", "tags of 2"]
    with pytest.raises(OSError, match="gone"):
        next(stream)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"batch_size": 0}, "batch_size: expected 1"), ({"errors": "skip"}, "errors: expected")],
)
def test_options_that_make_no_sense_are_refused_at_once(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        values([1], **options)


def test_predictor_gives_errors_as_values_if_asked() -> None:
    predictor = Predictor.from_pretrained("fast")
    posts: list[Any] = ["Bon café", {"body": "?"}, 7, {"text": "Très bon"}, ""]
    found = list(predictor.pipe(iter(posts), batch_size=3, errors="return"))
    kinds = [type(value) for value in found]
    assert kinds == [Tags, InputError, UsageError, Tags, Tags]
    assert [found[0], found[3]] == predictor.predict(["Bon café", "Très bon"])
    with pytest.raises(InputError, match="column 'text'"):
        list(predictor.pipe(posts))
