"""Tagging on a cluster of two workers, against a local run of the same rows."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from murmure.batch import tag_file
from murmure.batch.spark import CORRUPT, Tagged, made_id, tag
from murmure.errors import InputError, RunError, UsageError
from murmure.schema import TAGS
from murmure.tagging.folder import default_model
from tests.batch.fakes import FakeColumns, FakePredictor
from tests.clusters import cluster, needs_cluster

CATALOG = """
[[brand]]
name = "Brizelo"
group = "coffee"

[[brand]]
name = "Torvella"
group = "coffee"
"""

TEXTS = (
    "Ma Brizelo fuit de partout depuis hier, service client injoignable 😡",
    "J'adore ma Brizelo, mais la Torvella de ma sœur est une catastrophe",
    "Great coffee every morning since we bought the Torvella",
    "Brizelo delivery was three weeks late and nobody answers. Torvella came in two days.",
    "#ad Torvella has sent me this machine",
    "merci !",
    "",
    "   ",
    None,
)


def posts() -> pa.Table:
    rows = [
        {
            "id": f"p{number:03d}",
            "text": TEXTS[number % len(TEXTS)],
            "author": f"author {number % 5}" if number % 4 else None,
            "created_at": datetime(2026, 3, 1 + number % 28, 12, tzinfo=UTC),
            "likes": number if number % 3 else None,
            "Sentiment": "theirs",
            "place": {"city": "Lyon", "tags": ["a", None]},
        }
        for number in range(60)
    ]
    return pa.Table.from_pylist(rows)


def local_run(source: Path, out: Path, **options: Any) -> tuple[pa.Table, list[dict[str, Any]]]:
    tag_file(source, out, jobs=1, **options)
    parts = [pq.read_table(part) for part in sorted(out.glob("part-*.parquet"))]
    lines = (out / "rejects.jsonl").read_text("utf-8").splitlines()
    return pa.concat_tables(parts), [json.loads(line) for line in lines]


def by_id(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: str(row["id"]))


def split(done: Tagged) -> tuple[pa.Table, list[dict[str, Any]]]:
    """Posts and rejects, from one pass over the frame."""
    rows = done.rows.toArrow()
    told = rows[done.reject]
    rejects = [reject for reject in told.to_pylist() if reject is not None]
    return rows.filter(told.is_null()).drop_columns([done.reject]), rejects


@needs_cluster
def test_the_rows_are_those_of_a_local_run(tmp_path: Path) -> None:
    source, catalog = tmp_path / "posts.parquet", tmp_path / "catalog.toml"
    pq.write_table(posts(), source)
    catalog.write_text(CATALOG)
    frame = cluster().read.parquet(str(source)).repartition(3)
    found, rejects = split(tag(frame, model="fast", catalog=catalog))
    expected, expected_rejects = local_run(source, tmp_path / "run", model="fast", catalog=catalog)
    assert found.schema.names == expected.schema.names
    for name in expected.schema.names:
        if not (name.endswith("_probabilities") or name == "mentions"):
            assert found.schema.field(name).type == expected.schema.field(name).type, name
    assert by_id(found.to_pylist()) == by_id(expected.to_pylist())
    assert len(rejects) == 18
    assert by_id(rejects) == [
        {name: reject[name] for name in ("id", "author", "reason", "raw")}
        for reject in by_id(expected_rejects)
    ]


WHO = ("Ma sœur", "J'", "My neighbour", "On dit que Brizelo", "The shop in Lyon", "Franchement, il")
WHAT = ("a cassé", "adore", "returned", "vend", "waits for", "a reçu", "never got", "recommande")
THING = ("la Torvella", "sa Brizelo", "the grinder", "le café en grains", "the parcel", "le moulin")
MOOD = ("😡", "et c'est parfait.", "after two days, awful service", "", "#ad", "merci beaucoup !")


def varied_posts(count: int) -> pa.Table:
    texts = [" ".join(words) for words in product(WHO, WHAT, THING, MOOD)]
    step = len(texts) // count
    return pa.table({"id": [f"v{n:04d}" for n in range(count)], "text": texts[::step][:count]})


@pytest.mark.skipif(default_model() != "base", reason="no model `base` is shipped")
@needs_cluster
def test_base_gives_the_labels_of_a_local_run(tmp_path: Path) -> None:
    source = tmp_path / "posts.parquet"
    pq.write_table(varied_posts(200), source)
    frame = cluster().read.parquet(str(source)).repartition(2)
    found, rejects = split(tag(frame, model="base"))
    expected, _ = local_run(source, tmp_path / "run", model="base")
    assert not rejects
    names = ["id", *TAGS]
    theirs, ours = (by_id(table.select(names).to_pylist()) for table in (found, expected))
    assert [row["id"] for row in theirs] == [row["id"] for row in ours]
    labels = [
        (one[name], other[name]) for one, other in zip(theirs, ours, strict=True) for name in TAGS
    ]
    assert all(len({row[name] for row in ours}) > 1 for name in TAGS)
    assert sum(one == other for one, other in labels) >= 0.999 * len(labels)


@needs_cluster
def test_what_spark_cannot_read_goes_to_the_rejects(tmp_path: Path) -> None:
    lines = [
        '{"id": "a", "text": "merci !", "likes": 3}',
        '{"id": "b", "text": "mer',
        '{"id": "c", "text": null}',
        '{"id": "d", "text": "POISON"}',
        '{"id": "e", "text": "ok", "likes": "many"}',
    ]
    (tmp_path / "posts.jsonl").write_text("\n".join(lines) + "\n")
    columns = "id string, text string, likes long, _corrupt_record string"
    frame = cluster().read.schema(columns).json(str(tmp_path / "posts.jsonl"))
    done = tag(frame, model="fake", load_predictor=load_watched)
    assert "_corrupt_record" not in done.rows.columns
    found, rejects = split(done)
    assert found["id"].to_pylist() == ["a"]
    assert [(row["id"], row["reason"], row["raw"]) for row in by_id(rejects)] == [
        (None, CORRUPT, lines[1]),
        ("c", "text is null", None),
        ("d", "could not be tagged: ValueError: poison", "POISON"),
        ("e", CORRUPT, lines[4]),
    ]


class Watched(FakePredictor):
    """A predictor that kills its own process, then Spark's that started it, each once."""

    def __init__(self, folder: Path) -> None:
        super().__init__("watched", "w" * 64)
        self._folder = folder

    def predict_columns(self, texts: Sequence[str], /) -> FakeColumns:
        """Tags texts, where it lives to."""
        if any("first death" in text for text in texts) and self._first_time("worker"):
            os.kill(os.getpid(), signal.SIGKILL)
        if any("second death" in text for text in texts) and self._first_time("executor"):
            os.kill(_parent(os.getppid()), signal.SIGKILL)
        return super().predict_columns(texts)

    def _first_time(self, what: str) -> bool:
        try:
            (self._folder / what).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def _parent(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("PPid:")[2].split()[0])


