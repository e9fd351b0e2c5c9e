"""scikit-learn: TF-IDF of words and characters, one logistic regression a tag.

python -m benchmarks.peers.programs.tfidf train.parquet FOLDER --train   # makes the model
python -m benchmarks.peers.programs.tfidf posts.parquet tagged.parquet --model FOLDER

All tags share the features.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import joblib
import pyarrow.parquet as pq
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion

from benchmarks.peers.programs.common import Tag, Tagged, parser, run

_FILE = "model.joblib"


def train(options: argparse.Namespace) -> None:
    """Fits a model to a file with a text and tags, and writes it into a folder."""
    table = pq.read_table(options.input)
    features = FeatureUnion(
        [
            ("words", TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)),
            (
                "characters",
                TfidfVectorizer(
                    analyzer="char_wb", ngram_range=(2, 5), min_df=2, sublinear_tf=True
                ),
            ),
        ]
    )
    matrix = features.fit_transform(table["text"].to_pylist())
    models = {}
    for tag in table.column_names:
        labels = table[tag].to_pylist()
        rows = [row for row, label in enumerate(labels) if label is not None]
        if tag == "text" or len({labels[row] for row in rows}) < 2:
            continue
        regression = LogisticRegression(C=4, class_weight="balanced", max_iter=300)
        models[tag] = regression.fit(matrix[rows], [labels[row] for row in rows])
    options.output.mkdir(parents=True, exist_ok=True)
    joblib.dump((features, models), options.output / _FILE)


def load(options: argparse.Namespace) -> Tag:
    """Reads a model."""
    features, models = joblib.load(options.model / _FILE)

    def tag(texts: Sequence[str]) -> Tagged:
        matrix = features.transform(texts)
        found = {}
        for name, model in models.items():
            probabilities = model.predict_proba(matrix)
            best = probabilities.argmax(axis=1)
            found[name] = (model.classes_[best].tolist(), probabilities.max(axis=1).tolist())
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
