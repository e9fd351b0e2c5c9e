"""Audits: a random sample of a run's posts, labelled by a person, kept in the run's folder.

What is sampled is a *unit*: a post, or, where the run was tagged with a catalogue, a post and an
entity that it names, since that is what counts add up. Of such a run posts as wholes can be drawn
too: what counts call "all" adds them up. The two kinds are never mixed. A draw is kept in
`RUN/audit` with the design weight of each unit (how many units of the run it stands for), so that
no spreadsheet can change it; the labels read back lie beside it. Both tell a unit by the post's id
and a digest of its text: they outlive a run that is tagged again, and hold neither text nor author.

What a unit costs the reader is the same everywhere, what it tells is not: `sampling` may draw more
of those that the tagger is unsure of.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from murmure.batch.beside import AUDIT_FOLDER
from murmure.errors import InputError, RunError, UsageError
from murmure.influence.database import connect
from murmure.influence.runs import Run, open_runs
from murmure.influence.sampling import LEAST, choose_units, cut_strata
from murmure.influence.units import (
    STRATA,
    contradiction,
    digest_of,
    find_units,
    read_frame,
    read_units,
)
from murmure.schema import LABELS, TAGS

if TYPE_CHECKING:
    import pyarrow as pa

#: What counts read of it, within a run's folder: `id`, `entity` (null: the post as a whole), `draw`
#: ("random" or "stratified"), `stratum`, `weight` (how many units the row stands for) and the tags
#: as a person sees them, each null where left empty.
AUDIT_FILE = f"{AUDIT_FOLDER}/audit.parquet"


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of a sample.

    Attributes:
        key: what tells it from every other of the run's draws; it survives spreadsheets.
        id: the post's.
        text: the post's.
        about: the entity that the labels shall be about; None where the post is one unit.
        labels: what the tagger says, by tag.
        stratum: from which it was drawn.
        weight: how many units of the run it stands for.
    """

    key: str
    id: str
    text: str
    about: str | None
    labels: Mapping[str, str]
    stratum: str
    weight: float


@dataclass(frozen=True, slots=True)
class Draw:
    """A sample of a run.

    Attributes:
        token: its name within the run, from the run and every option.
        units: in random order, so that the first few labelled are a random sample too.
        population: how many units the run has in the languages asked for.
    """

    token: str
    units: tuple[Unit, ...]
    population: int


def draw_sample(
    folder: str | Path,
    *,
    size: int,
    stratify: Collection[str] = (),
    languages: Collection[str] = ("fr", "en", "mixed"),
    seed: int = 0,
    whole: bool = False,
    partial: bool = False,
) -> Draw:
    """Draws a sample of a run's posts, and keeps the draw in the run's folder.

    Args:
        folder: a run's, which must be writable.
        size: how many units; all there are where they are fewer.
        stratify: any of `STRATA`; a simple random sample where empty.
        languages: which languages' posts are drawn from: those that are counted.
        seed: the same gives the same sample.
        whole: whether posts that name an entity are drawn as wholes, for the numbers of "all"; of
            a run without catalogue they always are.
        partial: whether an unfinished run is taken as far as it goes.

    Raises:
        UsageError: when an option has no such value, or strata are too many for the size.
        InputError: when the folder is no run's, or cannot be written.
        RunError: when there is no post to draw.

    Example:
        >>> draw_sample("run", size=0)
        Traceback (most recent call last):
        murmure.errors.UsageError: -n 0: draw at least 1 post
    """
    if size < 1:
        raise UsageError(f"-n {size}: draw at least 1 post")
    for option, given, known in (
        ("--stratify", stratify, STRATA),
        ("--languages", languages, LABELS["language"]),
    ):
        for value in given:
            if value not in known:
                raise UsageError(f"{option} {value}: unknown; known are {', '.join(known)}")
    (run,) = open_runs([folder], partial=partial)
    whole = whole and run.catalog is not None
    with connect([run]) as connection:
        numbers, names, uncertain, cells = read_frame(connection, run, languages, stratify, whole)
        if not len(numbers):
            message = f"{run.folder}: no post to draw in {', '.join(sorted(languages))}"
            raise RunError(f"{message}; see --languages, and the catalogue that it was tagged with")
        strata = cut_strata(uncertain, cells) if "uncertainty" in stratify else cells
        told, codes = np.unique(strata, return_inverse=True)
        if 2 * LEAST * len(told) > size and len(told) > 1 and size < len(numbers):
            raise UsageError(
                f"--stratify {','.join(sorted(stratify))}: {len(told)} strata are too many for "
                f"-n {size}; draw at least {2 * LEAST * len(told)}, or name fewer columns"
            )
        generator = np.random.default_rng(seed)
        chosen, weights = choose_units(generator, codes, uncertain, size)
        token = _token(run, size, stratify, languages, seed, whole=whole)
        rows = read_units(connection, run, numbers[chosen], names[chosen], whole)
    units = tuple(
        Unit(
            key=f"u{token}-{place + 1}",
            id=row["id"],
            text=row["text"],
            about=row["entity"],
            labels={tag: row[tag] for tag in TAGS},
            stratum=str(told[codes[unit]]) or "all",
            weight=float(weight),
        )
        for place, (row, unit, weight) in enumerate(zip(rows, chosen, weights, strict=True))
    )
    draw = Draw(token, units, len(numbers))
    _keep_draw(run.folder, draw)
    return draw


