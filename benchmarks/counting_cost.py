"""What counting costs: time and memory of `murmure count` over millions of tagged posts.

    python benchmarks/counting_cost.py --folder /tmp                    # 5 million posts
    python benchmarks/counting_cost.py --folder /tmp --posts 200000     # to see it work

The posts are simulated: 100 entities (one twice as common as the next but one, as in Zipf's law),
52 weeks, French and English, 6 channels. A tenth of the posts names a second entity, 3 % have no
author, the others are of people who post the more seldom the more there are of them (Pareto).
Texts are words of the sample's posts, drawn by how common they are, in the sample's lengths; 4 %
copy another post word for word, 3 % but for a word, 3 % are reposts. What the tagger says of a
post is what it said of a calibration post of that language, drawn anew, the mix of sentiments
being another in each entity. The run's folder is as `murmure tag` would write it.

Its count is a process of its own; measured are its time, start-up and the writing of the table as
Parquet included, its processors' time, its memory, and what of the time goes to finding echoes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.measuring import machine, versions, watch_memory
from benchmarks.posts import read_jsonl

if TYPE_CHECKING:
    import pyarrow as pa

_ROOT = Path(__file__).parent.parent
_SAMPLE = _ROOT / "data" / "sample" / "posts.jsonl"
_RESULTS = _ROOT / "benchmarks" / "results"
_SEED = 20261122
_PART_ROWS = 250_000
_FIRST_SECOND = 1_735_516_800  # Monday, 30 December 2024: the first of 52 ISO weeks
ENTITIES, WEEKS = 100, 52
#: Seconds that a count of five million posts may take, echoes apart.
TARGET_SECONDS = 60
CHANNELS = ("facebook", "forum", "instagram", "press", "reviews", "x")
_COPIED, _CHANGED, _REPOSTED, _NAMELESS, _SECOND = 0.04, 0.03, 0.03, 0.03, 0.1
_LANGUAGES = ("fr", "en")

Integers = NDArray[np.int64]


class Simulation:
    """Draws tagged posts.

    Args:
        model: the folder of the model whose calibration posts say what taggers say.
        posts: how many will be drawn in all.
    """

    def __init__(self, model: Path, posts: int) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._chance = np.random.default_rng(_SEED)
        words = [text.split() for text in read_jsonl(_SAMPLE)]
        self._words = pa.array([word for text in words for word in text], pa.string())
        self._lengths = np.array([len(text) for text in words])
        table = pq.read_table(model / "calibration.parquet", filters=[("draw", "=", "source")])
        self._said = {
            tag: np.stack(table[f"{tag}_probabilities"].to_numpy()).astype(np.float32)
            for tag in _tags()
        }
        # Places of calibration posts by language and what the tagger says of their sentiment.
        mood = self._said["sentiment"].argmax(axis=1)
        language = table["language"].to_numpy()
        self._pools = [
            [np.flatnonzero((language == name) & (mood == place)) for place in range(3)]
            for name in _LANGUAGES
        ]
        popular = 1 / np.arange(1, ENTITIES + 1)
        self._popular = np.cumsum(popular / popular.sum())
        self._moods = np.cumsum(self._chance.dirichlet((3.0, 4.0, 3.0), ENTITIES), axis=1)
        self._people = max(posts // 3, 1)

    def draw(self, first: int, many: int) -> pa.Table:
        """The posts of one part, with the columns of a run's folder."""
        import pyarrow as pa

        from murmure.schema import post_fields, result_fields

        chance = self._chance
        entity = np.searchsorted(self._popular, chance.random(many))
        language = chance.integers(0, 2, many)
        said = self._draw_said(entity, language)
        author = (chance.pareto(1.2, many) * self._people / 20).astype(np.int64) % self._people
        name = pa.array(np.char.add("someone", author.astype(str)))
        at = _FIRST_SECOND + chance.integers(0, WEEKS * 7 * 86_400, many)
        nobody = chance.random(many) < _NAMELESS
        repost = chance.random(many) < _REPOSTED
        numbers = pa.array(np.arange(first, first + many))
        columns: dict[str, Any] = {
            "id": numbers.cast(pa.string()),
            "text": self._draw_texts(many),
            "author": _blanked(name, nobody),
            "created_at": pa.array(at * 1_000_000, pa.timestamp("us", tz="UTC")),
            "channel": pa.array(CHANNELS).take(pa.array(chance.integers(0, 6, many))),
            "repost_of": _blanked(pa.array(np.full(many, "p0")), ~repost),
            "in_reply_to": pa.nulls(many, pa.string()),
            **self._tag_columns(said, language),
            "disclosure": pa.nulls(many, pa.string()),
            "truncated": pa.array(np.zeros(many, np.bool_)),
            "mentions": self._draw_mentions(entity, language, said),
        }
        schema = pa.schema([*post_fields(), *result_fields()])
        return pa.table([columns[field.name] for field in schema], schema=schema)

    def _draw_said(self, entity: Integers, language: Integers) -> Integers:
        """Which calibration post each post is tagged like."""
        mood = (self._chance.random(len(entity))[:, None] > self._moods[entity]).sum(axis=1)
        place = self._chance.random(len(entity))
        found = np.empty(len(entity), np.int64)
        for number, pools in enumerate(self._pools):
            for which, pool in enumerate(pools):
                rows = (language == number) & (np.minimum(mood, 2) == which)
                found[rows] = pool[(place[rows] * len(pool)).astype(np.int64)]
        return found

    def _draw_texts(self, many: int) -> pa.Array:
        import pyarrow as pa
        import pyarrow.compute as pc

        lengths = self._chance.choice(self._lengths, many)
        starts = np.concatenate([[0], np.cumsum(lengths)])
        words = self._chance.integers(0, len(self._words), starts[-1])
        kind = self._chance.random(many)
        copies = np.flatnonzero(kind < _COPIED + _CHANGED)
        texts = pa.ListArray.from_arrays(
            pa.array(starts, pa.int32()), self._words.take(pa.array(words))
        )
        whole = pc.binary_join(texts, " ")
        # A copy is of any of the part's posts, which may be a copy as well.
        of = np.arange(many)
        of[copies] = self._chance.integers(0, many, len(copies))
        copied = whole.take(pa.array(of))
        changed = (kind >= _COPIED) & (kind < _COPIED + _CHANGED)
        ends = pa.array(np.where(changed, " encore", ""))
        return pc.binary_join_element_wise(copied, ends, "")

    def _tag_columns(self, said: Integers, language: Integers) -> dict[str, pa.Array]:
        import pyarrow as pa

        from murmure.schema import LABELS

        columns: dict[str, pa.Array] = {}
        for tag, table in self._said.items():
            chances = table[said]
            labels = language if tag == "language" else chances.argmax(axis=1)
            columns[tag] = pa.array(LABELS[tag]).take(pa.array(labels))
            columns[f"{tag}_score"] = pa.array(chances.max(axis=1))
            flat = pa.array(chances.ravel())
            columns[f"{tag}_probabilities"] = pa.FixedSizeListArray.from_arrays(
                flat, chances.shape[1]
            )
            columns[f"{tag}_abstained"] = pa.array(chances.max(axis=1) < 0.5)
        return columns

    def _draw_mentions(self, entity: Integers, language: Integers, said: Integers) -> pa.Array:
        """One mention a post, tagged as the post is, or two, each tagged by itself."""
        import pyarrow as pa

        from murmure.schema import mention_type

        other = np.searchsorted(self._popular, self._chance.random(len(entity)))
        second = (self._chance.random(len(entity)) < _SECOND) & (other != entity)
        offsets = np.concatenate([[0], np.cumsum(1 + second)])
        post = np.repeat(np.arange(len(entity)), 1 + second)
        is_second = np.zeros(len(post), np.bool_)
        is_second[offsets[1:][second] - 1] = True
        named = np.where(is_second, other[post], entity[post])
        own = np.where(second[post], self._draw_said(named, language[post]), said[post])
        zero = np.zeros(len(post), np.int32)
        names = pa.array([brand["name"] for brand in brands()])
        kind = mention_type()
        columns = {
            "entity": names.take(pa.array(named)),
            "surface": names.take(pa.array(named)),
            "start": pa.array(zero + 20 * is_second.astype(np.int32)),
            "end": pa.array(zero + 28),
            **self._tag_columns(own, language[post]),
        }
        fields = [kind.field(index) for index in range(kind.num_fields)]
        structs = pa.StructArray.from_arrays(
            [columns[field.name] for field in fields], fields=fields
        )
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), structs)


