"""What the comparison with peers writes down, and that it says where we lose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks.measuring import Timing
from benchmarks.peers import quality, tables
from benchmarks.peers.contenders import BASE, CONTENDERS, FAST, FLORET, SAME_ENCODER, choose
from benchmarks.peers.environments import REQUIREMENTS, as_pinned, weigh
from benchmarks.peers.run import main
from benchmarks.peers.speed import Rounds, cut, targets
from hypothesis import given
from hypothesis import strategies as st

from murmure.schema import TAGS

SAMPLE = Path(__file__).parents[2] / "data" / "sample"


def test_every_peer_has_its_own_requirements() -> None:
    wanted = {one.environment for one in (*CONTENDERS, *quality.JUDGES)}
    assert wanted == {file.stem for file in REQUIREMENTS.glob("*.txt")}


@pytest.mark.parametrize("contender", CONTENDERS, ids=lambda one: one.name)
def test_all_contenders_get_as_many_threads(contender: Any) -> None:
    command = contender.command(
        Path("python"), Path("in"), Path("out"), models=Path("m"), threads=3
    )
    jobs = int(command[command.index("--jobs") + 1])
    threads = int(command[command.index("--threads") + 1]) if "--threads" in command else 1
    assert jobs * threads == 3


def test_a_word_chooses_contenders_and_none_reads_more_than_asked() -> None:
    chosen = choose(["FLORET", "murmure fast"], posts=100)
    assert {one.name for one in chosen} == {FLORET, FAST}
    assert {one.posts for one in chosen} == {100}
    assert len(choose([], posts=20_000)) == len(CONTENDERS)
    assert choose(["nobody"], posts=1) == []


@given(st.lists(st.text(max_size=80), unique=True, min_size=1), st.integers(1, 60))
def test_a_cut_keeps_order_and_takes_as_many_as_there_are(posts: list[str], count: int) -> None:
    taken = cut(posts, count)
    assert len(taken) == min(count, len(posts))
    assert taken == [post for post in posts if post in set(taken)]


def test_a_cut_has_the_lengths_of_the_whole() -> None:
    posts = ["x" * length for length in range(1, 1001)]
    taken = sorted(map(len, cut(posts, 10)))
    assert taken == [51, 151, 251, 351, 451, 551, 651, 751, 851, 951]


def rounds(name: str, *, posts: int, start: float, seconds: list[float], pss: float) -> Any:
    found = Rounds(posts, memory={"rss": 2 * pss, "pss": pss})
    for one in seconds:
        found.starts.append(Timing(start, start))
        found.runs.append(Timing(start + one, start + one))
    return name, found.summary()


def speed_result() -> dict[str, Any]:
    measured = dict(
        [
            rounds(FAST, posts=20_001, start=1.0, seconds=[0.5, 1.0, 0.8], pss=350),
            rounds(BASE, posts=4_097, start=1.5, seconds=[20.0, 16.0, 18.0], pss=400),
            rounds(FLORET, posts=20_001, start=0.5, seconds=[2.0, 1.0, 2.5], pss=300),
            rounds(SAME_ENCODER, posts=257, start=6.0, seconds=[12.8, 16.0, 10.0], pss=1500),
        ]
    )
    ready = {"seconds": 1.2, "least": 1.1, "most": 1.4}
    return {
        "measured_at": "2026-11-22T12:00:00+00:00",
        "settings": {"rounds": 3, "threads": 2},
        "machine": {"processor": "X", "memory_gib": 8.0, "system": "Linux"},
        "data": {"posts": 20_001, "origin": "here", "characters_median": 90},
        "versions": {"murmure": {"python": "3.11"}},
        "contenders": {
            name: {
                "tags": "5",
                "random": name == SAME_ENCODER,
                "installed_mb": 70.0 if name == FLORET else 800.0,
                "model_mb": 12.0,
            }
            for name in measured
        },
        "speed": measured,
        "ready": ready,
        "targets": targets(measured, ready),
    }


def test_speed_leaves_out_the_start_of_the_same_round_and_tells_the_spread() -> None:
    of = speed_result()["speed"][FAST]
    assert (of["posts_per_second"], of["least"], of["most"]) == (25_000, 20_000, 40_000)
    assert of["with_start"] == round(20_001 / 1.8)
    assert of["start_seconds"] == 1.0
    assert len(of["rounds"]) == 6


def test_a_start_longer_than_the_run_is_not_left_out() -> None:
    _, of = rounds(FAST, posts=101, start=2.0, seconds=[-1.0, -1.0, -1.0], pss=1)
    assert of["posts_per_second"] == 100


def test_targets_are_told_as_met_or_missed() -> None:
    told = {one["what"]: one["met"] for one in speed_result()["targets"]}
    assert told == {
        "base: times four transformers pipelines over the same encoder (batch 32, fp32)": True,
        "base: seconds until import and Predictor.from_pretrained() are done": True,
        "fast: posts a second, Parquet to Parquet": False,
        "fast: ahead of floret, posts a second": True,
    }


def test_the_table_puts_the_fastest_first_and_marks_random_weights() -> None:
    lines = tables.speed_table(speed_result()).splitlines()[2:]
    assert [line.split(" | ")[0].strip("| *†") for line in lines] == [
        FAST, FLORET, BASE, SAME_ENCODER,
    ]  # fmt: skip
    assert ["†" in line for line in lines] == [False, False, False, True]


def test_where_we_lose_is_said() -> None:
    said = tables.lost(speed_result())
    assert f"Better than `fast`: {FLORET} (start-up, memory, installed size)." in said
    assert f"Better than `base`: {FLORET} (posts/s, start-up, memory, installed size)." in said
    assert SAME_ENCODER not in said


def labelled(folder: Path) -> Path:
    corpus = folder / "café"
    corpus.mkdir(parents=True)
    rows: list[dict[str, Any]] = [
        {"text": f"post {n}", "language": "fr" if n % 2 else "en", "sentiment": label, "weak": []}
        for n, label in enumerate(["positive", "negative"] * 30)
    ]
    rows += [{"text": " ", "language": "fr", "sentiment": "positive", "weak": []}]
    rows += [{"text": "mêlé, mixed", "language": "mixed", "sentiment": None, "weak": []}]
    pq.write_table(pa.Table.from_pylist(rows), corpus / "validation.parquet")
    return folder


def test_quality_is_told_by_corpus_tag_and_language(tmp_path: Path) -> None:
    rows = quality.read_labelled(labelled(tmp_path))
    assert len(rows) == 61
    sentiment = ["positive" if n % 4 else "negative" for n in range(61)]
    said = {
        "murmure base": {
            "language": [row["language"] for row in rows],
            "sentiment": [row["sentiment"] or "neutral" for row in rows],
        },
        "VADER": {"sentiment": sentiment},
        "lingua": {"language": ["fr"] * 61},
    }
    found = {(one["tag"], one["language"]): one["scores"] for one in quality.compare(rows, said)}
    assert set(found) == {("language", "all")}, "each language holds one sentiment here"
    scores = found["language", "all"]
    assert scores["murmure base"]["macro_f1"] == 1.0
    assert scores["murmure base"]["posts"] == 60, "posts labelled mixed are left out"
    assert scores["lingua"]["macro_f1"] == pytest.approx(1 / 3, abs=1e-4)


def test_judges_are_measured_in_their_languages_alone() -> None:
    rows = [
        {"corpus": "c", "language": language, "sentiment": label}
        for language in ("fr", "en")
        for label in ("positive", "negative")
        for _ in range(10)
    ]
    true = [row["sentiment"] for row in rows]
    said = {"VADER": {"sentiment": true}, "floret": {"sentiment": ["positive"] * 40}}
    found = {one["language"]: one["scores"] for one in quality.compare(rows, said)}
    assert set(found["fr"]) == {"floret"}
    assert set(found["en"]) == {"VADER", "floret"}
    low, high = found["en"]["floret"]["interval"]
    assert low < found["en"]["floret"]["macro_f1"] < high


def test_peers_train_on_posts_with_all_five_tags(tmp_path: Path) -> None:
    file = tmp_path / "train.parquet"
    assert quality.write_training(None, SAMPLE, file) == "data/sample"
    table = pq.read_table(file)
    assert table.column_names == ["text", *TAGS]
    assert table.num_rows > 300
    with pytest.raises(FileNotFoundError, match="all five tags"):
        quality.write_training(labelled(tmp_path / "corpora"), SAMPLE, file)


def test_a_folder_without_labelled_posts_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"validation\.parquet"):
        quality.read_labelled(tmp_path)


def test_the_best_of_a_row_is_bold_and_who_cannot_say_it_gets_a_dash() -> None:
    result = {
        "judges": ["murmure base", "floret", "VADER"],
        "quality": [
            {
                "corpus": "c/validation",
                "tag": "sentiment",
                "language": "en",
                "scores": {
                    "murmure base": {"macro_f1": 0.7, "posts": 1200},
                    "VADER": {"macro_f1": 0.75, "posts": 1200},
                },
            },
            {
                "corpus": "c/validation",
                "tag": "experience",
                "language": "en",
                "scores": {"floret": {"macro_f1": 0.5, "posts": 80}},
            },
        ],
    }
    lines = tables.quality_table(result).splitlines()
    assert lines[2] == "| c/validation | sentiment | en | 1,200 | 0.700 | – | **0.750** |"
    assert lines[3] == "| c/validation | experience | en | 80 | – | **0.500** | – |"


def test_pictures_are_drawn(tmp_path: Path) -> None:
    tables.draw_speed(speed_result(), tmp_path / "speed.png")
    scores = {"floret": {"macro_f1": 0.5, "interval": [0.4, 0.6], "posts": 80}}
    entry = {"corpus": "c", "tag": "experience", "language": "en", "scores": scores}
    tables.draw_quality({"judges": ["floret"], "quality": [entry]}, tmp_path / "quality.png")
    assert all((tmp_path / f"{name}.png").stat().st_size > 5_000 for name in ("speed", "quality"))


def test_sizes_leave_links_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x" * 1000)
    (tmp_path / "link").symlink_to(tmp_path / "file")
    assert weigh(tmp_path) == 1000


def test_another_pin_makes_an_environment_stale(tmp_path: Path) -> None:
    pins = tmp_path / "constraints.txt"
    pins.write_text("# versions\ntorch==2.13.0\nzstandard==0.23\n", "utf-8")
    assert as_pinned({"python": "3.11", "Torch": "2.13.0+cpu", "floret": "0.10.5"}, pins)
    assert not as_pinned({"torch": "2.12.0"}, pins)


def test_wrong_options_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["quality", "--work", str(tmp_path)])
    assert "--corpora" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["speed", "--only", "nobody", "--work", str(tmp_path)])
    assert "floret" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
