"""The training's settings: laid over the default, and refused by their dotted path."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from murmure.errors import ConfigurationError, InputError
from murmure.training.configuration import default_configuration, load_configuration


def test_a_file_and_then_single_settings_are_laid_over_the_default(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("[fast]\nbits = 18\n[corpora]\nfolds = 3\n[fast.sentiment.weights]\nown = 2\n")
    given = load_configuration(
        file, settings=["fast.bits=19", "corpora.target=mine", 'corpora.folders=["a", "b"]']
    )
    expected = default_configuration()
    expected["fast"]["bits"] = 19
    expected["fast"]["sentiment"]["weights"]["own"] = 2.0
    expected["corpora"] |= {"folds": 3, "target": "mine", "folders": ["a", "b"]}
    assert given == expected


def test_the_default_is_not_changed_by_what_is_laid_over_it() -> None:
    load_configuration(settings=["fast.bits=9", "fast.sponsored.weights.ads_en=3"])
    assert load_configuration() == default_configuration()


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("fast.bits=many", "fast.bits: expected a whole number, but was given 'many'"),
        ("fast.bits=1.5", "fast.bits: expected a whole number, but was given 1.5"),
        ("fast.bits=true", "fast.bits: expected a whole number, but was given True"),
        ("fast.bits=0", "fast.bits: expected a whole number from 8 to 24, but was given 0"),
        ("fast.bits=64", "fast.bits: expected a whole number from 8 to 24, but was given 64"),
        ("corpora.folds=1", "corpora.folds: expected a whole number from 2 to 100"),
        ("fast.weak=-1", "fast.weak: expected a number of at least 0, but was given -1"),
        ("fast.weak=nan", "fast.weak: expected a number of at least 0, but was given nan"),
        ("fast.weak=inf", "fast.weak: expected a number of at least 0, but was given inf"),
        (
            "corpora.validation_share=1",
            "corpora.validation_share: expected a number of at least 0 and below 1, "
            "but was given 1",
        ),
        ("base.dropout=7", "base.dropout: expected a number of at least 0 and below 1"),
        ("base.encoder_dropout=1.0", "base.encoder_dropout: expected a number of at least 0 and"),
        ("base.broad.warm_up=9", "base.broad.warm_up: expected a number of at least 0 and below 1"),
        ("base.own.warm_up=9", "base.own.warm_up: expected a number of at least 0 and below 1"),
        (
            "base.precision=bf16",
            "base.precision: expected one of auto, float32, bfloat16, but was given 'bf16'",
        ),
        (
            'base.tags=["sentiment", "mood"]',
            "base.tags: expected one or more of language, sentiment, experience, touchpoint, "
            "sponsored, but was given ['sentiment', 'mood']",
        ),
        ("base.tags=[]", "base.tags: expected one or more of language, sentiment"),
        ("corpora.validation_share=nan", "corpora.validation_share: expected a number"),
        ("corpora.most_posts=0", "corpora.most_posts: expected a whole number from 1 to"),
        ("corpora.licences=unstated", "corpora.licences: expected a list of texts, but was given"),
        ("fast.weka=1", "fast.weka: expected one of bits, least_posts, weak"),
        ("fsat.bits=1", "fsat: expected one of corpora, fast"),
        ("fast.bits.more=1", "fast.bits: expected a whole number"),
        ("fast=1", "fast: expected a section, but was given 1"),
        ("corpora.target=3", "corpora.target: expected a text, but was given 3"),
        ("corpora.folders=a", "corpora.folders: expected a list of texts, but was given 'a'"),
        ("corpora.folders=[1]", "corpora.folders: expected a list of texts, but was given [1]"),
        ("fast.sentiment.weights.own=x", "fast.sentiment.weights.own: expected a number"),
        ("fast.bits", "fast.bits: expected section.key=value"),
        ("=3", "expected one of corpora, fast"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_path(setting: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(told)) as refused:
        load_configuration(settings=[setting])
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"fast = [", "not a TOML file"), (b"\xff", "not a TOML file"), (None, "no such file")],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, content: bytes | None, told: str
) -> None:
    file = tmp_path / "own.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InputError, match=told) as refused:
        load_configuration(file)
    assert refused.value.file == str(file)
