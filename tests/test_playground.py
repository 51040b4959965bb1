"""The pad of book/playground.md, in a browser: it computes what mnistlib computes, and everybody can use it.

The models are read out of the built page, as the browser reads them, and loaded into mnistlib's own.
"""

import base64
import json

import numpy as np
import pytest
import torch
from built import SITE, in_browser, overflows, violations, wait_until, watched

from mnistlib import NearestMean, linear, mnist, mnist_sample, simple_net

playwright_api = pytest.importorskip("playwright.sync_api")
pytest.importorskip("axe_playwright_python")
bs4 = pytest.importorskip("bs4")

PAGE = SITE / "playground.html"
MODELS = ["nearest", "linear", "net", "ten"]
# Corners of digits, in parts of the pad, that lie neither in its middle nor fill it.
THREE = [(0.42, 0.12), (0.6, 0.1), (0.7, 0.2), (0.55, 0.35), (0.74, 0.5), (0.6, 0.66), (0.38, 0.6)]
SEVEN = [(0.1, 0.4), (0.45, 0.4), (0.22, 0.95)]
ONE = [(0.9, 0.1), (0.9, 0.6)]

pytestmark = in_browser


@pytest.fixture(params=["light", "dark"])
def page(browser, request):
    """The page as a reader finds it, in each theme."""
    context = browser.new_context(color_scheme=request.param, reduced_motion="reduce")
    page = opened(context)
    yield page
    context.close()


@pytest.fixture(scope="module")
def steady(browser):
    """The page for tests that ask its functions rather than its looks."""
    context = browser.new_context()
    yield opened(context)
    context.close()


def opened(context):
    page = watched(context.new_page())
    page.set_viewport_size({"width": 1280, "height": 1600})
    page.goto(PAGE.as_uri())
    wait_until(page, "Boolean(document.querySelector('.widget')?.answers)")
    return page


def ask(page, call, argument=None):
    return page.evaluate(f"given => {{ const box = document.querySelector('.widget'); return {call} }}", argument)


def draw(page, corners):
    """Draw a stroke with the mouse."""
    pad = page.locator(".pg-pad")
    pad.scroll_into_view_if_needed()
    frame = pad.bounding_box()
    places = [(frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]) for x, y in corners]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()


def picture(page):
    return torch.tensor(list(ask(page, "box.picture() && Array.from(box.picture())"))).view(28, 28)


def centre_of_mass(image):
    places = torch.arange(28.0)
    return [((image.sum(axis) * places).sum() / image.sum()).item() for axis in (1, 0)]


def hear(page, words):
    """Wait until the words are read out."""
    line = page.locator(".pg-status", has_text=words)
    try:
        line.wait_for(timeout=5000)
    except playwright_api.TimeoutError:
        pytest.fail(f"{words!r} is not in {page.locator('.pg-status').inner_text()!r}")


# -- What it computes ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def theirs():
    """The scores of mnistlib's models, given the numbers that the page carries."""
    soup = bs4.BeautifulSoup(PAGE.read_text(encoding="utf-8"), "html.parser")
    data = json.loads(soup.find(id="playground-models").string)

    def floats(text, *shape):
        return torch.from_numpy(np.frombuffer(base64.b64decode(text), dtype="<f4").copy()).view(*shape)

    def loaded(model, layers):
        numbers = [floats(layer[name], -1) for layer in layers for name in ("weight", "bias")]
        parameters = list(model.parameters())
        assert [p.numel() for p in parameters] == [len(n) for n in numbers]
        with torch.no_grad():
            for parameter, values in zip(parameters, numbers, strict=True):
                parameter.copy_(values.view_as(parameter))
        return model

    nearest = NearestMean("l1")
    nearest.classes = torch.tensor([mean["digit"] for mean in data["nearest"]])
    nearest.means = torch.stack([floats(mean["mean"], 28, 28) for mean in data["nearest"]])
    n_hidden = len(floats(data["ten"][0]["bias"], -1))
    nets = {
        "linear": loaded(linear(), data["linear"]),
        "net": loaded(simple_net(), data["net"]),
        "ten": loaded(simple_net(n_hidden=n_hidden, n_out=10), data["ten"]),
    }

    def answers(images):
        scores = {name: net(images.flatten(1)).detach() for name, net in nets.items()}
        return {"nearest": nearest.distances(images), **scores}

    return answers


@pytest.fixture(scope="module")
def some_images():
    """Every tenth image of the validation set, 204 in all, threes and sevens."""
    return mnist_sample().valid[::10]


@pytest.fixture(scope="module")
def both(steady, theirs, some_images):
    """The browser's answers and mnistlib's."""
    images = some_images.floats
    ours = ask(steady, "given.map(image => box.answers(image))", images.flatten(1).tolist())
    return ours, theirs(images)


@pytest.mark.parametrize("model", MODELS)
def test_browser_answers_as_mnistlib_does(both, model):
    ours, scores = both[0], both[1][model]
    in_browser = torch.tensor([answers[model]["scores"] for answers in ours])
    assert len(in_browser) >= 200 and in_browser.shape == scores.shape
    apart = (in_browser - scores).abs().max().item()
    assert apart < 1e-3
    if model == "nearest":
        digits = torch.tensor([3, 7])[scores.argmin(1)]
    elif model == "ten":
        digits = scores.argmax(1)
    else:
        digits = torch.where(scores[:, 0] > 0, 3, 7)
    assert [answers[model]["answer"] for answers in ours] == digits.tolist()


