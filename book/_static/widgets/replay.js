// A training run of this build, to leaf through: the weights after each epoch, and what they were worth.
import { mount, make, draw, say, bytes } from "./mount.js";
import { axes, curve, squares } from "./chart.js";
import { button, calm, dial, outcome, readout } from "./controls.js";

const SIDE = 28;
const PIXELS = SIDE * SIDE;
// From blue over white to red, as the book's other pictures of signed numbers.
const STOPS = [[5, 48, 97], [67, 147, 195], [247, 247, 247], [214, 96, 77], [103, 0, 31]];

export default function start(box, words, data) {
  const first = wholes(data.first);
  const changes = wholes(data.changes);
  const last = data.loss.length - 1;
  const weight = (i) => (first[i] / 127) * data.first_full;
  const change = (epoch, i) => (epoch ? (changes[(epoch - 1) * PIXELS + i] / 127) * data.change_full : 0);

  const now = image(words.weights);
  const learned = image(words.change);
  const chart = curves(data, last, words);
  const numbers = readout(words.loss, words.accuracy);
  const said = outcome();
  const epoch = dial(words.epoch, { min: 0, max: last, step: 1, value: 0 }, String, () => {
    stop();
    show();
  });
  const play = button(words.play, () => (timer ? stop() : run()));
  let timer = 0;
  box.append(make("div", { class: "pair" }, now.element, learned.element), epoch.element);
  box.append(make("div", { class: "buttons" }, play), numbers.element, chart.element, said);
  show();

  function show() {
    const at = epoch.value;
    now.paint((i) => (weight(i) + change(at, i)) / data.limits[0], say(words.weights_at, at));
    learned.paint((i) => change(at, i) / data.limits[1], say(words.change_at, at));
    numbers.show(data.loss[at].toFixed(4), data.accuracy[at].toFixed(4));
    chart.mark(at);
    if (!timer) said.textContent = say(words.after, at, data.loss[at].toFixed(4), data.accuracy[at].toFixed(4));
  }

  function stop() {
    clearInterval(timer);
    timer = 0;
    play.textContent = words.play;
  }

  function run() {
    epoch.value = calm() ? last : 0;
    if (calm()) return show();
    play.textContent = words.stop;
    timer = setInterval(() => {
      epoch.value = epoch.value + 1;
      if (epoch.value === last) stop();
      show();
    }, 400);
    show();
  }
}

// What a cell packed: whole numbers from -127 to 127, one byte each.
function wholes(text) {
  return new Int8Array(bytes(text).buffer);
}

// The color of a value from -1 to 1.
function color(value) {
  const place = (Math.max(-1, Math.min(1, value)) + 1) * 2;
  const from = Math.min(3, Math.floor(place));
  const mix = STOPS[from].map((low, i) => Math.round(low + (STOPS[from + 1][i] - low) * (place - from)));
  return `rgb(${mix.join(" ")})`;
}

function image(name) {
  const { picture, cells } = squares(SIDE);
  const caption = make("span", { "aria-hidden": "true" }, name);
  return {
    element: make("div", {}, picture, caption),
    paint(value, label) {
      cells.forEach((cell, i) => cell.setAttribute("fill", color(value(i))));
      picture.setAttribute("aria-label", label);
    },
  };
}

// Loss and accuracy of all epochs, with a line at the one that is shown.
function curves({ loss, accuracy }, last, words) {
  const across = (epoch) => 26 + (epoch / last) * 288;
  const down = (value) => 100 - value * 88;
  const line = (values, style) => curve(values.map((value, i) => [across(i), down(value)]), style);
  const here = draw("line", { class: "tangent", y1: down(0), y2: down(1) });
  const frame = axes({ left: 26, right: 314, top: 1, across, down, xs: [0, 5, 10, 15, 20], ys: [0, 0.5, 1] });
  const picture = draw("svg", { viewBox: "0 0 320 134", role: "img", "aria-label": words.chart }, ...frame);
  picture.append(line(accuracy, "curve"), line(loss, "curve dashed"), here);
  picture.append(draw("text", { x: 170, y: 131, "text-anchor": "middle" }, words.epoch));
  picture.append(draw("text", { x: 312, y: down(accuracy[last]) + 18, "text-anchor": "end" }, words.accuracy));
  picture.append(draw("text", { x: 312, y: down(loss[last]) - 10, "text-anchor": "end" }, words.loss));
  return {
    element: picture,
    mark(epoch) {
      here.setAttribute("x1", across(epoch));
      here.setAttribute("x2", across(epoch));
    },
  };
}
