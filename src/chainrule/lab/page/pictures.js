// Pictures that suit this run: one at a time, live, with controls for what it depends on; as a film over the steps; and the nudge of ∇C.

import { $, after, ask, in_turn, say, show, shown, store, tell, words_of } from "./store.js";
import { numeral, t } from "./words.js";
import { made, options, show_view } from "./paint.js";

/** @type {any[]} the pictures that suit */
let known = [];
let asked = "", listed = "", film = null, timer = 0;

const given = () => JSON.parse(shown("pictures.given"));
const chosen = () => known.find(each => each.name === shown("pictures.name")) ?? known[0];

async function refresh() {
  const now = JSON.stringify([store.state.network, store.state.data, store.state.parts, store.frame.step >= 2]);
  if (now !== listed) {
    known = await ask("pictures");
    listed = now;
    options($("pictures-name"), known.map(each => each.name), chosen().name, name => name.replaceAll("_", " "));
  }
  $("pictures-name").value = chosen().name;
  $("pictures-words").textContent = chosen().words;
  controls();
  await load();
}

/** Asks for the picture where something has changed, and draws it. */
const load = in_turn(async () => {
  if (film || !known.length) return;
  const wish = { name: chosen().name, given: given() }, now = JSON.stringify([wish, store.state.hash]);
  if (now === asked) return;
  asked = now;
  try {
    const found = await ask("picture", wish);
    if (film) return;
    draw(found.view);
    $("pictures-cost").textContent = numeral(found.cost);
    $("pictures-step").textContent = t("step {step}, live", found);
  } catch (error) { say(words_of(error)); }
});

function draw(found) {
  show_view($("view"), found);
  const svg = $("view").querySelector("svg");
  if (svg) svg.setAttribute("aria-label", found.title);
}

// ---- controls

function controls() {
  const box = $("pictures-controls"), of = JSON.stringify([chosen().name, chosen().controls]);
  if (box.dataset.of !== of) {
    box.replaceChildren(...chosen().controls.map(control));
    box.dataset.of = of;
  }
  for (const each of chosen().controls) {
    const element = $(`control-${each.name}`), value = given()[each.name] ?? each.start;
    if (each.kind === "switch") element.checked = value;
    else if (document.activeElement !== element) element.value = each.log ? Math.log10(value) : value;
    if (each.kind === "number") element.nextElementSibling.textContent = numeral(value).replace(/\.0+$/, "");
  }
}

function control({ name, label, words, kind, low, high, step, log, values }) {
  const id = `control-${name}`, set = value => choose(name, value);
  let element;
  if (kind === "choice") {
    element = made("select", { id, title: t(words) }, ...values.map(value => made("option", { value, textContent: value })));
    element.onchange = () => set(element.value);
  } else if (kind === "switch") {
    element = made("input", { id, type: "checkbox", title: t(words) });
    element.onchange = () => set(element.checked);
  } else {
    element = made("input", { id, type: "range", min: low, max: high, step, title: t(words) });
    element.oninput = () => { set(log ? +(10 ** +element.value).toPrecision(3) : +element.value); };
  }
  return made("div", {}, made("label", {}, `${t(label)} `, element, ...(kind === "number" ? [made("output")] : [])), made("p", { className: "explained", textContent: t(words) }));
}

async function choose(name, value) {
  end_film();
  const wish = { ...given(), [name]: value };
  show("pictures.given", JSON.stringify(wish));
  controls();
  await load();
}

// ---- the film

async function make_film() {
  $("film-make").disabled = true;
  try {
    film = await ask("film", { name: chosen().name, given: given(), frames: 24 });
    Object.assign($("film-frame"), { max: film.steps.length - 1, disabled: false });
    play_film();
  } catch (error) { say(words_of(error)); }
  $("film-make").disabled = false;
}

function frame(place) {
  $("film-frame").value = place;
  draw(film.views[place]);
  $("pictures-step").textContent = t("step {step}, film", { step: film.steps[place] });
}

function play_film() {
  clearInterval(timer);
  let place = 0;
  frame(0);
  timer = setInterval(() => { if (++place >= film.steps.length) clearInterval(timer); else frame(place); }, 180);
}

function end_film() {
  clearInterval(timer);
  film = null;
  asked = "";
  $("film-frame").disabled = true;
}

function start() {
  $("pictures-name").onchange = async () => {
    end_film();
    await Promise.all([show("pictures.given", "{}"), show("pictures.name", $("pictures-name").value)]);
    await refresh();
  };
  $("film-make").onclick = make_film;
  $("film-live").onclick = () => { end_film(); load(); };
  $("film-frame").oninput = () => { clearInterval(timer); frame(+$("film-frame").value); };
  $("nudge").onclick = () => { end_film(); return after(tell("nudge", { count: +$("nudge-count").value, rate: +$("nudge-rate").value })); };
}

/** The screen as lab.js drives it. */
export const pictures = { name: "pictures", start, refresh, slowly: load };
