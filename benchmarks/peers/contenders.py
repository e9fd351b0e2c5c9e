"""Who is compared: what each runs, over how many posts, and with which model."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from benchmarks.peers.environments import OWN, Environment, weigh
from murmure.schema import LABELS
from murmure.tagging.encoder import MODEL, TOKENIZER
from murmure.tagging.folder import ModelFolder

_PROGRAMS = Path(__file__).parent / "programs"
_PACKAGE = "benchmarks.peers.programs"
#: The tags that take a classifier; peers leave the language to others.
_CLASSIFIED = ("sentiment", "experience", "touchpoint", "sponsored")
#: The usual size of an encoder.
_USUAL = {"layers": 12, "hidden": 768, "heads": 12}
_MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Contender:
    """One row of the comparison.

    Attributes:
        name: as the table shows it.
        environment: where it is installed.
        tags: what it gives.
        posts: how many it reads at most; the slow ones read a cut of the same lengths.
        program: the module that it runs, or "" for murmure itself.
        options: what the module is told beyond files and model.
        model: a name in the folder of models, "" for none.
        random: whether its weights are random, and only its speed means anything.
        threads: processes of one thread, or threads of one process.
    """

    name: str
    environment: str
    tags: str
    posts: int
    program: str = ""
    options: tuple[str, ...] = ()
    model: str = ""
    random: bool = False
    threads: str = "processes"

    def command(
        self, python: Path, source: Path, out: Path, *, models: Path, threads: int
    ) -> list[str]:
        """Gives what tags a file into another."""
        if not self.program:
            return [
                str(python), "-m", "murmure", "tag", str(source), "-o", str(out),
                "--model", self.model, "--jobs", str(threads),
            ]  # fmt: skip
        many = ["--jobs", str(threads)]
        if self.threads == "threads":
            many = ["--jobs", "1", "--threads", str(threads)]
        model = ["--model", str(models / self.model)] if self.model else []
        program = ["-m", self.program]
        return [str(python), *program, str(source), str(out), *many, *model, *self.options]


def _program(name: str) -> str:
    return f"{_PACKAGE}.{name}"


def _pipelines(
    name: str, model: str, *, posts: int, batch: int, program: str = "pipelines"
) -> Contender:
    return Contender(
        name=f"{name}, batch {batch}",
        environment="transformers" if program == "pipelines" else "onnx",
        tags="4, one model each",
        posts=posts,
        program=_program(program),
        options=("--batch", str(batch)),
        model=model,
        random=True,
        threads="threads",
    )


#: Our own two, and the pipelines that `base` is held against.
FAST, BASE, SAME_ENCODER = "murmure fast", "murmure base", "transformers, our encoder, batch 32"
FLORET = "floret"

CONTENDERS = (
    Contender(FAST, OWN, "5", 20_000, model="fast"),
    Contender(BASE, OWN, "5", 4_096, model="base"),
    Contender(
        "VADER + py3langid",
        "vader-langid",
        "2: sentiment (English), language",
        20_000,
        program="benchmarks.vader_langid",
    ),
    Contender(FLORET, FLORET, "5", 20_000, program=_program("floret_tags"), model=FLORET),
    Contender(
        "scikit-learn TF-IDF + logistic regression",
        "tfidf",
        "5",
        20_000,
        program=_program("tfidf"),
        model="tfidf",
    ),
    Contender(
        "spaCy textcat, bow",
        "spacy",
        "5",
        20_000,
        program=_program("spacy_textcat"),
        model="spacy-bow",
        random=True,
    ),
    Contender(
        "spaCy textcat, ensemble",
        "spacy",
        "5",
        4_096,
        program=_program("spacy_textcat"),
        model="spacy-ensemble",
        options=("--rows", "512"),
        random=True,
    ),
    _pipelines("transformers, 12 × 768", "bert-768", posts=32, batch=1),
    _pipelines("transformers, 12 × 768", "bert-768", posts=32, batch=32),
    _pipelines("ONNX int8, 12 × 768", "onnx-768", posts=64, batch=1, program="onnx_int8"),
    _pipelines("ONNX int8, 12 × 768", "onnx-768", posts=64, batch=32, program="onnx_int8"),
    _pipelines("transformers, our encoder", "bert-own", posts=192, batch=32),
)


def encoder_size(folder: Path) -> dict[str, int]:
    """Reads layers, width and attention heads of the encoder in a model folder."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(
        str(folder / MODEL), options, providers=["CPUExecutionProvider"]
    )
    written = session.get_modelmeta().custom_metadata_map["murmure.configuration"]
    encoder = json.loads(written)["encoder"]
    return {
        "layers": encoder["num_hidden_layers"],
        "hidden": encoder["hidden_size"],
        "heads": encoder["num_attention_heads"],
    }


