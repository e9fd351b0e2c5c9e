"""Where the time of `murmure tag --model base` goes, and how much of it is matrix products.

    python benchmarks/arithmetic.py                          # posts made from data/sample
    python benchmarks/arithmetic.py --corpora ../corpora     # those of all */train.parquet there

First a file is tagged from Parquet to Parquet by one process of one thread, and the processor time
of that thread is charged to what it is at: the encoder, the linear model beside it, tokenising,
normalising, disclosure rules; what is left of the process's time is reading, writing and all else.
Then the encoder runs over the batches of that file, in turns with a graph that holds nothing but
its matrix products: the same nodes with the same weights, on the values that enter them in the
encoder; those within attention as plain float32 products. Needs the extras `train` and
`benchmarks`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from benchmarks.measuring import machine, versions
from benchmarks.posts import make_posts, read_corpora, read_jsonl
from benchmarks.products import Arrays, attention_inputs, only_products, open_session, tell_all
from murmure.tagging.encoder import MODEL, EncoderModel
from murmure.tagging.folder import ModelFolder

_HERE = Path(__file__).parent
_SAMPLE = _HERE.parent / "data" / "sample" / "posts.jsonl"
_PACKAGES = ("numpy", "onnxruntime", "tokenizers", "pyarrow")
#: What is not arithmetic, and the most that it may take together.
OVERHEAD, MOST_OVERHEAD = (
    ("tokenising", "normalising", "disclosure rules", "reading, writing, other"),
    0.15,
)
#: How many times its own products a model may take.
MOST_TIMES_PRODUCTS = 1.5

#: One thread, in every library.
_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    "TOKENIZERS_PARALLELISM": "false",
}


class Clock:
    """Charges a thread's processor time to what it is at; what is inside counts there alone."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._stack: list[str] = []
        self._since = 0.0

    def _charge(self) -> None:
        now = time.thread_time()
        if self._stack:
            self.seconds[self._stack[-1]] += now - self._since
        self._since = now

    @contextmanager
    def at(self, what: str) -> Iterator[None]:
        """Charges what is done meanwhile."""
        self._charge()
        self._stack.append(what)
        try:
            yield
        finally:
            self._charge()
            self._stack.pop()

    def wrap(self, what: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Gives a function that does the same, and is charged."""

        def charged(*given: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever it is
            with self.at(what):
                return call(*given, **named)

        return charged


@contextmanager
def watching(clock: Clock) -> Iterator[None]:
    """Charges the parts of tagging to a clock meanwhile."""
    from murmure.batch import pool
    from murmure.tagging import encoder, linear, predictor

    places: list[tuple[Any, str, str]] = [
        (pool, "load_predictor", "loading"),
        (encoder.Reader, "read", "tokenising"),
        (encoder.EncoderModel, "_run_all", "encoder"),
        (encoder, "encoder_texts", "normalising"),
        (linear, "normalize_lines", "normalising"),
        (linear.LinearModel, "predict", "linear model"),
        (predictor, "find_all", "disclosure rules"),
    ]
    before = [getattr(owner, name) for owner, name, _ in places]
    try:
        for (owner, name, what), call in zip(places, before, strict=True):
            setattr(owner, name, clock.wrap(what, call))
        yield
    finally:
        for (owner, name, _), call in zip(places, before, strict=True):
            setattr(owner, name, call)


def split_time(source: Path, folder: Path, model: str) -> dict[str, float]:
    """Processor seconds of tagging a file, by what they went into, loading the model left out."""
    from murmure.batch import tag_file

    clock = Clock()
    with watching(clock):
        began = time.process_time()
        tag_file([source], folder, model=model, jobs=1, overwrite=True)
        whole = time.process_time() - began
    spent = dict(clock.seconds)
    whole -= spent.pop("loading", 0.0)
    return {**spent, "reading, writing, other": whole - sum(spent.values())}


@contextmanager
def _recording(batches: list[Arrays]) -> Iterator[None]:
    """Notes what the encoder is given."""
    from murmure.tagging import encoder

    before = encoder.EncoderModel._run

    def noted(self: EncoderModel, windows: Sequence[list[int]]) -> Any:  # noqa: ANN401
        width = max(map(len, windows))
        mask = np.array([[at < len(one) for at in range(width)] for one in windows])
        tokens = np.zeros(mask.shape, np.int64)
        tokens[mask] = np.concatenate(windows)
        batches.append({"input_ids": tokens, "attention_mask": mask.astype(np.int64)})
        return before(self, windows)

    encoder.EncoderModel._run = noted  # type: ignore[method-assign]
    try:
        yield
    finally:
        encoder.EncoderModel._run = before  # type: ignore[method-assign]


def compare_products(
    folder: ModelFolder, texts: Sequence[str], rounds: int
) -> tuple[list[float], list[float], int]:
    """Runs the encoder and its products over the batches of posts, in turns.

    Returns:
        per round the processor seconds of the encoder and of its products; and how many batches
        there were.
    """
    batches: list[Arrays] = []
    with _recording(batches):
        EncoderModel.load(folder, threads=1).encoder_logits(texts)
    # The first is what the model is tried on while it is loaded.
    batches = batches[1:]
    written = (folder.path / MODEL).read_bytes()
    products, taken, attention = only_products(written)
    within = [name for of in attention.values() for name in of[:3]]
    telling = open_session(tell_all(written, [*taken, *dict.fromkeys(within)]))
    names = [one.name for one in telling.get_outputs()]
    whole, alone = open_session(written), open_session(products)
    wanted = [one.name for one in alone.get_outputs()]
    model_seconds, product_seconds = [0.0] * rounds, [0.0] * rounds
    for given in batches:
        found = dict(zip(names, telling.run(names, given), strict=True))
        inputs = {name: found[name] for name in taken} | attention_inputs(found, attention)
        for number in range(rounds + 1):
            began = time.thread_time()
            whole.run(["logits"], given)
            between = time.thread_time()
            alone.run(wanted, inputs)
            # The first run fills the caches and is not counted.
            if number:
                model_seconds[number - 1] += between - began
                product_seconds[number - 1] += time.thread_time() - between
    return model_seconds, product_seconds, len(batches)


def nodes_by_time(folder: ModelFolder, texts: Sequence[str]) -> dict[str, float]:
    """Which share of the encoder's time goes into which kind of node."""
    import onnxruntime

    batches: list[Arrays] = []
    with _recording(batches):
        EncoderModel.load(folder, threads=1).encoder_logits(texts)
    with tempfile.TemporaryDirectory() as place:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(place) / "profile")
        session = onnxruntime.InferenceSession(
            str(folder.path / MODEL), options, providers=["CPUExecutionProvider"]
        )
        for given in batches:
            session.run(["logits"], given)
        events = json.loads(Path(session.end_profiling()).read_text("utf-8"))
    spent: dict[str, float] = defaultdict(float)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            spent[event["args"]["op_name"]] += event["dur"]
    total = sum(spent.values())
    ordered = sorted(spent.items(), key=lambda one: -one[1])
    return {name: round(of / total, 4) for name, of in ordered}


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Measures both."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    on = machine()
    if options.corpora is None:
        texts, origin = read_jsonl(_SAMPLE), "data/sample/posts.jsonl, cut and spliced"
    else:
        texts, origin = read_corpora(options.corpora), f"{options.corpora.name}/*/train.parquet"
    posts = make_posts(texts, options.posts)
    folder = ModelFolder.open(options.model)
    splits: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="murmure-arithmetic-") as place:
        source = Path(place) / "posts.parquet"
        ids = [f"p{number}" for number in range(len(posts))]
        pq.write_table(pa.table({"id": ids, "text": posts}), source)
        for number in range(options.rounds + 1):
            split = split_time(source, Path(place) / "out", str(folder.path))
            if number:
                splits.append(split)
                sys.stderr.write(f"round {number}: {sum(split.values()):.2f} s\n")
    model, products, batches = compare_products(folder, posts[: options.compared], options.rounds)
    seconds = {name: median(one[name] for one in splits) for name in splits[0]}
    overhead = [sum(one[name] for name in OVERHEAD) / sum(one.values()) for one in splits]
    ratios = [one / other for one, other in zip(model, products, strict=True)]
    return {
        "benchmark": "arithmetic",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": {
            "model": folder.name,
            "fingerprint": folder.fingerprint,
            "posts": len(posts),
            "posts_compared": min(options.compared, len(posts)),
            "batches_compared": batches,
            "rounds": options.rounds,
            "threads": 1,
        },
        "data": {"origin": origin, "posts": len(posts)},
        "machine": on,
        "versions": versions(_PACKAGES),
        "seconds": {name: round(spent, 4) for name, spent in seconds.items()},
        "share": {name: round(spent / sum(seconds.values()), 4) for name, spent in seconds.items()},
        "overhead": {
            "share": round(median(overhead), 4),
            "least": round(min(overhead), 4),
            "most": round(max(overhead), 4),
            "target": MOST_OVERHEAD,
        },
        "encoder": {
            "seconds": round(median(model), 4),
            "products_seconds": round(median(products), 4),
            "times_products": round(median(ratios), 3),
            "least": round(min(ratios), 3),
            "most": round(max(ratios), 3),
            "target": MOST_TIMES_PRODUCTS,
            "share_by_node": nodes_by_time(folder, posts[: min(256, options.compared)]),
        },
    }


