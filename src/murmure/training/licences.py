"""Licences of corpora: what their cards say, and which of them a training accepts."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murmure.assets import cards_file
from murmure.errors import ConfigurationError, InputError

#: The card beside a corpus's files.
CARD = "card.toml"

#: What a licence allows, the strictest word of it; `by-origin` where every post keeps that of the
#: corpus that it was drawn from.
CLASSES = (
    "stated-open",
    "unstated",
    "non-commercial",
    "no-derivatives",
    "personal",
    "by-origin",
)

#: What is trained on unless told otherwise.
ACCEPTED = ("stated-open", "unstated", "non-commercial")

_BY_ORIGIN = "by-origin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What is known about a corpus beside its posts.

    Attributes:
        name: of the corpus, or of an origin within one.
        kind: one of `CLASSES`, in a card's file `class`.
        licence: in the source's own words; "none stated" where it states none.
        source: where the texts were published, with the commit where there is one.
        genre: what kind of texts they are.
        languages: which.
        note: what else is to be known.
    """

    name: str
    kind: str = "unstated"
    licence: str = "none stated"
    source: tuple[str, ...] = ()
    genre: str = ""
    languages: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Cards:
    """The cards of corpora, and of the origins that a corpus of type `by-origin` draws from."""

    corpora: Mapping[str, Card] = field(default_factory=dict)
    origins: Mapping[str, Card] = field(default_factory=dict)

    def of_corpus(self, name: str) -> Card:
        """Give a corpus's card; one that says `unstated` where there is none."""
        return self.corpora.get(name) or Card(name=name, note="no card")

    def of_origin(self, name: str) -> Card:
        """Give an origin's card: its own, or that of the corpus of its name."""
        return self.origins.get(name) or self.of_corpus(name)


def read_cards(folders: Iterable[str | Path] = (), *, shipped: bool = True) -> Cards:
    """Read the cards that come with murmure, and over them those beside corpora.

    Args:
        folders: of corpora, as `read_corpora` takes them: `card.toml` stands in a sub-folder that
            holds one corpus, or in the folder itself where that is the corpus.
        shipped: whether to begin with the cards of `data/corpora/cards.toml`.

    Raises:
        InputError: if a card cannot be read, or says what a card does not.
    """
    corpora: dict[str, Card] = {}
    origins: dict[str, Card] = {}
    if shipped:
        file = cards_file()
        given = _load(file)
        corpora |= {name: _card(name, card, file) for name, card in given["corpora"].items()}
        origins |= {name: _card(name, card, file) for name, card in given["origins"].items()}
    for folder in map(Path, folders):
        for file in sorted([*folder.glob(CARD), *folder.glob(f"*/{CARD}")]):
            name = file.parent.name
            corpora[name] = _card(name, _load(file), file)
    return Cards(corpora, origins)