def brands() -> list[dict[str, str]]:
    """The simulated catalogue: 100 brands in 10 groups."""
    return [{"name": f"Brand {n:02d}", "group": f"group {n % 10}"} for n in range(ENTITIES)]


def _tags() -> tuple[str, ...]:
    from murmure.schema import TAGS

    return TAGS


def _blanked(values: pa.Array, blank: NDArray[np.bool_]) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(pa.array(blank), pa.scalar(None, pa.string()), values)


def write_run(folder: Path, model: str, posts: int) -> None:
    """Writes the run's folder."""
    from murmure.batch.manifest import REJECTS_NAME, Counts, Identity, Manifest, Part
    from murmure.batch.writers import open_part
    from murmure.tagging.folder import ModelFolder

    known = ModelFolder.open(model)
    simulation = Simulation(known.path, posts)
    folder.mkdir(parents=True)
    (folder / REJECTS_NAME).write_bytes(b"")
    parts: list[Part] = []
    for first in range(0, posts, _PART_ROWS):
        table = simulation.draw(first, min(_PART_ROWS, posts - first))
        path = folder / f"part-{len(parts):05d}.parquet"
        writer = open_part(path, table.schema, "parquet")
        for batch in table.to_batches(max_chunksize=16_384):
            writer.write(batch)
        size, sha256 = writer.finish()
        rows = table.num_rows
        parts.append(
            Part(
                file=path.name,
                first_row=first,
                rows=rows,
                tagged=rows,
                rejected=0,
                size=size,
                sha256=sha256,
                rejects_end=0,
                counts=(Counts(input=0, rows=rows, tagged=rows, rejected=0),),
            )
        )
    source = {"source": "posts.parquet", "format": "parquet", "size": 0, "sha256": "0" * 64}
    catalog = {"file": "catalog.toml", "sha256": "0" * 64, "brands": brands()}
    identity = Identity(
        inputs=[source],
        model={"name": model, "fingerprint": known.fingerprint},
        catalog=catalog,
        configuration={},
    )
    manifest = Manifest(identity=identity, parts=parts, complete=True)
    manifest.rejects_sha256 = hashlib.sha256(b"").hexdigest()
    manifest.write(folder)


