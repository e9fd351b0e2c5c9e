"""Windows of texts, and reading ahead."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmure.batch.flow import Window, read_ahead
from tests.batch.fakes import FakeColumns, FakePredictor
from tests.batch.runs import rows, tag


@given(
    st.lists(st.sampled_from(["", "a", "é", "bb", "ccc", "dddd", "☕☕"]), max_size=30), st.data()
)
def test_every_post_gets_what_belongs_to_its_text(texts: list[str], data: st.DataObject) -> None:
    window = Window.of(pa.array(texts, pa.string()))
    seen = window.texts.to_pylist()
    assert len(set(seen)) == len(seen)
    assert [len(text) for text in seen] == sorted(map(len, seen))
    lost = data.draw(st.sets(st.sampled_from(seen))) if seen else set()
    tagged = pa.RecordBatch.from_arrays(
        [pa.array([text for text in seen if text not in lost], pa.string())], names=["t"]
    )
    failed = [(position, f"no {text}") for position, text in enumerate(seen) if text in lost]
    spread, told = window.spread(tagged, failed)
    assert spread.column("t").to_pylist() == [text for text in texts if text not in lost]
    assert told == [(at, f"no {text}") for at, text in enumerate(texts) if text in lost]


class Watched(FakePredictor):
    """Remembers what it was asked."""

    asked: list[list[str]]

    def predict_columns(self, texts: Sequence[str], /) -> FakeColumns:
        """Tags texts."""
        self.asked.append(list(texts))
        return super().predict_columns(texts)


def test_same_text_is_tagged_once_a_window_and_short_ones_first(tmp_path: Path) -> None:
    texts = ["ccc", "a", "ccc", "bb", "a", "dddd", "a"]
    lines = [json.dumps({"text": text}) for text in texts]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    predictor = Watched("fast", "0" * 64)
    predictor.asked = []
    options: dict[str, Any] = {"load_predictor": lambda *_: predictor, "chunk_rows": 5}
    tag(tmp_path / "a.jsonl", tmp_path / "out", **options)
    assert predictor.asked == [["a", "bb", "ccc"], ["a", "dddd"]]
    found = rows(tmp_path / "out")
    assert [row["text"] for row in found] == texts
    assert len({row["sentiment"] for row in found if row["text"] == "ccc"}) == 1


def test_reading_goes_on_while_somebody_else_works() -> None:
    read: list[int] = []
    third = threading.Event()

    def numbers() -> Iterator[int]:
        for number in range(5):
            read.append(number)
            if number == 2:
                third.set()
            yield number

    ahead: Any = read_ahead(numbers())  # type: ignore[arg-type]
    assert next(ahead) == 0
    assert third.wait(20)
    assert list(ahead) == [1, 2, 3, 4]


def test_fault_of_reading_comes_after_what_was_read() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    ahead: Any = read_ahead(numbers())  # type: ignore[arg-type]
    assert next(ahead) == 1
    with pytest.raises(OSError, match="gone"):
        next(ahead)


def test_reader_that_is_given_up_is_closed() -> None:
    closed = threading.Event()

    def numbers() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.set()

    ahead: Any = read_ahead(numbers())  # type: ignore[arg-type]
    assert next(ahead) == 0
    ahead.close()
    assert closed.is_set()
    assert not [one for one in threading.enumerate() if one.name == "murmure-reader"]
