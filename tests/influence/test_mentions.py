"""Mentions found at the time of counting, in posts tagged without the catalogue."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from murmure.batch.beside import MENTIONS_FOLDER
from murmure.catalog import Brand, Catalog
from murmure.errors import InputError, RunError
from murmure.influence import count, counting, mentions
from murmure.schema import mention_type, post_fields, result_fields
from murmure.tagging import Predictor
from tests.influence.test_counting import raw
from tests.runs import full_row, write_run
from tests.runs import run_schema as schema_of_run

CATALOG = Catalog([Brand(name="Brizelo", group="coffee"), Brand(name="Torvella", group="coffee")])

ROWS = [
    {"text": "Torvella ? Jamais eu de souci.", "author": "ana", "sentiment": "positive"},
    {"text": "Brizelo fuit, Torvella non.", "author": "bob", "sentiment": "negative"},
    {"text": "Rien à dire de personne.", "author": "cleo", "sentiment": "negative"},
]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that the run's model is asked to tag again; it likes Torvella, not Brizelo."""
    texts: list[str] = []

    def retag(some: Sequence[str]) -> pa.Array:
        texts.extend(some)
        row = full_row(
            {
                "mentions": [
                    {"entity": "Brizelo", "sentiment": "negative"},
                    {"entity": "Torvella", "sentiment": "positive"},
                ]
            }
        )
        return pa.array([row["mentions"] for _ in some], pa.list_(mention_type()))

    monkeypatch.setattr(counting, "_Retagger", lambda *_: retag)
    return texts


def test_only_posts_that_name_several_brands_are_tagged_again(
    tmp_path: Path, asked: list[str]
) -> None:
    counts = count(write_run(tmp_path / "run", ROWS, part_rows=2), catalog=CATALOG)
    assert asked == ["Brizelo fuit, Torvella non."]
    assert raw(counts, "influence", entity="Torvella") == 100
    assert raw(counts, "voices", entity="Torvella") == 2
    assert raw(counts, "influence", entity="Brizelo") == -100
    assert raw(counts, "share", entity="Brizelo") == 0.5
    assert raw(counts, "posts") == 2
    assert raw(counts, "influence") == 0  # of the two posts as they stand


def test_mentions_of_the_same_catalogue_are_read_and_not_looked_for(
    tmp_path: Path, asked: list[str]
) -> None:
    rows = [ROWS[1] | {"mentions": ["Brizelo"]}]
    told = {"fingerprint": CATALOG.fingerprint}
    counts = count(write_run(tmp_path / "run", rows, catalog=told), catalog=CATALOG)
    assert asked == []
    assert raw(counts, "posts", entity="Brizelo") == 1
    assert raw(counts, "posts", entity="Torvella") == 0


def test_the_same_catalogue_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "catalog.toml"
    file.write_text('[[brand]]\nname = "Torvella"\n', encoding="utf-8")
    told = {"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    rows = [ROWS[0] | {"mentions": ["Torvella"], "text": "elle est bien"}]
    run = write_run(tmp_path / "run", rows, catalog=told)
    assert raw(count(run, catalog=file), "posts", entity="Torvella") == 1
    file.write_text('[[brand]]\nname = "Torvella"\ngroup = "coffee"\n', encoding="utf-8")
    assert raw(count(run, catalog=file), "posts", entity="Torvella") == 0


def test_runs_with_different_catalogues_count_together_under_a_given_one(
    tmp_path: Path, asked: list[str]
) -> None:
    runs = [
        write_run(tmp_path / "one", [ROWS[0] | {"mentions": ["Marelle"]}]),
        write_run(tmp_path / "two", [ROWS[1]]),
    ]
    counts = count(runs, catalog=CATALOG)
    assert len(asked) == 1
    assert set(counts["entity"].to_pylist()) == {"all", "Brizelo", "Torvella"}
    assert raw(counts, "voices", entity="Torvella") == 2


class FakePredictor:
    """Stands in for the tagging package's: says which model and catalogue it was made with."""

    loaded: ClassVar[list[tuple[str, Catalog | None]]] = []

    def __init__(self, name: str, catalog: Catalog | None) -> None:
        self.loaded.append((name, catalog))
        self.fingerprint = "0" * 64

    @classmethod
    def from_pretrained(cls, name: str, *, catalog: Catalog | None = None) -> FakePredictor:
        """As the real one."""
        return cls(name, catalog)

    def predict_mentions(self, texts: Sequence[str]) -> pa.Array:
        """As the real one."""
        row = full_row({"sentiment": "positive", "mentions": ["Brizelo"]})
        return pa.array([row["mentions"] for _ in texts], pa.list_(mention_type()))


@pytest.fixture
def predictors(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Catalog | None]]:
    monkeypatch.setitem(sys.modules, "murmure.tagging", SimpleNamespace(Predictor=FakePredictor))
    monkeypatch.setattr(FakePredictor, "loaded", [])
    return FakePredictor.loaded


def test_posts_are_tagged_again_with_the_run_s_own_model(
    tmp_path: Path, predictors: list[tuple[str, Catalog | None]]
) -> None:
    counts = count(write_run(tmp_path / "run", ROWS), catalog=CATALOG)
    assert predictors == [("fast", CATALOG)]
    assert raw(counts, "influence", entity="Brizelo") == 100