def count_run(run: Path, told: Path) -> None:
    """Counts a run, as `murmure count` does, and writes down what each stage took."""
    began = time.perf_counter()
    from murmure import influence
    from murmure.influence import counting

    stages: dict[str, dict[str, float]] = {}

    def timed(name: str, stage: Callable[..., Any]) -> Callable[..., Any]:
        def run_timed(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - passed through
            before = time.perf_counter(), time.process_time()
            found = stage(*arguments, **options)
            stages[name] = {
                "seconds": round(time.perf_counter() - before[0], 2),
                "cpu_seconds": round(time.process_time() - before[1], 2),
            }
            return found

        return run_timed

    find_echoes = "find_echoes"
    setattr(counting, find_echoes, timed("echoes", getattr(counting, find_echoes)))
    counts = timed("count", influence.count)(run)
    timed("writing", influence.write_counts)(counts, told.with_suffix(".parquet"))
    stages["whole"] = {
        "seconds": round(time.perf_counter() - began, 2),
        "cpu_seconds": round(time.process_time(), 2),
    }
    estimated = counts.num_rows - counts["estimate"].null_count
    found = {"rows": counts.num_rows, "rows_with_estimates": estimated, "stages": stages}
    told.write_text(json.dumps(found), encoding="utf-8")


def measure(run: Path, folder: Path) -> dict[str, Any]:
    """Counts a run in a process of its own, and looks at what it takes."""
    told = folder / "told.json"
    before, began = _children(), time.perf_counter()
    command = [sys.executable, __file__, "--count", str(run), str(told)]
    memory = list(watch_memory(command, every=0.2))
    seconds, spent = time.perf_counter() - began, _children() - before
    found = json.loads(told.read_text(encoding="utf-8"))
    echoes = found["stages"]["echoes"]
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(spent, 1),
        "seconds_without_echoes": round(seconds - echoes["seconds"], 1),
        "cpu_seconds_without_echoes": round(spent - echoes["cpu_seconds"], 1),
        "peak_mib": {
            "rss": round(max(now.rss for now in memory), 1),
            "pss": round(max(now.pss for now in memory), 1),
        },
        "processes": max(now.processes for now in memory),
        **found,
    }


def tell(result: Mapping[str, Any]) -> str:
    """What README.md says of it, and whether it is fast enough."""
    found, settings = result["counting"], result["settings"]
    plain = found["seconds_without_echoes"]
    met = "the target is met" if plain <= TARGET_SECONDS else "the target is missed"
    return (
        f"`murmure count` takes {found['seconds']:.0f} seconds for {settings['posts']:,} posts on "
        f"{result['machine']['cores']} cores ({settings['entities']} entities, {settings['weeks']} "
        f"weeks, {settings['channels']} channels), {found['seconds'] - plain:.0f} of them to look "
        f"for echoes; {plain:.0f} for all else ({TARGET_SECONDS} wanted: {met}). It holds "
        f"{found['peak_mib']['rss'] / 1024:.1f} GiB (`python benchmarks/counting_cost.py`).\n"
    )


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--posts", type=int, default=5_000_000)
    parser.add_argument("--model", default="fast")
    parser.add_argument("--folder", type=Path, help="where there is room: 2.5 GB for 5 million")
    parser.add_argument("--run", type=Path, help="a folder to keep the posts in, for the next time")
    parser.add_argument("--output", type=Path, default=_RESULTS / "counting-cost.json")
    parser.add_argument("--count", type=Path, nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and writes what came of it."""
    options = _options(arguments)
    if options.count:
        count_run(*options.count)
        return
    with TemporaryDirectory(prefix="murmure-counting-", dir=options.folder) as name:
        run = options.run or Path(name) / "run"
        if not run.exists():
            sys.stderr.write(f"writing {options.posts:,} posts\n")
            write_run(run, options.model, options.posts)
        on = machine()
        measured = measure(run, Path(name))
    result = {
        "benchmark": "counting-cost",
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "settings": {
            "posts": options.posts,
            "model": Path(options.model).name,
            "entities": ENTITIES,
            "weeks": WEEKS,
            "languages": len(_LANGUAGES),
            "channels": len(CHANNELS),
        },
        "machine": on,
        "versions": versions(("numpy", "scipy", "pyarrow", "duckdb")),
        "counting": measured,
    }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    sys.stderr.write(json.dumps(measured, indent=2) + "\n")


if __name__ == "__main__":
    main()
