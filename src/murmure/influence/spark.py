# ruff: noqa: S608 - every name in this SQL is murmure's own, every value is quoted
"""Counts of tagged posts on a cluster: the same as `counting.count` gives of the same rows.

There is one way of counting, the local one; the cluster splits the work so that it fits:

- Echoes are found in tasks that compare posts with the function that a local count uses, see
  `spark_echoes`.
- All posts of an author come together in one task, which makes its slices as a local
  count does. Nobody is in two tasks, so that not only posts but people add up over them.
- What is added up is small, and comes here; metrics are made of it as of a local count's slices.
- Estimates are fitted to all posts of a slice at once. For them a row of some 100 bytes for each
  post and entity comes here, too: without a `model` to correct for, nothing of that size does.

No step depends on the order of rows or on which task had them, so that a task may be run again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from murmure.errors import InputError, UsageError
from murmure.influence.alerts import add_alerts
from murmure.influence.correcting import Known, correct, know_errors
from murmure.influence.counting import LANGUAGES, WINDOWS, check_options, load_brands
from murmure.influence.database import connect
from murmure.influence.facts import make_rivals, make_types
from murmure.influence.material import (
    PLACES,
    Material,
    read_labels,
    sort_rows,
)
from murmure.influence.media import UNKNOWN, load_media
from murmure.influence.metrics import ALL
from murmure.influence.runs import Run
from murmure.influence.slices import make_types as make_metric_types
from murmure.influence.slices import read_slices
from murmure.influence.spark_echoes import find_flags, read_words
from murmure.influence.spark_tally import (
    GROUPS,
    KIND_AND_LABELS,
    MATERIAL,
    OF_ROWS,
    SLICE_KEYS,
    SLICES,
    SPLITS,
    Retag,
    Tally,
)
from murmure.influence.tables import counts_table
from murmure.schema import LABELS, POST_COLUMNS

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyspark.sql import Column, DataFrame

    from murmure.catalog import Catalog

_NO_TIME = 2**63 - 1


def count(
    frame: DataFrame,
    *,
    catalog: Catalog | str | Path | None = None,
    by: Collection[str] = ("entity", "language", "channel"),
    window: str = "week",
    level: float = 0.95,
    languages: Collection[str] = LANGUAGES,
    media: str | Path | None = None,
    place: Sequence[str] = (),
    search: bool = False,
    model: str | Path | None = None,
    buckets: int | None = None,
) -> pa.Table:
    """Counts the posts and people of a frame of tagged posts, on the cluster.

    Args:
        frame: posts in the columns of a run's parts, as `murmure.batch.spark.tag` gives them, all
            tagged by one model.
        catalog: the brands that the posts were tagged with: those without posts are counted too,
            and groups are known. Where None, the entities are those that posts name, in one group.
        by: columns to split by, any of `counting.SPLITS`. Without `entity`, only "all" is counted.
        window: `day`, `week` or `month`.
        level: how often the intervals shall cover the truth.
        languages: which languages' posts are counted.
        media: a table of channels; the shipped one where None.
        place: columns that tell the posts' order where times are equal, together unique. Where
            none are given, the one with the smaller id is the earlier.
        search: whether the catalogue's names are looked for in the texts, because the posts were
            tagged with another catalogue, or none.
        model: name or folder of the model that tagged the posts: estimates correct its errors, and
            `search` tags posts that name several brands with it, on the workers. Where None,
            `estimate`, `low` and `high` are null; it is needed for `search`.
        buckets: in how many tasks people are counted; as many as Spark makes of a shuffle
            (`spark.sql.shuffle.partitions`) where None. Some hundred thousand posts each do well.

    Returns:
        The same table as `counting.count`, drift aside, which is not looked for.

    Raises:
        UsageError: when an option has no such value.
        InputError: when the frame lacks a column, or a catalogue or table of channels is not one.
        ModelError: when there is no such model here.
    """
    from pyspark import StorageLevel
    from pyspark.sql import functions as F  # noqa: N812 - Spark's own name for it
    from pyspark.sql.pandas.types import from_arrow_schema

    check_options(by=by, window=window, level=level, languages=languages)
    brands = load_brands(catalog)
    if search and brands is None:
        raise UsageError("search: needs a catalog, whose names are looked for")
    if search and model is None:
        raise UsageError("search: needs the model that tagged the posts")
    needed = [*POST_COLUMNS, *LABELS, "mentions", *place]
    if missing := [name for name in needed if name not in frame.columns]:
        raise InputError("missing; give what tagging gave", file="the frame", column=missing[0])
    known, tagger = known_errors(model)
    groups = _groups(frame, brands, search=search)
    tally = Tally(
        groups=groups,
        by=tuple(sorted(by)),
        window=WINDOWS[window],
        languages=tuple(languages),
        kinds=dict(load_media(media)),
        brands=brands if search else None,
        retag=tagger if search else None,
        cells=known.cells,
    )
    parts = buckets or int(str(frame.sparkSession.conf.get("spark.sql.shuffle.partitions")))
    posts = _posts(frame, tally, place=place or ("id",))
    ties = [name for name in posts.columns if name.startswith("tie_")]
    words = read_words(posts.select("key", "bucket", "time", *ties, "text"))
    words = words.persist(StorageLevel.DISK_ONLY)
    found = None
    try:
        flags = find_flags(words, parts=parts, unique=bool(place))
        rows = posts.select("bucket", *tally.reads.names).withColumn("flag", F.lit(0))
        both = rows.unionByName(flags, allowMissingColumns=True).repartition(parts, "bucket")
        schema = tally.schema
        found = both.mapInArrow(tally, from_arrow_schema(schema))
        if known.cells is not None:
            found = found.persist(StorageLevel.DISK_ONLY)
        numbers = [name for name in schema.names if name not in {*KIND_AND_LABELS, *OF_ROWS}]
        added = found.where(F.col("kind") != MATERIAL).groupBy(*KIND_AND_LABELS)
        sums = added.agg(*(F.sum(name).alias(name) for name in numbers)).toArrow()
        material = None
        if known.cells is not None:
            one = found.where(F.col("kind") == MATERIAL)
            material = one.select("entity", *PLACES, *OF_ROWS).toArrow()
    finally:
        words.unpersist()
        if found is not None:
            found.unpersist()
    counts = add_alerts(make_counts(sums, material, tally, level=level), window=window)
    told: dict[str, Any] = {
        "by": sorted(by),
        "window": window,
        "level": level,
        "languages": sorted(languages),
        "model": None if tagger is None else tagger.fingerprint,
    }
    if known.note:
        told["no_estimates"] = known.note
    return counts.replace_schema_metadata({"murmure": json.dumps(told)})


def known_errors(model: str | Path | None) -> tuple[Known, Retag | None]:
    """What is known of the model's errors, and what tags with it."""
    from murmure.tagging.folder import ModelFolder

    if model is None:
        return Known(None, "no model was given; give the one that tagged the posts"), None
    tagger = Retag(str(model), ModelFolder.open(model).fingerprint)
    return know_errors([Run(Path(), tagger.model, tagger.fingerprint, None, ())]), tagger


