"""Whether training `base` further on 500 posts of a new domain pays on other posts of it.

    python -m benchmarks.own_corpus --corpora ../corpora                      # books_fr
    python -m benchmarks.own_corpus --corpora ../corpora --corpus absa16_fr

The corpus must be one that no shipped model was trained on, which is looked up in the manifest of
`base`; its posts that stand in another corpus of the folder too are left out. Each draw takes 500
posts and up to 680 others, no key on both sides, writes the first as a CSV, runs
`train.py --corpus` on it as a user would, with nothing set, and compares what comes out with `base`
on the others, as `murmure evaluate` does (paired bootstrap). Nothing is chosen by those others:
training keeps its own share of the 500 to stop by. Results go to `results/own-CORPUS.json`, figures
alone, which `benchmarks/readme.py` puts into docs/how-to/train.md.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.measuring import machine, time_command, versions
from murmure.errors import InputError, UsageError
from murmure.schema import TAGS
from murmure.tagging.folder import ModelFolder

_ROOT = Path(__file__).parent.parent
_RESULTS = _ROOT / "benchmarks" / "results"
_SAMPLE = _ROOT / "data" / "sample"
_PACKAGES = ("numpy", "onnxruntime", "torch", "transformers")

Row = Mapping[str, Any]


def read_posts(corpora: Path, name: str) -> list[dict[str, Any]]:
    """The labelled posts of a corpus, without those that another corpus of the folder holds.

    Raises:
        InputError: there is no such corpus.
        UsageError: `base` was trained on it.
    """
    import pyarrow.parquet as pq

    file = corpora / name / "train.parquet"
    if not file.is_file():
        raise InputError("no such corpus; name the folder with --corpora", file=file)
    if name not in ModelFolder.open("base").manifest["training"]["left_out"]:
        raise UsageError(f"--corpus {name}: base may have been trained on it; nothing would be new")
    others: set[str] = set()
    for other in sorted(corpora.glob("*/*.parquet")):
        if other.parent.name != name:
            others.update(pq.read_table(other, columns=["key"])["key"].to_pylist())
    rows = pq.read_table(file, columns=["text", "key", *TAGS]).to_pylist()
    return [row for row in rows if row["key"] not in others]


def labelled_tags(rows: Sequence[Row]) -> list[str]:
    """The tags that can be learnt from posts: those with two labels or more.

    Example:
        >>> labelled_tags(
        ...     [
        ...         {"language": "fr", "sentiment": "negative"},
        ...         {"language": "fr", "sentiment": "positive"},
        ...     ]
        ... )
        ['sentiment']
    """
    return [tag for tag in TAGS if len({row.get(tag) for row in rows} - {None}) > 1]


def draw(
    rows: Sequence[Row], tags: Sequence[str], *, train: int, held: int, seed: int
) -> tuple[list[Row], list[Row]]:
    """Posts to train on and others to measure on; of copies of a post, one.

    Args:
        rows: with `text`, `key` and the tags; those that have none of the tags are not drawn.
        tags: that are trained and measured.
        train: how many to train on.
        held: the most to measure on.
        seed: of the draw.

    Raises:
        UsageError: there are too few to leave any to measure on.
    """
    chance = random.Random(seed)
    mixed = [row for row in rows if any(row.get(tag) is not None for tag in tags)]
    chance.shuffle(mixed)
    distinct = list({row["key"]: row for row in mixed}.values())
    if len(distinct) <= train:
        raise UsageError(f"--rows {train}: there are {len(distinct)} distinct labelled posts")
    return distinct[:train], distinct[train : train + held]


def write_posts(rows: Sequence[Row], tags: Sequence[str], file: Path) -> None:
    """A CSV with `text` and the tags, as a user would have it; no label is an empty cell."""
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, ["text", *tags], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def measure(train: Sequence[Row], held: Sequence[Row], tags: Sequence[str]) -> dict[str, Any]:
    """Trains on some posts, and compares the new model with `base` on others.

    Returns:
        `trained_on`, `measured_on`; `seconds` and `cpu_seconds` of the training; `held` and
        `sample`, per tag what `training.comparing.compare` gives for the posts that were kept
        apart and for those of data/sample, which are of another domain.
    """
    from murmure.training.evaluation import evaluate

    with tempfile.TemporaryDirectory(prefix="murmure-own-") as name:
        folder = Path(name)
        write_posts(train, tags, folder / "mine.csv")
        write_posts(held, tags, folder / "held.csv")
        model = folder / "tuned"
        timing = time_command(
            [
                *(sys.executable, str(_ROOT / "train.py")),
                *("--corpus", str(folder / "mine.csv"), "-o", str(model)),
            ]
        )
        beside = ["base"]
        apart = evaluate([folder / "held.csv"], model=model, beside=beside)
        other = evaluate(
            [_SAMPLE / "posts.jsonl"], model=model, beside=beside, labels=_SAMPLE / "labels.csv"
        )
    if apart["rows"]["rejected"]:
        raise RuntimeError(f"{apart['rows']['rejected']} posts were rejected")
    return {
        "trained_on": len(train),
        "measured_on": len(held),
        "seconds": round(timing.seconds),
        "cpu_seconds": round(timing.cpu_seconds),
        "held": _rounded(apart["beside"]["base"]["compared"], tags),
        "sample": _rounded(other["beside"]["base"]["compared"], TAGS),
    }


def _rounded(compared: Mapping[str, Any], tags: Sequence[str]) -> dict[str, Any]:
    return {
        tag: {
            "posts": found["posts"],
            **{name: round(found[name], 4) for name in ("macro_f1", "other", "difference")},
            "interval": [round(bound, 4) for bound in found["interval"]],
        }
        for tag, found in compared.items()
        if tag in tags
    }


def read_results(folder: Path = _RESULTS) -> list[dict[str, Any]]:
    """What was measured, by name of the corpus."""
    return [json.loads(file.read_text("utf-8")) for file in sorted(folder.glob("own-*.json"))]


def tell(results: Sequence[Mapping[str, Any]]) -> str:
    """All that was measured as a table in Markdown, and in sentences what it comes to."""
    lines = [
        "| posts of | draw | tag | measured on | `base` | trained further | difference (95 %) |",
        "|---|--:|---|--:|--:|--:|--:|",
    ]
    for result in results:
        named = f"`{result['corpus']['name']}` ({result['corpus']['genre']})"
        for place, run in enumerate(result["draws"], 1):
            lines += [
                f"| {named} | {place} | {tag} | {found['posts']:,} | {found['other']:.3f} | "
                f"{found['macro_f1']:.3f} | {_difference(found)} |"
                for tag, found in run["held"].items()
            ]
    runs = [run for result in results for run in result["draws"]]
    found = [one for run in runs for one in run["held"].values()]
    better = sum(one["interval"][0] > 0 for one in found)
    worse = sum(one["interval"][1] < 0 for one in found)
    counts = " or ".join(f"{count:,}" for count in sorted({run["trained_on"] for run in runs}))
    minutes = [run["cpu_seconds"] / 60 for run in runs]
    lines += [
        "",
        f"Macro-F1 on posts that neither model has seen, after training on {counts} others, all "
        "drawn anew each time, with a paired bootstrap. Better beyond doubt: "
        f"{better} of {len(found)}; worse beyond doubt: {worse}. On the sample posts, which are of "
        f"another domain, the change was {_changes(runs)} on average. Training took "
        f"{min(minutes):.1f} to {max(minutes):.1f} minutes of one core "
        f"({results[0]['machine']['processor']}).",
        "",
        "Made with `python -m benchmarks.own_corpus --corpora FOLDER --corpus NAME`.",
    ]
    return "\n".join(lines) + "\n"


def _difference(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return f"{found['difference']:+.3f} ({low:+.3f} to {high:+.3f})"


def _changes(runs: Sequence[Mapping[str, Any]]) -> str:
    told = []
    for tag in runs[0]["sample"]:
        changes = [run["sample"][tag]["difference"] for run in runs]
        told.append(f"{tag} {sum(changes) / len(changes):+.3f}")
    return ", ".join(told)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpora", type=Path, metavar="FOLDER", required=True)
    parser.add_argument("--corpus", metavar="NAME", default="books_fr")
    parser.add_argument("--rows", type=int, default=500, help="that are trained on")
    parser.add_argument("--held", type=int, default=680, help="the most that are measured on")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2], help="one a draw")
    parser.add_argument("--output", type=Path, metavar="FILE")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and writes the result."""
    from murmure.training.licences import read_cards

    options = _options(arguments)
    on = machine()
    rows = read_posts(options.corpora, options.corpus)
    tags = labelled_tags(rows)
    draws = []
    for seed in options.seeds:
        train, held = draw(rows, tags, train=options.rows, held=options.held, seed=seed)
        draws.append({"seed": seed, **measure(train, held, tags)})
        sys.stderr.write(json.dumps(draws[-1]) + "\n")
    result = {
        "benchmark": "own corpus",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "corpus": {
            "name": options.corpus,
            "genre": read_cards([options.corpora]).of_corpus(options.corpus).genre,
        },
        "settings": {"base": ModelFolder.open("base").fingerprint},
        "machine": on,
        "versions": versions(_PACKAGES),
        "draws": draws,
    }
    output = options.output or _RESULTS / f"own-{options.corpus}.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
