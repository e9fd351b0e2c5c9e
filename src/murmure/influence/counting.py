"""Counts the posts and people of runs, per entity, window and slice.

The way of a count: which posts are echoes (`echo_search`), which entities each names and what is
said there (`posts`), how posts add up in each slice, and how many people speak there (`slices`),
what the model's errors make of it (`estimates`), and the rows of a table (`rows`). `metrics` says
what each number means.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from threadpoolctl import threadpool_limits

from murmure.errors import RunError, UsageError
from murmure.influence.alerts import add_alerts
from murmure.influence.audit import load_audit
from murmure.influence.audited import FEWEST
from murmure.influence.auditing import gather_labels
from murmure.influence.cells import Cells
from murmure.influence.correcting import Entities, know_errors
from murmure.influence.database import connect
from murmure.influence.drift import find_drift, tell_drift
from murmure.influence.echo_search import find_echoes
from murmure.influence.echoes import Echoes
from murmure.influence.material import gather
from murmure.influence.media import load_media
from murmure.influence.mentions import find_mentions
from murmure.influence.metrics import ALL
from murmure.influence.posts import STORED, Mentions, Posts, read_mentions, read_posts
from murmure.influence.rows import Estimates, make_rows
from murmure.influence.runs import Run, open_runs, refuse_mixed_catalogs, tagged_with
from murmure.influence.slices import Slices
from murmure.influence.windows import WINDOWS
from murmure.schema import LABELS

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

    from murmure.catalog import Catalog

_LOG = logging.getLogger(__name__)

#: Columns that counts may be split by.
SPLITS = ("entity", "language", "channel", "media")

# Entities are counted by so many threads; numpy lets others run while it works. Each product of
# matrices is small: threads of its own would only get in their way.
_THREADS = 2

#: Languages counted where none is asked for: those that murmure reads.
LANGUAGES = ("fr", "en", "mixed")


def count(
    runs: str | Path | Sequence[str | Path],
    *,
    catalog: Catalog | str | Path | None = None,
    by: Collection[str] = ("entity", "language", "channel"),
    window: str = "week",
    level: float = 0.95,
    languages: Collection[str] = LANGUAGES,
    media: str | Path | None = None,
    model: str | Path | None = None,
    partial: bool = False,
) -> pa.Table:
    """Counts the posts and people of one or several runs.

    Args:
        runs: folders that `murmure tag` wrote, all tagged by one model.
        catalog: the brands to count, or the file that lists them. Where it is not the one that
            the runs were tagged with, names are looked for in the stored texts.
        by: columns to split by, any of `SPLITS`. Without `entity`, only "all" is counted.
        window: `day`, `week` or `month`.
        level: how often the intervals shall cover the truth.
        languages: which languages' posts are counted.
        media: a table of channels; the shipped one where None.
        model: the folder of the model that tagged the runs, where its name does not lead to it;
            needed only for posts that name several brands of another catalogue.
        partial: whether an unfinished run is counted as far as it goes.

    Returns:
        A table with the columns of `tables.counts_schema()`, one row per entity, window, slice
        and metric (`metrics.METRICS`), in a fixed order. Every combination of the split columns'
        values and "all" that has an organic (sponsored) post has its organic (sponsored) rows, and
        so has every entity in every window, be it with nothing. What `good`, `bad` and `posts`
        are split by is left away where it is 0. `raw` is null where it is not known, as the
        influence of nobody. `estimate`, `low` and `high` are null in rows that rest on no label,
        where a number is not known, and everywhere where the runs' model is not found: the
        metadata then say why under `no_estimates`.

    Raises:
        UsageError: when an option has no such value.
        InputError: when a folder, catalogue or table of channels is not one.
        ModelError: when posts must be tagged again and the runs' model cannot be loaded.
        RunError: when a run is unfinished or damaged, or runs do not go together.

    Example:
        >>> count("run", by=["country"])
        Traceback (most recent call last):
        murmure.errors.UsageError: --by country: unknown; known are entity, language, channel, media
    """
    check_options(by=by, window=window, level=level, languages=languages)
    opened = open_runs([runs] if isinstance(runs, str | Path) else runs, partial=partial)
    kinds = load_media(media)
    file = catalog if isinstance(catalog, str | Path) else None
    brands = load_brands(catalog)
    labels = None
    audit = load_audit(opened)
    # SciPy brings a BLAS of its own, which can only be held to one thread once it is there.
    import scipy.optimize  # noqa: F401

    with (
        threadpool_limits(limits=1, user_api="blas"),
        connect(opened) as connection,
        ThreadPoolExecutor(1) as aside,
    ):
        # What errors the model makes is learned while copies are looked for.
        learning = aside.submit(know_errors, opened, model=None if model is None else str(model))
        echoes = find_echoes(connection, opened)
        known = learning.result()
        posts, mentions, groups = _read(
            connection,
            opened,
            echoes,
            brands,
            known.cells,
            file=file,
            model=model,
            options={"kinds": kinds, "languages": languages, "window": window},
        )
        material = gather(posts, mentions, groups, split="entity" in by)
        if audit is not None and known.cells is not None:
            labels = gather_labels(posts, audit, known.cells, material)
        del posts, mentions
        entities = Entities(material, by, cells=known.cells, level=level, labels=labels)
        counts = make_table(connection, entities, material.names)
    counts = add_alerts(counts, window=window)
    told: dict[str, Any] = {
        "by": sorted(by),
        "window": window,
        "level": level,
        "languages": sorted(languages),
        "model": opened[0].fingerprint,
    }
    if entities.labels_used:
        told["audited"] = entities.labels_used
        told["audited_all"] = entities.labels_used_whole
    elif labels is not None:
        told["unused_labels"] = len(labels)
        _LOG.warning(
            "%s labels by hand, but no entity has %s: nothing changed; draw more with "
            "murmure audit sample%s",
            f"{len(labels):,}",
            FEWEST,
            "" if "entity" in by or not groups else " --whole",
        )
    if known.note:
        told["no_estimates"] = known.note
    if known.sample is not None:
        drifts = find_drift(opened, known.sample)
        told["drifts"] = [asdict(drift) for drift in drifts if drift.drifted]
        warning = tell_drift(drifts, audited="audited" in told)
        if warning:
            told["drift"] = warning
            _LOG.warning("%s", warning)
    return counts.replace_schema_metadata({"murmure": json.dumps(told)})


def check_options(
    *, by: Collection[str], window: str, level: float, languages: Collection[str]
) -> None:
    """Raises a UsageError when an option of `count` has no such value."""
    for option, given, known in (
        ("--by", by, SPLITS),
        ("--window", [window], WINDOWS),
        ("--languages", languages, LABELS["language"]),
    ):
        _refuse_unknown(option, given, known)
    if not languages:
        raise UsageError("--languages: none given, so that nothing would be counted")
    if not 0 < level < 1:
        raise UsageError(f"--level {level}: must lie between 0 and 1, as 0.95 does")


def _refuse_unknown(option: str, given: Collection[str], known: Sequence[str]) -> None:
    for value in given:
        if value not in known:
            raise UsageError(f"{option} {value}: unknown; known are {', '.join(known)}")


def load_brands(catalog: Catalog | str | Path | None) -> Catalog | None:
    """The catalogue of a file, or as given.

    Raises:
        InputError: when the file is none.
    """
    if isinstance(catalog, str | Path):
        from murmure.catalog import Catalog as Brands

        catalog = Brands.load(catalog)
    return catalog


class Counted(Protocol):
    """What counts the slices of entities."""

    def together(self) -> Iterable[range]:
        """Entities that are worked out at once, "all" first."""

    def count(self, entities: range) -> tuple[Slices, Estimates | None]:
        """Their slices and estimates; "all" is asked for first, then several at a time."""


def make_table(
    connection: DuckDBPyConnection, counted: Counted, labels: Mapping[str, Sequence[str]]
) -> pa.Table:
    """The counts table, without alerts.

    Args:
        connection: a DuckDB.
        counted: what counts.
        labels: the names of entities, windows, languages, channels and kinds of media.
    """
    import pyarrow as pa

    def rows_of(entities: range) -> list[pa.Table]:
        with connection.cursor() as cursor:
            return list(make_rows(cursor, *counted.count(entities), labels))

    first, *others = counted.together()
    tables = rows_of(first)
    with ThreadPoolExecutor(_THREADS) as pool:
        for rows in pool.map(rows_of, others):
            tables += rows
    return pa.concat_tables(tables)


def _read(
    connection: DuckDBPyConnection,
    runs: Sequence[Run],
    echoes: Echoes,
    catalog: Catalog | None,
    cells: Cells | None,
    *,
    file: str | Path | None,
    model: str | Path | None,
    options: Mapping[str, Any],
) -> tuple[Posts, Mentions | None, Mapping[str, str] | None]:
    """Reads posts and mentions; gives each entity's group, or None without a catalogue."""
    if catalog is None:
        refuse_mixed_catalogs(runs)
        told = runs[0].catalog
        if told is None:
            return *read_posts(connection, runs, echoes, cells=cells, **options), None
        brands = {brand["name"]: brand.get("group") or "" for brand in told.get("brands", ())}
    else:
        brands = {brand.name: brand.group or "" for brand in catalog.brands}
    if catalog is None or all(tagged_with(run.catalog, catalog, file) for run in runs):
        posts, mentions = read_posts(
            connection, runs, echoes, cells=cells, mentions=STORED, **options
        )
    else:
        retag = _Retagger(runs, catalog, model)
        found = find_mentions(connection, runs, catalog, retag, model=runs[0].fingerprint)
        posts, _ = read_posts(
            connection, runs, echoes, cells=cells, sponsored=cells is not None, **options
        )
        mentions = read_mentions(posts, found, cells)
    named = sorted(mentions.names) if mentions is not None else []
    if ALL in brands or ALL in named:
        message = f"{', '.join(str(run.folder) for run in runs)}: tagged with a brand '{ALL}', as "
        message += "counts call the whole; rename it in the catalogue, and give that with --catalog"
        raise RunError(message)
    return posts, mentions, brands | {name: brands.get(name, "") for name in named}


class _Retagger:
    """Tags texts with the runs' own model, loaded when the first text comes."""

    def __init__(self, runs: Sequence[Run], catalog: Catalog, model: str | Path | None) -> None:
        self._runs = runs
        self._catalog = catalog
        self._model = runs[0].model if model is None else str(model)
        self._predictor: Any = None

    def __call__(self, texts: Sequence[str]) -> pa.Array:
        if self._predictor is None:
            self._predictor = self._load()
        return self._predictor.predict_mentions(texts)

    def _load(self) -> Any:  # noqa: ANN401 - a Predictor, which is loaded late
        from murmure.tagging import Predictor

        predictor = Predictor.from_pretrained(self._model, catalog=self._catalog)
        for run in self._runs:
            if predictor.fingerprint != run.fingerprint:
                message = f"{run.folder}: tagged by another model than '{self._model}' is now"
                raise RunError(f"{message}; give its folder with --model, or tag again")
        return predictor
