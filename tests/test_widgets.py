"""The parts of the book that readers move, moved: by keyboard and pointer, and with torch's numbers beside theirs."""

import json
import re

import pytest
import torch
from built import SITE, in_browser, overflows, violations, wait_until, watched

from mnistlib import DataLoader, NearestMean, mnist_loss, set_seed

pytest.importorskip("playwright.sync_api")
pytest.importorskip("axe_playwright_python")

WHERE = {
    "descent": "learning/gradient-descent.html",
    "shapes": "seeing/broadcasting.html",
    "matmul": "classifier/linear-model.html",
    "replay": "classifier/training-loop.html",
    "sigmoid": "classifier/loss.html",
    "blurred": "seeing/broadcasting.html",
}
STILL = {
    "descent": "fig-gd-rates",
    "matmul": "fig-lin-matmul",
    "replay": "fig-tl-weights",
    "blurred": "fig-bc-quiz",
}

pytestmark = in_browser


class Widget:
    """A widget on its page in a window of its own, and what went wrong there."""

    def __init__(self, browser, name, theme="light", motion="reduce", script=True):
        self.context = browser.new_context(color_scheme=theme, reduced_motion=motion, java_script_enabled=script)
        self.page = page = watched(self.context.new_page())
        self.troubles = page.troubles
        page.goto((SITE / WHERE[name]).as_uri())
        page.wait_for_load_state("load")
        self.box = page.locator(f".widget[data-widget={name}]")

    def button(self, name):
        return self.box.get_by_role("button", name=name, exact=True)

    def slider(self, name):
        return self.box.get_by_role("slider", name=name)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def numbers(self):
        return [float(text) for text in self.box.locator("dd").all_inner_texts()]

    def said(self):
        return self.box.get_by_role("status").inner_text()

    def data(self):
        return json.loads(self.page.locator(f"script#{self.box.get_attribute('data-data')}").inner_text())

    def check(self):
        """After all that was done to it, the widget is accessible, raised no error, and fits a phone."""
        assert violations(self.page, context=".widget") == []
        assert self.troubles == []
        assert not overflows(self.page, 320)
        frame = self.box.bounding_box()
        for part in self.box.locator(":is(svg, button, input, table)").all():
            if part.is_visible():
                place = part.bounding_box()
                assert frame["x"] <= place["x"] and place["x"] + place["width"] <= frame["x"] + frame["width"]


@pytest.fixture
def opened(browser):
    widgets = []

    def open_(name, *args, **kwargs):
        widgets.append(Widget(browser, name, *args, **kwargs))
        return widgets[-1]

    yield open_
    for widget in widgets:
        widget.context.close()


themes = pytest.mark.parametrize("theme", ["light", "dark"])


# -- Descent -----------------------------------------------------------------------------------------------------------


def descended(start, rate, steps):
    """What the readout should show: step, weight, slope, loss."""
    x = torch.tensor(start, requires_grad=True)
    for _ in range(steps):
        (x**2).backward()
        with torch.no_grad():
            x -= x.grad * rate
        x.grad = None
    (x**2).backward()
    return [steps, x.item(), x.grad.item(), (x**2).item()]


@themes
def test_descent_goes_where_torch_goes(opened, theme):
    widget = opened("descent", theme)
    behaviors = {
        0.02: "landed lower.$",
        0.2: "landed lower.$",
        0.9: "landed lower. It crossed the bottom.$",
        1.0: "same height. It crossed the bottom.$",
        1.02: "landed higher. It crossed the bottom.$",
        1.2: "landed higher. It crossed the bottom. It left the picture.$",
    }
    for rate, behavior in behaviors.items():
        widget.slider("learning rate").fill(str(rate))
        widget.button("Reset").click()
        widget.button("One step").click()
        assert widget.numbers() == pytest.approx(descended(-1.5, rate, 1), abs=6e-4)
        widget.button("Ten steps").press("Enter")
        assert widget.numbers() == pytest.approx(descended(-1.5, rate, 11), abs=6e-4)
        assert re.search(behavior, widget.said()), rate
    widget.check()


