"""Text files as lines: decompressed, decoded, and never longer in memory than a limit.

Bytes that are not of the declared encoding do not stop the reading: they become lone surrogates
(U+DC00 and the byte), so that the one row that holds them can be rejected.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, cast

import pyarrow as pa

from murmure.batch.sources import Source
from murmure.errors import InputError, UsageError

#: Longest line, and longest CSV record, that is held in memory, in characters.
MAX_LINE = 16 * 2**20

#: Longest piece of a rejected row that is kept, in characters.
MAX_EXCERPT = 500

_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Line(NamedTuple):
    """One physical line: its number from 1, its text with the line end, whether it was cut."""

    number: int
    text: str
    overlong: bool


def _mark_undecodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(chr(0xDC00 + byte) for byte in bad), error.end


codecs.register_error("murmure.mark", _mark_undecodable)


def check_encoding(encoding: str) -> None:
    """Makes sure that Python knows an encoding by this name.

    Raises:
        UsageError: it does not.

    Example:
        >>> check_encoding("latin-1")
        >>> check_encoding("latin-42")
        Traceback (most recent call last):
            ...
        murmure.errors.UsageError: --encoding: no encoding is called 'latin-42'; try utf-8 or cp1252
    """
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    except (LookupError, ValueError) as error:
        message = f"--encoding: no encoding is called {encoding!r}; try utf-8 or cp1252"
        raise UsageError(message) from error


def is_utf8(encoding: str) -> bool:
    """Whether a name stands for UTF-8.

    Example:
        >>> is_utf8("UTF8"), is_utf8("cp1252")
        (True, False)
    """
    return codecs.lookup(encoding).name in {"utf-8", "utf-8-sig"}


def open_text(source: Source, *, encoding: str, newline: str) -> io.TextIOWrapper:
    r"""Opens a text source for reading, decompressing it on the way.

    Args:
        source: the file.
        encoding: as declared; UTF-8 may begin with a byte order mark.
        newline: as in `open`: `"\n"` ends lines there alone, `""` at every kind of line end.

    Raises:
        InputError: the file cannot be opened, or is UTF-16 where UTF-8 was declared.
    """
    try:
        if is_utf8(encoding) and source.compression is None:
            with source.path.open("rb") as file:
                start = file.read(4)
            if (name := _utf16(start)) is not None:
                raise InputError(f"is UTF-16; add --encoding {name}", file=source.shown)
        binary = pa.input_stream(str(source.path), compression=source.compression)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", file=source.shown) from error
    return wrap_text(cast(BinaryIO, binary), encoding=encoding, newline=newline)


def _utf16(start: bytes) -> str | None:
    """The name of the UTF-16 that a file begins in, by its mark or by the zeros in Latin text."""
    if start.startswith(_UTF16_MARKS):
        return "utf-16"
    zeros = [not byte for byte in start]
    if zeros == [False, True, False, True]:
        return "utf-16-le"
    return "utf-16-be" if zeros == [True, False, True, False] else None


def wrap_text(binary: BinaryIO, *, encoding: str, newline: str) -> io.TextIOWrapper:
    """Decodes a stream of bytes; undecodable ones become lone surrogates."""
    codec = "utf-8-sig" if is_utf8(encoding) else encoding
    return io.TextIOWrapper(binary, encoding=codec, errors="murmure.mark", newline=newline)


def read_lines(stream: io.TextIOWrapper, source: Source) -> Iterator[Line]:
    """Yields every physical line; of one longer than `MAX_LINE` only the beginning.

    Raises:
        InputError: the file is damaged (compressed data cut short, say) or cannot be decoded
            any further.
    """
    number = 0
    try:
        while text := stream.readline(MAX_LINE):
            number += 1
            overlong = len(text) == MAX_LINE and not text.endswith(("\n", "\r"))
            if overlong:
                while (rest := stream.readline(MAX_LINE)) and not rest.endswith(("\n", "\r")):
                    pass
            yield Line(number, text, overlong)
    except UnicodeError as error:
        message = f"not {stream.encoding}: {error.reason if hasattr(error, 'reason') else error}"
        message += "; give the file's encoding with --encoding"
        raise InputError(message, file=source.shown, line=number + 1) from error
    except OSError as error:
        message = f"is damaged or cannot be read ({error})"
        raise InputError(message, file=source.shown, line=number + 1) from error


def undecodable(text: str) -> int | None:
    r"""The first byte of a decoded line that was not of its encoding; None where all were.

    Example:
        >>> undecodable("café"), undecodable("caf\udce9")
        (None, 233)
    """
    if text.isascii():
        return None
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return ord(text[error.start]) - 0xDC00
    return None


def undecodable_reason(byte: int, encoding: str) -> str:
    """Why a row with such a byte is rejected, and the remedy if all rows are like it."""
    name = "UTF-8" if is_utf8(encoding) else encoding
    remedy = "if the file has another encoding, name it with --encoding"
    return f"not {name}: byte 0x{byte & 0xFF:02x}; {remedy}"


def excerpt(text: str) -> str:
    r"""The beginning of a rejected row as valid text; undecodable bytes are shown as `\xe9`.

    Example:
        >>> print(excerpt("caf\udce9"))
        caf\xe9
    """
    start = text[:MAX_EXCERPT].rstrip("\r\n")
    try:
        return start.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return start.encode("utf-8", "backslashreplace").decode()


def whole_excerpt(text: str) -> str | None:
    r"""`excerpt` of a row whose author could not be read; None where it would be cut.

    Whoever is forgotten is found there by name, which may stand in what was cut off.

    Example:
        >>> whole_excerpt("7,a,b\n"), whole_excerpt("a" * 501)
        ('7,a,b', None)
    """
    return excerpt(text) if len(text.rstrip("\r\n")) <= MAX_EXCERPT else None


def without_surrogates(text: str) -> str:
    r"""The text with each lone surrogate, which no UTF-8 can hold, as U+FFFD.

    JSON can write half an emoji (`"\ud83d"`), where a post was cut in its middle. A pair of
    halves that stand side by side becomes the emoji.

    Example:
        >>> without_surrogates("ok \ud83d"), without_surrogates("ok \ud83d\ude00")
        ('ok �', 'ok 😀')
    """
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
