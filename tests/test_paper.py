"""The book as EPUB and PDF: the parts of it that can be tested without making either."""

import doctest
from contextlib import nullcontext

import check_epub
import epub
import pdf
import pytest


@pytest.mark.parametrize("script", [pdf, check_epub], ids=lambda script: script.__name__)
def test_examples(script):
    tried = doctest.testmod(script)
    assert tried.attempted and not tried.failed


SIDEBAR = """<html lang="en"><body><nav class="bd-docs-nav"><p class="caption">Seeing</p><ul>
<li class="toctree-l1"><a href="seeing/pixels.html">Pixels</a></li>
<li class="toctree-l1"><a href="reference/api.html">API</a><ul>
<li class="toctree-l2"><a href="reference/data.html">Data</a></li></ul></li></ul></nav>
<article class="bd-article"><h1>Book</h1></article></body></html>"""
PIXELS = """<article class="bd-article"><section id="pixels"><h1>Pixels<a class="headerlink" href="#pixels">#</a></h1>
<h2 id="exercises">Exercises</h2><a href="../index.html">start</a><a href="#exercises">do</a>
<a href="../search.html">s</a>
<details><summary>Solution</summary><p>Yes.</p></details>
<div class="widget"></div><script>x</script>
<svg class="figure"><defs><clipPath id="c"></clipPath></defs><g clip-path="url(#c)"></g></svg>
<style>#T1_row0_col0 {color: red}</style><table id="T1"></table></section></article>"""


@pytest.fixture
def site(tmp_path):
    for name, text in {
        "index": SIDEBAR,
        "seeing/pixels": PIXELS,
        "reference/api": '<article class="bd-article"><h1>API</h1><h2 id="exercises">E</h2></article>',
        "reference/data": '<article class="bd-article"><h1>Data</h1><h2>D</h2></article>',
    }.items():
        (tmp_path / f"{name}.html").parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.html").write_text(text, encoding="utf-8")
    return tmp_path


def test_pages_come_in_reading_order_with_their_parts(site):
    pages = pdf.contents(site)
    assert [(p.name, p.level, p.part) for p in pages] == [
        ("index", 1, ""),
        ("seeing/pixels", 1, "Seeing"),
        ("reference/api", 1, ""),
        ("reference/data", 2, ""),
    ]


def test_pages_become_one_document(site):
    pages = pdf.contents(site)
    book = pdf.whole(site, pages, "site")
    text = str(book)
    ids = [tag["id"] for tag in book.find_all(id=True)]
    assert len(ids) == len(set(ids))
    assert "<details open" in text and "widget" not in text.partition("</head>")[2] and "<script" not in text
    assert "url(#seeing-pixels--c)" in text and 'id="seeing-pixels--c"' in text
    assert "#seeing-pixels--T1_row0_col0" in text
    links = [a.get("href") for a in book.select("#seeing-pixels a")]
    assert links == ["#index", "#seeing-pixels--exercises", None]
    headings = [(h.name, h.text) for h in book.select("section.page :is(h1, h2, h3, h4)")]
    assert headings == [
        ("h1", "Book"),
        ("h1", "Seeing"),
        ("h2", "Pixels"),
        ("h3", "Exercises"),
        ("h2", "API"),
        ("h3", "E"),
        ("h3", "Data"),
        ("h4", "D"),
    ]


def test_what_the_pdf_lacks_is_said(site):
    pages = pdf.contents(site)
    found = list(pdf.missing(site, pages, pdf.whole(site, pages, "site"), b""))
    assert "no sheet begins the page seeing/pixels" in found
    assert "the outline lacks 'Data'" in found
    assert "1 figures, but only 0 descriptions of figures" in found


def test_without_a_browser_the_script_says_what_to_install(monkeypatch, site, tmp_path):
    api = pytest.importorskip("playwright.sync_api")
    monkeypatch.setattr(api, "sync_playwright", nullcontext)
    monkeypatch.setattr(pdf, "launch", lambda playwright: None)
    with pytest.raises(SystemExit, match="install Chromium, Chrome or Edge"):
        pdf.main(site, tmp_path / "book.pdf")


def test_epub_figures_need_no_theme():
    figure = epub.xhtml(
        '<svg class="figure" style="fill: currentColor"><path style="fill: var(--figure-paper, #fff)"/></svg>'
    )
    assert "currentColor" not in figure and "var(" not in figure and "background: #ffffff" in figure
