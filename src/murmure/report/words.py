"""The words, numbers and dates of a page in the language of its reader."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from math import floor
from typing import Any

from murmure.errors import UsageError

#: The languages a page can be written in.
LANGUAGES = ("fr", "en")

_GROUP = {"fr": "\u202f", "en": ","}
_POINT = {"fr": ",", "en": "."}
_PERCENT = {"fr": "\u202f%", "en": "%"}
_MINUS = "\u2212"
_BOUND = {" :": "\u00a0:", " ;": "\u202f;", " ?": "\u202f?", "« ": "«\u00a0", " »": "\u00a0»"}


@dataclass(frozen=True)
class Words:
    """Every word of a page in one language.

    Attributes:
        language: `fr` or `en`.
        table: the words as their file gives them, sections as mappings.
    """

    language: str
    table: Mapping[str, Any]

    @staticmethod
    @cache
    def load(language: str) -> Words:
        """The words of `language`.

        Raises:
            UsageError: where the page does not speak that language.

        Example:
            >>> Words.load("de")
            Traceback (most recent call last):
            murmure.errors.UsageError: --ui 'de': the page is written in fr or en
        """
        if language not in LANGUAGES:
            raise UsageError(f"--ui {language!r}: the page is written in {' or '.join(LANGUAGES)}")
        file = files("murmure.report") / "words" / f"{language}.toml"
        text = file.read_text(encoding="utf-8")
        if language == "fr":  # French keeps its double signs on the line of their word
            for loose, bound in _BOUND.items():
                text = text.replace(loose, bound)
        return Words(language, tomllib.loads(text))

    def __call__(self, key: str, **values: object) -> str:
        """The words under a dotted key, with `{names}` filled in.

        Example:
            >>> Words.load("en")("story.people", advocates="3 advocates", detractors="1 detractor")
            '3 advocates, 1 detractor.'
        """
        text = self._at(key)
        if not isinstance(text, str):
            raise KeyError(key)
        return text.format(**values) if values else text

    def name(self, section: str, value: str) -> str:
        """The reader's word for a label or a channel; the value itself where there is none.

        Example:
            >>> Words.load("fr").name("channel", "press"), Words.load("fr").name("channel", "vk")
            ('presse', 'vk')
        """
        word = self.table[section].get(value, value)
        return word if isinstance(word, str) else value

    def count(self, what: str, number: float) -> str:
        """A number with its noun, singular or plural as the language has it.

        Example:
            >>> Words.load("fr").count("posts", 1.0), Words.load("en").count("posts", 0)
            ('1 post', '0 posts')
        """
        rounded = abs(round(number))
        one = rounded < 2 if self.language == "fr" else rounded == 1
        return self(f"count.{what}.{'one' if one else 'many'}", n=self.number(number))

    def number(self, value: float, decimals: int = 0) -> str:
        """A number with the language's separators and a true minus sign.

        Example:
            >>> Words.load("en").number(-1234.5, 1)
            '−1,234.5'
        """
        # Halves away from zero, as the browser's Intl.NumberFormat has it.
        rounded = floor(abs(value) * 10**decimals + 0.5) / 10**decimals
        text = f"{rounded:,.{decimals}f}"
        text = text.translate({ord(","): _GROUP[self.language], ord("."): _POINT[self.language]})
        return _MINUS + text if value < 0 and text.strip("0.,") else text

    def signed(self, value: float) -> str:
        """A whole number with its sign, as a balance is written.

        Example:
            >>> Words.load("en").signed(7.2), Words.load("en").signed(-0.3)
            ('+7', '0')
        """
        text = self.number(value)
        return "+" + text if value > 0 and text != "0" else text

    def percent(self, fraction: float) -> str:
        """A fraction of one as whole per cents.

        Example:
            >>> Words.load("en").percent(0.256)
            '26%'
        """
        return self.number(100 * fraction) + _PERCENT[self.language]

    def date(self, day: date | datetime, *, year: bool = True) -> str:
        """A day as it is written out.

        Example:
            >>> Words.load("fr").date(date(2026, 3, 1)), Words.load("en").date(date(2026, 3, 16))
            ('1er mars 2026', '16 March 2026')
        """
        text = self(
            "window.date",
            day_number=self("window.first") if day.day == 1 else str(day.day),
            month_name=self.table["window"]["months"][day.month - 1],
            year=str(day.year),
        )
        return text if year else text.removesuffix(f" {day.year}")

    def join(self, items: list[str]) -> str:
        """A list as it is said.

        Example:
            >>> Words.load("fr").join(["A", "B", "C"])
            'A, B et C'
        """
        if len(items) < 2:
            return "".join(items)
        return self("head.comma").join(items[:-1]) + self("head.and") + items[-1]

    def _at(self, key: str) -> object:
        place: Any = self.table
        for part in key.split("."):
            place = place[part]
        return place
