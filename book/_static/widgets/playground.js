// A pad to draw on, the 28x28 pixels that the models get, and what four of them answer and why.
//
// For tests and the curious, the widget's box has three functions:
//   box.show(image)     puts an image (784 numbers from 0 to 1) on the pad,
//   box.picture()       returns the pixels that the models get, or null on an empty pad,
//   box.answers(image)  returns for each model { answer, scores }: the digit, and the numbers that decided.

import { bytes, make, say } from "./mount.js";
import { FINE, PAD, SIDE, ink, pixels, stamp } from "./digit.js";
import { difference, effects, floats, run, sigmoid, softmax } from "./digit.js";

const PEN = 1.3 * FINE; // radius; strokes about as wide as MNIST's
const MOST_MOVE = 8;
const PAUSE = 700; // milliseconds without a change before the answers are read out
const FOR = [200, 56, 8]; // an orange-red and a blue, which all kinds of colour-blind eyes tell apart
const AGAINST = [0, 92, 168];

export default function start(box, words, data) {
  const models = unpacked(data);
  const view = build(box, words, data.examples);
  let state = { image: bytesToImage(data.examples[0].pixels), strokes: [], moved: [0, 0] };
  let greeting = true; // the picture that is there when the page opens goes when the pen comes
  const before = [];

  // ---- What the picture is ----

  function change(next) {
    before.push(state);
    state = { ...state, ...next };
    greeting = false;
    refresh();
  }

  function padOf({ image, strokes, moved }) {
    const pad = new Float32Array(PAD * PAD);
    const [right, down] = moved;
    if (image) stamp(pad, shifted(image, right, down));
    for (const stroke of strokes) {
      ink(pad, stroke.map(([x, y]) => [x + right * FINE, y + down * FINE]), PEN);
    }
    return pad;
  }

  let waiting = 0;
  function refresh() {
    waiting ||= requestAnimationFrame(() => {
      waiting = 0;
      redraw();
    });
  }
  function redraw() {
    const pad = padOf(state);
    paint(view.pad, pad, gray);
    show(pixels(pad, view.centred.checked));
  }

  // ---- What the models say ----

  let quiet;
  function show(image) {
    view.undo.disabled = !before.length;
    view.results.hidden = !image;
    view.empty.hidden = Boolean(image);
    paint(view.small, image ?? new Float32Array(SIDE * SIDE), gray);
    clearTimeout(quiet);
    if (!image) {
      view.status.textContent = "";
      return;
    }
    const all = judged(models, image);
    showNearest(view.nearest, all.nearest, words);
    showTwo(view.linear, all.linear, words);
    showTwo(view.net, all.net, words);
    showTen(view.ten, all.ten, words);
    const sure = percent(all.ten.shares[all.ten.answer]);
    const text = say(words.status, all.nearest.answer, all.linear.answer, all.net.answer, all.ten.answer, sure);
    const tell = () => {
      view.status.textContent = text;
    };
    // What is there when the page opens is not announced: nobody asked.
    if (greeting) tell();
    else quiet = setTimeout(tell, PAUSE);
  }

  // ---- What readers do ----

  let stroke = null;
  const place = (event) => {
    const frame = view.pad.getBoundingClientRect();
    const [right, down] = state.moved;
    return [
      ((event.clientX - frame.left) / frame.width) * PAD - right * FINE,
      ((event.clientY - frame.top) / frame.height) * PAD - down * FINE,
    ];
  };
  view.pad.addEventListener("pointerdown", (event) => {
    if (stroke || event.button !== 0) return;
    event.preventDefault();
    view.pad.setPointerCapture(event.pointerId);
    const kept = greeting ? { image: null, strokes: [], moved: [0, 0] } : state;
    stroke = { id: event.pointerId, points: [place(event)] };
    change({ ...kept, strokes: [...kept.strokes, stroke.points] });
  });
  view.pad.addEventListener("pointermove", (event) => {
    if (stroke?.id !== event.pointerId) return;
    const passed = event.getCoalescedEvents?.() ?? [];
    for (const each of passed.length ? passed : [event]) stroke.points.push(place(each));
    refresh();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    view.pad.addEventListener(end, (event) => {
      if (stroke?.id === event.pointerId) stroke = null;
    });
  }
  view.clear.addEventListener("click", () => change({ image: null, strokes: [], moved: [0, 0] }));
  view.undo.addEventListener("click", () => {
    state = before.pop() ?? state;
    refresh();
  });
  view.centred.addEventListener("change", refresh);
  for (const [button, right, down] of view.moves) {
    button.addEventListener("click", () => {
      const within = (n) => Math.max(-MOST_MOVE, Math.min(MOST_MOVE, n));
      change({ moved: [within(state.moved[0] + right), within(state.moved[1] + down)] });
    });
  }
  view.examples.forEach((button, i) => {
    const image = bytesToImage(data.examples[i].pixels);
    paint(button.querySelector("canvas"), image, gray);
    button.addEventListener("click", () => change({ image, strokes: [], moved: [0, 0] }));
  });

  box.show = (image) => change({ image, strokes: [], moved: [0, 0] });
  box.picture = () => pixels(padOf(state), view.centred.checked);
  box.answers = (image) => {
    const all = Object.entries(judged(models, image));
    return Object.fromEntries(all.map(([name, { answer, scores }]) => [name, { answer, scores }]));
  };
  redraw();
}

// ---- Models ----

function unpacked(data) {
  const net = (layers) => layers.map(({ weight, bias }) => ({ weight: floats(weight), bias: floats(bias) }));
  const means = data.nearest.map(({ digit, mean }) => ({ digit, mean: floats(mean) }));
  return { means, linear: net(data.linear), net: net(data.net), ten: net(data.ten) };
}

const bytesToImage = (text) => Float32Array.from(bytes(text), (value) => value / 255);

function shifted(image, right, down) {
  return image.map((_, i) => {
    const [row, column] = [Math.floor(i / SIDE) - down, (i % SIDE) - right];
    return row >= 0 && row < SIDE && column >= 0 && column < SIDE ? image[row * SIDE + column] : 0;
  });
}

function judged(models, image) {
  const apart = models.means.map(({ digit, mean }) => ({ digit, ...difference(image, mean) }));
  const nearest = apart.reduce((a, b) => (b.distance < a.distance ? b : a));
  const ten = run(models.ten, image).scores;
  const [best, second] = ten.map((_, digit) => digit).sort((a, b) => ten[b] - ten[a]);
  const direction = ten.map((_, digit) => (digit === best) - (digit === second));
  return {
    nearest: { answer: nearest.digit, scores: apart.map(({ distance }) => distance), apart },
    linear: twoAnswers(models.linear, image),
    net: twoAnswers(models.net, image),
    ten: { answer: best, second, scores: ten, shares: softmax(ten), why: effects(models.ten, image, direction) },
  };
}

function twoAnswers(net, image) {
  const { scores, awake } = run(net, image);
  return { answer: scores[0] > 0 ? 3 : 7, scores, awake: awake[0], why: effects(net, image, [1]) };
}

// ---- Showing ----

const signed = (value) => `${value < 0 ? "\u2212" : "+"}${Math.abs(value).toFixed(2)}`;
const percent = (share) => `${(100 * share).toFixed(1)}%`;
const gray = (value) => Array(3).fill(255 * (1 - value));

function diverging(limit) {
  return (value) => {
    const strength = Math.min(1, Math.abs(value) / limit);
    return (value > 0 ? FOR : AGAINST).map((colour) => 255 + strength * (colour - 255));
  };
}

// Paint a square of values onto a canvas, a value a dot.
function paint(canvas, values, colour) {
  const picture = new ImageData(canvas.width, canvas.height);
  values.forEach((value, i) => picture.data.set([...colour(value), 255], 4 * i));
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

function paintWhy(canvas, parts, label, limit = parts.reduce((top, part) => Math.max(top, Math.abs(part)), 1e-9)) {
  paint(canvas, parts, diverging(limit));
  canvas.setAttribute("aria-label", label);
}

function showNearest(card, { answer, apart }, words) {
  card.answer.textContent = answer;
  apart.forEach(({ digit, parts, distance }, i) => {
    const text = say(words.distance, digit, distance.toFixed(4));
    paintWhy(card.whys[i].canvas, parts, say(words.difference, digit), 1);
    card.whys[i].caption.textContent = text;
  });
}

function showTwo(card, { answer, scores, awake, why }, words) {
  card.answer.textContent = answer;
  const share = sigmoid(scores[0]);
  card.dot.style.left = `${100 * share}%`;
  card.score.textContent = say(words.sigmoid, share.toFixed(3));
  paintWhy(card.whys[0].canvas, why.parts, words.effects);
  card.sum.textContent = say(words.sum, signed(scores[0]), signed(why.up), signed(why.down), signed(why.rest));
  if (awake) card.awake.textContent = say(words.awake, awake.filter(Boolean).length, awake.length);
}

function showTen(card, { answer, second, shares, why }, words) {
  card.answer.textContent = answer;
  shares.forEach((share, digit) => {
    const { row, bar, value } = card.bars[digit];
    bar.style.width = `${100 * share}%`;
    value.textContent = percent(share);
    row.classList.toggle("best", digit === answer);
  });
  paintWhy(card.whys[0].canvas, why.parts, words.effects);
  card.plus.textContent = say(words.speaks, answer);
  card.minus.textContent = say(words.speaks, second);
  card.sum.textContent = say(words.lead, signed(why.total), answer, second);
}

// ---- Building ----

function build(box, words, examples) {
  const canvas = (side, attributes) => make("canvas", { width: side, height: side, ...attributes });
  const button = (text, attributes = {}) => make("button", { type: "button", ...attributes }, text);

  const pad = canvas(PAD, { class: "pg-pad", role: "img", "aria-label": words.pad });
  const small = canvas(SIDE, { class: "pg-pixels", role: "img", "aria-label": words.pixels });
  const clear = button(words.clear);
  const undo = button(words.undo);
  const centred = make("input", { type: "checkbox" });
  centred.checked = true;
  const moves = [
    ["\u2190", words.left, -1, 0],
    ["\u2191", words.up, 0, -1],
    ["\u2193", words.down, 0, 1],
    ["\u2192", words.right, 1, 0],
  ].map(([arrow, name, right, down]) => [button(arrow, { "aria-label": name, title: name }), right, down]);
  const chosen = examples.map(({ name }) =>
    make("button", { type: "button" }, canvas(SIDE, { "aria-hidden": "true" }), words[name]),
  );
  const group = (name, ...inside) => {
    const heading = make("span", { "aria-hidden": "true" }, name);
    return make("div", { role: "group", "aria-label": name, class: "pg-group" }, heading, ...inside);
  };
  const status = make("p", { role: "status", class: "pg-status" });
  const empty = make("p", { hidden: "" }, words.empty);

  const nearest = card(words.nearest, words, [words.lacks, words.only], 2);
  const linear = card(words.linear, words, [say(words.speaks, 3), say(words.speaks, 7)]);
  const net = card(words.net, words, [say(words.speaks, 3), say(words.speaks, 7)]);
  const ten = card(words.ten, words, ["", ""]);
  addScale(linear);
  addScale(net);
  net.awake = make("p");
  net.section.append(net.awake);
  addBars(ten);
  const results = make("div", { class: "pg-results" }, nearest.section, linear.section, net.section, ten.section);

  box.append(
    make(
      "div",
      { class: "pg-top" },
      pad,
      make(
        "div",
        { class: "pg-side" },
        make("div", { class: "pg-group" }, clear, undo),
        make("div", { class: "pg-picture" }, small, make("p", {}, words.seen)),
        make("label", {}, centred, " ", words.centred),
        group(words.move, ...moves.map(([each]) => each)),
      ),
    ),
    group(words.examples, ...chosen),
    status,
    empty,
    results,
  );
  return { pad, small, clear, undo, centred, moves, examples: chosen, status, empty, results, nearest, linear, net, ten };
}

// A model's place: its name, its answer, pictures of why, and what their colours mean.
function card(title, words, [plus, minus], n = 1) {
  const answer = make("strong");
  const whys = Array.from({ length: n }, () => {
    const canvas = make("canvas", { width: SIDE, height: SIDE, role: "img" });
    const caption = make("p");
    return { canvas, caption, picture: make("div", { class: "pg-picture" }, canvas, caption) };
  });
  const key = (sign, colour, text) => {
    const label = make("span", {}, text);
    const swatch = make("b", { "aria-hidden": "true" }, sign);
    swatch.style.background = `rgb(${colour})`;
    return { label, line: make("li", {}, swatch, " ", label) };
  };
  const [above, below] = [key("+", FOR, plus), key("\u2212", AGAINST, minus)];
  const sum = make("p");
  const legend = make("ul", {}, above.line, below.line);
  const body = make("div", { class: "pg-why" }, ...whys.map(({ picture }) => picture), legend);
  const heading = make("p", { class: "pg-name" }, title);
  const line = make("p", { class: "pg-answer" }, words.answer, " ", answer);
  const section = make("div", { class: "pg-card", role: "group", "aria-label": title }, heading, line, body, sum);
  return { section, answer, whys, sum, body, plus: above.label, minus: below.label };
}

// From 7 to 3: where the sigmoid of the score lies. The sentence below it says the same.
function addScale(card) {
  card.dot = make("i");
  card.score = make("p");
  const ends = ["7", "3"].map((digit) => make("span", {}, digit));
  const scale = make("div", { class: "pg-scale", "aria-hidden": "true" }, ends[0], make("div", {}, card.dot), ends[1]);
  card.body.before(scale, card.score);
}

function addBars(card) {
  card.bars = Array.from({ length: 10 }, (_, digit) => {
    const bar = make("i");
    const value = make("span");
    const row = make("li", {}, make("span", {}, String(digit)), make("div", { "aria-hidden": "true" }, bar), value);
    return { row, bar, value };
  });
  card.body.before(make("ul", { class: "pg-bars" }, ...card.bars.map(({ row }) => row)));
}