def _load(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not a TOML file: {error}", file=file) from error


def _card(name: str, given: object, file: Path) -> Card:
    known = ("class", *(key for key in Card.__dataclass_fields__ if key not in ("name", "kind")))
    if not isinstance(given, Mapping):
        raise InputError(f"{name}: expected a section, but found {given!r}", file=file)
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key not in known:
            raise InputError(f"unknown key {key!r}; a card has {', '.join(known)}", file=file)
        listed = key in ("source", "languages")
        items = value if listed and isinstance(value, list) else [value]
        if not all(isinstance(item, str) for item in items):
            kind = "a text or a list of texts" if listed else "a text"
            raise InputError(f"{name}.{key}: expected {kind}, but found {value!r}", file=file)
        values["kind" if key == "class" else key] = tuple(items) if listed else value
    if values.get("kind", "unstated") not in CLASSES:
        message = f"{name}.class: expected one of {', '.join(CLASSES)}; found {values['kind']!r}"
        raise InputError(message, file=file)
    return Card(name=name, **values)


def check_accepted(accepted: Sequence[str]) -> tuple[str, ...]:
    """Make sure that the classes of licences that a training accepts are known.

    Raises:
        ConfigurationError: if one is not, or there is none.

    Example:
        >>> check_accepted(["stated-open"])
        ('stated-open',)
        >>> check_accepted(["gratis"])
        Traceback (most recent call last):
            ...
        murmure.errors.ConfigurationError: corpora.licences: expected one or more of stated-open, \
unstated, non-commercial, no-derivatives, personal, but was given 'gratis'
    """
    choices = [kind for kind in CLASSES if kind != _BY_ORIGIN]
    expected = f"one or more of {', '.join(choices)}"
    for kind in accepted:
        if kind not in choices:
            raise ConfigurationError("corpora.licences", given=kind, expected=expected)
    if not accepted:
        raise ConfigurationError("corpora.licences", given=list(accepted), expected=expected)
    return tuple(accepted)


def refused(names: Iterable[str], cards: Cards, *, accepted: Sequence[str]) -> list[str]:
    """Name the corpora whose licence is not accepted; of one by origin, posts may still be.

    Example:
        >>> cards = Cards({"a": Card(name="a", kind="personal")})
        >>> refused(["a", "b"], cards, accepted=ACCEPTED)
        ['a']
    """
    accepted = (*check_accepted(accepted), _BY_ORIGIN)
    return [name for name in names if cards.of_corpus(name).kind not in accepted]


def barred(
    corpus: NDArray[np.str_],
    origin: NDArray[np.str_],
    cards: Cards,
    *,
    accepted: Sequence[str],
    by_origin: Iterable[str] = (),
) -> NDArray[np.bool_]:
    """Tell which posts may not be trained on, by the licence of their corpus or their origin.

    Posts of a corpus of class `by-origin` go by the card of the origin that each names.

    Args:
        corpus: the corpus of each post.
        origin: the origin of each post.
        cards: of both.
        accepted: classes of licences.
        by_origin: corpora that are of class `by-origin`, whatever their card.

    Returns:
        A truth value for each post.
    """
    accepted = check_accepted(accepted)
    names = np.unique(corpus).tolist()
    by_origin = {*by_origin, *(one for one in names if cards.of_corpus(one).kind == _BY_ORIGIN)}
    bad_corpora = refused(
        [name for name in names if name not in by_origin], cards, accepted=accepted
    )
    bad_origins = [
        name for name in np.unique(origin).tolist() if cards.of_origin(name).kind not in accepted
    ]
    of_origin = np.isin(corpus, sorted(by_origin)) & np.isin(origin, bad_origins)
    return np.asarray(np.isin(corpus, bad_corpora) | of_origin, np.bool_)


def licences_of(
    names: Iterable[str], *, folders: Iterable[str | Path] = ()
) -> list[dict[str, Any]]:
    """Give all that is known of some corpora.

    Args:
        names: of corpora.
        folders: that they were read from; their cards are read over those that murmure ships.

    Returns:
        For each, sorted by name: `name`, `class`, `licence`, `source`, `genre`, `languages` and
        `note`.

    Example:
        >>> [(card["name"], card["class"]) for card in licences_of(["mine", "books_fr"])]
        [('books_fr', 'personal'), ('mine', 'unstated')]
    """
    cards = read_cards(folders)
    described = []
    for name in sorted(set(names)):
        values = asdict(cards.of_corpus(name))
        kind = values.pop("kind")
        values |= {key: list(values[key]) for key in ("source", "languages")}
        described.append({"name": values.pop("name"), "class": kind, **values})
    return described


def licences_told(
    names: Iterable[str], *, folders: Iterable[str | Path] = ()
) -> list[dict[str, str]]:
    """Give what a model's manifest tells of the corpora that it was trained on.

    Args:
        names: of corpora.
        folders: that they were read from.

    Returns:
        For each, sorted by name: `corpus`, `licence`, `source` and `note`.

    Example:
        >>> licences_told(["mine"])
        [{'corpus': 'mine', 'licence': 'none stated', 'source': '', 'note': 'no card'}]
    """
    return [
        {
            "corpus": one["name"],
            "licence": one["licence"],
            "source": ", ".join(one["source"]),
            "note": one["note"],
        }
        for one in licences_of(names, folders=folders)
    ]