def load_watched(model: str, catalog: Path | None) -> FakePredictor:  # noqa: ARG001
    """Loads it, and notes that it was; `model` is the folder for that, where it is one."""
    if not Path(model).is_dir():
        return FakePredictor(model, "f" * 64)
    with (Path(model) / "loaded").open("a") as file:
        file.write(f"{os.getpid()}\n")
    return Watched(Path(model))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="finds its killer's victim in /proc")
@needs_cluster
def test_a_killed_worker_and_a_killed_executor_change_nothing(tmp_path: Path) -> None:
    texts = [f"post {number}" for number in range(40)] + ["first death", "second death"]
    frame = cluster().createDataFrame([(text,) for text in texts], "text string").repartition(8)
    done = tag(frame, model=tmp_path, chunk_rows=2, load_predictor=load_watched)
    found, rejects = split(done)
    assert {"worker", "executor"} <= {file.name for file in tmp_path.iterdir()}
    assert sorted(found["text"].to_pylist()) == sorted(texts)
    assert not rejects
    # Ids that are made depend on the rows alone.
    assert {row["text"]: row["id"] for row in found.select(["id", "text"]).to_pylist()} == {
        text: made_id({"text": text}) for text in texts
    }
    # Eight tasks and more, and each process loaded the model once.
    processes = (tmp_path / "loaded").read_text().split()
    assert 2 <= len(processes) < 8
    assert len(set(processes)) == len(processes)


def test_author_of_a_row_that_is_not_utf8_is_known_by_the_column_named_for_it() -> None:
    from murmure.batch.columns import make_plan
    from murmure.batch.spark import Setup, _Work

    texts = pa.array([b"caf\xe9", b"ok"], pa.binary()).view(pa.string())
    batch = pa.record_batch({"text": texts, "user": ["ana", "ben"]})
    plan = make_plan([("the frame", batch.schema)], {"author": "user"})
    setup = Setup("fake", None, None, load_watched)
    work = _Work(
        plan=plan, schema=plan.schema(), corrupt=None, setup=setup, chunk_rows=9, max_text=99
    )
    [reject] = work._chunk(batch).rejects
    assert (reject.author, reject.reason) == ("ana", "not UTF-8: column 'text'")


@needs_cluster
def test_columns_that_are_not_there_are_refused_at_once() -> None:
    session = cluster()
    frame = session.createDataFrame([], "body string, number long")
    with pytest.raises(InputError, match=r"the frame.*text=body"):
        tag(frame)
    with pytest.raises(InputError, match="holds int64, not text"):
        tag(frame, columns="text=number")
    with pytest.raises(UsageError, match="no column 'broken'"):
        tag(frame, columns="text=body", corrupt="broken")
    done = tag(frame, columns="text=body")
    assert done.posts.columns[:2] == ["id", "text"]
    assert done.posts.columns[7] == "number"
    assert set(TAGS) <= set(done.posts.columns)
    assert done.rejects.columns == ["id", "author", "reason", "raw"]


def test_another_model_on_a_worker_is_refused() -> None:
    from murmure.batch.spark import Setup, load_tagger
    from murmure.batch.worker import load_predictor

    with pytest.raises(RunError, match="another on this worker"):
        load_tagger(Setup("fast", "0" * 64, None, load_predictor))
