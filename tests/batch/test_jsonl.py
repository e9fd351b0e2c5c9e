"""JSON lines: what is read, what is rejected, what is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from murmure.batch.lines import MAX_LINE
from murmure.errors import InputError
from tests.batch.runs import manifest, read_bytes, rejects, rows, tag_bytes, texts

GOOD = b'{"text": "Bon caf\xc3\xa9", "likes": 3}\n'


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"text": "cut', "not JSON: Unterminated string starting at character 10"),
        (b"[1, 2]", "not a JSON object: a list"),
        (b'"text"', "not a JSON object: a string"),
        (b"null", "not a JSON object: null"),
        (b'{"text": null}', "text is null"),
        (b'{"text": ""}', "text is empty"),
        (b'{"text": " \\n\\u00a0 "}', "text is empty"),
        (b'{"text": 42}', "text is a number, not a string"),
        (b'{"text": false}', "text is a boolean, not a string"),
        (b'{"text": ["a"]}', "text is a list, not a string"),
        (b'{"text": {"a": 1}}', "text is an object, not a string"),
        (b'{"body": "a"}', "text is missing"),
        (b'{"text": "caf\xe9"}', "not UTF-8: byte 0xe9; if the file has another encoding"),
        (b'{"text": "a\x00b"}', "not JSON: Invalid control character at character 12"),
        (b'{"text": "a", "n": ' + b"9" * 5000 + b"}", "not JSON: Exceeds the limit"),
        (b'{"text": "a", "n": ' + b"[" * 5000 + b"]" * 5000 + b"}", "nested deeper"),
        (b'{"text": "a", "n": ' + b"[" * 200 + b"]" * 200 + b"}", "nested deeper than 100 levels"),
        (b'{"text": "' + b"a" * 1001 + b'"}', "text longer than 1000 characters"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_bad_line_is_rejected_with_its_reason_and_the_others_are_tagged(
    line: bytes, reason: str, tmp_path: Path
) -> None:
    tag_bytes(tmp_path, "a.jsonl", GOOD + line + b"\r\n\n" + GOOD * 2, max_text=1000)
    assert texts(tmp_path / "out") == ["Bon café"] * 3
    [reject] = rejects(tmp_path / "out")
    assert reject["source"] == "a.jsonl"
    assert reject["line"] == 2
    assert reject["reason"].startswith(reason)
    assert reject["raw"] is None or len(reject["raw"]) <= 500


def test_rejects_carry_the_row_as_it_was_and_its_id(tmp_path: Path) -> None:
    data = GOOD * 2 + b'{"id": 7, "text": 1}\n{"text": "caf\xe9"}\n{"id": "x", "text": ""}\n'
    tag_bytes(tmp_path, "a.jsonl", data)
    told = [(reject["id"], reject["raw"]) for reject in rejects(tmp_path / "out")]
    assert told == [("7", '{"id": 7, "text": 1}'), (None, '{"text": "caf\\xe9"}'), ("x", "")]


def test_nul_and_half_an_emoji_keep_the_post(tmp_path: Path) -> None:
    data = rb'{"text": "a\u0000b", "n": "\ud83d"}' + b"\n" + rb'{"text": "cut \ud83d"}' + b"\n"
    summary = tag_bytes(tmp_path, "a.jsonl", data)
    assert texts(tmp_path / "out") == ["a\0b", "cut \ufffd"]
    assert summary.warnings == {"half a character replaced by U+FFFD": 2}


def test_half_an_emoji_in_a_key_becomes_a_column(tmp_path: Path) -> None:
    tag_bytes(tmp_path, "a.jsonl", rb'{"text": "a", "\ud83d": 1}' + b"\n")
    assert rows(tmp_path / "out")[0]["\ufffd"] == 1


def test_passed_through_columns_keep_their_types(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = [
        {"likes": 1, "share": 1, "ok": True, "tags": ["a"], "mix": 1, "big": 2**70, "none": None},
        {"likes": None, "share": 0.5, "ok": None, "tags": {"b": 1}, "mix": "x", "big": 1},
    ]
    data = "".join(json.dumps({"text": "a", **line}) + "\n" for line in lines)
    tag_bytes(tmp_path, "a.jsonl", data.encode())
    first, second = rows(tmp_path / "out")
    names = ("likes", "share", "ok", "tags", "mix", "big", "none")
    assert [first[name] for name in names] == [1, 1.0, True, '["a"]', "1", str(2**70), None]
    assert [second[name] for name in names] == [None, 0.5, None, '{"b": 1}', '"x"', "1", None]


def test_five_megabytes_are_one_reject_and_break_nothing(tmp_path: Path) -> None:
    big = json.dumps({"text": "é" * 5_000_000}, ensure_ascii=False).encode() + b"\n"
    beyond = b'{"text": "' + b"a" * MAX_LINE + b'"}\n'
    tag_bytes(tmp_path, "a.jsonl", GOOD + big + GOOD + beyond + GOOD)
    assert len(texts(tmp_path / "out")) == 3
    reasons = [(reject["line"], reject["reason"]) for reject in rejects(tmp_path / "out")]
    assert reasons == [
        (2, "text longer than 1000000 characters"),
        (4, f"line longer than {MAX_LINE} characters"),
    ]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jsonl.gz", gzip.compress(GOOD) + gzip.compress(GOOD)),
        ("a.ndjson.zst", zstandard.compress(GOOD) + zstandard.compress(GOOD)),
        ("a.json", b"\xef\xbb\xbf" + GOOD + GOOD.rstrip()),
    ],
)
def test_compressed_files_and_byte_order_marks_are_read(
    name: str, data: bytes, tmp_path: Path
) -> None:
    tag_bytes(tmp_path, name, data)
    assert texts(tmp_path / "out") == ["Bon café", "Bon café"]


def test_declared_encoding_is_used(tmp_path: Path) -> None:
    data = '{"text": "café"}\n{"text": "œuf"}\n'
    tag_bytes(tmp_path / "1", "a.jsonl", data.encode("cp1252"), encoding="cp1252")
    tag_bytes(tmp_path / "2", "a.jsonl", data.encode("utf-16"), encoding="utf-16")
    assert texts(tmp_path / "1/out") == texts(tmp_path / "2/out") == ["café", "œuf"]


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.jsonl", b"", r"a\.jsonl: is empty"),
        ("a.jsonl.gz", gzip.compress(b""), r"a\.jsonl\.gz: is empty"),
        ("a.jsonl.gz", gzip.compress(GOOD * 50)[:-9], r"a\.jsonl\.gz.*damaged"),
        ("a.jsonl.gz", GOOD, r"a\.jsonl\.gz.*damaged"),
        ("a.jsonl.zst", zstandard.compress(GOOD * 50)[:-9], r"a\.jsonl\.zst.*damaged"),
        ("a.json", b'[{"text": "a"}]', r"a\.json, line 1: is a JSON array"),
        ("a.json", b'{\n"text": "a"\n}\n', r"a\.json, line 1: one JSON object over several"),
        ("a.jsonl", b'{"body": "a"}\n', r"a\.jsonl: no column 'text'.*--columns text=body"),
        (
            "a.jsonl",
            b'{"text": "a"}\n' + b'{"text": "\xe9t\xe9"}\n' * 2,
            r"a\.jsonl, line 2: not UTF-8: byte 0xe9.*--encoding cp1252",
        ),
        ("a.jsonl", GOOD.decode().encode("utf-16"), r"a\.jsonl: is UTF-16; add --encoding utf-16$"),
        ("a.jsonl", GOOD.decode().encode("utf-16-le"), "is UTF-16; add --encoding utf-16-le$"),
        ("a.csv", b"\0i\0d\0,", "is UTF-16; add --encoding utf-16-be$"),
        (
            "a.jsonl",
            b"".join(b'{"text": "a", "k%d": 1}\n' % number for number in range(1001)),
            r"a\.jsonl, line 1000: more than 1000 different keys",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_file_that_is_no_table_of_posts_is_refused_with_the_remedy(
    name: str, data: bytes, message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        tag_bytes(tmp_path, name, data)
    assert not (tmp_path / "out").exists()


def test_blank_lines_alone_are_a_run_over_no_rows(tmp_path: Path) -> None:
    assert tag_bytes(tmp_path, "a.jsonl", b"\n \n").rows == 0
    assert manifest(tmp_path / "out")["complete"]


LINES = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.dictionaries(
        st.sampled_from(["text", "id", "author", "created_at", "likes", "sentiment", "\ud83d"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=2)
                | st.dictionaries(st.text(max_size=3), inner, max_size=2)
            ),
            max_leaves=4,
        ),
    ).map(lambda row: json.dumps(row).encode()),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(LINES, max_size=12), chunk_rows=st.integers(1, 5))
def test_any_bytes_are_tagged_rejected_or_refused(
    lines: list[bytes], chunk_rows: int, tmp_path: Path
) -> None:
    data = b"\n".join([GOOD.rstrip(), *lines])
    try:
        posts, faults = read_bytes(tmp_path, "any.jsonl", data, chunk_rows=chunk_rows)
    except InputError:
        return
    written = [line for line in data.split(b"\n") if line.decode("utf-8", "replace").strip()]
    assert len(posts) + len(faults) == len(written)
