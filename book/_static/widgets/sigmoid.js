// A score on the sigmoid: the two losses that it may cost, and the slope that is left to learn from.
import { mount, draw, say } from "./mount.js";
import { axes, curve } from "./chart.js";
import { dial, outcome, readout } from "./controls.js";

// In 32 bits, as torch computes: far to the right the sigmoid is exactly 1 there, and its slope exactly 0.
const round = Math.fround;
const sigmoid = (score) => round(1 / (1 + Math.exp(-score)));
const slope = (score) => round(round(1 - sigmoid(score)) * sigmoid(score));

const ENDS = 20;
const across = (score) => 26 + ((score + ENDS) / (2 * ENDS)) * 288;
const down = (value) => 160 - value * 144;
const FLAT = 0.001;

export default function start(box, words) {
  const here = draw("line", { class: "tangent", y1: down(0), y2: down(1) });
  const points = [0, 1, 2].map(() => draw("circle", { class: "point", r: 5 }));
  const picture = draw("svg", { viewBox: "0 0 320 196", role: "img" }, scenery(words), here, ...points);
  const numbers = readout(words.sigmoid, words.loss_1, words.loss_0, words.slope);
  const said = outcome();
  const range = { min: -ENDS, max: ENDS, step: 0.1, value: 0 };
  const score = dial(words.score, range, (x) => x.toFixed(1), show);
  box.append(picture, score.element, numbers.element, said);
  show();

  function show() {
    const x = score.value;
    const [p, steep] = [sigmoid(x), slope(x)];
    here.setAttribute("x1", across(x));
    here.setAttribute("x2", across(x));
    [p, 1 - p, steep].forEach((value, i) => {
      points[i].setAttribute("cx", across(x));
      points[i].setAttribute("cy", down(value));
    });
    picture.setAttribute("aria-label", say(words.picture, x.toFixed(1)));
    numbers.show(p.toFixed(4), round(1 - p).toFixed(4), p.toFixed(4), small(steep));
    const parts = [x > 0 ? words.above : x < 0 ? words.below : words.border];
    if (steep === 0) parts.push(words.dead);
    else if (steep < FLAT) parts.push(say(words.flat, small(0.25 / steep)));
    else if (x) parts.push(say(words.pull, (0.25 / steep).toFixed(1)));
    else parts.push(words.steepest);
    said.textContent = parts.join(" ");
  }
}

// Four digits, or powers of ten where these would not do.
const small = (value) => (value === 0 || (value >= 1e-4 && value < 1e4) ? value.toFixed(4) : value.toExponential(1));

function scenery(words) {
  const scores = Array.from({ length: 161 }, (_, i) => -ENDS + i * 0.25);
  const line = (f, style) => curve(scores.map((x) => [across(x), down(f(x))]), style);
  const group = draw("g", { "aria-hidden": "true" });
  group.append(...axes({ left: 26, right: 314, top: 1, across, down, xs: [-20, -10, 0, 10, 20], ys: [0, 0.5, 1] }));
  group.append(line(sigmoid, "curve"), line((x) => 1 - sigmoid(x), "curve dashed"), line(slope, "curve dotted"));
  group.append(draw("text", { x: 170, y: 192, "text-anchor": "middle" }, words.score));
  group.append(draw("text", { x: 312, y: down(1) + 18, "text-anchor": "end" }, words.loss_0));
  group.append(draw("text", { x: 32, y: down(1) + 18 }, words.loss_1));
  group.append(draw("text", { x: 312, y: down(0) - 8, "text-anchor": "end" }, words.slope));
  return group;
}
