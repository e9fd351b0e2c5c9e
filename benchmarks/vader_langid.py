"""The peer: sentiment by VADER and language by py3langid, Parquet to Parquet.

    python benchmarks/vader_langid.py posts.parquet tagged.parquet --jobs 2

It reads and writes as murmure does (batches of 2,048 posts, zstd), in as many processes, and gives
two tags: VADER's sentiment, which knows English alone, and the language among py3langid's 97.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_ROWS = 2_048
_RESULTS = {
    "language": pa.string(),
    "language_score": pa.float32(),
    "sentiment": pa.string(),
    "sentiment_score": pa.float32(),
}
#: Where VADER's authors draw the line between neutral and the others.
_NEUTRAL = 0.05


@cache
def _analyzer() -> Any:  # noqa: ANN401 - the library is not typed
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    return SentimentIntensityAnalyzer()


def tag(texts: Sequence[str]) -> list[tuple[str, float, str, float]]:
    """Language and sentiment of each text, each with its score."""
    from py3langid.langid import classify

    polarity = _analyzer().polarity_scores
    tagged = []
    for text in texts:
        language, certainty = classify(text)
        compound = polarity(text)["compound"]
        sentiment = "neutral"
        if abs(compound) >= _NEUTRAL:
            sentiment = "positive" if compound > 0 else "negative"
        tagged.append((str(language), float(certainty), sentiment, float(compound)))
    return tagged


def main() -> None:
    """Tags a file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    # The processes begin before Arrow has threads.
    with multiprocessing.get_context("fork").Pool(options.jobs) as pool:
        source = pq.ParquetFile(options.input)
        waiting: list[pa.RecordBatch] = []

        def texts() -> Iterator[list[str]]:
            for batch in source.iter_batches(_ROWS):
                waiting.append(batch)
                yield batch.column("text").to_pylist()

        results = [pa.field(name, kind) for name, kind in _RESULTS.items()]
        schema = pa.schema([*source.schema_arrow, *results])
        with pq.ParquetWriter(options.output, schema, compression="zstd") as writer:
            for tagged in pool.imap(tag, texts()):
                columns = [
                    pa.array(column, field.type)
                    for column, field in zip(zip(*tagged, strict=True), results, strict=True)
                ]
                posts = waiting.pop(0).columns
                writer.write_batch(pa.RecordBatch.from_arrays([*posts, *columns], schema=schema))


if __name__ == "__main__":
    main()
