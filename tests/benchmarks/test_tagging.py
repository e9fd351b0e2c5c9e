"""What the tagging benchmark writes down, and that it refuses lost rows."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from benchmarks.measuring import Timing, machine, time_command, versions
from benchmarks.tagging import (
    OURS,
    PEER,
    check_rows,
    commands,
    describe_posts,
    make_result,
    tell,
    write_posts,
)


def test_a_result_tells_medians_ratio_growth_and_every_round() -> None:
    result = make_result(
        settings={"rounds": 3},
        data=describe_posts(["un", "deux", "trois"] * 100, "here"),
        on={"cores": 2},
        installed={"python": "3.11"},
        timings={
            OURS: [Timing(1.0, 1.5), Timing(3.0, 1.6), Timing(2.0, 1.4)],
            PEER: [Timing(10.0, 19.0), Timing(20.0, 19.0), Timing(30.0, 19.0)],
        },
        memory={
            OURS: {"rss": 300.0, "pss": 200.0},
            PEER: {"rss": 250.0, "pss": 150.0},
            f"{OURS}, 4 times the posts": {"rss": 330.0, "pss": 210.0},
        },
    )
    assert result["speed"][OURS]["posts_per_second"] == 150
    assert (result["speed"][OURS]["least"], result["speed"][OURS]["most"]) == (100, 300)
    assert result["times_the_peer"] == 10
    assert result["memory_growth"] == {"rss": 1.1, "pss": 1.05}
    assert result["rounds"][OURS] == [[1.0, 1.5], [3.0, 1.6], [2.0, 1.4]]
    assert result["data"]["distinct"] == 3
    assert json.loads(json.dumps(result)) == result
    assert "murmure: 150 posts/s (100 to 300)" in tell(result)


def test_a_result_holds_no_text() -> None:
    described = describe_posts(["Un secret bien gardé"], "here")
    assert "secret" not in json.dumps(described)


def test_lost_rows_are_an_error_and_whole_results_are_removed(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    write_posts(["un", "deux"], out)
    with pytest.raises(RuntimeError, match="2 rows tagged of 3"):
        check_rows(out, 3)
    check_rows(out, 2)
    assert not out.exists()


def test_both_sides_run_in_this_python_with_as_many_processes() -> None:
    for command in commands(3, "fast").values():
        made = command(Path("in.parquet"), Path("out"))
        assert made[0] == sys.executable
        assert made[made.index("--jobs") + 1] == "3"


def test_time_counts_the_processor_time_of_children() -> None:
    timing = time_command([sys.executable, "-c", "sum(range(3_000_000))"])
    assert timing.cpu_seconds > 0
    assert timing.seconds > 0


def test_a_command_that_fails_is_an_error_with_what_it_said() -> None:
    with pytest.raises(RuntimeError, match="code 3\nno such luck"):
        time_command(
            [
                sys.executable,
                "-c",
                "import sys; print('no such luck', file=sys.stderr); sys.exit(3)",
            ]
        )


def test_the_machine_and_versions_are_named() -> None:
    assert {"processor", "cores", "memory_gib", "system", "load_before"} == set(machine())
    assert set(versions(["pyarrow"])) == {"python", "pyarrow"}
