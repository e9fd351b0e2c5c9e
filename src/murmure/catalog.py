"""Catalogue of brands: reads it from TOML, and finds where posts name them.

The format is told, with an example, in `data/sample/catalog.toml`. Names are matched as whole
words, whatever their case and accents, through one compiled multi-pattern search. What the
settings mean in matching:

- `name` and `aliases` count everywhere, or, where the brand has `requires`, within `NEAR`
  characters of one of those words or of the brand's own handles, hashtags and products.
- `handles`, `hashtags` and `products` count everywhere.
- A match inside one of the brand's `excludes` does not count.
- Of overlapping matches the longest stands.
- The possessive ("Brizelo's") and the elided article (« d'Orange ») leave a name whole. The plural
  in -s counts for products, and for names without `requires` ("oranges" is not Orange).
- Inside links and e-mail addresses nothing counts.

What it cannot do: it tells an ambiguous name from its namesakes by neighbouring words alone, and
does not know misspellings.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from ahocorasick_rs import AhoCorasick

from murmure.errors import InputError
from murmure.folding import Alignment, fold, fold_pattern, stands_alone
from murmure.sentences import Clauses

#: How many characters may lie between an ambiguous name and a word that it requires.
NEAR = 100

#: What counts call everything together: no brand may have this name.
WHOLE = "all"

_SIGNS = {"handles": "@", "hashtags": "#"}
_BRAND_HEADER = re.compile(r"^[ \t]*\[\[[ \t]*brand[ \t]*\]\]", re.MULTILINE)
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")
# A part before the "@" begins at a word only, so that hostile texts take linear time.
_LINK = re.compile(r"(?:https?://|www\.)\S+|(?<![\w.+-])\w[\w.+-]{0,63}@[\w-]+\.\w[\w.-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Brand:
    """One brand of the catalogue; the settings as written, signs of handles and hashtags added.

    Attributes:
        name: what counts call it.
        aliases: other names.
        handles: accounts, each with its "@".
        hashtags: each with its "#".
        products: whatever it sells under a name.
        group: the competitors that shares are taken of, if any.
        requires: words one of which must be near an ambiguous name.
        excludes: phrases in which the name means something else.
    """

    name: str
    aliases: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    group: str | None = None
    requires: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Span:
    """One place where a text names a brand.

    Attributes:
        entity: the brand's name in the catalogue.
        surface: the words as they stand, `text[start:end]`.
        start: where they begin, in characters of the raw text.
        end: where they end (exclusive).
        sentence_start: where the sentence or clause that carries them begins.
        sentence_end: where it ends (exclusive).
    """

    entity: str
    surface: str
    start: int
    end: int
    sentence_start: int
    sentence_end: int


_SETTINGS = tuple(field.name for field in fields(Brand))


class Catalog:
    """Brands, and the compiled search for them.

    Picklable: a worker process compiles its own search when it first needs it.

    Args:
        brands: at least one; no two may share a name, alias, handle, hashtag or product.

    Attributes:
        brands: as given.

    Raises:
        InputError: if there is no brand, a name is empty or is `WHOLE`, or two brands share one.

    Example:
        >>> catalog = Catalog([Brand(name="Torvella"), Brand(name="Marelle", requires=("café",))])
        >>> [span.surface for span in catalog.find("La TORVELLA ? Non, le cafe de chez Marelle.")]
        ['TORVELLA', 'Marelle']
        >>> catalog.find("Les enfants jouent à la marelle.")
        []
        >>> Catalog([Brand(name="Torvella"), Brand(name="Uno", aliases=("torvélla",))])
        Traceback (most recent call last):
        murmure.errors.InputError: brand 'Uno', aliases: 'torvélla' also names 'Torvella'; keep one
    """

    def __init__(self, brands: Iterable[Brand]) -> None:
        self.brands = tuple(brands)
        if not self.brands:
            raise InputError("no brand; add a [[brand]] with a name")
        owners: _Owners = {}
        for number, brand in enumerate(self.brands):
            _claim(brand, number, owners)
        self._finder: _Finder | None = None

    def __reduce__(self) -> tuple[type[Catalog], tuple[tuple[Brand, ...]]]:
        """Pickled without the compiled search."""
        return Catalog, (self.brands,)

    @classmethod
    def load(cls, path: str | Path) -> Catalog:
        """Read a catalogue from a TOML file.

        Args:
            path: the file, UTF-8.

        Raises:
            InputError: if the file is missing or is not the catalogue it should be; the message
                names the file, the line where it is known, the brand and the setting.
        """
        path = Path(path)
        try:
            source = path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise InputError("not UTF-8; save the file as UTF-8", file=path, line=line) from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"cannot be read ({reason}); name a TOML file", file=path) from error
        try:
            content = tomllib.loads(source)
        except tomllib.TOMLDecodeError as error:
            place = _TOML_PLACE.search(str(error))
            line = int(place[1]) if place and place[1] else source.count("\n") + 1
            reason = _TOML_PLACE.sub("", str(error))
            raise InputError(
                f"broken TOML ({reason}); names stand in straight quotes, lists in brackets",
                file=path,
                line=line,
            ) from error
        try:
            tables = _read_tables(content)
        except InputError as error:
            raise InputError(str(error), file=path) from None
        headers = [source.count("\n", 0, m.start()) + 1 for m in _BRAND_HEADER.finditer(source)]
        lines = headers if len(headers) == len(tables) else [None] * len(tables)
        brands: list[Brand] = []
        owners: _Owners = {}
        for number, (table, table_line) in enumerate(zip(tables, lines, strict=True)):
            try:
                brands.append(_read_brand(table, number))
                _claim(brands[-1], number, owners)
            except InputError as error:
                raise InputError(str(error), file=path, line=table_line) from None
        try:
            return cls(brands)
        except InputError as error:
            raise InputError(str(error), file=path) from None

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hexadecimal, of the brands and all their settings."""
        content = json.dumps([asdict(brand) for brand in self.brands], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def find(self, text: str) -> list[Span]:
        """Find the brands that one text names, in order of their places."""
        return self.find_all([text])[0]

    def find_all(self, texts: Sequence[str]) -> list[list[Span]]:
        """Find the brands that each text names.

        Args:
            texts: any strings, however hostile.

        Returns:
            A list for each text, in the same order; its spans in order, none overlapping.
        """
        if self._finder is None:
            self._finder = _Finder(self.brands)
        return self._finder.find_all(texts)


_NAME_ROLES = ("name", "aliases", "handles", "hashtags", "products")
_CONTEXT_ROLES = ("requires", "excludes")
_AMBIGUOUS = ("name", "aliases")  # need the context that `requires` asks for


# What is looked for, folded, to the number and name of the brand that it means.
_Owners = dict[str, tuple[int, str]]


def _written(brand: Brand) -> Iterator[tuple[str, str]]:
    """Every setting and text of a brand that is looked for."""
    yield "name", brand.name
    for setting in (*_NAME_ROLES[1:], *_CONTEXT_ROLES):
        for written in getattr(brand, setting):
            yield setting, written


def _refusal(brand: str, setting: str, message: str) -> InputError:
    return InputError(f"brand {brand!r}, {setting}: {message}")


def _claim(brand: Brand, number: int, owners: _Owners) -> None:
    """Check what a brand looks for, and that no brand before it looks for the same."""
    if brand.name == WHOLE:
        raise _refusal(
            brand.name, "name", f"counts call the whole {WHOLE!r}; rename the brand, keep an alias"
        )
    for setting, written in _written(brand):
        pattern = fold_pattern(written)
        if not any(character.isalnum() for character in pattern):
            raise _refusal(
                brand.name, setting, f"{written!r} has no letter or digit; write a name or drop it"
            )
        if setting in _NAME_ROLES:
            owner, name = owners.setdefault(pattern, (number, brand.name))
            if owner != number:
                raise _refusal(brand.name, setting, f"{written!r} also names {name!r}; keep one")


def _suggestion(given: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(given, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}"


def _read_tables(content: dict[str, Any]) -> list[dict[str, Any]]:
    for key in content:
        if key != "brand":
            raise InputError(f"unknown setting {key!r}; a catalogue holds [[brand]] tables only")
    tables = content.get("brand", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise InputError("'brand' is not a list of tables; write [[brand]], in two brackets")
    return tables


def _read_brand(table: dict[str, Any], number: int) -> Brand:
    name = table.get("name")
    if not isinstance(name, str) or not name.strip():
        raise InputError(f'brand number {number + 1}, name: missing or empty; write name = "…"')
    name = name.strip()
    settings: dict[str, Any] = {"name": name}
    for setting, value in table.items():
        if setting not in _SETTINGS:
            raise _refusal(name, setting, f"unknown setting; {_suggestion(setting, _SETTINGS)}")
        if setting == "name":
            continue
        if setting == "group":
            if not isinstance(value, str) or not value.strip():
                raise _refusal(name, setting, f"{value!r} is no name of a group; write a text")
            settings[setting] = value.strip()
            continue
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise _refusal(name, setting, f'{value!r} is no list of texts; write ["…", "…"]')
        sign = _SIGNS.get(setting, "")
        written = (item.strip() for item in value)
        settings[setting] = tuple(sign + w.removeprefix(sign) if w else w for w in written)
    return Brand(**settings)


class _Match(NamedTuple):
    """A place of a folded text, with the brand and the setting that it comes from."""

    start: int
    end: int
    brand: int
    role: str


class _Search:
    """Patterns compiled together, each with the brands and settings that it stands for."""

    def __init__(self, brands: Sequence[Brand], roles: tuple[str, ...]) -> None:
        meanings: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for number, brand in enumerate(brands):
            for role, written in _written(brand):
                if role in roles:
                    meanings[fold_pattern(written)].append((number, role))
        self._meanings = list(meanings.values())
        self._plural = [
            {
                (n, r)
                for n, r in m
                if r not in _SIGNS and not (brands[n].requires and r in _AMBIGUOUS)
            }
            for m in self._meanings
        ]
        self._automaton = AhoCorasick(list(meanings)) if meanings else None

    def hits(self, folded: str) -> list[tuple[int, int, int]]:
        """Pattern, start and end of every match, word boundaries not looked at."""
        if self._automaton is None:
            return []
        hits: list[tuple[int, int, int]] = self._automaton.find_matches_as_indexes(
            folded, overlapping=True
        )
        return hits

    def matches(self, folded: str) -> Iterator[_Match]:
        """The matches that are whole words; a plural -s is part of the match."""
        for pattern, start, end in self.hits(folded):
            if stands_alone(folded, start, end):
                for brand, role in self._meanings[pattern]:
                    yield _Match(start, end, brand, role)
            elif (
                folded[end : end + 1] == "s"
                and folded[end - 1] not in "sxz"
                and stands_alone(folded, start, end + 1)
            ):
                for brand, role in self._plural[pattern]:
                    yield _Match(start, end + 1, brand, role)


class _Places:
    """Places of a text, to be asked whether one of them lies where it matters."""

    def __init__(self, places: Iterable[_Match]) -> None:
        ordered = sorted((place.start, place.end) for place in places)
        self._starts = [start for start, _ in ordered]
        self._ends = list(accumulate((end for _, end in ordered), max))

    def any(self, *, starting_by: int, ending_from: int) -> bool:
        """Whether a place starts at or before one position and ends at or after the other."""
        last = bisect_right(self._starts, starting_by) - 1
        return last >= 0 and self._ends[last] >= ending_from


class _Finder:
    """The compiled state of a catalogue."""

    def __init__(self, brands: Sequence[Brand]) -> None:
        self._brands = brands
        self._names = _Search(brands, _NAME_ROLES)
        self._context = _Search(brands, _CONTEXT_ROLES)

    def find_all(self, texts: Sequence[str]) -> list[list[Span]]:
        found: list[list[Span]] = []
        for text in texts:
            folded = fold(text)
            found.append(self._spans(text, folded) if self._names.hits(folded) else [])
        return found

    def _spans(self, text: str, folded: str) -> list[Span]:
        if "@" in folded or "://" in folded or "www." in folded:
            folded = _LINK.sub(lambda match: " " * len(match.group()), folded)
        matches = list(self._names.matches(folded))
        chosen = _longest(self._meant(matches, folded), len(folded)) if matches else []
        if not chosen:
            return []
        alignment, clauses = Alignment(text), Clauses(text)
        spans = []
        for match in chosen:
            start, end = alignment.span(match.start, match.end)
            entity = self._brands[match.brand].name
            spans.append(Span(entity, text[start:end], start, end, *clauses.around(start, end)))
        return spans

    def _meant(self, matches: list[_Match], folded: str) -> Iterator[_Match]:
        """The matches that no exclusion covers and that have the context they require."""
        around: dict[tuple[int, str], list[_Match]] = defaultdict(list)
        for match in self._context.matches(folded):
            around[match.brand, match.role].append(match)
        by_brand: dict[int, list[_Match]] = defaultdict(list)
        for match in matches:
            by_brand[match.brand].append(match)
        for brand, of_brand in by_brand.items():
            excluded = _Places(around[brand, "excludes"])
            kept = [m for m in of_brand if not excluded.any(starting_by=m.start, ending_from=m.end)]
            sure = [m for m in kept if m.role not in _AMBIGUOUS]
            context = _Places([*around[brand, "requires"], *sure])
            for match in kept:
                if (
                    not self._brands[brand].requires
                    or match.role not in _AMBIGUOUS
                    or context.any(starting_by=match.end + NEAR, ending_from=match.start - NEAR)
                ):
                    yield match


def _longest(matches: Iterable[_Match], length: int) -> list[_Match]:
    """Of overlapping matches the longest, then the first; in order of place."""
    ordered = sorted(matches, key=lambda match: (match.start - match.end, match.start))
    if len(ordered) < 2:
        return ordered
    taken = bytearray(length)
    chosen = []
    for match in ordered:
        # Whatever stands already is at least as long, so it would cover an end of this one.
        if not (taken[match.start] or taken[match.end - 1]):
            taken[match.start : match.end] = b"\1" * (match.end - match.start)
            chosen.append(match)
    return sorted(chosen)
