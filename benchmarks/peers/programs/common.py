"""From Parquet to Parquet as murmure does it, whatever tags the posts in between.

Run in the peers' environments: it needs pyarrow and nothing else.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

#: Per tag the labels of so many posts, and their scores.
Tagged = Mapping[str, tuple[Sequence[str], Sequence[float]]]
#: Tags so many posts.
Tag = Callable[[Sequence[str]], Tagged]

_loaded: list[Tag] = []


def _tag(texts: Sequence[str]) -> Tagged:
    return _loaded[0](texts)


def _results(
    batches: Iterator[pa.RecordBatch], *, jobs: int
) -> Iterator[tuple[pa.RecordBatch, Tagged]]:
    if jobs == 1:
        for batch in batches:
            yield batch, _tag(batch.column("text").to_pylist())
        return
    # The model is read before the processes part, so that they share it.
    with multiprocessing.get_context("fork").Pool(jobs) as pool:
        waiting: deque[pa.RecordBatch] = deque()

        def texts() -> Iterator[list[str]]:
            for batch in batches:
                waiting.append(batch)
                yield batch.column("text").to_pylist()

        for tagged in pool.imap(_tag, texts()):
            yield waiting.popleft(), tagged


def parser(description: str | None) -> argparse.ArgumentParser:
    """What every program is told."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("input", type=Path)
    made.add_argument("output", type=Path)
    made.add_argument("--jobs", type=int, default=2, help="processes of one thread")
    made.add_argument("--model", type=Path)
    made.add_argument("--rows", type=int, default=2_048, help="posts that are read together")
    return made


def run(options: argparse.Namespace, load: Callable[[argparse.Namespace], Tag]) -> None:
    """Tags a file.

    Args:
        options: as `parser` reads them.
        load: reads the model.
    """
    # Arrow's threads begin after the processes have parted.
    _loaded.append(load(options))
    source = pq.ParquetFile(options.input)
    writer: pq.ParquetWriter | None = None
    for batch, tagged in _results(source.iter_batches(options.rows), jobs=options.jobs):
        names = [*batch.schema.names]
        columns = [*batch.columns]
        for tag, (labels, scores) in tagged.items():
            names += [tag, f"{tag}_score"]
            columns += [pa.array(labels, pa.string()), pa.array(scores, pa.float32())]
        table = pa.RecordBatch.from_arrays(columns, names=names)
        if writer is None:
            writer = pq.ParquetWriter(options.output, table.schema, compression="zstd")
        writer.write_batch(table)
    if writer is not None:
        writer.close()
    # The libraries' threads and large models take long to clear away, which is nobody's work.
    os._exit(0)
