"""Tiny encoders with random weights, and whole model folders of them, in a second."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from murmure.schema import LABELS, TAGS

#: Posts of our own, in both languages, of many lengths.
POSTS = (
    "Commande jamais reçue, service client injoignable 😡",
    "I love my new Marelle, the coffee is great!",
    "Ma Brizelo fuit depuis deux jours et personne ne répond.",
    "",
    "ok",
    "@torvella where is my parcel? https://exemple.fr/suivi",
    "Le livreur a laissé le colis sous la pluie. Bravo la Torvella, vraiment bravo, je suis ravie.",
    "My sister had her machine replaced within a week; she says the shop was very kind about it.",
    "☕☕☕",
    "Découvrez la Marelle avec mon code MILA15 #ad",
)

_WORDS = [
    *("commande", "jamais", "reçue", "service", "client", "ma", "la", "le", "les", "my", "the"),
    *("coffee", "café", "machine", "colis", "parcel", "livreur", "love", "great", "ravie", "shop"),
    *("very", "deux", "jours", "week", "with", "avec", "code", "marelle", "brizelo", "torvella"),
    *("query", ":", "<", "/", ">", "s", "http", "@user", "#ad"),
]
_LETTERS = "abcdefghijklmnopqrstuvwxyzéèàçêùABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,;!?'#@:/-😡☕"


def make_posts(count: int, seed: int = 0) -> list[str]:
    """Random words of the tiny vocabulary, up to twenty a post."""
    import numpy as np

    random = np.random.default_rng(seed)
    words = [*_WORDS[:-8], "😡", "☕", "!", "Zut", "2024"]
    return [" ".join(random.choice(words, random.integers(1, 21))) for _ in range(count)]


def write_tokenizer(folder: Path) -> Path:
    """A `tokenizer.json` as XLM-R's, with a few words and all letters."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    pieces = dict.fromkeys([*(f"▁{word}" for word in _WORDS), *_WORDS, "▁", *_LETTERS])
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    scores = [*((piece, 0.0) for piece in special), *((p, -4.0 - len(p) % 3) for p in pieces)]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=3, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.add_special_tokens(special)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "tokenizer.json"
    tokenizer.save(str(file))
    return file


def make_tagger(
    tokenizer_file: Path,
    *,
    tags: Sequence[str] = TAGS,
    layers: int = 2,
    longest: int = 32,
    seed: int = 0,
    architecture: str = "bert",
) -> Any:
    """A random `Tagger`, 32 wide, whose heads tell posts apart."""
    import torch
    from tokenizers import Tokenizer

    from murmure.training.encoder import Tagger, TaggerConfiguration

    torch.manual_seed(seed)
    body = {
        "model_type": architecture,
        "vocab_size": Tokenizer.from_file(str(tokenizer_file)).get_vocab_size(),
        "hidden_size": 32,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "max_position_embeddings": longest + 8,
        "pad_token_id": 1,
        "initializer_range": 0.2,
    }
    tagger: Any = Tagger(TaggerConfiguration(body, tags=tags, longest=longest))
    for head in tagger.heads.values():
        torch.nn.init.normal_(head.weight, std=0.5)
        torch.nn.init.normal_(head.bias, std=0.5)
    return tagger.eval()


def identity_calibration() -> dict[str, dict[str, dict[str, list[float]]]]:
    """A calibration that leaves logits as they are."""
    return {
        tag: {
            language: {"scale": [1.0] * len(labels), "shift": [0.0] * len(labels)}
            for language in (("any",) if tag == "language" else ("any", "fr", "en"))
        }
        for tag, labels in LABELS.items()
    }


def write_encoder_folder(
    folder: Path,
    *,
    companion: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    **made: Any,
) -> Any:
    """Write a whole model folder of kind `encoder`.

    Args:
        folder: where.
        companion: the folder of a linear model to be put beside the encoder.
        settings: of the manifest, over the usual ones.
        made: as `make_tagger` takes it.

    Returns:
        The tagger that is in it.
    """
    from murmure.tagging.folder import write_manifest
    from murmure.training.export import export

    tokenizer_file = write_tokenizer(folder / "from")
    tagger = make_tagger(tokenizer_file, **made)
    told = export(tagger, tokenizer_file, folder, texts=[*POSTS, *make_posts(100)])
    told["companion"] = None
    if companion is not None:
        manifest = json.loads((companion / "manifest.json").read_text("utf-8"))
        (folder / "fast.safetensors").write_bytes((companion / "weights.safetensors").read_bytes())
        told["companion"] = {
            "file": "fast.safetensors",
            "settings": manifest["settings"],
            "calibration": manifest["calibration"],
        }
        told["mixture"] = {tag: [0.8, 0.4] for tag in TAGS[1:]}
    manifest = {
        "name": folder.name,
        "kind": "encoder",
        "settings": {**told, "overlap": 8, "windows": 3, **(settings or {})},
        "calibration": identity_calibration(),
        "thresholds": dict.fromkeys(TAGS, 0.4),
        "metrics": {},
        "training": {},
    }
    write_manifest(folder, manifest)
    return tagger
