// The card of a weight or bias: its number, its derivative beside a finite difference, C over it; the number can be dragged.

import { $, after, ask, in_turn, store, tell } from "./store.js";
import { numeral, t } from "./words.js";
import { css, made } from "./paint.js";
import { draw_network } from "./network.js";

/** @type {{chosen: null | {name: string, index: number[]}, choose: (name: string, index: number[]) => void}} */
export const card = { chosen: null, choose(name, index) { card.chosen = { name, index }; refresh_card(); } };

let busy = false;
/** Asks for the card of what is chosen, and shows it. */
export async function refresh_card() {
  if (!card.chosen || busy) return;
  busy = true;
  try {
    const found = await ask("card", card.chosen);
    $("card").hidden = false;
    $("card-title").textContent = `${found.name}[${found.index}]`;
    if (document.activeElement !== $("value") && document.activeElement !== $("number")) {
      Object.assign($("value"), { min: found.line[0], max: found.line.at(-1) });
      $("value").value = found.value;
      $("number").value = +found.value.toPrecision(6);
    }
    const facts = {
      [t("value")]: numeral(found.value), [t("∂C/∂w by the chain rule")]: numeral(found.derivative),
      [`(C(w + ${numeral(found.nudge)}) − C(w − ${numeral(found.nudge)})) / ${numeral(2 * found.nudge)}`]: numeral(found.difference),
      [t("cost C")]: t("{cost} over {count} training examples", { cost: found.cost, count: found.examples }),
      [t("a step of plain descent")]: store.state.learning_rate ? `−η·∂C/∂w = ${numeral(-store.state.learning_rate * found.derivative)}` : "–",
    };
    $("facts").replaceChildren(...Object.entries(facts).flatMap(([name, text]) => [made("dt", { textContent: name }), made("dd", { textContent: text })]));
    draw_cost(found);
    draw_network();
  } catch (error) { card.chosen = null; $("card").hidden = true; }
  busy = false;
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
  context.fillText(t("w from {low} to {high}; up: C", { low: numeral(line[0]), high: numeral(line.at(-1)) }), left, canvas.height - 6);
}

let wanted = 0;
const set_wanted = in_turn(async () => { await tell("set", { ...card.chosen, value: wanted }); await refresh_card(); });
/** @param {number} value */
function set_value(value) { wanted = value; if (card.chosen) set_wanted(); }

/** Attaches the controls of the card. */
export function start_card() {
  $("value").oninput = () => { $("number").value = +(+$("value").value).toPrecision(5); set_value(+$("value").value); };
  $("number").onchange = () => { $("value").value = $("number").value; set_value(+$("number").value); };
  for (const name of ["value", "number"]) $(name).addEventListener("change", () => after());
}
