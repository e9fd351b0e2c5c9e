"""murmure in a spaCy pipeline: `nlp.add_pipe("murmure")` sets `doc._.murmure`.

spaCy finds the component by itself once murmure is installed; nothing need be imported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from spacy.language import Language
from spacy.tokens import Doc
from spacy.util import minibatch

from murmure.catalog import Catalog
from murmure.schema import TAGS, Mention, Tag, Tags
from murmure.tagging import Predictor

#: The attribute `doc._.murmure`, of type `Tags`; None where the component has not been.
ATTRIBUTE = "murmure"
# What a saved pipeline keeps the model under.
_MODEL, _CATALOG = "model", "catalog.toml"


class MurmureComponent:
    """Tags documents by their text, a batch at a time.

    Attributes:
        name: of the component in its pipeline.

    Example:
        >>> import spacy
        >>> nlp = spacy.blank("fr")
        >>> _ = nlp.add_pipe("murmure", config={"model": "fast"})
        >>> nlp("Commande jamais reçue, colis perdu 😡")._.murmure.sentiment.label
        'negative'
        >>> spacy.blank("fr").add_pipe("murmure", config={"model": "swift"})
        Traceback (most recent call last):
            ...
        murmure.errors.ModelError: no model 'swift'; installed are: ...; or give a folder
    """

    def __init__(
        self, name: str, *, model: str | None, catalog: str | None, batch_size: int
    ) -> None:
        self.name = name
        self._model = model
        self._catalog = catalog
        self._batch_size = batch_size
        self._predictor = self._load()

    def _load(self) -> Predictor:
        catalog = None if self._catalog is None else Catalog.load(self._catalog)
        return Predictor.from_pretrained(self._model, catalog=catalog)

    def __call__(self, doc: Doc) -> Doc:
        """Tag one document."""
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], *, batch_size: int | None = None) -> Iterator[Doc]:
        """Tag a stream of documents, in order.

        Args:
            stream: of documents.
            batch_size: how many are tagged together; spaCy gives that of `nlp.pipe`.
        """
        for docs in minibatch(stream, batch_size or self._batch_size):
            tagged = self._predictor.predict([doc.text for doc in docs])
            for doc, tags in zip(docs, tagged, strict=True):
                doc._.murmure = tags
                yield doc

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Save the model, and the catalogue if there is one, with the pipeline."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        if _MODEL not in exclude:
            self._predictor.save_pretrained(folder / _MODEL)
        if self._catalog is not None:
            (folder / _CATALOG).write_bytes(Path(self._catalog).read_bytes())

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> MurmureComponent:
        """Load what `to_disk` saved.

        Raises:
            ModelError: if the model in it is damaged.
        """
        folder = Path(path)
        if _MODEL not in exclude:
            self._model = str(folder / _MODEL)
        if (folder / _CATALOG).is_file():
            self._catalog = str(folder / _CATALOG)
        self._predictor = self._load()
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Send settings rather than weights to the processes of `nlp.pipe(n_process=…)`."""
        return _again, (self.name, self._model, self._catalog, self._batch_size)


def _again(name: str, model: str | None, catalog: str | None, batch_size: int) -> MurmureComponent:
    _register()
    return MurmureComponent(name, model=model, catalog=catalog, batch_size=batch_size)


@Language.factory(
    "murmure",
    default_config={"model": None, "catalog": None, "batch_size": 256},
    assigns=[f"doc._.{ATTRIBUTE}"],
)
def make_component(
    nlp: Language,  # noqa: ARG001 - as spaCy calls it
    name: str,
    model: str | None,
    catalog: str | None,
    batch_size: int,
) -> MurmureComponent:
    """Make the component.

    Args:
        nlp: the pipeline.
        name: of the component in it.
        model: the name of a shipped model, or a folder; None for the default.
        catalog: a file of brands whose mentions are found and tagged.
        batch_size: how many documents are tagged together, where `nlp.pipe` does not say.

    Raises:
        ModelError: if there is no such model.
        InputError: if the catalogue cannot be read.
    """
    _register()
    return MurmureComponent(name, model=model, catalog=catalog, batch_size=batch_size)


def _register() -> None:
    if not Doc.has_extension(ATTRIBUTE):
        Doc.set_extension(ATTRIBUTE, getter=_get, setter=_set)


def _get(doc: Doc) -> Tags | None:
    kept = doc.user_data.get(ATTRIBUTE)
    return None if kept is None else _unpack(kept)


def _set(doc: Doc, tags: Tags) -> None:
    # Plain values, so that documents are saved with what was said of them.
    doc.user_data[ATTRIBUTE] = asdict(tags)


def _unpack(kept: Mapping[str, Any]) -> Tags:
    mentions = tuple(Mention(**{**one, **_tags_of(one)}) for one in kept["mentions"])
    return Tags(**{**kept, **_tags_of(kept), "mentions": mentions})


def _tags_of(kept: Mapping[str, Any]) -> dict[str, Tag]:
    # What was read from bytes has lists for tuples.
    return {
        tag: Tag(**{**kept[tag], "probabilities": tuple(kept[tag]["probabilities"])})
        for tag in TAGS
    }
