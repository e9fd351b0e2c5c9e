"""Cells that no spreadsheet takes for a formula: one pattern, wherever CSV is written."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

import murmure
from murmure.guard import BEGINS_FORMULA, guard, guard_one, unguard

SCRIPT = Path(murmure.__file__).parent / "report" / "script" / "downloads.js"


@given(st.text() | st.text("=+-@'\t\r\n \uff1d\uff0b\uff0d\uff20a"))
@example(" \uff1d1")
def test_guard_is_undone_whatever_the_text(text: str) -> None:
    [guarded] = guard(pa.array([text])).to_pylist()
    assert guard_one(text) == guarded
    assert unguard(guarded) == text
    risky = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
    assert not guarded.lstrip(" ").startswith(risky)


def test_the_page_s_script_has_the_same_pattern() -> None:
    (told,) = re.findall(r"const beginsFormula = /(.*)/;", SCRIPT.read_text(encoding="utf-8"))
    signs = [chr(number) for number in (*range(1, 0x250), 0xFF1D, 0xFF0B, 0xFF0D, 0xFF20, 0xFF1E)]
    for text in [before + sign for before in ("", " ", "  ", "a") for sign in signs]:
        assert bool(re.match(told, text)) == bool(re.match(BEGINS_FORMULA, text)), text
    assert "beginsFormula.test(given)" in SCRIPT.read_text(encoding="utf-8")
