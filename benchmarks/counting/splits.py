"""What comes of one split: rows of bags, and of the same bags what quapy's methods find.

A split draws the calibration half, the pool, its authors and all bags from a seed of its own, so
that either part can be measured by itself, and again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.counting.methods import (
    AUDIT,
    Found,
    Ours,
    audit,
    known_detractors,
    oracle_width,
)
from benchmarks.counting.peers import PEERS, PeersByLanguage
from benchmarks.counting.protocol import (
    Bags,
    draw_bags,
    halves,
    predicted_classes,
    write_authors,
)
from murmure.influence.cells import make_cells
from murmure.influence.posteriors import LANGUAGES, Sample, read_sample

Table = NDArray[np.float64]
Numbers = NDArray[np.int64]
#: Columns of equal length.
Columns = dict[str, Any]

#: What tells a cell from the others.
CELL = ("language", "tag", "label", "size", "percent")
#: The tag of numbers of people.
PEOPLE = "people"


def read_posts(folder: Path) -> Sample:
    """The posts of a model's calibration sample whose language is counted."""
    sample = read_sample(folder)
    return sample.take(sample.languages < len(LANGUAGES))


def measure_ours(folder: Path, *, split: int, bags: int, seed: int) -> Columns:
    """Raw counts, our estimates and audited ones of all bags of a split, one row a bag.

    Args:
        folder: of the model.
        split: its number.
        bags: how many in each cell.
        seed: of all random numbers.

    Returns:
        The columns of `CELL` and: `split`; `bag`, its number in the cell; `n`, posts or people of
        the bag; `truth`, how many of them say so; `raw`, `ours` and `audited` with `_low` and
        `_high`; and `oracle_width`. NaN is not measured.
    """
    calibration, pool, authors, generator = _drawn(folder, split, seed)
    drawn = list(draw_bags(pool, authors, bags=bags, generator=generator))
    ours = Ours(make_cells(calibration), pool, authors)
    predicted = predicted_classes(pool)
    auditor = np.random.default_rng([seed, split, 1])
    rows: list[Columns] = []
    for some in drawn:
        seen = ours.see(some.posts, some.language)
        target, member = some.target, some.target.member
        found = ours.count(seen, target)
        here = pool.languages == some.language
        has, gets = member[pool.classes[here]], member[predicted[here]]
        row = _cell(some, split)
        row["n"] = np.full(bags, float(some.size))
        row["truth"] = np.full(bags, float(some.positives))
        row["raw"] = member[predicted[some.posts]].sum(axis=1).astype(float)
        row |= _columns("ours", found)
        width = oracle_width(gets[has].mean(), gets[~has].mean(), some.positives, some.size)
        row["oracle_width"] = np.full(bags, width)
        if some.size > AUDIT:
            told = ours.said(seen, target)[np.arange(bags)[:, None], ours.kind[some.posts]]
            truth, whose = member[pool.classes[some.posts]], authors[some.posts]
            after = audit(found, told, truth, whose, labels=AUDIT, generator=auditor)
            row |= _columns("audited", after)
        rows.append(row)
        if target.tag == "joint":
            people = ours.detractors(seen, some.posts, authors)
            row = _columns("ours", people)
            whose = authors[some.posts]
            row["truth"], row["n"] = known_detractors(pool.classes[some.posts], whose)
            row["raw"], _ = known_detractors(predicted[some.posts], whose)
            rows.append(_cell(some, split) | {"tag": PEOPLE, "label": "detractors"} | row)
    return _stacked(rows)


def measure_peers(folder: Path, *, split: int, bags: int, seed: int, some: int) -> Columns:
    """What quapy's methods find in the first `some` bags of each cell of a split.

    Returns:
        The columns of `CELL`, `split`, `bag`, and one a method: the number of posts found.
    """
    calibration, pool, authors, generator = _drawn(folder, split, seed)
    peers = PeersByLanguage(calibration, pool)
    rows = []
    for drawn in draw_bags(pool, authors, bags=bags, generator=generator):
        ask = peers[drawn.target.tag, drawn.language]
        shares = [ask(posts, drawn.target) for posts in drawn.posts[:some]]
        row = _cell(drawn, split) | {"bag": np.arange(len(shares))}
        for name in PEERS:
            row[name] = drawn.size * np.array([share[name] for share in shares])
        rows.append(row)
    return _stacked(rows)


def _drawn(
    folder: Path, split: int, seed: int
) -> tuple[Sample, Sample, Numbers, np.random.Generator]:
    generator = np.random.default_rng([seed, split])
    calibration, pool = halves(read_posts(folder), generator)
    return calibration, pool, write_authors(pool, generator), generator


def _cell(drawn: Bags, split: int) -> Columns:
    return {
        "language": LANGUAGES[drawn.language], "tag": drawn.target.tag,
        "label": drawn.target.label, "size": drawn.size, "percent": round(100 * drawn.prevalence),
        "split": split, "bag": np.arange(len(drawn.posts)),
    }  # fmt: skip


def _columns(name: str, found: Found) -> Columns:
    return {name: found.estimate, f"{name}_low": found.low, f"{name}_high": found.high}


def _stacked(rows: list[Columns]) -> Columns:
    """Puts the rows of cells one under the other; what one lacks is NaN there."""
    names = dict.fromkeys(name for row in rows for name in row)
    lengths = [len(row["bag"]) for row in rows]
    columns = {}
    for name in names:
        parts = [
            np.broadcast_to(np.asarray(row.get(name, np.nan)), length)
            for row, length in zip(rows, lengths, strict=True)
        ]
        columns[name] = np.concatenate(parts)
    return columns


def write_columns(columns: Mapping[str, Any], file: Path) -> None:
    """Writes columns to a Parquet file that is there whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    part = file.with_suffix(".part")
    pq.write_table(pa.table(dict(columns)), part, compression="zstd")
    part.replace(file)


def read_columns(ours: list[Path], peers: list[Path]) -> Columns:
    """The columns of some splits; what quapy's methods did not see is NaN."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.concat_tables([pq.read_table(file) for file in ours])
    if peers:
        theirs = pa.concat_tables([pq.read_table(file) for file in peers])
        keys = [*CELL, "split", "bag"]
        table = table.join(theirs, keys).sort_by([(name, "ascending") for name in keys])
    return {name: _array(table[name]) for name in table.column_names}


def _array(column: Any) -> NDArray[Any]:  # noqa: ANN401
    if str(column.type) == "string":
        return np.array(column.to_pylist())
    values: NDArray[Any] = column.to_numpy()
    return values
