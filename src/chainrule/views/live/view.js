// Draws a view, as View.json() writes it, into an element of a page: SVG for marks, canvases for images and surfaces; no dependencies.
//
//   import { draw } from "./view.js";
//   const shown = draw(element, JSON.parse(text));   shown.update(other);   // other numbers, the same place

const LIGHT = { s0: "#0072b2", s1: "#d55e00", s2: "#009e73", s3: "#cc79a7", s4: "#e69f00", s5: "#56b4e9", s6: "#8a8a8a", s7: "#7f5f00", ink: "#1b1f24", paper: "#ffffff", faint: "#6b7280", line: "#d4d7dc", positive: "#b35806", negative: "#4575b4", right: "#1b7f5c", wrong: "#b2182b", light: "#ffffff", dark: "#101010" };
const DARK = { ...LIGHT, s0: "#4ba3dd", s1: "#f58a45", s2: "#35c795", s3: "#e3a3c6", s4: "#f2b84b", s5: "#8fd0f5", s6: "#a8a8a8", s7: "#c9a43b", ink: "#e6e6e6", paper: "#16181c", faint: "#9aa3af", line: "#3a3f47", positive: "#f1a340", negative: "#8fb8e8", right: "#4fc3a1", wrong: "#ff7b7b" };
const MAPS = {
  grey: [[0, 0, 0], [255, 255, 255]],
  sequential: [[0, 34, 78], [50, 71, 107], [87, 93, 109], [112, 113, 115], [138, 134, 120], [165, 155, 116], [196, 180, 99], [228, 207, 70], [254, 232, 56]],
  signed: [[69, 117, 180], [247, 247, 247], [179, 88, 6]],
};
MAPS["sequential reversed"] = [...MAPS.sequential].reverse();
const DASH = { solid: "", dashed: "5 3", dotted: "1.5 2.5", dashdot: "6 2 1.5 2" };
const HATCH = { "//": "M0,6L6,0", "..": "M1.5,2h.01M4.5,5h.01", xx: "M0,6L6,0M0,0L6,6" };
const css = colours => Object.entries(colours).map(([name, value]) => `--${name}:${value}`).join(";");
export const STYLE = `.view{${css(LIGHT)};color:var(--ink);background:var(--paper);font:12px system-ui,'DejaVu Sans',sans-serif;padding:8px}
@media(prefers-color-scheme:dark){.view{${css(DARK)}}}.view h3{margin:0 0 4px;font-size:14px}.view p{margin:4px 0 0;color:var(--faint);max-width:75ch}
.view svg{display:block;overflow:visible}.view svg text{stroke:none}.view .panels{display:grid;gap:8px;align-items:start;justify-content:start}.view h4{margin:0;font-weight:500}
.view table{border-collapse:collapse}.view th{text-align:left;border-bottom:1px solid var(--line)}.view td,.view th{padding:2px 10px 2px 0;font-variant-numeric:tabular-nums}`;

// A sheet made by script: the policy of a page that takes no style from markup lets it in.
const SHEET = new CSSStyleSheet();
SHEET.replaceSync(STYLE);

// ---- numbers, colours, elements

