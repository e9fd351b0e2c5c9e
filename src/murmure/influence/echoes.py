"""Echoes: posts that copy an earlier post of the run, word for word or nearly.

Two posts are copies where the Jaccard similarity of their sets of normalised 5-word shingles is
0.8 or more (Broder, 1997). Normalised means: lower case, links, handles and whatever is neither
letter nor digit dropped. A post of four words is a copy where it has the same four in the same
order ("Boycott Brizelo now! #BoycottBrizelo"): they are its one shingle. Posts of fewer words are
never compared ("merci !"), nor is what is written without spaces between words.

The search is exact, not a sketch: where two sets are that similar, the few smallest members of the
one (in any fixed order) and of the other have one in common, and the few and two more have three
(prefix filter: Chaudhuri, Ganti and Kaushik, 2006; Bayardo, Ma and Srikant, 2007; Wang, Li and
Feng, 2012). A first pass over hashes of all posts keeps those three of whose smallest members
other posts have among theirs; only they are compared, and of them only those that can still share
enough after the place of the first member they share (positional filter: Xiao, Wang, Lin and Yu,
2008).

MinHash with its bands would be the usual way, and libraries have it. It is not taken because it
answers otherwise from case to case: at a similarity of just 0.8 its bands miss some copies and at
0.7 propose many that are none, while counts must not depend on a draw of permutations, nor on how
posts were spread over runs or over a cluster.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import merge
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Flags = NDArray[np.bool_]
Roots = NDArray[np.int32]

Count = TypeVar("Count", int, Numbers)

#: One batch of words: the post of each word, and the word's hash. A post's words stand together,
#: in their order, in one batch.
Words = tuple[Numbers, Hashes]

#: Gives the words of all posts, or of those posts only whose numbers are given (sorted).
WordSource = Callable[[Numbers | None], Iterator[Words]]

SHINGLE_WORDS = 5

#: What SQL drops from a lower-case post before its words are compared (RE2 syntax).
DROPPED = r"^\s*rt\s+@[\p{L}\p{N}_.]+|https?://\S+|www\.\S+|@[\p{L}\p{N}_.]+|[^\p{L}\p{M}\p{N}]+"

# One odd number for each word of a shingle.
_MULTIPLIERS = np.array(
    [
        0x9E3779B97F4A7C15,
        0xC2B2AE3D27D4EB4F,
        0x165667B19E3779F9,
        0x27D4EB2F165667C5,
        0xD6E8FEB86659FD93,
    ],
    dtype=np.uint64,
)
_BLOCK = 1_000_000
_PIECE = 500_000  # words; fewer than 2 ** (64 - _TOKEN_BITS)
_TOKEN_BITS = 44
_SHARED = 3


@dataclass(frozen=True, slots=True)
class Echoes:
    """The echoes among some posts.

    Attributes:
        flags: whether each post copies another.
        families: which posts are copies of one another, the first among them, as a number from 1;
            0 for those that neither copy another nor are copied.
    """

    flags: Flags
    families: Roots


@dataclass(frozen=True, slots=True)
class _Sets:
    """The sets of shingles of some posts, one after the other in `tokens`, each sorted.

    Attributes:
        posts: the number of each post.
        digests: a hash of each post's words in their order.
        sizes: how many shingles each post has.
        tokens: the shingles.
    """

    posts: Numbers
    digests: Hashes
    sizes: Numbers
    tokens: Hashes


def find_copies(words: WordSource, ranks: Numbers) -> Roots:
    """Finds the posts that copy an earlier one.

    Args:
        words: gives the posts' words; asked twice.
        ranks: the place of each post in time, by the post's number; no two alike.

    Returns:
        The number of the post that each copies, by the post's number: its own where it copies
        none, and the first of a chain where it copies a copy. Of several that a near copy copies
        it is any one, always the same one for the same posts.
    """
    roots = np.arange(len(ranks), dtype=np.int32)
    suspects = _suspects(words, ranks, roots)
    if len(suspects):
        _compare(words, suspects, ranks, roots)
    # What is copied word for word may itself be a near copy.
    return roots[roots]


def _suspects(words: WordSource, ranks: Numbers, roots: Roots) -> Numbers:
    """Finds copies word for word; gives the posts that may be near copies, or have some."""
    posts, digests, needed, prefixes, owners = first_pass(words)
    order = np.lexsort((ranks[posts], digests))
    repeats = np.zeros(len(posts), dtype=np.bool_)
    repeats[1:] = digests[order[1:]] == digests[order[:-1]]
    del digests
    earliest = np.arange(len(posts), dtype=np.int32)
    earliest[repeats] = 0
    np.maximum.accumulate(earliest, out=earliest)
    roots[posts[order[repeats]]] = posts[order[earliest[repeats]]]
    again = np.zeros(len(posts), dtype=np.bool_)
    again[order[repeats]] = True
    del order, earliest, repeats
    # Only the earliest of equal posts goes on to be compared.
    kept = ~again[owners]
    prefixes, owners = prefixes[kept], owners[kept]
    del kept
    shared = np.bincount(owners[_occurs_twice(prefixes)], minlength=len(posts))
    suspects: Numbers = np.sort(posts[(shared >= needed) & ~again])
    return suspects


def first_pass(
    words: WordSource,
) -> tuple[Numbers, Hashes, Numbers, NDArray[np.uint32], NDArray[np.int32]]:
    """What the first pass keeps of all posts that are long enough.

    Returns:
        For each post its number, its digest, and how many members of its prefix a near copy
        shares; then all prefixes' members, and the place of the post that each belongs to.
    """
    posts, digests, needed, prefixes, owners = [], [], [], [], []
    seen = 0
    for batch in _pieces(words(None)):
        sets = _shingle(*batch)
        owner = np.repeat(np.arange(len(sets.sizes)), sets.sizes)
        place = np.arange(len(owner)) - np.repeat(np.cumsum(sets.sizes) - sets.sizes, sets.sizes)
        shared = np.minimum(_SHARED, _overlap(sets.sizes))
        keep = place < (_prefix_size(sets.sizes) + shared - 1)[owner]
        posts.append(sets.posts)
        digests.append(sets.digests)
        needed.append(shared)
        # Half of each hash will do here: it only takes some posts more for suspects.
        prefixes.append(sets.tokens[keep].astype(np.uint32))
        owners.append((owner[keep] + seen).astype(np.int32))
        seen += len(sets.posts)
    return (
        np.concatenate([np.zeros(0, np.int64), *posts]),
        np.concatenate([np.zeros(0, np.uint64), *digests]),
        np.concatenate([np.zeros(0, np.int64), *needed]),
        np.concatenate([np.zeros(0, np.uint32), *prefixes]),
        np.concatenate([np.zeros(0, np.int32), *owners]),
    )


def _shingle(posts: Numbers, hashes: Hashes) -> _Sets:
    """The sets of shingles of one batch of words, without the posts that have none."""
    span = SHINGLE_WORDS - 1
    whole = np.flatnonzero(posts[span:] == posts[: max(len(posts) - span, 0)])
    first = _starts(posts)
    one_short = first[_lengths(first, len(posts)) == span]
    whole = np.sort(np.concatenate([whole, one_short]))
    tokens = np.zeros(len(whole), dtype=np.uint64)
    for offset, multiplier in enumerate(_MULTIPLIERS[:span]):
        tokens += hashes[whole + offset] * multiplier
    zero = np.uint64(0)
    # The last word is missing where a post is one word short.
    complete = np.append(posts, -1)[whole + span] == posts[whole]
    tokens += np.where(complete, np.append(hashes, zero)[whole + span], zero) * _MULTIPLIERS[span]
    owner = posts[whole]
    starts = _starts(owner)
    long_posts = owner[starts]
    digests = _digest(posts, hashes, long_posts)
    # The set's place and its token in one number: sorting these is ten times faster than two keys.
    place = np.repeat(np.arange(len(starts), dtype=np.uint64), _lengths(starts, len(owner)))
    keys = (place << np.uint64(_TOKEN_BITS)) | (_mix(tokens) >> np.uint64(64 - _TOKEN_BITS))
    keys.sort()
    distinct = np.ones(len(keys), dtype=np.bool_)
    distinct[1:] = keys[1:] != keys[:-1]
    keys = keys[distinct]
    sizes = np.bincount((keys >> np.uint64(_TOKEN_BITS)).astype(np.int64), minlength=len(starts))
    tokens = keys & np.uint64(2**_TOKEN_BITS - 1)
    return _Sets(long_posts, digests, sizes.astype(np.int64), tokens)


def _pieces(batches: Iterator[Words]) -> Iterator[Words]:
    """The batches cut, between posts, into pieces that bound memory and the number of sets."""
    for posts, hashes in batches:
        if np.any(posts[1:] < posts[:-1]):
            order = np.argsort(posts, kind="stable")
            posts, hashes = posts[order], hashes[order]  # noqa: PLW2901
        first = 0
        while first < len(posts):
            last = min(first + _PIECE, len(posts))
            last = int(np.searchsorted(posts, posts[last - 1], "right"))
            yield posts[first:last], hashes[first:last]
            first = last


def _digest(posts: Numbers, hashes: Hashes, chosen: Numbers) -> Hashes:
    """A hash of the words of each chosen post; they count with their place, unlike in a set."""
    starts = _starts(posts)
    lengths = _lengths(starts, len(posts))
    place = np.arange(len(posts)) - np.repeat(starts, lengths)
    placed = _mix(hashes + place.astype(np.uint64) * _MULTIPLIERS[0])
    sums = np.add.reduceat(placed, starts) if len(starts) else placed
    digests: Hashes = sums[np.searchsorted(posts[starts], chosen)]
    return digests


def _lengths(starts: Numbers, end: int) -> Numbers:
    return np.diff(np.append(starts, end))


def _starts(owner: Numbers) -> Numbers:
    changed = np.ones(len(owner), dtype=np.bool_)
    changed[1:] = owner[1:] != owner[:-1]
    return np.flatnonzero(changed)


def _mix(values: Hashes) -> Hashes:
    """Spreads every bit over all others (the finaliser of MurmurHash3)."""
    values = (values ^ (values >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    values = (values ^ (values >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    mixed: Hashes = values ^ (values >> np.uint64(33))
    return mixed


def _overlap(size: Count) -> Count:
    """How many members a set of this size shares at least with one that is 0.8 similar."""
    return (4 * size + 4) // 5


def _prefix_size(size: Count) -> Count:
    """How many members, in a fixed order, are sure to hold one that such a set has there too."""
    return size - _overlap(size) + 1


def _occurs_twice(tokens: NDArray[np.uint32]) -> Flags:
    """Whether each token is there more than once."""
    ordered = np.sort(tokens)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    flags = np.zeros(len(tokens), dtype=np.bool_)
    if len(twice):
        for first in range(0, len(tokens), _BLOCK):  # in blocks, to bound memory
            block = tokens[first : first + _BLOCK]
            place = np.minimum(np.searchsorted(twice, block), len(twice) - 1)
            flags[first : first + _BLOCK] = twice[place] == block
    return flags


def _compare(words: WordSource, suspects: Numbers, ranks: Numbers, roots: Roots) -> None:
    """Tells in `roots` what the suspects copy that are near copies of an earlier suspect."""
    batches = [_shingle(*batch) for batch in _pieces(words(suspects))]
    posts = np.concatenate([batch.posts for batch in batches])
    sizes = np.concatenate([batch.sizes for batch in batches])
    tokens = np.concatenate([batch.tokens for batch in batches])
    first = np.cumsum(sizes) - sizes
    # Rare shingles first: what everybody quotes then makes nobody's prefix.
    _, code, frequency = np.unique(tokens, return_inverse=True, return_counts=True)
    rarity = np.empty(len(frequency), dtype=np.int64)
    rarity[np.argsort(frequency, kind="stable")] = np.arange(len(frequency))
    places = rarity[code]

    def members(number: int) -> list[int]:
        some: list[int] = places[first[number] : first[number] + sizes[number]].tolist()
        return some

    earliest_first = np.argsort(ranks[posts]).tolist()
    # Of each token, by where it stands in a post's members and how many these are, the turns of
    # the posts that hold it.
    holders: defaultdict[int, dict[tuple[int, int], list[int]]] = defaultdict(dict)
    for turn, number in enumerate(earliest_first):
        mine = sorted(members(number))
        prefix = mine[: _prefix_size(len(mine))]
        mine_set = set(mine)
        compared = set()
        for place, token in enumerate(prefix):
            # No more members are shared than come from the first shared one on: posts of one long
            # template are told apart without being looked at one by one.
            near = [
                turns
                for (other_place, size), turns in holders[token].items()
                if _alike(min(len(mine) - place, size - other_place), len(mine) + size)
            ]
            for other_turn in merge(*near):
                other = earliest_first[other_turn]
                if other in compared:
                    continue
                compared.add(other)
                shared = len(mine_set.intersection(members(other)))
                if _alike(shared, len(mine) + int(sizes[other])):
                    roots[posts[number]] = roots[posts[other]]
                    break
            else:
                continue
            break
        for place, token in enumerate(prefix):
            holders[token].setdefault((place, len(mine)), []).append(turn)


def _alike(shared: int, members: int) -> bool:
    # J >= 0.8 in whole numbers: 9 |A and B| >= 4 (|A| + |B|)
    return 9 * shared >= 4 * members
