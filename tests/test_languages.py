"""The book in its languages: the same pages from the same run, each leading to the other, and Chinese that is found."""

import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from built import SITE, in_browser, needs_book

CHINESE = SITE.parent / "zh_CN"
HAN = re.compile("[\u4e00-\u9fff]")
SENTENCE = re.compile(r"(?:\b[A-Za-z][a-z']+ ){3}[a-z']+")
PAGES = sorted(p.relative_to(SITE).as_posix() for p in SITE.rglob("*.html") if "_static" not in p.parts)
MADE = ("genindex.html", "py-modindex.html", "search.html")  # by Sphinx, of each language's own words
# What is not said by the book: programs and what they print, names, and what other projects wrote.
NOT_WORDS = "pre, code, math, script, style, .highlight, .cell_output, .cell_input, dt.sig, .doctest, .field-list em"

# Books keep the title under which they can be found.
TITLES = {"Deep Learning for Coders with fastai and PyTorch"}


def soup(folder: Path, page: str) -> BeautifulSoup:
    return BeautifulSoup((folder / page).read_text(encoding="utf-8"), "html.parser")


def each_page(function):
    return needs_book(pytest.mark.parametrize("page", PAGES)(function))


@needs_book
def test_both_languages_have_the_same_pages():
    found = (p.relative_to(CHINESE) for p in CHINESE.rglob("*.html"))
    assert sorted(p.as_posix() for p in found if "_static" not in p.parts) == PAGES


@each_page
def test_page_says_its_language_and_where_the_other_is(page):
    for folder, own in ((SITE, "en"), (CHINESE, "zh-CN")):
        html = soup(folder, page)
        assert html.html["lang"] == own
        if page == "404.html":
            continue
        links = {link["hreflang"]: link["href"] for link in html.select("link[rel=alternate][hreflang]")}
        assert set(links) == {"en", "zh-CN"}
        switch = html.select_one("a[data-language]")
        for link in [*links.values(), switch["href"]]:
            assert (folder / page).parent.joinpath(link).resolve().is_file(), link


@each_page
def test_both_languages_come_from_one_run(page):
    """Cells are executed once: what they printed is the same to the letter, and so are the pictures' curves."""
    there, here = soup(SITE, page).article, soup(CHINESE, page).article
    if there is None or page in MADE:
        return
    assert [e.text for e in here.select(".cell_output pre")] == [e.text for e in there.select(".cell_output pre")]
    for kind in ("path", "img", "math", ".cell", "figure", "details", "h2", "table"):
        assert len(here.select(kind)) == len(there.select(kind)), kind


@each_page
def test_formulas_are_the_same_but_for_their_words(page):
    there, here = soup(SITE, page).article, soup(CHINESE, page).article
    if there is None or page in MADE:
        return
    formulas = {e.text for e in there.select("math")}
    assert [e.text for e in here.select("math") if e.text not in formulas and not HAN.search(e.text)] == []


@each_page
def test_no_sentence_is_left_in_english(page):
    article = soup(CHINESE, page).article
    if article is None or page in MADE:
        return
    for code in article.select(NOT_WORDS):
        code.decompose()
    words = [text.strip() for text in article.find_all(string=SENTENCE) if not HAN.search(text)]
    described = [e.get("alt") or e.get("aria-label") for e in article.select("[alt], [aria-label]")]
    words += [text for text in described if text and SENTENCE.search(text) and not HAN.search(text)]
    assert [text for text in words if text not in TITLES] == []


@needs_book
def test_chinese_notebooks_speak_chinese():
    files = sorted(CHINESE.rglob("*.ipynb"))
    assert len(files) == len(list(SITE.rglob("*.ipynb"))) > 10
    for file in files:
        book = nbformat.read(file, as_version=4)
        nbformat.validate(book)
        text = [cell.source for cell in book.cells if cell.cell_type == "markdown"]
        assert HAN.search(text[0]) and sum(map(len, text)) > 300, file
        there = nbformat.read(SITE / file.relative_to(CHINESE), as_version=4)
        assert [c.source for c in book.cells if c.cell_type == "code"] == [
            c.source for c in there.cells if c.cell_type == "code"
        ]


pytest.importorskip("playwright.sync_api")
WANTED = {
    "梯度": "learning/gradient-descent.html",
    "广播": "seeing/broadcasting.html",
    "损失函数": "classifier/loss.html",
    "学习率": "learning/gradient-descent.html",
}
CLICK = "document.querySelector('a[data-language]').click()"


class TestInABrowser:
    pytestmark = in_browser

    @pytest.mark.parametrize("words", WANTED)
    def test_chinese_words_find_their_page(self, browser, words):
        page = browser.new_page()
        page.goto((CHINESE / "search.html").as_uri() + "?q=" + words)
        page.locator("#search-results .search > li").nth(2).wait_for()
        found = page.locator("#search-results .search > li > a").evaluate_all("all => all.slice(0, 5).map(a => a.href)")
        page.close()
        assert any(WANTED[words] in link for link in found), found

    def test_the_switch_keeps_the_page_and_the_section(self, browser):
        page = browser.new_page()
        page.goto((SITE / "learning" / "gradient-descent.html").as_uri() + "#which-way-to-step")
        page.evaluate(CLICK)  # Playwright's own click scrolls
        page.wait_for_url("**/zh_CN/learning/gradient-descent.html#which-way-to-step")
        assert HAN.search(page.locator("#which-way-to-step h2").inner_text())
        page.evaluate(CLICK)
        page.wait_for_url("**/en/learning/gradient-descent.html#which-way-to-step")
        page.close()

    @pytest.mark.parametrize(("locale", "folder"), [("zh-CN", "zh_CN"), ("zh-TW", "zh_CN"), ("fr-FR", "en")])
    def test_the_first_page_asks_the_browser(self, browser, locale, folder):
        context = browser.new_context(locale=locale)
        page = context.new_page()
        page.goto((SITE.parent / "index.html").as_uri())
        page.wait_for_url(f"**/{folder}/index.html")
        context.close()

    def test_the_first_page_remembers_what_was_chosen(self, browser):
        context = browser.new_context(locale="en-US")
        page = context.new_page()
        page.goto((SITE / "index.html").as_uri())
        page.locator("a[data-language]").first.click()
        page.wait_for_url("**/zh_CN/index.html*")
        page.goto((SITE.parent / "index.html").as_uri())
        page.wait_for_url("**/zh_CN/index.html")
        context.close()

    def test_the_first_page_has_links_without_scripts(self, browser):
        context = browser.new_context(java_script_enabled=False)
        page = context.new_page()
        page.goto((SITE.parent / "index.html").as_uri())
        page.get_by_role("link", name="简体中文").click()
        page.wait_for_url("**/zh_CN/index.html")
        context.close()


@each_page
def test_folds_are_called_by_their_own_words(page):
    for folder in (SITE, CHINESE):
        assert "Toggle hidden content" not in (folder / page).read_text(encoding="utf-8")
