"""The configuration of a training: one commented default file, and what differs from it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from murmure.errors import ConfigurationError, InputError
from murmure.schema import TAGS

#: The names of settings that may be added to: what corpora weigh.
_OPEN = ("weights",)
# What would be of the right type and make no model all the same: least and most.
_RANGES = {"corpora.folds": (2, 100), "fast.bits": (8, 24), "base.longest": (8, 8192)}
# Numbers that are parts of a whole, and may not be all of it.
_SHARES = ("validation_share", "dropout", "encoder_dropout", "warm_up")
#: In what numbers an encoder is trained.
PRECISIONS = ("auto", "float32", "bfloat16")
# Texts that are names, and lists of such.
_NAMES = {"base.precision": PRECISIONS, "base.tags": TAGS}
# Where nothing at all is a choice too.
_MAY_BE_ZERO = ("layers", "frozen", "others", "validate_every", "patience", "seed")


def default_configuration() -> dict[str, Any]:
    """Give the settings of `default.toml`."""
    text = resources.files("murmure.training").joinpath("default.toml").read_text("utf-8")
    return tomllib.loads(text)


def load_configuration(file: Path | None = None, *, settings: Sequence[str] = ()) -> dict[str, Any]:
    """Lay a file and single settings over the default.

    Args:
        file: TOML that names what differs.
        settings: such as `fast.bits=20`, the value in TOML's writing or a bare word.

    Raises:
        InputError: if the file cannot be read.
        ConfigurationError: if a setting is unknown, out of range or of another type than the
            default.

    Example:
        >>> load_configuration(settings=["fast.bits=20"])["fast"]["bits"]
        20
        >>> load_configuration(settings=["fast.bits=many"])
        Traceback (most recent call last):
            ...
        murmure.errors.ConfigurationError: fast.bits: expected a whole number, but was given 'many'
    """
    configuration = default_configuration()
    if file is not None:
        try:
            given = tomllib.loads(file.read_text("utf-8"))
        except FileNotFoundError:
            raise InputError("no such file", file=file) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"not a TOML file: {error}", file=file) from error
        _lay_over(configuration, given, path="")
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise ConfigurationError(setting, given=setting, expected="section.key=value")
        nested: Any = _parse(value)
        for key in reversed(name.strip().split(".")):
            nested = {key: nested}
        _lay_over(configuration, nested, path="")
    return configuration


def _parse(value: str) -> object:
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value


def _lay_over(base: dict[str, Any], given: Mapping[str, Any], *, path: str) -> None:
    open_ended = path.rpartition(".")[2] in _OPEN
    for key, value in given.items():
        name = f"{path}.{key}" if path else key
        if key not in base:
            if not open_ended:
                known = ", ".join(base)
                raise ConfigurationError(name, given=value, expected=f"one of {known}")
            base[key] = _checked(name, value, 0.0)
        elif isinstance(base[key], dict):
            if not isinstance(value, Mapping):
                raise ConfigurationError(name, given=value, expected="a section")
            _lay_over(base[key], value, path=name)
        else:
            base[key] = _checked(name, value, base[key])


def _checked(name: str, value: Any, default: Any) -> Any:  # noqa: ANN401 - any TOML value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(default, int):
        if not isinstance(value, int) or isinstance(value, bool):
            raise ConfigurationError(name, given=value, expected="a whole number")
        least, most = _RANGES.get(name, (int(name.rpartition(".")[2] not in _MAY_BE_ZERO), 2**31))
        if not least <= value <= most:
            expected = f"a whole number from {least} to {most}"
            raise ConfigurationError(name, given=value, expected=expected)
    elif isinstance(default, float):
        if not number or not 0 <= value < float("inf"):
            raise ConfigurationError(name, given=value, expected="a number of at least 0")
        if name.rpartition(".")[2] in _SHARES and value >= 1:
            expected = "a number of at least 0 and below 1"
            raise ConfigurationError(name, given=value, expected=expected)
        return float(value)
    elif isinstance(default, list):
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ConfigurationError(name, given=value, expected="a list of texts")
        if name in _NAMES and (not value or not set(value) <= set(_NAMES[name])):
            expected = f"one or more of {', '.join(_NAMES[name])}"
            raise ConfigurationError(name, given=value, expected=expected)
    elif not isinstance(value, str):
        raise ConfigurationError(name, given=value, expected="a text")
    elif name in _NAMES and value not in _NAMES[name]:
        expected = f"one of {', '.join(_NAMES[name])}"
        raise ConfigurationError(name, given=value, expected=expected)
    return value
