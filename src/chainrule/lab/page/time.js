// Time: the slider that moves all panels, what was changed, and two trainings beside each other.

import { $, after, ask, say, store, tell, unpacked, words_of } from "./store.js";
import { numeral, t } from "./words.js";
import { refresh_doctor, start_doctor } from "./doctor.js";
import { draw_answer, draw_curve, made, show_view } from "./paint.js";

/** @type {any} the last frame of the training beside */
let second = null;

const list = (element, texts) => element.replaceChildren(...texts.map(text => made("li", { textContent: t(text) })));

async function refresh() {
  const { state } = store, two = state.beside !== null;
  list($("time-events"), state.events);
  list($("beside-events"), state.beside ?? []);
  $("branch").disabled = two;
  for (const name of ["exchange", "unbranch"]) $(name).disabled = !two;
  $("beside").hidden = $("both").hidden = !two;
  await draw();
  refresh_doctor().catch(error => say(words_of(error), "en"));  // which may take long: nothing waits for it
}

async function draw() {
  draw_answer($("time-surface"), store.frame, store.state);
  draw_curve($("time-curve"), store.frame);
  if (store.state.beside === null) return;
  const answer = await fetch("/frame?beside");
  if (!answer.ok) return;
  second = unpacked(await answer.arrayBuffer());
  draw_answer($("beside-surface"), second, store.state);
  draw_curve($("beside-curve"), second);
}

function scores({ here, beside }) {
  const row = (part, found) => made("tr", {}, made("th", { textContent: t(part), scope: "row" }), ...["loss", "accuracy"].map(score => made("td", { textContent: numeral(found[score]) })));
  const fill = (table, found) => $(table).tBodies[0].replaceChildren(...Object.entries(found ?? {}).map(([part, each]) => row(part, each)));
  fill("time-scores", here);
  fill("beside-scores", beside);
}

async function compare() {
  try {
    const found = await ask("compared");
    if (!found) return;
    $("compared").hidden = false;
    $("compared").textContent = found.told;
    show_view($("compared-view"), found.view);
  } catch (error) { say(words_of(error), "en"); }
}

function start() {
  $("compare").onclick = compare;
  for (const name of ["branch", "exchange", "unbranch"]) $(name).onclick = () => after(tell(name));
  start_doctor();
}

/** The screen as lab.js drives it. */
export const time = { name: "time", start, refresh, draw, scores };
