"""A small world of labelled posts, made of our own words, for tests that train."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from murmure.schema import LABELS, TAGS
from murmure.training.standoff import SCHEMA, text_hash, write_records

WORDS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "fr": {
        "sentiment": {"negative": "horrible nul", "neutral": "voilà", "positive": "ravie génial"},
        "experience": {
            "own": "j'ai reçu ma",
            "shared": "ma soeur a eu sa",
            "none": "il existe une",
        },
        "touchpoint": {
            "product": "machine qui fuit",
            "service": "réponse du conseiller",
            "purchase": "facture au magasin",
            "delivery": "colis du livreur",
            "other": "application du compte",
            "none": "histoire du café",
        },
        "sponsored": {"yes": "découvrez avec mon code", "no": "bonne journée"},
    },
    "en": {
        "sentiment": {
            "negative": "awful broken",
            "neutral": "so there",
            "positive": "lovely great",
        },
        "experience": {"own": "i got my", "shared": "my sister had her", "none": "there exists a"},
        "touchpoint": {
            "product": "machine that leaks",
            "service": "answer of the agent",
            "purchase": "bill at the shop",
            "delivery": "parcel from the courier",
            "other": "app of the account",
            "none": "history of coffee",
        },
        "sponsored": {"yes": "discover it with my code", "no": "have a nice day"},
    },
}
FOREIGN = (
    "la cafetera llegó rota ayer por la mañana", "die Maschine ist leider schon wieder kaputt",
    "la macchina perde acqua ogni mattina", "コーヒーがとても美味しい", "кофе был очень вкусный",
    "a máquina chegou com atraso outra vez", "القهوة لذيذة جدا", "kahve makinesi bugün geldi",
)  # fmt: skip
_FILLING = "ce matin on regarde encore la pluie", "this morning we watch the rain again"


def make_post(random: np.random.Generator, number: int, language: str = "") -> dict[str, Any]:
    """A post whose words say its labels, most of the time."""
    language = language or ("fr", "en")[number % 2]
    labels = {
        "sentiment": str(random.choice(LABELS["sentiment"])),
        "sponsored": "yes" if random.random() < 0.3 else "no",
    }
    if random.random() < 0.35:
        labels |= {"experience": "none", "touchpoint": "none"}
    else:
        labels["experience"] = str(random.choice(("own", "shared")))
        labels["touchpoint"] = str(random.choice(LABELS["touchpoint"][:-1]))
    said = WORDS[language]
    parts = [
        said[tag][labels[tag]] for tag in ("experience", "touchpoint", "sentiment", "sponsored")
    ]
    if labels["sponsored"] == "yes" and random.random() < 0.5:
        parts.append("#ad")
    filling = _FILLING[language == "en"].split()
    parts.append(" ".join(random.choice(filling, 3)))
    return {
        "id": f"p{number}",
        "key": f"k{number}",
        "origin": ("reviews", "talk")[number % 3 == 0],
        "draw": "sought" if number % 5 == 0 else "source",
        "text": " ".join(parts) + f" {number}",
        "language": language,
        "weak": [],
        **labels,
    }


def make_target(count: int = 240, seed: int = 0) -> list[dict[str, Any]]:
    """Labelled posts in French and English, a few of them mixed or in neither."""
    random = np.random.default_rng(seed)
    posts = [make_post(random, number) for number in range(count)]
    for number in range(0, count, 12):
        posts[number] |= {"language": "other", "text": f"{FOREIGN[number % 8]} {number}"}
        posts[number + 1] |= {
            "language": "mixed",
            "text": f"{posts[number + 2]['text']}, {posts[number + 3]['text']}",
        }
    return posts


def write_corpora(folder: Path, target: Sequence[Mapping[str, Any]]) -> Path:
    """Writes the target corpus, one in many languages, one written as JSONL, and records of more.

    Returns:
        A configuration file that trains a small model on them.
    """
    random = np.random.default_rng(9)
    _write(folder / "corpora/annotated/train.parquet", target)
    unseen = [make_post(random, 10_000 + number) for number in range(30)]
    _write(folder / "corpora/annotated/validation.parquet", unseen)
    many = [
        {
            "key": f"l{number}",
            "text": f"{FOREIGN[number % 8] if number % 2 else make_post(random, number)['text']}",
            "language": "other" if number % 2 else ("fr", "en")[number // 2 % 2],
        }
        for number in range(240)
    ]
    for number, post in enumerate(many):
        if not number % 2:
            post["text"] = make_post(random, number, post["language"])["text"]
    _write(folder / "corpora/language/train.parquet", many)
    written = [make_post(random, 20_000 + number) for number in range(40)]
    (folder / "written").mkdir()
    lines = [json.dumps({k: v for k, v in post.items() if k != "weak"}) for post in written]
    (folder / "written/posts.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    again = [make_post(random, 30_000 + number) for number in range(48)]
    # Their labels are in the records alone.
    _write(folder / "corpora/found/train.parquet", [{"text": post["text"]} for post in again])
    _write_records(folder / "further/records.parquet", again)
    configuration = folder / "small.toml"
    folders = [str(folder / "corpora"), str(folder / "written")]
    configuration.write_text(
        f"[corpora]\nfolders = {json.dumps(folders)}\nleave_out = []\nfolds = 3\n"
        f"records = {json.dumps([str(folder / 'further/records.parquet')])}\n"
        '[fast.taught]\nteacher = ""\n'
        "[fast]\nbits = 16\nleast_posts = { words = 1, characters = 1 }\n"
        "[fast.language]\nposts = 200\nmixed = 60\n",
        "utf-8",
    )
    return configuration


def _write(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), file)


def _write_records(file: Path, posts: Sequence[Mapping[str, Any]]) -> None:
    told = {"origin": "found", "source": "us", "draw": "source", "split": "train"}
    rows = {text_hash(post["text"]): {**told, **{tag: post[tag] for tag in TAGS}} for post in posts}
    records = [{**row, "id": digest.hex(), "sha256": digest} for digest, row in rows.items()]
    file.parent.mkdir()
    write_records(pa.Table.from_pylist(records, schema=SCHEMA), file)
