// The reader is the classifier: twenty blurred images, two buttons, and then the baseline's answers beside one's own.
import { mount, make, say } from "./mount.js";
import { squares } from "./chart.js";
import { button, outcome } from "./controls.js";

const SIDE = 7;

export default function start(box, words, data) {
  let answers = [];

  const stage = make("div", { class: "stage" });
  const said = outcome();
  const choices = make("div", { class: "buttons" });
  choices.append(...["3", "7"].map((digit) => button(digit, () => answer(Number(digit)))));
  const again = button(words.again, begin);
  const after = make("div", {});
  box.append(said, stage, choices, after);
  box.addEventListener("keydown", (event) => {
    const plain = !event.ctrlKey && !event.metaKey && !event.altKey;
    if (plain && (event.key === "3" || event.key === "7") && answers.length < data.images.length) answer(Number(event.key));
  });
  show();

  function begin() {
    answers = [];
    after.replaceChildren();
    choices.hidden = false;
    show();
    choices.firstChild.focus();
  }

  function answer(digit) {
    answers.push(digit);
    if (answers.length < data.images.length) return show();
    // The button that has the focus goes away: hand the focus on.
    const focused = choices.contains(document.activeElement);
    choices.hidden = true;
    stage.replaceChildren();
    compare();
    if (focused) again.focus();
  }

  function show() {
    const at = answers.length;
    said.textContent = say(words.progress, at + 1, data.images.length);
    stage.replaceChildren(picture(data.images[at], label(data.images[at])));
  }

  // Ink from 0 to 9, row by row: those who do not see the picture can read its numbers.
  function label(image) {
    const digits = image.map((ink) => Math.round((ink / 255) * 9));
    const rows = Array.from({ length: SIDE }, (_, r) => digits.slice(r * SIDE, (r + 1) * SIDE).join(" "));
    return say(words.picture, rows.join("; "));
  }

  function compare() {
    const total = data.images.length;
    const right = (given) => given.filter((digit, i) => digit === data.labels[i]).length;
    said.textContent = [
      say(words.yours, right(answers), total),
      say(words.same, right(data.baseline), total),
      say(words.all, data.all, data.all_accuracy.toFixed(4)),
    ].join(" ");
    const missed = data.labels.flatMap((digit, i) => (answers[i] !== digit || data.baseline[i] !== digit ? [i] : []));
    const shown = missed.map((i) => {
      const text = say(words.answers, data.labels[i], answers[i], data.baseline[i]);
      return make("li", {}, picture(data.images[i], label(data.images[i])), text);
    });
    if (shown.length) after.append(make("p", {}, words.missed), make("ul", { class: "missed" }, ...shown));
    after.append(again);
  }
}

function picture(image, label) {
  const { picture: svg, cells } = squares(SIDE, { "aria-label": label, class: "pixels blurred" });
  image.forEach((ink, i) => {
    const gray = 255 - ink;
    cells[i].setAttribute("fill", `rgb(${gray} ${gray} ${gray})`);
  });
  return svg;
}
