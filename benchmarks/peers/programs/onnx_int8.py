"""ONNX Runtime: one BERT a tag with int8 weights, as `pipelines --make --onnx` wrote them.

python -m benchmarks.peers.programs.onnx_int8 posts.parquet tagged.parquet --model FOLDER

Batches are in the order of the posts, padded to their longest.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from benchmarks.peers.programs.common import Tag, Tagged, parser, run

_LONGEST = 512


def _classifier(folder: Path, *, threads: int) -> Any:  # noqa: ANN401 - a function
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(_LONGEST)
    tokenizer.enable_padding()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    labels = json.loads((folder / "labels.json").read_text("utf-8"))

    def classify(texts: Sequence[str]) -> tuple[list[str], list[float]]:
        read = tokenizer.encode_batch(list(texts))
        given = {
            "input_ids": np.array([one.ids for one in read], np.int64),
            "attention_mask": np.array([one.attention_mask for one in read], np.int64),
        }
        logits = session.run(["logits"], given)[0]
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        best = logits.argmax(axis=1)
        scores = weights.max(axis=1) / weights.sum(axis=1)
        return [labels[label] for label in best], scores.tolist()

    return classify


def load(options: argparse.Namespace) -> Tag:
    """Reads the models."""
    classifiers = {
        folder.name: _classifier(folder, threads=options.threads)
        for folder in sorted(options.model.iterdir())
    }

    def tag(texts: Sequence[str]) -> Tagged:
        found: dict[str, tuple[list[str], list[float]]] = {}
        for name, classify in classifiers.items():
            labels: list[str] = []
            scores: list[float] = []
            for start in range(0, len(texts), options.batch):
                more, certain = classify(texts[start : start + options.batch])
                labels += more
                scores += certain
            found[name] = (labels, scores)
        return found

    return tag


if __name__ == "__main__":
    told = parser(__doc__)
    told.add_argument("--batch", type=int, default=1)
    told.add_argument("--threads", type=int, default=2)
    run(told.parse_args(), load)
