"""What files cost: `murmure tag` from Parquet to Parquet beside the tagger alone, in memory.

    python benchmarks/throughput.py --corpora ../corpora              # fast, 500,000 posts
    python benchmarks/throughput.py --corpora ../corpora --model base --posts 6000
    python benchmarks/throughput.py --corpora ../corpora --sustained --posts 5000000

The first two take turns: in each round the posts are tagged in memory, by as many processes as
there are cores, each with its own predictor, loaded and warm before the clock starts; then the
whole command runs over the same posts in a file, start-up, hashes and all. The third tags one long
file in one go, looks at the memory of all processes all the while, and draws it. Needs the extra
`benchmarks`, and Linux.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.measuring import Memory, machine, time_command, versions, watch_memory
from benchmarks.posts import read_corpora, read_jsonl, splice

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

_ROOT = Path(__file__).parent.parent
_RESULTS = _ROOT / "benchmarks" / "results"
_SAMPLE = _ROOT / "data" / "sample" / "posts.jsonl"
_SEED = 20261122
#: Posts that are made, and written, at a time.
_AT_ONCE = 50_000
#: Posts that the tagger is given at a time, as in a run.
_WINDOW = 2_048
_MINUTE = 60.0


def write_long_file(texts: Sequence[str], count: int, file: Path) -> None:
    """Writes posts of real lengths, the texts themselves and pieces of two put together.

    Unlike `make_posts` it holds few at a time; now and then one comes twice.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    chance = random.Random(_SEED)
    schema = pa.schema([("id", pa.string()), ("text", pa.string())])
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for first in range(0, count, _AT_ONCE):
            numbers = range(first, min(first + _AT_ONCE, count))
            posts = [texts[n] if n < len(texts) else _made(texts, chance) for n in numbers]
            ids = [f"p{number}" for number in numbers]
            writer.write_table(pa.table({"id": ids, "text": posts}, schema=schema))


def _made(texts: Sequence[str], chance: random.Random) -> str:
    like, head, tail = (chance.choice(texts) for _ in range(3))
    return splice(like, head, tail, chance.random())


def _tag_in_memory(file: Path, model: str, share: tuple[int, int], ready: Barrier) -> None:
    """Tags every so-manieth window of a file's posts, which are in memory when the clock starts."""
    import pyarrow.parquet as pq

    from murmure.batch.worker import hide_unused, load_predictor

    hide_unused()
    texts = pq.read_table(file, columns=["text"])["text"].to_pylist()
    windows = [texts[at : at + _WINDOW] for at in range(0, len(texts), _WINDOW)]
    predictor = load_predictor(model, None)
    predictor.predict_columns(["Un café #ad", *windows[0][:64]])
    number, of = share
    ready.wait()
    for window in windows[number::of]:
        predictor.predict_columns(window)
    ready.wait()


def time_in_memory(file: Path, model: str, jobs: int) -> float:
    """Seconds in which so many processes tag a file's posts in memory, start-up left out.

    Raises:
        RuntimeError: one of them failed.
    """
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(jobs + 1, timeout=3600)
    workers = [
        context.Process(target=_tag_in_memory, args=(file, model, (number, jobs), ready))
        for number in range(jobs)
    ]
    for worker in workers:
        worker.start()
    ready.wait()
    began = time.perf_counter()
    ready.wait()
    seconds = time.perf_counter() - began
    for worker in workers:
        worker.join()
        if worker.exitcode:
            raise RuntimeError(f"tagging in memory ended with code {worker.exitcode}")
    return seconds


def command(source: Path, out: Path, options: argparse.Namespace) -> list[str]:
    """The command that is measured."""
    return [
        sys.executable, "-m", "murmure", "tag", str(source), "-o", str(out),
        "--model", options.model, "--jobs", str(options.jobs),
    ]  # fmt: skip


def compare(options: argparse.Namespace, source: Path, folder: Path) -> dict[str, Any]:
    """Tags in memory and from file to file, in turns."""
    memory, files = [], []
    out = folder / "out"
    for number in range(options.rounds + 1):
        in_memory = time_in_memory(source, options.model, options.jobs)
        from_file = time_command(command(source, out, options)).seconds
        shutil.rmtree(out)
        # The first round fills the file cache and is not counted.
        if number:
            memory.append(in_memory)
            files.append(from_file)
            sys.stderr.write(f"round {number}: {in_memory:.2f} s, {from_file:.2f} s\n")
    ratios = [one / other for one, other in zip(memory, files, strict=True)]
    return {
        "in_memory_posts_per_second": round(options.posts / median(memory)),
        "parquet_to_parquet_posts_per_second": round(options.posts / median(files)),
        "share_of_in_memory": round(median(ratios), 3),
        "share_least": round(min(ratios), 3),
        "share_most": round(max(ratios), 3),
        "rounds": [[round(a, 3), round(b, 3)] for a, b in zip(memory, files, strict=True)],
    }


