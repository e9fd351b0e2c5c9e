"""The normaliser: what it unifies, and what it must never lose."""

from __future__ import annotations

import sys
import time
import unicodedata
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from murmure.text import normalize, normalize_all, normalize_lines

# Pieces in which one rule might undo, or redo, what another did.
PIECES = (
    "http", "HTTP", "s://", "www.", ".com/", ".fr", "@", "a.b@c", "é", "e", "\u0301", "\u0316",
    "&", "amp;", "#38;", "#x2019;", "lt;", "&euro;", "&nbsp;", "\u200d", "\u200b", "\ufe0f", "👩",
    "🚀", "🏽", "ⓐ", "ﬁ", "ａ", "＆", "｀", "𝓫", "’", "“", "–", "…", "!", "1", " ", "\t", "\n",
    "\u2028", "\x00", "\ud83d", ")", "h", "_", "-",
)  # fmt: skip
HOSTILE = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=30).map("".join)
HOSTILE |= st.text(st.characters(codec=None, exclude_categories=()))

NEGATIONS = (
    "ne", "n'", "n’", "pas", "point", "jamais", "rien", "aucun", "sans", "ni", "non",
    "not", "n't", "don’t", "can't", "never", "no", "nor", "nothing", "without",
)  # fmt: skip
EMOJI = (
    "😡", "👍🏿", "👩🏽‍🚀", "👨‍👩‍👧‍👦", "❤️", "❤️‍🔥", "🏳️‍🌈", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "🇫🇷", "1️⃣", "☎️", "🙅🏻‍♀️", "⭐",
)  # fmt: skip


@cache
def currency_signs() -> list[str]:
    return [c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c) == "Sc"]


def accented() -> list[str]:
    letters = map(chr, range(0xC0, 0x250))
    return [c for c in letters if c.isalpha() and unicodedata.decomposition(c)[:1] not in ("", "<")]


