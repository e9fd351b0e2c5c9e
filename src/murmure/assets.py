"""Where the shipped models and the sample lie: in the installed package, or in a checkout."""

from __future__ import annotations

from pathlib import Path

from murmure.errors import InputError, ModelError

_PACKAGE = Path(__file__).parent
_CHECKOUT = _PACKAGE.parent.parent


def models_folder() -> Path:
    """The folder that holds one folder for each shipped model.

    Raises:
        ModelError: where murmure was installed without it.
    """
    found = _folder("models", checkout="models")
    if found is None:
        raise ModelError("the shipped models are missing; install murmure again", file="models")
    return found


def sample_folder() -> Path:
    """The folder with `posts.jsonl`, `labels.csv` and `catalog.toml` of the sample.

    Raises:
        InputError: where murmure was installed without it.

    Example:
        >>> (sample_folder() / "catalog.toml").exists()
        True
    """
    found = _folder("sample", checkout="data/sample")
    if found is None:
        raise InputError("the sample posts are missing; install murmure again", file="sample")
    return found


def cards_file() -> Path:
    """The file with the cards of the corpora that models were trained on.

    Raises:
        InputError: where murmure was installed without it.

    Example:
        >>> cards_file().name
        'cards.toml'
    """
    found = _folder("corpora", checkout="data/corpora")
    if found is None:
        raise InputError("the cards of corpora are missing; install murmure again", file="corpora")
    return found / "cards.toml"


def _folder(name: str, *, checkout: str) -> Path | None:
    # A checkout's own files win over copies that an earlier build may have left in the package.
    if (_CHECKOUT / "pyproject.toml").is_file() and (_CHECKOUT / checkout).is_dir():
        return _CHECKOUT / checkout
    return _PACKAGE / name if (_PACKAGE / name).is_dir() else None
