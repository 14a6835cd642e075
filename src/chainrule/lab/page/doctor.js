// The doctor: findings about this training, the gravest first, and cures that are tried beside it.

import { $, after, latest, store, tell } from "./store.js";
import { t } from "./words.js";
import { made, show_view } from "./paint.js";

const GRADES = { ill: () => t("✗ wrong"), remark: () => t("· worth knowing"), fine: () => t("✓ in order"), untold: () => t("? cannot be told") };
let shown_of = 0, shown_cure = "";

/** What the doctor says, where somebody has asked. */
export async function refresh_doctor() {
  const found = await latest("diagnosis");
  if (!found) return;
  if (found.of !== shown_of) {
    shown_of = found.of;
    shown_cure = "";
    $("cure-tried").hidden = true;
    $("doctor-says").textContent = t(found.healthy ? "Healthy, as far as could be told; epochs looked at: {epochs}." : "Something is wrong; epochs looked at: {epochs}.", found);
    const grave = found.findings.filter(({ grade }) => grade === "ill" || grade === "remark"), rest = found.findings.filter(each => !grave.includes(each));
    $("cure-words").hidden = !grave.some(({ grade, cures }) => grade === "ill" && cures.some(({ can }) => can));
    $("findings").replaceChildren(...grave.map(finding), made("li", {}, made("details", {}, made("summary", { textContent: t("What else was looked for: {count}", { count: rest.length }) }), made("ul", {}, ...rest.map(short)))));
  }
  await tried();
}

/** What came of the cure that was chosen. */
async function tried() {
  const found = await latest("tried");
  if (!found) return;
  const of = `${shown_of}/${found.ailment}/${found.place}`;
  if (of === shown_cure) return;
  shown_cure = of;
  $("cure-tried").hidden = false;
  $("cure-told").textContent = t(found.told);
  $("cure-verdict").textContent = t(found.verdict);
  show_view($("cure-view"), found.view);
  $("cure-tried").scrollIntoView({ block: "nearest" });
  for (const item of $("findings").querySelectorAll("[data-cure]")) item.classList.toggle("chosen", item.dataset.cure === `${found.ailment}/${found.place}`);
}

const headed = ({ grade, ailment }) => made("b", { textContent: `${GRADES[grade]()}: ${t(ailment)}` });
const short = each => made("li", {}, headed(each), made("p", { lang: "en", textContent: each.says }));

function finding(each) {
  const cures = each.cures.map(({ words, can }, place) => {
    const button = made("button", { textContent: t("Try it"), title: t("Train this cure beside the sick one, both with eight seeds.") });
    button.onclick = async () => { button.disabled = true; await after(tell("cure", { ailment: each.ailment, place })); button.disabled = false; };
    const item = made("li", {}, made("span", { lang: "en", textContent: `${words} ` }), ...(can && each.grade === "ill" ? [button] : []));
    item.dataset.cure = `${each.ailment}/${place}`;
    return item;
  });
  const evidence = made("ul", { lang: "en", className: "explained" }, ...each.evidence.map(text => made("li", { textContent: text })));
  return made("li", { className: each.grade }, headed(each), made("p", { lang: "en", textContent: each.says }), evidence, ...(cures.length ? [made("p", { textContent: t("Cures") }), made("ul", {}, ...cures)] : []), made("p", { className: "explained", lang: "en", textContent: each.source }));
}

/** Attaches the button. */
export function start_doctor() {
  $("examine").onclick = async () => {
    if (store.hall) return;
    $("examine").disabled = true;
    $("doctor-says").textContent = t("The doctor looks…");
    $("findings").replaceChildren();
    await after(tell("examine"));
    $("examine").disabled = false;
  };
}
