"""The predictor: loads a model folder and says what it thinks of posts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from murmure.catalog import Catalog, Span
from murmure.disclosure import Disclosure, find, find_all
from murmure.errors import InputError, ModelError, UsageError
from murmure.schema import DISCLOSURE_JOINER, TAGS, Post, Tags
from murmure.tagging.columns import MentionPlace, TagColumns
from murmure.tagging.folder import ModelFolder

#: What a predictor reads: a text, a post, or a mapping with a `text`.
Readable = str | Post | Mapping[str, object]


class Model(Protocol):
    """What turns texts into probabilities."""

    @property
    def reads(self) -> int:
        """How many characters of a post the model reads."""
        ...

    def predict(
        self, texts: Sequence[str], disclosures: Sequence[Sequence[Disclosure]]
    ) -> dict[str, NDArray[np.float32]]:
        """Give calibrated probabilities, per tag an array (n, labels)."""
        ...


class Predictor:
    """Tags posts with one model.

    Example:
        >>> predictor = Predictor.from_pretrained("fast")
        >>> tags = predictor("Commande jamais reçue, service client injoignable 😡")
        >>> tags.language.label, tags.sentiment.label, tags.experience.label
        ('fr', 'negative', 'own')
        >>> predictor.predict_proba(["Great phone"], tag="sentiment").shape
        (1, 3)
        >>> predictor([])
        Traceback (most recent call last):
            ...
        murmure.errors.UsageError: expected a text, a Post or a mapping with a 'text', not a list
    """

    def __init__(
        self, folder: ModelFolder, model: Model, *, catalog: Catalog | None = None
    ) -> None:
        self._folder = folder
        self._thresholds = folder.thresholds
        self._model = model
        self._catalog = catalog

    @classmethod
    def from_pretrained(
        cls, model: str | Path | None = None, *, catalog: Catalog | None = None
    ) -> Predictor:
        """Load a model.

        Args:
            model: the name of a shipped model, or a folder; None for the default.
            catalog: brands whose mentions are to be found and tagged.

        Raises:
            ModelError: if there is no such model, or it is damaged.
        """
        folder = ModelFolder.open(model)
        if folder.manifest["kind"] != "linear":
            kind = folder.manifest["kind"]
            raise ModelError(f"a model of kind '{kind}' is not known", file=folder.path)
        from murmure.tagging.linear import LinearModel

        return cls(folder, LinearModel.load(folder), catalog=catalog)

    @property
    def name(self) -> str:
        """What the model is called."""
        return self._folder.name

    @property
    def fingerprint(self) -> str:
        """What tells this model from every other: the SHA-256 of its manifest."""
        return self._folder.fingerprint

    def warm(self) -> None:
        """Load now what would be loaded with the first post that needs it."""
        find("#ad")
        self.predict_columns([""])

    def __call__(self, post: Readable) -> Tags:
        """Tag one post."""
        return self.predict([post])[0]

    def predict(self, posts: Sequence[Readable]) -> list[Tags]:
        """Tag posts, in the same order."""
        return self.predict_columns([_text_of(post) for post in posts]).tags()

    def predict_proba(self, posts: Sequence[Readable], *, tag: str) -> NDArray[np.float32]:
        """Give one tag's probabilities, (n, labels), columns in the order of `schema.LABELS`.

        Raises:
            UsageError: if there is no such tag.
        """
        if tag not in TAGS:
            raise UsageError(f"no tag '{tag}'; the tags are {', '.join(TAGS)}")
        columns = self.predict_columns([_text_of(post) for post in posts])
        return columns.probabilities[tag][: columns.posts]

    def pipe(self, posts: Iterable[Readable], *, batch_size: int = 256) -> Iterator[Tags]:
        """Tag a stream of posts, in the same order, in constant memory."""
        stream = iter(posts)
        while batch := list(islice(stream, batch_size)):
            yield from self.predict(batch)

    def predict_columns(self, texts: Sequence[str]) -> TagColumns:
        """Tag texts as arrays, the fastest way."""
        places, sentences = self._find_mentions(texts)
        rows = [*texts, *sentences]
        disclosures = find_all(rows)
        return TagColumns(
            posts=len(texts),
            probabilities=self._model.predict(rows, disclosures),
            thresholds=self._thresholds,
            disclosures=[_join(found) for found in disclosures[: len(texts)]],
            truncated=np.array([len(text) > self._model.reads for text in texts], bool),
            mentions=places,
        )

    def save_pretrained(self, folder: str | Path) -> None:
        """Copy the model to a folder that `from_pretrained` reads."""
        self._folder.copy(folder)

    def _find_mentions(self, texts: Sequence[str]) -> tuple[list[list[MentionPlace]], list[str]]:
        """Find the catalogue's entities, and the sentences that must be tagged for them.

        A post that names one entity speaks of it as a whole; one that names several is read
        sentence by sentence.
        """
        if self._catalog is None:
            return [], []
        places: list[list[MentionPlace]] = []
        sentences: list[str] = []
        rows: dict[tuple[int, int, int], int] = {}
        for post, spans in enumerate(self._catalog.find_all(texts)):
            several = len({span.entity for span in spans}) > 1
            of_post = []
            for span in spans:
                row = post
                if several and not _is_whole(span, texts[post]):
                    sentence = (post, span.sentence_start, span.sentence_end)
                    if sentence not in rows:
                        rows[sentence] = len(texts) + len(sentences)
                        sentences.append(texts[post][span.sentence_start : span.sentence_end])
                    row = rows[sentence]
                of_post.append(MentionPlace(span.entity, span.surface, span.start, span.end, row))
            places.append(of_post)
        return places, sentences


def _is_whole(span: Span, text: str) -> bool:
    return span.sentence_start == 0 and span.sentence_end == len(text)


def _join(disclosures: Sequence[Disclosure]) -> str | None:
    return DISCLOSURE_JOINER.join(found.surface for found in disclosures) or None


def _text_of(post: Readable) -> str:
    if isinstance(post, str):
        return post
    if isinstance(post, Post):
        return post.text
    if isinstance(post, Mapping):
        text = post.get("text")
        if isinstance(text, str):
            return text
        raise InputError("expected a text", column="text")
    raise UsageError(
        f"expected a text, a Post or a mapping with a 'text', not a {type(post).__name__}"
    )
