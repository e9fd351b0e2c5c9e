"""Posts to measure with: those of a folder of corpora, or the sample's cut and spliced."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

_SEED = 20261122
#: Attempts at a new post before the texts are taken to give no more.
_ATTEMPTS = 1000


def read_corpora(folder: Path) -> list[str]:
    """The distinct texts of all `*/train.parquet` in a folder, shuffled.

    Raises:
        FileNotFoundError: there is none.
    """
    import pyarrow.parquet as pq

    files = sorted(folder.glob("*/train.parquet"))
    if not files:
        raise FileNotFoundError(f"{folder}: holds no */train.parquet")
    texts: dict[str, None] = {}
    for file in files:
        texts |= dict.fromkeys(pq.read_table(file, columns=["text"])["text"].to_pylist())
    posts = [text for text in texts if text and not text.isspace()]
    random.Random(_SEED).shuffle(posts)
    return posts


def read_jsonl(file: Path) -> list[str]:
    """The texts of a file of JSON lines."""
    with file.open(encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines]


def make_posts(texts: Sequence[str], count: int) -> list[str]:
    """Distinct posts of real lengths: the texts, then pieces of two of them put together.

    A spliced post has the length of some text, the beginning of a second and the end of a third,
    each cut between words. The same texts give the same posts.

    Raises:
        ValueError: so few and short texts give no more distinct posts.

    Example:
        >>> make_posts(["un bon café", "trois tasses par jour"], 3)[:2]
        ['un bon café', 'trois tasses par jour']
        >>> make_posts(["un"], 2)
        Traceback (most recent call last):
            ...
        ValueError: 1 texts give 1 distinct posts, fewer than 2
    """
    posts = dict.fromkeys(texts[:count])
    chance = random.Random(_SEED)
    failed = 0
    while len(posts) < count:
        before = len(posts)
        like, head, tail = (chance.choice(texts) for _ in range(3))
        posts[splice(like, head, tail, chance.random())] = None
        failed = 0 if len(posts) > before else failed + 1
        if failed == _ATTEMPTS:
            message = f"{len(texts)} texts give {before} distinct posts, fewer than {count}"
            raise ValueError(message)
    return list(posts)


def splice(like: str, head: str, tail: str, share: float) -> str:
    """As long as `like`: a share of it one text's beginning, the rest another's end."""
    cut = int(len(like) * share)
    first = head[:cut].rpartition(" ")[0] if cut < len(head) else head
    room = max(len(like) - len(first) - 1, 0)
    last = tail[max(len(tail) - room, 0) :]
    if room < len(tail):
        last = last.partition(" ")[2]
    return f"{first} {last}".strip() or like
