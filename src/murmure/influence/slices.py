# ruff: noqa: S608 - every name in this SQL is murmure's own, every value is quoted
"""Slices: for every combination of columns, what the metrics are made of.

A slice is a value, or "all", of each of the columns that counts are split by. Posts are added up
from cells; people are counted anew in every slice, since one person may speak in several.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from murmure.influence.metrics import ALL, METRICS, ORGANIC, PROMOTIONS, SPONSORED

if TYPE_CHECKING:
    import pyarrow as pa
    from duckdb import DuckDBPyConnection

_READ_ROWS = 1_000_000

# `win` is the window: that word is SQL's own.
_KEYS = ("entity", "win", "language", "channel", "media")
_KEY_LIST = ", ".join(_KEYS)

# Conditions on the column `sponsored` for each value of `promotion`.
_PROMOTED = {ORGANIC: "NOT sponsored", SPONSORED: "sponsored", ALL: "true"}
_LIVED = "NOT echo AND experience <> 'none'"

# Posts added up, for each promotion.
_SUMS = {
    "posts": "true",
    "unknown": "NOT known",
    "echoes": "echo",
    "originals": "NOT echo",
    "known": "NOT echo AND known",
    "good": f"{_LIVED} AND sentiment = 'positive'",
    "bad": f"{_LIVED} AND sentiment = 'negative'",
}
# People counted: aggregates over one row per voice, whose posts are its columns "organic",
# "sponsored" and "all", and whose balances are over organic posts.
_VOICES = {
    **{f"voices_{name}": f'count(*) FILTER ("{name}" > 0)' for name in PROMOTIONS},
    **{f"squares_{name}": f'sum("{name}"::DOUBLE * "{name}")' for name in PROMOTIONS},
    "in_favour": "count(*) FILTER (balance > 0)",
    "against": "count(*) FILTER (balance < 0)",
    "advocates": "count(*) FILTER (own > 0)",
    "detractors": "count(*) FILTER (own < 0)",
}
# The slices that are there for every entity and window, be it with nothing.
_WHOLE = f"(language = '{ALL}' AND channel = '{ALL}' AND media = '{ALL}')"
_ALL_LABELS = ", ".join(
    f"'{ALL}'::{name}_label AS {name}" for name in ("experience", "touchpoint", "sentiment")
)


@dataclass(frozen=True, slots=True)
class Cut:
    """One combination of columns whose values make slices; the other columns are "all".

    Attributes:
        columns: of the window, language, channel and media; the entity is always one.
    """

    columns: tuple[str, ...]

    @property
    def keys(self) -> str:
        """The five key columns, as SQL selects them."""
        return ", ".join(
            name if name in ("entity", *self.columns) else f"'{ALL}'::{name}_label AS {name}"
            for name in _KEYS
        )

    def group(self, *more: str) -> str:
        """The columns that SQL groups by."""
        return ", ".join(("entity", *self.columns, *more))


def cuts(by: Collection[str]) -> Iterator[Cut]:
    """The cuts that splitting by these columns takes, the whole first.

    A channel is of one kind of media, so that these two are never combined.
    """
    places = [(), *((name,) for name in ("channel", "media") if name in by)]
    for place in places:
        for language in [(), ("language",)] if "language" in by else [()]:
            for win in [(), ("win",)]:
                yield Cut((*win, *language, *place))


def make_slices(connection: DuckDBPyConnection, by: Collection[str]) -> None:
    """Makes the tables `slices`, one row each, and `splits`: a slice's posts by label.

    Args:
        connection: with the tables `sums`, `people`, `rivals` and `kinds`.
        by: the columns to split by.
    """
    make_types(connection)
    for place, cut in enumerate(cuts(by)):
        for table, rows in (("slices", _slices(cut)), ("splits", _splits(cut))):
            create = f"INSERT INTO {table}" if place else f"CREATE TABLE {table} AS"
            connection.execute(f"{create} {rows}")
    if "media" in by:  # a channel's rows once more, with its kind beside it
        for table in ("slices", "splits"):
            connection.execute(
                f"INSERT INTO {table} SELECT t.* REPLACE (k.media AS media) "
                f"FROM {table} t JOIN kinds k USING (channel)"
            )


def make_types(connection: DuckDBPyConnection) -> None:
    """Makes the types of promotions and metrics, whose labels are sorted as they are listed."""
    for name, labels in (("promotion", PROMOTIONS), ("metric", [m.name for m in METRICS])):
        listed = ", ".join(f"'{label}'" for label in labels)
        connection.execute(f"CREATE TYPE {name}_label AS ENUM ({listed})")


def read_slices(connection: DuckDBPyConnection) -> Iterator[pa.Table]:
    """Reads the rows of the counts table, in a fixed order.

    Args:
        connection: with the tables `slices` and `splits`.

    Yields:
        Tables of the rows of some entities each, so that memory holds them; the columns are those
        of a counts table but for `window`, which is called `win`, and the estimates.
    """
    query = _long_table()
    for table in ("sums", "people"):
        connection.execute(f"DROP TABLE IF EXISTS {table}")
    (entities, rows), *_ = connection.execute(
        "SELECT len(enum_range(NULL::entity_label)), "
        f"(SELECT count(*) FROM slices) * {len(METRICS)} + (SELECT count(*) FROM splits)"
    ).fetchall()
    step = max(1, entities * _READ_ROWS // max(rows, 1))
    for first in range(0, entities, step):
        last = first + step - 1
        yield connection.sql(query, params=[first, last]).to_arrow_table()


def _long_table() -> str:
    # Its texts are of the types that `facts` and `make_slices` made: sorted as their labels are.
    selects = []
    for metric in METRICS:
        for promotion in metric.promotions:
            numbers = f"{metric.raw} AS raw, {metric.n} AS n".format(promotion=promotion)
            wanted = f"posts_{promotion} > 0 OR {_WHOLE}"
            if metric.name == "share":
                wanted = f"({wanted}) AND entity <> '{ALL}'"
            selects.append(
                f"SELECT {_KEY_LIST}, '{promotion}'::promotion_label AS promotion, "
                f"'{metric.name}'::metric_label AS metric, {_ALL_LABELS}, {numbers} "
                f"FROM slices WHERE {wanted}"
            )
        if metric.split_by:
            n = " ".join(
                f"WHEN '{promotion}' THEN {metric.n}".format(promotion=promotion)
                for promotion in metric.promotions
            )
            selects.append(
                f"SELECT {_KEY_LIST}, promotion, metric, experience, touchpoint, sentiment, "
                f"splits.posts, CASE promotion {n} END FROM splits JOIN slices USING ({_KEY_LIST}) "
                f"WHERE metric = '{metric.name}'"
            )
    labels = "promotion, metric, experience, touchpoint, sentiment"
    return (
        f"SELECT {_KEY_LIST}, {labels}, raw::DOUBLE AS raw, n::BIGINT AS n "
        f"FROM ({' UNION ALL '.join(selects)}) WHERE enum_code(entity) BETWEEN ? AND ? "
        f"ORDER BY {_KEY_LIST}, {labels}"
    )


def _slices(cut: Cut) -> str:
    present = "SELECT * FROM added LEFT JOIN voices"
    if cut.columns in ((), ("win",)):  # every entity in every window, be it with nothing
        wins = "enum_range(NULL::win_label)[2:]" if cut.columns else f"['{ALL}']"
        present = (
            "SELECT * FROM (SELECT unnest(enum_range(NULL::entity_label))::entity_label AS entity, "
            f"win::win_label AS win, '{ALL}'::language_label AS language, "
            f"'{ALL}'::channel_label AS channel, '{ALL}'::media_label AS media "
            f"FROM (SELECT unnest({wins}) AS win)) "
            f"LEFT JOIN added USING ({_KEY_LIST}) LEFT JOIN voices"
        )
    sums = [f"{name}_{promotion}" for name in _SUMS for promotion in PROMOTIONS]
    filled = ", ".join(f"coalesce({name}, 0) AS {name}" for name in (*sums, *_VOICES))
    same = " AND ".join(f"g.{name} = s.{name}" for name in _KEYS[1:])
    return (
        f"WITH added AS ({_added(cut)}), voices AS ({_voices(cut)}), "
        f"grouped AS ({group_voices(cut)}) "
        f"SELECT {', '.join('s.' + name for name in _KEYS)}, {filled}, "
        "coalesce(group_voices, 0) AS group_voices "
        f"FROM ({present} USING ({_KEY_LIST})) s LEFT JOIN rivals r ON r.entity = s.entity "
        f"LEFT JOIN grouped g ON g.rivals = r.rivals AND {same}"
    )


def _added(cut: Cut) -> str:
    sums = ", ".join(
        f"sum(posts) FILTER ({promoted} AND {condition})::BIGINT AS {name}_{promotion}"
        for name, condition in _SUMS.items()
        for promotion, promoted in _PROMOTED.items()
    )
    return f"SELECT {cut.keys}, {sums} FROM sums GROUP BY {cut.group()}"


def _voices(cut: Cut) -> str:
    aggregates = ", ".join(f"{value} AS {name}" for name, value in _VOICES.items())
    posts = ", ".join(
        f'count(*) FILTER ({promoted}) AS "{name}"' for name, promoted in _PROMOTED.items()
    )
    return (
        f"SELECT {cut.keys}, {aggregates} FROM (SELECT {cut.group('author')}, {posts}, "
        f"sum(balance) AS balance, sum(own) AS own FROM people GROUP BY {cut.group('author')}) "
        f"GROUP BY {cut.group()}"
    )


def group_voices(cut: Cut) -> str:
    """SQL that gives the organic voices of each group of entities, in the slices of a cut."""
    keys, group = (sql.replace("entity", "rivals", 1) for sql in (cut.keys, cut.group()))
    return (
        f"SELECT {keys}, count(*) AS group_voices FROM (SELECT DISTINCT {group}, author "
        f"FROM people JOIN rivals USING (entity) WHERE NOT sponsored) GROUP BY {group}"
    )


def _splits(cut: Cut) -> str:
    by_sentiment = (
        f"SELECT {cut.keys}, sponsored, 'posts' AS metric, '{ALL}'::experience_label AS "
        f"experience, '{ALL}'::touchpoint_label AS touchpoint, sentiment, sum(posts) AS posts "
        "FROM sums GROUP BY GROUPING SETS "
        f"(({cut.group('sponsored', 'sentiment')}), ({cut.group('sentiment')}))"
    )
    sets = ", ".join(
        f"({cut.group('metric', *promotion, *labels)})"
        for promotion in (("sponsored",), ())
        for labels in (("experience", "touchpoint"), ("experience",), ("touchpoint",))
    )
    by_touchpoint = (
        f"SELECT {cut.keys}, sponsored, metric, coalesce(experience, '{ALL}'), "
        f"coalesce(touchpoint, '{ALL}'), '{ALL}', sum(posts) FROM (SELECT *, "
        "CASE sentiment WHEN 'positive' THEN 'good' ELSE 'bad' END AS metric FROM sums "
        f"WHERE {_LIVED} AND sentiment <> 'neutral') GROUP BY GROUPING SETS ({sets})"
    )
    promotion = f"CASE sponsored WHEN true THEN '{SPONSORED}' WHEN false THEN '{ORGANIC}' END"
    return (
        "SELECT * EXCLUDE (sponsored) REPLACE (metric::metric_label AS metric), "
        f"coalesce({promotion}, '{ALL}')::promotion_label AS promotion "
        f"FROM ({by_sentiment} UNION ALL {by_touchpoint})"
    )
