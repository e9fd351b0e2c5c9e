"""Probabilities that mean what they say.

Vector scaling after Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks"
(ICML 2017): each logit is scaled and shifted, then softmax; one fit a tag and language.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murmure.schema import LABELS, TAGS

#: Which fit serves texts in neither French nor English.
ANY_LANGUAGE = "any"
_FITTED_LANGUAGES = ("fr", "en")

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


def softmax(logits: Floats) -> Floats:
    """Turn logits (n, labels) into probabilities, row by row."""
    exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True), np.float32)


@dataclass(frozen=True, slots=True)
class VectorScaling:
    """One fit: `softmax(scale * logits + shift)`.

    Attributes:
        scale: of shape (labels,).
        shift: of shape (labels,).
    """

    scale: tuple[float, ...]
    shift: tuple[float, ...]

    def __call__(self, logits: Floats) -> Floats:
        """Calibrate logits of shape (n, labels)."""
        return softmax(logits * np.array(self.scale, np.float32) + np.array(self.shift, np.float32))


@dataclass(frozen=True, slots=True)
class Calibration:
    """The fits of all tags and languages.

    Attributes:
        fits: by tag, then by language (`fr`, `en`, `any`); the language tag has `any` alone.
        disclosed: the least probability of `sponsored` where the rules found a disclosure.
    """

    fits: Mapping[str, Mapping[str, VectorScaling]]
    disclosed: float = 0.0

    def __call__(
        self, logits: Mapping[str, Floats], *, disclosed: Mask | None = None
    ) -> dict[str, Floats]:
        """Calibrate the logits of all tags.

        The probability that no experience is reported is the mean of what `experience` and
        `touchpoint` say, and the same in both.

        Args:
            logits: per tag an array (n, labels).
            disclosed: whether the rules found a disclosure in each post; nowhere if None.
        """
        language = self.fits["language"][ANY_LANGUAGE](logits["language"])
        spoken = np.argmax(language, axis=1)
        calibrated = {"language": language}
        for tag in TAGS[1:]:
            fits = self.fits[tag]
            calibrated[tag] = fits[ANY_LANGUAGE](logits[tag])
            for name in _FITTED_LANGUAGES:
                rows = spoken == LABELS["language"].index(name)
                if rows.any():
                    calibrated[tag][rows] = fits[name](logits[tag][rows])
        if disclosed is not None:
            _believe(calibrated["sponsored"], disclosed, self.disclosed)
        return agree(calibrated)

    def to_json(self) -> dict[str, Any]:
        """Give what a manifest holds."""
        fits = {
            tag: {
                language: {"scale": list(fit.scale), "shift": list(fit.shift)}
                for language, fit in fits.items()
            }
            for tag, fits in self.fits.items()
        }
        return {**fits, "disclosed": self.disclosed}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Calibration:
        """Read what a manifest holds.

        Raises:
            KeyError, TypeError, ValueError: if a fit is missing or is none.
        """
        fits = {}
        for tag in TAGS:
            languages = (ANY_LANGUAGE,) if tag == "language" else (ANY_LANGUAGE, *_FITTED_LANGUAGES)
            fits[tag] = {
                language: VectorScaling(
                    _numbers(content[tag][language]["scale"], tag),
                    _numbers(content[tag][language]["shift"], tag),
                )
                for language in languages
            }
        disclosed = content.get("disclosed", 0.0)
        if not 0 <= disclosed <= 1:
            raise ValueError(f"disclosed: expected a probability, but was given {disclosed!r}")
        return cls(fits, float(disclosed))


def _numbers(given: Sequence[float], tag: str) -> tuple[float, ...]:
    """A number for each label of a tag, as the manifest lists them."""
    largest = float(np.finfo(np.float32).max)
    # What is no number at all cannot be compared, and NaN is within no bounds.
    if len(given) != len(LABELS[tag]) or not all(abs(one) <= largest for one in given):
        raise ValueError(f"{tag}: expected {len(LABELS[tag])} numbers, but was given {given!r}")
    return tuple(given)


def _believe(sponsored: Floats, disclosed: Mask, least: float) -> None:
    """Let no model talk a disclosure away."""
    yes, no = LABELS["sponsored"].index("yes"), LABELS["sponsored"].index("no")
    rows = disclosed & (sponsored[:, yes] < least)
    sponsored[rows, yes], sponsored[rows, no] = least, 1 - least


def agree(probabilities: dict[str, Floats]) -> dict[str, Floats]:
    """Make experience and touchpoint say the same of whether an experience is reported."""
    experience, touchpoint = probabilities["experience"], probabilities["touchpoint"]
    none = (experience[:, -1:] + touchpoint[:, -1:]) * np.float32(0.5)
    return {
        **probabilities,
        "experience": _with_last(experience, none),
        "touchpoint": _with_last(touchpoint, none),
    }


def _with_last(table: Floats, last: Floats) -> Floats:
    others = table[:, :-1]
    total = others.sum(axis=1, keepdims=True)
    # Where the model was so sure of the last label that nothing is left, the others share evenly.
    even = np.float32(1 / others.shape[1])
    least = np.finfo(np.float32).tiny
    shares = np.where(total >= least, others / np.maximum(total, least), even)
    return np.concatenate([shares * (1 - last), last], axis=1)
