// Own data: a table dropped on the page or chosen, whose target is picked; and points put into the plane of the answer.

import { $, after, ask, say, store, tell } from "./store.js";
import { t } from "./words.js";
import { made, options } from "./paint.js";

const MOST_BYTES = 4 * 2 ** 20;

/** Sends a file as it is; the library reads it. @param {File | undefined} file */
async function send(file) {
  if (!file) return;
  if (file.size > MOST_BYTES) return say(t("A table of {size} bytes. Expected: at most {most}. Remedy: chainrule lab FILE.csv --target COLUMN takes larger ones.", { size: file.size, most: MOST_BYTES }));
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  if (await tell("table", { name: file.name, content: btoa(text) })) await after();
}

/** The columns of the table that was dropped. */
export async function refresh_own() {
  const { name, rows, columns, notes } = await ask("columns");
  $("own-table").hidden = !columns.length;
  if (columns.length) {
    $("own-name").textContent = [t("{name}: {rows} rows.", { name, rows }), ...notes ?? []].join(" ");
    options($("own-target"), columns.map(column => column.name), $("own-target").value || columns.at(-1).name);
    $("own-columns").replaceChildren(...columns.map(({ name: head, numbers, first }) => made("tr", {}, made("th", { textContent: head, scope: "row" }), made("td", { textContent: t(numbers ? "numbers" : "texts") }), made("td", { textContent: first.join(", ") }))));
  }
  const { state } = store, kinds = state.classes.length ? state.classes : [t("a point")];
  $("own-points").hidden = !state.ranges;
  options($("own-class"), ["", ...kinds], kinds.includes($("own-class").value) ? $("own-class").value : "", name => name || t("nothing"));
}

/** Puts a point of the chosen class. @param {number[]} place the inputs, and the output where numbers are fitted */
function put(place) {
  const { classes, ranges } = store.state, label = classes.indexOf($("own-class").value);
  return after(tell("point", { x: place.slice(0, ranges.length), y: classes.length ? label : place[1] }));
}

/** Attaches the controls. */
export function start_own() {
  addEventListener("dragover", event => event.preventDefault());
  addEventListener("drop", event => { event.preventDefault(); send(event.dataTransfer?.files[0]); });
  $("own-file").onchange = () => send($("own-file").files[0]);
  $("own-take").onclick = () => after(tell("take_table", { target: $("own-target").value, missing: $("own-missing").value }));
  $("surface").onclick = event => {
    const { ranges } = store.state;
    if (!ranges || !$("own-class").value) return;
    const box = $("surface").getBoundingClientRect(), [u, v] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    const [[x0, x1], [y0, y1]] = ranges.length === 2 ? ranges : [ranges[0], $("surface").ends];
    put([x0 + u * (x1 - x0), y1 - v * (y1 - y0)]);
  };
  $("own-put").onsubmit = event => {
    event.preventDefault();
    const place = $("own-place").value.split(/[ ,;]+/).filter(Boolean).map(Number);
    if (!$("own-class").value || place.some(Number.isNaN)) return say(t("Say what the point is, and where: two numbers."));
    return put(place);
  };
}
