"""The book as one PDF, printed from its built pages.

    python book/_paper/pdf.py _build/site/en _build/paper/threes-and-sevens.pdf

The pages are laid one after another into a single HTML file, which the browser prints that also tests the book. So a
formula, a figure and a table look on paper as they do on the screen, and nothing else has to be installed: no TeX, and
no converter that knows half of the language. Only the Chinese edition brings a font (chinese_font.py). Sphinx's own
`singlehtml` would do for the text, but it leaves headings such as "Exercises" with the same id on every page, and a
link to one of them astray.

It is printed twice: the first time tells on which page everything stands, the second has those numbers in its table of
contents. What is missing then (a page, a figure, a solution) stops the script.
"""

from __future__ import annotations

import os
import posixpath
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import chinese_font
from browser import NONE, launch
from bs4 import BeautifulSoup, Tag

HERE = Path(__file__).parent
COLUMN = 642  # CSS px between the margins: 210 mm less twice 20 mm
REFERS = ("aria-labelledby", "aria-describedby", "aria-controls", "for", "headers")
LEFT_OUT = "script, .headerlink, .widget, .sd-summary-state-marker, #jb-print-docs-body, button"


@dataclass
class Page:
    """One page of the book: its name, its depth in the table of contents, and what stands on it."""

    name: str
    level: int
    part: str  # the part that begins with this page, or nothing
    title: str = ""
    article: Tag | None = None
    links: list[str] = field(default_factory=list)


def anchor(page: str, fragment: str = "") -> str:
    """The id of a place in the whole book.

    >>> anchor("seeing/pixels"), anchor("seeing/pixels", "exercises")
    ('seeing-pixels', 'seeing-pixels--exercises')
    """
    return page.replace("/", "-") + (f"--{fragment}" if fragment else "")


def destination(link: str, page: str, pages: set[str]) -> str | None:
    """Where a page's link leads in the whole book; None where that is no part of it.

    >>> pages = {"index", "seeing/pixels", "learning/gradient-descent"}
    >>> destination("../learning/gradient-descent.html#fig-slope", "seeing/pixels", pages)
    '#learning-gradient-descent--fig-slope'
    >>> destination("#exercises", "seeing/pixels", pages), destination("https://x.org/a", "seeing/pixels", pages)
    ('#seeing-pixels--exercises', 'https://x.org/a')
    >>> destination("../genindex.html", "seeing/pixels", pages)
    """
    if urlsplit(link).scheme:
        return link
    address, fragment = urldefrag(link)
    target = posixpath.normpath(posixpath.join(posixpath.dirname(page), unquote(address))) if address else page
    target = target.removesuffix(".html")
    return f"#{anchor(target, unquote(fragment))}" if target in pages else None


def contents(site: Path) -> list[Page]:
    """The pages in reading order, from the table of contents beside the first of them."""
    soup = read(site / "index.html")
    found, part = [Page("index", 1, "")], ""
    for item in soup.select("nav.bd-docs-nav :is(.caption, li > a)"):
        if "caption" in item.get("class", []):
            part = item.get_text(strip=True)
            continue
        name = urldefrag(item["href"])[0].removesuffix(".html")
        if name in {"", "#", "index"}:
            continue
        level = next(int(c[-1]) for c in item.parent["class"] if re.fullmatch(r"toctree-l\d", c))
        found.append(Page(posixpath.normpath(name), level, part))
        part = ""
    return found


