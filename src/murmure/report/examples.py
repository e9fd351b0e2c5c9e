"""Chooses the posts that illustrate a brand's good and bad experiences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from murmure.influence.authors import somebody
from murmure.report import typical
from murmure.report.deciding import Decider
from murmure.report.runs import parts, reading, time_of
from murmure.report.safe import clean, mask, shorten
from murmure.report.slices import ALL

if TYPE_CHECKING:
    import duckdb

    from murmure.catalog import Catalog

#: Characters of a post that the page shows.
LONGEST = 480
#: Posts kept for each brand, good or bad, organic or sponsored: what filters choose from; and for
#: each of so many brands that share a page.
KEPT, KEPT_OF_MANY, MANY = 15, 4, 12
#: Posts looked at for each brand, polarity, promotion, touchpoint, language and channel.
_CANDIDATES = 8
#: What a post's score is worth to each brand where it names several.
_SHARED = 0.5
#: Candidates where brands are yet to be looked for in the texts.
_SEARCHED = 300

# The two runs of max_by hold a few texts a group, never all: memory does not grow with the posts.
# Labels decide what a post is an example of, probabilities which one is shown; the last digits of
# the score come from the id, so that equals fall the same way on every machine.
_QUERY = """
WITH posts AS (
    SELECT id, text, CASE WHEN {somebody} THEN trim(author) END AS author,
        epoch_us(created_at) AS time,
        coalesce(nullif(trim(channel), ''), 'unknown') AS channel,
        language, sponsored, disclosure,
        len(list_distinct([m.entity FOR m IN mentions])) AS brands, {who}
    FROM read_parquet($parts, union_by_name = true, hive_partitioning = false)
    WHERE language <> 'other' AND repost_of IS NULL
), scored AS (
    SELECT *, CASE sentiment WHEN 'positive' THEN 'good' ELSE 'bad' END AS polarity,
        (sentiment_probabilities[CASE sentiment WHEN 'positive' THEN 3 ELSE 1 END]
        * (1 - experience_probabilities[3])
        * touchpoint_score
        * CASE experience WHEN 'own' THEN 1.0 ELSE 0.8 END
        * CASE WHEN length(text) BETWEEN 50 AND 400 THEN 1.0 ELSE 0.7 END
        * CASE WHEN brands > 1 THEN {shared} ELSE 1.0 END)::DOUBLE
        + ('0x' || substr(md5(id), 1, 6))::BIGINT / 1e12 AS score
    FROM posts
    WHERE sentiment <> 'neutral' AND experience <> 'none'
)
SELECT entity, polarity, CASE sponsored WHEN 'yes' THEN 'sponsored' ELSE 'organic' END AS promotion,
    touchpoint, language, channel, count(*) AS posts,
    max_by(struct_pack(score, id, text, author, time, experience, disclosure, surface),
        score, {candidates}) AS candidates
FROM scored GROUP BY ALL
"""

_TAGS = ("sentiment", "sentiment_probabilities", "experience", "experience_probabilities",
         "touchpoint", "touchpoint_score")  # fmt: skip
_MENTION = (
    "unnest(list_transform(mentions, lambda m: {'entity': m.entity, 'surface': m.surface, "
    + ", ".join(f"'{tag}': m.{tag}" for tag in _TAGS)
    + "}), recursive := true)"
)
_POST = ", ".join([f"'{ALL}' AS entity", "NULL AS surface", *_TAGS])


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One post as the page shows it; its text and names are cleaned but not escaped.

    Attributes:
        entity: the brand it speaks of.
        polarity: `good` or `bad`.
        promotion: `organic` or `sponsored`.
        language: its label.
        channel: where it was posted; "unknown" where that is not known.
        text: what was written, shortened, other people's names masked unless asked for.
        shortened: whether the text was cut.
        author: the author's name if names are shown, else None.
        anonymous: whether the post has no author.
        person: the author's number on this page; 0 for a post without author.
        time: when it was posted.
        experience: its label.
        touchpoint: its label.
        marks: where in the text the words stand that decided.
    """

    entity: str
    polarity: str
    promotion: str
    language: str
    channel: str
    text: str
    shortened: bool
    author: str | None
    anonymous: bool
    person: int
    time: datetime | None
    experience: str
    touchpoint: str
    marks: tuple[tuple[int, int], ...] = ()


def choose(
    folders: Sequence[Path],
    database: duckdb.DuckDBPyConnection,
    *,
    brands: Iterable[str],
    catalog: Catalog | None = None,
    show_authors: bool = False,
) -> list[Example]:
    """The posts to show: typical ones of those whose labels are surest, each unlike the others.

    They are spread over touchpoints (as far as each has posts), languages and channels.

    Args:
        folders: of the runs.
        database: to read them with.
        brands: whose examples are wanted; "all" alone where no catalogue was used.
        catalog: brands to look for in the texts, where the runs were tagged with another
            catalogue or with none; a post then speaks of each with the tags of the whole post.
        show_authors: whether names, handles and addresses stay; else people are numbered.

    Returns:
        At most `KEPT` for each brand, polarity and promotion (`KEPT_OF_MANY` of many brands), the
        first the ones to show first; no two with the same text or author among them.

    Raises:
        InputError: where a part cannot be read.
        RunError: where memory or room for temporary files is lacking.
    """
    wanted = list(brands)
    whole = wanted == [ALL] or catalog is not None
    query = _QUERY.format(
        somebody=somebody(),
        who=_POST if whole else _MENTION,
        shared=_SHARED,
        candidates=_CANDIDATES if catalog is None else _SEARCHED,
    )
    files = parts(folders)
    with reading(folders):
        groups = database.execute(query, {"parts": files}).fetchall()
    pools: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for entity, polarity, promotion, touchpoint, language, channel, size, posts in sorted(
        groups, key=_place
    ):
        place = {"touchpoint": touchpoint, "language": language, "channel": channel, "size": size}
        rows = [{**row, **place} for row in posts]
        named = [(entity, row) for row in rows] if catalog is None else _named(rows, catalog)
        for brand, row in named:
            pools.setdefault((brand, polarity, promotion), []).append(row)
    people: dict[str, int] = {}
    kept = KEPT if len(wanted) <= MANY else KEPT_OF_MANY
    examples = [
        _example(
            post,
            place={"entity": entity, "polarity": polarity, "promotion": promotion},
            people=people,
            show_authors=show_authors,
        )
        for entity in wanted
        for polarity in ("good", "bad")
        for promotion in ("organic", "sponsored")
        for post in _varied(pools.get((entity, polarity, promotion), []), kept)
    ]
    return _marked(examples)


