"""The colours of the page: told apart by everybody, legible in light and dark."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

Colour = NDArray[np.float64]

#: Machado, Oliveira and Fernandes (2009), "A physiologically-based model for simulation of color
#: vision deficiency", at full severity, over linear RGB.
VISIONS = {
    "all colours": np.eye(3),
    "no red": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                        [-0.003882, -0.048116, 1.051998]]),
    "no green": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                          [-0.011820, 0.042940, 0.968881]]),
    "no blue": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                         [0.004733, 0.691367, 0.303900]]),
}  # fmt: skip


def schemes() -> dict[str, dict[str, Colour]]:
    """The colours of the light and the dark scheme, as linear RGB."""
    style = (files("murmure.report") / "page.css").read_text(encoding="utf-8")
    light, dark = style.split("prefers-color-scheme: dark", 1)
    found = {}
    for name, text in (("light", light), ("dark", dark.split("* {", 1)[0])):
        pairs = re.findall(r"--(\w[\w-]*): (#[0-9a-f]{6})", text)
        found[name] = {key: linear(value) for key, value in pairs}
    return found


def linear(code: str) -> Colour:
    levels = np.array([int(code[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)


def lab(colour: Colour) -> Colour:
    """CIE L*a*b* under D65."""
    matrix = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    x, y, z = matrix @ np.clip(colour, 0, 1) / np.array([0.9505, 1.0, 1.089])
    roots = [t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z)]
    return np.array([116 * roots[1] - 16, 500 * (roots[0] - roots[1]), 200 * (roots[1] - roots[2])])


def contrast(one: Colour, other: Colour) -> float:
    """The contrast ratio of WCAG 2."""
    weights = np.array([0.2126, 0.7152, 0.0722])
    dim, bright = sorted(float(weights @ colour) for colour in (one, other))
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("vision", VISIONS)
def test_colours_that_stand_side_by_side_differ_for_every_vision(scheme: str, vision: str) -> None:
    colours = schemes()[scheme]
    # Good and bad, and organic and sponsored, are told apart within one drawing.
    for one, other in (("positive", "negative"), ("organic", "sponsored")):
        seen = [lab(VISIONS[vision] @ colours[name]) for name in (one, other)]
        assert np.linalg.norm(seen[0] - seen[1]) > 20, (one, other)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_and_marks_stand_out_from_the_paper(scheme: str) -> None:
    colours = schemes()[scheme]
    for name in ("ink", "soft", "link"):
        assert min(contrast(colours[name], colours[on]) for on in ("paper", "wash")) >= 4.5, name
    for name in ("organic", "sponsored", "positive", "negative", "neutral"):
        assert contrast(colours[name], colours["paper"]) >= 3, name
    assert contrast(colours["ink"], colours["marked"]) >= 4.5
    assert len(list(combinations(colours, 2))) > 100  # the style was read