def test_a_model_that_changed_since_the_run_is_refused(
    tmp_path: Path, predictors: list[tuple[str, Catalog | None]]
) -> None:
    run = write_run(tmp_path / "run", ROWS, fingerprint="1" * 64)
    with pytest.raises(RunError, match="run: tagged by another model than '/models/mine' is now"):
        count(run, catalog=CATALOG, model="/models/mine")
    assert predictors == [("/models/mine", CATALOG)]


def test_the_model_is_not_loaded_where_no_post_names_several_brands(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [ROWS[0]], model="/no/such/model")
    assert raw(count(run, catalog=CATALOG), "voices", entity="Torvella") == 1


def test_a_catalogue_may_be_given_as_a_file(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [ROWS[0]])
    file = tmp_path / "catalog.toml"
    file.write_text('[[brand]]\nname = "Torvella"\n', encoding="utf-8")
    assert raw(count(run, catalog=file), "voices", entity="Torvella") == 1
    with pytest.raises(InputError, match=r"nowhere\.toml"):
        count(run, catalog=tmp_path / "nowhere.toml")


def test_what_was_found_is_kept_beside_the_run(tmp_path: Path, asked: list[str]) -> None:
    run = write_run(tmp_path / "run", ROWS)
    first = count(run, catalog=CATALOG)
    assert len(asked) == 1
    assert count(run, catalog=CATALOG).equals(first)
    assert len(asked) == 1
    assert len(list((run / MENTIONS_FOLDER).iterdir())) == 1


def test_what_was_kept_of_other_posts_brands_or_models_is_not_used(
    tmp_path: Path, asked: list[str]
) -> None:
    run = write_run(tmp_path / "run", ROWS)
    count(run, catalog=CATALOG)
    fewer = Catalog([Brand(name="Torvella", group="coffee")])
    assert raw(count(run, catalog=fewer), "posts", entity="Torvella") == 2
    write_run(tmp_path / "run", [*ROWS, {"text": "Torvella et Brizelo"}])
    assert raw(count(run, catalog=CATALOG), "posts", entity="Torvella") == 3
    write_run(tmp_path / "run", [*ROWS, {"text": "Torvella et Brizelo"}], fingerprint="1" * 64)
    count(run, catalog=CATALOG)
    assert len(asked) == 1 + 2 + 2


def test_a_run_that_cannot_be_written_is_counted_all_the_same(
    tmp_path: Path, asked: list[str]
) -> None:
    run = write_run(tmp_path / "run", ROWS)
    (run / MENTIONS_FOLDER).write_text("no folder", encoding="utf-8")
    assert raw(count(run, catalog=CATALOG), "posts", entity="Torvella") == 2
    assert raw(count(run, catalog=CATALOG), "posts", entity="Torvella") == 2
    assert len(asked) == 2


def test_what_can_be_begun_but_not_finished_is_counted_all_the_same(
    tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(tmp_path / "run", ROWS)

    def removed(unfinished: Path, _: Path) -> None:
        unfinished.unlink()
        unfinished.parent.rmdir()
        raise FileNotFoundError(2, "No such file or directory")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for fails in (removed, full):
        monkeypatch.setattr(mentions, "put_in_place", fails)
        assert raw(count(run, catalog=CATALOG), "posts", entity="Torvella") == 2
        assert not list(run.glob(f"{MENTIONS_FOLDER}/*"))
    assert len(asked) == 4


def test_several_runs_each_keep_their_own(tmp_path: Path, asked: list[str]) -> None:
    nights = [write_run(tmp_path / f"[{night}]", ROWS[night:]) for night in range(2)]
    for _ in range(2):
        assert raw(count(nights, catalog=CATALOG), "posts", entity="Brizelo") == 2
    assert len(asked) == 2


def test_a_new_catalogue_gives_what_tagging_with_it_gives(tmp_path: Path) -> None:
    predictor = Predictor.from_pretrained("fast", catalog=CATALOG)
    plain = Predictor.from_pretrained("fast")
    texts = [
        "Torvella livre vite, mais la Brizelo fuit depuis hier",
        "love my Brizelo; Torvella support never answers",
        "Brizelo ou Torvella",
        "ma Torvella est top, Torvella rocks",
        "rien",
    ]
    kind = schema_of_run()
    runs = []
    for name, some in (("with", predictor), ("without", plain)):
        columns = some.predict_columns(texts).to_arrow()
        rows = [{"text": text} for text in texts]
        told = {"fingerprint": CATALOG.fingerprint} if name == "with" else None
        run = write_run(tmp_path / name, rows, fingerprint=some.fingerprint, catalog=told)
        table = pq.read_table(run / "part-00000.parquet", schema=kind)
        posts = [table[field.name].combine_chunks() for field in post_fields()]
        mended = pa.table(
            [*posts, *(c.cast(f.type) for c, f in zip(columns, result_fields(), strict=True))],
            schema=kind,
        )
        pq.write_table(mended, run / "part-00000.parquet")
        runs.append(run)
    stored, found = (count(run, catalog=CATALOG, by=["entity"]) for run in runs)
    assert found.to_pylist() == stored.to_pylist()
    assert raw(found, "posts", entity="Brizelo", promotion="all")


def test_only_the_sentences_that_mentions_rest_on_are_tagged() -> None:
    predictor = Predictor.from_pretrained("fast", catalog=CATALOG)
    texts = [
        "Torvella livre vite, mais la Brizelo fuit",
        "rien",
        "ma Torvella",
        "Brizelo, Torvella",
    ]
    expected = predictor.predict_columns(texts).to_arrow()[-1]
    assert predictor.predict_mentions(texts).equals(expected)
    assert len(predictor.predict_mentions([])) == 0
