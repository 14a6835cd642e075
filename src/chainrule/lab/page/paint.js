// Colours, and canvases that are painted with them.

import { numeral, t } from "./words.js";
import { draw } from "./view.js";

export const OKABE = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#999999"];
export const COLOUR_NAMES = ["blue", "orange", "green", "pink"];

/** An element with properties and children. @param {string} tag @param {object} [properties] @param {any[]} children */
export function made(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** The options of a select, made anew only where they differ. @param {any} select @param {any[]} values @param {any} now @param {(value: any) => string} [words] */
export function options(select, values, now, words = String) {
  if (select.dataset.of !== JSON.stringify(values)) {
    select.replaceChildren(...values.map(value => made("option", { value, textContent: words(value) })));
    select.dataset.of = JSON.stringify(values);
  }
  select.value = now;
}

export const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
export const rgb = text => [1, 3, 5].map(i => parseInt(text.slice(i, i + 2), 16));
/** @type {number[][]} */
export let table = [];

/** Makes 255 colours from below 0 over the ground to above 0, for light or dark. */
export function colours() {
  const [low, middle, high] = [css("--below"), css("--panel"), css("--above")].map(rgb);
  table = Array.from({ length: 255 }, (_, i) => {
    const t = (i - 127) / 127, end = t < 0 ? low : high;
    return middle.map((m, c) => Math.round(m + (end[c] - m) * Math.abs(t)));
  });
}

/** Paints numbers −127 … 127 into a square canvas. @param {any} canvas @param {{data: ArrayLike<number>}} map @param {number} at @param {number} side */
export function paint(canvas, map, at, side) {
  const picture = new ImageData(side, side), start = at * side * side;
  for (let i = 0; i < side * side; i++) picture.data.set([...table[map.data[start + i] + 127], 255], 4 * i);
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

/** A row of a map as a curve. */
export function paint_line(canvas, map, row) {
  const context = canvas.getContext("2d"), { width, height } = canvas, n = map.shape[1];
  context.clearRect(0, 0, width, height);
  context.strokeStyle = css("--ink");
  context.lineWidth = 1.5;
  context.beginPath();
  for (let i = 0; i < n; i++) context.lineTo(i / (n - 1) * width, height / 2 * (1 - map.data[row * n + i] / 140));
  context.stroke();
}

/** Ends and names of two axes, written into a canvas. */
export function label_axes(context, canvas, [[x0, x1], [y0, y1]], [across, up] = [t("input {row}", { row: 0 }), t("input {row}", { row: 1 })]) {
  context.fillStyle = css("--ink");
  context.font = "11px system-ui, sans-serif";
  context.fillText(`${across}: ${numeral(x0)} … ${numeral(x1)}`, 6, canvas.height - 6);
  context.fillText(`${up}: ${numeral(y0)} … ${numeral(y1)}`, 6, 14);
}

/** Markup of the library put into an element: its styles by script, for the page's policy takes none from markup. @param {any} element @param {string} markup */
export function fill(element, markup) {
  element.innerHTML = markup.replaceAll(' style="', ' data-style="');
  for (const each of element.querySelectorAll("[data-style]")) each.style.cssText = each.dataset.style;
}

/** @type {WeakMap<any, any>} the view that stands in an element */
const views = new WeakMap();
/** A view in an element, drawn once and from then on updated; the element is hidden where there is none. @param {any} element @param {any} found */
export function show_view(element, found) {
  element.hidden = !found;
  if (!found) return;
  if (views.has(element)) views.get(element).update(found); else views.set(element, draw(element, found));
}

/** What the network answers, over its inputs, with the examples. @param {any} canvas @param {any} frame @param {any} state */
export function draw_answer(canvas, frame, state) {
  const context = canvas.getContext("2d"), map = frame.maps.output;
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!map || !state.ranges) {
    context.fillStyle = css("--soft");
    context.font = "13px system-ui, sans-serif";
    context.fillText(t("There are more than two inputs: no plane to draw on."), 12, 26);
  } else if (state.ranges.length === 1) draw_fit(canvas, context, map, frame, state);
  else draw_plane(canvas, context, map, frame, state);
}

function draw_plane(canvas, context, map, frame, state) {
  const side = frame.side, small = new OffscreenCanvas(side, side), picture = new ImageData(side, side), ground = rgb(css("--panel"));
  for (let i = 0; i < side * side; i++) {
    let best = 0, most = -1, second = -1;
    for (let c = 0; c < map.shape[0]; c++) { const p = map.data[c * side * side + i]; if (p > most) { second = most; most = p; best = c; } else if (p > second) second = p; }
    const sure = state.classes.length ? Math.min(1, 0.15 + 0.6 * (most - Math.max(second, 0)) / 127) : 0;
    const colour = state.classes.length ? rgb(OKABE[best % OKABE.length]).map((c, k) => ground[k] + (c - ground[k]) * sure) : table[map.data[i] + 127];
    picture.data.set([...colour, 255], 4 * i);
  }
  small.getContext("2d")?.putImageData(picture, 0, 0);
  context.imageSmoothingEnabled = true;
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  const [[x0, x1], [y0, y1]] = state.ranges;
  for (const [part, points] of Object.entries(state.points)) for (const [x, y, label] of points) {
    context.beginPath();
    context.arc((x - x0) / (x1 - x0) * canvas.width, (y1 - y) / (y1 - y0) * canvas.height, 3.2, 0, 7);
    context.fillStyle = part === "training" ? OKABE[label % OKABE.length] : css("--panel");
    context.strokeStyle = part === "training" ? css("--panel") : OKABE[label % OKABE.length];
    context.lineWidth = 1.2;
    context.fill();
    context.stroke();
  }
  label_axes(context, canvas, state.ranges);
}

/** A curve for each class, whose examples stand on the axis; of numbers the first one's, among the examples. */
function draw_fit(canvas, context, map, frame, state) {
  const [[x0, x1]] = state.ranges, [count, n] = map.shape, scale = frame.scales.output / 127, classes = state.classes.length > 0;
  const curves = Array.from({ length: classes ? count : 1 }, (_, c) => Array.from({ length: n }, (_, i) => map.data[c * n + i] * scale));
  const all = classes ? [0, 1] : Object.values(state.points).flat().map(point => point[1]);
  const low = Math.min(...curves.flat(), ...all), high = Math.max(...curves.flat(), ...all), pad = 0.08 * (high - low || 1);
  canvas.ends = [low - pad, high + pad];
  const X = x => (x - x0) / (x1 - x0) * canvas.width, Y = y => (high + pad - y) / (high - low + 2 * pad) * canvas.height;
  for (const [part, points] of Object.entries(state.points)) for (const [x, y] of points) {
    context.beginPath();
    context.arc(X(x), Y(classes ? 0 : y), 2.5, 0, 7);
    context.fillStyle = classes ? OKABE[y % OKABE.length] : part === "training" ? css("--below") : css("--line");
    context.fill();
  }
  curves.forEach((values, c) => {
    context.beginPath();
    values.forEach((y, i) => context.lineTo(i / (n - 1) * canvas.width, Y(y)));
    context.strokeStyle = classes ? OKABE[c % OKABE.length] : css("--above");
    context.lineWidth = 2.5;
    context.stroke();
  });
  label_axes(context, canvas, [[x0, x1], [low, high]], [t("input"), classes ? t("share of each class") : t("output")]);
}

/** The loss over the steps: mean, least and largest of stretches. @param {any} canvas @param {any} frame */
export function draw_curve(canvas, frame) {
  const context = canvas.getContext("2d"), { shape, data } = frame.curve, [n] = shape, left = 44, bottom = 20;
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!n) return;
  let high = 0;
  for (let i = 0; i < n; i++) high = Math.max(high, data[4 * i + 1]);
  const last = Math.max(1, data[4 * (n - 1)]), X = s => left + s / last * (canvas.width - left - 8), Y = v => 8 + (1 - v / (high || 1)) * (canvas.height - bottom - 8);
  context.fillStyle = css("--line");
  for (let i = 0; i < n; i++) context.fillRect(X(data[4 * i]), Y(data[4 * i + 3]), 1, Y(data[4 * i + 2]) - Y(data[4 * i + 3]) || 1);
  context.beginPath();
  for (let i = 0; i < n; i++) context.lineTo(X(data[4 * i]), Y(data[4 * i + 1]));
  context.strokeStyle = css("--above");
  context.lineWidth = 1.8;
  context.stroke();
  context.fillStyle = css("--soft");
  context.font = "11px system-ui, sans-serif";
  context.fillText(numeral(high), 2, 14);
  context.fillText("0", 32, canvas.height - bottom);
  context.fillText(t("steps 0 … {last}; line: mean, grey: least to largest", { last }), left, canvas.height - 5);
}
