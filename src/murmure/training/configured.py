"""What the section `corpora` of a configuration names: posts, and records of labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from murmure.errors import ConfigurationError
from murmure.training import licences
from murmure.training.corpora import Corpora, read_corpora, refused_corpora
from murmure.training.recorded import records_name, relabel


def configured_corpora(given: Mapping[str, Any]) -> Corpora:
    """Read what the section `corpora` of a configuration names.

    Raises:
        InputError: as `read_corpora`.
        ConfigurationError: as `read_corpora`, or if a file of records is not there.
    """
    corpora = read_corpora(
        given["folders"],
        datasets=given["datasets"],
        leave_out=given["leave_out"],
        accepted=given["licences"],
        most_posts=given["most_posts"],
        seed=given["seed"],
    )
    for file in given["records"]:
        if not Path(file).is_file():
            expected = "files of records; --set corpora.records=[] trains without"
            raise ConfigurationError("corpora.records", given=file, expected=expected)
    names = recorded_names(given)
    files = [file for file in given["records"] if records_name(file) in names]
    return relabel(corpora, files, target=given["target"]) if files else corpora


def recorded_names(given: Mapping[str, Any]) -> list[str]:
    """Name the corpora that the files of `corpora.records` make, but those to be left out."""
    return sorted({records_name(file) for file in given["records"]} - {*given["leave_out"]})


def left_out(given: Mapping[str, Any]) -> list[str]:
    """Name the corpora that a configuration keeps from being read, by name or by licence."""
    refused = refused_corpora(
        given["folders"], datasets=given["datasets"], accepted=given["licences"]
    )
    return sorted({*given["leave_out"], *refused})


def barred_posts(corpora: Corpora, given: Mapping[str, Any]) -> NDArray[np.bool_]:
    """Tell which posts may be measured on, but by their origin's licence not be trained on.

    Args:
        corpora: the posts.
        given: the section `corpora` of a configuration.
    """
    cards = licences.read_cards(given["folders"])
    return licences.barred(
        corpora.corpus,
        corpora.origin,
        cards,
        accepted=given["licences"],
        by_origin=recorded_names(given),
    )


def settings_told(given: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a manifest tells of the section `corpora`.

    Where files lay on this machine is nobody's business.

    Example:
        >>> settings_told({"folders": ["/home/me/in"], "records": ["/home/me/mine/a.parquet"]})
        {'records': ['mine/a.parquet']}
    """
    records = [f"{records_name(file)}/{Path(file).name}" for file in given["records"]]
    return {key: value for key, value in given.items() if key != "folders"} | {"records": records}
