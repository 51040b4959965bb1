// A digit as the models know it: ink made into 28x28 pixels as MNIST's were made, and what a model answers and why.
// Nothing here touches the page. Pictures are plain arrays of numbers from 0 (paper) to 1 (ink), row after row.

import { bytes } from "./mount.js";

export const SIDE = 28;
const BOX = 20; // MNIST scales the ink to fit a box of this side
const CENTRE = 14; // and moves its centre of mass to this row and column, counted from 0
export const FINE = 10; // cells of the pad to a pixel's side
export const PAD = SIDE * FINE;

// ---- From ink to pixels ----

// Draw a stroke, a list of [x, y] in cells, onto a pad of PAD x PAD cells. The pad is computed rather than read back
// from a canvas: browsers that guard against fingerprints falsify what they give back.
export function ink(pad, stroke, radius) {
  for (let i = 0; i < stroke.length; i++) {
    const [x0, y0] = stroke[Math.max(i - 1, 0)];
    const [x1, y1] = stroke[i];
    const [dx, dy] = [x1 - x0, y1 - y0];
    const length2 = dx * dx + dy * dy || 1;
    const reach = radius + 1;
    const bottom = Math.min(PAD, Math.ceil(Math.max(y0, y1) + reach));
    const right = Math.min(PAD, Math.ceil(Math.max(x0, x1) + reach));
    for (let y = Math.max(0, Math.floor(Math.min(y0, y1) - reach)); y < bottom; y++) {
      for (let x = Math.max(0, Math.floor(Math.min(x0, x1) - reach)); x < right; x++) {
        const [px, py] = [x + 0.5 - x0, y + 0.5 - y0];
        const along = Math.min(1, Math.max(0, (px * dx + py * dy) / length2));
        const distance = Math.hypot(px - along * dx, py - along * dy);
        // A soft edge, one cell wide.
        const value = Math.min(1, Math.max(0, radius + 0.5 - distance));
        if (value > pad[y * PAD + x]) pad[y * PAD + x] = value;
      }
    }
  }
}

// Lay an image of 28x28 pixels onto the pad, each pixel as a square of cells.
export function stamp(pad, image) {
  for (let y = 0; y < PAD; y++) {
    for (let x = 0; x < PAD; x++) {
      const value = image[Math.floor(y / FINE) * SIDE + Math.floor(x / FINE)];
      if (value > pad[y * PAD + x]) pad[y * PAD + x] = value;
    }
  }
}