def sustain(options: argparse.Namespace, source: Path, folder: Path) -> dict[str, Any]:
    """Tags a long file in one go, and looks at the memory."""
    out = folder / "out"
    samples: list[Memory] = []
    done: list[int] = []
    for now in watch_memory(command(source, out, options), every=options.every):
        samples.append(now)
        done.append(_rows_done(out))
        if len(samples) % 60 == 0:
            sys.stderr.write(f"{now.seconds:,.0f} s, {done[-1]:,} posts, {now.pss:.0f} MiB\n")
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    if manifest["rows"] != options.posts or manifest["tagged"] != options.posts:
        raise RuntimeError(f"{manifest['tagged']} posts tagged of {options.posts}")
    seconds = samples[-1].seconds
    first, last = minutes(samples)
    return {
        "seconds": round(seconds, 1),
        "posts_per_second": round(options.posts / seconds),
        "peak_mib": {name: round(max(getattr(s, name) for s in samples), 1) for name in _KINDS},
        "first_minute_mib": first,
        "last_minute_mib": last,
        "growth": {name: round(last[name] / first[name], 3) for name in _KINDS},
        "samples": [
            [round(s.seconds, 1), round(s.rss, 1), round(s.pss, 1), rows]
            for s, rows in thin(list(zip(samples, done, strict=True)))
        ],
    }


_KINDS = ("rss", "pss")
_MOST_SAMPLES = 600


def _rows_done(out: Path) -> int:
    try:
        return int(json.loads((out / "manifest.json").read_text(encoding="utf-8"))["rows"])
    except (FileNotFoundError, ValueError):
        return 0


def thin(samples: Sequence[Any]) -> list[Any]:
    """Few enough samples to be committed, the last among them.

    Example:
        >>> len(thin(range(10_000))) <= 600, thin(range(10_000))[-1], thin([1, 2])
        (True, 9999, [1, 2])
    """
    step = -(-len(samples) // (_MOST_SAMPLES - 1))
    return [*samples[: -1 : max(1, step)], *samples[-1:]]


def minutes(samples: Sequence[Memory]) -> tuple[dict[str, float], dict[str, float]]:
    """Mean memory in the first minute after start-up (a minute, too) and in the last one.

    Of a run that takes less than four minutes, a quarter each.
    """
    long = samples[-1].seconds
    span = min(_MINUTE, long / 4)
    ranges = ((span, 2 * span), (long - span, long))
    first, last = (
        {
            name: round(mean(getattr(s, name) for s in samples if low <= s.seconds <= high), 1)
            for name in _KINDS
        }
        for low, high in ranges
    )
    return first, last


def draw(result: dict[str, Any], file: Path) -> None:
    """Draws memory and posts done over time."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    seconds, rss, pss, rows = zip(*result["sustained"]["samples"], strict=True)
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    at = [second / 60 for second in seconds]
    axes.plot(at, rss, color="#b5542b", label="RSS of all processes")
    axes.plot(at, pss, color="#1f5f8b", label="PSS (shared pages once)")
    axes.axhline(600, color="#777777", linewidth=0.8, linestyle="--", label="600 MiB")
    axes.set(xlabel="minutes", ylabel="MiB", ylim=(0, None), xlim=(0, None))
    posts = axes.twinx()
    posts.plot(at, [row / 1e6 for row in rows], color="#999999", linewidth=0.8)
    posts.set(ylabel="million posts done", ylim=(0, None))
    of = result["settings"]
    axes.set_title(f"murmure tag, {of['model']}: {of['posts']:,} posts, {of['jobs']} processes")
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(file, dpi=120)


def read_texts(corpora: Path | None) -> tuple[list[str], str]:
    """Texts to make posts of, and where they are from."""
    if corpora is None:
        return read_jsonl(_SAMPLE), "data/sample/posts.jsonl, cut and spliced"
    return read_corpora(corpora), f"{corpora.name}/*/train.parquet, then spliced"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="fast")
    parser.add_argument("--posts", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--corpora", type=Path)
    parser.add_argument("--sustained", action="store_true")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between samples")
    parser.add_argument("--folder", type=Path, help="where there is room for the files")
    parser.add_argument("--output", type=Path, help="a file of JSON; the picture goes beside it")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes what came of it."""
    options = _options(arguments)
    kind = "sustained" if options.sustained else "throughput"
    output = options.output or _RESULTS / f"{kind}-{Path(options.model).name}.json"
    on = machine()
    texts, origin = read_texts(options.corpora)
    prefix = "murmure-throughput-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=options.folder) as name:
        folder = Path(name)
        source = folder / "posts.parquet"
        write_long_file(texts, options.posts, source)
        size = source.stat().st_size
        del texts
        measured = (sustain if options.sustained else compare)(options, source, folder)
    result = {
        "benchmark": kind,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": {name: getattr(options, name) for name in ("model", "posts", "rounds", "jobs")},
        "data": {"origin": origin, "bytes": size},
        "machine": on,
        "versions": versions(("numpy", "scipy", "pyarrow")),
        kind: measured,
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    if options.sustained:
        draw(result, output.with_suffix(".png"))
    told = {name: value for name, value in measured.items() if name not in {"rounds", "samples"}}
    sys.stderr.write(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
