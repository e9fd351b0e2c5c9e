"""A small encoder trained from end to end: cross-fitted, exported, and trained further."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from murmure.errors import ConfigurationError, InputError, ModelError, RunError
from murmure.schema import TAGS
from murmure.tagging import Predictor
from murmure.training import base, fast
from murmure.training.configuration import load_configuration
from murmure.training.fine_tuning import fine_tune
from murmure.training.own import own_corpus
from murmure.training.teaching import find_teacher
from tests.encoders import make_tagger, write_tokenizer
from tests.training.worlds import make_target, write_corpora


def write_encoder(folder: Path) -> Path:
    """Write an encoder without heads, as transformers does."""
    from transformers import PreTrainedTokenizerFast

    file = write_tokenizer(folder)
    make_tagger(file, longest=128).encoder.save_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(file), pad_token="<pad>")
    tokenizer.save_pretrained(folder)
    return folder


def settings_for(folder: Path) -> list[str]:
    return [
        f"base.encoder={folder / 'encoder'}",
        f"base.companion={folder / 'companion'}",
        "base.layers=2",
        *(f"base.{phase}.frozen=0" for phase in ("broad", "further", "target", "own")),
        "base.longest=128",
        "base.batch=16",
        "base.checkpoint_every=4",
        "base.validate_every=6",
        "base.patience=20",
        "base.external=[]",
        "base.broad.others=32",
        "base.further.epochs=1.0",
        "base.target.others=16",
        "base.target.epochs=2.0",
        "base.target.learning_rate=0.003",
        "base.target.heads_learning_rate=0.01",
        "base.fold.others=0",
        "base.fold.epochs=1.0",
        "base.own.epochs=15.0",
        "base.own.learning_rate=0.003",
        "base.own.heads_learning_rate=0.01",
    ]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """Train a companion and then the encoder on a small world."""
    folder = tmp_path_factory.mktemp("world")
    file = write_corpora(folder, make_target())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("murmure.training.figures.yardsticks", lambda _: {})
        fast.train(load_configuration(file), folder / "companion")
    write_encoder(folder / "encoder")
    configuration = load_configuration(file, settings=settings_for(folder))
    base.train(configuration, folder / "base")
    return folder, folder / "base", configuration


def test_the_folder_is_whole_and_tags_posts(world: tuple[Path, Path, Any]) -> None:
    predictor = Predictor.from_pretrained(world[1])
    tags = predictor("my sister had her parcel from the courier awful broken have a nice day")
    assert tags.language.label == "en"
    for tag in TAGS:
        assert sum(getattr(tags, tag).probabilities) == pytest.approx(1, abs=1e-4)


def test_the_manifest_tells_what_was_done(world: tuple[Path, Path, Any]) -> None:
    manifest = json.loads((world[1] / "manifest.json").read_text("utf-8"))
    metrics = manifest["metrics"]
    assert set(metrics["held_out"]) == set(TAGS)
    assert metrics["held_out"]["sentiment"]["posts"] == 240 + 30
    assert metrics["validation"]["sentiment"]["posts"] == 30
    assert set(metrics["compared"]) == {"companion"}
    assert metrics["export"]["neighbours"] < 0.02
    assert all(tag["equal"] > 0.9 for tag in metrics["export"]["tags"].values())
    assert str(world[0]) not in json.dumps(manifest)
    assert manifest["training"]["posts"]["sentiment"]["further"] > 40
    beside = manifest["training"]["companion"]
    assert beside["name"] == "companion"
    assert "language" in beside["language"]["corpora"]
    licences = {one["corpus"] for one in manifest["training"]["licences"]}
    assert licences == {*beside["language"]["corpora"]}.union(*beside["posts"].values())
    assert "\nLanguage: " in (world[1] / "README.md").read_text("utf-8")
    told = "32 posts of the other corpora and was trained for 1 epoch over `further`, its weights"
    assert told in metrics["protocol"]["folds"]


def test_the_mixture_is_no_worse_than_the_companion(world: tuple[Path, Path, Any]) -> None:
    manifest = json.loads((world[1] / "manifest.json").read_text("utf-8"))
    for tag, compared in manifest["metrics"]["compared"]["companion"].items():
        assert compared["difference"] > -0.05, tag


def test_every_post_of_the_target_is_measured_once(world: tuple[Path, Path, Any]) -> None:
    table = pq.read_table(world[1] / "calibration.parquet")
    assert table.num_rows == 240 + 30
    assert "text" not in table.column_names
    for tag in TAGS:
        stacked = np.stack(table[f"{tag}_probabilities"].to_numpy())
        assert stacked.sum(axis=1) == pytest.approx(1, abs=0.01)


def test_kept_logits_are_those_of_their_posts(world: tuple[Path, Path, Any]) -> None:
    work = world[0] / "base.training"
    table = pq.read_table(world[1] / "calibration.parquet")
    kept = [len(load_file(file)["sentiment"]) for file in sorted(work.glob("fold-*.safetensors"))]
    assert sum(kept) == table.num_rows
    # A model that learnt anything orders its own training world better than chance.
    true = np.array(table["sentiment_true"].to_pylist())
    chosen = np.stack(table["sentiment_probabilities"].to_numpy()).argmax(axis=1)
    assert (np.array(["negative", "neutral", "positive"])[chosen] == true).mean() > 0.6


def test_a_second_training_takes_up_what_the_first_left(
    world: tuple[Path, Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(base, "run_phase", never)
    before = (world[1] / "model.onnx").read_bytes()
    base.train(world[2], world[1])
    assert (world[1] / "model.onnx").read_bytes() == before


def test_without_records_nothing_stands_between_broad_and_target(
    world: tuple[Path, Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def stop(*given: Any, **__: Any) -> Any:
        ran.append(given[4].name)
        if ran != ["broad"]:
            raise InterruptedError
        return given[0]

    monkeypatch.setattr(base, "run_phase", stop)
    corpora = {**world[2]["corpora"], "records": []}
    with pytest.raises(InterruptedError):
        base.train({**world[2], "corpora": corpora}, tmp_path / "new")
    assert ran == ["broad", "fold-0"]


def test_goes_on_from_weights_that_another_training_kept(
    world: tuple[Path, Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    kept = load_file(world[0] / "base.training/further.safetensors")

    def stop(tagger: Any, *given: Any, **__: Any) -> None:
        ran.append(given[3].name)
        for name, value in tagger.state_dict().items():
            assert np.array_equal(value.numpy(), kept[name])
        raise InterruptedError

    monkeypatch.setattr(base, "run_phase", stop)
    settings = {**world[2]["base"], "start": str(world[0] / "base.training/further.safetensors")}
    with pytest.raises(InterruptedError):
        base.train({**world[2], "base": settings}, tmp_path / "new")
    assert ran == ["further"]


@pytest.mark.parametrize(
    ("name", "why"),
    [("nowhere", "expected weights"), ("shipped", "shipped.safetensors, which read its labels")],
)
def test_refuses_to_go_on_from_weights_by_which_folds_would_lie(
    world: tuple[Path, Path, dict[str, Any]], tmp_path: Path, name: str, why: str
) -> None:
    start = world[0] / f"base.training/{name}.safetensors"
    settings = {**world[2]["base"], "start": str(start)}
    with pytest.raises(ConfigurationError, match=rf"base\.start: .*{why}"):
        base.train({**world[2], "base": settings}, tmp_path / "new")
    assert not (tmp_path / "new.training").exists()


@pytest.mark.parametrize(
    ("section", "file"),
    [("broad", "broad"), ("further", "further"), ("fold", "fold-0"), ("target", "fold-0")],
)
def test_does_not_take_up_what_was_trained_otherwise(
    world: tuple[Path, Path, dict[str, Any]], tmp_path: Path, section: str, file: str
) -> None:
    shutil.copytree(world[0] / "base.training", tmp_path / "new.training")
    phases = world[2]["base"]
    settings = {**phases, section: {**phases[section], "learning_rate": 1e-5}}
    with pytest.raises(RunError, match=rf"{file}\.safetensors: is of other posts or settings"):
        base.train({**world[2], "base": settings}, tmp_path / "new")


def test_tells_of_weights_of_another_encoder(
    world: tuple[Path, Path, dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "new.training").mkdir()
    (tmp_path / "new.training/broad.safetensors").write_bytes(b"no tensors")
    with pytest.raises(RunError, match=r"broad\.safetensors: holds no weights .*remove it"):
        base.train(world[2], tmp_path / "new")


def test_weights_of_before_the_target_teach_and_folds_still_tell_the_truth(
    world: tuple[Path, Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("murmure.training.figures.yardsticks", lambda _: {})
    weights = world[0] / "base.training/further.safetensors"
    settings = [f"fast.taught.teacher={weights}", "fast.taught.weights.written=1.0"]
    configuration = load_configuration(
        world[0] / "small.toml", settings=[*settings_for(world[0]), *settings]
    )
    manifest = fast.train(configuration, world[0] / "student")
    taught = manifest["training"]["taught"]
    assert taught == {
        "teacher": "`base` as it was after the phase `further`",
        "read_target": False,
        "posts": 40,
    }
    assert manifest["metrics"]["held_out"]["sentiment"]["posts"] == 240 + 30
    assert "Cross-fitting in 3 folds" in (world[0] / "student/README.md").read_text("utf-8")


def test_weights_that_read_the_target_are_known_for_it(
    world: tuple[Path, Path, dict[str, Any]],
) -> None:
    work = world[0] / "base.training"
    read = {}
    for phase in ("broad", "further", "shipped"):
        configuration = {**world[2], "fast": {"taught": {"teacher": f"{work / phase}.safetensors"}}}
        teacher = find_teacher(configuration)
        assert teacher
        read[phase] = teacher.read_target
        said = teacher.say(["ravie génial", "awful broken thing"])
        assert said["sentiment"].sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert read == {"broad": False, "further": False, "shipped": True}


def test_a_teacher_that_is_not_there_or_tells_too_little_is_named(tmp_path: Path) -> None:
    configuration = load_configuration(settings=["fast.taught.teacher=gone.safetensors"])
    with pytest.raises(ConfigurationError, match=r"fast\.taught\.teacher.*gone\.safetensors"):
        find_teacher(configuration)
    file = tmp_path / "other.safetensors"
    save_file({"weights": np.zeros(2)}, file)
    settings = [f"fast.taught.teacher={file}"]
    with pytest.raises(RunError, match="does not tell what it was trained on"):
        find_teacher(load_configuration(settings=settings))
    with pytest.raises(ConfigurationError, match=r"base\.tags"):
        find_teacher(load_configuration(settings=[*settings, 'base.tags=["sentiment"]']))


def test_refuses_a_companion_of_other_posts(
    world: tuple[Path, Path, dict[str, Any]], tmp_path: Path
) -> None:
    settings = {**world[2]["base"], "companion": "fast"}
    with pytest.raises(InputError, match="is not of the same 270 posts"):
        base.train({**world[2], "base": settings}, tmp_path / "new")


def test_a_companion_or_encoder_that_is_not_there_is_named_before_posts_are_read(
    world: tuple[Path, Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_: Any) -> None:
        raise AssertionError("read")

    monkeypatch.setattr(base, "configured_corpora", never)
    for setting in ("companion", "encoder"):
        settings = {**world[2]["base"], setting: "/nonexistent"}
        with pytest.raises(ConfigurationError, match=rf"base\.{setting}: .*'/nonexistent'"):
            base.train({**world[2], "base": settings}, tmp_path / "new")
    assert not list(tmp_path.iterdir())


def test_the_tokenizer_that_ships_is_the_one_that_was_loaded(
    world: tuple[Path, Path, dict[str, Any]],
) -> None:
    vocabularies = [
        Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
        for folder in (world[0] / "encoder", world[0] / "base.training", world[1])
    ]
    assert vocabularies[0] == vocabularies[1] == vocabularies[2]


def test_refuses_a_target_that_is_not_there(
    world: tuple[Path, Path, dict[str, Any]], tmp_path: Path
) -> None:
    corpora = {**world[2]["corpora"], "target": "elsewhere"}
    with pytest.raises(ConfigurationError, match=r"corpora\.target.*elsewhere"):
        base.train({**world[2], "corpora": corpora}, tmp_path / "new")


def write_own(file: Path) -> Path:
    """A new domain, in which words that the model does not know tell the sentiment."""
    said = {"negative": "zut bof", "neutral": "ok donc", "positive": "top wow"}
    random = np.random.default_rng(4)
    rows = ["text,sentiment"]
    for number in range(180):
        label = list(said)[number % 3]
        words = " ".join(random.permutation([*said[label].split(), "la", "machine", "bleue"]))
        rows.append(f"{words} {number},{label}")
    file.write_text("\n".join(rows) + "\n", "utf-8")
    return file


def test_own_posts_of_a_new_domain_pay(
    world: tuple[Path, Path, dict[str, Any]], tmp_path: Path
) -> None:
    posts = own_corpus([write_own(tmp_path / "mine.csv")], validation_share=0.3, seed=1)
    manifest = fine_tune(posts, world[2], tmp_path / "mine", start=world[1])
    assert not (tmp_path / "mine.training").exists()
    compared = manifest["metrics"]["validation_compared"]["sentiment"]
    assert compared["macro_f1"] > compared["other"] + 0.2
    assert Predictor.from_pretrained(tmp_path / "mine").name == "mine"
    training = json.loads((tmp_path / "mine/manifest.json").read_text("utf-8"))["training"]
    assert training["posts"]["sentiment"] == {"mine": int((~posts.validation).sum())}
    assert training["further"]["name"] == "base"
    assert training["companion"]["name"] == "companion"
    assert {"mine", "language"} <= {one["corpus"] for one in training["licences"]}


def test_only_an_encoder_trains_further(
    world: tuple[Path, Path, dict[str, Any]], tmp_path: Path
) -> None:
    posts = own_corpus([write_own(tmp_path / "mine.csv")], validation_share=0.3, seed=1)
    with pytest.raises(ModelError, match="kind 'linear'; only an encoder"):
        fine_tune(posts, world[2], tmp_path / "mine", start=world[0] / "companion")
