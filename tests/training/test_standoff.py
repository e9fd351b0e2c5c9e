"""Stand-off records: labels without texts, and back."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from murmure.errors import InputError
from murmure.schema import LABELS, TAGS
from murmure.training.licences import ACCEPTED, Card, Cards, read_cards
from murmure.training.standoff import (
    SCHEMA,
    join,
    make_records,
    read_records,
    text_hash,
    verify,
    write_records,
)

ROOT = Path(__file__).parents[2]
CARDS = Cards(
    {
        "talk": Card(name="talk", source=("us/talk@0123abc",)),
        "two": Card(name="two", source=("us/a@1111111", "us/b@2222222")),
    },
    {"lost": Card(name="lost")},
)


def row(name: str, text: str, origin: str = "talk", **labels: str) -> dict[str, Any]:
    empty = dict.fromkeys(TAGS)
    return {"id": name, "text": text, "origin": origin, "draw": "source", **empty, **labels}


ROWS = [
    row("made-0b", "Brizelo & fils", sentiment="positive", sponsored="yes"),
    row("made-0a", "La Torvella fuit ☕", "two", experience="own", touchpoint="product"),
]


def write(folder: Path, rows: list[dict[str, Any]], split: str = "train") -> Path:
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), folder / f"{split}.parquet")
    return folder


def test_records_hold_labels_and_source_and_no_text(tmp_path: Path) -> None:
    write(tmp_path / "in", ROWS)
    write(tmp_path / "in", [row("made-0c", "Marelle", "lost", language="fr")], "validation")
    records = make_records(tmp_path / "in", cards=CARDS)
    assert records.schema.equals(SCHEMA)
    assert records["id"].to_pylist() == ["made-0a", "made-0b", "made-0c"]
    assert records["source"].to_pylist() == ["us/a, us/b", "us/talk", "not recorded"]
    assert records["commit"].to_pylist() == ["1111111, 2222222", "0123abc", None]
    assert records["split"].to_pylist() == ["train", "train", "validation"]
    assert records["experience"].to_pylist() == ["own", None, None]
    digest = hashlib.sha256("La Torvella fuit ☕".encode()).digest()
    assert records["sha256"][0].as_py() == digest
    written = tmp_path / "records.parquet"
    write_records(records, written)
    assert read_records(written).equals(records)
    for words in ("Brizelo", "Torvella", "Marelle"):
        assert words.encode() not in written.read_bytes()
    assert pq.ParquetFile(written).schema_arrow.names == SCHEMA.names


def test_labels_go_back_to_their_texts_and_to_no_other(tmp_path: Path) -> None:
    records = make_records(write(tmp_path / "in", ROWS), cards=CARDS)
    found = join(records, iter(["Brizelo & Fils", "Brizelo &amp;amp; fils", "Brizelo &amp; fils"]))
    assert found.posts.to_pylist() == [
        {
            "id": "made-0b",
            "text": "Brizelo & fils",
            "origin": "talk",
            **dict.fromkeys(TAGS),
            "sentiment": "positive",
            "sponsored": "yes",
            "draw": "source",
            "split": "train",
        }
    ]
    assert found.missing == {"two": 1}
    assert found.unused == 1


def test_all_texts_give_the_corpus_back(tmp_path: Path) -> None:
    records = make_records(write(tmp_path / "in", ROWS), cards=CARDS)
    found = join(records, [post["text"] for post in ROWS])
    columns = list(ROWS[0])
    expected = sorted(ROWS, key=lambda post: str(post["id"]))
    assert found.posts.select(columns).to_pylist() == expected
    assert (found.missing, found.unused) == ({}, 0)


def test_records_of_another_corpus_are_found_out(tmp_path: Path) -> None:
    folder = write(tmp_path / "in", ROWS)
    records = make_records(folder, cards=CARDS)
    assert verify(records, folder, cards=CARDS) == []
    changed = [ROWS[0], ROWS[1] | {"text": "La Torvella fuit"}, row("made-0d", "new")]
    assert verify(records, write(folder, changed), cards=CARDS) == ["made-0a", "made-0d"]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([row("made-1", "a"), row("made-1", "b")], "one id stands twice, at made-1 and made-1"),
        ([row("made-1", "a"), row("made-2", "a")], "one text stands twice, at made-1 and made-2"),
        ([row("x-@marie_12", "a")], "might tell what it should not"),
        ([row("made-1", "a", "nowhere")], "the origin 'nowhere' has no card"),
        ([row("made-1", "a", sentiment="glad")], "unknown label 'glad' of made-1"),
        ([{"id": "made-1", "text": "a"}], "no column 'origin'"),
    ],
)
def test_what_makes_no_record_is_told(
    rows: list[dict[str, Any]], told: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=told):
        make_records(write(tmp_path / "in", rows), cards=CARDS)


def test_what_is_no_file_of_records_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_records(tmp_path / "nowhere.parquet")
    with pytest.raises(InputError, match="is not a file of stand-off records"):
        read_records(write(tmp_path / "in", ROWS) / "train.parquet")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="cannot be read"):
        read_records(tmp_path / "bad.parquet")
    with pytest.raises(InputError, match=r"holds no train\.parquet with posts"):
        make_records(tmp_path / "nowhere", cards=CARDS)


FURTHER = [
    ROOT / "data/further" / f"{name}.parquet"
    for name in ("records", "rare", "more", "hard", "unsure", "rest", "doubtful/records")
]


@pytest.mark.parametrize(
    ("file", "count"),
    [
        (ROOT / "data/annotated/records.parquet", 11_722),
        (FURTHER[0], 20_381),
        (FURTHER[1], 8_440),
        (FURTHER[2], 9_768),
        (FURTHER[3], 19_088),
        (FURTHER[4], 16_829),
        (FURTHER[5], 13_225),
        (FURTHER[6], 18_833),
    ],
)
def test_the_published_records_are_whole_and_labelled(file: Path, count: int) -> None:
    records = read_records(file)
    assert records.num_rows == count
    for column in ("id", "sha256"):
        assert len(set(records[column].to_pylist())) == records.num_rows
    for tag in TAGS:
        assert set(records[tag].to_pylist()) <= set(LABELS[tag])
    pairs = zip(records["experience"].to_pylist(), records["touchpoint"].to_pylist(), strict=True)
    assert all((experience == "none") == (touchpoint == "none") for experience, touchpoint in pairs)
    assert file.stat().st_size < 2_000_000


def test_no_further_record_is_of_a_post_that_is_measured_on() -> None:
    names = (ROOT / "data/annotated/records.parquet", ROOT / "data/further/again.parquet", *FURTHER)
    measured, again, *further = (set(read_records(file)["sha256"].to_pylist()) for file in names)
    trained = set.union(*further)
    assert not measured & trained
    assert len(trained) == sum(map(len, further))
    assert again < measured


@pytest.mark.parametrize("file", FURTHER, ids=lambda file: str(file.stem))
def test_no_further_record_is_of_an_origin_that_may_not_be_trained_on(file: Path) -> None:
    cards = read_cards()
    origins = read_records(file)["origin"].to_pylist()
    assert {cards.of_origin(name).kind for name in origins} <= set(ACCEPTED)


def test_the_card_of_the_further_records_tells_true_counts_and_agreement() -> None:
    card = (ROOT / "data/further/README.md").read_text("utf-8")
    script = ROOT / "data/further/agreement.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    for tag in TAGS:
        counts = [Counter(read_records(file)[tag].to_pylist()).most_common() for file in FURTHER]
        cells = [", ".join(f"{label} {count}" for label, count in one) for one in counts]
        assert f"| {tag} | {' | '.join(cells)} |" in card
        told = re.search(rf"{tag}: 0(.\d+) alike, kappa 0?(\d?\.\d+)", done.stdout)
        assert told
        assert f"| {tag} | {told[1]} | {told[2]} |" in card


def test_the_card_of_the_published_records_counts_them_right() -> None:
    card = (ROOT / "data/annotated/README.md").read_text("utf-8")
    records = read_records(ROOT / "data/annotated/records.parquet").to_pylist()
    for tag in TAGS:
        (line,) = (line for line in card.splitlines() if line.startswith(f"| {tag} | "))
        told = [
            {label: int(count) for label, count in (one.split() for one in cell.split(", "))}
            for cell in line.strip("| ").split(" | ")[1:]
        ]
        for split, counts in zip(("train", "validation"), told, strict=True):
            found = [record[tag] for record in records if record["split"] == split]
            assert counts == {label: found.count(label) for label in LABELS[tag]}


def test_the_script_compares_the_published_records_with_a_corpus(tmp_path: Path) -> None:
    origin = row("made-0e", "Marelle", "umsab_fr", **{tag: LABELS[tag][0] for tag in TAGS})
    script: list[str | Path] = [
        sys.executable,
        ROOT / "data/annotated/make.py",
        write(tmp_path / "in", [origin]),
    ]
    done = subprocess.run([*script, "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("11723 records differ: annotated-")


def test_hashes_do_not_depend_on_how_entities_are_written() -> None:
    assert text_hash("caf&eacute;") == text_hash("caf&#233;") == text_hash("café")
