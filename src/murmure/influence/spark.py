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
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from murmure.errors import InputError, UsageError
from murmure.influence.alerts import add_alerts
from murmure.influence.authors import NOBODY
from murmure.influence.correcting import Entities, Known, know_errors
from murmure.influence.counting import LANGUAGES, check_options, load_brands, make_table
from murmure.influence.database import connect
from murmure.influence.material import PLACES, Material, sort_rows
from murmure.influence.media import load_media
from murmure.influence.metrics import ALL
from murmure.influence.posts import kinds_of, make_labels
from murmure.influence.runs import Run
from murmure.influence.slices import MEASURES, SPLITS, Slices, take_slices
from murmure.influence.spark_echoes import find_flags, read_words
from murmure.influence.spark_tally import (
    GROUPS,
    KIND_AND_LABELS,
    NUMBERS,
    OF_ROWS,
    SLICES,
    Retag,
    Tally,
)
from murmure.schema import LABELS, POST_COLUMNS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

    from murmure.catalog import Catalog

Numbers = NDArray[np.int64]

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
            none are given, the one with the smaller id is the earlier. What is no repost is
            earlier than a repost of the same time, whatever its place.
        search: whether the catalogue's names are looked for in the texts, because the posts were
            tagged with another catalogue, or none.
        model: name or folder of the model that tagged the posts: estimates correct its errors, and
            `search` tags posts that name several brands with it, on the workers. Where None,
            `estimate`, `low` and `high` are null; it is needed for `search`.
        buckets: in how many tasks people are counted; as many as Spark makes of a shuffle
            (`spark.sql.shuffle.partitions`) where None. Some hundred thousand posts each do well.

    Returns:
        The same table as `counting.count`, drift aside, which is not looked for. Which posts copy
        the same one is not known here: where many copy one, intervals of posts are narrower than
        those of `counting.count`, as if each were a post of its own.

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
        window=window,
        languages=tuple(languages),
        kinds=dict(load_media(media)),
        brands=brands if search else None,
        retag=tagger if search else None,
        cells=known.cells,
    )
    parts = buckets or int(str(frame.sparkSession.conf.get("spark.sql.shuffle.partitions")))
    posts = _posts(frame, tally, place=place or ("id",))
    ties = [name for name in posts.columns if name.startswith("tie_")]
    words = read_words(posts.select("key", "bucket", "time", "repost", *ties, "text"))
    words = words.persist(StorageLevel.DISK_ONLY)
    try:
        flags = find_flags(words, parts=parts, unique=bool(place))
        rows = posts.select("bucket", *tally.reads.names).withColumn("flag", F.lit(0))
        both = rows.unionByName(flags, allowMissingColumns=True).repartition(parts, "bucket")
        found = both.mapInArrow(tally, from_arrow_schema(tally.schema))
        if known.cells is not None:
            material = found.select("entity", *PLACES, *OF_ROWS).toArrow()
            sums = tally.schema.empty_table()
        else:
            material = None
            added = found.groupBy(*KIND_AND_LABELS)
            sums = added.agg(*(F.sum(name).alias(name) for name in NUMBERS)).toArrow()
    finally:
        words.unpersist()
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
    repost = (F.trim(F.coalesce("repost_of", F.lit(""))) != "").cast("int").alias("repost")
    ties = [F.col(name).alias(f"tie_{number}") for number, name in enumerate(place)]
    if "text" not in tally.reads.names:
        columns.append(F.col("text"))
    # Spark writes times to the millisecond: the key has the exact one besides.
    key = F.md5(F.to_json(F.struct("id", time, *ties, *columns)))
    # Who is one author for a local count is so, all the more, without any spaces.
    author = F.regexp_replace(F.coalesce("author", F.lit("")), r"[\s\p{Z}\p{Cc}]", "")
    # Who is nobody is in any task, lest one have them all.
    nobody = F.lower(F.trim(F.coalesce("author", F.lit("")))).isin(*NOBODY)
    author = F.when(nobody, "").otherwise(author).alias("speaker")
    posts = frame.select(*columns, time, repost, *ties, author, key.alias("key"))
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
    entities = (ALL, *(tally.groups or {} if "entity" in tally.by else {}))
    rows = sums if material is None else material
    names = ({*rows[name].to_pylist()} - {ALL, None} for name in ("win", "channel"))
    labels = make_labels(*names)
    kinds = kinds_of(labels, tally.kinds)
    with connect([]) as connection:
        if material is not None:
            made = _make_material(material, entities, labels, kinds, tally.groups)
            counted = Entities(made, tally.by, cells=tally.cells, level=level)
            return make_table(connection, counted, made.names)
        named = {"entity": entities, **labels}
        return make_table(connection, _Summed(sums, tally, named, kinds), named)