def test_descent_explodes_as_torch_does(opened):
    widget = opened("descent")
    widget.slider("learning rate").press("End")
    for _ in range(7):
        widget.button("Ten steps").click()
    assert widget.numbers()[3] == descended(-1.5, 1.5, 70)[3] == float("inf")
    assert "too large for a number of 32 bits" in widget.said()
    for _ in range(7):
        widget.button("Ten steps").click()
    shown, ours = widget.numbers()[1], descended(-1.5, 1.5, 140)[1]
    assert shown != shown and ours != ours  # only NaN differs from itself
    widget.button("Reset").click()
    assert widget.numbers() == [0, -1.5, -3, 2.25]
    widget.check()


def test_descent_starts_where_the_reader_puts_it(opened):
    widget = opened("descent")
    widget.slider("start").focus()
    widget.press("ArrowRight", "ArrowRight")
    assert widget.numbers()[1] == pytest.approx(-1.3)
    point = widget.box.locator(".point")
    point.scroll_into_view_if_needed()
    place = point.bounding_box()
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    unit = widget.box.locator("svg").bounding_box()["width"] * 290 / 320 / 5.6  # of a weight, in the drawing
    widget.page.mouse.move(x, y)
    widget.page.mouse.down()
    widget.page.mouse.move(x + 3.3 * unit, y, steps=4)
    widget.page.mouse.up()
    assert widget.numbers() == pytest.approx([0, 2, 4, 4])
    assert float(widget.slider("start").input_value()) == widget.numbers()[1] == 2


def test_descent_runs_step_by_step_for_those_who_allow_motion(opened):
    widget = opened("descent", motion="no-preference")
    widget.button("Ten steps").click()
    assert widget.numbers()[0] < 10
    widget.box.get_by_text("After step 10").wait_for(timeout=10_000)
    assert widget.numbers() == pytest.approx(descended(-1.5, 0.2, 10), abs=6e-4)


# -- Shapes ------------------------------------------------------------------------------------------------------------


@themes
def test_shapes_are_read_as_they_are_typed(opened, theme):
    widget = opened("shapes", theme)
    a, b = widget.box.get_by_label("shape a"), widget.box.get_by_label("shape b")
    assert "[1010, 2, 28, 28]" in widget.said()
    a.fill("")
    widget.page.keyboard.type("[4]")
    b.fill("")
    widget.page.keyboard.type("3,")
    assert widget.said().endswith(
        "The size of tensor a (4) must match the size of tensor b (3) at non-singleton dimension 0"
    )
    b.fill("2 x 1")
    assert "[2, 4]" in widget.said()
    b.fill("two")
    assert widget.said().startswith("Write up to six lengths") and b.get_attribute("aria-invalid") == "true"
    b.fill("0, 1")
    assert "[0, 4]" in widget.said() and "holds no numbers" in widget.said()
    widget.check()


def test_shapes_agrees_with_torch(opened):
    widget = opened("shapes")
    generator = torch.Generator().manual_seed(0)

    def draw(choices):
        return choices[int(torch.randint(len(choices), (1,), generator=generator))]

    pairs = [[[draw([0, 1, 1, 1, 2, 3]) for _ in range(draw(range(7)))] for _ in "ab"] for _ in range(1000)]
    said = widget.box.evaluate(
        """(box, pairs) => pairs.map(pair => {
             box.querySelectorAll("input").forEach((input, i) => {
               input.value = pair[i].join(", ");
               input.dispatchEvent(new Event("input"));
             });
             return box.querySelector("[role=status]").textContent;
           })""",
        pairs,
    )
    fitting = 0
    for (a, b), text in zip(pairs, said, strict=True):
        try:
            expected = str(list(torch.broadcast_shapes(a, b)))
            fitting += 1
        except RuntimeError:
            with pytest.raises(RuntimeError) as raised:
                torch.empty(a) + torch.empty(b)
            expected = str(raised.value).splitlines()[0]
        assert expected in text, (a, b)
    assert 200 < fitting < 800


