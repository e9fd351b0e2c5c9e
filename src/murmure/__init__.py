"""Reads posts in French and English for the experiences people report, then counts the people.

    from murmure import Predictor

    predictor = Predictor.from_pretrained()
    predictor("Commande jamais reçue 😡").touchpoint.label      # 'delivery'

Names are loaded when they are first used: `import murmure` alone loads no other library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from murmure.batch import tag_file
    from murmure.catalog import Catalog
    from murmure.errors import MurmureError
    from murmure.influence import count
    from murmure.schema import Mention, Post, Tag, Tags
    from murmure.tagging import Predictor

    __version__: str

__all__ = [
    "Catalog",
    "Mention",
    "MurmureError",
    "Post",
    "Predictor",
    "Tag",
    "Tags",
    "__version__",
    "count",
    "tag_file",
]

_HOMES = {
    "Catalog": "murmure.catalog",
    "Mention": "murmure.schema",
    "MurmureError": "murmure.errors",
    "Post": "murmure.schema",
    "Predictor": "murmure.tagging",
    "Tag": "murmure.schema",
    "Tags": "murmure.schema",
    "count": "murmure.influence",
    "tag_file": "murmure.batch",
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - as the names themselves
    """Loads a public name where it is first used."""
    if name == "__version__":
        value: Any = _version()
    elif name in _HOMES:
        from importlib import import_module

        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted({*globals(), *__all__})


def _version() -> str:
    """The version that is installed; "unknown" where murmure runs from its source alone."""
    from importlib import metadata

    try:
        return metadata.version("murmure")
    except metadata.PackageNotFoundError:
        return "unknown"
