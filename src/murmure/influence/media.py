"""Which kind of media a channel is: traditional, social or unknown, from an editable table."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from murmure.errors import InputError

#: Kinds of media that a table may name.
KINDS = ("traditional", "social")

#: The kind of a channel that no table names, and of a post without channel.
UNKNOWN = "unknown"

_SHIPPED = Path(__file__).with_name("media.toml")


def load_media(path: str | Path | None = None) -> Mapping[str, str]:
    """Reads a table of channels.

    Args:
        path: a TOML file with the lists `traditional` and `social`; the shipped one where None.

    Returns:
        The kind of each channel, by the channel's name in lower case.

    Raises:
        InputError: when the file cannot be read, has another key, or names a channel twice.

    Example:
        >>> load_media()["x"]
        'social'
    """
    path = _SHIPPED if path is None else Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"cannot be read ({error.strerror}); check --media"
        raise InputError(message, file=path) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not a TOML table: {error}", file=path) from None
    kinds: dict[str, str] = {}
    for kind, channels in table.items():
        if kind not in KINDS:
            message = f"unknown kind of media {kind!r}; the kinds are {' and '.join(KINDS)}"
            raise InputError(message, file=path)
        if not isinstance(channels, list) or not all(isinstance(name, str) for name in channels):
            raise InputError(f"{kind}: expected a list of channel names", file=path)
        for name in channels:
            key = name.strip().lower()
            if kinds.setdefault(key, kind) != kind:
                message = f"channel {name!r} is both {kinds[key]} and {kind}; keep one"
                raise InputError(message, file=path)
    return kinds