def _posts(frame: DataFrame, tally: Tally, *, place: Sequence[str]) -> DataFrame:
    """What is read of each post, with its time, its place, its key and whose bucket it is in."""
    from pyspark.sql import functions as F  # noqa: N812

    def short(mention: Column) -> Column:
        return F.struct(*(mention[name].alias(name) for name in tally.of_mentions.names))

    columns = [F.col(name) for name in tally.reads.names if name not in {"key", "mentions"}]
    if tally.brands is None:
        columns.append(F.transform("mentions", short).alias("mentions"))
    time = F.coalesce(F.unix_micros("created_at"), F.lit(_NO_TIME)).alias("time")
    ties = [F.col(name).alias(f"tie_{number}") for number, name in enumerate(place)]
    if "text" not in tally.reads.names:
        columns.append(F.col("text"))
    # Spark writes times to the millisecond: the key has the exact one besides.
    key = F.md5(F.to_json(F.struct("id", time, *ties, *columns)))
    # Who is one author for a local count is so, all the more, without any spaces.
    author = F.regexp_replace(F.coalesce("author", F.lit("")), r"[\s\p{Z}\p{Cc}]", "")
    posts = frame.select(*columns, time, *ties, author.alias("speaker"), key.alias("key"))
    bucket = F.when(F.col("speaker") != "", F.xxhash64("speaker")).otherwise(F.xxhash64("key"))
    return posts.withColumn("bucket", bucket).drop("speaker")


def _groups(frame: DataFrame, catalog: Catalog | None, *, search: bool) -> dict[str, str] | None:
    """Each entity's group, as a local count has them; None where posts name no entities."""
    from pyspark.sql import functions as F  # noqa: N812

    brands = {} if catalog is None else {brand.name: brand.group or "" for brand in catalog.brands}
    if search:
        return brands
    names = frame.select(F.explode("mentions.entity").alias("entity")).distinct().collect()
    if catalog is None and not names:
        return None
    return brands | {name: brands.get(name, "") for name in sorted(row.entity for row in names)}