# -- The matrix product ------------------------------------------------------------------------------------------------


@themes
def test_matmul_works_out_every_cell(opened, theme):
    widget = opened("matmul", theme)
    xb, w, b = (torch.tensor(widget.data()[key]) for key in ("xb", "w", "b"))
    scores = xb @ w + b
    # Through all cells by arrow keys: right, down, left, down, right.
    walk = [(0, 0, ""), (0, 1, "ArrowRight"), (1, 1, "ArrowDown"), (1, 0, "ArrowLeft"), (2, 0, "ArrowDown")]
    walk += [(2, 1, "ArrowRight"), (2, 1, "ArrowDown")]  # the last one has nowhere to go
    widget.box.get_by_role("button").first.focus()
    widget.press("Enter")
    for r, c, key in walk:
        if key:
            widget.press(key)
        chosen = widget.box.locator("button[aria-pressed=true]")
        assert chosen.count() == 1
        assert chosen.inner_text() == str(scores[r, c].item())
        assert chosen.evaluate("cell => cell === document.activeElement")
        name, total = widget.said().split(": ")[0], widget.said().split(": ")[1].replace("·", "*")
        assert name == f"Row {r + 1} of xb meets column {c + 1} of w"
        left, right = total.split(" = ")
        assert eval(left) == int(right) == scores[r, c]
        lit = widget.box.locator("td.lit").all_inner_texts()
        assert [int(text) for text in lit] == [*xb[r].tolist(), *w[:, c].tolist(), b[c].item()]
    widget.box.get_by_role("button").first.click()
    assert widget.said().startswith("Row 1 of xb meets column 1")
    widget.check()


# -- The replay --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(sample):
    """The run that the page shows, once more: weights, training loss and validation accuracy after 0 to 6 epochs."""
    train, valid = sample
    loader = DataLoader(train.flat, train.is_a(3), batch_size=256, shuffle=True, device="cpu")
    set_seed(0)
    weights, bias = torch.randn(784, 1).requires_grad_(), torch.randn(1).requires_grad_()
    history = []
    for epoch in range(7):
        for xb, yb in loader if epoch else ():
            mnist_loss(xb @ weights + bias, yb).backward()
            with torch.no_grad():
                for p in (weights, bias):
                    p -= p.grad
                    p.grad = None
        with torch.no_grad():
            loss = mnist_loss(train.flat @ weights + bias, train.is_a(3)).item()
            right = ((valid.flat @ weights + bias > 0) == (valid.is_a(3) == 1)).float().mean().item()
        history.append((weights.detach().clone(), loss, right))
    return history


@themes
def test_replay_shows_the_run(opened, trained, theme):
    widget = opened("replay", theme)
    epoch = widget.slider("epoch")
    epoch.focus()
    for at, (weights, loss, right) in enumerate(trained):
        assert widget.numbers() == pytest.approx([loss, right], abs=2e-3)
        assert widget.said().startswith(f"After {at} epochs")
        change = (weights - trained[0][0]).flatten()
        fills = widget.box.evaluate(
            "box => [...box.querySelectorAll('svg.pixels')].map(s => [...s.children].map(r => r.getAttribute('fill')))"
        )
        for values, colors in zip((weights.flatten(), change), fills, strict=True):
            clear = values.abs() > 0.2
            red_less_blue = torch.tensor([int(c[4:-1].split()[0]) - int(c[4:-1].split()[2]) for c in colors])
            assert torch.equal(red_less_blue[clear] > 0, values[clear] > 0)
        widget.press("ArrowRight")
    widget.button("Play").click()  # at once, since motion is not wanted
    assert epoch.input_value() == "20"
    assert widget.numbers()[1] > 0.96
    widget.check()


