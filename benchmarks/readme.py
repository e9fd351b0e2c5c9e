"""Writes the figures of README.md from the shipped model's manifest and `murmure evaluate`.

Run `python benchmarks/readme.py` after a training; `--check` only tells whether it is needed.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from murmure.training.evaluation import evaluate

ROOT = Path(__file__).parent.parent
_PLACE = re.compile(r"(<!-- figures -->\n).*?(<!-- /figures -->)", re.DOTALL)


def figures(metrics: Mapping[str, Any], sample: Mapping[str, Any]) -> str:
    """Give the table of README.md, in Markdown.

    Args:
        metrics: `metrics` of a model's manifest.
        sample: what `evaluate` says of the sample posts.
    """
    lines = [
        "| macro-F1 of `fast` | cross-fitted | drawn at random | calibration error "
        "| sample posts |",
        "|---|---|---|---|---|",
    ]
    for tag, scores in metrics["cross_fitted"].items():
        drawn = metrics["cross_fitted_source"][tag]
        written = sample["tags"][tag]
        low, high = scores["interval"]
        lines.append(
            f"| {tag} | {scores['macro_f1']:.3f} ({low:.3f}–{high:.3f}) | {drawn['macro_f1']:.3f} "
            f"| {drawn['calibration_error']:.3f} | {written['macro_f1']:.3f} |"
        )
    posts = metrics["cross_fitted"]["sentiment"]["posts"]
    random = metrics["cross_fitted_source"]["sentiment"]["posts"]
    praise = metrics["sponsored"]["organic_praise"]
    shared = metrics["cross_fitted"]["experience"]["labels"]["shared"]["f1"]
    lines += [
        "",
        f"Cross-fitted in five folds over {posts:,} labelled posts, with the 95 % "
        f"bootstrap interval; the next two columns over the {random:,} that were drawn at random "
        f"within their source; the last over the {sample['rows']['tagged']} posts of "
        "`data/sample`, written for this project and never trained on, with "
        "`murmure evaluate data/sample/posts.jsonl --labels data/sample/labels.csv`. Second-hand "
        f"experiences are rare and hard (`shared`: F1 {shared:.2f}). Customers who praise with no "
        f"sign of an interest are called sponsored in {praise['called_sponsored']:.1%} of cases. "
        "All figures, by label and source, are in "
        "[`models/fast/README.md`](models/fast/README.md).",
        "",
    ]
    return "\n".join(lines)


def speed(measured: Mapping[str, Any]) -> str:
    """Tell in a paragraph how fast tagging is.

    Args:
        measured: what `benchmarks/tagging.py` wrote.
    """
    own, machine = measured["speed"]["murmure"], measured["machine"]
    memory = measured["memory_mib"]["murmure"]
    return (
        f"On {machine['cores']} cores ({machine['processor']}), `murmure tag` takes "
        f"{measured['data']['posts']:,} posts from Parquet to Parquet at "
        f"{own['posts_per_second']:,} posts a second, start-up included: "
        f"{measured['times_the_peer']:.1f} times VADER plus py3langid in the same run, for five "
        f"tags instead of two; all processes together hold {memory['pss']:.0f} MiB "
        f"({memory['rss']:.0f} where shared libraries count each time), "
        f"{measured['memory_growth']['pss']:.2f} times that for a file four times as long "
        "(`python benchmarks/tagging.py --corpora FOLDER`).\n"
    )


def main() -> None:
    """Write the figures, or tell whether they are those of the shipped model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if outdated")
    wanted = parser.parse_args()
    manifest = json.loads((ROOT / "models" / "fast" / "manifest.json").read_text("utf-8"))
    data = ROOT / "data" / "sample"
    sample = evaluate([data / "posts.jsonl"], model="fast", labels=data / "labels.csv")
    file = ROOT / "README.md"
    before = file.read_text("utf-8")
    measured = json.loads((ROOT / "benchmarks/results/tagging-corpora.json").read_text("utf-8"))
    table = figures(manifest["metrics"], sample) + "\n" + speed(measured)
    after = _PLACE.sub(lambda match: match[1] + table + match[2], before)
    if wanted.check:
        sys.exit(before != after)
    file.write_text(after, "utf-8")


if __name__ == "__main__":
    main()
