// The page of the lab: asks the desk for state and frames, draws them, and sends what somebody does. It computes nothing about networks.

const $ = id => document.getElementById(id);
const OKABE = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442", "#999999"];
let state = null, frame = null, version = "", chosen = null, busy = false, drawn = "";

// ---- asking and telling

async function ask(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({error: answer.statusText}))).error);
  return answer.json();
}

async function tell(name, given = {}) {
  const answer = await fetch("/act", {method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify({do: name, with: given})});
  const said = await answer.json();
  say(answer.ok ? "" : said.error);
  return answer.ok;
}

async function change(name, given) {
  await tell(name, given);
  await refresh();
}

function say(text) {
  $("message").textContent = text;
  $("message").hidden = !text;
}

const numeral = value => value === null || value === undefined || Number.isNaN(value) ? "–" :
  (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5) ? value.toExponential(2) : value.toPrecision(4)).replace("-", "−");

function unpacked(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const kinds = {float32: Float32Array, int8: Int8Array};
  head.values = {}; head.maps = {};
  for (const {name, shape, dtype, offset} of head.arrays) {
    const size = shape.reduce((a, b) => a * b, 1), array = {shape, data: new kinds[dtype](buffer, 4 + length + offset, size)};
    const [kind, ...rest] = name.split("/");
    if (rest.length) head[kind][rest.join("/")] = array; else head[name] = array;
  }
  return head;
}

// ---- colours

const dark = matchMedia("(prefers-color-scheme: dark)");
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const rgb = text => [1, 3, 5].map(i => parseInt(text.slice(i, i + 2), 16));
let table = null;

function colours() {  // 255 colours from below 0 over the ground to above 0
  const [low, middle, high] = [css("--below"), css("--panel"), css("--above")].map(rgb);
  table = Array.from({length: 255}, (_, i) => {
    const t = (i - 127) / 127, end = t < 0 ? low : high;
    return middle.map((m, c) => Math.round(m + (end[c] - m) * Math.abs(t)));
  });
}

