// The bench: data, settings, the network, its answer, and the card of a weight.

import { $, after, say, store, tell } from "./store.js";
import { numeral, t } from "./words.js";
import { COLOUR_NAMES, draw_answer, draw_curve, made, options } from "./paint.js";
import { build, draw_network, is_dense } from "./network.js";
import { refresh_own, start_own } from "./own.js";
import { card, refresh_card, start_card } from "./card.js";

let drawn = "";

/** Settings and words as the state has them. */
async function refresh() {
  const { state } = store;
  options($("set"), state.sets, state.set);
  const optimizers = Object.fromEntries(state.optimizers.map(name => [name.replaceAll("_", "").toLowerCase(), name]));
  options($("optimizer"), state.optimizers, optimizers[state.optimizer.toLowerCase()] ?? "");
  options($("batch"), [1, 2, 5, 10, 20, 32, 50, 100, state.examples].filter((size, i, all) => size <= state.examples && all.indexOf(size) === i), state.batch_size);
  if (![...$("batch").options].some(option => +option.value === state.batch_size)) { $("batch").append(new Option(state.batch_size)); $("batch").value = state.batch_size; }
  if (![...$("penalty").options].some(option => +option.value === state.penalty)) $("penalty").append(new Option(state.penalty));
  $("penalty").value = state.penalty;
  if (state.learning_rate) $("rate").value = Math.log10(state.learning_rate);
  $("rate").disabled = !state.learning_rate;
  $("rate-value").textContent = state.learning_rate ? numeral(state.learning_rate) : t("a schedule");
  $("rate-value").title = state.optimizer_text;
  $("seed").value = state.seed;
  if (document.activeElement !== $("text")) $("text").value = state.network;
  $("formula").textContent = state.formula;
  $("about-pictures").hidden = !state.ranges;
  $("about-data").textContent = t("{parts} examples; {scaling}.", { parts: Object.entries(state.parts).map(([part, count]) => `${count} ${t(part)}`), scaling: state.scaling || "the network sees them as they are" });
  const classes = state.classes.map((name, i) => `${t(COLOUR_NAMES[i] ?? i)}: ${name}`);
  $("about-answer").textContent = !state.ranges ? "" : !classes.length ? t("The line is the network. Blue points: training. Grey points: test.") : state.ranges.length === 1
    ? t("A line for each class ({classes}): how much the network speaks for it at each input. Points: the examples, in the colours of their classes.", { classes })
    : t("The colour is the class that the network takes ({classes}); the paler, the less sure. Filled points: training. Open points: test.", { classes });
  if (shape() !== drawn) { build(); drawn = shape(); }
  draw();
  await refresh_own();
  if (card.chosen) await refresh_card();
}

/** What the drawn network was built for. */
const shape = () => JSON.stringify([store.state.weights, store.state.parameters, store.state.ranges, innerWidth]);

function draw() {
  const { state, frame } = store;
  // The first frame of another network comes before it is told of.
  if (shape() !== drawn || Object.entries(state.weights).some(([name, sizes]) => String(frame.values[name]?.shape) !== String(sizes))) return;
  if (is_dense() && $("picture").querySelector("svg")) draw_network();
  draw_answer($("surface"), frame, state);
  draw_curve($("curve"), frame);
}

/** @param {any} scores what /scores told */
function scores({ here }) {
  $("scores").tBodies[0].replaceChildren(...Object.entries(here).map(([part, found]) =>
    made("tr", {}, made("th", { textContent: t(part), scope: "row" }), ...["loss", "accuracy"].map(name => made("td", { textContent: numeral(found[name]) })))));
}

function grow(how) {
  const [text, ...words] = store.state.network.split(" "), sizes = text.split("-").map(Number);
  if (sizes.some(Number.isNaN)) return say(t("Write the layers as a text: this network has other layers than dense ones."));
  how(sizes);
  after(tell("network", {text: [sizes.join("-"), ...words].join(" ")}));
}

function start() {
  const data = () => after(tell("data", { name: $("set").value, noise: +$("noise").value }));
  $("set").onchange = data;
  $("noise").oninput = () => { $("noise-value").textContent = $("noise").value; };
  $("noise").onchange = data;
  $("optimizer").onchange = () => after(tell("optimizer", { name: $("optimizer").value }));
  $("rate").oninput = () => { $("rate-value").textContent = numeral(10 ** +$("rate").value); };
  $("rate").onchange = () => after(tell("learning_rate", { value: +(10 ** +$("rate").value).toPrecision(3) }));
  $("batch").onchange = () => after(tell("batch_size", { value: +$("batch").value }));
  $("penalty").onchange = () => after(tell("penalty", { factor: +$("penalty").value }));
  $("seed").onchange = () => after(tell("seed", { value: +$("seed").value }));
  $("wiring").onsubmit = event => { event.preventDefault(); after(tell("network", { text: $("text").value })); };
  $("neuron").onclick = () => grow(sizes => { if (sizes.length > 2) sizes[sizes.length - 2]++; else sizes.splice(1, 0, 4); });
  $("layer").onclick = () => grow(sizes => sizes.splice(sizes.length - 1, 0, 4));
  addEventListener("resize", () => { if (store.frame && !$("bench").hidden) { drawn = ""; refresh(); } });
  start_card();
  start_own();
}

/** The screen as lab.js drives it. */
export const bench = { name: "bench", start, refresh, draw, scores, slowly: refresh_card };
