"""The README's Python says what the shipped model says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from murmure import Predictor

README = Path(__file__).parent.parent / "README.md"


def test_the_tags_shown_are_those_that_the_shipped_model_gives() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    (post,) = re.findall(r'predictor\("(.*?)"\)', code)
    known: dict[str, Any] = {"tags": Predictor.from_pretrained()(post)}
    shown = re.findall(r"^(tags\..*?)  # (.*)$", code, re.MULTILINE)
    assert len(shown) == 3
    assert [repr(eval(said, known)) for said, _ in shown] == [result for _, result in shown]
