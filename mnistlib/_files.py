"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["whole_file"]


@contextmanager
def whole_file(target: Path) -> Iterator[Path]:
    """Give a path beside the target to write to; it becomes the target when all went well, and is removed otherwise.

    Whoever reads the target meanwhile sees the old file or the new one, nothing between.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp(), "note.txt")
    >>> with whole_file(target) as file:
    ...     _ = file.write_text("whole")
    >>> target.read_text()
    'whole'
    """
    # Said here, since a later error would name the unfinished file, of which nobody has heard.
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "this is a folder; name a file in it", str(target))
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, "there is no such folder to write a file into", str(target.parent))
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(4)}.unfinished")
    try:
        yield unfinished
        os.replace(unfinished, target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
