// What all widgets share: finding their boxes, making elements, unpacking data, saying a number in a sentence.

// Start a widget in each of its boxes. Its still picture hides, but comes back on paper. The word `try`, if there is one,
// says what to try and what to notice: it stands in the box, so that without the box nobody is told to move it.
export function mount(name, start) {
  for (const box of document.querySelectorAll(`.widget[data-widget="${name}"]`)) {
    const { words, data, replaces } = box.dataset;
    const source = data && document.getElementById(data);
    const said = JSON.parse(words);
    box.hidden = false;
    if (said.try) box.append(make("p", {}, said.try));
    start(box, said, source ? JSON.parse(source.textContent) : null);
    const still = replaces && document.getElementById(replaces);
    if (still) still.classList.add("still");
  }
}

// make("button", { type: "button" }, "Run"): an element. Text is text, never HTML.
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

// The same for parts of a drawing.
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

// What a cell packed in letters of Base64, as bytes.
export function bytes(text) {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

// say("loss: {}", 0.25): the text with its holes filled in order.
export function say(text, ...values) {
  return text.replace(/\{\}/g, () => values.shift());
}
