"""Normaliser for French and English posts.

It unifies what differs without meaning (links, handles, repeated letters, Unicode forms, HTML
entities, typographic quotes and dashes) and keeps what carries it: every accent, apostrophe,
emoji with its joiners and skin tones, currency sign, hashtag word and negation.

What it cannot do: it does not correct spelling, expand abbreviations or split hashtags.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence

#: What links, handles and the hosts of e-mail addresses become.
LINK, HANDLE, HOST = "http", "@user", "@email"

# A whole batch is normalised as one string, a post a line: a call of a regular expression costs
# more than the post that it reads. The expressions begin with a literal or are one character
# class, which the standard library's engine finds fastest.
_SEPARATOR = "\n"

_APOSTROPHES = "’‘‛ʼʹ´`′＇｀ꞌ՚"
_QUOTES = "“”„‟″〝〞＂"
_DASHES = "‐‑‒–—―−﹘﹣－"
# Control characters, bidirectional marks, zero-width spaces, lone surrogates.
_INVISIBLE = (
    "\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
)
_BLANKS = "\t\x0b-\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
# Letters that differ in form only: ligatures, circled, full-width and mathematical letters.
_LETTER_FORMS = "…ⓐ-ⓩⒶ-Ⓩﬀ-ﬆ！-～\U0001d400-\U0001d7ff"
_JOINER = "\u200d"
_FORMS = re.compile(
    f"[{_APOSTROPHES}{_QUOTES}{_DASHES}{_INVISIBLE}{_BLANKS}{_LETTER_FORMS}{_JOINER}]"
)
_REMOVED = re.compile(f"[{_INVISIBLE}]")
_UNIFIED = (
    dict.fromkeys(_APOSTROPHES, "'") | dict.fromkeys(_QUOTES, '"') | dict.fromkeys(_DASHES, "-")
)
_BLANK = re.compile(f"[{_BLANKS}]")
# Without circled letters, which become plain ones.
_EMOJI = "\u2190-\u24b5\u24ea-\u2bff\u3030\u303d\u3297\u3299\ufe0f\U0001f000-\U0001faff"
_EMOJI_PART = re.compile(f"[{_EMOJI}]")
_CURRENCIES = (
    "$¢-¥\u058f\u060b\u07fe\u07ff\u09f2\u09f3\u09fb\u0af1\u0bf9\u0e3f\u17db\u20a0-\u20cf\ua838\ufdfc\ufe69"
    "\uff04\uffe0\uffe1\uffe5\uffe6\U00011fdd-\U00011fe0\U0001e2ff\U0001ecb0"
)

_ENTITY_OF_AMPERSAND = re.compile(r"&(?:(?:amp|AMP|#0{0,5}38|#[xX]0{0,5}26);)+")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_ENTITY_PASSES = 8  # entities within entities; more than these are an attack, not a post

# Composing sorts the marks over one letter, in quadratic time: 30 is the most that the
# stream-safe format of Unicode's annex 15 allows. The first three decompose into marks.
_MOST_MARKS = 30
_BASIC_MARKS = "\u0f73\u0f75\u0f81" + "".join(
    chr(code) for code in range(0x300, 0xFFFF) if unicodedata.combining(chr(code))
)
# One range for all others: few characters are in it, and each range more costs time.
_MARKS = re.compile(
    f"[{_BASIC_MARKS}\U000101fd-\U0001e94a][{_BASIC_MARKS}\U000101fd-\U0001e94a]{{{_MOST_MARKS},}}"
)

_REPEATED = re.compile(r"(\S)\1\1\1+")
_SPACES = re.compile("  +")
_CAPITAL_LINKS = ("HTTPS", "HTTP", "Http", "WWW.", "Www.")
# A link ends where people write on without a blank: at an emoji, a sum, a comma before a word.
_LINK_END = (
    rf"(?:[^\s<>\"'»)\],;0-9#*{_EMOJI}{_JOINER}{_CURRENCIES}]"
    "|[,;](?![^\\W\\d_])|[0-9#*](?!\ufe0f?\u20e3))"
)
_LINK = re.compile(rf"https?://{_LINK_END}+")
_WEB_LINK = re.compile(rf"www\.(?<!\wwww\.){_LINK_END}+", re.ASCII)
_BARE_LINK = re.compile(
    r"\.(?:com|net|org|info|fr|be|ca|ch|uk|eu|ly|co|io|me|tv|gl|gd|to|tk|link|page|shop|store|app)"
    rf"/{_LINK_END}*"
)
_BARE_HOST = re.compile(r"(?<![\w.-])[\w.-]{1,100}\Z")
_LONGEST_HOST = 100
_HANDLE = re.compile(r"@(?<![\w@]@)\w+")
_EMAIL_HOST = re.compile(r"@(?<=\w@)[\w-]+(?:\.[\w-]+)+")


def _drop_marks(match: re.Match[str]) -> str:
    kept, marks = [], 0
    for character in match.group():
        marks = marks + 1 if unicodedata.combining(character) or character in _BASIC_MARKS else 0
        if marks <= _MOST_MARKS:
            kept.append(character)
    return "".join(kept)


def _compose(joined: str) -> str:
    # Line by line: a text with marks to compose takes far longer than one that needs nothing.
    return _SEPARATOR.join(
        [
            line if line.isascii() else unicodedata.normalize("NFC", _MARKS.sub(_drop_marks, line))
            for line in joined.split(_SEPARATOR)
        ]
    )


def _unify_form(match: re.Match[str]) -> str:
    character = match.group()
    unified = _UNIFIED.get(character)
    if unified is not None:
        return unified
    if character == _JOINER:
        before = match.string[match.start() - 1 : match.start()]
        return _JOINER if _EMOJI_PART.match(before) else ""
    if _BLANK.match(character):
        return " "
    if _REMOVED.match(character):
        return ""
    return unicodedata.normalize("NFKC", character)


def _unify_forms(joined: str) -> str:
    # Composed first: some signs are another sign's canonical form, an apostrophe's for instance.
    return _FORMS.sub(_unify_form, _compose(joined))


def _shorten(match: re.Match[str]) -> str:
    return match.group() if match.group(1).isnumeric() else match.group(1) * 3


def _unescape(match: re.Match[str]) -> str:
    return html.unescape(match.group()).replace(_SEPARATOR, " ")


def _resolve_entities(joined: str) -> str:
    for _ in range(_ENTITY_PASSES):
        resolved = _ENTITY.sub(_unescape, _ENTITY_OF_AMPERSAND.sub("&", joined))
        if resolved == joined:
            break
        joined = _unify_forms(resolved)
    return joined


def _replace_bare_links(joined: str) -> str:
    """Replace links without a scheme, such as exemple.fr/page, host included."""
    parts, end = [], 0
    for match in _BARE_LINK.finditer(joined):
        start = match.start()
        host = _BARE_HOST.search(joined, max(end, start - _LONGEST_HOST), start)
        if host is not None:
            parts += [joined[end : host.start()], LINK]
            end = match.end()
    return "".join([*parts, joined[end:]])


def normalize_all(texts: Sequence[str]) -> list[str]:
    """Normalise many posts at once, much faster than one by one.

    Args:
        texts: any strings, however hostile.

    Returns:
        As many strings, in the same order, each on one line and without outer spaces.

    Example:
        >>> normalize_all(["J’adore l’été !!!!!!", "rdv &agrave; 5&nbsp;€", ""])
        ["J'adore l'été !!!", 'rdv à 5 €', '']
    """
    if not texts:
        return []
    lines = normalize_lines(_SEPARATOR.join([text.replace(_SEPARATOR, " ") for text in texts]))
    return [line.strip() for line in _SPACES.sub(" ", lines).split(_SEPARATOR)]


def normalize_lines(joined: str) -> str:
    r"""Normalise posts, or single words of them, that stand one a line, but for surplus spaces.

    Nothing but spaces depends on what stands beyond a space: a post's words, each normalised
    alone, are the normalised post's.

    Example:
        >>> normalize_lines("l’été\n&agrave;&nbsp;!!!!!")
        "l'été\nà !!!"
    """
    joined = _unify_forms(joined)
    if "&" in joined:
        joined = _resolve_entities(joined)
    joined = _compose(joined)
    for capital in _CAPITAL_LINKS:
        joined = joined.replace(capital, capital.lower())
    joined = _LINK.sub(LINK, _REPEATED.sub(_shorten, joined))
    joined = _replace_bare_links(_WEB_LINK.sub(LINK, joined))
    return _EMAIL_HOST.sub(HOST, _HANDLE.sub(HANDLE, joined))


def normalize(text: str) -> str:
    """Normalise one post.

    Example:
        >>> normalize("@sav  Géniaaaaal 👩🏽‍🚀 https://exemple.fr/x &lt;3 #JamaisDéçu")
        '@user Géniaaal 👩🏽‍🚀 http <3 #JamaisDéçu'
    """
    return normalize_all([text])[0]


# What encoders' vocabularies write for themselves, and no post may: begin, end, padding and so on.
_CONTROL_TOKEN = re.compile(r"<(?=/?(?:s|pad|unk|mask)>)")


def encoder_texts(texts: Sequence[str]) -> list[str]:
    """Give what an encoder reads of posts, in training and in tagging alike.

    The same as `normalize_all`, case and accents kept, except that a post cannot write the tokens
    by which the encoder marks where a text begins and ends.

    Example:
        >>> encoder_texts(["J’adore  ma Marelle </s> ☕ @torvella https://exemple.fr/a"])
        ["J'adore ma Marelle < /s> ☕ @user http"]
    """
    return [
        _CONTROL_TOKEN.sub("< ", text) if "<" in text else text for text in normalize_all(texts)
    ]
