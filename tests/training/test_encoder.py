"""The torch model: one body, a head per tag, and what transformers expects of a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, BertConfig, BertModel, DistilBertConfig, DistilBertModel

from murmure.errors import ConfigurationError
from murmure.schema import LABELS
from murmure.training.encoder import Tagger, TaggerConfiguration, mean_over_tokens
from tests.training.tiny import TAGS, make_posts, make_tagger


def write_encoder(folder: Path) -> Path:
    body = BertConfig(
        vocab_size=64,
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
    )
    BertModel(body).save_pretrained(folder)
    return folder


def test_logits_stand_side_by_side_in_the_order_of_the_schema() -> None:
    tagger = make_tagger(tags=("sponsored", "sentiment")).eval()
    ids, mask = make_posts().read(np.arange(3))
    output = tagger(ids, mask)
    assert output.logits.shape == (3, 5)
    assert output.pooled.shape == (3, 16)
    parts = tagger.split(output.logits)
    assert list(parts) == ["sentiment", "sponsored"]
    assert [part.shape[1] for part in parts.values()] == [len(LABELS[tag]) for tag in parts]


def test_padding_changes_nothing() -> None:
    tagger, posts = make_tagger().eval(), make_posts(["awful machine", "lovely"], sentiment=[0, 2])
    together = tagger(*posts.read(np.array([0, 1]))).logits[1]
    alone = tagger(*posts.read(np.array([1]))).logits[0]
    assert torch.allclose(together, alone, atol=1e-5)


def test_automodel_loads_what_was_saved(tmp_path: Path) -> None:
    tagger = make_tagger().eval()
    tagger.save_pretrained(tmp_path)
    loaded = AutoModel.from_pretrained(tmp_path).eval()
    assert type(loaded) is Tagger
    assert loaded.config.tags == list(TAGS)
    ids, mask = make_posts().read(np.arange(4))
    assert torch.equal(loaded(ids, mask).logits, tagger(ids, mask).logits)
    assert hasattr(loaded, "push_to_hub")


def test_heads_are_put_on_the_lowest_layers_of_an_encoder(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path)
    tagger = Tagger.from_encoder(str(folder), tags=TAGS, layers=2, longest=16)
    assert tagger.encoder.config.num_hidden_layers == 2
    whole = BertModel.from_pretrained(folder, add_pooling_layer=False)
    for name, value in tagger.encoder.state_dict().items():
        assert torch.equal(value, whole.state_dict()[name]), name


def test_refuses_more_layers_than_there_are(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path)
    with pytest.raises(ConfigurationError, match=r"base\.layers.*the encoder has \(3\)"):
        Tagger.from_encoder(str(folder), layers=4)


def test_another_architecture_of_transformers_will_do(tmp_path: Path) -> None:
    body = DistilBertConfig(vocab_size=64, dim=16, n_layers=2, n_heads=2, hidden_dim=32)
    DistilBertModel(body).save_pretrained(tmp_path)
    tagger = Tagger.from_encoder(str(tmp_path), tags=TAGS, encoder_dropout=0.0).eval()
    assert tagger(*make_posts().read(np.arange(2))).logits.shape == (2, 5)


def test_refuses_a_configuration_without_an_encoder() -> None:
    with pytest.raises(ConfigurationError, match="names its model_type"):
        Tagger(TaggerConfiguration({}))


def test_the_mean_is_taken_over_the_tokens_of_a_post() -> None:
    last = torch.tensor([[[1.0], [3.0], [100.0]]])
    assert mean_over_tokens(last, torch.tensor([[1, 1, 0]])).item() == 2.0
    assert mean_over_tokens(last[:, :2], None).item() == 2.0
    assert mean_over_tokens(last, torch.tensor([[0, 0, 0]])).item() == 0.0
