"""Counts said again in plain Python, slowly, to compare DuckDB's with."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import product
from typing import Any

from murmure.influence.authors import NOBODY
from tests.runs import full_row

Row = Mapping[str, Any]
Numbers = dict[tuple[str, ...], tuple[float | None, int]]

_DROPPED = re.compile(r"^\s*rt\s+@[\w.]+|https?://\S+|www\.\S+|@[\w.]+|[\W_]+")
_BY_LABEL = ("experience", "touchpoint", "sentiment")


def shingles(text: str) -> set[tuple[str, ...]]:
    """The normalised 5-word shingles of a text; four words are one."""
    words = _DROPPED.sub(" ", text.lower()).split()
    if len(words) == 4:
        return {tuple(words)}
    return {tuple(words[place : place + 5]) for place in range(len(words) - 4)}


def alike(one: str, other: str) -> bool:
    """Whether two texts are copies."""
    return _similar(shingles(one), shingles(other))


def _similar(one: set[tuple[str, ...]], other: set[tuple[str, ...]]) -> bool:
    either = len(one | other)
    return either > 0 and len(one & other) / either >= 0.8


def find_echoes(rows: Sequence[Row]) -> list[bool]:
    """Whether each row repeats one that is earlier by time, then no repost, then by place."""
    sets = [shingles(row["text"]) for row in rows]

    echoes = [bool((row["repost_of"] or "").strip()) for row in rows]

    def age(place: int) -> tuple[bool, Any, bool, int]:
        time = rows[place]["created_at"]
        return (time is None, time.timestamp() if time else 0, echoes[place], place)

    order = sorted(range(len(rows)), key=age)
    for rank, place in enumerate(order):
        for earlier in order[:rank]:
            if _similar(sets[place], sets[earlier]):
                echoes[place] = True
    return echoes


def recount(
    rows: Sequence[Row],
    *,
    by: Collection[str],
    media: Mapping[str, str],
    languages: Collection[str] = ("fr", "en", "mixed"),
    groups: Mapping[str, str] | None = None,
) -> Numbers:
    """What `count` must give by week: raw and n by the ten columns before them."""
    full = [full_row(row, place) for place, row in enumerate(rows)]
    catalog = groups is not None or any(row["mentions"] for row in full)
    facts = []
    for row, echo in zip(full, find_echoes(full), strict=True):
        if row["language"] in languages:
            facts += _facts(row, echo=echo, catalog=catalog, split="entity" in by)
    entities = {fact["entity"] for fact in facts} | {"all"}
    if "entity" in by:
        entities |= set(groups or ())
    windows = {_window(row) for row in full if row["language"] in languages} | {"all"}
    slices: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for entity, window in product(entities, windows):
        slices[entity, window, "all", "all", "all"] = []
    for fact in facts:
        channel, kind = fact["channel"], media.get(fact["channel"], "unknown")
        places = [("all", "all")]
        places += [(channel, "all")] if "channel" in by else []
        places += [("all", kind)] if "media" in by else []
        places += [(channel, kind)] if {"channel", "media"} <= set(by) else []
        spoken = {"all", fact["language"]} if "language" in by else {"all"}
        for window, language, place in product({"all", fact["window"]}, spoken, places):
            slices[fact["entity"], window, language, *place].append(fact)
    numbers: Numbers = {}
    for key, inside in slices.items():
        entity = key[0]
        organic = _organic(inside)
        if entity != "all" and (organic or key[2:] == ("all", "all", "all")):
            group = (groups or {}).get(entity, "")
            rivals = [name for name in entities - {"all"} if (groups or {}).get(name, "") == group]
            voices = {
                author
                for rival in rivals
                for author in _voices(_organic(slices.get((rival, *key[1:]), [])))
            }
            share = len(_voices(organic)) / len(voices) if voices else None
            numbers[*key, "organic", "share", "all", "all", "all"] = (share, _known(organic))
        for promotion, yes in (("organic", "no"), ("sponsored", "yes"), ("all", None)):
            some = [fact for fact in inside if yes is None or fact["sponsored"] == yes]
            if not some and key[2:] != ("all", "all", "all"):
                continue
            for (metric, *labels), number in _metrics(some, organic=promotion == "organic").items():
                numbers[*key, promotion, metric, *labels] = number
    return numbers


def _facts(row: Row, *, echo: bool, catalog: bool, split: bool) -> list[dict[str, Any]]:
    fact = {name: row[name] for name in ("language", "sponsored", *_BY_LABEL)}
    fact |= {"echo": echo, "window": _window(row)}
    author = (row["author"] or "").strip()
    fact["author"] = None if author.lower() in NOBODY else author
    channel = (row["channel"] or "").strip() or "unknown"
    fact["channel"] = "all (channel)" if channel.lower() == "all" else channel
    if not catalog:
        return [fact | {"entity": "all"}]
    best: dict[str, Row] = {}
    for mention in row["mentions"]:
        name = mention["entity"]
        if name not in best or _neutral(mention) < _neutral(best[name]):
            best[name] = mention
    named = [
        fact | {"entity": name} | {tag: mention[tag] for tag in _BY_LABEL}
        for name, mention in best.items()
    ]
    return ([fact | {"entity": "all"}] if named else []) + (named if split else [])


def _neutral(mention: Row) -> tuple[float, int]:
    return mention["sentiment_probabilities"][1], mention["start"]


def _window(row: Row) -> str:
    return row["created_at"].strftime("%G-W%V") if row["created_at"] else "unknown"


def _organic(facts: Collection[Row]) -> list[Row]:
    return [fact for fact in facts if fact["sponsored"] == "no"]


def _voices(facts: Collection[Row]) -> dict[str, list[Row]]:
    voices = defaultdict(list)
    for fact in facts:
        if fact["author"] is not None and not fact["echo"]:
            voices[fact["author"]].append(fact)
    return voices


def _known(facts: Collection[Row]) -> int:
    return sum(len(posts) for posts in _voices(facts).values())


def _balance(posts: Collection[Row]) -> int:
    sentiments = Counter(post["sentiment"] for post in posts)
    return sentiments["positive"] - sentiments["negative"]


def _metrics(facts: list[Row], *, organic: bool) -> dict[tuple[str, ...], tuple[float | None, int]]:
    voices = _voices(facts)
    known = _known(facts)
    originals = [fact for fact in facts if not fact["echo"]]
    whole = ("all", "all", "all")
    numbers: dict[tuple[str, ...], tuple[float | None, int]] = {
        ("posts", *whole): (len(facts), len(facts)),
        ("voices", *whole): (len(voices), known),
        ("unknown_authors", *whole): (sum(f["author"] is None for f in facts), len(facts)),
        ("echoes", *whole): (len(facts) - len(originals), len(facts)),
        ("good", *whole): (0, len(originals)),
        ("bad", *whole): (0, len(originals)),
    }
    squares = sum(len(posts) ** 2 for posts in voices.values())
    numbers["concentration", *whole] = (known**2 / squares if squares else None, known)
    splits: Counter[tuple[str, ...]] = Counter()
    splits.update(("posts", "all", "all", fact["sentiment"]) for fact in facts)
    for fact in originals:
        if fact["experience"] != "none" and fact["sentiment"] != "neutral":
            metric = "good" if fact["sentiment"] == "positive" else "bad"
            labels = product(("all", fact["experience"]), ("all", fact["touchpoint"]))
            splits.update((metric, *pair, "all") for pair in labels)
    for split, posts in splits.items():
        numbers[split] = (posts, len(facts) if split[0] == "posts" else len(originals))
    if organic:
        attitudes = [_balance(posts) for posts in voices.values()]
        lived = [
            _balance([post for post in posts if post["experience"] == "own"])
            for posts in voices.values()
        ]
        balance = sum(a > 0 for a in attitudes) - sum(a < 0 for a in attitudes)
        influence = 100 * balance / len(voices) if voices else None
        numbers["influence", *whole] = (influence, known)
        numbers["advocates", *whole] = (sum(own > 0 for own in lived), known)
        numbers["detractors", *whole] = (sum(own < 0 for own in lived), known)
    return numbers
