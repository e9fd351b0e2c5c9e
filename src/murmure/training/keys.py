"""Keys of posts: the same for two copies of one post, whatever links and handles they carry."""

from __future__ import annotations

import hashlib
import re

_ADDRESSED = re.compile(r"https?://\S+|@\w+")
_NO_LETTERS = re.compile(r"\W+")
_READ = 80


def key_of(text: str) -> str:
    """Give the key of a text: 16 hexadecimal digits that hash its first 80 normalised characters.

    Normalised means lower-cased, without links and handles, with one blank for everything that
    is neither letter, digit nor underscore. A text of which nothing is left then is its own key.

    Example:
        >>> key_of("@brizelo La machine fuit !") == key_of("la machine FUIT http://a.example/1")
        True
        >>> key_of("La machine fuit") == key_of("La machine marche")
        False
        >>> key_of("👍") == key_of("👎")
        False
    """
    plain = " ".join(_NO_LETTERS.sub(" ", _ADDRESSED.sub(" ", text.lower())).split())
    hashed = (plain[:_READ] or text).encode("utf-8", "surrogatepass")
    return hashlib.sha1(hashed, usedforsecurity=False).hexdigest()[:16]
