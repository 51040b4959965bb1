"""Is the whole book in its EPUB, in a form that any reading device shows? Says so, and which file to open.

python book/_paper/check_epub.py _build/epub/threes-and-sevens.epub
"""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

BOOK = Path(__file__).parents[1]
HTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"
ORPHAN = re.compile(r"^orphan: true$", re.MULTILINE)
NOT_THERE = {
    "<script": "a script",
    "var(--": "a colour of the web pages' theme",
    "currentColor": "a colour of the theme",
}


def sources() -> dict[str, str]:
    """The book's pages: their names in the EPUB, and their texts."""
    files = (p for p in BOOK.rglob("*.md") if not p.relative_to(BOOK).parts[0].startswith("_"))
    texts = {p.relative_to(BOOK).with_suffix(".xhtml").as_posix(): p.read_text(encoding="utf-8") for p in files}
    return {name: text for name, text in texts.items() if not ORPHAN.search(text)}


def faults(pages: dict[str, str], written: dict[str, str]) -> Iterator[str]:
    """What is wrong with the EPUB's pages, given as name and text, for pages that were so written.

    >>> list(faults({"a.xhtml": "<p>no title</p>"}, {"a.xhtml": ":::{dropdown} Solution", "b.xhtml": ""}))
    ['a.xhtml: 0 titles', 'a.xhtml: 0 answers of 1', 'b.xhtml: not there']
    """
    for name, text in written.items():
        if name not in pages:
            yield f"{name}: not there"
            continue
        try:
            root = ET.fromstring(pages[name].replace("<!DOCTYPE html>", ""))
        except ET.ParseError as error:
            yield f"{name}: not XHTML: {error}"
            continue
        if (titles := len(root.findall(f".//{HTML}h1"))) != 1:
            yield f"{name}: {titles} titles"
        for kind, here, there in (
            (
                "answers",
                list(root.iter(HTML + "details")),
                len(re.findall(r"^\s*:{3,}\{dropdown\}", text, re.MULTILINE)),
            ),
            ("diagrams", root.findall(f".//{SVG}svg[@class='figure diagram']"), text.count("\n```{diagram}")),
        ):
            if len(here) != there:
                yield f"{name}: {len(here)} {kind} of {there}"
        if closed := [d for d in root.iter(HTML + "details") if "open" not in d.attrib]:
            yield f"{name}: {len(closed)} answers are folded, which some devices cannot open"
        yield from (f"{name}: has {what}" for mark, what in NOT_THERE.items() if mark in markup(pages[name]))


def markup(text: str) -> str:
    """The tags of a page, without its words."""
    return " ".join(re.findall(r"<[^>]*>", text))


def main(path: Path) -> None:
    with ZipFile(path) as archive:
        pages = {n: archive.read(n).decode() for n in archive.namelist() if n.endswith(".xhtml")}
        package = archive.read("content.opf").decode()
    written = sources()
    found = list(faults(pages, written))
    found += [f"{name}: not in the reading order" for name in written if f'href="{name}"' not in package]
    contents = pages["nav.xhtml"]
    found += [f"{name}: not in the table of contents" for name in written if f'href="{name}"' not in contents]
    if found:
        sys.exit(f"{path} is not the whole book:\n" + "\n".join(found))
    text = "".join(pages.values())
    kinds = {"figures": 'role="img"', "formulas": "<math", "answers": "<details"}
    print(f"{len(written)} pages, " + ", ".join(f"{text.count(mark)} {kind}" for kind, mark in kinds.items()))
    print("The book:", path.resolve().as_uri())


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        sys.exit("usage: python book/_paper/check_epub.py FILE.epub (make it first: tox -e epub)")
    main(Path(sys.argv[1]))
