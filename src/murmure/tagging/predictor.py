"""The predictor: loads a model folder and says what it thinks of posts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from murmure.catalog import Catalog, Span
from murmure.disclosure import Disclosure, find, find_all
from murmure.errors import InputError, ModelError, UsageError
from murmure.schema import DISCLOSURE_JOINER, TAGS, Post, Tags, result_fields
from murmure.tagging.columns import MentionPlace, TagColumns
from murmure.tagging.folder import ModelFolder
from murmure.tagging.hub import find_on_hub

if TYPE_CHECKING:
    import pyarrow as pa

#: What a predictor reads: a text, a post, or a mapping with a `text`.
Readable = str | Post | Mapping[str, object]
_Posts = TypeVar("_Posts", bound=Iterable[Readable])


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

    def read(
        self, texts: Sequence[str], disclosures: Sequence[Sequence[Disclosure]]
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.bool_]]:
        """Give the same, and which posts (n,) are longer than was read of them."""
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
        self,
        folder: ModelFolder,
        model: Model,
        *,
        catalog: Catalog | None = None,
        threads: int | None = None,
    ) -> None:
        self._folder = folder
        self._thresholds = folder.thresholds
        self._model = model
        self._catalog = catalog
        self._threads = threads

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process as the folder's place; the model is read again there."""
        return _reopen, (self._folder, self._catalog, self._threads)

    @classmethod
    def from_pretrained(
        cls,
        model: str | Path | None = None,
        *,
        catalog: Catalog | None = None,
        revision: str | None = None,
        threads: int | None = None,
    ) -> Predictor:
        """Load a model.

        Args:
            model: the name of a shipped model, a folder, or the `owner/name` of a model on the
                Hugging Face hub, which is fetched once (needs `huggingface_hub`); None for the
                default.
            catalog: brands whose mentions are to be found and tagged.
            revision: of a model on the hub: a branch, tag or commit.
            threads: how many an encoder runs on; None for as many as the environment's
                `OMP_NUM_THREADS` says, or one a core.

        Raises:
            ModelError: if there is no such model, or it is damaged.
            UsageError: if `threads` is below 1, or `revision` is given for a model of this machine.
        """
        if threads is not None and threads < 1:
            raise UsageError(f"threads: expected at least 1, but was given {threads}")
        found = find_on_hub(model, revision=revision)
        folder = ModelFolder.open(model if found is None else found)
        return cls(folder, _load(folder, threads=threads), catalog=catalog, threads=threads)

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
        return self.predict_columns([_text_of(post) for post in _several(posts)]).tags()

    def predict_proba(self, posts: Sequence[Readable], *, tag: str) -> NDArray[np.float32]:
        """Give one tag's probabilities, (n, labels), columns in the order of `schema.LABELS`.

        Raises:
            UsageError: if there is no such tag, or one post is given instead of several.
        """
        if tag not in TAGS:
            raise UsageError(f"no tag '{tag}'; the tags are {', '.join(TAGS)}")
        columns = self.predict_columns([_text_of(post) for post in _several(posts)])
        return columns.probabilities[tag][: columns.posts]

    @overload
    def pipe(
        self,
        posts: Iterable[Readable],
        *,
        batch_size: int = 256,
        errors: Literal["raise"] = "raise",
    ) -> Iterator[Tags]: ...

    @overload
    def pipe(
        self, posts: Iterable[Readable], *, batch_size: int = 256, errors: Literal["return"]
    ) -> Iterator[Tags | Exception]: ...

    def pipe(
        self,
        posts: Iterable[Readable],
        *,
        batch_size: int = 256,
        errors: Literal["raise", "return"] = "raise",
    ) -> Iterator[Tags] | Iterator[Tags | Exception]:
        """Tag a stream of posts in constant memory: one value a post, in the same order.

        Args:
            posts: any iterable, of any length; it is read a batch ahead.
            batch_size: how many posts are tagged together.
            errors: what becomes of a post that cannot be tagged: `"raise"` ends with its error
                after all posts before it; `"return"` gives the error in the place of its tags.

        Raises:
            UsageError: if `batch_size` is below 1, `errors` another word, or one post is given
                instead of several.

        Example:
            >>> predictor = Predictor.from_pretrained("fast")
            >>> values = list(predictor.pipe(["Bon café", {"body": "?"}], errors="return"))
            >>> [type(value).__name__ for value in values]
            ['Tags', 'InputError']
        """
        from murmure.tagging.piping import pipe

        return pipe(self.predict, _several(posts), batch_size=batch_size, errors=errors)

    def predict_columns(self, texts: Sequence[str]) -> TagColumns:
        """Tag texts as arrays, the fastest way."""
        places, sentences = self._find_mentions(texts)
        rows = [*texts, *sentences]
        disclosures = find_all(rows)
        probabilities, truncated = self._model.read(rows, disclosures)
        return TagColumns(
            posts=len(texts),
            probabilities=probabilities,
            thresholds=self._thresholds,
            disclosures=[_join(found) for found in disclosures[: len(texts)]],
            truncated=truncated[: len(texts)],
            mentions=places,
        )

    def predict_mentions(self, texts: Sequence[str]) -> pa.Array:
        """Tag nothing but what the catalogue's mentions rest on: their sentences, mostly.

        Returns:
            A list of `murmure.schema.mention_type` a text, as `predict_columns` gives it.
        """
        places, sentences = self._find_mentions(texts)
        used = sorted({place.row for of_post in places for place in of_post})
        rows = [texts[row] if row < len(texts) else sentences[row - len(texts)] for row in used]
        moved = {row: place for place, row in enumerate(used)}
        probabilities, truncated = self._model.read(rows, find_all(rows))
        return TagColumns(
            posts=len(texts),
            probabilities=probabilities,
            thresholds=self._thresholds,
            disclosures=(),
            truncated=truncated,
            mentions=[[replace(place, row=moved[place.row]) for place in of] for of in places],
        ).mentions_to_arrow()

    def tag_batch(self, batch: Mapping[str, Sequence[object]]) -> dict[str, list[Any]]:
        """Tag a batch of columns, as `datasets.Dataset.map(..., batched=True)` hands it over.

        Args:
            batch: columns, one of them `text`.

        Returns:
            The columns of `murmure.schema.result_fields`, a value a row; `disclosure` is empty
            where there is none, and `mentions` is there with a catalogue only.

        Raises:
            InputError: if there is no column `text`, or a row of it holds no text.

        Example:
            >>> predictor = Predictor.from_pretrained("fast")
            >>> columns = predictor.tag_batch({"text": ["Bon café", "Good coffee"]})
            >>> columns["language"]
            ['fr', 'en']
            >>> predictor.tag_batch({"text": ["Bon café", None]})
            Traceback (most recent call last):
                ...
            murmure.errors.InputError: column 'text': expected a text in row 1 of the batch
        """
        if "text" not in batch:
            raise InputError("there is no such column in the batch", column="text")
        texts: list[str] = []
        for row, text in enumerate(batch["text"]):
            if not isinstance(text, str):
                raise InputError(f"expected a text in row {row} of the batch", column="text")
            texts.append(text)
        arrays = self.predict_columns(texts).to_arrow()
        names = [field.name for field in result_fields()]
        columns = {name: array.to_pylist() for name, array in zip(names, arrays, strict=True)}
        # `datasets` guesses types by the first batch, which may hold no disclosure: there is none
        # where the text is empty. Columns of lists that may all be empty it cannot guess at all.
        columns["disclosure"] = [found or "" for found in columns["disclosure"]]
        if self._catalog is None:
            del columns["mentions"]
        return columns

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


def _load(folder: ModelFolder, *, threads: int | None) -> Model:
    kind = folder.manifest["kind"]
    if kind == "linear":
        from murmure.tagging.linear import LinearModel

        return LinearModel.load(folder)
    if kind == "encoder":
        from murmure.tagging.encoder import EncoderModel

        return EncoderModel.load(folder, threads=threads)
    raise ModelError(f"a model of kind '{kind}' is not known", file=folder.path)


def _reopen(folder: ModelFolder, catalog: Catalog | None, threads: int | None) -> Predictor:
    model = _load(folder, threads=threads)
    return Predictor(folder, model, catalog=catalog, threads=threads)


def _is_whole(span: Span, text: str) -> bool:
    return span.sentence_start == 0 and span.sentence_end == len(text)


def _join(disclosures: Sequence[Disclosure]) -> str | None:
    return DISCLOSURE_JOINER.join(found.surface for found in disclosures) or None


def _several(posts: _Posts) -> _Posts:
    # A text is a sequence of texts, too: one of one letter each.
    if isinstance(posts, str | Post | Mapping):
        raise UsageError("expected several posts; for a single one call predictor(post)")
    return posts


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
