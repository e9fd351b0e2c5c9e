"""The encoder at run time, with tiny models made here."""

from __future__ import annotations

import json
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from murmure.assets import models_folder
from murmure.disclosure import find_all
from murmure.errors import InputError, ModelError, UsageError
from murmure.schema import LABELS, TAGS, result_fields
from murmure.tagging import Predictor
from murmure.tagging.encoder import EncoderModel
from murmure.tagging.folder import MANIFEST, ModelFolder, write_manifest
from murmure.tagging.linear import LinearModel
from murmure.text import encoder_texts
from tests.encoders import POSTS, make_posts, write_encoder_folder
from tests.processes import python

pytest.importorskip("torch")

HOSTILE = [
    "\x00" * 1000, "\ud800\udfff\udc80", "\u0301" * 5000, "\n", "\u2028", "🏽" * 500, "a" * 50_000,
    "\U0010ffff", "'", "ﷺ" * 100, "<s></s><pad><unk>", "İ" * 50, " ", "\t\n ",
]  # fmt: skip
Made = tuple[Path, Any]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("models") / "alone"
    return folder, write_encoder_folder(folder)


@pytest.fixture(scope="module")
def with_companion(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("models") / "accompanied"
    tags = ["sentiment", "experience", "touchpoint", "sponsored"]
    return folder, write_encoder_folder(folder, companion=models_folder() / "fast", tags=tags)


@pytest.fixture(scope="module")
def model(made: Made) -> EncoderModel:
    return EncoderModel.load(ModelFolder.open(made[0]))


def _torch_logits(tagger: Any, windows: list[list[int]]) -> Any:
    import torch

    with torch.no_grad():
        rows = [tagger(torch.tensor([one]), torch.ones(1, len(one))).logits for one in windows]
    return torch.cat(rows).numpy()


def test_it_says_what_torch_says(made: Made, model: EncoderModel) -> None:
    tagger = made[1]
    posts = [post for post in make_posts(80, seed=5) if len(post) < 90]
    windows = model.reader.read(encoder_texts(posts))
    assert len(windows.tokens) == len(posts) > 40
    expected = _torch_logits(tagger, windows.tokens)
    found = model.logits(posts, [[]] * len(posts))
    together = np.concatenate([found[tag] for tag in tagger.config.tags], axis=1)
    assert np.abs(together - expected).max() < 0.3
    ends = np.cumsum([len(LABELS[tag]) for tag in tagger.config.tags])[:-1]
    for tag, logits in zip(tagger.config.tags, np.split(expected, ends, axis=1), strict=True):
        assert (found[tag].argmax(1) == logits.argmax(1)).mean() >= 0.98, tag


def test_tokens_are_those_of_prefix_and_text_read_as_one(model: EncoderModel) -> None:
    texts = ["Ma Brizelo fuit", "☕", "my parcel?"]
    together = model.reader.tokenizer.encode_batch([f"query: {text}" for text in texts])
    assert model.reader.read(texts).tokens == [one.ids for one in together]


def test_neighbours_change_next_to_nothing(model: EncoderModel) -> None:
    posts = [*POSTS, *make_posts(50, seed=2), "colis " * 500]
    nothing: list[list[Any]] = [[]]
    together = model.predict(posts, nothing * len(posts))
    for row, post in enumerate(posts):
        alone = model.predict([post], nothing)
        for tag in TAGS:
            assert np.abs(alone[tag][0] - together[tag][row]).max() < 1e-4, (tag, post)


def test_order_is_kept(made: Made) -> None:
    predictor = Predictor.from_pretrained(made[0])
    posts = [*POSTS, *make_posts(30)]
    forth, back = predictor.predict(posts), predictor.predict(posts[::-1])
    assert [tags.sentiment.label for tags in forth] == [tags.sentiment.label for tags in back[::-1]]
    for tag in TAGS:
        ahead = predictor.predict_proba(posts, tag=tag)
        behind = predictor.predict_proba(posts[::-1], tag=tag)[::-1]
        np.testing.assert_allclose(ahead, behind, atol=1e-4)


def test_long_posts_are_read_in_windows_that_overlap(made: Made, model: EncoderModel) -> None:
    reader = model.reader
    room = reader.longest - len(reader.before) - len(reader.after)
    text = " ".join(make_posts(6, seed=3))
    whole = reader.tokenizer.encode(text, add_special_tokens=False).ids
    windows = reader.read([text, "ok"])
    assert windows.posts.tolist() == [0, 0, 0, 1]
    bodies = [tokens[len(reader.before) : -len(reader.after)] for tokens in windows.tokens]
    assert all(len(body) <= room for body in bodies)
    assert bodies[0][-reader.overlap :] == bodies[1][: reader.overlap]
    assert bodies[0] + bodies[1][reader.overlap :] == whole[: 2 * room - reader.overlap]
    assert windows.weights[:3].tolist() == [len(body) for body in bodies[:3]]
    logits = _torch_logits(made[1], windows.tokens[:3])
    expected = (logits * windows.weights[:3, None]).sum(0) / windows.weights[:3].sum()
    found = np.concatenate(list(model.encoder_logits([text]).values()), axis=1)[0]
    assert np.abs(found - expected).max() < 0.3


@pytest.mark.parametrize(
    ("beyond", "windows"), [(-99, 1), (0, 1), (1, 2), (20, 2), (21, 3), (40, 3), (41, 3)]
)
def test_no_more_windows_than_are_needed(model: EncoderModel, beyond: int, windows: int) -> None:
    reader = model.reader
    room = reader.longest - len(reader.before) - len(reader.after)
    assert room - reader.overlap == 20
    # A token for every emoji, and one for where the text begins.
    text = "☕" * max(room + beyond - 1, 0)
    if text:
        ids = reader.tokenizer.encode(text, add_special_tokens=False).ids
        assert len(ids) == room + beyond
    read = reader.read([text])
    assert len(read.tokens) == windows
    assert read.truncated.tolist() == [beyond > 40]


def test_truncated_where_the_windows_end(made: Made) -> None:
    predictor = Predictor.from_pretrained(made[0])
    short, long, huge = predictor.predict(["ok", "☕ " * 300, "a" * 1_000_000])
    assert (short.truncated, long.truncated, huge.truncated) == (False, True, True)


def test_hostile_texts_get_probabilities_like_any_other(made: Made) -> None:
    predictor = Predictor.from_pretrained(made[0])
    for tag in TAGS:
        table = predictor.predict_proba(HOSTILE, tag=tag)
        assert table.shape == (len(HOSTILE), len(LABELS[tag]))
        assert table.sum(axis=1) == pytest.approx(np.ones(len(HOSTILE)), abs=1e-5)


def test_a_post_cannot_write_special_tokens(model: EncoderModel) -> None:
    special = {0, 1, 2}
    read = model.reader.read(encoder_texts(["a </s> <s> b <pad>"]))
    inside = read.tokens[0][len(model.reader.before) : -len(model.reader.after)]
    assert not special & set(inside)


def test_no_posts_give_no_tags(made: Made) -> None:
    predictor = Predictor.from_pretrained(made[0])
    assert predictor.predict([]) == []
    assert predictor.predict_proba([], tag="touchpoint").shape == (0, 6)


def test_the_companion_says_the_language_and_is_mixed_in(with_companion: Made) -> None:
    model = EncoderModel.load(ModelFolder.open(with_companion[0]))
    fast = LinearModel.load(ModelFolder.open("fast"))
    disclosures = find_all(POSTS)
    said = {tag: np.log(np.maximum(p, 1e-7)) for tag, p in fast.predict(POSTS, disclosures).items()}
    own, mixed = model.encoder_logits(POSTS), model.logits(POSTS, disclosures)
    assert "language" not in own
    np.testing.assert_allclose(mixed["language"], said["language"], atol=1e-5)
    for tag in TAGS[1:]:
        np.testing.assert_allclose(mixed[tag], 0.8 * own[tag] + 0.4 * said[tag], atol=1e-4)


def test_a_language_head_beside_a_companion_is_not_asked(tmp_path: Path) -> None:
    write_encoder_folder(tmp_path / "both", companion=models_folder() / "fast")
    language = Predictor.from_pretrained(tmp_path / "both").predict_proba(POSTS, tag="language")
    expected = Predictor.from_pretrained("fast").predict_proba(POSTS, tag="language")
    np.testing.assert_allclose(language, expected, atol=1e-5)


def test_a_saved_model_says_the_same(with_companion: Made, tmp_path: Path) -> None:
    predictor = Predictor.from_pretrained(with_companion[0])
    predictor.save_pretrained(tmp_path / "copy")
    again = Predictor.from_pretrained(tmp_path / "copy", threads=1)
    assert again.predict(POSTS[:3]) == predictor.predict(POSTS[:3])


def test_a_dataset_is_mapped(with_companion: Made) -> None:
    datasets = pytest.importorskip("datasets")
    predictor = Predictor.from_pretrained(with_companion[0])
    dataset = datasets.Dataset.from_dict({"text": list(POSTS), "stars": list(range(len(POSTS)))})
    mapped = dataset.map(predictor.tag_batch, batched=True, batch_size=3)
    names = [field.name for field in result_fields() if field.name != "mentions"]
    assert mapped.column_names == ["text", "stars", *names]
    expected = predictor.predict(POSTS)
    assert list(mapped["sentiment"]) == [tags.sentiment.label for tags in expected]
    assert list(mapped["disclosure"]) == [tags.disclosure or "" for tags in expected]
    np.testing.assert_allclose(
        mapped["touchpoint_probabilities"],
        [tags.touchpoint.probabilities for tags in expected],
        atol=1e-4,
    )


def test_it_travels_to_another_process(made: Made) -> None:
    predictor = Predictor.from_pretrained(made[0], threads=1)
    again = pickle.loads(pickle.dumps(predictor))
    assert again.fingerprint == predictor.fingerprint
    assert again.predict(POSTS[:2]) == predictor.predict(POSTS[:2])


def test_a_batch_without_texts_names_the_column(made: Made) -> None:
    predictor = Predictor.from_pretrained(made[0])
    with pytest.raises(InputError, match="column 'text': there is no such column"):
        predictor.tag_batch({"body": ["a"]})
    with pytest.raises(InputError, match="in row 1 of the batch"):
        predictor.tag_batch({"text": ["a", 3]})
    assert predictor.tag_batch({"text": []})["sentiment"] == []


def _rewrite(folder: Path, change: Callable[[dict[str, Any]], None] | None = None) -> None:
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    if change is not None:
        change(manifest)
    for name in ("format", "labels", "files"):
        manifest.pop(name)
    write_manifest(folder, manifest)


def _fewer_tags(manifest: dict[str, Any]) -> None:
    manifest["settings"]["tags"] = manifest["settings"]["tags"][:-1]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model.onnx", "model.onnx: does not hold a model"),
        ("tokenizer.json", "tokenizer.json: does not hold a tokenizer"),
        ("fast.safetensors", "fast.safetensors: does not hold a linear model"),
    ],
)
def test_a_file_of_something_else_is_named(
    with_companion: Made, tmp_path: Path, name: str, message: str
) -> None:
    folder = Path(shutil.copytree(with_companion[0], tmp_path / "broken"))
    (folder / name).write_bytes(b"{}")
    with pytest.raises(ModelError, match=f"{name}: is not what manifest.json says"):
        Predictor.from_pretrained(folder)
    _rewrite(folder)
    with pytest.raises(ModelError, match=message):
        Predictor.from_pretrained(folder)
    (folder / name).unlink()
    with pytest.raises(ModelError, match=f"{name}: No such file"):
        Predictor.from_pretrained(folder)
    _rewrite(folder)
    with pytest.raises(ModelError, match=name):
        Predictor.from_pretrained(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_fewer_tags, "no head for sponsored"),
        (lambda m: m["settings"]["tags"].append("mood"), "a head for mood"),
        (lambda m: m["settings"].pop("prefix"), "does not tell all of an encoder .*prefix"),
        (lambda m: m["settings"].update(longest=6), "windows of 6 tokens leave room for"),
        (lambda m: m["settings"].update(longest=64), "model.onnx: cannot read tokens"),
        (lambda m: m["settings"].update(mixture=3), "does not tell all of an encoder"),
        (lambda m: m["settings"].update(companion={"file": "x"}), "x: lacks the companion"),
        (lambda m: m.update(calibration={}), "does not tell all of an encoder"),
        (lambda m: m.update(kind="oracle"), "a model of kind 'oracle' is not known"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(
    made: Made, tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    folder = Path(shutil.copytree(made[0], tmp_path / "broken"))
    _rewrite(folder, change)
    with pytest.raises(ModelError, match=message):
        Predictor.from_pretrained(folder)


def test_a_model_of_other_tags_is_refused(made: Made, with_companion: Made, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(made[0], tmp_path / "mixed"))
    shutil.copyfile(with_companion[0] / "model.onnx", folder / "model.onnx")
    _rewrite(folder)
    with pytest.raises(ModelError, match="gives 14 logits where the manifest's tags have 18"):
        Predictor.from_pretrained(folder)


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused(made: Made, tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    folder = Path(shutil.copytree(made[0], tmp_path / "broken"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens([f"new{number}" for number in range(9)])
    tokenizer.save(str(folder / "tokenizer.json"))
    _rewrite(folder)
    with pytest.raises(ModelError, match=r"model.onnx: cannot read tokens of tokenizer.json"):
        Predictor.from_pretrained(folder)


def test_threads_are_those_asked_for(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    def threads(given: int | None) -> int:
        model = EncoderModel.load(ModelFolder.open(made[0]), threads=given)
        return int(model.session.get_session_options().intra_op_num_threads)

    assert threads(2) == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert threads(None) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    assert threads(None) >= 1
    with pytest.raises(UsageError, match="threads: expected at least 1"):
        Predictor.from_pretrained(made[0], threads=0)


def test_a_library_that_is_missing_is_named(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match="pip install onnxruntime tokenizers"):
        Predictor.from_pretrained(made[0])


def test_tagging_loads_no_training_library(with_companion: Made) -> None:
    code = f"""
import sys
from murmure import Predictor
Predictor.from_pretrained({str(with_companion[0])!r}).predict(["a quiet post"] * 3)
heavy = ("torch", "sklearn", "transformers", "spacy", "onnx", "datasets")
print([name for name in heavy if name in sys.modules])
"""
    assert python("-c", code).stdout == "[]\n"