const TYPES = { float32: Float32Array, float64: Float64Array, uint8: Uint8Array, int32: Int32Array };
/** An array of the view, or numbers written as they are: {data, shape}. */
function unpack(a, view) {
  if (a == null) return null;
  if (typeof a === "number") return { data: [a], shape: [1] };
  if (Array.isArray(a)) return Array.isArray(a[0]) ? { data: a.flat(), shape: [a.length, a[0].length] } : { data: a, shape: [a.length] };
  const packed = view.arrays[a.array];
  if (typeof packed.data === "string") {
    const text = atob(packed.data), bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    packed.data = new TYPES[packed.type](bytes.buffer);
  }
  return packed;
}
const list = a => Array.from(a.data);
const each = (a, i) => a.data[a.data.length === 1 ? 0 : i];
const colour = c => `var(--${typeof c === "number" ? `s${c % 8}` : c})`;
function el(name, attributes, parent, text) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const k in attributes) if (attributes[k] != null && attributes[k] !== "") e.setAttribute(k, attributes[k]);
  if (text !== undefined) e.textContent = text;
  if (parent) parent.appendChild(e);
  return e;
}
/** @param {HTMLCanvasElement} canvas @returns {any} what paints into it */
const brush = canvas => canvas.getContext("2d");
const pen = brush(document.createElement("canvas"));
const widest = (texts, size) => ((pen.font = `${size}px system-ui, sans-serif`), Math.max(0, ...texts.flatMap(t => String(t).split("\n")).map(t => pen.measureText(t).width)));
const raised = n => String(n).replace(/[-\d]/g, c => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);
/** A number at a tick: plain from 0.001 to 10 000, else with its power of ten. */
export function number(v) {
  if (v === 0 || (Math.abs(v) > 0.000999 && Math.abs(v) < 10001)) return String(+v.toPrecision(6)).replace("-", "−");
  const p = Math.floor(Math.log10(Math.abs(v)) + 1e-9), front = +(v / 10 ** p).toPrecision(3);
  return (front === 1 ? "" : front === -1 ? "−" : String(front).replace("-", "−") + "×") + "10" + raised(p);
}
function ticks(low, high, count) {
  const raw = (high - low) / count, p = 10 ** Math.floor(Math.log10(raw)), step = ([1, 2, 2.5, 5].find(s => s * p >= raw * 0.999) ?? 10) * p, at = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) at.push(+(k * step).toPrecision(12));
  return at;
}
function powers(low, high) {
  const a = Math.log10(low), b = Math.log10(high), every = Math.max(1, Math.ceil((b - a) / 7)), at = [];
  for (let p = Math.floor(a); p <= b; p += every) for (const s of b - a < 1.7 ? [1, 2, 5] : [1]) if (s * 10 ** p >= low * 0.999 && s * 10 ** p <= high * 1.001) at.push(s * 10 ** p);
  return at.length > 1 ? at : [low, high];
}
function mixed(map, t) {
  const p = MAPS[map], s = Math.max(0, Math.min(1, t)) * (p.length - 1), i = Math.min(Math.floor(s), p.length - 2);
  return [0, 1, 2].map(c => p[i][c] + (p[i + 1][c] - p[i][c]) * (s - i));
}
const share = (v, { low, high, log }) => (log ? Math.log(v / low) / Math.log(high / low) : (v - low) / (high - low || 1));
const shade = (v, scale) => `rgb(${mixed(scale.map, share(v, scale)).map(Math.round)})`;
/** Numbers painted into a canvas, one to a pixel; bytes lie along the scale already. @param {any} numbers an array, its shape of rows, columns and, for pictures, colours @param {any} scale @param {boolean} [flip] */
function painted({ data, shape: [rows, columns, colours] }, scale, flip = false) {
  const canvas = document.createElement("canvas"), context = ((canvas.width = columns), (canvas.height = rows), brush(canvas)), out = context.createImageData(columns, rows), o = out.data;
  const at = data instanceof Uint8Array ? v => v / 255 : v => share(v, scale);
  for (let r = 0, j = 0; r < rows; r++) for (let c = 0; c < columns; c++, j += 4) {
    const i = (flip ? rows - 1 - r : r) * columns + c, v = data[i];
    const rgb = colours === 3 ? [0, 1, 2].map(n => 255 * at(data[3 * i + n])) : v == null || v !== v ? [0, 0, 0] : mixed(scale.map, at(v));
    o[j] = rgb[0]; o[j + 1] = rgb[1]; o[j + 2] = rgb[2]; o[j + 3] = colours !== 3 && (v == null || v !== v) ? 0 : 255;
  }
  return context.putImageData(out, 0, 0), canvas;
}

// ---- axes

const isFree = m => m.kind === "image" && m.where === "axes";
const boxOf = m => m.box ?? [-0.5, m.pixels.shape[1] - 0.5, m.pixels.shape[0] - 0.5, -0.5];
/** The least and the largest of what the marks show along an axis, with room beyond it. */
function extent(marks, which, axis) {
  let low = Infinity, high = -Infinity, tight = false;
  const take = (a, pad = 0) => { if (a) for (const v of a.data) if (v != null && isFinite(v) && (!axis.log || v > 0)) (low = Math.min(low, v - pad)), (high = Math.max(high, v + pad)); };
  for (const m of marks) {
    if (m.kind === "image") { if (!isFree(m)) { const [l, r, b, t] = boxOf(m); take({ data: which === "x" ? [l, r] : [b, t] }); tight = true; } }
    else if (m.kind === "bars") (m.flat ? "y" : "x") === which ? take(m.at, each(m.width, 0) / 2) : (take(m.end), take(m.start));
    else if (m.kind === "errors") (m.flat ? "y" : "x") === which ? take(m.at) : (take(m.low), take(m.high));
    else if (m.kind === "band") which === "x" ? take(m.x) : (take(m.low), take(m.high));
    else if (m.kind === "rule") { if (m[which] != null) take({ data: [m[which]].flat() }); }
    else if (!m.where || m.where[+(which === "y")] === "data") take(m[which]);
  }
  if (!(low <= high)) [low, high] = axis.log ? [1, 10] : [0, 1];
  if (low === high) [low, high] = axis.log ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
  if (tight) return marks.some(m => m.kind === "image" && !m.box && !isFree(m)) && which === "y" ? [high, low] : [low, high];
  const k = axis.margin;
  return axis.log ? [low / (high / low) ** k, high * (high / low) ** k] : [low - k * (high - low), high + k * (high - low)];
}
/** From numbers of an axis to places, with its ends, ticks and texts. */
function ruler(axis, marks, which, from, to) {
  const found = extent(marks, which, axis), [low, high] = axis.ends ? axis.ends.map((end, i) => end ?? found[i]) : found;
  const f = axis.log ? Math.log10 : v => v, k = (to - from) / (f(high) - f(low)), s = v => from + (f(v) - f(low)) * k, [a, b] = [Math.min(low, high), Math.max(low, high)];
  s.ticks = axis.at ? list(axis.at) : axis.texts ? [] : axis.log ? powers(a, b) : ticks(a, b, Math.max(2, Math.abs(to - from) / (which === "x" ? 70 : 40)));
  s.texts = axis.texts ?? s.ticks.map(number);
  s.shown = s.ticks.map((v, i) => [s(v), s.texts[i]]).filter(([p]) => p >= Math.min(from, to) - 1 && p <= Math.max(from, to) + 1);
  return s;
}

