"""Files that appear whole or not at all.

The package has the same, but whoever imports it loads PyTorch, which takes longer than to build a page again.
"""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(file: Path, text: str) -> None:
    """Whoever reads the file meanwhile sees the old one or the new one, nothing between."""
    unfinished = file.with_name(f".{file.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    os.replace(unfinished, file)
