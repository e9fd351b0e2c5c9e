"""Writes the figures of README.md from the shipped models' manifests and `murmure evaluate`.

Those of docs/how-to/train.md come from what `benchmarks/own_corpus.py` measured.

Run `python benchmarks/readme.py` after a training; `--check` only tells whether it is needed.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import arithmetic, counting_cost, growth, own_corpus
from benchmarks.counting import table as counting
from benchmarks.peers.tables import section
from benchmarks.shipped import earlier, shipped, with_note
from murmure.schema import TAGS
from murmure.tagging.folder import installed_models
from murmure.training.evaluation import evaluate

ROOT = Path(__file__).parent.parent
#: Where it is told what training on posts of one's own brings.
OWN_PAGE = ROOT / "docs" / "how-to" / "train.md"
_RESULTS = ROOT / "benchmarks" / "results"
_COUNTING = ROOT / "benchmarks" / "counting" / "results"
#: What the section on peers is made of, as far as it was measured.
_PEERS = ("peers-speed-corpora", "peers-quality-corpora")


def figures(metrics: Mapping[str, Mapping[str, Any]], samples: Mapping[str, Any]) -> str:
    """Give the table of README.md, in Markdown.

    Args:
        metrics: per model, `metrics` of its manifest.
        samples: per model, what `evaluate` says of the sample posts.
    """
    heads = "".join(f" `{name}` | at random | calibration error | sample |" for name in metrics)
    lines = ["| macro-F1 |" + heads, "|---|" + "---|---|---|---|" * len(metrics)]
    for tag in TAGS:
        cells = []
        for name, measured in metrics.items():
            scores, drawn = measured["held_out"][tag], measured["held_out_source"][tag]
            low, high = scores["interval"]
            cells += [
                f"{scores['macro_f1']:.3f} ({low:.3f}–{high:.3f})",
                f"{drawn['macro_f1']:.3f}",
                f"{drawn['calibration_error']:.3f}",
                f"{samples[name]['tags'][tag]['macro_f1']:.3f}",
            ]
        lines.append(f"| {tag} | " + " | ".join(cells) + " |")
    first = next(iter(metrics))
    posts = metrics[first]["held_out"]["sentiment"]["posts"]
    random = metrics[first]["held_out_source"]["sentiment"]["posts"]
    praise = metrics[first]["sponsored"]["organic_praise"]
    shared = metrics[first]["held_out"]["experience"]["labels"]["shared"]["f1"]
    students = "".join(
        f" `{name}` learnt from another model, so that it is measured on the "
        f"{found['held_out']['sentiment']['posts']:,} posts alone that neither was trained on, "
        f"{found['held_out_source']['sentiment']['posts']:,} of them drawn at random."
        for name, found in metrics.items()
        if found["held_out"]["sentiment"]["posts"] != posts
    )
    cards = " and ".join(
        f"[`models/{name}/README.md`](models/{name}/README.md)" for name in metrics
    )
    lines += [
        "",
        f"Cross-fitted in five folds over {posts:,} labelled posts, with the 95 % bootstrap "
        f"interval; then over the {random:,} of them that were drawn at random within their "
        f"source; then over the {samples[first]['rows']['tagged']} posts of `data/sample`, written "
        "for this project and never trained on, with `murmure evaluate data/sample/posts.jsonl "
        f"--labels data/sample/labels.csv --model NAME`.{students} Second-hand experiences are "
        f"rare and hard (`shared`: F1 {shared:.2f} with `{first}`). Customers who praise with no "
        f"sign of an interest are called sponsored in {praise['called_sponsored']:.1%} of cases. "
        f"All figures, by label and source, are in {cards}.",
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
    told = (
        f"On {machine['cores']} cores ({machine['processor']}), `murmure tag --model fast` takes "
        f"{measured['data']['posts']:,} posts from Parquet to Parquet at "
        f"{own['posts_per_second']:,} posts a second, start-up included: "
        f"{measured['times_the_peer']:.1f} times VADER plus py3langid in the same run, for five "
        f"tags instead of two; all processes together hold {memory['pss']:.0f} MiB "
        f"({memory['rss']:.0f} where shared libraries count each time), "
        f"{measured['memory_growth']['pss']:.2f} times that for a file four times as long "
        "(`python benchmarks/tagging.py --corpora FOLDER`).\n"
    )
    return with_note(told, earlier(measured, shipped()))


def peers() -> str:
    """Set murmure beside its peers, and tell what its own time goes into and how it grows."""
    fast, right = map(_read, _PEERS)
    told = (
        (fast, lambda result: section(result, None)),
        (right, lambda result: section(None, result)),
        (_read("arithmetic"), lambda result: arithmetic.tell(result) + "\n"),
        (_read("growth"), lambda result: growth.tell(result) + "\n"),
    )
    return _tell(told)


def counts() -> str:
    """Tell how right counts are, and what they cost."""
    told = (
        (_read("counting-base", folder=_COUNTING), counting.tell),
        (_read("counting-cost"), counting_cost.tell),
    )
    return _tell(told)


def own() -> str:
    """Tell what training on posts of one's own brings."""
    results = own_corpus.read_results()
    known = shipped()
    notes = {note for result in results if (note := earlier(result, known))}
    return with_note(own_corpus.tell(results), " ".join(sorted(notes)))


def _tell(told: Iterable[tuple[Any, Callable[[Any], str]]]) -> str:
    """Put what was measured one below the other, each with the models that are others by now."""
    known = shipped()
    return "\n".join(
        with_note(tell(result), earlier(result, known))
        for result, tell in told
        if result is not None
    )


def _read(name: str, *, folder: Path = _RESULTS) -> Any:  # noqa: ANN401 - as the benchmark wrote it
    file = folder / f"{name}.json"
    return json.loads(file.read_text("utf-8")) if file.exists() else None


def fill(text: str, name: str, content: str) -> str:
    r"""Put something between two marks, where a text has them.

    Example:
        >>> fill("<!-- it -->\nold\n<!-- /it -->", "it", "new\n")
        '<!-- it -->\nnew\n<!-- /it -->'
        >>> fill("no marks", "it", "new")
        'no marks'
    """
    place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    return place.sub(lambda match: match[1] + content + match[2], text)


def main() -> None:
    """Write the figures, or tell whether they are those of the shipped model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if outdated")
    wanted = parser.parse_args()
    data = ROOT / "data" / "sample"
    metrics, samples = {}, {}
    for name in installed_models():
        manifest = json.loads((ROOT / "models" / name / "manifest.json").read_text("utf-8"))
        metrics[name] = manifest["metrics"]
        samples[name] = evaluate([data / "posts.jsonl"], model=name, labels=data / "labels.csv")
    file = ROOT / "README.md"
    before = file.read_text("utf-8")
    measured = json.loads((_RESULTS / "tagging-corpora.json").read_text("utf-8"))
    after = fill(before, "figures", figures(metrics, samples) + "\n" + speed(measured))
    after = fill(after, "peers", peers())
    after = fill(after, "counts", counts())
    page_before = OWN_PAGE.read_text("utf-8")
    page_after = fill(page_before, "own", own())
    if wanted.check:
        sys.exit((before, page_before) != (after, page_after))
    file.write_text(after, "utf-8")
    OWN_PAGE.write_text(page_after, "utf-8")


if __name__ == "__main__":
    main()