def tell(result: Mapping[str, Any]) -> str:
    """The result in two sentences, in Markdown."""
    over, encoder = result["overhead"], result["encoder"]
    shares = ", ".join(f"{name} {share:.1%}" for name, share in result["share"].items())
    met = [
        "under" if over["share"] < over["target"] else "over",
        "within" if encoder["times_products"] <= encoder["target"] else "beyond",
    ]
    return (
        f"Of the processor time of `murmure tag --model {result['settings']['model']}`, tokenising,"
        f" normalising, disclosure rules, reading and writing together take {over['share']:.1%}, "
        f"{met[0]} the {over['target']:.0%} that we allow ourselves ({shares}). The encoder takes "
        f"{encoder['times_products']:.2f} times its own matrix products alone, {met[1]} the "
        f"{encoder['target']} that we allow ourselves."
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, writes the result as JSON and tells it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpora", type=Path, metavar="FOLDER")
    parser.add_argument("--posts", type=int, default=2_048, help="that are tagged")
    parser.add_argument("--compared", type=int, default=512, help="of them beside the products")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--model", default="base")
    parser.add_argument("--output", type=Path, default=_HERE / "results" / "arithmetic.json")
    options = parser.parse_args(arguments)
    if not os.environ.items() >= _ENVIRONMENT.items():
        # Some libraries look at these only while they are loaded.
        os.execve(sys.executable, sys.orig_argv, {**os.environ, **_ENVIRONMENT})
    result = measure(options)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    sys.stdout.write(f"{tell(result)}\nwritten to {options.output}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
