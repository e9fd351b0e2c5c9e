"""Audits: drawn from a run, filled in, read back, kept."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from murmure.errors import InputError, RunError, UsageError
from murmure.influence import count
from murmure.influence.accuracy import measure
from murmure.influence.audit import AUDIT_FILE, apply_labels, draw_sample, drawn_keys, load_audit
from murmure.influence.runs import open_runs
from murmure.influence.sheets import read_sheet, write_sheet
from murmure.tagging.folder import ModelFolder
from tests.runs import write_run

ROWS = [
    {
        "text": f"post {number} é",
        "sentiment": "negative" if number % 3 else "positive",
        "sentiment_score": 0.5 + (number % 5) / 10,
        "experience": "own",
        "touchpoint": "product",
        "channel": "x" if number % 2 else "press",
        "language": "en" if number % 4 else "fr",
    }
    for number in range(60)
]


def cells(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline="")))


def save(path: Path, rows: list[list[str]], **options: Any) -> Path:
    encoding = options.pop("encoding", "utf-8")
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, **options).writerows(rows)
    return path


def fill(rows: list[list[str]], tag: str, labels: list[str]) -> list[list[str]]:
    """Fills in a tag from the second row on."""
    place = next(at for at, head in enumerate(rows[0]) if head.startswith(tag))
    for row, label in zip(rows[1:], labels, strict=False):
        row[place] = label
    return rows


def sheet(folder: Path, **options: Any) -> tuple[Path, list[list[str]]]:
    """A run, and the sheet of a sample of it."""
    run = folder / "run"
    if not run.exists():
        write_run(run, ROWS)
    draw = draw_sample(run, size=options.pop("size", 20), **options)
    write_sheet(draw.units, folder / "sheet.csv")
    return run, cells(folder / "sheet.csv")


def test_a_sample_is_random_and_the_same_for_the_same_seed(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", ROWS)
    first, again, other = (draw_sample(run, size=20, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert [unit.id for unit in first.units] != [unit.id for unit in other.units]
    assert len({unit.id for unit in first.units}) == 20
    assert sum(unit.weight for unit in first.units) == pytest.approx(60)
    assert first.population == 60


def test_a_stratified_sample_stands_for_the_run(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", ROWS)
    draw = draw_sample(run, size=45, stratify=["uncertainty", "language"])
    assert sum(unit.weight for unit in draw.units) == pytest.approx(60)
    assert len({unit.stratum for unit in draw.units}) > 2


def test_a_small_run_is_drawn_whole(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", ROWS[:5])
    assert {unit.weight for unit in draw_sample(run, size=300).units} == {1.0}


def test_a_post_is_asked_about_each_entity_that_it_names(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"mentions": ["Brizelo", "Torvella", "Brizelo"]},
        {"mentions": []},
    ]
    draw = draw_sample(write_run(tmp_path / "run", rows), size=9)
    assert {unit.about for unit in draw.units} == {"Brizelo", "Torvella"}


NAMING: list[dict[str, Any]] = [
    {
        "text": f"post {number}",
        "sentiment": "positive",
        "mentions": [{"entity": name, "sentiment": "negative"} for name in names],
    }
    for number, names in enumerate([["Brizelo", "Torvella"], ["Brizelo"], [], ["Torvella"]] * 10)
]


def test_posts_as_wholes_are_drawn_where_they_name_an_entity(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", NAMING)
    draw = draw_sample(run, size=99, whole=True)
    assert {unit.about for unit in draw.units} == {None}
    assert {unit.labels["sentiment"] for unit in draw.units} == {"positive"}
    assert sorted(int(unit.id[1:]) % 4 for unit in draw.units) == [0] * 10 + [1] * 10 + [3] * 10
    assert draw.population == 30
    assert draw.token != draw_sample(run, size=99).token


def test_of_a_run_without_catalogue_posts_are_drawn_as_wholes_anyway(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", ROWS)
    assert draw_sample(run, size=20, whole=True) == draw_sample(run, size=20)


def test_posts_as_wholes_and_about_entities_stand_each_for_their_own_kind(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", NAMING)
    for size, whole in ((6, True), (9, True), (10, False)):
        drawn = draw_sample(run, size=size, whole=whole, seed=size).units
        apply_labels(run, {unit.key: {"sentiment": "positive"} for unit in drawn})
    audit = load_audit(open_runs([run]))
    assert audit is not None
    weights: dict[bool, float] = {}
    for name, weight in zip(audit["entity"].to_pylist(), audit["weight"].to_pylist(), strict=True):
        weights[name is None] = weights.get(name is None, 0.0) + weight
    assert weights == {True: pytest.approx(30), False: pytest.approx(40)}
    (sentiment,) = measure(audit)
    assert sentiment.labels == 25
    assert sentiment.accuracy.value == pytest.approx(30 / 70)


def test_labels_of_posts_as_wholes_audit_all_and_others_do_not(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", NAMING, fingerprint=ModelFolder.open("fast").fingerprint)
    labels = {"sentiment": "positive", "experience": "own", "touchpoint": "product"}
    labels |= {"sponsored": "no"}

    def positive() -> float:
        wanted = {"entity": "all", "window": "all", "metric": "posts", "promotion": "all"}
        wanted |= {"sentiment": "positive"}
        (row,) = [row for row in counts.to_pylist() if wanted.items() <= row.items()]
        return float(row["estimate"])

    apply_labels(run, {unit.key: labels for unit in draw_sample(run, size=40).units})
    counts = count(run, by=["entity"])
    # 20 labels an entity are too few, and none is of "all".
    assert "unused_labels" in json.loads(counts.schema.metadata[b"murmure"])
    assert positive() < 29.5
    drawn = draw_sample(run, size=30, whole=True).units
    apply_labels(run, {unit.key: labels for unit in drawn})
    counts = count(run, by=["entity"])
    told = json.loads(counts.schema.metadata[b"murmure"])
    assert (told["audited"], told["audited_all"]) == (30, 30)
    assert positive() == pytest.approx(30)


def test_the_sheet_opens_in_a_spreadsheet(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [{"text": '=HYPERLINK("x")\nà, "b"'}])
    draw = draw_sample(run, size=1)
    write_sheet(draw.units, tmp_path / "sheet")
    assert (tmp_path / "sheet.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    head, row = cells(tmp_path / "sheet.csv")
    assert row[head.index("text")] == '\'=HYPERLINK("x")\nà, "b"'
    assert row[head.index("sentiment (negative / neutral / positive)")] == ""
    assert not any(name.startswith("tagger") for name in head)
    (line,) = (tmp_path / "sheet.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["labels"]["sponsored"] == ["yes", "no"]
    write_sheet(draw.units, tmp_path / "sheet.csv", show_labels=True)
    head, row = cells(tmp_path / "sheet.csv")
    assert row[head.index("tagger_sentiment")] == "neutral"


@pytest.mark.parametrize("text", [" =1+1", "\n=1+1", "＝1+1", "＠brizelo", "'t Brizelo"])
def test_no_cell_of_a_sheet_begins_a_formula(tmp_path: Path, text: str) -> None:
    run = write_run(tmp_path / "run", [{"text": text, "id": text}])
    (unit,) = draw_sample(run, size=1).units
    write_sheet([unit], tmp_path / "sheet.csv")
    head, row = cells(tmp_path / "sheet.csv")
    assert [row[head.index(name)] for name in ("text", "id")] == [f"'{text}"] * 2
    filled = save(tmp_path / "f.csv", fill([head, row], "sentiment", ["'neutral"]))
    assert read_sheet(filled, keys=drawn_keys(run)) == {unit.key: {"sentiment": "neutral"}}


@pytest.mark.parametrize(
    "options",
    [
        {"delimiter": ";", "encoding": "cp1252"},
        {"delimiter": "\t", "encoding": "utf-16"},
        {"encoding": "utf-8-sig"},
    ],
)
def test_labels_come_back_however_the_spreadsheet_saved_them(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    run, rows = sheet(tmp_path)
    filled = save(
        tmp_path / "f.csv", fill(rows, "sentiment", ["Negative ", "", "positive"]), **options
    )
    audit = apply_labels(run, read_sheet(filled, keys=drawn_keys(run)))
    assert audit["sentiment_true"].to_pylist() == ["negative", "positive"]
    assert audit["experience_true"].to_pylist() == [None, None]
    assert sum(audit["weight"].to_pylist()) == pytest.approx(60)
    kept = pq.read_table(run / AUDIT_FILE).to_pylist()
    assert [row["sentiment"] for row in kept] == ["negative", "positive"]
    assert {row["draw"] for row in kept} == {"random"}


def test_jsonl_comes_back_too(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", ROWS)
    write_sheet(draw_sample(run, size=2).units, tmp_path / "s.jsonl")
    lines = (tmp_path / "s.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) | {"experience": "none"} for line in lines]
    text = "\n".join(json.dumps(row) for row in rows)
    (tmp_path / "s.jsonl").write_text(text, encoding="utf-8")
    labels = read_sheet(tmp_path / "s.jsonl", keys=drawn_keys(run))
    assert list(labels.values()) == [{"experience": "none", "touchpoint": "none"}] * 2


def test_labels_of_two_readers_add_up_and_later_ones_stand(tmp_path: Path) -> None:
    run, rows = sheet(tmp_path)
    keys = [row[0] for row in rows[1:4]]
    apply_labels(run, {keys[0]: {"sentiment": "neutral"}, keys[1]: {"sponsored": "no"}})
    audit = apply_labels(run, {keys[0]: {"sentiment": "positive"}, keys[2]: {"sponsored": "yes"}})
    assert audit["sentiment_true"].to_pylist() == ["positive", None, None]
    assert audit["sponsored_true"].to_pylist() == [None, "no", "yes"]


def test_labels_that_a_sheet_no_longer_has_are_withdrawn(tmp_path: Path) -> None:
    run, rows = sheet(tmp_path)
    fill(fill(rows, "experience", ["none", "none"]), "sentiment", ["neutral", "neutral"])
    apply_labels(run, read_sheet(save(tmp_path / "f.csv", rows), keys=drawn_keys(run)))
    # In the second row all is emptied: the sheet of somebody who read others.
    fill(fill(rows, "experience", ["own", ""]), "sentiment", ["", ""])
    audit = apply_labels(run, read_sheet(save(tmp_path / "f.csv", rows), keys=drawn_keys(run)))
    assert audit["experience_true"].to_pylist() == ["own", "none"]
    assert audit["touchpoint_true"].to_pylist() == [None, "none"]
    assert audit["sentiment_true"].to_pylist() == [None, "neutral"]
    with pytest.raises(InputError, match=f"'touchpoint': key '{rows[1][0]}': experience 'own' w"):
        apply_labels(run, {rows[1][0]: {"experience": "own", "touchpoint": "none"}})


@pytest.mark.parametrize(
    ("tag", "label", "message"),
    [
        ("sentiment", "bad", r"row 2: sentiment 'bad' is unknown; known are negative, neutral"),
        ("key", "u0-1", r"row 2: key 'u0-1' is of no sample of this run"),
    ],
)
def test_rows_that_cannot_be_are_named(tmp_path: Path, tag: str, label: str, message: str) -> None:
    run, rows = sheet(tmp_path)
    filled = save(tmp_path / "f.csv", fill(rows, tag, [label]))
    with pytest.raises(InputError, match=message):
        read_sheet(filled, keys=drawn_keys(run))


def test_labels_that_contradict_each_other_are_named(tmp_path: Path) -> None:
    run, rows = sheet(tmp_path)
    fill(fill(rows, "experience", ["", "none"]), "touchpoint", ["", "product"])
    with pytest.raises(InputError, match="row 3: experience 'none' with touchpoint 'product'"):
        read_sheet(save(tmp_path / "f.csv", rows), keys=drawn_keys(run))


def test_the_sheet_of_another_run_is_refused(tmp_path: Path) -> None:
    _, rows = sheet(tmp_path)
    other = write_run(tmp_path / "other", ROWS)
    draw_sample(other, size=20)
    with pytest.raises(InputError, match="of no sample of this run"):
        read_sheet(save(tmp_path / "f.csv", rows), keys=drawn_keys(other))
    with pytest.raises(InputError, match="of no sample of this run"):
        apply_labels(other, {rows[1][0]: {"sentiment": "neutral"}})


def test_what_is_no_sheet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(InputError, match="its first row names no 'key'"):
        read_sheet(tmp_path / "f.csv", keys=[])


def test_an_empty_sheet_is_refused(tmp_path: Path) -> None:
    run, rows = sheet(tmp_path)
    filled = save(tmp_path / "f.csv", rows)
    with pytest.raises(InputError, match="no label is filled in"):
        apply_labels(run, read_sheet(filled, keys=drawn_keys(run)))


def test_labels_outlive_tagging_again_but_not_another_text(tmp_path: Path) -> None:
    run, rows = sheet(tmp_path, size=60)
    apply_labels(run, {row[0]: {"sentiment": "neutral"} for row in rows[1:]})
    changed = [row | {"sentiment": "neutral"} for row in ROWS]
    changed[0] |= {"text": "something else"}
    write_run(run, changed, fingerprint="1" * 64)
    audit = load_audit(open_runs([run]))
    assert audit is not None
    assert audit.num_rows == 59
    assert set(audit["sentiment"].to_pylist()) == {"neutral"}


def test_audits_of_several_runs_are_numbered_through(tmp_path: Path) -> None:
    runs = [write_run(tmp_path / name, ROWS) for name in ("one", "two")]
    for run in runs:
        (unit,) = draw_sample(run, size=1).units
        apply_labels(run, {unit.key: {"sentiment": "neutral"}})
    audit = load_audit(open_runs(runs))
    assert audit is not None
    first, second = audit["number"].to_pylist()
    assert 0 <= first < 60 <= second < 120
    assert load_audit(open_runs([write_run(tmp_path / "three", ROWS)])) is None


@pytest.mark.parametrize(("size", "told"), [(20, {"unused_labels": 20}), (60, {"audited": 60})])
def test_counts_are_audited_only_where_labels_changed_them(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, size: int, told: dict[str, int]
) -> None:
    run = write_run(tmp_path / "run", ROWS, fingerprint=ModelFolder.open("fast").fingerprint)
    labels = {"sentiment": "negative", "experience": "own", "touchpoint": "product"}
    labels |= {"sponsored": "no"}
    apply_labels(run, {unit.key: labels for unit in draw_sample(run, size=size).units})
    found = json.loads(count(run, by=()).schema.metadata[b"murmure"])
    assert {key: found[key] for key in ("audited", "unused_labels") if key in found} == told
    assert ("nothing changed; draw more" in caplog.text) == ("unused_labels" in told)


def test_wrong_wishes_are_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", ROWS)
    with pytest.raises(UsageError, match="--stratify country: unknown"):
        draw_sample(run, size=5, stratify=["country"])
    with pytest.raises(UsageError, match="strata are too many for -n 5"):
        draw_sample(run, size=5, stratify=["channel", "language"])
    with pytest.raises(RunError, match="no post to draw in other"):
        draw_sample(run, size=5, languages=["other"])
    (run / "audit").write_text("in the way", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be written"):
        draw_sample(run, size=5)
