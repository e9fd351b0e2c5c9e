"""A model folder's int8 weights come back as a torch model, and go out again the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from murmure.errors import ModelError
from tests.encoders import make_posts, make_tagger, write_tokenizer

pytest.importorskip("torch")

import torch

from murmure.training.export import export
from murmure.training.readback import read_back

TOKENS = torch.tensor([[0, 20, 30, 40, 50, 2], [0, 60, 2, 1, 1, 1]])
MASK = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]])


@pytest.fixture(scope="module", params=["bert", "xlm-roberta"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("exported")
    tokenizer_file = write_tokenizer(folder / "from")
    tagger = make_tagger(
        tokenizer_file, tags=["sentiment", "touchpoint"], architecture=request.param
    )
    export(tagger, tokenizer_file, folder, texts=make_posts(200))
    return tagger, folder


def test_it_says_nearly_the_same(exported: Any) -> None:
    tagger, folder = exported
    again = read_back(folder)
    assert again.config.to_dict() == tagger.config.to_dict()
    assert not again.training
    with torch.no_grad():
        expected, found = tagger(TOKENS, MASK).logits, again(TOKENS, MASK).logits
    assert (expected - found).abs().max() < 0.2


def test_weights_differ_by_rounding_alone(exported: Any) -> None:
    tagger, folder = exported
    again = read_back(folder).state_dict()
    for name, weights in tagger.state_dict().items():
        if "position" in name or "token_type" in name:
            continue  # one was added into the other
        # A step is a 127th of the furthest weight; channels that were evened out have longer ones.
        allowed = weights.abs().max() * 0.05 if weights.ndim == 2 else 1e-6
        assert (again[name] - weights).abs().max() <= allowed, name


def test_what_went_out_twice_is_the_same(exported: Any, tmp_path: Path) -> None:
    _, folder = exported
    once = read_back(folder)
    export(once, folder / "tokenizer.json", tmp_path, texts=make_posts(200))
    twice = read_back(tmp_path)
    for name, weights in once.state_dict().items():
        scale = weights.abs().max() * 0.02
        assert (twice.state_dict()[name] - weights).abs().max() <= scale, name


def test_it_trains_further(exported: Any) -> None:
    _, folder = exported
    tagger = read_back(folder).train()
    optimizer = torch.optim.AdamW(tagger.parameters(), lr=1e-2)
    torch.manual_seed(0)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss: Any = torch.nn.functional.cross_entropy(
            tagger(TOKENS, MASK).logits, torch.tensor([0, 2])
        )
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_what_is_no_model_is_refused_by_name(exported: Any, tmp_path: Path) -> None:
    import onnx

    _, folder = exported
    with pytest.raises(ModelError, match=r"model.onnx: cannot be read"):
        read_back(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"no model at all")
    with pytest.raises(ModelError, match=r"model.onnx: "):
        read_back(tmp_path)
    model = onnx.load(folder / "model.onnx")
    kept = [one for one in model.graph.initializer if one.name != "layer.1.feed_in.values"]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ModelError, match=r"not hold a whole encoder .*layer.1.feed_in.values"):
        read_back(tmp_path)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "model.onnx")
    with pytest.raises(ModelError, match="was not written by murmure"):
        read_back(tmp_path)
