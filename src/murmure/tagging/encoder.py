"""The encoder: a transformer with a head a tag, run by ONNX Runtime; tagging needs no torch.

A post longer than the model reads at once is read in overlapping windows, whose logits are
averaged by their number of tokens. Beside the encoder a folder may hold a companion, a linear
model: it alone says the language, and its view of the other tags is mixed into the encoder's.

What it cannot do: it reads the first few thousand characters of a text, in at most so many windows.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from murmure.disclosure import Disclosure, where_found
from murmure.errors import ModelError
from murmure.schema import LABELS, TAGS
from murmure.tagging.calibration import Calibration
from murmure.tagging.folder import MANIFEST, OWN_FILES, ModelFolder
from murmure.tagging.linear import LinearModel
from murmure.text import encoder_texts

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

MODEL, TOKENIZER = OWN_FILES["encoder"]
#: What an encoder reads of a post at most, in characters; its windows may reach less far.
READS = 20_000
#: How many windows of one post are read.
WINDOWS = 8
#: How many tokens two neighbouring windows share.
OVERLAP = 24
#: How many tokens, padding included, the model is given at once.
TOKENS_AT_ONCE = 512

# Sorting by length pays among so many posts; more at once would only take memory.
_POSTS_AT_ONCE = 4096
#: Lower probabilities of a companion are taken for this one.
LEAST_PROBABILITY = np.float32(1e-7)
_INSTALL = "pip install onnxruntime tokenizers"

Floats = NDArray[np.float32]
Tokens = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Windows:
    """What the model reads of posts: each of them in one window or more.

    Attributes:
        tokens: of each window, special tokens and prefix included.
        posts: of each window the post that it belongs to, in order.
        weights: of each window, the tokens of the post in it; at least 1.
        truncated: of each post, whether it is longer than its windows.
    """

    tokens: list[list[int]]
    posts: NDArray[np.intp]
    weights: Floats
    truncated: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns texts into windows of tokens.

    Attributes:
        tokenizer: without truncation or padding.
        before: the tokens that every window begins with: the special one and the prefix's.
        after: those that it ends with.
        longest: how many tokens a window holds at most.
        windows: how many a post has at most.
        overlap: how many tokens two neighbouring ones share.
    """

    tokenizer: Tokenizer
    before: list[int]
    after: list[int]
    longest: int
    windows: int = WINDOWS
    overlap: int = OVERLAP

    @classmethod
    def make(
        cls, tokenizer: Tokenizer, *, prefix: str, longest: int, windows: int, overlap: int
    ) -> Reader:
        """Find out what the tokenizer puts around a text.

        Raises:
            ValueError: if that leaves no room for a text.
        """
        tokenizer.no_truncation()
        tokenizer.no_padding()
        plain = tokenizer.encode(prefix.rstrip(), add_special_tokens=False).ids
        whole = tokenizer.encode(prefix.rstrip()).ids
        start = next(
            (at for at in range(len(whole)) if whole[at : at + len(plain)] == plain), len(whole)
        )
        if not plain:
            # An empty text has all its special tokens; the last one ends it.
            start = max(len(whole) - 1, 0)
        before, after = whole[: start + len(plain)], whole[start + len(plain) :]
        room = longest - len(before) - len(after)
        if room <= overlap or overlap < 0 or windows < 1:
            message = f"windows of {longest} tokens leave room for {room}, {overlap} of them shared"
            raise ValueError(message)
        return cls(tokenizer, before, after, longest, windows, overlap)

    def read(self, texts: Sequence[str]) -> Windows:
        """Cut texts, as `encoder_texts` gives them, into windows."""
        encoded = self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        room = self.longest - len(self.before) - len(self.after)
        step = room - self.overlap
        tokens, posts, weights = [], [], []
        truncated = np.zeros(len(texts), bool)
        for post, encoding in enumerate(encoded):
            ids = encoding.ids
            # One window, and one more for every step that is begun beyond it.
            needed = 1 + max(0, -(-(len(ids) - room) // step))
            truncated[post] = needed > self.windows
            for start in range(0, min(needed, self.windows) * step, step):
                part = ids[start : start + room]
                tokens.append([*self.before, *part, *self.after])
                posts.append(post)
                weights.append(max(len(part), 1))
        return Windows(tokens, np.array(posts, np.intp), np.array(weights, np.float32), truncated)


@dataclass(frozen=True, slots=True)
class EncoderModel:
    """The encoder, ready to predict.

    Attributes:
        session: gives the logits of all heads side by side.
        reader: what made its tokens.
        tags: whose heads these are, in order.
        calibration: turns logits into probabilities.
        companion: a linear model that reads beside the encoder, if there is one.
        mixture: per tag what the encoder's logits weigh, and the logarithms of the companion's
            probabilities.
        tokens_at_once: how many tokens, padding included, make a batch.
        reads: how many characters of a post are looked at.
    """

    session: InferenceSession
    reader: Reader
    tags: tuple[str, ...]
    calibration: Calibration
    companion: LinearModel | None = None
    mixture: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    tokens_at_once: int = TOKENS_AT_ONCE
    reads: int = READS

    @classmethod
    def load(cls, folder: ModelFolder, *, threads: int | None = None) -> EncoderModel:
        """Read a model folder.

        Args:
            folder: of kind `encoder`.
            threads: how many the model runs on; None for as many as `OMP_NUM_THREADS` says, or
                one a core.

        Raises:
            ModelError: if a file is not what it should be, or ONNX Runtime is not installed.
        """
        settings, manifest = folder.settings, folder.path / MANIFEST
        tokenizer = _open_tokenizer(folder.path / TOKENIZER)
        try:
            reader = Reader.make(
                tokenizer,
                prefix=str(settings["prefix"]),
                longest=int(settings["longest"]),
                windows=int(settings.get("windows", WINDOWS)),
                overlap=int(settings.get("overlap", OVERLAP)),
            )
            tags = tuple(map(str, settings["tags"]))
            mixture = {
                str(tag): (float(own), float(other))
                for tag, (own, other) in settings.get("mixture", {}).items()
            }
            companion = _open_companion(folder)
            model = cls(
                session=_open_session(folder.path / MODEL, threads or _threads()),
                reader=reader,
                tags=tags,
                calibration=Calibration.from_json(folder.calibration),
                companion=companion,
                mixture=mixture,
                tokens_at_once=int(settings.get("tokens_at_once", TOKENS_AT_ONCE)),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            message = f"does not tell all of an encoder ({error}); fetch the model again"
            raise ModelError(message, file=manifest) from error
        model._check(folder)
        return model

    def _check(self, folder: ModelFolder) -> None:
        """Try the model on the longest window that it must be able to read."""
        unknown = [tag for tag in self.tags if tag not in TAGS]
        spoken = self.tags if self.companion is None else TAGS
        lacking = [tag for tag in TAGS if tag not in spoken]
        if unknown or lacking:
            what = f"has a head for {unknown[0]}" if unknown else f"has no head for {lacking[0]}"
            raise ModelError(f"{what}; train it again", file=folder.path / MANIFEST)
        last = self.reader.tokenizer.get_vocab_size() - 1
        try:
            logits = self._run([[last] * self.reader.longest])
            width = sum(len(LABELS[tag]) for tag in self.tags)
            fits = logits.shape == (1, width) and bool(np.isfinite(logits).all())
        except Exception as error:
            message = f"cannot read tokens of {TOKENIZER} ({_first_line(error)})"
            raise ModelError(
                f"{message}; fetch the model again", file=folder.path / MODEL
            ) from error
        if not fits:
            message = f"gives {logits.shape[-1]} logits where the manifest's tags have {width}"
            if logits.shape == (1, width):
                message = "gives logits that are no numbers"
            raise ModelError(f"{message}; fetch the model again", file=folder.path / MODEL)

    def predict(
        self, texts: Sequence[str], disclosures: Sequence[Sequence[Disclosure]]
    ) -> dict[str, Floats]:
        """Give calibrated probabilities.

        Args:
            texts: raw posts, n of them.
            disclosures: of each post, by the rules; for the companion.

        Returns:
            Per tag an array (n, labels).
        """
        return self.read(texts, disclosures)[0]

    def read(
        self, texts: Sequence[str], disclosures: Sequence[Sequence[Disclosure]]
    ) -> tuple[dict[str, Floats], NDArray[np.bool_]]:
        """Give calibrated probabilities, and which posts are longer than was read of them."""
        logits, truncated = self._read(texts, disclosures)
        return self.calibration(logits, disclosed=where_found(disclosures)), truncated

    def logits(
        self, texts: Sequence[str], disclosures: Sequence[Sequence[Disclosure]]
    ) -> dict[str, Floats]:
        """Give what encoder and companion say together: per tag an array (n, labels)."""
        return self._read(texts, disclosures)[0]

    def encoder_logits(self, texts: Sequence[str]) -> dict[str, Floats]:
        """Give what the encoder alone says: per tag with a head an array (n, labels)."""
        return self._encode(texts)[0]

    def _read(
        self, texts: Sequence[str], disclosures: Sequence[Sequence[Disclosure]]
    ) -> tuple[dict[str, Floats], NDArray[np.bool_]]:
        encoded, truncated = self._encode(texts)
        if self.companion is None:
            return {tag: encoded[tag] for tag in TAGS}, truncated
        said = self.companion.predict(texts, disclosures)
        return {tag: self._mix(tag, encoded.get(tag), said[tag]) for tag in TAGS}, truncated

    def _mix(self, tag: str, encoded: Floats | None, said: Floats) -> Floats:
        said = np.log(np.maximum(said, LEAST_PROBABILITY))
        if encoded is None or tag == "language":
            return said
        own, other = map(np.float32, self.mixture.get(tag, (1.0, 0.0)))
        return np.asarray(own * encoded + other * said, np.float32)

    def _encode(self, texts: Sequence[str]) -> tuple[dict[str, Floats], NDArray[np.bool_]]:
        width = sum(len(LABELS[tag]) for tag in self.tags)
        table = np.zeros((len(texts), width), np.float32)
        truncated = np.array([len(text) > self.reads for text in texts], bool)
        for start in range(0, len(texts), _POSTS_AT_ONCE):
            rows = slice(start, start + _POSTS_AT_ONCE)
            cut = [text[: self.reads] for text in texts[rows]]
            windows = self.reader.read(encoder_texts(cut))
            truncated[rows] |= windows.truncated
            table[rows] = _pool(self._run_all(windows.tokens, width), windows, len(cut))
        ends = np.cumsum([len(LABELS[tag]) for tag in self.tags])[:-1]
        return dict(zip(self.tags, np.split(table, ends, axis=1), strict=True)), truncated

    def _run_all(self, windows: Sequence[list[int]], width: int) -> Floats:
        logits = np.zeros((len(windows), width), np.float32)
        for rows in _batches([len(tokens) for tokens in windows], self.tokens_at_once):
            logits[rows] = self._run([windows[row] for row in rows])
        return logits

    def _run(self, windows: Sequence[list[int]]) -> Floats:
        lengths = np.array([len(tokens) for tokens in windows])
        mask = np.arange(lengths.max()) < lengths[:, None]
        tokens = np.zeros(mask.shape, np.int64)
        tokens[mask] = np.concatenate([np.array(tokens, np.int64) for tokens in windows])
        given = {"input_ids": tokens, "attention_mask": mask.astype(np.int64)}
        return np.asarray(self.session.run(["logits"], given)[0], np.float32)


def _pool(logits: Floats, windows: Windows, count: int) -> Floats:
    """Average the logits of each post's windows, weighted by tokens."""
    if len(logits) == count:
        return logits
    starts = np.searchsorted(windows.posts, np.arange(count))
    weights = windows.weights[:, None]
    total = np.add.reduceat(logits * weights, starts, axis=0)
    return np.asarray(total / np.add.reduceat(weights, starts, axis=0), np.float32)


def _batches(lengths: Sequence[int], tokens_at_once: int) -> Iterator[NDArray[np.intp]]:
    """Put windows of like length together, the longest first, so that little is padding."""
    order = np.argsort(-np.asarray(lengths), kind="stable")
    start = 0
    while start < len(order):
        count = max(1, tokens_at_once // lengths[order[start]])
        yield order[start : start + count]
        start += count


def _threads() -> int:
    """As many as the environment says, as for every other library, or one a core."""
    given = os.environ.get("OMP_NUM_THREADS", "")
    if given.isdecimal() and int(given) > 0:
        return int(given)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _open_tokenizer(file: Path) -> Tokenizer:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise ModelError(
            f"needs the library tokenizers; install it: {_INSTALL}", file=file
        ) from error
    try:
        return Tokenizer.from_file(str(file))
    except Exception as error:
        message = f"does not hold a tokenizer ({_first_line(error)}); fetch the model again"
        raise ModelError(message, file=file) from error


def _open_session(file: Path, threads: int) -> InferenceSession:
    try:
        import onnxruntime
    except ImportError as error:
        raise ModelError(
            f"needs the library onnxruntime; install it: {_INSTALL}", file=file
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # The graph was written as it is to run; fusing it further makes it slower, and loading too.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = onnxruntime.InferenceSession(
            str(file), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:
        message = f"does not hold a model ({_first_line(error)}); fetch the model again"
        raise ModelError(message, file=file) from error
    inputs = {given.name for given in session.get_inputs()}
    outputs = {given.name for given in session.get_outputs()}
    if inputs != {"input_ids", "attention_mask"} or "logits" not in outputs:
        message = "does not turn input_ids and attention_mask into logits; train it again"
        raise ModelError(message, file=file)
    return session


def _open_companion(folder: ModelFolder) -> LinearModel | None:
    given: Mapping[str, Any] | None = folder.settings.get("companion")
    if given is None:
        return None
    name = str(given["file"])
    if name not in folder.manifest["files"]:
        raise ModelError(
            "lacks the companion's file; fetch the model again", file=folder.path / name
        )
    return LinearModel.from_file(
        folder.path / name,
        settings=given["settings"],
        calibration=Calibration.from_json(given["calibration"]),
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
