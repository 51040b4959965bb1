"""The built book, read as files: what every page must have, and what none may."""

import re
from collections import Counter
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

import pytest
from book_lint import problems
from bs4 import BeautifulSoup
from built import ROOT, SITE, needs_book

BOOK = ROOT / "book"
SOURCES = sorted(p for p in BOOK.rglob("*.md") if not p.relative_to(BOOK).parts[0].startswith("_"))
PAGES = sorted(p for p in SITE.rglob("*.html") if p.relative_to(SITE).parts[0] != "_static")


def name(path: Path) -> str:
    return path.relative_to(SITE if path.is_relative_to(SITE) else BOOK).as_posix()


@cache
def soup(page: Path) -> BeautifulSoup:
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


@cache
def ids(page: Path) -> Counter[str]:
    return Counter(tag["id"] for tag in soup(page).find_all(id=True))


def each_page(function):
    return needs_book(pytest.mark.parametrize("page", PAGES, ids=name)(function))


@pytest.mark.parametrize("source", SOURCES, ids=name)
def test_source_is_free_of_what_goes_wrong_silently(source):
    assert list(problems(source.read_text(encoding="utf-8"), name(source))) == []


@needs_book
@pytest.mark.parametrize("source", SOURCES, ids=name)
def test_every_source_became_a_page(source):
    assert (SITE / source.relative_to(BOOK)).with_suffix(".html").is_file()


@each_page
def test_page_asks_no_third_party(page):
    """Nothing that a browser fetches by itself comes from elsewhere."""
    fetched = [
        (tag.name, tag.get(attribute))
        for tags, attribute in (
            (["script", "img", "source", "iframe", "video", "audio", "embed", "image", "use"], "src"),
            (["link", "image", "use"], "href"),
            (["object"], "data"),
            (["img", "source"], "srcset"),
        )
        for tag in soup(page).find_all(tags)
        if re.match(r"(https?:)?//", tag.get(attribute) or "") and tag.get("rel") != ["canonical"]
    ]
    styles = [s for s in soup(page).find_all("style") if re.search(r"url\(['\"]?(https?:)?//|@import", s.text)]
    assert fetched + styles == []


@needs_book
def test_style_sheets_ask_no_third_party():
    far = re.compile(rb"url\(['\"]?(https?:)?//|@import\s+(url\()?['\"]?(https?:)?//")
    assert [name(p) for p in SITE.rglob("*.css") if far.search(p.read_bytes())] == []


@each_page
def test_page_is_small(page):
    assert page.stat().st_size < 1_500_000


@each_page
def test_pictures_are_described(page):
    silent = [str(i)[:200] for i in soup(page).select(".bd-article img") if not i.get("alt")]
    silent += [
        str(svg)[:200]
        for svg in soup(page).select(".bd-article svg")
        if not svg.get("aria-label") and svg.get("aria-hidden") != "true"
    ]
    assert silent == []


@each_page
def test_no_number_is_missing(page):
    """A glued value that was not found leaves its markup, or an empty place, behind."""
    text = "".join(t for t in soup(page).find_all(string=True) if not t.find_parent(["pre", "code", "script"]))
    assert "{glue" not in text
    assert "{term}" not in text
    assert [s for s in soup(page).select(".pasted-text") if not s.text.strip()] == []


@each_page
def test_ids_are_unique(page):
    assert [i for i, count in ids(page).items() if count > 1] == []


@each_page
def test_one_main_heading(page):
    assert len(soup(page).select("main h1:not(#jb-print-docs-body h1)")) == 1


@each_page
def test_links_inside_the_book_lead_somewhere(page):
    lost = []
    for link in soup(page).find_all(["a", "use"], href=True):
        address, fragment = urldefrag(link["href"])
        if urlsplit(address).scheme or address.startswith("//"):
            continue
        target = (page.parent / unquote(urlsplit(address).path)).resolve() if address else page
        target = target / "index.html" if target.is_dir() else target
        if not target.is_file() or (fragment and target.suffix == ".html" and unquote(fragment) not in ids(target)):
            lost.append(link["href"])
    assert lost == []


@needs_book
def test_one_search_box():
    """The search page has its own form; every other page one visible field or button for it."""
    visible = soup(SITE / "index.html").select(".bd-sidebar-primary .search-button-field")
    assert len(visible) == 1


@each_page
def test_links_to_styles_are_the_same_in_every_build(page):
    """A checksum follows each. It was missing in first builds, where a file came after the pages."""
    links = [link["href"] for link in soup(page).select("link[rel=stylesheet][href*=_static]")]
    assert [link for link in links if "?v=" not in link and "?digest=" not in link] == []
