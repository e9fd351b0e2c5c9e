"""What the site takes from elsewhere in the repository: the models' cards, and CONTRIBUTING.md."""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_ROOT = Path(__file__).parent.parent
_TAKEN = {
    "contributing.md": "CONTRIBUTING.md",
    "models/base.md": "models/base/README.md",
    "models/fast.md": "models/fast/README.md",
}
# Pictures that the cards show, beside them.
_PICTURE = re.compile(r"!\[[^]]*\]\(([\w.-]+\.png)\)")
_SITE_FOLDER = re.compile(r"\]\(docs/")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and their pictures."""
    for uri, name in _TAKEN.items():
        source = _ROOT / name
        text = source.read_text("utf-8")
        for picture in sorted(set(_PICTURE.findall(text))):
            placed = f"{uri.removesuffix('.md')}-{picture}"
            content = (source.parent / picture).read_bytes()
            files.append(File.generated(config, placed, content=content))
            text = text.replace(f"]({picture})", f"]({Path(placed).name})")
        text = _SITE_FOLDER.sub("](", text)
        files.append(File.generated(config, uri, content=text))
    return files