def read(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def fit_in(page: Page, article: Tag, pages: set[str], files: str) -> None:
    """Make an article part of a larger whole: its own ids, links to match, and nothing that needs a script."""
    for useless in article.select(LEFT_OUT):
        useless.decompose()
    for details in article.find_all("details"):
        details["open"] = ""
    for tag in article.find_all(True):
        rename(tag, anchor(page.name))
        if tag.name == "img" and not tag["src"].startswith("data:"):
            tag["src"] = posixpath.normpath(posixpath.join(files, posixpath.dirname(page.name), tag["src"]))
        elif tag.get("href"):
            link = destination(tag.attrs.pop("href"), page.name, pages)
            tag.attrs |= {"href": link} if link else {}
            page.links += [link] if link and link.startswith("#") and tag.name == "a" else []
    title = article.find("h1")
    page.title = title.get_text().strip()
    title["class"] = "page-title"
    shift = page.level if page.name != "index" else 0  # a part is the highest heading, its pages come below
    for heading in article.find_all(re.compile("^h[1-6]$")):
        heading.name = f"h{min(6, int(heading.name[1]) + shift)}"
    page.article = article


def rename(tag: Tag, page: str) -> None:
    """Give a tag's ids, and what refers to them inside of the page, the page's name."""
    for key, value in list(tag.attrs.items()):
        if key == "id":
            tag[key] = f"{page}--{value}"
        elif key in REFERS:
            tag[key] = " ".join(f"{page}--{one}" for one in value.split())
        elif isinstance(value, str) and "url(#" in value:
            tag[key] = value.replace("url(#", f"url(#{page}--")
    if tag.name == "style" and tag.string:  # the shades of a table's cells
        tag.string = re.sub(r"#(?=T\d)", f"#{page}--", tag.string)


def whole(site: Path, pages: list[Page], files: str) -> BeautifulSoup:
    """The book as one HTML document, whose table of contents has no page numbers yet."""
    names = {page.name for page in pages}
    first = read(site / "index.html")
    language = first.html["lang"]
    for page in pages:
        fit_in(page, read(site / f"{page.name}.html").select_one("article.bd-article"), names, files)
    title = pages[0].title
    styles = "".join(
        f'<link rel="stylesheet" href="{posixpath.join(files, link["href"].split("?")[0])}">'
        for link in first.select('link[rel="stylesheet"]')
    )
    notice = first.select_one(".copyright")
    rights = notice.get_text(" ", strip=True) if notice else ""
    parts = [
        f'<!doctype html><html lang="{language}" data-theme="light"><head><meta charset="utf-8">',
        f"<title>{escape(title)}</title>{styles}<style>{(HERE / 'pdf.css').read_text(encoding='utf-8')}",
        *(f"@page p{n} {{ @top-left {{ content: {quoted(p.title)} }} }}\n" for n, p in enumerate(pages)),
        f'{chinese_style(language)}</style></head><body class="bd-content">',
        f'<section class="cover"><img alt="" src="{posixpath.join(files, "_static/logo.svg")}">',
        f'<p class="book-title">{escape(title)}</p><p>{rights}</p></section>',
        f'<nav class="lines"><h1>{escape(word("Table of Contents", language))}</h1>{"".join(entries(pages))}</nav>',
    ]
    for number, page in enumerate(pages):
        part = f'<h1 class="part">{escape(page.part)}</h1>' if page.part else ""
        parts.append(f'<section class="page" id="{anchor(page.name)}" style="page: p{number}">{part}')
        parts.append(f"{page.article}</section>")
    return BeautifulSoup("".join(parts) + "</body></html>", "html.parser")


def chinese_style(language: str) -> str:
    """On paper, Chinese characters come from our own font: the machine that prints may have none."""
    if not language.startswith("zh"):
        return ""
    base = f'"DejaVu Sans", "Noto Sans", "Segoe UI", "Helvetica Neue", "{chinese_font.NAME}", sans-serif'
    mono = f'"DejaVu Sans Mono", Menlo, Consolas, "{chinese_font.NAME}", monospace'
    return (
        chinese_font.style(chinese_font.whole_font().as_uri())
        + f"html {{ --pst-font-family-base: {base}; --pst-font-family-monospace: {mono}; }}"
    )


def entries(pages: list[Page]) -> Iterator[str]:
    """The lines of the table of contents."""
    for page in pages:
        if page.part:
            yield f'<p class="part">{escape(page.part)}</p>'
        yield (
            f'<p class="level{page.level}"><a href="#{anchor(page.name)}">{escape(page.title)}</a>'
            f'<span data-page-of="{anchor(page.name)}"></span></p>'
        )


def quoted(text: str) -> str:
    """A string of CSS."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def word(text: str, language: str) -> str:
    """A word of the frame, in the book's language, from Sphinx's own catalogues."""
    import sphinx
    from sphinx.locale import init

    translator, _ = init([Path(sphinx.__file__).parent / "locale"], language.replace("-", "_"))
    return translator.gettext(text)


# -- Printing ----------------------------------------------------------------------------------------------------

# What is wider than the column becomes smaller, as it cannot scroll. Short pieces of code stay on one page.
FIT = """() => {
  for (const box of document.querySelectorAll(".table-box, .pst-scrollable-table-container, div.math, .figure-box")) {
    const wide = Math.max(box.scrollWidth, ...[...box.children].map((child) => child.scrollWidth));
    if (wide > box.clientWidth + 1) box.style.zoom = box.clientWidth / wide;
  }
  for (const box of document.querySelectorAll(".cell_input, .highlight, .admonition")) {
    if (box.offsetHeight < 320) box.classList.add("together");
  }
}"""
FLAT = """() => [...document.querySelectorAll("details, details > div, svg.figure, math, table, img")]
  .filter((part) => !part.getBoundingClientRect().height).map((part) => part.outerHTML.slice(0, 120))"""


def main(site: Path, target: Path) -> None:
    pages = contents(site)
    book = whole(site, pages, Path(os.path.relpath(site, target.parent)).as_posix())
    target.parent.mkdir(parents=True, exist_ok=True)
    source = target.with_suffix(".html")
    data, flat = print_twice(book, source)
    target.write_bytes(data)
    if found := list(missing(site, pages, book, data)) + [f"takes no room: {part}" for part in flat]:
        sys.exit(f"{target} is not the whole book:\n" + "\n".join(found))
    solutions, figures = len(book.select("details.sd-dropdown")), len(book.select("svg.figure"))
    print(
        f"{data.count(PAGE)} sheets with {len(pages)} pages of the book, {figures} figures, {solutions} answers, "
        f"{len(data) / 1e6:.1f} MB"
    )
    print("The book:", target.as_uri())


def print_twice(book: BeautifulSoup, source: Path) -> tuple[bytes, list[str]]:
    """The PDF, and what of the book takes no room in it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright)
        if browser is None:
            sys.exit(NONE)
        numbers: dict[str, int] = {}
        for _ in range(2):
            for place in book.select("[data-page-of]"):
                place.string = str(numbers.get(place["data-page-of"], ""))
            source.write_text(str(book), encoding="utf-8")
            page = browser.new_page(viewport={"width": COLUMN, "height": 900}, color_scheme="light")
            page.emulate_media(media="print")
            page.goto(source.as_uri())
            page.evaluate(FIT)
            flat = page.evaluate(FLAT)
            data = page.pdf(prefer_css_page_size=True, print_background=True, outline=True, tagged=True)
            page.close()
            numbers = sheets(data)
        browser.close()
    return once_each(data), flat


