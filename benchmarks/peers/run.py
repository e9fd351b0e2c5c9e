"""murmure beside its peers, each in an environment of its own that this command sets up.

    python -m benchmarks.peers.run prepare --corpora ../corpora   # installs and trains
    python -m benchmarks.peers.run speed --corpora ../corpora     # 5 rounds; wants an idle machine
    python -m benchmarks.peers.run quality --corpora ../corpora   # reads all posts once
    python -m benchmarks.peers.run speed --only floret fast --posts 2000 --rounds 1

Without `--corpora` speed is measured on posts made from `data/sample`, and peers are trained on
its labels. Environments and models are kept in `--work` and made anew only when what they are
made of has changed. Packages come from wherever pip is set up to look. Writes
`results/peers-speed[-FOLDER]` and `results/peers-quality-FOLDER` as `.json`, `.md` and `.png`.
Needs the extras `train` and `benchmarks`, Linux, and about 12 GB in `--work`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import benchmarks.peers.environments as places
from benchmarks.measuring import machine
from benchmarks.peers import quality, speed, tables
from benchmarks.peers.contenders import CONTENDERS, Contender, Workshop, choose
from benchmarks.posts import make_posts, read_corpora, read_jsonl
from benchmarks.tagging import describe_posts
from murmure.tagging.folder import ModelFolder

_ROOT = Path(__file__).parents[2]
_SAMPLE = _ROOT / "data" / "sample"
_RESULTS = _ROOT / "benchmarks" / "results"


def _read_posts(corpora: Path | None, count: int) -> tuple[list[str], str]:
    if corpora is None:
        texts, origin = read_jsonl(_SAMPLE / "posts.jsonl"), "data/sample/posts.jsonl"
    else:
        texts, origin = read_corpora(corpora), f"{corpora.name}/*/train.parquet"
    if len(texts) < count:
        origin += ", cut and spliced"
    return make_posts(texts, count), origin


def _fingerprints() -> dict[str, str]:
    return {name: ModelFolder.open(name).fingerprint for name in ("fast", "base")}


def _workshop(options: argparse.Namespace) -> tuple[Workshop, str]:
    training = options.work / f"train-{_suffix(options) or 'sample'}.parquet"
    origin = quality.write_training(options.corpora, _SAMPLE, training)
    return Workshop(options.work, training, cache(partial(places.make, work=options.work))), origin


def _suffix(options: argparse.Namespace) -> str:
    return "" if options.corpora is None else options.corpora.resolve().name


def _head(name: str, options: argparse.Namespace, on: Mapping[str, object]) -> dict[str, Any]:
    return {
        "benchmark": name,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": {
            "rounds": options.rounds,
            "threads": options.threads,
            "fingerprints": _fingerprints(),
        },
        "machine": dict(on),
    }


def _set_up(workshop: Workshop, chosen: Iterable[Contender | quality.Judge]) -> dict[str, float]:
    """Makes environments and models, and gives the models' megabytes by name of who uses them."""
    sizes = {}
    for one in chosen:
        workshop.environments(one.environment)
        sizes[one.name] = workshop.make(one.model)
    return sizes


def measure_speed(options: argparse.Namespace) -> dict[str, Any]:
    """Measures speed and memory."""
    workshop, _ = _workshop(options)
    chosen = choose(options.only, posts=options.posts)
    sizes = _set_up(workshop, chosen)
    environments = {one.environment: workshop.environments(one.environment) for one in chosen}
    own = workshop.environments(places.OWN)
    posts, origin = _read_posts(options.corpora, options.posts)
    on = machine()
    measured = speed.measure(
        chosen,
        posts,
        environments=environments,
        work=options.work,
        rounds=options.rounds,
        threads=options.threads,
    )
    of_ready = speed.ready(own.python, options.rounds)
    return {
        **_head("peers, speed", options, on),
        "data": describe_posts(posts, origin),
        "versions": {name: one.versions for name, one in {**environments, "murmure": own}.items()},
        "contenders": {
            one.name: {
                "tags": one.tags,
                "random": one.random,
                "environment": one.environment,
                "installed_mb": environments[one.environment].megabytes,
                "model_mb": sizes[one.name],
            }
            for one in chosen
        },
        "speed": measured,
        "ready": of_ready,
        "targets": speed.targets(measured, of_ready),
    }


def measure_quality(options: argparse.Namespace) -> dict[str, Any]:
    """Measures how right all are."""
    rows = quality.read_labelled(options.corpora)
    workshop, origin = _workshop(options)
    _set_up(workshop, quality.JUDGES)
    compared = quality.measure(
        rows,
        environments=workshop.environments,
        models=workshop.models,
        work=options.work,
        threads=options.threads,
    )
    return {
        **_head("peers, quality", options, machine()),
        "training": origin,
        "judges": [judge.name for judge in quality.JUDGES],
        "versions": {
            name: workshop.environments(name).versions
            for name in dict.fromkeys(judge.environment for judge in quality.JUDGES)
        },
        "quality": compared,
    }


def _write(result: Mapping[str, Any], name: str, folder: Path, *, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.json"
    file.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    file.with_suffix(".md").write_text(text, "utf-8")
    return file


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", choices=("prepare", "speed", "quality"))
    parser.add_argument("--work", type=Path, default=_ROOT / "build" / "peers")
    parser.add_argument("--corpora", type=Path, metavar="FOLDER")
    parser.add_argument("--posts", type=int, default=20_000, help="that the fast ones read")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2, help="for everybody")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="WORD", help="those with a word in their name"
    )
    parser.add_argument("--results", type=Path, default=_RESULTS)
    options = parser.parse_args(arguments)
    if options.part == "quality" and options.corpora is None:
        parser.error("quality needs --corpora: a folder with */validation.parquet")
    if options.only and not choose(options.only, posts=options.posts):
        names = ", ".join(one.name for one in CONTENDERS)
        parser.error(f"--only: no contender's name holds any of these words; there are {names}")
    options.work = options.work.resolve()
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and writes the result as JSON, table and picture."""
    options = _options(arguments)
    options.work.mkdir(parents=True, exist_ok=True)
    # The peers' programs are found by this, and murmure is not: it comes from its environment.
    os.environ["PYTHONPATH"] = str(_ROOT)
    cores = sorted(os.sched_getaffinity(0))[: options.threads]
    os.sched_setaffinity(0, cores)
    suffix = f"-{_suffix(options)}" if _suffix(options) else ""
    if options.part == "prepare":
        _set_up(
            _workshop(options)[0], [*choose(options.only, posts=options.posts), *quality.JUDGES]
        )
        return 0
    if options.part == "speed":
        result = measure_speed(options)
        text = "\n\n".join(
            make(result)
            for make in (
                tables.speed_table,
                tables.speed_notes,
                tables.lost,
                tables.targets_table,
            )
        )
        file = _write(result, f"peers-speed{suffix}", options.results, text=text + "\n")
        tables.draw_speed(result, file.with_suffix(".png"))
    else:
        result = measure_quality(options)
        text = f"{tables.quality_table(result)}\n\n{tables.quality_notes(result)}\n"
        file = _write(result, f"peers-quality{suffix}", options.results, text=text)
        tables.draw_quality(result, file.with_suffix(".png"))
    sys.stdout.write(f"{text}\nwritten to {file}, .md and .png\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
