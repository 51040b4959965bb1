// A point on a parabola that goes down by gradient descent, or up, as the learning rate has it.
import { mount, make, draw, say } from "./mount.js";
import { axes, curve } from "./chart.js";
import { button, calm, dial, fixed, outcome, readout } from "./controls.js";

// The f of the page and its slope, in 32 bits as torch has them: so that numbers which explode, explode as they do there.
const round = Math.fround;
const f = (x) => round(x * x);
const slope = (x) => round(2 * x);
const stepped = (x, rate) => round(x - round(slope(x) * round(rate)));

const FIRST = -1.5;
const RATE = 0.2;
const RUN = 10;
const WIDE = 2.8; // the drawing shows weights from -WIDE to WIDE
const HIGH = 8;
const across = (x) => 20 + ((x + WIDE) / (2 * WIDE)) * 290;
const down = (y) => 206 - (y / HIGH) * 190;
const inside = (x) => Math.abs(x) <= WIDE;

export default function start(box, words) {
  let path = [FIRST];
  let timer = 0;

  const trail = draw("polyline", { class: "trail" });
  const dots = draw("g", { class: "dots" });
  const tangent = draw("line", { class: "tangent" });
  const point = draw("circle", { class: "point", r: 8 });
  const picture = draw("svg", { viewBox: "0 0 320 240", role: "img", class: "descent" }, scenery(words));
  picture.append(tangent, trail, dots, point);

  const numbers = readout(words.step, words.weight, words.slope, words.loss);
  const said = outcome();
  const begin = dial(words.start, { min: -2.5, max: 2.5, step: 0.1, value: FIRST }, (x) => x.toFixed(1), restart);
  const rate = dial(words.rate, { min: 0.01, max: 1.5, step: 0.01, value: RATE }, (x) => x.toFixed(2), () => {});
  const buttons = make("div", { class: "buttons" });
  buttons.append(button(words.one, one), button(words.run, run), button(words.reset, () => restart(begin.value)));
  box.append(picture, begin.element, rate.element, buttons, numbers.element, said);
  drag(picture, (x) => {
    begin.value = x;
    restart(begin.value);
  });
  show();

  function restart(x) {
    clearInterval(timer);
    path = [round(x)];
    said.textContent = "";
    show();
  }

  function one() {
    clearInterval(timer);
    step();
    tell();
  }

  function run() {
    clearInterval(timer);
    let left = RUN;
    if (calm()) {
      while (left--) step();
      return tell();
    }
    timer = setInterval(() => {
      step();
      if (--left) return;
      clearInterval(timer);
      tell();
    }, 250);
  }

  function step() {
    path.push(stepped(path.at(-1), rate.value));
    show();
  }

  function show() {
    const x = path.at(-1);
    numbers.show(String(path.length - 1), fixed(x, 3), fixed(slope(x), 3), fixed(f(x), 3));
    picture.setAttribute("aria-label", say(words.picture, fixed(x, 3)));
    const drawn = path.filter((x) => Math.abs(x) < 100); // steps that leave the picture leave it in their direction
    trail.setAttribute("points", drawn.map((x) => `${across(x)},${down(f(x))}`).join(" "));
    dots.replaceChildren(...path.filter(inside).map((x) => draw("circle", { cx: across(x), cy: down(f(x)), r: 3 })));
    for (const mark of [tangent, point]) mark.style.display = inside(x) ? "" : "none";
    if (!inside(x)) return;
    place(point, { cx: across(x), cy: down(f(x)) });
    const reach = 60 / Math.hypot(across(1) - across(0), slope(x) * (down(1) - down(0))); // one length, however steep
    const [left, right] = [x - reach, x + reach];
    const along = (t) => down(f(x) + slope(x) * (t - x));
    place(tangent, { x1: across(left), y1: along(left), x2: across(right), y2: along(right) });
  }

  // What the last step did, in words.
  function tell() {
    const [before, now] = path.slice(-2);
    const parts = [say(words.after, path.length - 1, fixed(now, 3), fixed(f(now), 3))];
    if (!Number.isFinite(f(now))) parts.push(words.gone);
    else if (before === now) parts.push(words.still);
    else {
      parts.push(f(now) < f(before) ? words.lower : f(now) > f(before) ? words.higher : words.level);
      if (before * now < 0) parts.push(words.across);
      if (!inside(now)) parts.push(words.outside);
    }
    said.textContent = parts.join(" ");
  }
}

function place(element, attributes) {
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value.toFixed(2));
}

// Axes, their names, and the curve.
function scenery(words) {
  const xs = Array.from({ length: 113 }, (_, i) => -WIDE + i * 0.05);
  const frame = axes({ left: 20, right: 310, top: HIGH, across, down, xs: [-2, -1, 0, 1, 2], ys: [2, 4, 6] });
  const group = draw("g", { "aria-hidden": "true" }, ...frame, curve(xs.map((x) => [across(x), down(f(x))]), "curve"));
  group.append(draw("text", { x: 165, y: 237, "text-anchor": "middle" }, words.weight));
  group.append(draw("text", { x: 26, y: 14 }, words.loss));
  return group;
}

// Pull the start along the drawing with mouse, pen or finger; the page still scrolls up and down under a finger.
function drag(picture, act) {
  const move = (event) => {
    const { left, width } = picture.getBoundingClientRect();
    const x = (((event.clientX - left) / width) * 320 - 20) / 290;
    act((2 * x - 1) * WIDE);
  };
  picture.addEventListener("pointerdown", (event) => {
    picture.setPointerCapture(event.pointerId);
    move(event);
  });
  picture.addEventListener("pointermove", (event) => picture.hasPointerCapture(event.pointerId) && move(event));
}
