"""The built book as tests find it, and what they ask of any of its pages in a browser.

`tox` builds the book before it runs the tests and says where it is, in the variable BOOK_SITE.
"""

import os
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SITE = Path(os.environ.get("BOOK_SITE", ROOT / "_build" / "site" / "en"))

needs_book = pytest.mark.skipif(
    not (SITE / "index.html").is_file(), reason=f"no book in {SITE}: build it first with `tox -e book`"
)
in_browser = [
    pytest.mark.browser,
    needs_book,
    # What Playwright leaves open while it shuts down is its own affair.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


def watched(page):
    """The page, with a list of its `troubles` to come: errors, warnings, and requests that leave its folder."""
    page.troubles = []
    page.on("console", lambda m: page.troubles.append(m.text) if m.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.on("request", lambda r: page.troubles.append(r.url) if not r.url.startswith(("file:", "data:")) else None)
    return page


def wait_until(page, expression, argument=None, seconds=10):
    """Ask the page again and again. Playwright's own `wait_for_function` needs an `eval`, which the pages forbid."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression, argument):
        assert time.monotonic() < end, f"not in {seconds} s: {expression}"
        page.wait_for_timeout(20)


def violations(page, context=None):
    """What axe finds wrong for readers with a screen reader, poor sight or no mouse, in a part of the page or all."""
    from axe_playwright_python.sync_playwright import Axe

    options = {"resultTypes": ["violations"], "preload": False}
    found = Axe().run(page, context=context, options=options).response["violations"]
    return [f"{v['id']}: {n['html'][:160]} {n['failureSummary'][:200]}" for v in found for n in v["nodes"]]


def overflows(page, width):
    """Whether the page scrolls sideways in a window so wide."""
    page.set_viewport_size({"width": width, "height": 640})
    return page.evaluate("document.scrollingElement.scrollWidth") > width
