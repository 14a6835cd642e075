// Both passes, node by node: the drawn graph with the present node marked, beside it the step; the update; ΔC/ε; the growing picture.

import { $, after, all, latest, say, show, shown, store, tell, words_of } from "./store.js";
import { numeral, t } from "./words.js";
import { fill, made, options, show_view } from "./paint.js";

/** @type {any} what /passes told, and for what */
let walk = null, asked = "", timer = 0, viewed = "", staged = "";

const at = () => Math.min(+shown("passes.at"), walk.steps.length);
const wish = () => ({ example: shown("passes.example"), level: shown("passes.level"), notation: shown("passes.notation"), every: shown("passes.every") === 1 });

async function refresh() {
  const { state } = store;
  options($("passes-level"), state.levels, shown("passes.level"), t);
  options($("passes-notation"), state.notations, shown("passes.notation"), t);
  options($("passes-stage"), state.stages, state.stages[shown("passes.stage") - 1], t);
  $("passes-every").checked = shown("passes.every") === 1;
  $("passes-batch").checked = shown("passes.example") === null;
  $("passes-example").disabled = shown("passes.example") === null;
  $("passes-example").max = state.examples - 1;
  if (shown("passes.example") !== null && document.activeElement !== $("passes-example")) $("passes-example").value = shown("passes.example");
  await load();
}

/** Asks for the walk where something has changed, and shows the present step. */
async function load() {
  const now = JSON.stringify([wish(), store.state.hash, store.state.data]);
  if (now !== asked) {
    try {
      const found = await latest("passes", wish());
      if (!found) return;
      walk = found;
      asked = now;
    } catch (error) { say(words_of(error)); return; }
    fill($("drawing"), walk.svg);
    $("passes-facts").textContent = Object.entries(walk.facts).map(([name, text]) => `${name}: ${text}`).join(" · ");
    options($("passes-weight"), Object.keys(store.state.parameters), weight().name);
  }
  if (!walk) return;
  mark();
  await Promise.all([quotient(), growing()]);
}

// ---- the walk

function go(to) {
  if (!walk) return;
  show("passes.at", Math.max(0, Math.min(walk.steps.length, to)));
  mark();
}

/** Marks the present node, and tells its step. */
function mark() {
  const place = at(), step = walk.steps[place], boxes = [...$("drawing").querySelectorAll("[data-box]")];
  const of = number => boxes.filter(box => number !== null && number !== undefined && box.dataset.box.split(" ").includes(String(number)));
  for (const box of boxes) box.classList.remove("now", "from");
  const now = step ? [...of(step.box), ...of(step.adjoint)] : [];
  for (const box of now) box.classList.add("now");
  if (step) for (const box of of(step.from)) box.classList.add("from");
  const seen = step?.adjoint ? of(step.adjoint)[0] : now[0];
  if (seen) {
    const frame = $("drawing"), inside = seen.getBoundingClientRect(), outside = frame.getBoundingClientRect();
    frame.scrollTo({ top: frame.scrollTop + inside.top - outside.top - outside.height / 2, left: frame.scrollLeft + inside.left - outside.left - outside.width / 2 });
  }
  const forward = walk.steps.filter(each => each.pass === "forward").length;
  $("passes-place").textContent = !step ? t("update") : step.pass === "forward" ? t("forward pass, {step} of {count}", { step: place + 1, count: forward }) : t("backward pass, {step} of {count}", { step: place - forward + 1, count: walk.steps.length - forward });
  for (const button of all("#phases button")) button.setAttribute("aria-pressed", String(button.dataset.phase === phase(step)));
  if (step) tell_step(step);
  else tell_update();
}

const phase = step => !step ? "update" : step.pass === "backward" ? "backward" : step.is_loss ? "loss" : step.value === null ? "pick" : "forward";

function tell_step(step) {
  $("step-title").textContent = step.name;
  const rows = step.rows.flatMap(([head, cell]) => { const dd = made("dd", { lang: "en" }); fill(dd, cell); return [made("dt", { textContent: head, lang: "en" }), dd]; });
  if (step.pass === "backward") {
    const fact = (name, id, value) => [made("dt", { textContent: name }), made("dd", { textContent: numeral(value), id })];
    rows.push(...fact(t("incoming"), "incoming", step.incoming), ...fact(t("local"), "local", step.local), ...fact(t("product"), "product", step.product), ...fact(t("sum over all paths"), "total", step.total));
  } else if (step.value !== null) rows.push(made("dt", { textContent: t("value") }), made("dd", { textContent: numeral(step.value), id: "entry" }));
  $("step-facts").replaceChildren(...rows);
}

async function tell_update() {
  $("step-title").textContent = t("Update");
  const found = await latest("update");
  if (!found) return;
  const { rows, batch, optimizer } = found;
  const head = made("tr", {}, ...[t("entry"), t("before"), "∂C/∂w", "−η·∂C/∂w", t("after")].map(text => made("th", { textContent: text, scope: "col" })));
  const body = rows.map(({ name, index, before, derivative, plain, after: next }) => made("tr", {}, made("th", { textContent: `${name}[${index}]`, scope: "row" }), ...[before, derivative, plain, next].map(value => made("td", { textContent: numeral(value) }))));
  const table = made("table", { id: "update" }, made("caption", { textContent: t("The next step, on its batch of {batch}, by {optimizer}; of each parameter the entry with the largest derivative", { batch, optimizer }) }), made("thead", {}, head), made("tbody", {}, ...body));
  if (at() === walk.steps.length) $("step-facts").replaceChildren(made("dt", { textContent: "w ← w + Δw" }), made("dd", {}, table));
}