def test_models_of_the_page_are_good_ones(both, some_images):
    for model in MODELS:
        right = [a[model]["answer"] == label for a, label in zip(both[0], some_images.labels.tolist(), strict=True)]
        assert sum(right) / len(right) > 0.9, model


# -- What it makes of ink ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("corners", [THREE, SEVEN, ONE], ids=["three", "seven", "one"])
def test_drawing_is_centred_and_scaled_as_mnist_was(steady, corners):
    steady.get_by_role("button", name="Clear").click()
    draw(steady, corners)
    image = picture(steady)
    # MNIST's own images: row and column 14, give or take the half pixel of moving by whole ones.
    assert all(abs(place - 14) <= 0.5 for place in centre_of_mass(image))
    rows, columns = (image.amax(axis).nonzero().flatten() for axis in (1, 0))
    sides = [(places.max() - places.min() + 1).item() for places in (rows, columns)]
    assert max(sides) == 20
    grays = image[(image > 0) & (image < 1)]
    assert 0 <= image.min() and image.max() <= 1 + 1e-6 and len(grays) > 20


def test_centring_leaves_mnist_as_it_is(steady):
    """What is said of MNIST is true: its images, of all digits, come out of the pad as they went in."""
    images = mnist().valid[::100].floats
    pads = "given.map(image => { box.show(Float32Array.from(image)); return Array.from(box.picture()) })"
    after = torch.tensor(ask(steady, pads, images.flatten(1).tolist())).view(-1, 28, 28)
    assert (after - images).abs().amax((1, 2)).lt(1e-5).float().mean() >= 0.98


def test_without_centring_the_ink_stays_where_it_is(steady):
    tick = steady.get_by_role("checkbox")
    steady.get_by_role("button", name="Clear").click()
    draw(steady, SEVEN)
    tick.uncheck()
    row, column = centre_of_mass(picture(steady))
    assert row > 15 and column < 10
    steady.get_by_role("button", name="move right").click()
    assert abs(centre_of_mass(picture(steady))[1] - column - 1) < 0.01
    tick.check()


# -- Who uses it ---------------------------------------------------------------------------------------------------


def test_mouse_draws_undoes_and_clears(page):
    draw(page, SEVEN)
    hear(page, "Ten digits: 7")
    assert page.locator(".pg-answer strong").all_inner_texts() == ["7", "7", "7", "7"]
    before = picture(page)
    draw(page, [(0.1, 0.1), (0.9, 0.1)])
    assert not torch.equal(picture(page), before)
    page.get_by_role("button", name="Undo").click()
    assert torch.equal(picture(page), before)
    page.get_by_role("button", name="Clear").click()
    assert ask(page, "box.picture()") is None
    page.get_by_text("The pad is empty").wait_for()
    assert not page.locator(".pg-results").is_visible()
    assert page.troubles == []


def test_finger_draws_without_scrolling(browser):
    context = browser.new_context(has_touch=True, viewport={"width": 390, "height": 800})
    page = opened(context)
    page.locator(".pg-pad").scroll_into_view_if_needed()
    frame = page.locator(".pg-pad").bounding_box()
    places = [{"x": frame["x"] + x * frame["width"], "y": frame["y"] + y * frame["height"]} for x, y in SEVEN]
    before = page.evaluate("scrollY")
    session = context.new_cdp_session(page)
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": places[:1]})
    for place in places[1:]:
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [place]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    hear(page, "Ten digits: 7")
    assert page.evaluate("scrollY") == before
    context.close()


def test_examples_and_moves_work_by_keyboard(page):
    page.get_by_role("button", name="seven", exact=True).focus()
    page.keyboard.press("Enter")
    hear(page, "Ten digits: 7")
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.textContent") == "three"
    page.keyboard.press("Space")
    hear(page, "Ten digits: 3")
    page.get_by_role("checkbox").focus()
    page.keyboard.press("Space")
    page.get_by_role("button", name="move down").focus()
    for _ in range(4):
        page.keyboard.press("Enter")
    hear(page, "Linear model: 7")


def test_answers_are_announced_politely_and_not_at_every_movement(steady):
    line = steady.locator(".pg-status")
    assert line.get_attribute("role") == "status"
    ask(
        steady,
        """(() => {
            window.said = 0;
            new MutationObserver(() => window.said++).observe(box.querySelector('.pg-status'), {childList: true});
        })()""",
    )
    steady.get_by_role("button", name="Clear").click()
    draw(steady, THREE)
    hear(steady, "Ten digits")
    assert steady.evaluate("said") <= 2  # the pad was cleared; the answers


def test_page_is_accessible_and_fits_with_answers_shown(page):
    draw(page, THREE)
    hear(page, "Ten digits")
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert violations(page) == []
    assert not overflows(page, 320)
    sizes = page.locator(".widget button").evaluate_all("all => all.map(b => b.getBoundingClientRect().height)")
    assert min(sizes) >= 44
    assert page.troubles == []


def test_still_picture_stays_without_javascript_and_on_paper(browser, steady):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(PAGE.as_uri())
    assert page.locator("#fig-pg-still svg").is_visible()
    assert not page.locator(".widget").is_visible()
    context.close()
    assert not steady.locator("#fig-pg-still").is_visible()
    steady.emulate_media(media="print")
    assert steady.locator("#fig-pg-still").is_visible() and not steady.locator(".widget").is_visible()
    steady.emulate_media(media="screen")


def test_page_is_light():
    assert PAGE.stat().st_size < 1_000_000