// ---- marks

const SIGN = { o: r => `M${-r},0a${r},${r} 0 1,0 ${2 * r},0a${r},${r} 0 1,0 ${-2 * r},0`, s: r => `M${-r},${-r}h${2 * r}v${2 * r}h${-2 * r}z`, "^": r => `M0,${-r}l${r},${2 * r}h${-2 * r}z`, v: r => `M0,${r}l${r},${-2 * r}h${-2 * r}z`, D: r => `M0,${-1.3 * r}l${1.3 * r},${1.3 * r}l${-1.3 * r},${1.3 * r}l${-1.3 * r},${-1.3 * r}z`, "<": r => `M${-r},0l${2 * r},${-r}v${2 * r}z`, ">": r => `M${r},0l${-2 * r},${-r}v${2 * r}z`, x: r => `M${-r},${-r}l${2 * r},${2 * r}m${-2 * r},0l${2 * r},${-2 * r}`, P: r => `M${-r},0h${2 * r}M0,${-r}v${2 * r}`, "|": r => `M0,${-r}v${2 * r}`, _: r => `M${-r},0h${2 * r}` };
SIGN.X = SIGN.x; SIGN["+"] = SIGN.P; SIGN["*"] = r => SIGN.P(r) + SIGN.x(0.7 * r);
const OPEN = new Set("xXP+*|_");
const signAt = (sign, x, y, r) => SIGN[sign](r).replace(/M([-.\de]+),([-.\de]+)/g, (_, a, b) => `M${(+a + x).toFixed(1)},${(+b + y).toFixed(1)}`);
/** Paths of one look each, for so many signs. */
function signs(g, m, xs, ys, size, fills) {
  const paths = new Map(), open = OPEN.has(m.marker);
  for (let i = 0; i < xs.length; i++) if (isFinite(xs[i]) && isFinite(ys[i])) paths.set(fills(i), [...(paths.get(fills(i)) ?? []), signAt(m.marker, xs[i], ys[i], each(size, i) * 0.62)]);
  for (const [fill, d] of paths) el("path", { d: d.join(""), fill: open || m.hollow ? "none" : fill, stroke: open || m.hollow ? fill : m.edge != null ? colour(m.edge) : "none", "stroke-width": open || m.hollow ? 1.4 : 0.8, opacity: m.alpha }, g);
}
const units = ({ where: [u, v] }, x, y, p) => [u === "axes" ? s => p.left + s * p.width : x, v === "axes" ? s => p.top + (1 - s) * p.height : y];
/** Lines of one level by marching squares. */
function contour({ data, shape: [rows, columns] }, level, px, py) {
  let path = "", text = null;
  const cut = (a, b) => (level - a) / (b - a);
  /** @param {number[]} place */
  const to = ([j, i]) => `${px(j).toFixed(1)},${py(i).toFixed(1)}`;
  for (let i = 0; i < rows - 1; i++) for (let j = 0; j < columns - 1; j++) {
    const [a, b, c, d] = [i * columns + j, i * columns + j + 1, (i + 1) * columns + j + 1, (i + 1) * columns + j].map(k => data[k]), at = [];
    if (a + b + c + d !== a + b + c + d) continue;
    if (a > level !== b > level) at.push([j + cut(a, b), i]);
    if (b > level !== c > level) at.push([j + 1, i + cut(b, c)]);
    if (d > level !== c > level) at.push([j + cut(d, c), i + 1]);
    if (a > level !== d > level) at.push([j, i + cut(a, d)]);
    for (let k = 0; k + 1 < at.length; k += 2) (path += `M${to(at[k])}L${to(at[k + 1])}`), (j > columns / 3 && (text ??= at[k]));
  }
  return [path, text];
}
let names = 0;
const hatched = (g, hatch, fill) => {
  if (!hatch) return fill;
  const id = `hatch${names++}`, p = el("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse" }, g);
  el("rect", { width: 6, height: 6, fill }, p), el("path", { d: HATCH[hatch], stroke: "var(--paper)", "stroke-width": 1.2, "stroke-linecap": "round" }, p);
  return `url(#${id})`;
};
const MARKS = {
  line(g, m, x, y) {
    const a = m.x, b = m.y, n = (a.data.length > b.data.length ? a : b).shape.at(-1), total = Math.max(a.data.length, b.data.length), xs = [], ys = [];
    let path = "", down = false;
    for (let i = 0; i < total; i++) {
      const u = x(a.data[i % a.data.length]), v = y(b.data[i % b.data.length]), known = a.data[i % a.data.length] != null && b.data[i % b.data.length] != null && isFinite(u) && isFinite(v);
      if (i % n === 0 || !known) down = false;
      if (known) (path += (down ? "L" : "M") + u.toFixed(1) + "," + v.toFixed(1)), (down = true), xs.push(u), ys.push(v);
    }
    const look = { d: path, fill: "none", "stroke-dasharray": DASH[m.dash], opacity: m.alpha, "stroke-linejoin": "round" };
    if (m.edge != null) el("path", { ...look, stroke: colour(m.edge), "stroke-width": m.width * 1.2 + 1.6 }, g);
    if (m.width) el("path", { ...look, stroke: colour(m.color), "stroke-width": m.width * 1.2 }, g);
    if (m.arrow) for (let i = 0; i + 1 < xs.length; i += 2) el("path", { d: "M0,0L-7,3.2L-7,-3.2z", transform: `translate(${xs[i + 1]},${ys[i + 1]}) rotate(${(Math.atan2(ys[i + 1] - ys[i], xs[i + 1] - xs[i]) * 180) / Math.PI})`, fill: colour(m.color), stroke: m.edge != null ? colour(m.edge) : "none", "stroke-width": 0.6 }, g);
    if (m.marker) signs(g, { ...m, hollow: false }, xs, ys, { data: [m.size] }, () => colour(m.color));
  },
  band(g, m, x, y) {
    const up = [], down = [];
    for (let i = 0; i < m.x.data.length; i++) if (isFinite(m.low.data[i]) && isFinite(m.high.data[i])) up.push(`${x(m.x.data[i]).toFixed(1)},${y(m.high.data[i]).toFixed(1)}`), down.unshift(`${x(m.x.data[i]).toFixed(1)},${y(m.low.data[i]).toFixed(1)}`);
    if (up.length) el("path", { d: `M${up.join("L")}L${down.join("L")}z`, fill: colour(m.color), opacity: m.alpha }, g);
  },
  errors(g, m, x, y) {
    let d = "";
    for (let i = 0; i < m.at.data.length; i++) {
      const [u, v] = m.flat ? [y, x] : [x, y], at = u(m.at.data[i]), a = v(m.low.data[i]), b = v(m.high.data[i]), c = m.cap * 1.33;
      if (isFinite(a + b)) d += m.flat ? `M${a},${at}H${b}M${a},${at - c}v${2 * c}M${b},${at - c}v${2 * c}` : `M${at},${a}V${b}M${at - c},${a}h${2 * c}M${at - c},${b}h${2 * c}`;
    }
    el("path", { d, stroke: colour(m.color), opacity: m.alpha, "stroke-width": m.width }, g);
  },
  points(g, m, x, y, plot) {
    const [px, py] = units(m, x, y, plot), scale = m.scale;
    signs(g, m, list(m.x).map(px), list(m.y).map(py), m.size, m.values ? i => shade(m.values.data[i], scale) : () => colour(m.color));
  },
  bars(g, m, x, y) {
    const one = hatched(g, m.hatch, colour(m.color));
    for (let i = 0; i < m.at.data.length; i++) {
      const [u, v] = m.flat ? [y, x] : [x, y], w = each(m.width, i), at = m.at.data[i], a = v(each(m.start, i)), b = v(m.end.data[i]), c = u(at - w / 2), d = u(at + w / 2);
      if (!isFinite(a + b)) continue;
      const [p, q, r, s] = [Math.min(a, b), Math.abs(b - a), Math.min(c, d), Math.abs(d - c)];
      el("rect", { ...(m.flat ? { x: p, width: q, y: r, height: s } : { x: r, width: s, y: p, height: q }), fill: m.values ? shade(m.values.data[i], m.scale) : m.colors ? hatched(g, m.hatch, colour(m.colors[i])) : one, stroke: m.edge != null ? colour(m.edge) : "", "stroke-width": 0.7, opacity: m.alpha }, g);
      const out = each(m.start, i) <= m.end.data[i] ? 1 : -1;
      if (m.texts[i]) el("text", m.flat ? { x: b + 4 * out, y: u(at) + 3.5, "text-anchor": out > 0 ? "start" : "end", "font-size": 10, fill: "currentColor" } : { x: u(at), y: b + (out > 0 ? -4 : 12), "text-anchor": "middle", "font-size": 10, fill: "currentColor" }, g, m.texts[i]);
    }
  },
  image(g, m, x, y, plot) {
    const { shape: [rows, columns] } = m.pixels, free = isFree(m), [l, r, b, t] = boxOf(m), flip = m.box && !free;
    const px = free ? v => plot.left + v * plot.width : x, py = free ? v => plot.top + (1 - v) * plot.height : y;
    let box = { x: Math.min(px(l), px(r)), y: Math.min(py(b), py(t)), width: Math.abs(px(r) - px(l)), height: Math.abs(py(t) - py(b)) };
    if (free) {
      const k = Math.min(box.width / columns, box.height / rows), [w, h] = [k * columns, k * rows], [fx, fy] = { C: [0.5, 0.5], NW: [0, 0], E: [1, 0.5] }[m.anchor];
      box = { x: box.x + fx * (box.width - w), y: box.y + fy * (box.height - h), width: w, height: h };
    }
    const turned = !free && !m.box ? py(b) < py(t) : flip && py(b) < py(t), over = !free && px(l) > px(r);
    el("image", { ...box, href: painted(m.pixels, m.scale, flip ? !turned : turned).toDataURL(), preserveAspectRatio: "none", opacity: m.alpha, "image-rendering": m.smooth ? "" : "pixelated", transform: over ? `matrix(-1,0,0,1,${2 * box.x + box.width},0)` : "" }, g);
    if (free && m.pixels.data.every?.(v => v === v)) el("rect", { ...box, fill: "none", stroke: "var(--faint)", "stroke-width": 0.5 }, g);
    if (m.crosses) for (let i = 0; i < rows * columns; i++) if (!isFinite(m.pixels.data[i])) el("path", { d: signAt("x", box.x + ((i % columns) + 0.5) * (box.width / columns), box.y + (Math.floor(i / columns) + 0.5) * (box.height / rows), 2), stroke: "#000" }, g);
    const cx = j => px(l + ((j + 0.5) / columns) * (r - l)), cy = i => (flip ? py(b + ((i + 0.5) / rows) * (t - b)) : py(t + ((i + 0.5) / rows) * (b - t)));
    const levels = Array.isArray(m.levels) ? m.levels : list(m.levels);
    levels.forEach((level, k) => {
      const [d, text] = contour(m.pixels, level, cx, cy);
      el("path", { d, fill: "none", stroke: colour(m.color), "stroke-width": level === 0 && levels.length > 1 ? 2.4 : m.width * 1.2, "stroke-dasharray": level < 0 ? "4 2" : "" }, g);
      if (text && m.texts[k]) el("text", { x: cx(text[0]), y: cy(text[1]) + 3, "font-size": 9, fill: colour(m.color), "text-anchor": "middle" }, g, m.texts[k]);
    });
  },
  text(g, m, x, y, plot) {
    const texts = typeof m.text === "string" ? [m.text] : m.text, [px, py] = units(m, x, y, plot), size = m.size * 1.33, high = size * 1.15;
    texts.forEach((words, i) => {
      const lines = words.split("\n"), u = px(m.x.data[i]) + m.offset[0] * 1.33, v = py(m.y.data[i]) - m.offset[1] * 1.33;
      if (!isFinite(u + v)) return;
      const first = v + (m.up === "top" ? size * 0.8 : m.up === "center" ? size * 0.35 - ((lines.length - 1) * high) / 2 : -(lines.length - 1) * high), w = widest(lines, size);
      if (m.framed) el("rect", { x: u - w / 2 - 3, y: v - size * 0.7, width: w + 6, height: size * 1.4, rx: 3, fill: "#fff", stroke: "#101010", "stroke-width": 0.6 }, g);
      const t = el("text", { "text-anchor": { left: "start", center: "middle", right: "end" }[m.across], "font-size": size, "font-weight": m.bold ? 700 : "", "font-family": m.mono ? "monospace" : "", fill: m.framed ? "#101010" : colour(m.colors ? m.colors[i] : m.color), opacity: m.alpha }, g);
      lines.forEach((line, k) => el("tspan", { x: u, y: first + k * high }, t, line));
    });
  },
  rule(g, m, x, y, { left, top, width, height }) {
    for (const [v, f, upright] of [[m.x, x, true], [m.y, y, false]]) {
      if (v == null) continue;
      const [a, b] = [v].flat().map(f);
      if (b !== undefined) el("rect", { ...(upright ? { x: Math.min(a, b), width: Math.abs(b - a), y: top, height } : { y: Math.min(a, b), height: Math.abs(b - a), x: left, width }), fill: colour(m.color), opacity: m.alpha }, g);
      else el("path", { d: upright ? `M${a},${top}v${height}` : `M${left},${a}h${width}`, stroke: colour(m.color), "stroke-dasharray": DASH[m.dash], "stroke-width": m.width * 1.2, opacity: m.alpha }, g);
    }
  },
};
const ARRAYS = ["x", "y", "z", "low", "high", "at", "end", "start", "width", "size", "values", "pixels"];
/** A mark with its arrays read. */
function read(mark, view) {
  const m = { ...mark };
  for (const name of ARRAYS) if (m[name] != null && m.kind !== "rule" && !(["line", "errors", "image", "text"].includes(m.kind) && ["width", "size"].includes(name))) m[name] = unpack(m[name], view);
  if (m.levels && !Array.isArray(m.levels)) m.levels = list(unpack(m.levels, view));
  if (m.colors && !Array.isArray(m.colors)) m.colors = list(unpack(m.colors, view));
  return m;
}
const readAxis = (a, view) => ({ ...a, at: unpack(a.at, view) });

