"""What the template and the script are given: the counts and runs, put into the page's words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from murmure.report import alerts, crowd, packing, periods, runs, safe, story
from murmure.report.crowd import Crowd
from murmure.report.deciding import pieces
from murmure.report.examples import Example
from murmure.report.headline import COLUMNS, NOT_FOR_ALL, Column, figure
from murmure.report.slices import ALL, KIND, SERIES, Slice, Slices
from murmure.report.words import Words
from murmure.schema import LABELS, TAGS

#: Brands that get panels of their own while no brand is chosen.
PANELS = 12
#: Examples shown at a time for a brand and polarity.
SHOWN = 3
#: Names of brands that a title can carry.
_NAMED_IN_TITLE = 4


@dataclass(frozen=True, kw_only=True)
class View:
    """The counts and runs of a page, and their words.

    Attributes:
        slices: the counts, looked up.
        words: of the page's language.
        quality: of the runs.
        posts: the examples.
        brands: those of this page, most organic voices first; "all" alone without a catalogue.
        crowd: the accounts behind each brand's posts.
    """

    slices: Slices
    words: Words
    quality: runs.Quality
    posts: Sequence[Example]
    brands: Sequence[str]
    crowd: Mapping[str, Crowd]

    @cached_property
    def entities(self) -> list[str]:
        """Brands, then "all" where there are several to put together."""
        brands = self.brands
        return list(brands) if list(brands) == [ALL] else [*brands, ALL]

    @cached_property
    def languages(self) -> list[str]:
        """Languages that can be chosen."""
        return self.slices.languages()

    @cached_property
    def places(self) -> list[str]:
        """Channels and kinds of media that can be chosen."""
        return self.slices.places()

    @cached_property
    def axis(self) -> list[periods.Period]:
        """The dated windows."""
        return periods.axis(self.slices.dated, self.words)

    def entity_name(self, entity: str) -> str:
        """What the page calls an entity."""
        return self.words("table.everyone") if entity == ALL else safe.clean(entity)

    def place_name(self, place: str) -> str:
        """What the page calls a channel or a kind of media."""
        if place.startswith(KIND):
            return safe.clean(self.words.name("media", place[len(KIND) :]))
        return safe.clean(self.words.name("channel", place))

    def title(self) -> str:
        """The heading, from the brands' names."""
        brands = self.slices.brands()
        if brands == [ALL]:
            return self.words("head.title_none")
        if len(brands) > _NAMED_IN_TITLE:
            return self.words("head.title_many", n=self.words.number(len(brands)))
        names = self.words.join(sorted(self.entity_name(brand) for brand in brands))
        return self.words("head.title_brands", brands=names)

    def deck(self) -> str:
        """How much was counted, from when to when."""
        everything = Slice(promotion=ALL)
        values = {
            name: self.words.count(name, self.slices.value(everything, name) or 0)
            for name in ("posts", "voices")
        }
        if not self.slices.value(everything, "voices"):
            values["voices"] = self.words("head.nobody")
        first, last = self.quality.first, self.quality.last
        if first is None or last is None:
            return self.words("head.deck_undated", **values)
        start = self.words.date(first, year=first.year != last.year)
        values |= {"start": start, "end": self.words.date(last)}
        sponsored = self.slices.value(Slice(promotion="sponsored"), "posts")
        if not sponsored:
            return self.words("head.deck", **values)
        return self.words("head.deck_sponsored", **values, sponsored=self.words.number(sponsored))

    def rows(self) -> list[dict[str, Any]]:
        """The headline table over everything organic, each number in words and as data."""
        rows = []
        for entity in self.entities:
            few = (self.slices.value(Slice(entity), "voices") or 0) < story.FEW_VOICES
            rows.append(
                {
                    "index": self.entities.index(entity),
                    "name": self.entity_name(entity),
                    "everyone": entity == ALL and len(self.entities) > 1,
                    "few": few,
                    "cells": [self._figure(entity, column) for column in COLUMNS],
                }
            )
        return rows

    def _figure(self, entity: str, column: Column) -> dict[str, str]:
        where = Slice(entity, promotion=column.promotion or "organic")
        cell = self.slices.cell(where, column.metric)
        if entity == ALL and column.metric in NOT_FOR_ALL:
            cell = None
        return {"id": column.id, **figure(cell, column.form, self.words)}

    def trend(self) -> str:
        """What the small drawings in the headline table count."""
        axis = self.axis
        period = self.words.table["chart"]["periods"][axis[0].kind if axis else "week"]
        return self.words("table.trend_unit", period=period)

    def data(self) -> dict[str, Any]:
        """What the script is given."""
        words, axis = self.words, self.axis
        entities, languages, places = self.entities, self.languages, self.places
        return {
            "locale": words("locale"),
            "entities": [self.entity_name(entity) for entity in entities],
            "everyone": entities.index(ALL) if ALL in entities else -1,
            "brands": len(self.brands),
            "languages": [words.name("language", language) for language in languages],
            "places": [
                {
                    "name": self.place_name(place),
                    "kind": place.startswith(KIND),
                    "inside": KIND + self.slices.media.get(place, "") in places,
                }
                for place in places
            ],
            "periods": [[period.short, period.long] for period in axis],
            "window": axis[0].kind if axis else "",
            "columns": [
                {
                    "id": column.id,
                    "metric": column.metric,
                    "promotion": column.promotion[:1],
                    "form": column.form,
                    "alone": column.metric in NOT_FOR_ALL,
                }
                for column in COLUMNS
            ],
            "touchpoints": self.touchpoints(),
            "few": story.FEW_VOICES,
            "panels": PANELS,
            "shown": SHOWN,
            "corrected": self.slices.corrected,
            "words": {
                name: words.table[name]
                for name in ("chart", "table", "filter", "section", "head", "crowd")
            }
            | {"trend": self.trend()},
            "series": SERIES,
            "depth": self.slices.depth,
        }

    def cells(self) -> str:
        """The numbers that the script is given, compressed."""
        packed = packing.pack(
            self.slices,
            entities=self.entities,
            languages=self.languages,
            places=self.places,
            windows=[period.window for period in self.axis],
        )
        return packing.compress(packed)

    def notices(self) -> list[str]:
        """What the reader is to know of all numbers."""
        if not self.slices.corrected:
            return [self.words("head.raw_notice")]
        told = self.slices.told
        level = self.words.percent(float(told.get("level", 0.95)))
        notices = [self.words("head.corrected_notice", level=level)]
        if told.get("drifts"):
            notices.append(self.words("head.drift_notice"))
        if told.get("audited"):
            notices.append(self.words("head.audited_notice", n=self.words.number(told["audited"])))
        return notices

    def alerts(self) -> list[alerts.Alert]:
        """The alerts of the page's brands, the latest first."""
        return alerts.find(self.slices, brands=self.brands, axis=self.axis, words=self.words)

    def no_alert(self) -> str:
        """What is said where there is none."""
        watched = alerts.watched(self.slices, brands=self.brands, axis=self.axis)
        return alerts.none_told(watched=watched, words=self.words)

    def stories(self) -> list[story.Story]:
        """The sentences of the brands that come first."""
        return story.tell(
            self.slices,
            brands=self.brands[:PANELS],
            axis=self.axis,
            words=self.words,
            crowd=self.crowd,
        )

    def crowds(self) -> list[tuple[str, str]]:
        """Who half of each brand's posts come from."""
        told = [(entity, crowd.tell(self.crowd.get(entity), self.words)) for entity in self.brands]
        return [(self.entity_name(entity), sentence) for entity, sentence in told if sentence]

    def options(self) -> list[dict[str, Any]]:
        """The places to choose from: each kind of media as a group that begins with itself."""
        found: list[dict[str, Any]] = []
        for index, place in enumerate(self.places, start=1):
            option = {"index": index, "name": self.place_name(place)}
            if place.startswith(KIND):
                found.append(
                    {"kind": place[len(KIND) :], "name": option["name"], "options": [option]}
                )
                continue
            kind = self.slices.media.get(place)
            if not found or found[-1]["kind"] != kind:
                found.append({"kind": kind, "name": "", "options": []})
            found[-1]["options"].append(option)
        return found

    def touchpoints(self) -> list[tuple[str, str]]:
        """What an experience can be about: labels and their words."""
        labels = [label for label in LABELS["touchpoint"] if label != "none"]
        return [(label, self.words.name("touchpoint", label)) for label in labels]

    def examples(self) -> list[dict[str, Any]]:
        """The examples with what stands under them."""
        return [self._example(post) for post in self.posts]

    def _example(self, post: Example) -> dict[str, Any]:
        words, places = self.words, self.places
        if post.anonymous:
            author = words("example.no_author")
        else:
            author = post.author or words("example.person", n=words.number(post.person))
        kind = KIND + self.slices.media.get(post.channel, "")
        windows = [period.window for period in self.axis]
        window = periods.window_of(post.time, self.axis[0].kind) if post.time and windows else ""
        return {
            "post": post,
            "pieces": pieces(post.text, post.marks),
            "period": _index(windows, window),
            "brand": self.brands.index(post.entity),
            "language": _index(self.languages, post.language),
            "place": _index(places, post.channel),
            "kind": _index(places, kind),
            "author": author,
            "day": words.date(post.time) if post.time else words("example.undated"),
            "stamp": post.time.isoformat(timespec="seconds") if post.time else "",
            "about": [
                self.place_name(post.channel),
                words.name("language", post.language),
                words.name("experience", post.experience),
                words.name("touchpoint", post.touchpoint),
            ],
        }

    def quality_rows(self) -> list[dict[str, Any]]:
        """The table of data quality."""
        words, quality = self.words, self.quality
        unknown = words("table.unknown")

        def row(
            name: str, number: int | None, of: int | None, *, inner: bool = False
        ) -> dict[str, Any]:
            return {
                "name": name,
                "number": unknown if number is None else words.number(number),
                "percent": words.percent(number / of) if number is not None and of else "",
                "inner": inner,
            }

        counted = quality.tagged - quality.other
        rows = [
            row(words("quality.rows_in"), quality.rows_in, None),
            row(words("quality.tagged"), quality.tagged, quality.rows_in),
            row(words("quality.rejected"), quality.rejected, quality.rows_in),
            *(
                row(
                    words("quality.rejected_why", reason=safe.shorten(safe.clean(reason), 90)[0]),
                    number,
                    quality.rows_in,
                    inner=True,
                )
                for reason, number in quality.reasons.items()
            ),
            row(words("quality.other"), quality.other, quality.tagged),
            row(words("quality.unknown_authors"), quality.unknown_authors, counted),
            row(words("quality.undated"), quality.undated, counted),
            row(words("quality.truncated"), quality.truncated, quality.tagged),
        ]
        unsure = words("quality.abstained") + words("head.colon")
        return rows + [
            row(unsure + words.name("tag", tag), quality.abstained.get(tag), quality.tagged)
            for tag in TAGS
        ]

    def reservations(self) -> list[tuple[bool, str]]:
        """What is known of the model's errors on these very posts; whether each is a warning."""
        words, told = self.words, self.slices.told
        found: list[tuple[bool, str]] = []
        drifts = [
            words(
                "quality.drift_of_run" if drift.get("run") else "quality.drift_of",
                run=drift.get("run", ""),
                tag=words.name("tag", drift["tag"]),
                language=words.name("language", drift["language"]),
                percent=words.percent(drift["distance"]),
                posts=words.count("posts", drift["posts"]),
            )
            for drift in told.get("drifts", ())
        ]
        if drifts:
            key = "quality.drift_audited" if told.get("audited") else "quality.drift"
            found.append((True, words(key, drifts=words.join(drifts))))
        if "drifts" in told and not found:
            found.append((False, words("quality.no_drift")))
        audited = told.get("audited")
        if audited:
            key = "quality.audited" if told.get("audited_all") else "quality.audited_parts"
            found.append((False, words(key, n=words.number(audited))))
        elif unused := told.get("unused_labels"):
            found.append((True, words("quality.too_few_labels", n=words.number(unused))))
        elif self.slices.corrected:
            found.append((False, words("quality.not_audited")))
        return found


def _index(values: Sequence[str], value: str) -> int:
    """Where a value stands in a filter's list, 1 for the first; -1 where it does not."""
    return values.index(value) + 1 if value in values else -1
