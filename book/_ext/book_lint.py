"""What a page must not contain, each because it went wrong once without a word.

The build warns (and `-W` makes that an error); tests/test_book.py asks the same function.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from sphinx.util import logging

log = logging.getLogger(__name__)

GLUE = re.compile(r"\{glue(?::(?P<kind>\w*))?\}`(?P<target>[^`]*)`")
NUMBERED = re.compile(r"^#{1,6}\s+\d+[.)]\s")
FAR_IMAGE = re.compile(r"!\[[^\]]*\]\(\s*<?https?:|\{(?:image|figure)\}\s*https?:|<img[^>]+src=[\"']?https?:")
FENCE = re.compile(r"^\s*(`{3,}|~{3,})(.*)$")
CODE = re.compile(r"\s*(\{(code|doctest|diagram)|[^{]|$)")


def problems(text: str, page: str) -> Iterator[tuple[int, str]]:
    """Line numbers and messages for one page.

    >>> list(problems("# 1. Pixels\\nWe have {glue:text}`n` images.", "seeing/pixels.md"))  # doctest: +ELLIPSIS
    [(1, 'headings carry no typed numbers...'), (2, 'write {glue:text}`pixels.md::key:format`...')]
    """
    name = PurePosixPath(page).name
    for number, line in markup(text):
        if NUMBERED.match(line):
            yield number, "headings carry no typed numbers (Sphinx would leave such a heading untranslated)"
        for glue in GLUE.finditer(line):
            if glue["kind"] != "text" or not glue["target"].startswith(f"{name}::"):
                yield number, f"write {{glue:text}}`{name}::key:format`; other forms come out empty in a translation"
        if FAR_IMAGE.search(line):
            yield number, "images live in the repository; a page asks no third party for anything"


def markup(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a page, without those of its code, which are not markup whatever they look like."""
    fence = ""
    for number, line in enumerate(text.splitlines(), 1):
        found = FENCE.match(line)
        if found and not fence and CODE.match(found[2]):
            fence = found[1]
        elif found and fence and found[1].startswith(fence) and not found[2].strip():
            fence = ""
        if not fence:
            yield number, line


def check(app, docname: str, source: list[str]) -> None:
    page = app.env.doc2path(docname, base=False)
    for number, message in problems(source[0], str(page).replace("\\", "/")):
        log.warning(message, location=(docname, number), type="book", subtype="lint")


def setup(app):
    app.connect("source-read", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