// ---- panels

function drawPanel(p, view, width, height) {
  const marks = p.marks.map(m => read(m, view)), ax = readAxis(p.x, view), ay = readAxis(p.y, view), small = p.small ? 0.85 : 1;
  const svg = el("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": [p.title, ay.label, ax.label].filter(Boolean).join(", ") || view.title }), named = marks.filter(m => m.label && p.legend !== "none"), bar = marks.find(m => m.scale?.label)?.scale;
  const bare = p.frame === "none", size = a => a.size * 1.33 * small, legend = named.length ? 16 * named.length + (p.legend_title ? 16 : 0) : 0;
  const aside = p.legend === "right" && legend ? 40 + widest([...named.map(m => m.label), p.legend_title], 11) : 0, above = p.legend === "above" && legend ? 18 : 0, below = p.legend === "below" ? legend : 0;
  const turned = ax.turn && ax.texts ? widest(ax.texts, size(ax)) * Math.sin((ax.turn * Math.PI) / 180) : ax.texts ? size(ax) * (Math.max(...ax.texts.map(t => t.split("\n").length)) - 1) : 0;
  /** @type {any} */
  let plot = { left: bare ? 4 : 30 + widest(ay.texts ?? ["−0.000"], size(ay)) + 1.33 * ay.room, top: (p.title ? 18 * p.title.split("\n").length : 6) + above };
  plot.width = width - plot.left - (bar ? 74 : 14) - aside, plot.height = height - plot.top - (bare ? 4 : 38 + turned) - below;
  if (p.equal) {
    const [x, y] = [ax, ay].map((a, i) => { const f = extent(marks, "xy"[i], a), [low, high] = a.ends ? a.ends.map((end, k) => end ?? f[k]) : f; return Math.abs(high - low); }), k = Math.min(plot.width / x, plot.height / y);
    plot = { ...plot, width: k * x, height: k * y };
  }
  const bottom = plot.top + plot.height, x = ruler(ax, marks, "x", plot.left, plot.left + plot.width), y = ruler(ay, marks, "y", bottom, plot.top), id = `clip${names++}`;
  el("rect", { x: plot.left, y: plot.top, width: plot.width, height: plot.height }, el("clipPath", { id }, svg));
  for (const m of marks) MARKS[m.kind](m.kind === "text" || isFree(m) || m.where?.includes?.("axes") || (m.kind === "bars" && m.texts.length) ? el("g", {}, svg) : el("g", { "clip-path": `url(#${id})` }, svg), m, x, y, plot);
  if (!bare) {
    const lines = p.frame === "lines", look = { stroke: "currentColor", "stroke-width": 1, fill: "none" };
    if (lines) el("path", { d: `M${plot.left},${plot.top}V${bottom}H${plot.left + plot.width}`, ...look }, svg);
    for (const [at, words] of x.shown) {
      if (lines) el("path", { d: `M${at},${bottom}v4`, ...look }, svg);
      const t = el("text", { "font-size": size(ax), fill: "currentColor", "text-anchor": ax.turn ? "end" : "middle", transform: ax.turn ? `rotate(${-ax.turn} ${at} ${bottom + 10})` : "" }, svg);
      words.split("\n").forEach((line, k) => el("tspan", { x: at, y: bottom + (ax.turn ? 12 : 16) + k * size(ax) }, t, line));
    }
    for (const [at, words] of y.shown) {
      if (lines) el("path", { d: `M${plot.left},${at}h-4`, ...look }, svg);
      const t = el("text", { "font-size": size(ay), fill: "currentColor", "text-anchor": "end" }, svg);
      words.split("\n").forEach((line, k) => el("tspan", { x: plot.left - 6 - 1.33 * ay.room, y: at + 4 + k * size(ay) }, t, line));
    }
    el("text", { x: plot.left + plot.width / 2, y: bottom + 32 + turned, "text-anchor": "middle", "font-size": 12 * small, fill: "currentColor" }, svg, ax.label);
    el("text", { transform: `translate(12,${plot.top + plot.height / 2}) rotate(-90)`, "text-anchor": "middle", "font-size": 12 * small, fill: "currentColor" }, svg, ay.label);
  }
  p.title.split("\n").forEach((line, k) => el("text", { x: plot.left, y: 12 + 15 * k, "font-size": 11.5, fill: "currentColor" }, svg, line));
  if (bar) colourBar(svg, bar, plot);
  if (named.length) drawLegend(svg, named, p, plot, marks, x, y, [width, height]);
  return svg;
}
function colourBar(svg, scale, { left, top, width, height }) {
  const at = left + width + 10, canvas = painted({ data: Float64Array.from({ length: 128 }, (_, i) => 1 - i / 127), shape: [128, 1] }, { map: scale.map, low: 0, high: 1 });
  el("image", { x: at, y: top, width: 12, height, href: canvas.toDataURL(), preserveAspectRatio: "none" }, svg);
  for (const v of scale.log ? powers(scale.low, scale.high) : ticks(scale.low, scale.high, 5)) el("text", { x: at + 16, y: top + height * (1 - share(v, scale)) + 4, "font-size": 11, fill: "currentColor" }, svg, number(+v.toPrecision(2)));
  el("text", { transform: `translate(${at + 60},${top + height / 2}) rotate(-90)`, "text-anchor": "middle", "font-size": 11, fill: "currentColor" }, svg, scale.label);
}
/** How many points of the marks lie in a rectangle. */
function covered(marks, x, y, corner, wide, high) {
  const [cx, cy] = corner;
  let count = 0;
  for (const m of marks) {
    const a = m.x ?? m.at, b = m.kind === "bars" || m.kind === "errors" ? (m.flat ? null : (m.end ?? m.high)) : (m.y ?? m.high);
    if (!a?.data || !b?.data || m.kind === "text") continue;
    const step = Math.max(1, b.data.length >> 9);
    for (let i = 0; i < b.data.length; i += step) { const u = x(a.data[i % a.data.length]), v = y(b.data[i]); count += u > cx && u < cx + wide && v > cy && v < cy + high ? step : 0; }
  }
  return count;
}
function drawLegend(svg, named, p, plot, marks, x, y, [width, height]) {
  const title = p.legend_title ? 16 : 0, row = ["top", "above"].includes(p.legend), lengths = named.map(m => 40 + widest([m.label], 11));
  const wide = row ? lengths.reduce((a, b) => a + b, 0) : Math.max(...lengths, widest([p.legend_title], 11) + 12), high = row ? 18 : 16 * named.length + title + 4, { left, top } = plot, right = left + plot.width, bottom = top + plot.height;
  const corners = { "upper right": [right - wide, top], "upper left": [left + 6, top], "lower left": [left + 6, bottom - high], "lower right": [right - wide, bottom - high] };
  const places = { ...corners, top: [right - wide, top], above: [right - wide, top - 18], right: [right + 10, top + (plot.height - high) / 2], below: [left, height - high] };
  const [lx, ly] = places[p.legend] ?? Object.values(corners).map(corner => ({ corner, count: covered(marks, x, y, corner, wide, high) })).sort((a, b) => a.count - b.count)[0].corner;
  const g = el("g", { transform: `translate(${Math.max(0, Math.min(lx, width - wide))},${ly})`, "font-size": 11 }, svg);
  el("rect", { width: wide, height: high, fill: "var(--paper)", opacity: 0.75 }, g);
  if (title) el("text", { x: 4, y: 12, fill: "currentColor" }, g, p.legend_title);
  let along = 0;
  named.forEach((m, i) => {
    const at = row ? 9 : 10 + title + 16 * i, entry = el("g", { transform: `translate(${along},0)` }, g);
    if (m.kind === "points") signs(entry, m, [14], [at], { data: [Math.max(5, Math.min(9, Math.max(...m.size.data)))] }, () => (m.values ? "var(--faint)" : colour(m.color)));
    else if (m.kind === "bars" || m.kind === "band" || Array.isArray(m.x) || (m.kind === "rule" && Array.isArray(m.y))) el("rect", { x: 4, y: at - 5, width: 20, height: 10, fill: hatched(entry, m.hatch, colour(m.color)), opacity: m.alpha }, entry);
    else if (m.width) { el("path", { d: `M4,${at}h20`, stroke: colour(m.color), "stroke-width": m.width * 1.2, "stroke-dasharray": DASH[m.dash], opacity: m.alpha }, entry); if (m.marker) signs(entry, { ...m, hollow: false }, [14], [at], { data: [m.size] }, () => colour(m.color)); }
    el("text", { x: 30, y: at + 4, fill: "currentColor" }, entry, m.label);
    along += row ? lengths[i] : 0;
  });
}
/** Surfaces from afar to near; dragging turns them. */
function drawSpace(p, view, width, height) {
  const box = document.createElement("div"), canvas = document.createElement("canvas"), context = brush(canvas), marks = p.marks.map(m => read(m, view));
  const labels = ["x", "y", "z"].map(name => p[name].label), spans = ["x", "y", "z"].map(name => extentOf(marks.map(m => m[name])));
  let { azimuth, elevation } = p;
  canvas.width = width * 2, canvas.height = height * 2, canvas.style.cssText = `width:${width}px;height:${height}px;touch-action:none;cursor:grab`, canvas.setAttribute("role", "img"), canvas.setAttribute("aria-label", p.title || labels.join(", "));
  const paint = () => {
    const [a, e] = [azimuth, elevation].map(v => (v * Math.PI) / 180), k = 0.62 * p.zoom * Math.min(width, height), ink = getComputedStyle(box).color;
    /** @param {number[]} place @returns {number[]} across, down, and how near */
    const to = ([u, v, w]) => { const r = -Math.sin(a) * u + Math.cos(a) * v, d = Math.cos(a) * u + Math.sin(a) * v; return [width / 2 + k * r, height / 2 - k * (Math.cos(e) * w - Math.sin(e) * d), Math.cos(e) * d + Math.sin(e) * w]; };
    /** @param {number} v @param {number[]} span */
    const unit = (v, [low, high]) => (v - low) / (high - low || 1) - 0.5;
    const faces = [];
    for (const m of marks) {
      const [rows, columns] = m.z.shape, spot = (i, j) => to([unit(m.x.data[j], spans[0]), unit(m.y.data[i], spans[1]), 0.75 * unit(m.z.data[i * columns + j], spans[2])]), step = Math.max(1, Math.round(Math.max(rows, columns) / 40));
      for (let i = 0; i + step < rows; i += step) for (let j = 0; j + step < columns; j += step) { const f = [spot(i, j), spot(i, j + step), spot(i + step, j + step), spot(i + step, j)]; faces.push({ near: f.reduce((s, q) => s + q[2], 0), corners: f, fill: shade(m.z.data[i * columns + j], m.scale) }); }
    }
    context.setTransform(2, 0, 0, 2, 0, 0), context.clearRect(0, 0, width, height), (context.strokeStyle = context.fillStyle = ink), (context.font = "11px system-ui"), (context.textAlign = "center");
    const corner = [[-0.5, -0.5, -0.375], [0.5, -0.5, -0.375], [0.5, 0.5, -0.375], [-0.5, 0.5, -0.375]].map(to);
    context.globalAlpha = 0.35, context.beginPath(), corner.forEach(([u, v], i) => (i ? context.lineTo(u, v) : context.moveTo(u, v))), context.closePath(), context.stroke(), (context.globalAlpha = 1);
    for (const { corners, fill } of faces.sort((s, t) => s.near - t.near)) (context.fillStyle = context.strokeStyle = fill), context.beginPath(), corners.forEach(([u, v], i) => (i ? context.lineTo(u, v) : context.moveTo(u, v))), context.closePath(), context.fill(), context.stroke();
    context.fillStyle = ink;
    const at = [[[-0.5, -0.66, -0.4], [0.5, -0.66, -0.4], [0, -0.76, -0.45]], [[0.66, -0.5, -0.4], [0.66, 0.5, -0.4], [0.76, 0, -0.45]], [[-0.62, 0.5, -0.375], [-0.62, 0.5, 0.375], [-0.78, 0.55, 0.1]]];
    for (const [i, places] of at.entries()) [number(+spans[i][0].toPrecision(2)), number(+spans[i][1].toPrecision(2)), labels[i]].forEach((words, n) => { const [u, v] = to(places[n]), half = context.measureText(words).width / 2 + 2; context.fillText(words, Math.max(half, Math.min(width - half, u)), v); });
  };
  canvas.onpointerdown = event => canvas.setPointerCapture(event.pointerId);
  canvas.onpointermove = event => { if (event.buttons) (azimuth -= event.movementX * 0.6), (elevation = Math.max(-89, Math.min(89, elevation + event.movementY * 0.6))), paint(); };
  box.append(Object.assign(document.createElement("h4"), { textContent: p.title }), canvas), queueMicrotask(paint);
  return box;
}
const extentOf = arrays => { const all = arrays.flatMap(list).filter(isFinite); return [all.reduce((a, b) => Math.min(a, b), Infinity), all.reduce((a, b) => Math.max(a, b), -Infinity)]; };
function drawTable({ headings, rows, title }) {
  const box = document.createElement("div"), table = document.createElement("table"), add = (cells, name) => cells.reduce((r, c) => ((r.appendChild(document.createElement(name)).textContent = c), r), table.insertRow());
  add(headings, "th"), rows.forEach(row => add(row, "td")), box.append(Object.assign(document.createElement("h4"), { textContent: title }), table);
  return box;
}
const PANELS = { panel: drawPanel, space: drawSpace, table: drawTable };

/** The whole view: its title, its panels, the sentence on how to read it. */
export function draw(element, given) {
  if (!document.adoptedStyleSheets.includes(SHEET)) document.adoptedStyleSheets.push(SHEET);
  element.classList.add("view");
  const head = document.createElement("h3"), body = document.createElement("div"), foot = document.createElement("p"), shown = { update };
  element.replaceChildren(head, body, foot);
  function update(view) {
    if (view.version !== 1) throw new Error(`a view of version ${view.version}, where this script draws version 1`);
    const rows = Math.ceil(view.panels.length / view.columns), columns = Math.ceil(view.panels.length / rows), [w, h] = view.size.map(s => s * 96);
    head.textContent = view.title, foot.textContent = view.reading, body.className = "panels", body.style.gridTemplateColumns = `repeat(${columns},max-content)`;
    body.replaceChildren(...view.panels.map((p, i) => PANELS[p.kind](view.legend && i === 0 ? { ...p, legend: "above" } : p, view, w / columns, h / rows)));
    return shown;
  }
  return update(given);
}
