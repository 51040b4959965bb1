// Parts of drawings that several widgets have in common. `across` and `down` say where a value lies in the drawing.
import { draw } from "./mount.js";

// Two axes that meet at the lower left, where `down` is 0: from `left` to `right` and up to `top`, with numbers at them.
export function axes({ left, right, top, across, down, xs, ys }) {
  const lines = draw("path", { class: "axis", d: `M${left},${down(0)}H${right}M${left},${down(0)}V${down(top)}` });
  const below = xs.map((x) => draw("text", { x: across(x), y: down(0) + 15, "text-anchor": "middle" }, x));
  const beside = ys.map((y) => draw("text", { x: left - 4, y: down(y) + 4, "text-anchor": "end" }, y));
  return [lines, ...below, ...beside];
}

// A line through places [x, y] of the drawing.
export function curve(places, style) {
  const points = places.map(([x, y]) => `${x},${y.toFixed(2)}`).join(" ");
  return draw("polyline", { class: style, points });
}

// A picture of side x side squares, row after row, and the squares.
export function squares(side, attributes = {}) {
  const cells = Array.from({ length: side * side }, (_, i) => {
    return draw("rect", { x: i % side, y: Math.floor(i / side), width: 1, height: 1 });
  });
  const form = { viewBox: `0 0 ${side} ${side}`, role: "img", class: "pixels", ...attributes };
  return { picture: draw("svg", form, ...cells), cells };
}
