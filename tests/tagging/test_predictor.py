"""The predictor's face, with the model that ships."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from murmure.catalog import Catalog
from murmure.errors import InputError, ModelError, UsageError
from murmure.schema import LABELS, TAGS, Post
from murmure.tagging import Predictor
from tests.processes import python

ANGRY = "Commande jamais reçue, trois semaines d'attente, service client injoignable 😡 à fuir !!"
HAPPY = "I love my new coffee machine, best purchase I ever made, works perfectly every morning!"
POSTS = [ANGRY, HAPPY, "", "😡", "a", "l'été", "\x00", "👩🏽‍🚀🇫🇷", "x" * 5000]
HOSTILE = [
    "\x00" * 1000, "\ud800\udfff\udc80", "\u0301" * 5000, "&amp;" * 5000, "\n", "\n\n#ad\n",
    "\u2028", "\u202e#pub\u202c", "🏽" * 500, "a" * 50_000, "@" * 10_000, "\U0010ffff", "'", "''",
    "ﷺ" * 100, "#ad " * 3000, "<script>alert(1)</script>", "{{7*7}}", "%s%n", "İ" * 50, "NaN",
]  # fmt: skip

CATALOG = '[[brand]]\nname = "Brizelo"\n[[brand]]\nname = "Torvella"\n'


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.from_pretrained("fast")


@pytest.fixture(scope="module")
def with_brands(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    file = tmp_path_factory.mktemp("catalog") / "brands.toml"
    file.write_text(CATALOG, encoding="utf-8")
    return Predictor.from_pretrained("fast", catalog=Catalog.load(file))


def test_clear_posts_get_the_tags_that_a_reader_would_give(predictor: Predictor) -> None:
    angry, happy = predictor.predict([ANGRY, HAPPY])
    assert (angry.language.label, happy.language.label) == ("fr", "en")
    assert (angry.sentiment.label, happy.sentiment.label) == ("negative", "positive")
    assert (angry.experience.label, happy.experience.label) == ("own", "own")
    assert happy.sponsored.label == "no"


def test_a_disclosure_is_told_and_makes_a_post_sponsored(predictor: Predictor) -> None:
    tags = predictor("Ma nouvelle Marelle est là, code MILA15 pour -15 % ☕ #ad #sponsored")
    assert tags.disclosure is not None
    assert "#ad" in tags.disclosure.split(" | ")
    assert tags.sponsored.label == "yes"
    assert predictor("Il n'est pas sponsorisé, je l'ai payé").disclosure is None


@pytest.mark.parametrize("model", ["fast", "base"])
@pytest.mark.parametrize(
    "post",
    [
        "Un café parfait #ad",
        "Ma Marelle me suit partout, collaboration commerciale",
        "I wear it every day (gifted)",
    ],
)
def test_no_model_talks_a_disclosure_away(model: str, post: str) -> None:
    tags = Predictor.from_pretrained(model)(post)
    assert tags.disclosure is not None
    assert tags.sponsored.label == "yes"


@pytest.mark.parametrize(
    "post",
    [
        "😡😡",
        "🇫🇷 !!!",
        "https://exemple.fr/a",
        "@sav 🙏",
        "☕☕ #brizelo https://brizelo.example",
        "€",
    ],
)
def test_a_post_without_a_word_is_in_no_language(predictor: Predictor, post: str) -> None:
    alone, beside = predictor(post).language, predictor(f"{post} merci beaucoup").language
    assert (alone.label, beside.label) == ("other", "fr")
    assert alone.score > 0.9


def test_predictions_come_one_a_post_in_order(predictor: Predictor) -> None:
    tags = predictor.predict(POSTS)
    assert len(tags) == len(POSTS)
    assert tags == [predictor(post) for post in POSTS]
    assert predictor.predict(POSTS[::-1]) == tags[::-1]


def test_neighbours_do_not_change_a_single_bit(predictor: Predictor) -> None:
    posts = [*POSTS, *HOSTILE] * 3
    together = predictor.predict_columns(posts).probabilities
    for row, post in enumerate(posts[: len(POSTS) + len(HOSTILE)]):
        alone = predictor.predict_columns([post]).probabilities
        for tag in TAGS:
            assert alone[tag][0].tobytes() == together[tag][row].tobytes(), (tag, row)


def test_hostile_texts_get_probabilities_like_any_other(predictor: Predictor) -> None:
    for tag in TAGS:
        table = predictor.predict_proba(HOSTILE, tag=tag)
        assert table.shape == (len(HOSTILE), len(LABELS[tag]))
        assert table.sum(axis=1) == pytest.approx(np.ones(len(HOSTILE)), abs=1e-5)
        assert ((table >= 0) & (table <= 1)).all()


def test_texts_posts_and_mappings_are_read_alike(predictor: Predictor) -> None:
    forms: list[Any] = [ANGRY, Post(text=ANGRY, author="ana"), {"text": ANGRY, "id": 3}]
    first, *others = predictor.predict(forms)
    assert others == [first, first]


@pytest.mark.parametrize("given", [None, 3, b"a", ["a"], ("a",)])
def test_what_is_no_post_is_wrong_usage(predictor: Predictor, given: Any) -> None:
    with pytest.raises(UsageError, match=f"not a {type(given).__name__}"):
        predictor(given)


@pytest.mark.parametrize("given", [ANGRY, Post(text=ANGRY), {"text": ANGRY}])
def test_a_single_post_is_no_list_of_posts(predictor: Predictor, given: Any) -> None:
    with pytest.raises(UsageError, match="expected several posts"):
        predictor.predict(given)
    with pytest.raises(UsageError, match="expected several posts"):
        predictor.predict_proba(given, tag="sentiment")
    with pytest.raises(UsageError, match="expected several posts"):
        next(predictor.pipe(given))


@pytest.mark.parametrize("given", [{}, {"body": "a"}, {"text": None}, {"text": 3}])
def test_a_mapping_without_a_text_names_the_column(
    predictor: Predictor, given: dict[str, object]
) -> None:
    with pytest.raises(InputError, match="column 'text': expected a text"):
        predictor.predict(["a", given])


def test_an_unknown_tag_is_wrong_usage(predictor: Predictor) -> None:
    with pytest.raises(UsageError, match="no tag 'mood'; the tags are language"):
        predictor.predict_proba(["a"], tag="mood")


def test_no_posts_give_no_tags(predictor: Predictor) -> None:
    assert predictor.predict([]) == []
    assert list(predictor.pipe([])) == []
    assert predictor.predict_proba([], tag="sentiment").shape == (0, 3)
    assert {len(array) for array in predictor.predict_columns([]).to_arrow()} == {0}


def test_a_stream_is_tagged_as_it_comes(predictor: Predictor) -> None:
    taken: list[int] = []

    def stream() -> Iterator[str]:
        for number in range(10):
            taken.append(number)
            yield f"post {number}"

    tags = predictor.pipe(stream(), batch_size=4)
    assert taken == []
    first = next(tags)
    assert len(taken) == 4
    assert [first, *tags] == predictor.predict([f"post {number}" for number in range(10)])


def test_what_lies_beyond_the_models_reach_is_told_and_ignored(predictor: Predictor) -> None:
    long = f"{ANGRY} " * 400
    assert len(long) > 30_000
    cut, whole = predictor.predict([long, long[:20_000]])
    assert (cut.truncated, whole.truncated) == (True, False)
    assert cut.sentiment == whole.sentiment


def test_two_brands_in_one_post_get_the_tags_of_their_own_sentences(
    with_brands: Predictor, predictor: Predictor
) -> None:
    praise = "J'adore ma Brizelo, le café est délicieux, je suis ravie."
    blame = "La Torvella est une horreur, en panne au bout de deux jours, à fuir !"
    (first, second) = with_brands(f"{praise} {blame}").mentions
    assert [first.entity, second.entity] == ["Brizelo", "Torvella"]
    assert (first.sentiment.label, second.sentiment.label) == ("positive", "negative")
    for mention, sentence in ((first, praise), (second, blame)):
        alone = predictor(sentence)
        assert [getattr(mention, tag) for tag in TAGS] == [getattr(alone, tag) for tag in TAGS]


def test_one_brand_speaks_for_the_whole_post(with_brands: Predictor) -> None:
    text = "Brizelo encore. Jamais reçue ! BRIZELO, c'est fini."
    tags = with_brands(text)
    assert [text[m.start : m.end] for m in tags.mentions] == ["Brizelo", "BRIZELO"]
    assert {mention.sentiment for mention in tags.mentions} == {tags.sentiment}
    assert with_brands("aucune marque").mentions == ()


def test_a_catalogue_does_not_change_a_posts_own_tags(
    with_brands: Predictor, predictor: Predictor
) -> None:
    posts = ["Brizelo oui. Torvella non !", *POSTS]
    for own, other in zip(with_brands.predict(posts), predictor.predict(posts), strict=True):
        assert [getattr(own, tag) for tag in TAGS] == [getattr(other, tag) for tag in TAGS]


def test_a_saved_model_says_the_same(predictor: Predictor, tmp_path: Path) -> None:
    predictor.save_pretrained(tmp_path / "mine")
    again = Predictor.from_pretrained(tmp_path / "mine")
    assert again.predict(POSTS) == predictor.predict(POSTS)
    assert (again.name, again.fingerprint) == (predictor.name, predictor.fingerprint)


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ModelError, match="no model 'swift'; installed are: "):
        Predictor.from_pretrained("swift")


def test_tagging_loads_no_heavy_library_and_spacy_for_candidates_alone() -> None:
    code = """
import sys
from murmure import Predictor
predictor = Predictor.from_pretrained("fast")
predictor.predict(["a quiet post"] * 3)
heavy = ("torch", "sklearn", "transformers", "spacy")
print([name for name in heavy if name in sys.modules])
predictor("great #ad")
print("spacy" in sys.modules)
"""
    assert python("-c", code).stdout == "[]\nTrue\n"
