"""Sentences and clauses of posts: where the words about one brand end and others begin.

A light splitter on regular expressions, for texts with few full stops. A part ends at . ! ? … ;
at a line break, after a run of emoji or smileys, and before a word that turns the argument
(« mais », "but"). Parts of hashtags, handles and links alone go with their neighbour.

Not spaCy's: its sentencizer cuts at punctuation alone, and its parsers, one language and download
each, were trained on edited texts; neither cuts at emoji, line breaks or « mais ».

What it cannot do: it knows a few abbreviations only, and no syntax: « mais » within an enumeration
cuts as well.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right

_EMOJI = "\u203c\u2049\u2600-\u27bf\u2b05-\u2b55\U0001f000-\U0001faff"
# Every alternative begins once per run and never backtracks: hostile texts take linear time.
_BREAK = re.compile(
    rf"""
    (?P<line> [\r\n\u2028\u2029]++ )
  | (?<![.!?…]) (?P<stop> [.!?…]++ ["»”’)\]]*+ ) (?= \s | $ | (?<=[!?…])[A-ZÀ-Ý] )
  | (?P<smiley> (?<!\w) [:;=]-?[()DPp/]++ (?=\s|$) )
  | (?P<semicolon> (?<!&amp) (?<!&lt) (?<!&gt) (?<!&quot) (?<!&\#39) ; (?=[\s\w]) )
  | (?P<emoji> [{_EMOJI}] [{_EMOJI}\ufe0f\u200d\u20e3]*+ )
  | (?P<turn> (?<=[\s,]) (?: mais(?!\s(?:aussi|surtout|pas)\b) | but(?!\salso\b) | however
        | whereas | (?<!a\s)while | although | (?<!as\s)(?<!even\s)though | even\sthough
        | par\scontre | en\srevanche | cependant | pourtant | toutefois
        | (?: tandis | alors )\squ(?:e|['’]) ) \b )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_ABBREVIATION = re.compile(
    r"(?:^|\W)(?:\w|Mme|Mlle|Mr|Mrs|Ms|Dr|St|Ste|vs|av|env|ex|cf|tél|approx)$"
)
_SIGNS = re.compile(r"[@#＃＠]\w+|(?:https?://|www\.)\S+")
_WORD = re.compile(r"\w")


class Clauses:
    """The parts of one text.

    Args:
        text: any string.

    Example:
        >>> text = "Torvella livre vite, mais la Brizelo fuit ! #cafe"
        >>> clauses = Clauses(text)
        >>> for name in ("Torvella", "Brizelo"):
        ...     start = text.index(name)
        ...     print(text[slice(*clauses.around(start, start + len(name)))])
        Torvella livre vite,
        mais la Brizelo fuit ! #cafe
    """

    def __init__(self, text: str) -> None:
        self._text = text
        breaks = []
        for match in _BREAK.finditer(text):
            if match.lastgroup == "turn":
                breaks.append(match.start())
            elif match.group() != "." or not _ABBREVIATION.search(
                text, max(0, match.start() - 8), match.start()
            ):
                breaks.append(match.end())
        self._breaks = self._merge_wordless(breaks)
        self._trimmed: dict[tuple[int, int], tuple[int, int]] = {}

    def _merge_wordless(self, breaks: list[int]) -> list[int]:
        kept = [0]
        worded = False  # whether the part before the last break kept has a word of its own
        for start, end in zip([0, *breaks], [*breaks, len(self._text)], strict=True):
            has_word = bool(_WORD.search(_SIGNS.sub("", self._text[start:end])))
            if has_word and worded and start > kept[-1]:
                kept.append(start)
            worded = worded or has_word
        return [*kept, len(self._text)]

    def around(self, start: int, end: int) -> tuple[int, int]:
        """Start and end of the part, or parts, that carry the characters from start to end."""
        first = max(bisect_right(self._breaks, start) - 1, 0)
        last = min(bisect_left(self._breaks, end), len(self._breaks) - 1)
        if (first, last) not in self._trimmed:
            begin, finish = self._breaks[first], self._breaks[last]
            part = self._text[begin:finish]
            left, right = len(part) - len(part.lstrip()), len(part) - len(part.rstrip())
            self._trimmed[first, last] = (begin + left, finish - right)
        return self._trimmed[first, last]
