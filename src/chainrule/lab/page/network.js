// The network of the bench: what each neuron answers over the inputs, weights as lines, each to be chosen.

import { $, store } from "./store.js";
import { t } from "./words.js";
import { css, paint, paint_line } from "./paint.js";
import { card } from "./card.js";

/** The dense layers by name and shape, frozen ones too. */
export const layers = () => Object.entries(store.state.weights).filter(([name, shape]) => name.endsWith(".W") && shape.length === 2).map(([name, shape]) => ({name: name.slice(0, -2), shape}));
/** Whether the network is drawn neuron by neuron. */
export const is_dense = () => layers().length > 0 && store.state.layers.every(layer => /^dense/.test(layer.name));
const SHOWN = 16, part = (part, all) => t("{part} of {all}", { part, all });

function place() {  // where the neurons stand: columns of at most SHOWN
  const box = $("picture").getBoundingClientRect(), dense = layers(), sizes = [dense[0].shape[0], ...dense.map(layer => layer.shape[1])];
  const wide = box.width / sizes.length;
  return sizes.map((size, column) => {
    const shown = Math.min(size, SHOWN), gap = (box.height - 30) / shown;
    return Array.from({length: shown}, (_, row) => ({x: (column + 0.5) * wide, y: 26 + (row + 0.5) * gap, side: Math.min(gap - 6, 46, wide * 0.5), size}));
  });
}

/** Builds lines, dots and canvases for the present network. */
export function build() {
  const picture = $("picture");
  picture.replaceChildren();
  if (!is_dense()) {
    const list = document.createElement("ul");
    for (const layer of store.state.layers) list.append(Object.assign(document.createElement("li"), {textContent: `${layer.name}: ${layer.what} → ${layer.output.join("×")}`}));
    picture.append(list);
    return;
  }
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), columns = place(), dense = layers();
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", t("The network: weights and biases that can be chosen"));
  picture.append(svg);
  const made = (tag, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    svg.append(element);
    return element;
  };
  dense.forEach((layer, k) => columns[k].forEach((from, i) => columns[k + 1].forEach((to, j) => {
    const [x0, x1] = [from.x + from.side / 2, to.x - to.side / 2 - 8], middle = (x0 + x1) / 2, d = `M${x0} ${from.y}C${middle} ${from.y} ${middle} ${to.y} ${x1} ${to.y}`;
    made("path", {class: "weight", d, "data-of": `${layer.name}.W/${i},${j}`});
    choosable(made("path", {class: "reach", d}), `${layer.name}.W`, [i, j]);
  })));
  dense.forEach((layer, k) => columns[k + 1].forEach((to, j) => {
    if (store.state.weights[`${layer.name}.b`]) choosable(made("circle", {class: "bias", cx: to.x - to.side / 2 - 5, cy: to.y, r: 5, "data-of": `${layer.name}.b/${j}`}), `${layer.name}.b`, [j]);
  }));
  columns.forEach((column, k) => {
    const name = document.createElement("span"), shown = column.length, size = column[0].size;
    name.className = "name";
    name.translate = k === 0;
    const is_frozen = k > 0 && !(`${dense[k - 1].name}.W` in store.state.parameters);
    name.textContent = (k ? dense[k - 1].name + (is_frozen ? ` (${t("frozen")})` : "") : t("inputs")) + (shown < size ? ` (${part(shown, size)})` : "");
    name.style.left = `${column[0].x}px`;
    picture.append(name);
    column.forEach((neuron, row) => {
      const canvas = document.createElement("canvas"), side = store.frame.side;
      Object.assign(canvas, {width: side, height: side});
      Object.assign(canvas.style, {left: `${neuron.x - neuron.side / 2}px`, top: `${neuron.y - neuron.side / 2}px`, width: `${neuron.side}px`, height: `${neuron.side}px`});
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", k ? t("{layer}, neuron {row}", { layer: dense[k - 1].name, row }) : t("input {row}", { row }));
      canvas.dataset.of = k ? `${dense[k - 1].name}/${row}` : `input/${row}`;
      picture.append(canvas);
    });
  });
}

function choosable(element, name, index) {
  element.setAttribute("tabindex", "0");
  element.setAttribute("role", "button");
  element.setAttribute("aria-label", `${name}[${index}]`);
  element.dataset.choice = `${name}/${index}`;
  const choose = () => card.choose(name, index);
  element.addEventListener("click", choose);
  element.addEventListener("keydown", event => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(); } });
}

/** Paints the numbers of the frame into them. */
export function draw_network() {
  const ranges = store.state.ranges, two = ranges?.length === 2, side = store.frame.side;
  for (const canvas of $("picture").querySelectorAll("canvas")) {
    const [name, row] = canvas.dataset.of.split("/"), map = store.frame.maps[`${name}.a`] ?? store.frame.maps[`${name}.z`] ?? (name === layers().at(-1)?.name ? store.frame.maps.output : null);
    if (!ranges) continue;
    if (name === "input") paint_input(canvas, +row, two);
    else if (map && +row < map.shape[0]) two ? paint(canvas, map, +row, side) : paint_line(canvas, map, +row);
  }
  for (const path of $("picture").querySelectorAll("[data-of]:not(canvas)")) {
    const [name, at] = path.dataset.of.split("/"), array = store.frame.values[name], index = at.split(",").map(Number);
    const value = array.data[index.length === 2 ? index[0] * array.shape[1] + index[1] : index[0]];
    if (path.tagName === "circle") path.setAttribute("fill", value < 0 ? css("--below") : css("--above"));
    else {
      path.setAttribute("stroke", value < 0 ? css("--below") : css("--above"));
      path.setAttribute("stroke-width", Math.min(7, 0.4 + 1.6 * Math.abs(value)).toFixed(2));
      path.setAttribute("stroke-opacity", Math.min(0.9, 0.25 + 0.4 * Math.abs(value)).toFixed(2));
    }
  }
  for (const element of $("picture").querySelectorAll("[data-choice]")) element.classList.toggle("chosen", card.chosen !== null && element.dataset.choice === `${card.chosen.name}/${card.chosen.index}`);
}

function paint_input(canvas, row, two) {
  const side = canvas.width, data = new Int8Array(side * side);
  for (let i = 0; i < side; i++) for (let j = 0; j < side; j++) data[i * side + j] = Math.round(254 * ((two && row === 1 ? side - 1 - i : j) / (side - 1)) - 127);
  paint(canvas, {data}, 0, side);
}
