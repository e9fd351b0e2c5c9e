r"""Cells of CSV that no spreadsheet takes for a formula, and back again.

A spreadsheet that opens a CSV file runs whatever begins with `=`, `+`, `-`, `@`, a tab or a
carriage return (OWASP, "CSV Injection"). Such a text gets an apostrophe in front, and so does one
that begins with an apostrophe itself: taking one apostrophe off whatever begins with one gives
every text back as it was. Numbers, times and truth values are no texts and stay as they are.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

MARK = "'"
#: What may begin a formula, the full-width signs too, also after spaces, and the mark itself. The
#: page's script (`report/script/downloads.js`) has the same.
BEGINS_FORMULA = "^(?:[\\t\\r\\n']| *[=+\\-@\uff1d\uff0b\uff0d\uff20\\t\\r\\n])"


def guard(texts: pa.Array) -> pa.Array:
    """Texts with the mark before each that a spreadsheet could run; nulls stay.

    Example:
        >>> guard(pa.array(["=1+1", "bon", "-20 %", "'quoted'", None, ""])).to_pylist()
        ["'=1+1", 'bon', "'-20 %", "''quoted'", None, '']
    """
    risky = pc.match_substring_regex(texts, BEGINS_FORMULA)
    if not pc.any(risky).as_py():
        return texts
    return pc.if_else(risky, pc.binary_join_element_wise(MARK, texts, ""), texts)


def guard_one(text: str) -> str:
    """The same for one text.

    Example:
        >>> guard_one("@handle"), guard_one("handle")
        ("'@handle", 'handle')
    """
    return f"{MARK}{text}" if re.match(BEGINS_FORMULA, text) else text


def unguard(text: str) -> str:
    """The text as it was before `guard`.

    Example:
        >>> [unguard(guard_one(text)) for text in ("=1+1", "'quoted'", "bon")]
        ['=1+1', "'quoted'", 'bon']
    """
    return text.removeprefix(MARK)
