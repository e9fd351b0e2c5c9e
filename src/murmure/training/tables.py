"""Tables and figures of a model card, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable


def table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Write a table.

    Example:
        >>> print(table(["tag", "F1"], [["sentiment", "0.800"]]))
        | tag | F1 |
        | --- | --- |
        | sentiment | 0.800 |
    """
    head = list(header)
    lines = [head, ["---"] * len(head), *[[_cell(cell) for cell in row] for row in rows]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(content: object) -> str:
    return str(content).replace("|", "\\|").replace("\n", " ")


def score(value: float | None) -> str:
    """Write a score to three digits."""
    return "–" if value is None else f"{value:.3f}"


def between(bounds: Iterable[float]) -> str:
    """Write an interval of scores.

    Example:
        >>> between([0.7, 0.75])
        '0.700–0.750'
    """
    return "–".join(f"{bound:.3f}" for bound in bounds)


def difference(value: float, bounds: Iterable[float]) -> str:
    """Write a difference with its interval.

    Example:
        >>> difference(0.02, [-0.01, 0.05])
        '+0.020 (−0.010 to +0.050)'
    """
    low, high = (_signed(bound) for bound in bounds)
    return f"{_signed(value)} ({low} to {high})"


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")
