"""What readers type finds the page that explains it, from a folder and without a server."""

import pytest
from built import SITE, in_browser

WANTED = {
    "gradient": "learning/gradient-descent.html",
    "broadcasting": "seeing/broadcasting.html",
    "loss": "classifier/loss.html",
    "learning rate": "learning/gradient-descent.html",
    "l1_distance": "reference/api/distance.html",
}

pytestmark = in_browser


@pytest.fixture(scope="module")
def page(browser):
    page = browser.new_page()
    yield page
    page.close()


@pytest.mark.parametrize("words", WANTED)
def test_search_finds_the_page(page, words):
    page.goto((SITE / "search.html").as_uri() + "?q=" + words.replace(" ", "+"))
    # Results come one after another; the line above them says when all are there.
    page.locator("#search-results .search > li").nth(2).wait_for()
    first = page.locator("#search-results .search > li > a").evaluate_all("all => all.slice(0, 3).map((a) => a.href)")
    assert any(WANTED[words] in link for link in first), first


def test_search_from_a_page(page):
    """The field in the sidebar leads to the same results, by keyboard alone."""
    page.goto((SITE / "seeing" / "pixels.html").as_uri())
    page.locator(".bd-sidebar-primary .search-button-field").first.press("Enter")
    page.keyboard.type("broadcasting")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=broadcasting")
    page.locator("#search-results .search > li").first.wait_for()