def test_replay_plays_and_stops(opened):
    widget = opened("replay", motion="no-preference")
    widget.button("Play").click()
    wait_until(widget.page, "document.querySelector('.widget input').value >= 2")
    widget.button("Stop").click()
    assert 2 <= int(widget.slider("epoch").input_value()) < 20
    assert widget.button("Play").is_visible()
    assert widget.troubles == []


# -- The sigmoid -------------------------------------------------------------------------------------------------------


@themes
def test_sigmoid_shows_losses_and_slope(opened, theme):
    widget = opened("sigmoid", theme)
    slider = widget.slider("score")
    for score in (0.0, 0.1, 3.0, -6.3, 12.0, 20.0, -20.0):
        slider.fill(str(score))
        x = torch.tensor([score], requires_grad=True)
        loss_3, loss_7 = (mnist_loss(x, torch.tensor([t])) for t in (1.0, 0.0))
        loss_7.backward()
        expected = [x.sigmoid().item(), loss_3.item(), loss_7.item(), x.grad.item()]
        assert widget.numbers() == pytest.approx(expected, abs=6e-5)
        assert ("exactly 0" in widget.said()) == (x.grad.item() == 0)
    assert "wrong for a three" in widget.said()
    slider.press("Home")
    slider.press("ArrowRight")
    assert slider.input_value() == "-19.9"
    widget.check()


# -- Be the classifier -------------------------------------------------------------------------------------------------


@themes
def test_reader_is_measured_beside_the_baseline(opened, sample, theme):
    train, valid = (part.floats.view(-1, 7, 4, 7, 4).mean((2, 4)) for part in sample)
    answers = NearestMean("l1").fit(train, sample.train.labels).predict(valid)
    right = answers == sample.valid.labels

    widget = opened("blurred", theme)
    labels = widget.data()["labels"]
    drawn = torch.randperm(len(valid), generator=torch.Generator().manual_seed(0))[:20]
    assert labels == sample.valid.labels[drawn].tolist()
    assert torch.allclose(torch.tensor(widget.data()["images"]) / 255, valid[drawn].flatten(1), atol=0.003)

    for number, label in enumerate(labels, 1):  # all right but the last three
        assert widget.said().startswith(f"Image {number} of 20")
        said = str(label if number <= 17 else 10 - label)
        if number % 2:
            widget.button(said).click()
        else:
            widget.press(said)
    assert "You are right on 17 of 20." in widget.said()
    assert f"The baseline is right on {right[drawn].sum()} of the same 20." in widget.said()
    assert f"On all 2038 images its accuracy is {right.float().mean():.4f}." in widget.said()
    wrong = sum(i >= 17 or not right[drawn[i]] for i in range(20))
    assert widget.box.locator("li").count() == wrong
    assert widget.button("Again").evaluate("button => button === document.activeElement")
    widget.check()
    widget.press("Enter")
    assert widget.said().startswith("Image 1 of 20")
    assert widget.troubles == []


# -- All of them -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", WHERE)
def test_without_scripts_the_still_figure_is_there(opened, name):
    widget = opened(name, script=False)
    assert not widget.box.is_visible()
    assert name not in STILL or widget.page.locator(f"#{STILL[name]} svg.figure").is_visible()


@pytest.mark.parametrize("name", WHERE)
def test_paper_gets_the_still_figure(opened, name):
    widget = opened(name)
    assert widget.box.is_visible()
    assert name not in STILL or not widget.page.locator(f"#{STILL[name]}").is_visible()
    widget.page.emulate_media(media="print")
    assert not widget.box.is_visible()
    assert name not in STILL or widget.page.locator(f"#{STILL[name]} svg.figure").is_visible()


@pytest.mark.parametrize("name", WHERE)
def test_focus_can_be_seen(opened, name):
    widget = opened(name)
    for control in widget.box.locator(":is(button, input)").all():
        control.focus()
        widget.press("Shift+Tab", "Tab")  # as the keyboard comes to it
        assert control.evaluate("control => control === document.activeElement")
        assert control.evaluate("control => getComputedStyle(control).outlineStyle") != "none"
