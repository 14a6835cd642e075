// Lessons: a step of a lecture at a time; a guess is made before the library computes the answer.

import { $, after, latest, say, show, store, tell, words_of } from "./store.js";
import { t } from "./words.js";
import { made, show_view } from "./paint.js";

let listed = "", asked = "", told = "";

/** The strip over the other screens, and the step of this one. */
export function strip() {
  const { lesson } = store.state;
  $("lesson-strip").hidden = !lesson || !$("lessons").hidden;
  if (lesson) $("lesson-strip-told").textContent = `${t(lesson.title)}: ${t(lesson.look || lesson.question)}`;
}

async function refresh() {
  const { lessons, lesson } = store.state;
  list(lessons, lesson);
  $("lesson-step").hidden = !lesson;
  $("lesson-none").hidden = !!lesson;
  $("leave").disabled = $("again").disabled = !lesson;
  if (!lesson) return;
  const { name, place, count, title, text, question, choices, screen, look, guess } = lesson, of = `${name}/${place}`;
  $("lesson-place").textContent = t("Step {step} of {count}", { step: place + 1, count });
  $("lesson-title").textContent = t(title);
  $("lesson-text").textContent = t(text);
  $("lesson-question").textContent = t(question);
  if (of !== asked) {
    asked = of;
    $("lesson-choices").replaceChildren(...choices.map((choice, i) => made("label", {}, made("input", { type: "radio", name: "choice", value: i, title: t("Your guess, before the answer is there.") }), t(choice))));
    $("lesson-number").value = "";
  }
  for (const input of guess === null ? $("lesson-choices").querySelectorAll("input:disabled") : []) input.checked = false;
  if (guess === null && $("lesson-number").disabled) $("lesson-number").value = "";
  $("lesson-number-label").hidden = choices.length > 0;
  for (const input of $("lesson-choices").querySelectorAll("input")) { input.disabled = guess !== null; if (+input.value === guess) input.checked = true; }
  $("lesson-number").disabled = $("commit").disabled = guess !== null;
  if (guess !== null && !choices.length) $("lesson-number").value = guess;
  $("lesson-look").textContent = t(look);
  $("lesson-look-part").hidden = !look;
  $("lesson-go").textContent = t("To the screen {screen}", { screen: $(`to-${screen}`).textContent });
  $("lesson-back").disabled = place === 0;
  $("lesson-on").disabled = place === count - 1;
  answer(of, guess).catch(error => say(words_of(error), "en"));  // which may take long: nothing waits for it
}

function list(lessons, lesson) {
  const now = JSON.stringify([lessons, lesson?.name, lesson?.place]);
  if (now === listed) return;
  listed = now;
  $("lesson-list").replaceChildren(...lessons.map(({ name, title, source, steps: all }) => {
    const steps = all.map((each, place) => {
      const here = lesson?.name === name && lesson.place === place;
      const button = made("button", { textContent: `${each.guessed ? "✓ " : ""}${t(each.title)}`, title: t("Go to this step: its network takes the place of what is played.") });
      if (here) button.setAttribute("aria-current", "step");
      button.onclick = () => go(name, place);
      return made("li", {}, button);
    });
    const details = made("details", { open: lesson?.name === name }, made("summary", { textContent: t(title) }), made("p", { className: "explained", textContent: t(source) }), made("ol", {}, ...steps));
    return made("li", {}, details);
  }));
}

async function answer(of, guess) {
  $("lesson-answer").hidden = guess === null;
  if (told === of && guess !== null) return;
  told = "";
  for (const id of ["lesson-told", "lesson-verdict"]) $(id).textContent = "";
  $("lesson-right").textContent = guess === null ? "" : t("The library computes…");
  $("lesson-view").hidden = true;
  if (guess === null) return;
  const found = await latest("answer");
  if (!found || found.of.join("/") !== of) return;
  told = of;
  $("lesson-right").textContent = t(found.is_right ? "Right: {answer}." : "Not quite: {answer}.", { answer: found.right }).replace(/\.\.$/, ".");
  $("lesson-told").textContent = t(found.told);
  $("lesson-verdict").textContent = t(found.verdict);
  show_view($("lesson-view"), found.view);
}

const go = (name, place) => after(tell("lesson", { name, place }));

function start() {
  const step = by => () => go(store.state.lesson.name, store.state.lesson.place + by);
  $("lesson-back").onclick = step(-1);
  $("lesson-on").onclick = step(1);
  for (const name of ["leave", "again"]) $(name).onclick = () => after(tell(name));
  $("lesson-guess").onsubmit = event => {
    event.preventDefault();
    const chosen = $("lesson-choices").querySelector("input:checked"), text = store.state.lesson.choices.length ? chosen?.value ?? "" : $("lesson-number").value.replace(",", ".").replace("−", "-");
    if (text.trim() !== "" && Number.isFinite(+text)) return after(tell("commit", { guess: +text }));
  };
  $("lesson-go").onclick = async () => { await show("screen", store.state.lesson.screen); $(`to-${store.state.lesson.screen}`).click(); };
  $("lesson-strip-back").onclick = () => $("to-lessons").click();
}

/** The screen as lab.js drives it. */
export const lessons = { name: "lessons", start, refresh };
