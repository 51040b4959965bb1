// Controls that several widgets have in common: native ones, so that keyboards and screen readers know them.
import { make } from "./mount.js";

// Readers who asked their system for less motion get results at once.
export const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// A button that does something.
export function button(text, act) {
  const element = make("button", { type: "button" }, text);
  element.addEventListener("click", act);
  return element;
}

// A slider with its name and its value above it. `range` holds min, max, step and value; `print` writes the value.
export function dial(name, range, print, act) {
  const input = make("input", { type: "range", ...range });
  // The slider itself says its value; read twice it would be noise.
  const value = make("span", { class: "value", "aria-hidden": "true" });
  const show = () => {
    value.textContent = print(input.valueAsNumber);
    input.setAttribute("aria-valuetext", value.textContent);
  };
  input.addEventListener("input", () => {
    show();
    act(input.valueAsNumber);
  });
  show();
  return {
    element: make("label", { class: "dial" }, make("span", {}, name), " ", value, input),
    get value() {
      return input.valueAsNumber;
    },
    set value(number) {
      input.value = number;
      show();
    },
  };
}

// Named numbers side by side, each with room for its longest form, so that nothing jumps when one changes.
export function readout(...names) {
  const values = names.map(() => make("dd"));
  const pairs = names.map((name, i) => make("div", {}, make("dt", {}, name), values[i]));
  return {
    element: make("dl", { class: "readout" }, ...pairs),
    show: (...texts) => texts.forEach((text, i) => (values[i].textContent = text)),
  };
}

// The place for a sentence about what happened, which screen readers speak when they have finished what they were at.
export function outcome() {
  return make("p", { class: "outcome", role: "status", "aria-live": "polite" });
}

// A number with fixed digits; very large ones in powers of ten, and those beyond all bounds by their names.
export function fixed(value, digits) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  const text = Math.abs(value) < 1e4 ? value.toFixed(digits) : value.toExponential(2).replace(/e\+(\d)$/, "e+0$1");
  return Number(text) === 0 ? text.replace("-", "") : text;
}
