"""Models on the Hugging Face hub, fetched once and kept in its own cache."""

from __future__ import annotations

import re
from pathlib import Path

from murmure.errors import ModelError, UsageError

# As the hub allows them: an owner and a name.
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


def find_on_hub(model: str | Path | None, *, revision: str | None = None) -> Path | None:
    """Fetch a model that is named like one on the hub and is no folder here.

    Args:
        model: as `Predictor.from_pretrained` takes it.
        revision: a branch, tag or commit.

    Returns:
        The folder that it was fetched to; None where the model is not on the hub.

    Raises:
        ModelError: if it cannot be fetched, or `huggingface_hub` is not installed.
        UsageError: if a revision is given for a model that is not on the hub.
    """
    if not isinstance(model, str) or not _HUB_ID.fullmatch(model) or Path(model).exists():
        if revision is not None:
            raise UsageError(f"revision: '{model}' is no model on the hub, such as owner/name")
        return None
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        message = (
            f"no folder '{model}'; to fetch it from the Hugging Face hub, "
            "install its library: pip install huggingface_hub"
        )
        raise ModelError(message) from error
    try:
        return Path(snapshot_download(model, revision=revision))
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        message = f"no folder '{model}', and the Hugging Face hub did not give it: {reason}"
        raise ModelError(message) from error
