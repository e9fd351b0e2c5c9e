"""The encoder that `base.encoder` names: found and seen to fit before anything long is done."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoTokenizer

from murmure.errors import ConfigurationError
from murmure.training.configuration import default_configuration
from murmure.training.export import check_exportable

SETTING = "base.encoder"
_EXPECTED = "a folder that `murmure encoder` or transformers wrote, or a hub id, owner/name"
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def find_encoder(name: str) -> str:
    """See that a name is a folder, or may be a hub id.

    Raises:
        ConfigurationError: if it is neither. What begins with a folder that is here, and the
            default, is a folder: the hub is never asked for `build/encoder`.

    Example:
        >>> find_encoder("./nowhere")
        Traceback (most recent call last):
            ...
        murmure.errors.ConfigurationError: base.encoder: expected a folder that `murmure encoder` \
or transformers wrote, or a hub id, owner/name, but was given './nowhere'
    """
    # An empty name would be the folder that one is in.
    if name and Path(name).is_dir():
        return name
    local = name == default_configuration()["base"]["encoder"] or Path(name).parent.is_dir()
    if local or not _HUB_ID.fullmatch(name):
        raise ConfigurationError(SETTING, given=name, expected=_EXPECTED)
    return name


def open_tokenizer(name: str) -> Any:  # noqa: ANN401 - any tokenizer of transformers
    """Load an encoder's tokenizer, and see that what is trained with both can be exported.

    Args:
        name: a folder or a hub id.

    Raises:
        ConfigurationError: if there is no such encoder, it cannot be exported, or its tokenizer
            cannot be written as `tokenizer.json` or knows more tokens than it.
    """
    find_encoder(name)
    try:
        shape = AutoConfig.from_pretrained(name)
        # Before the tokenizer, which may need libraries that only other encoders do.
        check_exportable(shape)
        tokenizer = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError, ImportError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ConfigurationError(SETTING, given=name, expected=f"{_EXPECTED} ({reason})") from error
    if not tokenizer.is_fast:
        expected = "an encoder whose tokenizer can be written as tokenizer.json"
        raise ConfigurationError(SETTING, given=name, expected=expected)
    if len(tokenizer) > shape.vocab_size:
        known = f"an encoder that knows the {len(tokenizer)} tokens of its tokenizer"
        raise ConfigurationError(SETTING, given=shape.vocab_size, expected=known)
    return tokenizer
