"""spaCy: one `textcat` a tag, all in one pipeline, as `spacy init config` sets them up.

    python -m benchmarks.peers.programs.spacy_textcat train.parquet FOLDER --make --kind bow
    python -m benchmarks.peers.programs.spacy_textcat posts.parquet tagged.parquet --model FOLDER

`bow` is what `--optimize efficiency` chooses, `ensemble` what `--optimize accuracy` does: a
bag of words beside a network over word vectors, which all tags share. `--make` gives the labels of
a file and random weights: for speed alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import pyarrow.parquet as pq
import spacy
from thinc.api import fix_random_seed

from benchmarks.peers.programs.common import Tag, Tagged, parser, run

_PIPE = "textcat_"
_SEED = 20261122
_WIDTH = 96
_BOW = {
    "@architectures": "spacy.TextCatBOW.v3",
    "exclusive_classes": True,
    "ngram_size": 1,
    "no_output_layer": False,
    "length": 262_144,
}
_TOK2VEC = {
    "model": {
        "@architectures": "spacy.Tok2Vec.v2",
        "embed": {
            "@architectures": "spacy.MultiHashEmbed.v2",
            "width": _WIDTH,
            "attrs": ["NORM", "PREFIX", "SUFFIX", "SHAPE"],
            "rows": [5000, 1000, 2500, 2500],
            "include_static_vectors": False,
        },
        "encode": {
            "@architectures": "spacy.MaxoutWindowEncoder.v2",
            "width": _WIDTH,
            "depth": 4,
            "window_size": 1,
            "maxout_pieces": 3,
        },
    }
}
_ENSEMBLE = {
    "@architectures": "spacy.TextCatEnsemble.v2",
    "tok2vec": {"@architectures": "spacy.Tok2VecListener.v1", "width": _WIDTH},
    "linear_model": _BOW,
}


def make(options: argparse.Namespace) -> None:
    """Makes a pipeline for the tags and labels of a file, and writes it into a folder."""
    fix_random_seed(_SEED)
    table = pq.read_table(options.input)
    nlp = spacy.blank("xx")
    if options.kind == "ensemble":
        nlp.add_pipe("tok2vec", config=_TOK2VEC)
    model = _BOW if options.kind == "bow" else _ENSEMBLE
    for tag in table.column_names:
        if tag == "text":
            continue
        pipe: Any = nlp.add_pipe("textcat", name=f"{_PIPE}{tag}", config={"model": model})
        for label in sorted(set(table[tag].to_pylist()) - {None}):
            pipe.add_label(f"{tag}={label}")
    nlp.initialize()
    nlp.to_disk(options.output)


def load(options: argparse.Namespace) -> Tag:
    """Reads a pipeline."""
    nlp = spacy.load(options.model)
    tags = [name.removeprefix(_PIPE) for name in nlp.pipe_names if name.startswith(_PIPE)]

    def tag(texts: Sequence[str]) -> Tagged:
        found: dict[str, tuple[list[str], list[float]]] = {name: ([], []) for name in tags}
        for doc in nlp.pipe(texts, batch_size=256):
            best: dict[str, tuple[float, str]] = {}
            for name, score in doc.cats.items():
                of, _, label = name.partition("=")
                best[of] = max(best.get(of, (-1.0, "")), (score, label))
            for of, (score, label) in best.items():
                found[of][0].append(label)
                found[of][1].append(score)
        return found

    return tag


if __name__ == "__main__":
    told = parser(__doc__)
    told.add_argument("--make", action="store_true")
    told.add_argument("--kind", choices=("bow", "ensemble"), default="bow")
    given = told.parse_args()
    if given.make:
        make(given)
    else:
        run(given, load)
