"""Speed and memory of all contenders, in turns, over the same posts."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.measuring import Timing, peak_memory, time_command
from benchmarks.peers.contenders import BASE, FAST, FLORET, SAME_ENCODER, Contender
from benchmarks.peers.environments import Environment
from benchmarks.tagging import check_rows, write_posts

#: What `base` must reach beside pipelines over its own encoder, and `fast` on two cores.
TIMES_PIPELINES, FAST_POSTS_PER_SECOND, SECONDS_TO_READY = 10, 30_000, 2.0
#: Which share of a command's time tagging must take, start-up left out, to be told from noise.
_LEAST_WORKING = 0.05
_READY = "import murmure; murmure.Predictor.from_pretrained()"


def cut(posts: Sequence[str], count: int) -> list[str]:
    """Fewer posts of the same lengths: every so-manieth by length, in the order given.

    Example:
        >>> cut(["dddd", "a", "ccc", "bb"], 2)
        ['dddd', 'bb']
        >>> cut(["a"], 3)
        ['a']
    """
    count = min(count, len(posts))
    by_length = sorted(range(len(posts)), key=lambda row: (len(posts[row]), row))
    taken = {by_length[(2 * number + 1) * len(posts) // (2 * count)] for number in range(count)}
    return [posts[row] for row in sorted(taken)]


@dataclass(slots=True)
class Rounds:
    """What was measured of one contender.

    Attributes:
        posts: how many it read.
        starts: of each round, over a file of one post.
        runs: of each round, over all posts.
        memory: at its most, in MiB.
    """

    posts: int
    starts: list[Timing] = field(default_factory=list)
    runs: list[Timing] = field(default_factory=list)
    memory: dict[str, float] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """Medians, least and most over the rounds.

        `posts_per_second` leaves out what a file of one post takes, start-up that is, in the same
        round; `with_start` does not. Nothing is left out where that would leave next to nothing,
        as on a busy machine.
        """
        rates = []
        for start, run in zip(self.starts, self.runs, strict=True):
            working = run.seconds - start.seconds
            sound = working > _LEAST_WORKING * run.seconds
            rates.append((self.posts - 1) / (working if sound else run.seconds))
        seconds = [start.seconds for start in self.starts]
        return {
            "posts": self.posts,
            "posts_per_second": rounded(median(rates)),
            "least": rounded(min(rates)),
            "most": rounded(max(rates)),
            "with_start": rounded(self.posts / median(run.seconds for run in self.runs)),
            "start_seconds": round(median(seconds), 2),
            "start_least": round(min(seconds), 2),
            "start_most": round(max(seconds), 2),
            "memory_mib": self.memory,
            "rounds": [
                [round(one.seconds, 3), round(one.cpu_seconds, 3)]
                for pair in zip(self.starts, self.runs, strict=True)
                for one in pair
            ],
        }


def rounded(rate: float) -> float:
    """A rate with three figures that tell something.

    Example:
        >>> rounded(12345.6), rounded(3.14159)
        (12346, 3.14)
    """
    return round(rate) if rate >= 100 else round(rate, 1 if rate >= 10 else 2)


def measure(
    contenders: Sequence[Contender],
    posts: Sequence[str],
    *,
    environments: Mapping[str, Environment],
    work: Path,
    rounds: int,
    threads: int,
) -> dict[str, dict[str, Any]]:
    """Runs all contenders in turns.

    In the round before the first, which is not counted, files and disk are warm up and memory is
    looked at.
    """
    folder = work / "speed"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    one, out = folder / "one.parquet", folder / "out"
    write_posts(cut(posts, 1), one)
    found = {}
    for contender in contenders:
        read = cut(posts, contender.posts)
        found[contender.name] = Rounds(len(read))
        write_posts(read, folder / f"{len(read)}.parquet")

    def command(contender: Contender, source: Path) -> list[str]:
        python = environments[contender.environment].python
        return contender.command(python, source, out, models=work / "models", threads=threads)

    for number in range(rounds + 1):
        for contender in contenders:
            of = found[contender.name]
            source = folder / f"{of.posts}.parquet"
            if not number:
                of.memory = peak_memory(command(contender, source))
                check_rows(out, of.posts)
                continue
            start = time_command(command(contender, one))
            check_rows(out, 1)
            run = time_command(command(contender, source))
            check_rows(out, of.posts)
            of.starts.append(start)
            of.runs.append(run)
            sys.stderr.write(
                f"round {number}, {contender.name}: {start.seconds:.2f} s for one post, "
                f"{run.seconds:.2f} s for {of.posts}\n"
            )
    return {name: of.summary() for name, of in found.items()}


def ready(python: Path, rounds: int) -> dict[str, float]:
    """Seconds in which a new Python imports murmure and has loaded the default model."""
    command = [str(python), "-c", _READY]
    time_command(command)
    seconds = [time_command(command).seconds for _ in range(rounds)]
    return {
        "seconds": round(median(seconds), 2),
        "least": round(min(seconds), 2),
        "most": round(max(seconds), 2),
    }


def targets(
    speed: Mapping[str, Mapping[str, Any]], of_ready: Mapping[str, float]
) -> list[dict[str, Any]]:
    """What was to be reached, what was measured, and whether it is enough."""
    told = []

    def tell(what: str, target: float, measured: float, met: bool) -> None:
        told.append({"what": what, "target": target, "measured": measured, "met": met})

    if BASE in speed and SAME_ENCODER in speed:
        times = speed[BASE]["posts_per_second"] / speed[SAME_ENCODER]["posts_per_second"]
        what = "base: times four transformers pipelines over the same encoder (batch 32, fp32)"
        tell(what, TIMES_PIPELINES, round(times, 1), times >= TIMES_PIPELINES)
    tell(
        "base: seconds until import and Predictor.from_pretrained() are done",
        SECONDS_TO_READY,
        of_ready["seconds"],
        of_ready["seconds"] < SECONDS_TO_READY,
    )
    if FAST in speed:
        rate = speed[FAST]["posts_per_second"]
        what = "fast: posts a second, Parquet to Parquet"
        tell(what, FAST_POSTS_PER_SECOND, rate, rate >= FAST_POSTS_PER_SECOND)
        if FLORET in speed:
            peer = speed[FLORET]["posts_per_second"]
            tell("fast: ahead of floret, posts a second", peer, rate, rate > peer)
    return told