def _place(group: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple(map(str, group[:6]))


def _marked(examples: list[Example]) -> list[Example]:
    """The examples with the words marked that decided, where the model that tells is there."""
    decider = Decider.load() if examples else None
    if decider is None:
        return examples
    labels = ["positive" if post.polarity == "good" else "negative" for post in examples]
    spans = decider.spans([post.text for post in examples], labels)
    return [replace(post, marks=tuple(found)) for post, found in zip(examples, spans, strict=True)]


def _named(rows: list[dict[str, Any]], catalog: Catalog) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row once per brand that it names, as far as `_CANDIDATES` rows a brand."""
    taken: Counter[str] = Counter()
    rows = sorted(rows, key=lambda row: -row["score"])
    for row, spans in zip(rows, catalog.find_all([row["text"] for row in rows]), strict=True):
        surfaces = {span.entity: span.surface for span in reversed(spans)}
        for entity, surface in sorted(surfaces.items()):
            if taken[entity] < _CANDIDATES:
                taken[entity] += 1
                share = 1.0 if len(surfaces) == 1 else _SHARED
                yield entity, {**row, "surface": surface, "score": share * row["score"]}


def _varied(pool: list[dict[str, Any]], kept: int) -> list[dict[str, Any]]:
    """The posts to show of one pool, in the order in which they are to be shown.

    Each touchpoint in turn, that with most posts first, gives its most typical post that is unlike
    those chosen, preferring languages and channels not yet seen.
    """
    cells: dict[str, list[dict[str, Any]]] = {}
    sizes: Counter[str] = Counter()
    for touchpoint, rows in groupby(
        sorted(pool, key=lambda row: str(row["touchpoint"])), key=lambda row: str(row["touchpoint"])
    ):
        cells[touchpoint] = _typical(list(rows))
        places = {(row["language"], row["channel"]): row["size"] for row in cells[touchpoint]}
        sizes[touchpoint] = sum(places.values())
    seen: Counter[str] = Counter()
    texts: set[str] = set()
    authors: set[str] = set()
    chosen: list[dict[str, Any]] = []

    def worth(post: dict[str, Any]) -> float:
        repeats = sum(seen[f"{name}:{post[name]}"] for name in ("language", "channel"))
        near = max((typical.alike(post["words"], one["words"]) for one in chosen), default=0.0)
        fresh = typical.TYPICAL * post["typical"] - (1 - typical.TYPICAL) * near
        return float(post["score"] * (1 + fresh) / (1 + 0.25 * repeats))

    while any(cells.values()) and len(chosen) < kept:
        for touchpoint, _ in sizes.most_common():
            while cells[touchpoint]:
                post = max(cells[touchpoint], key=worth)
                cells[touchpoint].remove(post)
                bare = _bare(post["text"])
                if bare not in texts and post["author"] not in authors:
                    break
            else:
                continue
            texts.add(bare)
            if post["author"] is not None:
                authors.add(post["author"])
            seen.update(f"{name}:{post[name]}" for name in ("language", "channel"))
            chosen.append(post)
    return chosen[:kept]


def _typical(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The posts of one cell, each with its words and how typical it is of its language there."""
    rows = sorted(rows, key=lambda row: -row["score"])
    found = []
    for language in sorted({row["language"] for row in rows}):
        some = [row for row in rows if row["language"] == language]
        words = typical.vectors([row["text"] for row in some])
        near = typical.typicality(words)
        found += [
            {**row, "words": vector, "typical": close}
            for row, vector, close in zip(some, words, near, strict=True)
        ]
    return found


def _bare(text: str) -> str:
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())


def _example(
    post: dict[str, Any], *, place: dict[str, str], people: dict[str, int], show_authors: bool
) -> Example:
    author = post["author"]
    text = clean(post["text"][: 4 * LONGEST])
    if not show_authors:
        keep = [post["surface"]] if post["surface"] else []
        text = mask(text, names=[author], keep=keep)
    text, cut = shorten(text, LONGEST)
    person = people.setdefault(author, len(people) + 1) if author is not None else 0
    return Example(
        entity=place["entity"],
        polarity=place["polarity"],
        promotion=place["promotion"],
        language=post["language"],
        channel=clean(post["channel"]),
        text=text,
        shortened=cut,
        author=clean(author) if show_authors and author is not None else None,
        anonymous=author is None,
        person=person,
        time=time_of(post["time"]),
        experience=post["experience"],
        touchpoint=post["touchpoint"],
    )
