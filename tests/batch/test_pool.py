"""Worker processes: the same tags, and no post lost when one dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import wait
from pathlib import Path

import pyarrow as pa
import pytest

from murmure.batch.pool import InProcessTagger, PoolTagger, make_tagger
from murmure.batch.worker import share_freed
from murmure.errors import ModelError, RunError
from tests.batch.fakes import DEADLY, POISON, ROWLESS, FakePredictor, load_fake
from tests.processes import python


@pytest.fixture(scope="module", params=[False, True], ids=["apart", "shared"])
def pool(request: pytest.FixtureRequest) -> Iterator[PoolTagger]:
    tagger = PoolTagger("fast", catalog=None, jobs=2, load=load_fake, share=request.param)
    yield tagger
    tagger.close()


def test_workers_give_the_same_tags_in_the_order_asked(pool: PoolTagger) -> None:
    alone = InProcessTagger("fast", catalog=None, load=load_fake)
    chunks = [pa.array(["x" * (row + number) for row in range(9)]) for number in range(8)]
    futures = [pool.submit(chunk) for chunk in chunks]
    for chunk, future in zip(chunks, futures, strict=True):
        assert future.result() == alone.submit(chunk).result()


def test_poisonous_posts_are_told_apart_from_their_neighbours(pool: PoolTagger) -> None:
    texts = [POISON if row in {0, 5, 10} else f"post {row}" for row in range(11)]
    tagged, failed = pool.submit(pa.array(texts)).result()
    assert tagged.num_rows == 8
    assert failed == [(row, "could not be tagged: ValueError: poison") for row in (0, 5, 10)]


def test_post_that_kills_its_worker_is_found_and_the_others_are_tagged(pool: PoolTagger) -> None:
    texts = [DEADLY if row == 2 else f"post {row}" for row in range(4)]
    futures = [pool.submit(pa.array(texts)), pool.submit(pa.array(["a", "b"]))]
    wait(futures)
    tagged, failed = futures[0].result()
    assert tagged.num_rows == 3
    assert failed == [(2, "could not be tagged: the tagging process died on this post")]
    assert futures[1].result()[1] == []


@pytest.mark.parametrize("jobs", [1, 2])
def test_post_whose_tags_make_no_row_is_found_and_the_others_are_tagged(jobs: int) -> None:
    tagger = make_tagger("fast", catalog=None, jobs=jobs, load=load_fake)
    texts = [ROWLESS if row == 2 else f"post {row}" for row in range(4)]
    tagged, failed = tagger.submit(pa.array(texts)).result()
    tagger.close()
    assert tagged.num_rows == 3
    assert failed == [(2, "could not be tagged: ValueError: rowless")]


@pytest.mark.parametrize("which", [0, 1])
def test_worker_that_is_killed_costs_nothing(which: int, pool: PoolTagger) -> None:
    pool.describe()
    wait([pool.submit(pa.array(["a", "b"])) for _ in range(2)])
    killed = pool._workers[which].pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    results = [pool.submit(pa.array(["a", "b"])).result() for _ in range(3)]
    assert [failed for _, failed in results] == [[], [], []]


@pytest.mark.parametrize("jobs", [1, 2])
def test_model_that_cannot_be_loaded_is_told_as_its_own_error(jobs: int) -> None:
    tagger = make_tagger("missing", catalog=None, jobs=jobs, load=load_fake)
    with pytest.raises(ModelError, match=r"^no model is called 'missing'; murmure models"):
        tagger.describe()
    tagger.close()


def die(*_: object) -> FakePredictor:
    os._exit(7)


@pytest.mark.parametrize("share", [False, True])
def test_worker_that_dies_while_loading_is_an_error(share: bool) -> None:
    tagger = PoolTagger("fast", catalog=None, jobs=2, load=die, share=share)
    with pytest.raises(RunError, match="ended with code 7 while it loaded the model"):
        tagger.describe()
    tagger.close()


def test_workers_tag_without_arrow_and_spacy_without_torch(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text("")
    code = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
from murmure.batch.worker import hide_unused, load_predictor
hide_unused()
predictor = load_predictor("fast", None)
print(predictor.predict_columns(["Un café #ad"]).disclosures)
print([name for name in ("pyarrow", "torch", "spacy") if name in sys.modules])
import torch
"""
    done = python("-c", code)
    assert done.stdout.splitlines() == ["['#ad']", "['spacy']"]
    assert done.returncode == 0


def test_other_allocators_than_the_gnu_library_s_are_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def no_library(name: str | None) -> None:
        asked.append(name)
        raise OSError

    monkeypatch.setattr("ctypes.CDLL", no_library)
    share_freed()
    assert asked == [None]
