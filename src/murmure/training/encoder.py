"""The encoder with a head per tag, as a Hugging Face model.

`import murmure.training.encoder` registers it, so that `AutoModel.from_pretrained(folder)` gives
it back; `push_to_hub`, `save_pretrained` and `from_pretrained` are those of every other model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.utils.generic import ModelOutput

from murmure.errors import ConfigurationError
from murmure.schema import LABELS, TAGS

#: What every text begins with; the shipped encoder was first trained so.
PREFIX = "query: "
# What configurations of transformers call the dropout of an encoder.
_DROPOUTS = (
    "hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout",
)  # fmt: skip


class TaggerConfiguration(PretrainedConfig):
    """What a tagger is made of.

    Attributes:
        encoder: the configuration of the body, as `AutoConfig` writes it.
        tags: which tags have a head, in the order of `schema.TAGS`.
        labels: the labels of each tag, in the order of its head's logits.
        prefix: what is put before every text.
        longest: how many tokens are read at once, prefix and special tokens included.
        dropout: of the pooled vector, while training.
    """

    model_type = "murmure"

    def __init__(
        self,
        encoder: Mapping[str, Any] | None = None,
        *,
        tags: Sequence[str] = TAGS,
        prefix: str = PREFIX,
        longest: int = 128,
        dropout: float = 0.1,
        **rest: Any,  # noqa: ANN401 - whatever transformers keeps in a configuration
    ) -> None:
        self.encoder = dict(encoder or {})
        self.tags = [tag for tag in TAGS if tag in tags]
        self.labels = {tag: list(LABELS[tag]) for tag in self.tags}
        self.prefix = prefix
        self.longest = longest
        self.dropout = dropout
        rest.pop("labels", None)
        super().__init__(**rest)


@dataclass
class TaggerOutput(ModelOutput):
    """What a tagger says of a batch.

    Attributes:
        logits: of shape (posts, all labels): the heads' logits side by side, in the order of the
            configuration's `tags`.
        pooled: of shape (posts, hidden size): the mean of the last layer over a post's tokens.
    """

    logits: torch.Tensor | None = None
    pooled: torch.Tensor | None = None


class Tagger(PreTrainedModel):
    """One shared encoder with a linear head per tag over the mean of its last layer."""

    config_class = TaggerConfiguration
    base_model_prefix = "encoder"

    def __init__(self, config: TaggerConfiguration) -> None:
        super().__init__(config)
        body = dict(config.encoder)
        if "model_type" not in body:
            raise ConfigurationError(
                "encoder", given=body, expected="a configuration that names its model_type"
            )
        self.encoder = AutoModel.from_config(AutoConfig.for_model(**body))
        _drop_pooler(self.encoder)
        self.dropout = nn.Dropout(config.dropout)
        hidden = self.encoder.config.hidden_size
        self.heads = nn.ModuleDict(
            {tag: nn.Linear(hidden, len(labels)) for tag, labels in config.labels.items()}
        )
        self.post_init()

    @classmethod
    def from_encoder(
        cls,
        encoder: str,
        *,
        tags: Sequence[str] = TAGS,
        layers: int | None = None,
        encoder_dropout: float = 0.0,
        **rest: Any,  # noqa: ANN401
    ) -> Tagger:
        """Put fresh heads on an encoder.

        Args:
            encoder: a local folder or a hub id, as `AutoModel.from_pretrained` takes it.
            tags: which tags get a head.
            layers: keep so many of its layers, the lowest; None keeps all. After Sajjad et al.,
                "On the effect of dropping layers of pre-trained transformer models" (2023).
            encoder_dropout: within the encoder, while training; drawing it takes a quarter of a
                step on a processor.
            rest: `prefix`, `longest` and `dropout` of `TaggerConfiguration`.

        Raises:
            ConfigurationError: if the encoder has fewer layers.
        """
        shape = AutoConfig.from_pretrained(encoder)
        for name in _DROPOUTS:
            if hasattr(shape, name):
                setattr(shape, name, encoder_dropout)
        body = AutoModel.from_pretrained(encoder, config=shape)
        if layers is not None:
            keep_layers(body, layers)
        configuration = TaggerConfiguration(body.config.to_dict(), tags=tags, **rest)
        tagger = cls(configuration)
        _drop_pooler(body)
        tagger.encoder.load_state_dict(body.state_dict())
        return tagger

    def forward(
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        inputs_embeds: torch.Tensor | None = None,
    ) -> TaggerOutput:
        """Read a batch.

        Args:
            input_ids: int64 of shape (posts, tokens).
            attention_mask: int64 of shape (posts, tokens); 0 where a post is padded.
            inputs_embeds: in place of `input_ids`, of shape (posts, tokens, hidden size).
        """
        given = {"input_ids": input_ids, "inputs_embeds": inputs_embeds}
        last = self.encoder(
            **{name: value for name, value in given.items() if value is not None},
            attention_mask=attention_mask,
        ).last_hidden_state
        pooled = mean_over_tokens(last, attention_mask)
        return TaggerOutput(logits=self.head(pooled), pooled=pooled)

    def head(self, pooled: torch.Tensor) -> torch.Tensor:
        """Give the logits of all heads, side by side."""
        dropped = self.dropout(pooled)
        return torch.cat([self.heads[tag](dropped) for tag in self.config.tags], dim=1)

    def split(self, logits: torch.Tensor) -> dict[str, torch.Tensor]:
        """Cut logits of all heads into those of each tag."""
        sizes = [len(self.config.labels[tag]) for tag in self.config.tags]
        return dict(zip(self.config.tags, logits.split(sizes, dim=1), strict=True))


def mean_over_tokens(last: torch.Tensor, attention_mask: torch.Tensor | None) -> torch.Tensor:
    """Give the mean of the tokens that are not padding: (posts, hidden size)."""
    if attention_mask is None:
        return last.mean(dim=1)
    mask = attention_mask.to(last.dtype).unsqueeze(-1)
    return (last * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)


def keep_layers(encoder: Any, layers: int) -> None:  # noqa: ANN401 - any encoder of transformers
    """Drop the upper layers of an encoder, in place.

    Raises:
        ConfigurationError: if it has no list of layers, or fewer.
    """
    inner = getattr(encoder, "encoder", None)
    stack = getattr(inner, "layer", None)
    if inner is None or not isinstance(stack, nn.ModuleList) or len(stack) < layers:
        had = len(stack) if isinstance(stack, nn.ModuleList) else "no list of layers"
        raise ConfigurationError(
            "base.layers", given=layers, expected=f"at most what the encoder has ({had})"
        )
    inner.layer = stack[:layers]
    encoder.config.num_hidden_layers = layers


def _drop_pooler(encoder: Any) -> None:  # noqa: ANN401 - any encoder of transformers
    # The pooled vector is the mean of the tokens; a pooler would be weights that nothing trains.
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None


AutoConfig.register(TaggerConfiguration.model_type, TaggerConfiguration, exist_ok=True)
AutoModel.register(TaggerConfiguration, Tagger, exist_ok=True)
