// Two shapes that the reader types, lined up at the right: what they broadcast to, or the error that torch raises.
import { mount, make, draw, say } from "./mount.js";
import { outcome } from "./controls.js";

const MOST = 6; // axes; more would not fit a phone

// "[1010, 28, 28]" as numbers; null for what is no shape.
export function lengths(text) {
  const inner = text.trim().replace(/^[[(](.*)[\])]$/, "$1").trim().replace(/,$/, "");
  if (!inner) return [];
  const parts = inner.split(/\s*[,，、×x ]\s*/);
  return parts.length <= MOST && parts.every((part) => /^\d{1,6}$/.test(part)) ? parts.map(Number) : null;
}

// The rule, from right to left, in torch's order: the first pair of lengths that does not fit is the one it reports.
export function broadcast(a, b) {
  const rank = Math.max(a.length, b.length);
  const [full_a, full_b] = [a, b].map((shape) => [...Array(rank - shape.length).fill(1), ...shape]);
  const shape = Array(rank).fill(null);
  for (let axis = rank - 1; axis >= 0; axis--) {
    const [m, n] = [full_a[axis], full_b[axis]];
    if (m !== n && m !== 1 && n !== 1) {
      const message =
        `The size of tensor a (${m}) must match the size of tensor b (${n}) at non-singleton dimension ${axis}`;
      return { full_a, full_b, shape, clash: axis, message };
    }
    shape[axis] = m === 1 ? n : m;
  }
  return { full_a, full_b, shape, clash: -1 };
}

const bracket = (shape) => `[${shape.join(", ")}]`;

export default function start(box, words) {
  const a = field(words.a, "1010, 1, 28, 28");
  const b = field(words.b, "2, 28, 28");
  const picture = draw("svg", { viewBox: "0 0 320 150", role: "img" });
  const said = outcome();
  box.append(make("div", { class: "fields" }, a.element, b.element), picture, said);
  for (const { input } of [a, b]) input.addEventListener("input", show);
  show();

  function show() {
    const typed = [a, b].map(({ input }) => {
      const shape = lengths(input.value);
      input.setAttribute("aria-invalid", String(shape === null));
      return shape;
    });
    if (typed.includes(null)) {
      said.textContent = words.help;
      return;
    }
    const found = broadcast(...typed);
    picture.setAttribute("aria-label", say(words.picture, ...typed.map(bracket)));
    picture.replaceChildren(...drawing(found, typed, words));
    said.textContent = found.message ? `${words.fails} ${found.message}` : sentences(found, words);
  }
}

function field(name, value) {
  const input = make("input", { type: "text", value, spellcheck: "false", autocomplete: "off", inputmode: "text" });
  return { element: make("label", {}, name, input), input };
}

function sentences({ full_a, full_b, shape }, words) {
  const parts = [say(words.fits, bracket(shape))];
  const axes = [];
  shape.forEach((length, axis) => {
    for (const [name, full] of [["a", full_a], ["b", full_b]]) {
      if (full[axis] !== length) axes.push(say(words.stretched, name, axis));
    }
  });
  if (axes.length) parts.push(say(words.stretch, axes.join(", ")));
  if (shape.includes(0)) parts.push(words.empty);
  return parts.join(" ");
}

// Three rows of boxes: a, b, the result.
function drawing({ full_a, full_b, shape, clash }, typed, words) {
  const left = 62;
  const each = Math.min(64, (318 - left) / Math.max(1, shape.length));
  const row = (name, top, texts, kind) => [
    draw("text", { x: left - 8, y: top + 22, "text-anchor": "end" }, name),
    ...texts.flatMap((text, i) => {
      const x = left + i * each;
      const centre = { x: x + each / 2 - 2, y: top + 22, "text-anchor": "middle" };
      return [
        draw("rect", { x, y: top, width: each - 4, height: 34, rx: 3, class: `length ${kind(i)}` }),
        draw("text", text.length > 5 ? { ...centre, textLength: each - 8, lengthAdjust: "spacingAndGlyphs" } : centre, text),
      ];
    }),
  ];
  const given = (name, top, full, count) =>
    row(name, top, full.map(String), (i) =>
      i === clash ? "clash" : i < full.length - count || (full[i] === 1 && shape[i] !== 1 && shape[i] !== null) ? "supplied" : "",
    );
  // Past the place of the error torch does not look, and neither do we.
  const texts = shape.map((length, i) => (i === clash ? "✗" : length === null ? "?" : String(length)));
  return [
    ...given("a", 4, full_a, typed[0].length),
    ...given("b", 46, full_b, typed[1].length),
    draw("path", { class: "axis", d: `M${left} 91H316` }),
    ...row(words.result, 102, texts, (i) => (i === clash ? "clash" : shape[i] === null ? "unknown" : "")),
  ];
}
