// Digits: drawn by mouse, pen, touch or keys and recognised; guessed against the network; an edge detector painted; weights set by hand.

import { $, after, in_turn, latest, store, tell } from "./store.js";
import { numeral, t } from "./words.js";
import { css, made, rgb, show_view } from "./paint.js";

const SIDE = 28;
/** @type {number[][][]} */
let strokes = [];
let weights = new Array(SIDE * SIDE).fill(0), asked = "", hand_asked = "";

async function refresh() {
  for (const name of ["drawing-digit", "contest", "painting"]) $(name).hidden = !store.state.digits;
  await load();
}

/** Asks for what the network says of the drawing, the contest, the detector and the weight by hand. */
async function load() {
  const now = JSON.stringify([store.state.hash, store.state.acts, store.state.data]);
  if (now === asked) return;
  asked = now;
  if (store.state.digits) await Promise.all([drawn(), contest(), painted()]);
  await hand();
}

/** Paints numbers 0 … 255 into a small canvas. */
function paint_pixels(canvas, pixels) {
  const picture = new ImageData(SIDE, SIDE);
  for (let i = 0; i < SIDE * SIDE; i++) { const v = pixels ? pixels[i] : 0; picture.data.set([v, v, v, 255], 4 * i); }
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

/** Bars with names and numbers. */
function bars(element, names, values, most) {
  element.replaceChildren(...values.map((value, i) => {
    const bar = made("i");
    bar.style.width = `${Math.round(100 * Math.min(1, Math.abs(value) / (most || 1)))}%`;
    return made("li", { className: value === Math.max(...values) ? "best" : "" }, made("span", { textContent: names[i] }), made("b", {}, bar), made("span", { textContent: numeral(value) }));
  }));
}

// ---- the drawing

function show_strokes() {
  const canvas = $("canvas"), context = canvas.getContext("2d"), side = canvas.width;
  context.fillStyle = "#000";
  context.fillRect(0, 0, side, side);
  Object.assign(context, { strokeStyle: "#fff", lineWidth: side * 0.075, lineCap: "round", lineJoin: "round" });
  for (const stroke of strokes) {
    context.beginPath();
    stroke.forEach(([x, y]) => context.lineTo(x * side, y * side));
    if (stroke.length === 1) context.lineTo(stroke[0][0] * side + 0.1, stroke[0][1] * side);
    context.stroke();
  }
}

const send = in_turn(async () => { await tell("draw", { strokes }); await drawn(); });

async function drawn() {
  const found = await latest("drawn");
  if (!found) return;
  if (!send.busy && !drawing) strokes = found.strokes;
  show_strokes();
  paint_pixels($("seen"), found.pixels);
  bars($("digit-answer"), found.classes, found.answer, 1);
  const best = found.answer.indexOf(Math.max(...found.answer));
  $("digit-says").textContent = !found.pixels ? t("Nothing is drawn yet.") : found.probable ? t("The network says {class}, with probability {probability}.", { class: found.classes[best], probability: numeral(found.answer[best]) }) : t("The network says {class}.", { class: found.classes[best] });
  $("digit-layers").replaceChildren(...found.layers.map(({ name, values }) => {
    const most = Math.max(...values.map(Math.abs)) || 1;
    const cells = values.map((value, i) => { const cell = made("i", { title: `${name}[${i}] = ${numeral(value)}` }); cell.style.opacity = String(Math.abs(value) / most); cell.style.background = css(value < 0 ? "--below" : "--above"); return made("span", {}, cell); });
    return made("div", { className: "cells" }, made("span", { className: "explained", textContent: t("{name}, up to {most}", { name, most: numeral(most) }) }), made("div", {}, ...cells));
  }));
}

let drawing = false;
function start_canvas() {
  const canvas = $("canvas"), place = event => { const box = canvas.getBoundingClientRect(); return [(event.clientX - box.left) / (box.width || 1), (event.clientY - box.top) / (box.height || 1)].map(v => +Math.max(0, Math.min(1, v)).toFixed(4)); };
  canvas.onpointerdown = event => { if (store.hall) return; canvas.setPointerCapture(event.pointerId); drawing = true; strokes.push([place(event)]); show_strokes(); send(); };
  canvas.onpointermove = event => { if (drawing && event.buttons) { strokes.at(-1)?.push(place(event)); show_strokes(); send(); } };
  canvas.onpointerup = canvas.onpointercancel = () => { drawing = false; send(); };
  let at = [0.5, 0.2], down = false;
  canvas.onkeydown = event => {  // arrows move the pen, Space puts it down and lifts it
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === " ") { drawing = down = !down; if (down) strokes.push([[...at]]); }
    else if (step) { at = at.map((v, i) => Math.max(0, Math.min(1, +(v + 0.04 * step[i]).toFixed(2)))); if (down) strokes.at(-1)?.push([...at]); }
    else return;
    event.preventDefault();
    event.stopPropagation();
    show_strokes();
    const context = canvas.getContext("2d");
    context.strokeStyle = "#f58a45";
    context.lineWidth = 2;
    context.strokeRect(at[0] * canvas.width - 4, at[1] * canvas.height - 4, 8, 8);
    if (strokes.length) send();
  };
  $("wipe").onclick = () => { strokes = []; show_strokes(); return after(tell("draw", { strokes })); };
}