def apply_labels(
    folder: str | Path, labels: Mapping[str, Mapping[str, str]], *, partial: bool = False
) -> pa.Table:
    """Keeps a person's labels in the run's folder, over those kept of the same draws before.

    Args:
        folder: the run's.
        labels: by the key of a unit, then by tag; what was left empty is missing, and what was
            kept of it is withdrawn.
        partial: as for `draw_sample`.

    Returns:
        What `load_audit` gives of this run alone.

    Raises:
        InputError: when a key is of no draw of this run, or its labels contradict each other; the
            message names it.
    """
    (run,) = open_runs([folder], partial=partial)
    by_token: dict[str, dict[str, Mapping[str, str]]] = {}
    for key, given in labels.items():
        by_token.setdefault(_token_of(key), {})[key] = given
    for token, some in by_token.items():
        draw = {row["key"]: row for row in _read(run.folder / AUDIT_FOLDER / f"draw-{token}")}
        strange = next((key for key in some if key not in draw), None)
        if strange is not None:
            message = f"key '{strange}' is of no sample of this run; give the run it was drawn from"
            raise InputError(message, file=run.folder)
        file = run.folder / AUDIT_FOLDER / f"labels-{token}"
        kept = {row["key"]: row for row in _read(file)}
        for key, given in some.items():
            fault = contradiction(given)
            if fault:
                raise InputError(f"key '{key}': {fault}", file=run.folder, column="touchpoint")
            kept[key] = {"key": key, **dict.fromkeys(TAGS), **given}
        _write(file, list(kept.values()), [("key", "string"), *((tag, "string") for tag in TAGS)])
    audit = load_audit([run])
    if audit is None:
        message = "no label is filled in, or none is of a post that the run still holds"
        raise InputError(message, file=run.folder)
    _keep_audit(run.folder, audit)
    return audit


def drawn_keys(folder: str | Path) -> set[str]:
    """The keys of all units that were ever drawn from a run and not forgotten."""
    return {
        row["key"]
        for file in sorted((Path(folder) / AUDIT_FOLDER).glob("draw-*.parquet"))
        for row in _read(file.with_suffix(""))
    }


def load_audit(runs: Sequence[Run]) -> pa.Table | None:
    """Reads what people labelled in runs, beside what the tagger says of the same units.

    Labels of posts that a run no longer holds, or holds with another text, are left out. Where
    a stratum was labelled in part, those labelled stand for the whole of it; where a stratum was
    not labelled at all, the others stand for it. Of several draws of one kind of one run each
    counts by its share of the labels.

    Returns:
        None where nothing is labelled; else a row a unit with the columns `number` (of the post,
        over all runs), `id`, `entity` (null for a post as a whole), `audited` (draw), `stratum`,
        `weight` (they sum to the run's units of each kind that was drawn), and per tag `TAG_true`
        (null where left empty), `TAG` and `TAG_probabilities`.
    """
    import pyarrow as pa

    tables = [table for run in runs if (table := _load(run)) is not None]
    return pa.concat_tables(tables) if tables else None


# --- what is kept ---------------------------------------------------------------------------------


def _token(
    run: Run,
    size: int,
    stratify: Collection[str],
    languages: Collection[str],
    seed: int,
    *,
    whole: bool,
) -> str:
    told = [
        run.fingerprint,
        [(part.file.name, part.rows) for part in run.parts],
        size,
        sorted(stratify),
        sorted(languages),
        seed,
        run.folder.resolve().name,
        *(["whole"] if whole else []),
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:8]


def _token_of(key: str) -> str:
    token = key[1:].partition("-")[0]
    return token if token.isalnum() else ""


def _keep_audit(folder: Path, audit: pa.Table) -> None:
    """Writes what counts read: `AUDIT_FILE`, one row a labelled unit."""
    columns = ["id", "entity", "draw", "stratum", "weight", *TAGS]
    kinds = [(name, "double" if name == "weight" else "string") for name in columns]
    rows = [
        {
            **{name: row[name] for name in ("id", "entity", "weight")},
            "stratum": f"{row['audited']}/{row['stratum']}",
            "draw": "random" if row["stratum"] == "all" else "stratified",
            **{tag: row[f"{tag}_true"] for tag in TAGS},
        }
        for row in audit.to_pylist()
    ]
    _write((folder / AUDIT_FILE).with_suffix(""), rows, kinds)


