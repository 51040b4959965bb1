"""Reading the built book by keyboard, enlarged, on paper, and at an address that leads nowhere."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from built import SITE, in_browser, overflows, wait_until

LESSON = "seeing/pixels.html"

pytestmark = in_browser


@pytest.fixture
def page(browser):
    page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="dark")
    yield page
    page.close()


def open_lesson(page):
    page.goto((SITE / LESSON).as_uri())


def test_scripts_do_not_hold_up_the_text():
    from bs4 import BeautifulSoup

    head = BeautifulSoup((SITE / LESSON).read_text(encoding="utf-8"), "html.parser").head
    waiting = [s["src"] for s in head.find_all("script", src=True) if not s.has_attr("defer")]
    assert [Path(source.partition("?")[0]).name for source in waiting] == ["documentation_options.js"]


def test_the_first_key_skips_to_the_text(page):
    open_lesson(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to main content"
    wait_until(page, "document.activeElement.getBoundingClientRect().top >= 0")  # it slides in
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")


def test_a_solution_opens_by_keyboard(page):
    open_lesson(page)
    summary = page.locator("details.sd-dropdown > summary").first
    summary.focus()
    page.keyboard.press("Enter")
    assert summary.evaluate("s => s.parentElement.open")


def test_focus_is_seen(page):
    """Whatever the keyboard reaches in the text has an outline or a shadow."""
    open_lesson(page)
    page.locator("main a").first.focus()
    unseen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        unseen += page.evaluate("""() => {
          const focused = document.activeElement, style = getComputedStyle(focused);
          const outlined = parseFloat(style.outlineWidth) > 0 && style.outlineStyle !== "none";
          const seen = outlined || style.boxShadow !== "none";
          return seen || focused === document.body ? [] : [focused.outerHTML.slice(0, 120)];
        }""")
    assert unseen == []


def test_text_fits_when_twice_as_large(page):
    """200% on a screen of 1280 pixels is a window of 640."""
    open_lesson(page)
    assert not overflows(page, 640)


def test_paper_is_white_and_hides_nothing(page):
    open_lesson(page)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    background = "e => getComputedStyle(document.querySelector(e)).backgroundColor"
    assert {page.evaluate(background, e) for e in ("html", "body", ".bd-article")} <= {
        "rgba(0, 0, 0, 0)",
        "rgb(255, 255, 255)",
    }
    assert page.evaluate("e => getComputedStyle(document.querySelector(e)).color", ".bd-article p").startswith("rgb(")
    for side in (".bd-sidebar-primary", ".bd-sidebar-secondary", ".bd-header", ".prev-next-footer"):
        assert not page.locator(side).first.is_visible(), side
    assert page.locator("details:not([open])").locator("visible=true").count() == 0
    assert page.locator(".bd-article h1").first.is_visible()
    fading = "all => all.filter((part) => getComputedStyle(part).animationName !== 'none').length"
    assert page.locator("details *").evaluate_all(fading) == 0


@pytest.fixture
def server():
    """The book below a folder of a server that sends 404.html where there is no page."""

    class Handler(SimpleHTTPRequestHandler):
        def translate_path(self, path):
            return super().translate_path(path.removeprefix("/some/place"))

        def send_error(self, code, message=None, explain=None):
            text = (SITE / "404.html").read_bytes()
            self.send_response(code)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(text)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(SITE))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/some/place/"
        server.shutdown()


@pytest.mark.parametrize("lost", ["nowhere.html", "seeing/no/such/page.html"])
def test_a_lost_reader_finds_the_book(page, server, lost):
    answer = page.goto(server + lost)
    assert answer.status == 404
    link = page.locator("article a:not(.headerlink)").first
    wait_until(page, "link => link.href.endsWith('/some/place/index.html')", link.element_handle())
    link.click()
    assert page.locator("main h1:visible").inner_text().strip("#") == "Threes and sevens"
    assert page.url == server + "index.html"