def make_counts(
    sums: pa.Table, material: pa.Table | None, tally: Tally, *, level: float
) -> pa.Table:
    """The metrics, from all partitions' numbers added up.

    Args:
        sums: rows as a tally gives them, none twice.
        material: the rows of what estimates are made of; None where there are none.
        tally: what was asked for.
        level: how often intervals shall cover the truth.
    """
    wins = sorted({name for name in sums["win"].to_pylist() if name not in {None, ALL}})
    channels = {name for name in sums["channel"].to_pylist() if name not in {None, ALL}}
    named = dict(tally.groups or {}) if "entity" in tally.by else {}
    measures = [name for name in sums.schema.names if name not in KIND_AND_LABELS]
    own = [name for name in measures if name not in {"posts", "group_voices"}]
    with connect([]) as connection:
        make_types(connection, wins=wins, channels=channels)
        make_rivals(connection, named)
        make_metric_types(connection)
        connection.register("all_sums", sums)
        keys = ", ".join(f"{name}::{name}_label AS {name}" for name in SLICE_KEYS)
        # The other labels of splits are plain texts in a local count, too, and sorted as such.
        typed = ", ".join(f"{name}::{name}_label AS {name}" for name in ("promotion", "metric"))
        connection.execute(
            f"CREATE TABLE splits AS SELECT {keys}, {typed}, experience, touchpoint, sentiment, "
            f"posts FROM all_sums WHERE kind = '{SPLITS}'"
        )
        # Every entity is there in every window, be it with nothing.
        whole = ", ".join(f"'{ALL}'::{name}_label" for name in ("language", "channel", "media"))
        nothing = ", ".join(f"0 AS {name}" for name in own)
        added = (
            f"SELECT {keys}, {', '.join(own)} FROM all_sums WHERE kind = '{SLICES}' UNION ALL "
            "SELECT unnest(enum_range(NULL::entity_label))::entity_label, win::win_label, "
            f"{whole}, {nothing} FROM (SELECT unnest(enum_range(NULL::win_label)) AS win)"
        )
        kinds = {
            name: "DOUBLE" if pa.types.is_floating(sums[name].type) else "BIGINT" for name in own
        }
        totals = ", ".join(f"sum({name})::{kind} AS {name}" for name, kind in kinds.items())
        connection.execute(
            f"CREATE TABLE slices AS SELECT s.*, coalesce(g.group_voices, 0) AS group_voices FROM "
            f"(SELECT {', '.join(SLICE_KEYS)}, {totals} FROM ({added}) GROUP BY ALL) s "
            "LEFT JOIN rivals r ON r.entity = s.entity "
            f"LEFT JOIN (SELECT * FROM all_sums WHERE kind = '{GROUPS}') g "
            "ON g.entity = r.rivals::VARCHAR AND g.win = s.win::VARCHAR "
            "AND g.language = s.language::VARCHAR AND g.channel = s.channel::VARCHAR "
            # A channel's rows are there with its kind beside it, too; their group is the channel's.
            f"AND g.media = CASE s.channel WHEN '{ALL}' THEN s.media::VARCHAR ELSE '{ALL}' END"
        )
        batches = read_slices(connection)
        if material is not None and tally.cells is not None:
            entities = (ALL, *named)
            made = _make_material(connection, material, tally, entities)
            batches = correct(batches, made, tally.cells, by=tally.by, level=level)
        return counts_table(batches)


def _make_material(
    connection: DuckDBPyConnection, rows: pa.Table, tally: Tally, entities: tuple[str, ...]
) -> Material:
    """The material of all tasks together, in numbers that are the same for all."""
    labels = {name: read_labels(connection, name) for name in PLACES}
    columns = {"known": rows["author"].is_valid().to_numpy()}
    for name, known in [("entity", entities), *labels.items()]:
        # Channels that nothing is split by have no labels here, and need none.
        place = pc.fill_null(pc.index_in(rows[name], pa.array(known, pa.string())), 0)
        columns[name] = place.to_numpy()
    columns["author"] = pc.fill_null(rows["author"], 0).to_numpy().view(np.uint64)
    columns |= {name: rows[name].to_numpy() for name in ("echo", "cell")}
    media = [tally.kinds.get(name.lower(), UNKNOWN) for name in labels["channel"][1:]]
    kinds = np.array([0, *(labels["media"].index(kind) for kind in media)], np.int64)
    return sort_rows(columns, entities, labels, kinds, tally.groups)
