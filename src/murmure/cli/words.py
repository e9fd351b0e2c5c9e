"""What several commands say in the same way."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """A number with its noun, which has an -s where there is not exactly one.

    Example:
        >>> counted(1, "part"), counted(0, "reject"), counted(2, "post")
        ('1 part', '0 rejects', '2 posts')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
