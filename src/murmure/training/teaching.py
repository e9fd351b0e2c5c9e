"""Soft labels: what a teacher says of posts, for a student to learn beside people's labels.

After Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from murmure.errors import RunError
from murmure.schema import LABELS, TAGS
from murmure.tagging import Predictor
from murmure.training.batches import Rows, draw
from murmure.training.corpora import Corpora

_log = logging.getLogger(__name__)

Floats = NDArray[np.float32]

LESSONS = "lessons.safetensors"
_POSTS_AT_ONCE = 2048


@dataclass(frozen=True)
class Lessons:
    """Posts with a teacher's word on them.

    Attributes:
        texts: n posts.
        probabilities: per tag an array (n, labels).
    """

    texts: list[str]
    probabilities: Mapping[str, Floats]

    def __len__(self) -> int:
        """Return the number of posts."""
        return len(self.texts)


def choose(
    corpora: Corpora, folds: NDArray[np.int64], settings: Mapping[str, Any], *, seed: int
) -> Rows:
    """Draw the posts that a teacher is asked about; none twice.

    Args:
        corpora: all posts, labelled or not.
        folds: of each post; posts with 0 or more are measured on, or are copies of such, and are
            never drawn; nor are validation posts.
        settings: `posts`, `temperature` and `weights`, as `batches.draw` takes them.
        seed: of the draw.
    """
    free = np.flatnonzero((folds < 0) & ~corpora.validation)
    drawn = draw(
        corpora.corpus[free],
        posts=settings["posts"],
        temperature=settings["temperature"],
        weights=settings["weights"],
        seed=seed,
    )
    return np.unique(free[drawn])


def ask(teacher: str | Path, texts: Sequence[str], folder: Path) -> Lessons:
    """Ask a teacher about posts.

    What it said is kept as it comes, so that asking again after an interruption goes on.

    Args:
        teacher: a model, as `Predictor.from_pretrained` takes it.
        texts: the posts.
        folder: where `lessons.safetensors` is kept.

    Raises:
        ModelError: if the teacher cannot be loaded.
        RunError: if what is kept cannot be read or written.
    """
    predictor = Predictor.from_pretrained(teacher)
    digest = sha256()
    for text in texts:
        digest.update(sha256(text.encode("utf-8", "surrogatepass")).digest())
    identity = {"teacher": predictor.fingerprint, "texts": digest.hexdigest()}
    file = folder / LESSONS
    said = _kept(file, identity)
    start = len(said[TAGS[0]])
    while start < len(texts):
        new = predictor.predict_columns(texts[start : start + _POSTS_AT_ONCE]).probabilities
        said = {tag: np.concatenate([table, new[tag]]) for tag, table in said.items()}
        start = len(said[TAGS[0]])
        _keep(file, said, identity)
        _log.info("%s read %d of %d posts", predictor.name, start, len(texts))
    return Lessons(list(texts), said)


def _kept(file: Path, identity: Mapping[str, str]) -> dict[str, Floats]:
    if file.exists():
        try:
            with safe_open(file, framework="numpy") as tensors:
                if tensors.metadata() == identity:
                    return {tag: tensors.get_tensor(tag) for tag in TAGS}
        except (SafetensorError, OSError) as error:
            raise RunError(f"cannot be read ({error}); remove it to ask anew", file=file) from error
    return {tag: np.zeros((0, len(LABELS[tag])), np.float32) for tag in TAGS}


def _keep(file: Path, said: Mapping[str, Floats], identity: Mapping[str, str]) -> None:
    unfinished = file.with_suffix(".unfinished")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(save(dict(said), metadata=dict(identity)))
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise RunError(f"cannot be written ({error}); make room", file=file) from error
    unfinished.replace(file)