# -- Reading what was printed ------------------------------------------------------------------------------------
# Chromium writes a PDF's skeleton as plain text; only what stands on the sheets is compressed.

PAGE = b"/Type /Page\n"
LEAF = re.compile(rb"/Kids \[([^\]]*)\]")
PLACE = re.compile(rb"\n/([\w-]+) \[(\d+) 0 R /XYZ")
TITLE = re.compile(rb"(?<=/Title )(\((?:\\.|[^\\)])*\)|<[0-9A-F]*>)(?=\n/Dest)", re.DOTALL)


def sheets(data: bytes) -> dict[str, int]:
    """The number of the sheet on which each place stands that something links to."""
    kinds = set(re.findall(rb"\n(\d+) 0 obj\n<<" + PAGE, data))
    kids = [kid for found in LEAF.findall(data) for kid in re.findall(rb"(\d+) 0 R", found)]
    order = {kid: number for number, kid in enumerate((kid for kid in kids if kid in kinds), 1)}
    places = data[data.rfind(b"<</", 0, data.find(b" 0 R /XYZ")) + 2 :] if b" 0 R /XYZ" in data else b""
    return {name.decode(): order[sheet] for name, sheet in PLACE.findall(b"\n" + places) if sheet in order}


def titles(data: bytes) -> list[str]:
    r"""The headings in the PDF's outline.

    >>> titles(b"/Title (Say \\(when\\))\n/Dest /Title <FEFF56FE>\n/Dest")
    ['Say (when)', '图']
    """
    return [
        bytes.fromhex(raw[5:-1].decode()).decode("utf-16-be")
        if raw.startswith(b"<FEFF")
        else re.sub(r"\\(.)", r"\1", raw[1:-1].decode("latin-1"))
        for raw in TITLE.findall(data)
    ]


def once_each(data: bytes) -> bytes:
    r"""Chromium names a heading twice in the outline where it was moved to the next sheet: `ExercisesExercises`.

    The second half becomes spaces outside of the string, so that nothing in the file changes its place.

    >>> once_each(b"/Title (ExercisesExercises)\n/Dest")
    b'/Title (Exercises)         \n/Dest'
    """

    def halved(match: re.Match[bytes]) -> bytes:
        raw = match[1]
        head = 5 if raw.startswith(b"<FEFF") else 1
        body, end = raw[head:-1], raw[-1:]
        half = len(body) // 2
        same = body and body[:half] == body[half:]
        return raw[:head] + body[:half] + end + b" " * half if same else raw

    return TITLE.sub(halved, data)


def missing(site: Path, pages: list[Page], book: BeautifulSoup, data: bytes) -> Iterator[str]:
    """What is in the book, but not in its PDF."""
    places, outline = sheets(data), {squeezed(title) for title in titles(data)}
    ids = {tag["id"] for tag in book.find_all(id=True)}
    for page in pages:
        if anchor(page.name) not in places:
            yield f"no sheet begins the page {page.name}"
        if squeezed(page.title) not in outline:
            yield f"the outline lacks {page.title!r}"
        yield from (f"{page.name}: a link leads nowhere: {link}" for link in page.links if link[1:] not in ids)
    if book.html["lang"].startswith("zh") and b"NotoSansCJKsc" not in data:
        yield "the font for Chinese characters"
    described = data.count(b"/Alt ")
    figures = len(book.select("svg.figure, img[alt]:not([alt=''])"))
    if described < figures:
        yield f"{figures} figures, but only {described} descriptions of figures"
    for kind in ("details.sd-dropdown", "svg.figure", "math", "table"):
        there = sum(len(read(site / f"{page.name}.html").select(f"article.bd-article {kind}")) for page in pages)
        if there != len(book.select(f"section.page {kind}")):
            yield f"the pages have {there} {kind}, the PDF {len(book.select(f'section.page {kind}'))}"


def squeezed(text: str) -> str:
    return "".join(text.split())


if __name__ == "__main__":
    if len(sys.argv) != 3 or not Path(sys.argv[1], "index.html").is_file():
        sys.exit(
            "usage: python book/_paper/pdf.py FOLDER-OF-THE-BUILT-BOOK FILE.pdf (build the book first: tox -e book)"
        )
    main(*(Path(argument).resolve() for argument in sys.argv[1:]))
