"""What keeps strangers' words harmless on a page: cleaning, escaping, hashing.

The page's first defence is jinja2's autoescape and the browser's `textContent`. This module adds
what those two do not know of: controls that turn the reading direction, data inside a `<script>`
element, and the hashes of the Content-Security-Policy.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable

from markupsafe import Markup

#: Embeddings, overrides and isolates: they can show a text in an order it was not written in.
_BIDI = "\u202a-\u202e\u2066-\u2069"
#: Characters that have no place in an HTML document, or that no reader can see.
_CONTROLS = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufff9-\ufffb\ufffe\uffff"
_UNWANTED = re.compile(f"[{_BIDI}{_CONTROLS}\ud800-\udfff]")
#: More marks than any language piles on one letter: stacked, they would cover other lines.
_STACK = re.compile(
    r"([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{3})"
    r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]+"
)
#: The sign of handles and addresses as it is typed, at full width, and small.
_AT = "@\uff20\ufe6b"
_HANDLE = re.compile(rf"(?<![\w{_AT}.])[{_AT}]([\w.\-]*\w)")
_EMAIL = re.compile(rf"[\w.+\-]{{1,64}}[{_AT}][\w\-]{{1,63}}(?:\.[\w\-]{{1,63}})+")
_AT_SIGN = re.compile(f"[{_AT}]")
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}


def clean(text: str) -> str:
    r"""The text without control characters and without what turns the reading direction.

    Nothing else changes: markup stays as it was written, for the template to escape.

    Example:
        >>> clean("prix\u202e 01\u202c <b>")
        'prix 01 <b>'
    """
    return _STACK.sub(r"\1", _UNWANTED.sub("", text.replace("\r\n", "\n")))


def shorten(text: str, limit: int) -> tuple[str, bool]:
    """The text up to about `limit` characters, cut between words, and whether it was cut.

    Example:
        >>> shorten("Commande jamais reçue", 15)
        ('Commande jamais…', True)
    """
    if len(text) <= limit:
        return text, False
    head = text[: limit + 1]
    cut = head.rfind(" ", limit // 2)
    return head[: cut if cut > 0 else limit].rstrip() + "…", True


def mask(text: str, *, names: Iterable[str | None] = (), keep: Iterable[str] = ()) -> str:
    """The text with handles, addresses and the given names masked.

    Args:
        text: what was written.
        names: the author's name and whatever else is to be hidden, wherever it stands as a word.
        keep: surfaces that stay, such as the handle of a brand.

    Example:
        >>> mask("Merci @jeanne, et @brizelo !", keep=["@brizelo"])
        'Merci @…, et @brizelo !'
    """
    kept = {_AT_SIGN.sub("@", surface.casefold()) for surface in keep}
    text = _EMAIL.sub("…@…", text)
    text = _HANDLE.sub(lambda m: m[0] if f"@{m[1].casefold()}" in kept else "@…", text)
    for name in names:
        bare = (name or "").strip().lstrip(_AT)
        if len(bare) >= 3 and bare.casefold() not in kept:
            text = re.sub(rf"(?<!\w){re.escape(bare)}(?!\w)", "…", text, flags=re.IGNORECASE)
    return text


def script_json(data: object) -> Markup:
    r"""JSON that may stand inside a `<script>` element: no character in it can end the element.

    Raises:
        ValueError: for a number that JSON does not know (not a number, infinity).

    Example:
        >>> str(script_json({"name": "</script>"}))
        '{"name":"\\u003c/script\\u003e"}'
    """
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.translate(_ESCAPES))  # noqa: S704 - every character that matters is escaped


def content_hash(content: str) -> str:
    """The source expression that lets exactly this inline script or style through.

    Source: Content Security Policy Level 3, section 2.3.1 (hash-source).

    Example:
        >>> content_hash("")
        "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    """
    digest = hashlib.sha256(content.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