_DRAW = [
    ("key", "string"),
    ("id", "string"),
    ("digest", "string"),
    ("entity", "string"),
    ("stratum", "string"),
    ("weight", "double"),
]


def _keep_draw(folder: Path, draw: Draw) -> None:
    rows = [
        {
            "key": unit.key,
            "id": unit.id,
            "digest": digest_of(unit.text),
            "entity": unit.about,
            "stratum": unit.stratum,
            "weight": unit.weight,
        }
        for unit in draw.units
    ]
    _write(folder / AUDIT_FOLDER / f"draw-{draw.token}", rows, _DRAW)


def _write(
    path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[tuple[str, str]]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from murmure.batch.files import put_in_place, temporary

    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in columns])
    file = path.with_suffix(".parquet")
    try:
        file.parent.mkdir(exist_ok=True)
        unfinished = temporary(file)
        pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), unfinished)
        put_in_place(unfinished, file)
    except OSError as error:
        message = f"cannot be written ({error.strerror or error}); audits are kept with the run"
        raise InputError(f"{message}: make its folder writable, or copy it", file=file) from None


def _read(path: Path) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = path.with_suffix(".parquet")
    if not file.exists():
        return []
    try:
        rows: list[dict[str, Any]] = pq.ParquetFile(file).read().to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise RunError(f"{file}: cannot be read ({error}); remove it and sample again") from None
    return rows


def _load(run: Run) -> pa.Table | None:
    """The audit of one run."""
    folder = run.folder / AUDIT_FOLDER
    draws: dict[str, list[dict[str, Any]]] = {}
    for file in sorted(folder.glob("labels-*.parquet")) if folder.is_dir() else ():
        token = file.stem.removeprefix("labels-")
        given = {
            row["key"]: row
            for row in _read(file.with_suffix(""))
            if any(row[tag] is not None for tag in TAGS)
        }
        drawn = _read(folder / f"draw-{token}")
        rows = [
            {**row, "token": token, "true": given.get(row["key"]), "size": row["weight"]}
            for row in drawn
        ]
        if any(row["true"] for row in rows):
            draws[token] = rows
    if not draws:
        return None
    asked = [row for rows in draws.values() for row in rows if row["true"]]
    with connect([run]) as connection:
        found = find_units(connection, run, asked)
    held = [
        row | {"unit": found[key]}
        for row in asked
        if (key := (row["id"], row["digest"], row["entity"])) in found
    ]
    return _audit_table(held, draws) if held else None


def _audit_table(
    held: Sequence[Mapping[str, Any]], draws: Mapping[str, Sequence[Mapping[str, Any]]]
) -> pa.Table:
    import pyarrow as pa

    labelled: dict[tuple[str, str], int] = {}
    by_draw: dict[str, int] = {}
    by_kind: dict[bool, int] = {}  # posts as wholes and posts about entities are two populations
    for row in held:
        stratum = (row["token"], row["stratum"])
        labelled[stratum] = labelled.get(stratum, 0) + 1
        by_draw[row["token"]] = by_draw.get(row["token"], 0) + 1
        by_kind[row["entity"] is None] = by_kind.get(row["entity"] is None, 0) + 1
    sizes: dict[tuple[str, str], float] = {}
    for token, rows in draws.items():
        for row in rows:
            sizes[token, row["stratum"]] = sizes.get((token, row["stratum"]), 0.0) + row["weight"]
    weights = []
    for row in held:
        token = row["token"]
        whole = sum(size for (name, _), size in sizes.items() if name == token)
        covered = sum(size for key, size in sizes.items() if key[0] == token and key in labelled)
        stratum = (token, row["stratum"])
        share = by_draw[token] / by_kind[row["entity"] is None]
        weights.append(sizes[stratum] / labelled[stratum] * whole / covered * share)
    columns: dict[str, pa.Array] = {
        "number": pa.array([row["unit"]["number"] for row in held], pa.int64()),
        "id": pa.array([row["id"] for row in held], pa.string()),
        "entity": pa.array([row["entity"] for row in held], pa.string()),
        "audited": pa.array([row["token"] for row in held], pa.string()),
        "stratum": pa.array([row["stratum"] for row in held], pa.string()),
        "weight": pa.array(weights, pa.float64()),
    }
    for tag, names in LABELS.items():
        kind = pa.list_(pa.float32(), len(names))
        columns[f"{tag}_true"] = pa.array([row["true"][tag] for row in held], pa.string())
        columns[tag] = pa.array([row["unit"][tag] for row in held], pa.string())
        probabilities = [row["unit"][f"{tag}_probabilities"] for row in held]
        columns[f"{tag}_probabilities"] = pa.array(probabilities, kind)
    return pa.table(columns)