// ---- the contest

async function contest() {
  const found = await latest("contest");
  if (!found) return;
  const { pixels, revealed, score, classes, example } = found;
  paint_pixels($("contest-digit"), pixels);
  const is_told = revealed && revealed.place === example;
  $("guesses").replaceChildren(...classes.map((name, label) => {
    const button = made("button", { textContent: name, disabled: is_told, title: t("Say that this digit is {name}; then the network says what it sees.", { name }) });
    button.onclick = () => after(tell("guess", { label }));
    return button;
  }));
  $("contest-told").textContent = is_told ? t("It is {truth}. You said {you}, the network {network}.", revealed) : t("What is it?");
  $("score-you").textContent = score ? score.you : "–";
  $("score-network").textContent = score ? score.network : "–";
  const sure = score && score.error ? `${numeral(score.difference)} ± ${numeral(score.error)}: ${t(Math.abs(score.difference) > 2 * score.error ? "a difference" : "no difference that two standard errors could tell from chance")}` : "–";
  $("score-difference").textContent = sure;
}

// ---- the detector

function show_weights() {
  const canvas = $("grid"), context = canvas.getContext("2d"), [low, middle, high] = [css("--below"), css("--panel"), css("--above")].map(rgb), picture = new ImageData(SIDE, SIDE);
  weights.forEach((value, i) => { const t = Math.max(-1, Math.min(1, value)), end = t < 0 ? low : high; picture.data.set([...middle.map((m, c) => Math.round(m + (end[c] - m) * Math.abs(t))), 255], 4 * i); });
  context.putImageData(picture, 0, 0);
}

async function painted() {
  const found = await latest("painting");
  if (!found) return;
  if (!brushing) weights = found.weights;
  show_weights();
  show_view($("painting-view"), found.view);
}

let brushing = false;
function start_grid() {
  const canvas = $("grid"), brush = () => +$("brush").value;
  const put = (column, row) => {
    for (let r = row - 1; r <= row + 1; r++) for (let c = column - 1; c <= column + 1; c++)
      if (r >= 0 && r < SIDE && c >= 0 && c < SIDE && (r === row || c === column)) weights[r * SIDE + c] = brush();
    show_weights();
  };
  const at = event => { const box = canvas.getBoundingClientRect(); put(Math.floor((event.clientX - box.left) / box.width * SIDE), Math.floor((event.clientY - box.top) / box.height * SIDE)); };
  const done = async () => { if (brushing) { await tell("paint", { weights }); brushing = false; await after(); } };
  canvas.onpointerdown = event => { if (store.hall) return; canvas.setPointerCapture(event.pointerId); brushing = true; at(event); };
  canvas.onpointermove = event => { if (brushing && event.buttons) at(event); };
  canvas.onpointerup = canvas.onpointercancel = done;
  let pen = [14, 10];
  canvas.onkeydown = event => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    if (step) pen = pen.map((v, i) => Math.max(0, Math.min(SIDE - 1, v + step[i])));
    else { brushing = true; put(pen[0], pen[1]); done(); }
    show_weights();
    canvas.getContext("2d").strokeRect(pen[0] - 0.5, pen[1] - 0.5, 2, 2);
  };
  $("edge").onclick = () => after(tell("edge"));
  $("unpaint").onclick = () => { weights.fill(0); return after(tell("paint", { weights })); };
}

// ---- all weights by hand

let of_hand = null;
async function hand() {
  const found = await latest("hand");
  if (!found) return;
  of_hand = found;
  const { name, index, value, cost, first, set, total, draws, learned } = of_hand, key = `${name}[${index}]`;
  $("hand-weight").textContent = key;
  if (document.activeElement !== $("hand-value") || hand_asked !== key) { $("hand-value").value = value; hand_asked = key; }
  $("hand-number").textContent = numeral(value);
  $("hand-cost").textContent = numeral(cost);
  $("hand-first").textContent = numeral(first);
  $("hand-set").textContent = t("{part} of {all}", { part: set, all: total });
  $("hand-draws").textContent = draws;
  $("hand-learned").textContent = learned ? t("One epoch, {steps} steps in {seconds} s: C from {before} to {after}.", learned) : "";
}

const set_weight = in_turn(async () => {
  await tell("set", { name: of_hand.name, index: of_hand.index, value: +$("hand-value").value });
  await hand();
});

function start() {
  start_canvas();
  start_grid();
  $("begin-digits").onclick = () => after(tell("digits"));
  $("another").onclick = () => after(tell("another"));
  $("hand-value").oninput = set_weight;
  $("hand-value").onchange = () => after();
  for (const [id, action] of [["hand-next", "next_weight"], ["hand-draw", "draw_weights"], ["hand-give-up", "give_up"]]) $(id).onclick = () => after(tell(action));
}

/** The screen as lab.js drives it. */
export const digits = { name: "digits", start, refresh, slowly: load };
