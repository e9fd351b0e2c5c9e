"""floret: one supervised fastText model a tag.

python -m benchmarks.peers.programs.floret_tags train.parquet FOLDER --train
python -m benchmarks.peers.programs.floret_tags posts.parquet tagged.parquet --model FOLDER

The table of n-grams has 200,000 rows of 50: fastText's own two million would take 800 MB a tag.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import floret
import pyarrow.parquet as pq

from benchmarks.peers.programs.common import Tag, Tagged, parser, run

_LABEL = "__label__"


def _line(text: str) -> str:
    return " ".join(text.split())


def train(options: argparse.Namespace) -> None:
    """Fits a model a tag to a file with a text and tags, and writes them into a folder."""
    table = pq.read_table(options.input)
    texts = [_line(text) for text in table["text"].to_pylist()]
    options.output.mkdir(parents=True, exist_ok=True)
    for tag in table.column_names:
        labels = table[tag].to_pylist()
        if tag == "text" or len(set(labels) - {None}) < 2:
            continue
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "train.txt"
            with file.open("w", encoding="utf-8") as lines:
                lines.writelines(
                    f"{_LABEL}{label} {text}\n"
                    for label, text in zip(labels, texts, strict=True)
                    if label is not None
                )
            model = floret.train_supervised(
                str(file),
                dim=50,
                epoch=25,
                lr=0.5,
                wordNgrams=2,
                minn=2,
                maxn=5,
                bucket=200_000,
                minCount=2,
                thread=1,
                verbose=0,
            )
        model.save_model(str(options.output / f"{tag}.bin"))


def load(options: argparse.Namespace) -> Tag:
    """Reads the models."""
    models = {
        file.stem: floret.load_model(str(file)) for file in sorted(options.model.glob("*.bin"))
    }

    def tag(texts: Sequence[str]) -> Tagged:
        lines = [_line(text) for text in texts]
        found = {}
        for name, model in models.items():
            labels, scores = model.predict(lines)
            found[name] = (
                [str(one[0]).removeprefix(_LABEL) for one in labels],
                [float(one[0]) for one in scores],
            )
        return found

    return tag


if __name__ == "__main__":
    told = parser(__doc__)
    told.add_argument("--train", action="store_true")
    given = told.parse_args()
    if given.train:
        train(given)
    else:
        run(given, load)
