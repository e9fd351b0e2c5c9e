"""A tiny tagger and a tokenizer for it, for tests that train."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, PreTrainedTokenizerFast

from murmure.schema import LABELS
from murmure.training.batches import Posts
from murmure.training.encoder import Tagger, TaggerConfiguration

TAGS = ("sentiment", "sponsored")
#: Texts whose sentiment is told by one word, so that a tagger can learn it.
TEXTS = [
    f"{word} machine {number}" for number in range(40) for word in ("awful", "plain", "lovely")
]


def make_tokenizer(texts: Iterable[str] = TEXTS) -> PreTrainedTokenizerFast:
    """Make a tokenizer of whole words."""
    words = sorted({word for text in texts for word in text.split()})
    vocabulary = {piece: at for at, piece in enumerate(["<s>", "<pad>", "</s>", "<unk>", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unk>",
    )


def make_tagger(*, tags: Sequence[str] = TAGS, words: int = 64, layers: int = 2) -> Tagger:
    """Make a tagger with random weights, the same each time."""
    import torch

    torch.manual_seed(0)
    body = BertConfig(
        vocab_size=words,
        hidden_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=32,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return Tagger(TaggerConfiguration(body.to_dict(), tags=tags, prefix="", longest=16))


def make_posts(texts: Sequence[str] = TEXTS, **labels: Any) -> Posts:
    """Make posts; without labels, `TEXTS` and their sentiment."""
    if not labels:
        labels = {"sentiment": np.arange(len(texts)) % 3}
    count = len(texts)
    codes = {tag: np.asarray(labels.get(tag, np.full(count, -1)), np.int8) for tag in TAGS}
    weights = {tag: (code >= 0).astype(np.float32) for tag, code in codes.items()}
    assert all(code.max() < len(LABELS[tag]) for tag, code in codes.items())
    return Posts(list(texts), codes, weights, make_tokenizer(texts), "", 16)
