"""The built book in a browser: it loads without an error, fits a phone, and hides nothing from anybody."""

import pytest
from built import SITE, in_browser, overflows, violations, watched

pytest.importorskip("playwright.sync_api")
pytest.importorskip("axe_playwright_python")

PAGES = sorted(p.relative_to(SITE).as_posix() for p in SITE.rglob("*.html") if "_static" not in p.parts)
THEMES = ["light", "dark"]
# Every page in both themes; in Chinese, where only the words are others, in one of them by turns.
SEEN = [(f"{SITE.name}/{name}", theme) for name in PAGES for theme in THEMES]
SEEN += [(f"zh_CN/{name}", THEMES[i % 2]) for i, name in enumerate(PAGES)]
NARROW, WIDE = 320, 1280
# Pieces of code whose classes are the same all the way up look the same: one of each stays a piece, the others become
# plain text. Otherwise axe compares thousands of like colours, which takes more than half of its time.
ONE_PIECE_OF_EACH_LOOK = """() => {
  const seen = new Set();
  for (const piece of document.querySelectorAll('pre span')) {
    let look = '';
    for (let e = piece; e; e = e.parentElement) look += `${e.localName} ${e.className} ${e.getAttribute('style')};`;
    if (seen.has(look)) piece.replaceWith(...piece.childNodes);
    seen.add(look);
  }
}"""

pytestmark = in_browser


@pytest.fixture(scope="module")
def contexts(browser):
    """A window in each theme, as the system's setting asks for it."""
    contexts = {theme: browser.new_context(color_scheme=theme, reduced_motion="reduce") for theme in THEMES}
    yield contexts
    for context in contexts.values():
        context.close()


@pytest.fixture(scope="module", params=SEEN, ids="-".join)
def page(contexts, request):
    """A page of the book in one theme, opened once for all tests of it, and what went wrong on the way."""
    name, theme = request.param
    page = watched(contexts[theme].new_page())
    page.set_viewport_size({"width": WIDE, "height": 900})
    page.goto((SITE.parent / name).as_uri())
    page.wait_for_load_state("load")
    page.theme = theme
    yield page
    page.close()


def test_page_loads_without_error_or_request(page):
    assert page.troubles == []


def test_theme_follows_the_system(page):
    assert page.evaluate("document.documentElement.dataset.theme") == page.theme


def test_page_is_accessible(page):
    # What is folded must be readable too.
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.evaluate(ONE_PIECE_OF_EACH_LOOK)
    assert violations(page) == []


def test_page_fits_a_narrow_screen(page):
    assert not overflows(page, NARROW)


def test_solution_opens_without_javascript(browser):
    """A dropdown is an HTML <details>: it needs no script."""
    with_dropdown = next((n for n in PAGES if "sd-dropdown" in (SITE / n).read_text(encoding="utf-8")), None)
    if with_dropdown is None:
        pytest.skip("no page has a dropdown yet")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((SITE / with_dropdown).as_uri())
    details = page.locator("details.sd-dropdown").first
    details.locator("summary").click()
    assert details.get_attribute("open") is not None
    context.close()


def test_a_script_that_is_not_the_books_does_not_run(browser):
    page = watched(browser.new_page())
    page.goto((SITE / "index.html").as_uri())
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = true'}))")
    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in trouble for trouble in page.troubles)
    page.close()