function jump(name) {
  if (!walk) return;
  const place = name === "update" ? walk.steps.length : walk.steps.findIndex(step => phase(step) === name);
  if (place >= 0) go(place);
}

function play() {
  if (!walk) return;
  if (timer) { clearInterval(timer); timer = 0; }
  else {
    if (at() === walk.steps.length) go(0);
    timer = setInterval(() => { if (at() >= walk.steps.length || $("passes").hidden) play(); else go(at() + 1); }, 900);
  }
  $("walk").textContent = t(timer ? "❚❚ Stop" : "▶ Walk");
  $("walk").setAttribute("aria-pressed", String(timer !== 0));
}

// ---- ΔC/ε

/** The weight whose quotient is shown: the one chosen, else the first. */
function weight() {
  const [name, index] = String(shown("passes.weight") || `${Object.keys(store.state.parameters)[0]}/`).split("/"), shape = store.state.parameters[name];
  if (!shape) return { name: Object.keys(store.state.parameters)[0], index: Object.values(store.state.parameters)[0].map(() => 0) };
  const places = index ? index.split(",").map(Number) : shape.map(() => 0);
  return { name, index: shape.map((size, axis) => Math.min(places[axis] ?? 0, size - 1)) };
}

async function quotient() {
  const chosen = weight(), epsilon = 10 ** +shown("passes.epsilon"), key = JSON.stringify([chosen, asked]), picture = key !== viewed;
  const found = await latest("quotient", { ...chosen, epsilon, picture });
  if (!found) return;
  // What is wished now, which may be another weight than the answer's.
  const { name: wished, index: place } = weight();
  if (document.activeElement !== $("passes-index")) $("passes-index").value = place.join(",");
  $("passes-weight").value = wished;
  $("epsilon").value = shown("passes.epsilon");
  $("epsilon-value").textContent = epsilon.toExponential(1).replace("-", "−");
  const facts = { "w": ["quotient-w", found.value], "ΔC = C(w + ε) − C(w)": ["quotient-change", found.change], "ΔC/ε": ["quotient-forward", found.forward], "(C(w + ε) − C(w − ε))/2ε": ["quotient-central", found.central], [t("∂C/∂w by the chain rule")]: ["quotient-derivative", found.derivative], "ΔC/ε − ∂C/∂w": ["quotient-error", found.forward - found.derivative] };
  $("quotient").replaceChildren(...Object.entries(facts).flatMap(([name, [id, value]]) => [made("dt", { textContent: name }), made("dd", { id, textContent: id === "quotient-forward" || id === "quotient-derivative" ? value.toPrecision(9).replace("-", "−") : numeral(value) })]));
  if (found.view) {
    viewed = key;
    show_view($("quotient-view"), found.view);
  }
}

const choose = (name, index) => show("passes.weight", `${name}/${index}`).then(quotient);

// ---- the growing picture

async function growing() {
  const key = JSON.stringify([shown("passes.stage"), asked]);
  if (key === staged) return;
  staged = key;
  const found = await latest("growing", { stage: shown("passes.stage") });
  if (found) fill($("growing"), found.svg);
}

const stage = to => show("passes.stage", Math.max(1, Math.min(store.state.stages.length, to))).then(refresh);

function start() {
  $("walk").onclick = play;
  $("walk-step").onclick = () => go(at() + 1);
  $("walk-back").onclick = () => go(at() - 1);
  $("film").onclick = async () => { await show("passes.example", 0); await show("passes.at", 0); await after(tell("cat_and_dog")); };
  $("do-update").onclick = () => after(tell("forward", { steps: 1 }));
  for (const button of all("#phases button")) button.onclick = () => jump(button.dataset.phase);
  $("passes-level").onchange = () => show("passes.level", $("passes-level").value).then(refresh);
  $("passes-notation").onchange = () => show("passes.notation", $("passes-notation").value).then(refresh);
  $("passes-every").onchange = () => show("passes.every", +$("passes-every").checked).then(refresh);
  $("passes-batch").onchange = () => show("passes.example", $("passes-batch").checked ? null : +$("passes-example").value).then(refresh);
  $("passes-example").onchange = () => show("passes.example", +$("passes-example").value).then(refresh);
  $("epsilon").oninput = () => show("passes.epsilon", +$("epsilon").value).then(quotient);
  $("passes-weight").onchange = () => choose($("passes-weight").value, []);
  $("passes-index").onchange = () => choose(weight().name, $("passes-index").value.split(/[ ,]+/));
  $("passes-stage").onchange = () => stage($("passes-stage").selectedIndex + 1);
  $("grow").onclick = () => stage(shown("passes.stage") % store.state.stages.length + 1);
  $("growing").onclick = () => $("grow").click();
}

/** Keys: → a step on, ← a step back. @param {KeyboardEvent} event */
function key(event) {
  if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return false;
  go(at() + (event.key === "ArrowRight" ? 1 : -1));
  return true;
}

/** The screen as lab.js drives it. */
export const passes = { name: "passes", start, refresh, slowly: load, key };
