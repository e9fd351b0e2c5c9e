"""Tagging a stream of posts in memory: in order, one value a post, whatever some of them hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, TypeVar

from murmure.errors import UsageError
from murmure.halving import by_halves
from murmure.schema import Tags

Item = TypeVar("Item")
#: What becomes of a post that cannot be tagged.
Errors = Literal["raise", "return"]


def pipe(
    predict: Callable[[Sequence[Item]], list[Tags]],
    posts: Iterable[Item],
    *,
    batch_size: int,
    errors: Errors,
) -> Iterator[Tags | Exception]:
    """Tags a stream, so many posts at a time.

    Where a batch fails, its posts are tried by halves until those at fault stand alone. Where
    `posts` itself fails, what it gave before is tagged first.

    Args:
        predict: tags posts.
        posts: as many as there are.
        batch_size: how many are held in memory.
        errors: `"raise"` ends with the first error, after all posts before it; `"return"` gives
            the error in the place of the tags.

    Yields:
        for each post its tags, or its error.

    Raises:
        UsageError: `batch_size` below 1, or another word for `errors`.

    Example:
        >>> def fail(posts):
        ...     raise ValueError("poison")
        >>> list(pipe(fail, ["a", "b"], batch_size=2, errors="return"))
        [ValueError('poison'), ValueError('poison')]
    """
    if batch_size < 1:
        raise UsageError(f"batch_size: expected 1 or more, but was given {batch_size}")
    if errors not in ("raise", "return"):
        raise UsageError(f"errors: expected 'raise' or 'return', but was given {errors!r}")
    return _values(predict, iter(posts), batch_size, errors)


def _values(
    predict: Callable[[Sequence[Item]], list[Tags]],
    stream: Iterator[Item],
    batch_size: int,
    errors: Errors,
) -> Iterator[Tags | Exception]:
    ended = False
    while not ended:
        batch: list[Item] = []
        fault: Exception | None = None
        try:
            while len(batch) < batch_size:
                batch.append(next(stream))
        except StopIteration:
            ended = True
        except Exception as error:
            ended, fault = True, error
        for value in _in_place(predict, batch):
            if isinstance(value, Exception) and errors == "raise":
                raise value
            yield value
        if fault is not None:
            raise fault


def _in_place(
    predict: Callable[[Sequence[Item]], list[Tags]], batch: Sequence[Item]
) -> Iterator[Tags | Exception]:
    if not batch:
        return
    found, failed = by_halves(predict, batch)
    tagged = (tags for some in found for tags in some)
    reasons = dict(failed)
    for position in range(len(batch)):
        yield reasons[position] if position in reasons else next(tagged)
