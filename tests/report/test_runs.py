"""What the page reads runs with: bounded as the counts are, and faults told by what is at fault."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from murmure.errors import InputError, RunError
from murmure.influence import database
from murmure.report import runs
from tests.runs import write_run


def setting(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    row = connection.execute(f"SELECT current_setting('{name}')::VARCHAR").fetchone()
    assert row is not None
    return str(row[0])


def test_memory_is_bounded_and_nothing_spills_into_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with database.connect(()) as counting, runs.connect() as connection:
        assert setting(connection, "memory_limit") == setting(counting, "memory_limit")
        spilled = Path(setting(connection, "temp_directory"))
        assert spilled.is_dir()
        assert not spilled.resolve().is_relative_to(tmp_path)
        for extensions in ("autoload_known_extensions", "autoinstall_known_extensions"):
            assert setting(connection, extensions) == "false"
    assert not spilled.exists()
    assert not list(tmp_path.iterdir())


def test_the_damaged_part_is_named_and_no_other(tmp_path: Path) -> None:
    whole = write_run(tmp_path / "whole", [{}])
    broken = tmp_path / "a [broken] run"
    broken.mkdir()
    (broken / "part-00000.parquet").write_bytes(b"no Parquet at all, whoever looks at it")
    told = r"a \[broken\] run/part-00000\.parquet: cannot be read"
    with runs.connect() as connection, pytest.raises(InputError, match=told):
        runs.quality([whole, broken], connection)


def test_lack_of_memory_is_no_fault_of_a_part(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", [{}])
    with runs.connect() as connection:
        connection.execute("SET memory_limit = '5MB'; SET max_temp_directory_size = '0KiB'")
        told = "of memory and the temporary folder"
        with pytest.raises(RunError, match=told) as refused, runs.reading([folder]):
            connection.execute("CREATE TABLE much AS SELECT random() FROM range(9000000)")
    assert "part-" not in str(refused.value)


def test_other_faults_are_told_of_all_folders(tmp_path: Path) -> None:
    folders = [write_run(tmp_path / name, [{}]) for name in ("one", "two")]
    told = r"one, .*two: a part cannot"
    with runs.connect() as connection, pytest.raises(InputError, match=told), runs.reading(folders):
        connection.execute("SELECT nothing FROM nowhere")
