"""The small tree of exceptions that murmure raises.

Every message names the file, line, column or setting at fault and says what to do.
The command line prints the message alone, never a traceback.
"""

from __future__ import annotations

from pathlib import Path


class MurmureError(Exception):
    """Whatever murmure refuses to do, with the reason and the remedy in its message.

    Attributes:
        exit_code: the process exit code of a command that ends with this error.
    """

    exit_code = 1


class UsageError(MurmureError):
    """An option, argument or setting that does not exist or does not fit the others."""

    exit_code = 2


class ConfigurationError(UsageError):
    """A setting of a configuration file that is unknown, of the wrong type or out of range.

    Example:
        >>> str(ConfigurationError("fast.buckets", given="many", expected="a power of two"))
        "fast.buckets: expected a power of two, but was given 'many'"
    """

    def __init__(self, setting: str, *, given: object, expected: str) -> None:
        super().__init__(f"{setting}: expected {expected}, but was given {given!r}")
        self.setting = setting


class InputError(MurmureError):
    """A file of posts, a catalogue or a table that cannot be read as what it should be.

    Example:
        >>> str(InputError("no column 'text'; name it with --columns", file="posts.csv", line=1))
        "posts.csv, line 1: no column 'text'; name it with --columns"
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | Path | None = None,
        line: int | None = None,
        column: str | None = None,
    ) -> None:
        place = [str(file)] if file is not None else []
        if line is not None:
            place.append(f"line {line}")
        if column is not None:
            place.append(f"column '{column}'")
        super().__init__(": ".join(filter(None, [", ".join(place), message])))
        self.file = None if file is None else str(file)
        self.line = line
        self.column = column


class ModelError(MurmureError):
    """A model folder that is missing, damaged or made for another version."""

    def __init__(self, message: str, *, file: str | Path | None = None) -> None:
        super().__init__(message if file is None else f"{file}: {message}")
        self.file = None if file is None else str(file)


class RunError(MurmureError):
    """A run of tagging or training that may not be started, resumed or counted as it stands."""

    def __init__(self, message: str, *, file: str | Path | None = None) -> None:
        super().__init__(message if file is None else f"{file}: {message}")
        self.file = None if file is None else str(file)
