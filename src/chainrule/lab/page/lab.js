// The page of the lab: asks the desk for state and frames, hands them to the screen that is shown, and plays, steps and goes back.

import { $, after, all, ask, follow, learn, say, show, shown, store, tell, unpacked, words_of } from "./store.js";
import { numeral, speak, t } from "./words.js";
import { colours, made, options } from "./paint.js";
import { bench } from "./bench.js";
import { digits } from "./digits.js";
import { lessons, strip } from "./lessons.js";
import { passes } from "./passes.js";
import { pictures } from "./pictures.js";
import { time } from "./time.js";

/** @typedef {{name: string, start: () => void, refresh: () => Promise<void>, draw?: () => any, scores?: (told: any) => void, slowly?: () => Promise<void>, key?: (event: KeyboardEvent) => boolean}} Screen */
/** @type {Screen[]} */
const screens = [bench, passes, digits, pictures, lessons, time];
let version = "", busy = false, looked = 0, mine = "";

/** The screen that is shown; a page of the hall follows the one that acts. @returns {Screen} */
const current = () => screens.find(screen => screen.name === (store.hall ? shown("screen") : mine || shown("screen"))) ?? bench;

/** The language of this page: that of its address, else the one chosen for all pages, else the browser's, where it is known. */
function language({ languages, shown: { language: chosen } }) {
  const found = new URLSearchParams(location.search).get("language") || chosen || navigator.language.slice(0, 2);
  return found in languages ? found : "en";
}

/** Gets the next frame. @param {string} how "now", "newer" than the last one, or "wait" a moment for such a one @returns {Promise<boolean>} whether there was one */
async function next(how) {
  const answer = await fetch(`/frame${how === "now" ? "" : `?after=${encodeURIComponent(version)}${how === "wait" ? "&wait" : ""}`}`);
  if (answer.status === 204 || !answer.ok) return false;
  version = answer.headers.get("x-version") ?? "";
  store.frame = unpacked(await answer.arrayBuffer());
  return true;
}

async function refresh() {
  let told;
  do {  // a frame and a state of the same act; another page may act in between
    await next("now");
    told = await learn();
  } while (told.acts !== +(version.split(".").at(-1) ?? 0));
  store.state = told;
  const { state } = store;
  if (language(state) !== document.documentElement.lang) return location.reload();
  options($("language"), Object.keys(state.languages), language(state), name => state.languages[name]);
  for (const element of all("[data-words]")) element.textContent = t(state.words[element.dataset.words] ?? "");
  for (const element of all("[data-title]")) element.title = t(state.words[element.dataset.title] ?? "");
  $("events").replaceChildren(...state.events.map(text => made("li", { textContent: t(text) })));
  show_playing(state.playing);
  if (state.error) say(state.error);
  where();
  await turn();
  current().scores?.(await ask("scores"));
}

/** Shows one screen, and hides the others. */
async function turn() {
  const now = current();
  for (const { name } of screens) {
    $(name).hidden = name !== now.name;
    $(`to-${name}`).setAttribute("aria-selected", String(name === now.name));
    $(`to-${name}`).tabIndex = name === now.name ? 0 : -1;
  }
  strip();
  await now.refresh();
}

function show_playing(playing) {
  $("play").textContent = t(playing ? "❚❚ Pause" : "▶ Play");
  $("play").setAttribute("aria-pressed", String(playing));
}

function where() {
  const { frame } = store, n = frame.curve.shape[0];
  $("stepnumber").textContent = frame.step;
  $("epochnumber").textContent = frame.epoch.toFixed(frame.epoch < 10 ? 2 : 0);
  $("lossnumber").textContent = n ? numeral(frame.curve.data[4 * n - 3]) : "–";
  $("time-slider").max = Math.max(frame.step, +$("time-slider").max);
  if (document.activeElement !== $("time-slider")) $("time-slider").value = frame.step;
}

let stale = false;
async function tick() {
  if (!document.hidden && !busy && store.state) {
    busy = true;
    try {
      if (await next(stale ? "newer" : "wait")) {
        stale = true;
        where();
        await current().draw?.();
      }
      if (stale && performance.now() - looked > 300) {
        [stale, looked] = [false, performance.now()];
        const now = await learn();
        if (now.acts !== store.state.acts || now.playing !== store.state.playing) { await refresh(); if (now.error) say(now.error); }
        else { store.state = now; current().scores?.(await ask("scores")); await current().slowly?.(); }
      }
    } catch (error) {
      if (!(error instanceof TypeError && /fetch|network/i.test(error.message))) { say(words_of(error)); console.error(error); }
      else say(t("The lab does not answer. Is the command still running?"));
    }
    busy = false;
  }
  requestAnimationFrame(tick);
}

function start() {
  const speed = () => JSON.parse($("speed").value);
  $("play").onclick = () => after(tell(store.state.playing ? "pause" : "play", store.state.playing ? {} : { speed: speed() }));
  $("speed").onchange = () => store.state.playing && tell("play", { speed: speed() });
  $("step").onclick = () => after(tell("forward", { steps: 1 }));
  $("epoch").onclick = () => after(tell("forward", { steps: store.state.steps_per_epoch }));
  $("back").onclick = () => after(tell("at", { step: Math.max(0, store.frame.step - (store.frame.step > 10 ? Math.max(1, Math.floor(store.frame.step / 10)) : 1)) }));
  $("undo").onclick = () => after(tell("undo"));
  $("copy").onclick = async () => {
    const { link } = await ask("link"), url = `${location.origin}/#${link}`;
    try { await navigator.clipboard.writeText(url); say(t("Copied. Whoever has chainrule opens it by: chainrule lab --state {link}…", { link: link.slice(0, 24) })); } catch (error) { say(url); }
  };
  $("time-slider").oninput = () => { $("stepnumber").textContent = $("time-slider").value; };
  $("time-slider").onchange = () => after(tell("at", { step: +$("time-slider").value }));
  $("language").onchange = () => { history.replaceState(null, "", store.hall ? "/?hall" : "/"); return after(show("language", $("language").value)); };
  const tabs = all("[role=tab]");
  tabs.forEach((tab, place) => {
    tab.onclick = async () => { mine = tab.id.slice(3); await show("screen", mine); await after(); };
    tab.onkeydown = event => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) { event.stopPropagation(); const other = tabs[(place + step + tabs.length) % tabs.length]; other.focus(); other.click(); }
    };
  });
  addEventListener("keydown", event => {
    if (event.target instanceof Element && event.target.matches("input, select, textarea, button, [role=button]")) return;
    if (current().key?.(event)) return event.preventDefault();
    if (event.key === " ") { event.preventDefault(); $("play").click(); }
    if (event.key === "ArrowRight") $("step").click();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { colours(); current().draw?.(); });
  for (const screen of screens) screen.start();
}

colours();
document.documentElement.classList.toggle("hall", store.hall);
const started = performance.now();
if (location.hash.length > 1) { await tell("open", { link: location.hash.slice(1) }); history.replaceState(null, "", "/"); }
await speak(language(await learn()));
start();
follow(refresh);
await refresh();
document.body.dataset.ready = String(Math.round(performance.now() - started));
tick();