def words(letters: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Words of 1 to 8 letters, none repeated more than three times."""
    return st.text(letters, min_size=1, max_size=8).filter(
        lambda word: all(word[i : i + 4] != word[i] * 4 for i in range(len(word)))
    )


SIGNS = st.sampled_from(currency_signs())
KEPT = (
    words(st.sampled_from([*accented(), *"abcœæßœ"]))
    | st.sampled_from(NEGATIONS)
    | st.sampled_from(EMOJI)
    | st.builds("{}{}".format, st.integers(0, 9999), SIGNS)
    | words(st.sampled_from("éàçabcd123_")).map("#{}".format)
)


@given(HOSTILE)
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = normalize(text)
    assert normalize(once) == once


@given(st.lists(HOSTILE, max_size=6))
def test_a_batch_is_normalised_as_its_posts_are_one_by_one(texts: list[str]) -> None:
    assert normalize_all(texts) == [normalize(text) for text in texts]


@given(HOSTILE)
def test_words_normalised_alone_are_the_words_of_the_normalised_text(text: str) -> None:
    alone = normalize_lines("\n".join(text.split()))
    assert alone.replace("\n", " ").split() == normalize(text).split()


@given(HOSTILE)
def test_any_text_becomes_one_clean_line(text: str) -> None:
    line = normalize(text)
    assert line == line.strip()
    assert "  " not in line
    assert not {"\n", "\r", "\t", "\x00", "\u2028", "\xa0", "\ud83d"} & set(line)
    line.encode("utf-8")


GLUED = st.sampled_from(EMOJI) | SIGNS | st.sampled_from(NEGATIONS).map(",{}".format)


@pytest.mark.parametrize(
    "link", ["https://exemple.fr/a", "www.exemple.fr", "voir exemple.fr/a1", "HTTP://a.b/?c=1,2"]
)
@given(kept=GLUED)
def test_what_is_written_right_behind_a_link_is_kept(link: str, kept: str) -> None:
    assert normalize(link + kept).endswith("http" + normalize(kept))


@given(st.lists(KEPT, min_size=1, max_size=12))
def test_accents_negations_emoji_currencies_and_hashtags_are_kept(given: list[str]) -> None:
    expected = [unicodedata.normalize("NFC", word).replace("’", "'") for word in given]
    # A full-width currency sign is the same sign in another form.
    expected = [word.replace("＄", "$") for word in expected]
    decomposed = unicodedata.normalize("NFD", " ".join(given))
    for text in (" ".join(given), decomposed):
        assert normalize(text).split(" ") == expected


@given(
    words(st.sampled_from("abcdéè")), st.sampled_from("'’‘ʼ´`＇｀"), words(st.sampled_from("est"))
)
def test_every_apostrophe_becomes_the_straight_one(before: str, sign: str, after: str) -> None:
    assert normalize(f"{before}{sign}{after}") == f"{before}'{after}"


@pytest.mark.parametrize("sign", currency_signs(), ids=ascii)
def test_currency_signs_stand_for_themselves(sign: str) -> None:
    # A full-width dollar is the dollar in another form.
    assert normalize(f"à 5 {sign}, net") == f"à 5 {sign.replace('＄', '$')}, net"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("voir https://exemple.fr/a?b=1&c=é", "voir http"),
        ("HTTPS://EXEMPLE.FR Http://a.fr WWW.A.FR", "http http http"),
        ("(https://exemple.fr/page)", "(http)"),
        ("www.exemple.fr, exemple.com/page ici", "http http ici"),
        ("bit.ly/3xYz", "http"),
        ("5.fr et M.Martin et/ou fin.Puis", "5.fr et M.Martin et/ou fin.Puis"),
        ("merci @Marelle_FR!", "merci @user!"),
        ("écrire à jean.dupont@exemple.co.uk svp", "écrire à jean.dupont@email svp"),
        ("@@@ @ 5 @ 6", "@@@ @ 5 @ 6"),
        ("géniaaaaaal", "géniaaal"),
        ("ooh noon 10000000 €€€€€ !!!!!!", "ooh noon 10000000 €€€ !!!"),
        ("1000000 и ²²²²", "1000000 и ²²²²"),
        ("n&#39;est &eacute;t&eacute; &lt;3 5&nbsp;&euro;", "n'est été <3 5 €"),
        ("&amp;amp;lt; R&amp;D AT&T; &inconnu;", "< R&D AT&T; &inconnu;"),
        ("&#128557; &#x1F62D; 👩&zwj;🚀", "😭 😭 👩\u200d🚀"),
        ("ｐａｓ ｃｈｅｒ ！", "pas cher !"),
        ("𝗧𝗿𝗲̀𝘀 𝓫𝓸𝓷 ⓥ", "Très bon v"),
        ("ﬁn aﬀreux œuvre", "fin affreux œuvre"),
        ("e\u0301te\u0301", "été"),
        ("« Bof » “nul” – mais—bon…", '« Bof » "nul" - mais-bon...'),
        ("a\u200bb so\u00adfa \u202eevil\u202c", "ab sofa evil"),
        (" a \r\n\t b\u2028c\x00 ", "a b c"),
    ],
)  # fmt: skip
def test_what_differs_in_form_alone_is_unified(raw: str, expected: str) -> None:
    assert normalize(raw) == expected


def test_no_texts_give_none() -> None:
    assert normalize_all([]) == []


@pytest.mark.parametrize(
    "unit",
    [
        "a", " ", "\n", "\x00", "\udc80", "@", "a@", "x@a.", ".com/", "www.", "http://", "&amp;",
        "&#38;", "&lt;", "&", "\u200d", "😀\u200d", "\u0301\u0316", "\u0f73",
        "\u0301" * 15 + "\u0316" * 15 + "\u200b", "&#x301;&#x316;", "-.", "ﷺ", "a" * 99 + ")",
    ],
    ids=ascii,
)  # fmt: skip
def test_a_megabyte_of_anything_is_read_in_linear_time(unit: str) -> None:
    text = "b" + unit * (1_000_000 // len(unit))
    began = time.process_time()
    line = normalize(text)
    assert time.process_time() - began < 5  # what is quadratic takes minutes
    assert len(line) <= 3 * len(text)


def test_entities_within_entities_end() -> None:
    assert normalize("&" + "amp;" * 200_000 + "lt;3") == "<3"
