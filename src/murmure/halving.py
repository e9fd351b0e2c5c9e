"""Trying many things at once, so that one that fails costs itself alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def by_halves(
    attempt: Callable[[Sequence[Item]], Result], items: Sequence[Item]
) -> tuple[list[Result], list[tuple[int, Exception]]]:
    """Tries items together; where that fails, halves them until the one at fault stands alone.

    Args:
        attempt: gives one result for several items, or raises.
        items: one or more.

    Returns:
        what the attempts gave, in the items' order, and for each item that failed by itself its
        position and its error.

    Example:
        >>> by_halves(lambda texts: [1 / len(text) for text in texts], ["a", "", "bb"])
        ([[1.0], [0.5]], [(1, ZeroDivisionError('division by zero'))])
    """
    try:
        return [attempt(items)], []
    except Exception as error:
        if len(items) == 1:
            return [], [(0, error)]
    middle = len(items) // 2
    first, failed = by_halves(attempt, items[:middle])
    second, also = by_halves(attempt, items[middle:])
    return first + second, failed + [(middle + position, error) for position, error in also]