class _Summed:
    """The slices of entities as tasks counted them."""

    def __init__(
        self, sums: pa.Table, tally: Tally, labels: Mapping[str, Sequence[str]], kinds: Numbers
    ) -> None:
        self._tally = tally
        self._labels = labels
        self._kinds = kinds
        self._slices = sums.filter(pc.equal(sums["kind"], SLICES))
        self._of_groups = sums.filter(pc.equal(sums["kind"], GROUPS))

    def together(self) -> Iterator[range]:
        """One entity after the other."""
        for entity in range(len(self._labels["entity"])):
            yield range(entity, entity + 1)

    def count(self, entities: range) -> tuple[Slices, None]:
        """The slices of an entity, of which nothing is estimated."""
        name = self._labels["entity"][entities.start]
        rows, keys = self._rows(self._slices, name)
        numbers = {measure: rows[measure].to_numpy() for measure in MEASURES}
        splits = np.array([rows[f"split_{place}"].to_numpy() for place in range(len(SPLITS))])
        slices = take_slices(
            np.arange(rows.num_rows),
            np.concatenate([np.full((1, rows.num_rows), entities.start), keys]),
            numbers,
            splits.T,
            entities=entities,
            by=self._tally.by,
            kinds=self._kinds,
            windows=len(self._labels["win"]),
        )
        slices.numbers["group_voices"] = np.zeros(len(slices), np.int64)
        if entities.start:
            group = (self._tally.groups or {})[name]
            of_group, places = self._rows(self._of_groups, group)
            voices = np.zeros([len(self._labels[place]) for place in PLACES], np.int64)
            voices[tuple(places)] = of_group["group_voices"].to_numpy()
            _, win, language, channel, media = slices.keys
            # With its kind beside it a channel is the same channel.
            media = np.where(channel > 0, 0, media)
            slices.numbers["group_voices"] = voices[win, language, channel, media]
        return slices, None

    def _rows(self, table: pa.Table, entity: str) -> tuple[pa.Table, Numbers]:
        rows = table.filter(pc.equal(table["entity"], entity))
        return rows, np.array([_codes(rows[name], self._labels[name]) for name in PLACES])


def _make_material(
    rows: pa.Table,
    entities: tuple[str, ...],
    labels: Mapping[str, tuple[str, ...]],
    kinds: Numbers,
    groups: Mapping[str, str] | None,
) -> Material:
    """The material of all tasks together, in numbers that are the same for all."""
    known = rows["author"].is_valid().to_numpy()
    hashes = pc.fill_null(rows["author"], 0).to_numpy().view(np.uint64)
    author = np.zeros(rows.num_rows, np.int32)
    _, author[known] = np.unique(hashes[known], return_inverse=True)
    author[known] += 1
    columns: dict[str, NDArray[Any]] = {
        "win": _codes(rows["win"], labels["win"]).astype(np.int32),
        "language": _codes(rows["language"], labels["language"]).astype(np.int8),
        "channel": _codes(rows["channel"], labels["channel"]).astype(np.int32),
        "author": author,
        "echo": rows["echo"].to_numpy().astype(np.bool_),
        # Tasks do not tell which posts copy the same one.
        "family": np.zeros(rows.num_rows, np.int32),
        "said": rows["said"].to_numpy().astype(np.uint8),
        "cell": rows["cell"].to_numpy().astype(np.uint32),
    }
    entity = _codes(rows["entity"], entities).astype(np.int64)
    return sort_rows(entity, columns, entities=entities, labels=labels, kinds=kinds, groups=groups)


def _codes(column: pa.ChunkedArray, labels: Sequence[str]) -> Numbers:
    found = pc.fill_null(pc.index_in(column, pa.array(labels, pa.string())), 0)
    return np.asarray(found.to_numpy(), np.int64)
