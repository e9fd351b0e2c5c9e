"""How cost grows: posts a second and memory, with the rows of a file and the length of its posts.

    python benchmarks/growth.py                              # posts made from data/sample
    python benchmarks/growth.py --corpora ../corpora --rows 1000000
    python benchmarks/growth.py --models fast --corpora ../corpora --folder /mnt/large

`murmure tag` from Parquet to Parquet, start-up included, from 1,000 posts to `--rows` (5 million)
by tens, and over posts of 5 to 500 tokens of the encoder, all of one length. Slow models stop at
`--base-rows`. A run of fewer than 10,000 rows is repeated `--rounds` times, with the median told.
Needs the extra `benchmarks`, and Linux.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.measuring import machine, versions, watch_memory
from benchmarks.throughput import read_texts, write_long_file
from murmure.tagging.encoder import TOKENIZER
from murmure.tagging.folder import ModelFolder
from murmure.text import encoder_texts

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_RESULTS = Path(__file__).parent / "results"
_PACKAGES = ("numpy", "pyarrow", "onnxruntime", "tokenizers")
_SEED = 20261122
#: Tokens of the encoder that the posts of a file have, all of them the same.
LENGTHS = (5, 10, 20, 30, 50, 100, 200, 500)
#: What `base` must reach with posts of so many tokens, on two cores.
TARGET_TOKENS, TARGET_POSTS_PER_SECOND = 30, 200
#: Posts of one length that a file has, by model; longer ones are fewer, down to a tenth.
_POSTS = {"fast": 200_000, "base": 2_048}
# With less time than this beyond start-up no speed is told.
_LEAST_SECONDS = 1.0
_LONG_RUN = 10_000
_KINDS = ("rss", "pss")


def sizes(most: int) -> list[int]:
    """Rows from a thousand on by tens, and the most itself.

    Example:
        >>> sizes(5_000_000), sizes(500)
        ([1000, 10000, 100000, 1000000, 5000000], [500])
    """
    found = []
    size = 1000
    while size < most:
        found.append(size)
        size *= 10
    return [*found, most]


def posts_of_length(
    texts: Sequence[str], tokenizer: Tokenizer, *, tokens: int, count: int
) -> list[str]:
    """Pieces of texts put together, of so many tokens each, give or take what cutting changes.

    Args:
        texts: any posts.
        tokenizer: which tokens are meant.
        tokens: how many, special ones left out.
        count: how many pieces.
    """
    chance = random.Random(_SEED + tokens)

    def pieces() -> Iterator[str]:
        while True:
            some = encoder_texts([chance.choice(texts) for _ in range(64)])
            joined = " ".join(some)
            offsets = tokenizer.encode(joined, add_special_tokens=False).offsets
            for first in range(0, len(offsets) - tokens + 1, tokens):
                piece = joined[offsets[first][0] : offsets[first + tokens - 1][1]].strip()
                if piece:
                    yield piece

    found: dict[str, None] = {}
    for piece in pieces():
        found[piece] = None
        if len(found) == count:
            return list(found)
    raise AssertionError("pieces never end")


def measure_files(
    sources: Sequence[Path], rows: int, options: argparse.Namespace, *, model: str, out: Path
) -> dict[str, Any]:
    """Tags files, again and again if they are short, and looks at the memory."""
    command = [
        sys.executable, "-m", "murmure", "tag", *map(str, sources), "-o", str(out),
        "--model", model, "--jobs", str(options.jobs),
    ]  # fmt: skip
    seconds, peaks = [], []
    for _ in range(options.rounds if rows < _LONG_RUN else 1):
        samples = list(watch_memory(command, every=options.every))
        manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
        shutil.rmtree(out)
        if manifest["tagged"] != rows:
            raise RuntimeError(f"{manifest['tagged']} posts tagged of {rows}")
        seconds.append(samples[-1].seconds)
        peaks.append({kind: max(getattr(one, kind) for one in samples) for kind in _KINDS})
    return {
        "rows": rows,
        "seconds": round(median(seconds), 2),
        "posts_per_second": round(rows / median(seconds)),
        "least": round(rows / max(seconds)),
        "most": round(rows / min(seconds)),
        "memory_mib": {kind: round(median(one[kind] for one in peaks), 1) for kind in _KINDS},
    }


def by_rows(
    texts: Sequence[str], options: argparse.Namespace, *, model: str, folder: Path
) -> list[dict[str, Any]]:
    """Measures files of more and more rows."""
    found = []
    most = options.rows if model == "fast" else options.base_rows
    for rows in sizes(most):
        source = folder / "posts.parquet"
        write_long_file(texts, rows, source)
        found.append(measure_files([source], rows, options, model=model, out=folder / "out"))
        sys.stderr.write(f"{model}, {rows:,} rows: {found[-1]}\n")
    return found


def by_length(
    texts: Sequence[str], options: argparse.Namespace, *, model: str, folder: Path
) -> list[dict[str, Any]]:
    """Measures files of longer and longer posts.

    `working_posts_per_second` leaves out what a file of one post takes.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(ModelFolder.open("base").path / TOKENIZER))
    # A file for each process: those of one file would wait for each other at its end.
    sources = [folder / f"posts-{number}.parquet" for number in range(options.jobs)]
    found = []
    start = None
    for tokens in LENGTHS:
        most = options.posts or _POSTS.get(model, _POSTS["base"])
        count = max(most // 10, min(most, most * TARGET_TOKENS // tokens))
        posts = posts_of_length(texts, tokenizer, tokens=tokens, count=count)
        if start is None:
            write_long_file(posts, 1, sources[0])
            first = measure_files(sources[:1], 1, options, model=model, out=folder / "out")
            start = first["seconds"]
        for number, source in enumerate(sources):
            mine = posts[number :: len(sources)]
            write_long_file(mine, len(mine), source)
        measured = measure_files(sources, count, options, model=model, out=folder / "out")
        working = measured["seconds"] - start
        # Less than start-up itself may differ by tells nothing.
        rate = round((count - 1) / working) if working >= _LEAST_SECONDS else None
        found.append({"tokens": tokens, **measured, "working_posts_per_second": rate})
        sys.stderr.write(f"{model}, {tokens} tokens: {found[-1]}\n")
    return found


def draw(result: Mapping[str, Any], file: Path) -> None:
    """Draws speed and memory by rows, and speed by length."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    colours = dict(zip(result["growth"], ("#b5542b", "#1f5f8b", "#777777"), strict=False))
    figure, (rates, memory, lengths) = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    for model, of in result["growth"].items():
        rows = [one["rows"] for one in of["by_rows"]]
        look = {"color": colours.get(model), "marker": "o", "label": model}
        rates.plot(rows, [one["posts_per_second"] for one in of["by_rows"]], **look)
        memory.plot(rows, [one["memory_mib"]["pss"] for one in of["by_rows"]], **look)
        tokens = [one["tokens"] for one in of["by_length"]]
        # A gap in the line where there is none.
        working = [one["working_posts_per_second"] or float("nan") for one in of["by_length"]]
        lengths.plot(tokens, working, **look)
    rates.set(xscale="log", yscale="log", xlabel="rows", ylabel="posts a second, start-up included")
    memory.set(xscale="log", ylim=(0, None), xlabel="rows", ylabel="peak memory (PSS), MiB")
    lengths.set(
        xscale="log",
        yscale="log",
        xlabel="tokens a post",
        ylabel="posts a second, start-up left out",
    )
    lengths.plot(
        TARGET_TOKENS, TARGET_POSTS_PER_SECOND, "x", color="black", label="target for base"
    )
    for axes in (rates, memory, lengths):
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False)
    figure.savefig(file, dpi=120)
    plt.close(figure)


def table(result: Mapping[str, Any]) -> str:
    """The result as two tables in Markdown."""
    lines = [
        "| model | rows | posts/s, start-up included | peak memory, MiB |",
        "|---|--:|--:|--:|",
    ]
    for model, of in result["growth"].items():
        lines += [
            f"| {model} | {one['rows']:,} | {one['posts_per_second']:,} | "
            f"{one['memory_mib']['pss']:,.0f} |"
            for one in of["by_rows"]
        ]
    models = list(result["growth"])
    lines += [
        "",
        "| tokens a post | " + " | ".join(f"{model}, posts/s" for model in models) + " |",
        "|--:|" + "--:|" * len(models),
    ]
    for place, tokens in enumerate(LENGTHS):
        rates = [
            result["growth"][model]["by_length"][place]["working_posts_per_second"]
            for model in models
        ]
        cells = ["–" if rate is None else f"{rate:,}" for rate in rates]
        lines.append(f"| {tokens} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def tell(result: Mapping[str, Any]) -> str:
    """Whether `base` is as fast as it must be, in a sentence of Markdown; "" without `base`."""
    if "base" not in result["growth"]:
        return ""
    lengths = result["growth"]["base"]["by_length"]
    rate = next(
        one["working_posts_per_second"] for one in lengths if one["tokens"] == TARGET_TOKENS
    )
    if rate is None:
        return ""
    met = "the target is met" if rate >= TARGET_POSTS_PER_SECOND else "the target is missed"
    return (
        f"`base` tags {rate:,} posts of {TARGET_TOKENS} tokens a second on "
        f"{result['settings']['jobs']} cores; {met} ({TARGET_POSTS_PER_SECOND})."
    )


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpora", type=Path, metavar="FOLDER")
    parser.add_argument("--models", nargs="+", default=["fast", "base"])
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--base-rows", type=int, default=10_000, help="for all models but fast")
    parser.add_argument("--posts", type=int, help="of one length; default: by model")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--every", type=float, default=0.1, help="seconds between looks at memory")
    parser.add_argument("--folder", type=Path, help="where there is room for the files")
    parser.add_argument("--output", type=Path, default=_RESULTS / "growth.json")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, writes the result as JSON, table and picture, and tells it."""
    options = _options(arguments)
    on = machine()
    texts, origin = read_texts(options.corpora)
    growth = {}
    with tempfile.TemporaryDirectory(prefix="murmure-growth-", dir=options.folder) as name:
        for model in options.models:
            growth[model] = {
                "fingerprint": ModelFolder.open(model).fingerprint,
                "by_rows": by_rows(texts, options, model=model, folder=Path(name)),
                "by_length": by_length(texts, options, model=model, folder=Path(name)),
            }
    result = {
        "benchmark": "growth",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": {"jobs": options.jobs, "rounds": options.rounds},
        "data": {"origin": origin},
        "machine": on,
        "versions": versions(_PACKAGES),
        "growth": growth,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    written = "\n\n".join(filter(None, [table(result), tell(result)])) + "\n"
    options.output.with_suffix(".md").write_text(written, encoding="utf-8")
    draw(result, options.output.with_suffix(".png"))
    sys.stdout.write(written)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