@dataclass(frozen=True, slots=True)
class Workshop:
    """Makes the peers' models, each once.

    Attributes:
        work: the folder with all that is made.
        posts: a file with texts and tags to train on.
        environments: by name.
    """

    work: Path
    posts: Path
    environments: Callable[[str], Environment]

    @property
    def models(self) -> Path:
        """Where the models are."""
        return self.work / "models"

    def make(self, name: str) -> float:
        """Makes a model where it is not there yet, and gives its megabytes (10^6 bytes).

        Raises:
            RuntimeError: it could not be made.
        """
        if name in {"fast", "base"}:
            return round(weigh(ModelFolder.open(name).path) / _MEGABYTE, 1)
        if not name:
            return 0.0
        program, environment, options = _RECIPES[name]
        source = self._describe(name) if program == "pipelines" else self.posts
        content = [(_PROGRAMS / f"{program}.py").read_bytes(), source.read_bytes()]
        key = sha256(b"\0".join([*content, " ".join(options).encode()])).hexdigest()
        folder, state = self.models / name, self.models / f"{name}.key"
        if not (state.is_file() and state.read_text("utf-8") == key):
            sys.stderr.write(f"making {folder}\n")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            python = self.environments(environment).python
            module = ["-m", _program(program), str(source), str(folder)]
            run_quietly([str(python), *module, *options])
            state.write_text(key, "utf-8")
        return round(weigh(folder) / _MEGABYTE, 1)

    def _describe(self, name: str) -> Path:
        """Writes down what random models look like; their tokens are those of `base`."""
        base = ModelFolder.open("base").path
        size = encoder_size(base) if name.endswith("own") else _USUAL
        content = {
            **size,
            "tokenizer": str(base / TOKENIZER),
            "tokenizer_hash": sha256((base / TOKENIZER).read_bytes()).hexdigest(),
            "labels": {tag: LABELS[tag] for tag in _CLASSIFIED},
        }
        file = self.work / f"{name}.json"
        file.write_text(json.dumps(content, indent=1), "utf-8")
        return file


#: Per model the program that makes it, where, and with which options.
_RECIPES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "floret": ("floret_tags", "floret", ("--train",)),
    "tfidf": ("tfidf", "tfidf", ("--train",)),
    "spacy-bow": ("spacy_textcat", "spacy", ("--make", "--kind", "bow")),
    "spacy-ensemble": ("spacy_textcat", "spacy", ("--make", "--kind", "ensemble")),
    "bert-768": ("pipelines", "transformers", ("--make",)),
    "onnx-768": ("pipelines", "transformers", ("--make", "--onnx")),
    "bert-own": ("pipelines", "transformers", ("--make",)),
}


def run_quietly(command: Sequence[str]) -> None:
    """Runs a command to its end.

    Raises:
        RuntimeError: it failed.
    """
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        said = f"{done.stdout}\n{done.stderr}".strip()[-4000:]
        raise RuntimeError(f"{' '.join(command)} ended with code {done.returncode}\n{said}")


def choose(names: Sequence[str], *, posts: int) -> list[Contender]:
    """Gives those whose name holds one of some words, or all; none reads more posts than given."""
    chosen = [
        one
        for one in CONTENDERS
        if not names or any(name.lower() in one.name.lower() for name in names)
    ]
    return [replace(one, posts=min(one.posts, posts)) for one in chosen]
