"""How fast `murmure tag` is from Parquet to Parquet, and what memory it takes, beside a peer.

    python benchmarks/tagging.py                          # posts made from data/sample
    python benchmarks/tagging.py --corpora ../corpora     # the texts of all */train.parquet there

The peer is VADER for sentiment and py3langid for language (`vader_langid.py`), two of murmure's
five tags. Both read the same file in as many processes, one after the other in each round, and are
timed from their start to their end. Memory is measured in runs of its own, that of murmure also
for a file four times as long. Needs the extra `benchmarks`, and Linux.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import murmure
from benchmarks.measuring import Timing, machine, peak_memory, summarize, time_command, versions
from benchmarks.posts import make_posts, read_corpora, read_jsonl
from murmure.tagging.folder import ModelFolder

_HERE = Path(__file__).parent
_SAMPLE = _HERE.parent / "data" / "sample" / "posts.jsonl"
#: How much longer the file is that shows whether memory grows.
LONGER = 4
OURS, PEER = "murmure", "vader+py3langid"
_PACKAGES = ("numpy", "scipy", "pyarrow", "spacy", "vaderSentiment", "py3langid")

#: Makes the command that tags one file into another.
MakeCommand = Callable[[Path, Path], list[str]]


def commands(jobs: int, model: str) -> dict[str, MakeCommand]:
    """What is compared, by name."""
    peer = str(_HERE / "vader_langid.py")
    return {
        OURS: lambda source, out: [
            sys.executable, "-m", "murmure", "tag", str(source), "-o", str(out),
            "--model", model, "--jobs", str(jobs),
        ],
        PEER: lambda source, out: [
            sys.executable, peer, str(source), str(out), "--jobs", str(jobs)
        ],
    }  # fmt: skip


def write_posts(texts: Sequence[str], file: Path) -> None:
    """Writes posts as Parquet, with ids."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids = [f"p{number}" for number in range(len(texts))]
    pq.write_table(pa.table({"id": ids, "text": list(texts)}), file)


def check_rows(out: Path, rows: int) -> None:
    """Makes sure that every post was tagged, and removes the result.

    Raises:
        RuntimeError: some were not.
    """
    import pyarrow.parquet as pq

    files = sorted(out.glob("part-*.parquet")) if out.is_dir() else [out]
    found = sum(pq.read_metadata(file).num_rows for file in files)
    if found != rows:
        raise RuntimeError(f"{out.name}: {found} rows tagged of {rows}")
    if out.is_dir():
        shutil.rmtree(out)
    else:
        out.unlink()


def describe_posts(texts: Sequence[str], origin: str) -> dict[str, object]:
    """What a result says of its data: enough to know it again, and no text."""
    lengths = sorted(map(len, texts))
    return {
        "origin": origin,
        "posts": len(texts),
        "distinct": len(set(texts)),
        "characters_mean": round(sum(lengths) / len(lengths), 1),
        "characters_median": lengths[len(lengths) // 2],
        "characters_most": lengths[-1],
        "sha256": sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest(),
    }


def make_result(
    *,
    settings: Mapping[str, object],
    data: Mapping[str, object],
    on: Mapping[str, object],
    installed: Mapping[str, str],
    timings: Mapping[str, Sequence[Timing]],
    memory: Mapping[str, Mapping[str, float]],
) -> dict[str, Any]:
    """The result as it is written: what was measured, on what, and every round's times."""
    posts = int(str(data["posts"]))
    speed = {name: summarize(posts, of_name) for name, of_name in timings.items()}
    ours, longer = memory[OURS], memory[f"{OURS}, {LONGER} times the posts"]
    return {
        "benchmark": "tagging",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": dict(settings),
        "data": dict(data),
        "machine": dict(on),
        "versions": dict(installed),
        "speed": speed,
        "times_the_peer": round(
            speed[OURS]["posts_per_second"] / speed[PEER]["posts_per_second"], 2
        ),
        "memory_mib": {name: dict(found) for name, found in memory.items()},
        "memory_growth": {key: round(longer[key] / ours[key], 3) for key in ("rss", "pss")},
        "rounds": {
            name: [[round(one.seconds, 3), round(one.cpu_seconds, 3)] for one in of_name]
            for name, of_name in timings.items()
        },
    }


def tell(result: Mapping[str, Any]) -> str:
    """The result in a few lines.

    Example:
        >>> tell({"speed": {}, "times_the_peer": 7.5, "memory_mib": {}})
        '7.5 times the peer'
    """
    lines = [
        f"{name}: {of['posts_per_second']:,} posts/s ({of['least']:,} to {of['most']:,}), "
        f"{of['cpu_seconds']} s of processor time"
        for name, of in result["speed"].items()
    ]
    lines.append(f"{result['times_the_peer']} times the peer")
    lines += [
        f"{name}: at most {of['rss']} MiB RSS, {of['pss']} MiB PSS"
        for name, of in result["memory_mib"].items()
    ]
    return "\n".join(lines)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Runs everything, in a folder that can be thrown away."""
    if options.corpora is None:
        texts, origin = read_jsonl(_SAMPLE), "data/sample/posts.jsonl, cut and spliced"
    else:
        texts, origin = read_corpora(options.corpora), f"{options.corpora.name}/*/train.parquet"
        if len(texts) < options.posts * LONGER:
            origin += "; the longer file spliced"
    on = machine()
    many = make_posts(texts, options.posts * LONGER)
    posts = many[: options.posts]
    source, longer, out = folder / "posts.parquet", folder / "longer.parquet", folder / "out"
    write_posts(posts, source)
    write_posts(many, longer)
    compared = commands(options.jobs, options.model)
    timings: dict[str, list[Timing]] = {name: [] for name in compared}
    for number in range(options.rounds + 1):
        for name, command in compared.items():
            # The first round fills the file cache and is not counted.
            timing = time_command(command(source, out))
            check_rows(out, len(posts))
            if number:
                timings[name].append(timing)
                sys.stderr.write(f"round {number}, {name}: {timing.seconds:.2f} s\n")
    memory = {}
    for name, command in compared.items():
        memory[name] = peak_memory(command(source, out))
        check_rows(out, len(posts))
    memory[f"{OURS}, {LONGER} times the posts"] = peak_memory(compared[OURS](longer, out))
    check_rows(out, len(many))
    return make_result(
        settings={
            "rounds": options.rounds,
            "jobs": options.jobs,
            "model": options.model,
            "fingerprint": ModelFolder.open(options.model).fingerprint,
        },
        data=describe_posts(posts, origin),
        on=on,
        installed={**versions(_PACKAGES), "murmure": murmure.__version__},
        timings=timings,
        memory=memory,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, writes the result as JSON and tells it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpora", type=Path, metavar="FOLDER")
    parser.add_argument("--posts", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2, help="processes that tag")
    parser.add_argument("--model", default="fast")
    parser.add_argument("--output", type=Path, help="default: results/tagging[-FOLDER].json")
    options = parser.parse_args(arguments)
    name = "tagging" if options.corpora is None else f"tagging-{options.corpora.name}"
    output = options.output or _HERE / "results" / f"{name}.json"
    with tempfile.TemporaryDirectory(prefix="murmure-benchmark-") as folder:
        result = measure(options, Path(folder))
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    sys.stdout.write(f"{tell(result)}\nwritten to {output}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
