"""CSV and TSV: separators, quotes gone astray, and what they may cost."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from murmure.errors import InputError
from tests.batch.runs import read_bytes, rejects, rows, tag_bytes, texts


def found(folder: Path, data: str | bytes, name: str = "a.csv") -> tuple[list[str], list[int]]:
    """The texts tagged and the lines rejected."""
    tag_bytes(folder, name, data.encode() if isinstance(data, str) else data)
    return texts(folder / "out"), [reject["line"] for reject in rejects(folder / "out")]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separator_is_found_out(separator: str, tmp_path: Path) -> None:
    data = io.StringIO()
    writer = csv.writer(data, delimiter=separator)
    writer.writerows([["id", "text", "likes"], ["1", "a, b; c | d", "3"], ["2", "x;y,z;w", "4"]])
    assert found(tmp_path, data.getvalue()) == (["a, b; c | d", "x;y,z;w"], [])
    assert [row["likes"] for row in rows(tmp_path / "out")] == ["3", "4"]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_backslashes_before_quotes_are_found_out(name: str, tmp_path: Path) -> None:
    data = 'id,text\n1,"dit \\"oui\\", puis\nnon"\n2,"b"\n'
    if name.endswith("tsv"):
        data = data.replace(",", "\t").replace("\t puis", ", puis")
    assert found(tmp_path, data, name) == (['dit "oui", puis\nnon', "b"], [])


def test_single_quotes_are_found_out_from_the_header(tmp_path: Path) -> None:
    data = "'id','text'\n'1','l''été, enfin'\n'2','b'\n"
    assert found(tmp_path, data) == (["l'été, enfin", "b"], [])


def test_backslash_before_the_last_quote_of_a_field_stays(tmp_path: Path) -> None:
    assert found(tmp_path, 'id,text\n1,"C:\\"\n2,"b, c"\n') == (["C:\\", "b, c"], [])


def test_header_with_the_text_column_outweighs_regular_rows(tmp_path: Path) -> None:
    data = "text;n\na,b;1\nc,d,e;2\nf;3\n"
    assert found(tmp_path, data) == (["a,b", "c,d,e", "f"], [])


def test_tsv_and_single_columns_are_read(tmp_path: Path) -> None:
    assert found(tmp_path / "1", "id\ttext\n1\ta,b\n", "a.tsv") == (["a,b"], [])
    assert found(tmp_path / "2", "text\nhello, there\n") == (["hello, there"], [])
    data = gzip.compress(b"text,n\r\nbon,1\r\n")
    assert found(tmp_path / "3", data, "a.csv.gz") == (["bon"], [])


def test_quoted_line_ends_stay_and_lines_are_counted_through_them(tmp_path: Path) -> None:
    data = 'id,text\r\n1,"a\nb ""c"""\r\n\r\n2,\r\n3,d\r\n'
    assert found(tmp_path, data) == (['a\nb "c"', "d"], [5])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ('9,"never closed', "CSV: "),
        ('9,"closed"here', "CSV: "),
        ("9", "wrong number of fields: 1, the header has 2"),
        ("9,a,b", "wrong number of fields: 3, the header has 2"),
        ("9,", "text is empty"),
    ],
)
@pytest.mark.parametrize("after", ['2,"b"', '2,b\n3,"c, d"', "2,b", '2,"b\nc"'])
def test_stray_quote_or_field_costs_its_own_line_alone(
    row: str, reason: str, after: str, tmp_path: Path
) -> None:
    good, _ = found(tmp_path / "good", f"id,text\n1,a\n{after}\n")
    tagged, lines = found(tmp_path / "bad", f"id,text\n1,a\n{row}\n{after}\n")
    assert tagged == good
    assert lines == [3]
    assert rejects(tmp_path / "bad/out")[0]["reason"].startswith(reason)


def test_long_record_with_a_field_too_many_is_one_reject(tmp_path: Path) -> None:
    assert found(tmp_path, 'id,text\n1,"a\nb\nc",d\n2,e\n') == (["e"], [2])


def test_quote_that_is_never_closed_loses_no_row_of_a_long_file(tmp_path: Path) -> None:
    data = 'id,text\n0,"stray\n' + "".join(f"{number},post {number}\n" for number in range(5000))
    tagged, lines = found(tmp_path, data)
    assert len(tagged) == 5000
    assert lines == [2]


def test_nul_stays_and_undecodable_bytes_cost_their_row(tmp_path: Path) -> None:
    data = b"id,text\n1,a\0b\n2,caf" + b"\xe9\n3,caf\xc3\xa9\n4,c\n"
    assert found(tmp_path, data) == (["a\0b", "café", "c"], [3])
    assert rejects(tmp_path / "out")[0]["raw"] == "2,caf\\xe9"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_many_blank_lines_may_come_before_the_header(end: str, tmp_path: Path) -> None:
    assert found(tmp_path, end * 250 + f"id;text{end}1;a, b{end}") == (["a, b"], [])
    assert rows(tmp_path / "out")[0]["id"] == "1"


def test_header_alone_is_a_run_over_no_rows(tmp_path: Path) -> None:
    assert found(tmp_path, "id,text\n") == ([], [])
    assert [path.name for path in (tmp_path / "out").glob("*.parquet")] == ["part-00000.parquet"]


def test_columns_without_or_of_one_name_are_told_apart(tmp_path: Path) -> None:
    found(tmp_path, "text,,n,n\na,b,c,d\n")
    row = rows(tmp_path / "out")[0]
    assert (row["column_2"], row["n"], row["n_2"]) == ("b", "c", "d")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", r"a\.csv: is empty"),
        (b"\n\n", r"a\.csv: holds only blank lines"),
        (b"id,body\n1,a\n", r"a\.csv: no column 'text'.*--columns text=body"),
        (b'"text\n1,a\n', r"a\.csv, line 1: the header cannot be read"),
        ("id,texté\n1,a\n".encode("latin-1"), r"a\.csv, line 1: not UTF-8.*--encoding"),
        ("id,text\n1,é\n2,à\n".encode("latin-1"), r"a\.csv, line 2: not UTF-8.*--encoding"),
    ],
)
def test_file_that_is_no_table_of_posts_is_refused(
    data: bytes, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        tag_bytes(tmp_path, "a.csv", data)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.lists(
        st.sampled_from(
            [b'"', b",", b"\n", b"\r\n", b"\r", b"a", b"\xe9", b"\0", b'""', b"caf\xc3\xa9"]
        ),
        max_size=60,
    ).map(b"".join),
    chunk_rows=st.integers(1, 5),
)
def test_any_bytes_after_the_header_are_tagged_or_rejected(
    data: bytes, chunk_rows: int, tmp_path: Path
) -> None:
    try:
        read_bytes(tmp_path, "any.csv", b"id,text\n" + data, chunk_rows=chunk_rows)
    except InputError as error:
        assert "not UTF-8" in str(error)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    written=st.lists(
        st.tuples(st.text(max_size=9), st.text(min_size=1, max_size=20).filter(str.strip)),
        max_size=9,
    )
)
def test_whatever_csv_can_write_comes_back(written: list[tuple[str, str]], tmp_path: Path) -> None:
    data = io.StringIO()
    csv.writer(data).writerows([("n", "text"), *written])
    posts, _ = read_bytes(tmp_path, "any.csv", data.getvalue().encode())
    assert [(post["n"], post["text"]) for post in posts] == written
