// The store of the page: what the desk has told, and how it is asked. A page computes nothing about networks.

/** @type {{state: any, frame: any, hall: boolean}} state: what /state told; frame: the last one; hall: whether this page only looks. */
export const store = { state: null, frame: null, hall: new URLSearchParams(location.search).has("hall") };

/** @param {string} id @returns {any} the element of that name */
export const $ = id => document.getElementById(id);

/** @param {string} selector @returns {any[]} the elements that it names */
export const all = selector => [...document.querySelectorAll(selector)];

/** What has gone wrong, in words. @param {unknown} error */
export const words_of = error => error instanceof Error ? error.message : String(error);

/** Reads something by its name. @param {string} name @param {object} [given] @returns {Promise<any>} */
export async function ask(name, given = {}) {
  const answer = await fetch(`/${name}${Object.keys(given).length ? `?with=${encodeURIComponent(JSON.stringify(given))}` : ""}`);
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({ error: answer.statusText }))).error);
  return answer.json();
}

/** @type {Map<string, number>} how often something was asked for by its name */
const times = new Map();
/** Reads something that may be asked for again before it is there: null where it was, since answers overtake each other. @param {string} name @param {object} [given] @returns {Promise<any>} */
export async function latest(name, given = {}) {
  const mine = (times.get(name) ?? 0) + 1;
  times.set(name, mine);
  const found = await ask(name, given);
  return times.get(name) === mine ? found : null;
}

let acts = 0;
/** @type {Map<string, any>} what is shown here, and on its way to the desk */
const sent = new Map();

/** What the desk tells, never older than what it answered to this page's own acts. */
export async function learn() {
  let told;
  do told = await ask("state"); while (told.acts < acts);
  Object.assign(told.shown, Object.fromEntries(sent));
  return told;
}

/** What was told last: wishes reach the desk in the order in which they were made. @type {Promise<any>} */
let before = Promise.resolve();

/** Does something by its name; a refusal is said. @param {string} name @param {object} [given] @returns {Promise<boolean>} whether it was done */
export function tell(name, given = {}) {
  if (store.hall) return Promise.resolve(false);
  const done = before.then(() => send(name, given));
  before = done.catch(() => null);
  return done;
}

/** @param {string} name @param {object} given @returns {Promise<boolean>} */
async function send(name, given) {
  const body = JSON.stringify({ do: name, with: given });
  const answer = await fetch("/act", { method: "POST", headers: { "content-type": "application/json" }, body });
  const said = await answer.json().catch(() => ({ error: answer.statusText }));
  acts = Math.max(acts, said.acts ?? 0);
  say(answer.ok ? "" : said.error, "en");
  return answer.ok;
}

/** Shows one message above all screens; "" takes it away. @param {string} text @param {string} [language] of what the library says */
export function say(text, language = "") {
  $("message").lang = language || document.documentElement.lang;
  $("message").textContent = text;
  $("message").hidden = !text;
}

/** Has `work` done, and once more if it is called for meanwhile: one request at a time, the last wish wins. @param {() => Promise<void>} work */
export function in_turn(work) {
  let wanted = false;
  const run = Object.assign(async () => {
    wanted = true;
    if (run.busy) return;
    run.busy = true;
    try {
      while (wanted) { wanted = false; await work(); }
    } finally { run.busy = false; }
  }, { busy: false });
  return run;
}

/** @type {(() => Promise<void>)[]} */
const followers = [];
/** Has a function called after everything that somebody does. @param {() => Promise<void>} function_ */
export const follow = function_ => followers.push(function_);

/** Waits for an action, then has everything told anew. @param {Promise<any>} [action] */
export async function after(action) {
  await action;
  for (const each of followers) await each();
}

/** What all pages show of a screen. @param {string} name */
export const shown = name => store.state.shown[name];
/** Shows something else, here at once and on every page. @param {string} name @param {string | number | null} value */
export async function show(name, value) {
  store.state.shown[name] = value;
  sent.set(name, value);
  await tell("show", { name, value });
  if (sent.get(name) === value) sent.delete(name);
}

/** A frame as objects: its header, and its arrays by kind and name. @param {ArrayBuffer} buffer */
export function unpacked(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const kinds = { float32: Float32Array, int8: Int8Array };
  Object.assign(head, { values: {}, maps: {} });
  for (const { name, shape, dtype, offset } of head.arrays) {
    const size = shape.reduce((a, b) => a * b, 1), array = { shape, data: new kinds[dtype](buffer, 4 + length + offset, size) };
    const [kind, ...rest] = name.split("/");
    if (rest.length) head[kind][rest.join("/")] = array; else head[name] = array;
  }
  return head;
}
