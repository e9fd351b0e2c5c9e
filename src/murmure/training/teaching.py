"""Soft labels: what a teacher says of posts, for a student to learn beside people's labels.

After Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network", 2015.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from scipy.special import softmax

from murmure.errors import ConfigurationError, RunError
from murmure.schema import LABELS
from murmure.tagging import Predictor
from murmure.tagging.linear import TEXT_TAGS
from murmure.training.corpora import Corpora

# Only a teacher needs torch: fast is trained without it.
if TYPE_CHECKING:
    from murmure.training.batches import Rows

_log = logging.getLogger(__name__)

Floats = NDArray[np.float32]

LESSONS = "lessons.safetensors"
_POSTS_AT_ONCE = 2048


@dataclass(frozen=True)
class Lessons:
    """Posts with a teacher's word on them.

    Attributes:
        teacher: what a card calls the teacher.
        read_target: whether the teacher read labels of the target corpus.
        texts: n posts.
        probabilities: per tag but language an array (n, labels).
        corpora: that the posts are of, where that is known.
    """

    teacher: str
    read_target: bool
    texts: list[str]
    probabilities: Mapping[str, Floats]
    corpora: tuple[str, ...] = ()

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
    from murmure.training.batches import draw

    free = np.flatnonzero((folds < 0) & ~corpora.validation)
    drawn = draw(
        corpora.corpus[free],
        posts=settings["posts"],
        temperature=settings["temperature"],
        weights=settings["weights"],
        seed=seed,
    )
    return np.unique(free[drawn])


class Teacher(Protocol):
    """Who is asked.

    Attributes:
        name: what a card calls it.
        fingerprint: another one for another teacher.
        read_target: whether it read labels of the target corpus.
    """

    name: str
    fingerprint: str
    read_target: bool

    def say(self, texts: Sequence[str]) -> Mapping[str, Floats]:
        """Give probabilities of the labels, per tag an array (texts, labels)."""


class ModelTeacher:
    """A model folder, which was trained on the target's posts."""

    read_target = True

    def __init__(self, name: str | Path) -> None:
        """Load the model, named as `Predictor.from_pretrained` takes it.

        Raises:
            ModelError: if it cannot be loaded.
        """
        self._predictor = Predictor.from_pretrained(name)
        self.name = f"`{self._predictor.name}`"
        self.fingerprint = self._predictor.fingerprint

    def say(self, texts: Sequence[str]) -> Mapping[str, Floats]:
        """Give the model's probabilities."""
        return self._predictor.predict_columns(texts).probabilities


class PhaseTeacher:
    """The weights that a training of `base` kept of one of its phases."""

    def __init__(self, weights: Path, configuration: Mapping[str, Any]) -> None:
        """Load the weights into the model that `[base]` describes.

        Raises:
            RunError: if they are of another model, or nothing tells what they were trained on.
            ConfigurationError: if there is no such encoder.
        """
        from murmure.training.phases import READ_TARGET, load_tagger, read_record
        from murmure.training.pretrained import open_tokenizer

        settings = configuration["base"]
        record = read_record(weights)
        if READ_TARGET not in record:
            raise RunError("does not tell what it was trained on", file=weights)
        self.read_target = record[READ_TARGET] != "no"
        phase = weights.resolve()
        self.name = f"`{phase.parent.stem}` as it was after the phase `{phase.stem}`"
        self.fingerprint = f"{record['identity']} {settings['prefix']} {settings['longest']}"
        self._tokenizer = open_tokenizer(settings["encoder"])
        self._tagger = load_tagger(configuration, weights)
        self._prefix, self._longest = settings["prefix"], settings["longest"]

    def say(self, texts: Sequence[str]) -> Mapping[str, Floats]:
        """Give the probabilities of the tags that have a head; of long posts their beginning's."""
        from murmure.training.batches import Posts
        from murmure.training.phases import logits_of

        posts = Posts(texts, {}, {}, self._tokenizer, self._prefix, self._longest)
        logits = logits_of(self._tagger, posts, np.arange(len(texts)))
        return {tag: softmax(table, axis=1) for tag, table in logits.items()}


def find_teacher(configuration: Mapping[str, Any]) -> Teacher | None:
    """Load the teacher that `fast.taught.teacher` names: a model, or a file of weights; or none.

    Raises:
        ModelError: if the model cannot be loaded.
        ConfigurationError: if there is no such file, or it lacks a head that is needed.
        RunError: if it holds no weights of such a model.
    """
    name = configuration["fast"]["taught"]["teacher"]
    if Path(name).suffix != ".safetensors":
        return ModelTeacher(name) if name else None
    if not Path(name).is_file():
        expected = (
            "a file, which `python train.py --model base` leaves beside its folder, "
            "or --set fast.taught.teacher='' for no teacher"
        )
        raise ConfigurationError("fast.taught.teacher", given=name, expected=expected)
    if not set(TEXT_TAGS) <= set(configuration["base"]["tags"]):
        given, expected = configuration["base"]["tags"], f"all of {', '.join(TEXT_TAGS)}"
        raise ConfigurationError("base.tags", given=given, expected=expected)
    return PhaseTeacher(Path(name), configuration)


def ask(teacher: Teacher, texts: Sequence[str], folder: Path) -> Lessons:
    """Ask a teacher about posts.

    What it said is kept as it comes, so that asking again after an interruption goes on.

    Args:
        teacher: who is asked.
        texts: the posts.
        folder: where `lessons.safetensors` is kept.

    Raises:
        RunError: if what is kept cannot be read or written.
    """
    digest = sha256()
    for text in texts:
        digest.update(sha256(text.encode("utf-8", "surrogatepass")).digest())
    identity = {"teacher": teacher.fingerprint, "texts": digest.hexdigest()}
    file = folder / LESSONS
    said = _kept(file, identity)
    start = len(said[TEXT_TAGS[0]])
    while start < len(texts):
        new = teacher.say(texts[start : start + _POSTS_AT_ONCE])
        said = {tag: np.concatenate([table, new[tag]]) for tag, table in said.items()}
        start = len(said[TEXT_TAGS[0]])
        _keep(file, said, identity)
        _log.info("the teacher read %d of %d posts", start, len(texts))
    return Lessons(teacher.name, teacher.read_target, list(texts), said)


def _kept(file: Path, identity: Mapping[str, str]) -> dict[str, Floats]:
    if file.exists():
        try:
            with safe_open(file, framework="numpy") as tensors:
                if tensors.metadata() == identity:
                    return {tag: tensors.get_tensor(tag) for tag in TEXT_TAGS}
        except (SafetensorError, OSError) as error:
            raise RunError(f"cannot be read ({error}); remove it to ask anew", file=file) from error
    return {tag: np.zeros((0, len(LABELS[tag])), np.float32) for tag in TEXT_TAGS}


def _keep(file: Path, said: Mapping[str, Floats], identity: Mapping[str, str]) -> None:
    unfinished = file.with_suffix(".unfinished")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(save(dict(said), metadata=dict(identity)))
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise RunError(f"cannot be written ({error}); make room", file=file) from error
    unfinished.replace(file)