// The smallest box that holds all ink, or null on an empty pad.
function bounds(pad) {
  let [left, top, right, bottom] = [PAD, PAD, -1, -1];
  for (let y = 0; y < PAD; y++) {
    for (let x = 0; x < PAD; x++) {
      if (!pad[y * PAD + x]) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
  }
  return right < 0 ? null : { left, top, width: right + 1 - left, height: bottom + 1 - top };
}

// Share out the cells from `start` on among `n` pixels of `size` cells each: for each pixel, the cells in it with the
// part of them that it covers. A size need not be whole, so a cell may belong to two pixels.
function shares(start, size, n, end) {
  return Array.from({ length: n }, (_, i) => {
    const [from, to] = [start + i * size, Math.min(start + (i + 1) * size, end)];
    const cells = [];
    for (let cell = Math.floor(from); cell < to; cell++) {
      cells.push([cell, Math.min(cell + 1, to) - Math.max(cell, from)]);
    }
    return cells;
  });
}

// The pad in n x n pixels: the gray of a pixel is the share of it that is covered with ink.
function averaged(pad, box, size, n) {
  const image = new Float32Array(n * n);
  const columns = shares(box.left, size, n, box.left + box.width);
  shares(box.top, size, n, box.top + box.height).forEach((rows, r) => {
    columns.forEach((cells, c) => {
      let sum = 0;
      for (const [y, height] of rows) for (const [x, width] of cells) sum += height * width * pad[y * PAD + x];
      image[r * n + c] = sum / (size * size);
    });
  });
  return image;
}

// Row and column of the centre of mass, counted from 0 at the middle of the first pixel.
export function centreOfMass(image, n = SIDE) {
  let [mass, row, column] = [0, 0, 0];
  image.forEach((value, i) => {
    mass += value;
    row += value * Math.floor(i / n);
    column += value * (i % n);
  });
  return [row / mass, column / mass];
}

// The pad as 28x28 pixels. With `centred`, as MNIST was made: the ink is scaled to fit 20x20, keeping its aspect, and
// moved by whole pixels until its centre of mass lies at the centre. Without, the pad as it is. Null without ink.
export function pixels(pad, centred) {
  const box = bounds(pad);
  if (!box) return null;
  if (!centred) return averaged(pad, { left: 0, top: 0, width: PAD, height: PAD }, FINE, SIDE);
  const size = Math.max(box.width, box.height) / BOX;
  const small = averaged(pad, box, size, BOX);
  const [row, column] = centreOfMass(small, BOX);
  // No ink may leave the picture, however far from the middle of its box the centre of mass is.
  const first = (at, length) => Math.max(0, Math.min(SIDE - Math.ceil(length / size), Math.round(CENTRE - at)));
  const [top, left] = [first(row, box.height), first(column, box.width)];
  const image = new Float32Array(SIDE * SIDE);
  small.forEach((value, i) => {
    if (value) image[(top + Math.floor(i / BOX)) * SIDE + left + (i % BOX)] = value;
  });
  return image;
}

// ---- Models ----

// Base64 of 32-bit floats.
export function floats(text) {
  return new Float32Array(bytes(text).buffer);
}

export const sigmoid = (score) => 1 / (1 + Math.exp(-score));

export function softmax(scores) {
  const top = Math.max(...scores); // only differences count, and this one keeps exp from overflowing
  const powers = scores.map((score) => Math.exp(score - top));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

// What a mean image lacks of this one (above 0) and has too much (below 0), and the mean absolute difference.
export function difference(image, mean) {
  const parts = Array.from(image, (value, i) => value - mean[i]);
  return { parts, distance: parts.reduce((sum, part) => sum + Math.abs(part), 0) / parts.length };
}

// A network is a list of linear layers { weight, bias } with a ReLU between each two.
// Return the scores, and which numbers of each hidden layer are above 0.
export function run(net, image) {
  let x = image;
  const awake = [];
  net.forEach(({ weight, bias }, depth) => {
    const n = x.length;
    const out = Array.from(bias, (b, row) => {
      let sum = b;
      for (let i = 0; i < n; i++) sum += weight[row * n + i] * x[i];
      return sum;
    });
    const last = depth === net.length - 1;
    if (!last) awake.push(out.map((value) => value > 0));
    x = last ? out : out.map((value) => Math.max(0, value));
  });
  return { scores: x, awake };
}

// How a weighted sum of a network's scores comes about, pixel by pixel: `direction` holds a weight for each score.
// While the hidden numbers above 0 stay the same, the network is a linear model. Its weights are the slopes, found here
// from the last layer to the first; weight times pixel is what a pixel adds. `rest` is what all biases add together.
export function effects(net, image, direction) {
  const { scores, awake } = run(net, image);
  let slope = direction;
  for (let depth = net.length - 1; depth >= 0; depth--) {
    const { weight, bias } = net[depth];
    const n = weight.length / bias.length;
    const below = new Array(n).fill(0);
    slope.forEach((s, row) => {
      if (s) for (let i = 0; i < n; i++) below[i] += s * weight[row * n + i];
    });
    slope = depth ? below.map((s, i) => (awake[depth - 1][i] ? s : 0)) : below;
  }
  const parts = slope.map((s, i) => s * image[i]);
  const total = scores.reduce((sum, score, i) => sum + direction[i] * score, 0);
  const sumOf = (sign) => parts.reduce((sum, part) => sum + (part * sign > 0 ? part : 0), 0);
  const [up, down] = [sumOf(1), sumOf(-1)];
  return { parts, up, down, rest: total - up - down, total };
}
