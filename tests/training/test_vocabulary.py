"""The vocabulary: what is kept, which emoji join, and how texts are cut."""

from __future__ import annotations

import gzip
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from murmure.errors import InputError, ModelError
from murmure.training.quantised import QuantisedFile
from murmure.training.vocabulary import (
    FRENCH_ENGLISH,
    SPACE,
    Emoji,
    Vocabulary,
    read_emoji,
    read_ids,
)
from tests.training.quantised_files import PIECES, TinyFile

NEW = (
    Emoji("🥹", ("😭", "tears")),
    Emoji("🫠", ("café",)),
    Emoji("🥰", ("love",)),  # is in the vocabulary
    Emoji("🫶", ("жж",)),  # is like nothing that is
)
MARKS = ("<s>", "</s>", "<pad>", "<unk>", "<mask>")
UNKNOWN = 3


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> QuantisedFile:
    return QuantisedFile(TinyFile().write(tmp_path_factory.mktemp("tiny") / "tiny.bin"))


@pytest.fixture(scope="module")
def whole(file: QuantisedFile) -> Vocabulary:
    return Vocabulary.cut(file, None).joined_by(NEW)


def tokens(vocabulary: Vocabulary, text: str) -> list[str]:
    found: list[str] = vocabulary.tokenizer.encode(text, add_special_tokens=False).tokens
    return found


def test_all_pieces_keep_their_ids_and_emoji_come_after(whole: Vocabulary) -> None:
    assert whole.rows == tuple(range(len(PIECES)))
    assert whole.pieces == (*PIECES, "🥹", "🫠")
    assert [emoji.character for emoji in whole.emoji] == ["🥹", "🫠"]
    assert whole.tokenizer.get_vocab_size() == len(whole.pieces)


def test_a_cut_keeps_the_special_tokens_and_the_order(file: QuantisedFile) -> None:
    cut = Vocabulary.cut(file, [30, 12, 4, 12, 0])
    assert cut.rows == (0, 1, 2, 3, 4, 12, 30, len(PIECES) - 1)
    assert cut.pieces == tuple(PIECES[row] for row in cut.rows)
    assert cut.tokenizer.token_to_id("<mask>") == 7


def test_special_tokens_in_another_order_are_put_in_that_of_xlm_r(tmp_path: Path) -> None:
    pieces = ("<unk>", "<s>", "▁", "</s>", "<pad>", *PIECES[5:])
    path = TinyFile(pieces=pieces, special=(1, 3, 4, 0)).write(tmp_path / "tiny.bin")
    cut = Vocabulary.cut(QuantisedFile(path), [2, 5])
    assert cut.pieces == ("<s>", "<pad>", "</s>", "<unk>", "▁", PIECES[5], "<mask>")
    assert cut.rows == (1, 4, 3, 0, 2, 5, len(pieces) - 1)


def test_ids_and_special_tokens_of_another_vocabulary_are_refused(
    file: QuantisedFile, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"id 5000 of the list to keep is beyond the \d+ pieces"):
        Vocabulary.cut(file, [7, 5000])
    for pieces in (PIECES[:-1], ("[CLS]", *PIECES[1:])):
        other = QuantisedFile(TinyFile(pieces=pieces).write(tmp_path / "other.bin"))
        with pytest.raises(ModelError, match=r"other\.bin: its special tokens are not <s> <pad>"):
            Vocabulary.cut(other, None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("trop mignon", ["▁trop", "▁mig", "non"]),
        ("trop mignon🥹🥹", ["▁trop", "▁mig", "non", "🥹", "🥹"]),
        ("🥹", ["▁", "🥹"]),
        ("la🫠vie", ["▁la", "🫠", "v", "i", "e"]),
        ("café!🫠😭🥹", ["▁café", "!", "🫠", "😭", "🥹"]),
        ("🥹la", ["▁", "🥹", "l", "a"]),
        ("love🥰🫠!", ["▁lo", "ve", "🥰", "🫠", "!"]),
        ("la 🫠 vie", ["▁la", "▁", "🫠", "▁vie"]),
        ("🥹\u200d😭", ["▁", "🥹", "▁", "😭"]),  # the file says that a joiner is a space
        ("la\u00a0\u00a0vie\n", ["▁la", "▁vie", "▁"]),
        ("cafe\u0301", ["▁café"]),
    ],
)
def test_texts_are_cut_with_emoji_as_themselves(
    text: str, expected: list[str], whole: Vocabulary
) -> None:
    assert tokens(whole, text) == expected


def test_emoji_that_like_nothing_known_stay_unknown(whole: Vocabulary) -> None:
    assert UNKNOWN in whole.tokenizer.encode("la 🫶").ids
    assert "🫶" not in whole.pieces


@pytest.mark.parametrize("mark", [*MARKS, "＜s＞"])
@pytest.mark.parametrize("text", ["la {} vie", "{} vie", "la {}", "la{}vie", "<{}>", "{0}{0}"])
def test_a_special_token_in_a_text_is_text(mark: str, text: str, whole: Vocabulary) -> None:
    encoding = whole.tokenizer.encode(text.format(mark), add_special_tokens=False)
    assert not set(encoding.tokens) & set(MARKS)
    written = "".join(encoding.tokens).replace(SPACE, "")
    assert written == text.format(mark).replace(" ", "").replace("＜", "<").replace("＞", ">")