function paint(canvas, map, at, side) {
  const picture = new ImageData(side, side), start = at * side * side;
  for (let i = 0; i < side * side; i++) {
    const [r, g, b] = table[map.data[start + i] + 127];
    picture.data.set([r, g, b, 255], 4 * i);
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

// ---- the network

const layers = () => Object.entries(state.parameters).filter(([name, shape]) => name.endsWith(".W") && shape.length === 2).map(([name, shape]) => ({name: name.slice(0, -2), shape}));
const is_dense = () => layers().length > 0 && state.layers.every(layer => /^dense/.test(layer.name));
const SHOWN = 16;

function place() {  // where the neurons stand: columns of at most SHOWN
  const box = $("picture").getBoundingClientRect(), dense = layers(), sizes = [dense[0].shape[0], ...dense.map(layer => layer.shape[1])];
  const wide = box.width / sizes.length;
  return sizes.map((size, column) => {
    const shown = Math.min(size, SHOWN), gap = (box.height - 30) / shown;
    return Array.from({length: shown}, (_, row) => ({x: (column + 0.5) * wide, y: 26 + (row + 0.5) * gap, side: Math.min(gap - 6, 46, wide * 0.5), size}));
  });
}

function build() {
  const picture = $("picture");
  picture.replaceChildren();
  if (!is_dense()) {
    const list = document.createElement("ul");
    for (const layer of state.layers) list.append(Object.assign(document.createElement("li"), {textContent: `${layer.name}: ${layer.what} → ${layer.output.join("×")}`}));
    picture.append(list);
    return;
  }
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), columns = place(), dense = layers();
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", "The network: weights and biases that can be chosen");
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
    if (state.parameters[`${layer.name}.b`]) choosable(made("circle", {class: "bias", cx: to.x - to.side / 2 - 5, cy: to.y, r: 5, "data-of": `${layer.name}.b/${j}`}), `${layer.name}.b`, [j]);
  }));
  columns.forEach((column, k) => {
    const name = document.createElement("span"), shown = column.length, size = column[0].size;
    name.className = "name";
    name.textContent = (k ? dense[k - 1].name : "inputs") + (shown < size ? ` (${shown} of ${size})` : "");
    name.style.left = `${column[0].x}px`;
    picture.append(name);
    column.forEach((neuron, row) => {
      const canvas = document.createElement("canvas"), side = frame.side;
      Object.assign(canvas, {width: side, height: side});
      Object.assign(canvas.style, {left: `${neuron.x - neuron.side / 2}px`, top: `${neuron.y - neuron.side / 2}px`, width: `${neuron.side}px`, height: `${neuron.side}px`});
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", k ? `${dense[k - 1].name}, neuron ${row}` : `input ${row}`);
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
  const choose = () => { chosen = {name, index}; card(); };
  element.addEventListener("click", choose);
  element.addEventListener("keydown", event => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(); } });
}

function draw_network() {
  const ranges = state.ranges, two = ranges?.length === 2, side = frame.side;
  for (const canvas of $("picture").querySelectorAll("canvas")) {
    const [name, row] = canvas.dataset.of.split("/"), map = frame.maps[`${name}.a`] ?? frame.maps[`${name}.z`] ?? (name === layers().at(-1).name ? frame.maps.output : null);
    if (!ranges) continue;
    if (name === "input") paint_input(canvas, +row, two);
    else if (map && +row < map.shape[0]) two ? paint(canvas, map, +row, side) : paint_line(canvas, map, +row);
  }
  for (const path of $("picture").querySelectorAll("[data-of]:not(canvas)")) {
    const [name, at] = path.dataset.of.split("/"), array = frame.values[name], index = at.split(",").map(Number);
    const value = array.data[index.length === 2 ? index[0] * array.shape[1] + index[1] : index[0]];
    if (path.tagName === "circle") path.setAttribute("fill", value < 0 ? css("--below") : css("--above"));
    else {
      path.setAttribute("stroke", value < 0 ? css("--below") : css("--above"));
      path.setAttribute("stroke-width", Math.min(7, 0.4 + 1.6 * Math.abs(value)).toFixed(2));
      path.setAttribute("stroke-opacity", Math.min(0.9, 0.25 + 0.4 * Math.abs(value)).toFixed(2));
    }
  }
  for (const element of $("picture").querySelectorAll("[data-choice]")) element.classList.toggle("chosen", chosen !== null && element.dataset.choice === `${chosen.name}/${chosen.index}`);
}

function paint_input(canvas, row, two) {
  const side = canvas.width, data = new Int8Array(side * side);
  for (let i = 0; i < side; i++) for (let j = 0; j < side; j++) data[i * side + j] = Math.round(254 * ((two && row === 1 ? side - 1 - i : j) / (side - 1)) - 127);
  paint(canvas, {data}, 0, side);
}

function paint_line(canvas, map, row) {
  const context = canvas.getContext("2d"), {width, height} = canvas, n = map.shape[1];
  context.clearRect(0, 0, width, height);
  context.strokeStyle = css("--ink");
  context.lineWidth = 1.5;
  context.beginPath();
  for (let i = 0; i < n; i++) context.lineTo(i / (n - 1) * width, height / 2 * (1 - map.data[row * n + i] / 140));
  context.stroke();
}

// ---- the answer

function draw_answer() {
  const canvas = $("surface"), context = canvas.getContext("2d"), map = frame.maps.output;
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (!map || !state.ranges) { context.fillStyle = css("--soft"); context.font = "13px system-ui, sans-serif"; context.fillText("There are more than two inputs: no plane to draw on.", 12, 26); return; }
  if (state.ranges.length === 1) return draw_fit(canvas, context, map);
  const side = frame.side, small = new OffscreenCanvas(side, side), picture = new ImageData(side, side), ground = rgb(css("--panel"));
  for (let i = 0; i < side * side; i++) {
    let best = 0, most = -1, second = -1;
    for (let c = 0; c < map.shape[0]; c++) { const p = map.data[c * side * side + i]; if (p > most) { second = most; most = p; best = c; } else if (p > second) second = p; }
    const sure = state.classes.length ? Math.min(1, 0.15 + 0.6 * (most - Math.max(second, 0)) / 127) : 0;
    const colour = state.classes.length ? rgb(OKABE[best % OKABE.length]).map((c, k) => ground[k] + (c - ground[k]) * sure) : table[map.data[i] + 127];
    picture.data.set([...colour, 255], 4 * i);
  }
  small.getContext("2d").putImageData(picture, 0, 0);
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

function label_axes(context, canvas, [[x0, x1], [y0, y1]], [across, up] = ["input 0", "input 1"]) {
  context.fillStyle = css("--ink");
  context.font = "11px system-ui, sans-serif";
  context.fillText(`${across}: ${numeral(x0)} … ${numeral(x1)}`, 6, canvas.height - 6);
  context.fillText(`${up}: ${numeral(y0)} … ${numeral(y1)}`, 6, 14);
}

function draw_fit(canvas, context, map) {
  const [[x0, x1]] = state.ranges, n = map.shape[1], scale = frame.scales.output / 127;
  const values = Array.from({length: n}, (_, i) => map.data[i] * scale), all = Object.values(state.points).flat().map(point => point[1]);
  const low = Math.min(...values, ...all), high = Math.max(...values, ...all), pad = 0.08 * (high - low || 1);
  const X = x => (x - x0) / (x1 - x0) * canvas.width, Y = y => (high + pad - y) / (high - low + 2 * pad) * canvas.height;
  for (const [part, points] of Object.entries(state.points)) for (const [x, y] of points) {
    context.beginPath();
    context.arc(X(x), Y(y), 2.5, 0, 7);
    context.fillStyle = part === "training" ? css("--below") : css("--line");
    context.fill();
  }
  context.beginPath();
  values.forEach((y, i) => context.lineTo(i / (n - 1) * canvas.width, Y(y)));
  context.strokeStyle = css("--above");
  context.lineWidth = 2.5;
  context.stroke();
  label_axes(context, canvas, [[x0, x1], [low, high]], ["input", "output"]);
}

function draw_curve() {
  const canvas = $("curve"), context = canvas.getContext("2d"), {shape, data} = frame.curve, [n] = shape, left = 44, bottom = 20;
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
  context.fillText(`steps 0 … ${last}; line: mean, grey: least to largest`, left, canvas.height - 5);
}

// ---- the card of a weight

let carding = false;
async function card() {
  if (!chosen || carding) return;
  carding = true;
  try {
    const found = await ask(`/card?name=${encodeURIComponent(chosen.name)}&index=${chosen.index}`);
    $("card").hidden = false;
    $("card-title").textContent = `${found.name}[${found.index}]`;
    if (document.activeElement !== $("value") && document.activeElement !== $("number")) {
      Object.assign($("value"), {min: found.line[0], max: found.line.at(-1)});
      $("value").value = found.value;
      $("number").value = +found.value.toPrecision(6);
    }
    const facts = {"value": numeral(found.value), "∂C/∂w by the chain rule": numeral(found.derivative), [`(C(w + ${numeral(found.nudge)}) − C(w − ${numeral(found.nudge)})) / ${numeral(2 * found.nudge)}`]: numeral(found.difference),
      "cost C": `${numeral(found.cost)} over ${found.examples} training examples`, "a step of plain descent": state.learning_rate ? `−η·∂C/∂w = ${numeral(-state.learning_rate * found.derivative)}` : "–"};
    $("facts").replaceChildren(...Object.entries(facts).flatMap(([name, text]) => [Object.assign(document.createElement("dt"), {textContent: name}), Object.assign(document.createElement("dd"), {textContent: text})]));
    draw_cost(found);
    draw_network();
  } catch (error) { chosen = null; $("card").hidden = true; }
  carding = false;
}

function draw_cost({line, costs, value, cost, derivative}) {
  const canvas = $("cost"), context = canvas.getContext("2d"), low = Math.min(...costs), high = Math.max(...costs), left = 50, bottom = 22;
  const X = w => left + (w - line[0]) / (line.at(-1) - line[0]) * (canvas.width - left - 8), Y = c => 8 + (high - c) / (high - low || 1) * (canvas.height - bottom - 16);
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.lineWidth = 2;
  context.strokeStyle = css("--below");
  context.beginPath();
  line.forEach((w, i) => context.lineTo(X(w), Y(costs[i])));
  context.stroke();
  const reach = (line.at(-1) - line[0]) / 5;
  context.strokeStyle = css("--above");
  context.beginPath();
  context.moveTo(X(value - reach), Y(cost - reach * derivative));
  context.lineTo(X(value + reach), Y(cost + reach * derivative));
  context.stroke();
  context.fillStyle = css("--above");
  context.beginPath();
  context.arc(X(value), Y(cost), 4, 0, 7);
  context.fill();
  context.fillStyle = css("--soft");
  context.font = "11px system-ui, sans-serif";
  context.fillText(numeral(high), 2, 14);
  context.fillText(numeral(low), 2, canvas.height - bottom);
  context.fillText(`w from ${numeral(line[0])} to ${numeral(line.at(-1))}; up: C`, left, canvas.height - 6);
}

// ---- state, frames, time

function options(select, values, now, words = String) {
  if (select.dataset.of !== JSON.stringify(values)) {
    select.replaceChildren(...values.map(value => Object.assign(document.createElement("option"), {value, textContent: words(value)})));
    select.dataset.of = JSON.stringify(values);
  }
  select.value = now;
}

async function refresh() {
  state = await ask("/state");
  options($("set"), state.sets, state.set);
  const optimizers = Object.fromEntries(state.optimizers.map(name => [name.replaceAll("_", "").toLowerCase(), name]));
  options($("optimizer"), state.optimizers, optimizers[state.optimizer.toLowerCase()] ?? "");
  options($("batch"), [1, 2, 5, 10, 20, 32, 50, 100, state.examples].filter((size, i, all) => size <= state.examples && all.indexOf(size) === i), state.batch_size);
  if (![...$("batch").options].some(option => +option.value === state.batch_size)) { $("batch").append(new Option(state.batch_size)); $("batch").value = state.batch_size; }
  if (![...$("penalty").options].some(option => +option.value === state.penalty)) $("penalty").append(new Option(state.penalty));
  $("penalty").value = state.penalty;
  if (state.learning_rate) $("rate").value = Math.log10(state.learning_rate);
  $("rate").disabled = !state.learning_rate;
  $("rate-value").textContent = state.learning_rate ? numeral(state.learning_rate) : "a schedule";
  $("rate-value").title = state.optimizer_text;
  $("seed").value = state.seed;
  if (document.activeElement !== $("text")) $("text").value = state.network;
  $("formula").textContent = state.formula;
  $("about-pictures").hidden = !state.ranges;
  $("about-data").textContent = Object.entries(state.parts).map(([part, count]) => `${count} ${part}`).join(", ") + ` examples; ${state.scaling || "the network sees them as they are"}.`;
  $("about-answer").textContent = !state.ranges ? "" : state.classes.length ? `The colour is the class that the network takes (${state.classes.map((name, i) => `${["blue", "orange", "green", "pink"][i] ?? i}: ${name}`).join(", ")}); the paler, the less sure. Filled points: training. Open points: test.`
    : "The line is the network. Blue points: training. Grey points: test.";
  for (const element of document.querySelectorAll("[data-words]")) element.textContent = state.words[element.dataset.words] ?? "";
  for (const element of document.querySelectorAll("[data-title]")) element.title = state.words[element.dataset.title] ?? "";
  $("events").replaceChildren(...state.events.map(text => Object.assign(document.createElement("li"), {textContent: text})));
  show_playing(state.playing);
  if (state.error) say(state.error);
  const shape = JSON.stringify([state.parameters, state.ranges, innerWidth]);
  await next(true);
  if (shape !== drawn) { build(); drawn = shape; draw(); }
}

function show_playing(playing) {
  $("play").textContent = playing ? "❚❚ Pause" : "▶ Play";
  $("play").setAttribute("aria-pressed", String(playing));
}

async function next(always = false) {
  const answer = await fetch(`/frame${always ? "" : `?after=${encodeURIComponent(version)}`}`);
  if (answer.status === 204 || !answer.ok) return false;
  version = answer.headers.get("x-version");
  frame = unpacked(await answer.arrayBuffer());
  draw();
  return true;
}

function draw() {
  const n = frame.curve.shape[0];
  $("stepnumber").textContent = frame.step;
  $("epochnumber").textContent = frame.epoch.toFixed(frame.epoch < 10 ? 2 : 0);
  $("lossnumber").textContent = n ? numeral(frame.curve.data[4 * n - 3]) : "–";
  $("time").max = Math.max(frame.step, +$("time").max);
  if (document.activeElement !== $("time")) $("time").value = frame.step;
  if (is_dense() && $("picture").querySelector("svg")) draw_network();
  draw_answer();
  draw_curve();
}

async function show_scores() {
  const scores = await ask("/scores");
  $("scores").tBodies[0].replaceChildren(...Object.entries(scores).map(([part, found]) => {
    const row = document.createElement("tr");
    row.append(Object.assign(document.createElement("th"), {textContent: part, scope: "row"}), ...["loss", "accuracy"].map(name => Object.assign(document.createElement("td"), {textContent: numeral(found[name])})));
    return row;
  }));
}

let looked = 0;
async function tick() {
  if (!document.hidden && !busy && state) {
    busy = true;
    try {
      const fresh = await next();
      if (fresh && performance.now() - looked > 300) {
        looked = performance.now();
        await show_scores();
        if (chosen) await card();
        if (state.playing) { const now = await ask("/state"); if (!now.playing) { state.playing = false; show_playing(false); say(now.error); } }
      }
    } catch (error) { say("The lab does not answer. Is the command still running?"); }
    busy = false;
  }
  requestAnimationFrame(tick);
}

async function after(action) {
  await action;
  await refresh();
  await show_scores();
  if (chosen) await card();
}

// ---- what somebody does

const speed = () => JSON.parse($("speed").value);
$("play").onclick = () => after(tell(state.playing ? "pause" : "play", state.playing ? {} : {speed: speed()}));
$("speed").onchange = () => state.playing && tell("play", {speed: speed()});
$("step").onclick = () => after(tell("forward", {steps: 1}));
$("epoch").onclick = () => after(tell("forward", {steps: state.steps_per_epoch}));
$("back").onclick = () => after(tell("at", {step: Math.max(0, frame.step - (frame.step > 10 ? Math.max(1, Math.floor(frame.step / 10)) : 1))}));
$("undo").onclick = () => after(tell("undo"));
$("copy").onclick = async () => {
  const {link} = await ask("/link"), url = `${location.origin}/#${link}`;
  try { await navigator.clipboard.writeText(url); say(`Copied. Whoever has chainrule opens it by: chainrule lab --state ${link.slice(0, 24)}…`); } catch (error) { say(url); }
};
$("set").onchange = () => after(tell("data", {name: $("set").value, noise: +$("noise").value}));
$("noise").oninput = () => { $("noise-value").textContent = $("noise").value; };
$("noise").onchange = () => after(tell("data", {name: $("set").value, noise: +$("noise").value}));
$("optimizer").onchange = () => after(tell("optimizer", {name: $("optimizer").value}));
$("rate").oninput = () => { $("rate-value").textContent = numeral(10 ** +$("rate").value); };
$("rate").onchange = () => after(tell("learning_rate", {value: +(10 ** +$("rate").value).toPrecision(3)}));
$("batch").onchange = () => after(tell("batch_size", {value: +$("batch").value}));
$("penalty").onchange = () => after(tell("penalty", {factor: +$("penalty").value}));
$("seed").onchange = () => after(tell("seed", {value: +$("seed").value}));
$("wiring").onsubmit = event => { event.preventDefault(); after(tell("network", {text: $("text").value})); };
$("neuron").onclick = () => grow(sizes => { if (sizes.length > 2) sizes[sizes.length - 2]++; else sizes.splice(1, 0, 4); });
$("layer").onclick = () => grow(sizes => sizes.splice(sizes.length - 1, 0, 4));
function grow(how) {
  const [text, ...words] = state.network.split(" "), sizes = text.split("-").map(Number);
  if (sizes.some(Number.isNaN)) return say("Write the layers as a text: this network has other layers than dense ones.");
  how(sizes);
  after(tell("network", {text: [sizes.join("-"), ...words].join(" ")}));
}

let setting = false, wanted = null;
async function set_value(value) {  // while it is dragged, one request at a time
  wanted = value;
  if (setting || !chosen) return;
  setting = true;
  while (wanted !== null) {
    const now = wanted;
    wanted = null;
    await tell("set", {name: chosen.name, index: chosen.index, value: now});
    await next(true);
    await card();
  }
  setting = false;
}
$("value").oninput = () => { $("number").value = +(+$("value").value).toPrecision(5); set_value(+$("value").value); };
$("number").onchange = () => { $("value").value = $("number").value; set_value(+$("number").value); };
for (const name of ["value", "number"]) $(name).addEventListener("change", () => after(Promise.resolve()));
$("time").oninput = () => { $("stepnumber").textContent = $("time").value; };
$("time").onchange = () => after(tell("at", {step: +$("time").value}));
addEventListener("keydown", event => {
  if (event.target.matches("input, select, textarea, button, [role=button]")) return;
  if (event.key === " ") { event.preventDefault(); $("play").click(); }
  if (event.key === "ArrowRight") $("step").click();
});
addEventListener("resize", () => { if (state) { drawn = ""; refresh(); } });
dark.addEventListener("change", () => { colours(); draw(); });

colours();
const started = performance.now();
if (location.hash.length > 1) { await tell("open", {link: location.hash.slice(1)}); history.replaceState(null, "", "/"); }
await refresh();
await show_scores();
document.body.dataset.ready = String(Math.round(performance.now() - started));
tick();
