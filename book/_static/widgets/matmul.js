// A matrix product, cell by cell: the reader picks a result, and the row and the column that meet there light up.
import { mount, make, say } from "./mount.js";
import { outcome } from "./controls.js";

const KEYS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

export default function start(box, words, { xb, w, b, scores }) {
  const left = table("xb", xb);
  const right = table("w", w);
  const added = table("b", [b]);
  const cells = scores.map((row, r) => row.map((_, c) => pickable(r, c)));
  const result = table("scores", cells);
  const said = outcome();
  const sign = (text) => make("span", { class: "sign" }, text);
  const line = make("div", { class: "matmul" }, left.element, sign("@"), right.element, sign("+"), added.element);
  line.append(sign("="), result.element);
  box.append(line, said);

  // Until it is picked, a cell keeps its number to itself: there is time for a guess.
  function pickable(r, c) {
    const cell = make("button", { type: "button", "aria-pressed": "false" });
    name(cell, "?", r, c);
    cell.addEventListener("click", () => pick(r, c));
    cell.addEventListener("keydown", (event) => {
      const [down, along] = KEYS[event.key] ?? [0, 0];
      const next = cells[r + down]?.[c + along];
      if (!next || next === cell) return;
      event.preventDefault();
      next.focus();
      pick(r + down, c + along);
    });
    return cell;
  }

  function name(cell, text, r, c) {
    cell.textContent = text;
    cell.setAttribute("aria-label", `${text}, ${say(words.cell, r + 1, c + 1)}`);
  }

  function pick(r, c) {
    cells.flat().forEach((cell) => cell.setAttribute("aria-pressed", String(cell === cells[r][c])));
    left.light((row) => row === r);
    right.light((_, column) => column === c);
    added.light((_, column) => column === c);
    name(cells[r][c], String(scores[r][c]), r, c);
    const terms = xb[r].map((pixel, i) => `${pixel}·${signed(w[i][c])}`).join(" + ");
    const sum = `${terms} + ${signed(b[c])} = ${scores[r][c]}`;
    said.textContent = `${say(words.sum, r + 1, c + 1)} ${sum}`;
  }
}

const signed = (number) => (number < 0 ? `(${number})` : String(number));

// A table of numbers, or of buttons, under its name and shape.
function table(name, rows) {
  const cells = rows.map((row) => row.map((value) => make("td", {}, value instanceof Element ? value : String(value))));
  const lines = cells.map((row) => make("tr", {}, ...row));
  const shape = ` [${rows.length}, ${rows[0].length}]`;
  return {
    element: make("table", {}, make("caption", {}, make("code", {}, name), shape), make("tbody", {}, ...lines)),
    light: (lit) => cells.forEach((row, r) => row.forEach((cell, c) => cell.classList.toggle("lit", lit(r, c)))),
  };
}