@settings(max_examples=200)
@given(st.lists(st.sampled_from([*MARKS, "<", ">", "s", "s>", "/", " ", "\n", "é"]), min_size=2))
def test_no_text_but_a_lone_name_holds_a_special_token(parts: list[str]) -> None:
    text = "".join(parts)
    if text not in MARKS:
        encoding = TOKENIZER.encode(text, add_special_tokens=False)
        assert not set(encoding.tokens) & {*MARKS} - {"<unk>"}
        assert all(number != PIECES.index(mark) for number in encoding.ids for mark in ("<s>",))


def test_texts_lie_between_special_tokens(whole: Vocabulary) -> None:
    assert whole.tokenizer.encode("la vie").tokens == ["<s>", "▁la", "▁vie", "</s>"]
    pair = whole.tokenizer.encode("la", "vie").tokens
    assert pair == ["<s>", "▁la", "</s>", "</s>", "▁vie", "</s>"]


def test_what_is_cut_can_be_put_together(whole: Vocabulary) -> None:
    ids = whole.tokenizer.encode("trop mignon🥹 la vie").ids
    assert whole.tokenizer.decode(ids) == "trop mignon🥹 la vie"


def build() -> Any:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        tiny = QuantisedFile(TinyFile().write(Path(folder) / "tiny.bin"))
    return Vocabulary.cut(tiny, None)


PLAIN = build()
TOKENIZER = PLAIN.tokenizer
SCORES = dict(zip(PLAIN.pieces, PLAIN.scores, strict=True))


def best(text: str) -> float:
    """The score of the best cut, by trying every piece at every place."""
    reached = [0.0] + [float("-inf")] * len(text)
    for end in range(1, len(text) + 1):
        for start in range(end):
            piece = text[start:end]
            if piece in SCORES:
                reached[end] = max(reached[end], reached[start] + SCORES[piece])
    return reached[-1]


@settings(max_examples=200)
@given(
    st.text("abcdeilmnoprstuvé!.01 ", min_size=1, max_size=24).map(lambda t: " ".join(t.split()))
)
def test_a_text_is_cut_where_the_sum_of_scores_is_highest(text: str) -> None:
    found = TOKENIZER.encode(text, add_special_tokens=False).tokens
    words = [SPACE + word for word in text.split(" ") if word]
    assert "".join(found) == "".join(words)
    total = sum(SCORES[piece] for piece in found)
    assert total == pytest.approx(sum(map(best, words)), abs=1e-4)


def test_lists_of_ids_are_read(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("# mine\n3\n10-12 # three\n\n7\n", "utf-8")
    assert read_ids(tmp_path / "ids.txt") == [3, 10, 11, 12, 7]
    packed = gzip.compress((tmp_path / "ids.txt").read_bytes())
    (tmp_path / "ids.txt.gz").write_bytes(packed)
    assert read_ids(tmp_path / "ids.txt.gz") == [3, 10, 11, 12, 7]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("3\nfour\n", "ids.txt, line 2: expected an id or a range such as 12-40"),
        ("3-\n", "ids.txt, line 1: expected an id or a range such as 12-40"),
        ("-3\n", "ids.txt, line 1: expected an id or a range such as 12-40"),
        ("9-3\n", "ids.txt, line 1: 9-3 is no range of ids"),
        ("1-99999999999\n", "ids.txt, line 1: 1-99999999999 is no range of ids"),
        ("# nothing\n", "ids.txt: holds no ids; list those to keep"),
        ("", "ids.txt: holds no ids; list those to keep"),
    ],
)
def test_lists_that_are_none_are_refused(content: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text(content, "utf-8")
    with pytest.raises(InputError) as raised:
        read_ids(tmp_path / "ids.txt")
    assert str(raised.value) == f"{tmp_path}/{told}"


def test_lists_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "ids.txt.gz").write_bytes(b"no gzip")
    (tmp_path / "ids.txt").write_bytes(b"\xff\xfe\xfd")
    for name in ("ids.txt.gz", "ids.txt"):
        with pytest.raises(InputError, match=rf"{name}: cannot be read \("):
            read_ids(tmp_path / name)
    with pytest.raises(InputError, match=r"nowhere\.txt: no such file"):
        read_ids(tmp_path / "nowhere.txt")


def test_the_shipped_list_is_of_xlm_r_and_small() -> None:
    ids = read_ids(FRENCH_ENGLISH)
    assert ids == sorted(set(ids))
    assert ids[-1] < 250_002
    assert FRENCH_ENGLISH.stat().st_size < 150_000


def test_the_shipped_emoji_are_single_characters_likened_to_a_few_words() -> None:
    table = read_emoji()
    characters = [emoji.character for emoji in table]
    assert len(set(characters)) == len(characters)
    assert {*"🥹🫠🫶🫡🥲🫣🫰🥺🤮🩷🫨"} <= set(characters)
    for emoji in table:
        assert 1 <= len(emoji.like) <= 3
        assert not set(emoji.like) & set(characters)
        # What SentencePiece rewrites could not be a piece.
        assert unicodedata.normalize("NFKC", emoji.character) == emoji.character


@pytest.mark.parametrize("line", ["🥹 tears", "🥹\t", "🥹🥹\ttears", "tears"])
def test_a_line_of_emoji_that_is_not_one_is_named(line: str, tmp_path: Path) -> None:
    (tmp_path / "emoji.tsv").write_text(f"🫠\tmelting\n{line}\n", "utf-8")
    with pytest.raises(InputError, match=r"emoji\.tsv, line 2: expected one emoji, a tab and"):
        read_emoji(tmp_path / "emoji.tsv")
