"""murmure as a component of a spaCy pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest
import spacy
from spacy.tokens import Doc, DocBin

import murmure.component
from murmure import Predictor
from murmure.errors import InputError, ModelError
from murmure.schema import TAGS

TEXTS = [
    "Commande jamais reçue, colis perdu 😡",
    "My new Brizelo machine is lovely, thank you!",
    "",
    "Partenariat rémunéré : -20 % avec mon code",
]
CATALOG = '[[brand]]\nname = "Brizelo"\n\n[[brand]]\nname = "Torvella"\n'


def pipeline(**config: object) -> spacy.language.Language:
    nlp = spacy.blank("fr")
    nlp.add_pipe("murmure", config={"model": "fast", **config})
    return nlp


def test_says_what_the_predictor_says() -> None:
    expected = Predictor.from_pretrained("fast").predict(TEXTS)
    nlp = pipeline()
    assert [nlp(text)._.murmure for text in TEXTS] == expected


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_a_stream_is_tagged_in_order_and_in_batches(
    batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    nlp = pipeline()
    sizes: list[int] = []
    real = Predictor.predict

    def counted(self: Predictor, posts: list[str]) -> list[murmure.Tags]:
        sizes.append(len(posts))
        return real(self, posts)

    monkeypatch.setattr(Predictor, "predict", counted)
    docs = list(nlp.pipe(TEXTS * 3, batch_size=batch_size))
    assert [doc.text for doc in docs] == TEXTS * 3
    assert max(sizes) == min(batch_size, 12)
    assert sum(sizes) == 12
    assert docs[0]._.murmure == docs[4]._.murmure


def test_a_saved_pipeline_holds_its_model_and_catalogue(tmp_path: Path) -> None:
    (tmp_path / "brands.toml").write_text(CATALOG, "utf-8")
    nlp = pipeline(catalog=str(tmp_path / "brands.toml"))
    before = nlp(TEXTS[1])._.murmure
    assert [mention.entity for mention in before.mentions] == ["Brizelo"]
    nlp.to_disk(tmp_path / "saved")
    (tmp_path / "saved/murmure/model/manifest.json").stat()
    assert spacy.load(tmp_path / "saved")(TEXTS[1])._.murmure == before


def test_documents_are_saved_with_their_tags() -> None:
    nlp = pipeline()
    doc = nlp(TEXTS[0])
    kept = DocBin(docs=[doc], store_user_data=True).to_bytes()
    read = next(iter(DocBin().from_bytes(kept).get_docs(nlp.vocab)))
    assert read._.murmure == doc._.murmure
    assert Doc(nlp.vocab).from_bytes(doc.to_bytes())._.murmure == doc._.murmure


def test_processes_share_the_work() -> None:
    docs = list(pipeline().pipe(TEXTS, n_process=2, batch_size=2))
    assert [doc._.murmure.language.label for doc in docs[:2]] == ["fr", "en"]


def test_a_document_that_was_not_tagged_has_no_tags() -> None:
    pipeline()
    assert spacy.blank("fr")("bonjour")._.murmure is None


def test_every_tag_is_a_tag_again_after_reading() -> None:
    tags = pipeline()(TEXTS[0])._.murmure
    for tag in TAGS:
        assert sum(getattr(tags, tag).probabilities) == pytest.approx(1, abs=1e-3)


def test_tells_of_a_model_or_a_catalogue_that_is_not_there() -> None:
    with pytest.raises(ModelError, match="no model 'swift'"):
        pipeline(model="swift")
    with pytest.raises(InputError, match="name a TOML file"):
        pipeline(catalog="nowhere.toml")
