"""The table of channels."""

from __future__ import annotations

from pathlib import Path

import pytest

from murmure.errors import InputError
from murmure.influence.media import load_media


def test_the_shipped_table_knows_the_usual_channels() -> None:
    kinds = load_media()
    assert kinds["press"] == "traditional"
    assert kinds["x"] == kinds["reviews"] == "social"
    assert "carrier pigeon" not in kinds


def test_a_user_s_table_replaces_it_without_regard_to_case(tmp_path: Path) -> None:
    file = tmp_path / "media.toml"
    file.write_text('traditional = [" Gazette "]\n', encoding="utf-8")
    assert load_media(file) == {"gazette": "traditional"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("traditional = [", "not a TOML table"),
        ("press = ['x']", "unknown kind of media 'press'"),
        ("social = 'x'", "expected a list of channel names"),
        ("social = [1]", "expected a list of channel names"),
        ("social = ['x']\ntraditional = ['X']", "'X' is both social and traditional"),
    ],
)
def test_a_table_that_is_none_is_refused(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "media.toml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=f"^{file}: .*{said}"):
        load_media(file)


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.toml: cannot be read"):
        load_media(tmp_path / "nowhere.toml")
