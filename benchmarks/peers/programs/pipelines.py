"""transformers: one `text-classification` pipeline a tag, in float32.

    python -m benchmarks.peers.programs.pipelines architecture.json FOLDER --make
    python -m benchmarks.peers.programs.pipelines posts.parquet tagged.parquet --model FOLDER

`--make` writes models with random weights, for speed alone, as `architecture.json` describes
them: `layers`, `hidden`, `heads`, `tokenizer` (a file) and `labels` (per tag); with `--onnx` also
the same in ONNX with int8 weights, as `quantize_dynamic` makes them.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.peers.programs.common import Tag, Tagged, parser, run

_LONGEST = 512


def _transformers() -> Any:  # noqa: ANN401 - typed in part only
    import transformers

    return transformers


def make(options: argparse.Namespace) -> None:
    """Writes a model a tag with random weights."""
    import torch

    transformers = _transformers()
    asked = json.loads(options.input.read_text("utf-8"))
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=asked["tokenizer"], model_max_length=_LONGEST, pad_token="<pad>"
    )
    if options.onnx:
        # Weights are random anyway: one model is written, and copied for each tag.
        most = max(asked["labels"].values(), key=len)
        first, *others = (options.output / tag for tag in asked["labels"])
        first.mkdir(parents=True, exist_ok=True)
        _write_onnx(_model(asked, most, len(tokenizer), attn_implementation="eager"), first)
        (first / "labels.json").write_text(json.dumps(most), "utf-8")
        (first / "tokenizer.json").write_bytes(Path(asked["tokenizer"]).read_bytes())
        for other in others:
            shutil.copytree(first, other)
        return
    for seed, (tag, labels) in enumerate(asked["labels"].items()):
        torch.manual_seed(seed)
        _model(asked, labels, len(tokenizer)).save_pretrained(options.output / tag)
        tokenizer.save_pretrained(options.output / tag)


def _model(asked: dict[str, Any], labels: Sequence[str], tokens: int, **more: str) -> Any:  # noqa: ANN401
    transformers = _transformers()
    configuration = transformers.BertConfig(
        vocab_size=tokens,
        hidden_size=asked["hidden"],
        num_hidden_layers=asked["layers"],
        num_attention_heads=asked["heads"],
        intermediate_size=4 * asked["hidden"],
        max_position_embeddings=_LONGEST,
        type_vocab_size=1,
        id2label=dict(enumerate(labels)),
        label2id={label: number for number, label in enumerate(labels)},
        **more,
    )
    return transformers.BertForSequenceClassification(configuration).eval()


def _write_onnx(model: Any, folder: Path) -> None:  # noqa: ANN401 - torch's
    import torch
    from onnxruntime.quantization import QuantType, quantize_dynamic

    ids = torch.ones((2, 8), dtype=torch.long)
    plain = folder / "float32.onnx"
    axes = {0: "posts", 1: "tokens"}
    torch.onnx.export(
        model,
        (ids, ids),
        str(plain),
        input_names=["input_ids", "attention_mask"],
        output_names=["logits"],
        dynamic_axes={"input_ids": axes, "attention_mask": axes, "logits": {0: "posts"}},
        opset_version=17,
        dynamo=False,
    )
    quantize_dynamic(str(plain), str(folder / "model.onnx"), weight_type=QuantType.QInt8)
    plain.unlink()


def load(options: argparse.Namespace) -> Tag:
    """Reads the models."""
    import torch

    transformers = _transformers()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(options.threads)
    pipes = {
        folder.name: transformers.pipeline(
            "text-classification", model=str(folder), device="cpu", dtype=torch.float32
        )
        for folder in sorted(options.model.iterdir())
    }

    def tag(texts: Sequence[str]) -> Tagged:
        found = {}
        for name, pipe in pipes.items():
            said = pipe(list(texts), batch_size=options.batch, truncation=True)
            found[name] = ([one["label"] for one in said], [one["score"] for one in said])
        return found

    return tag


if __name__ == "__main__":
    told = parser(__doc__)
    told.add_argument("--make", action="store_true")
    told.add_argument("--onnx", action="store_true")
    told.add_argument("--batch", type=int, default=1)
    told.add_argument("--threads", type=int, default=2)
    given = told.parse_args()
    if given.make:
        make(given)
    else:
        run(given, load)
