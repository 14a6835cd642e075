// Words: every text of the page in the language that was chosen. English is what stands in the page, and the key of each catalogue.

import { ask } from "./store.js";

/** @type {Record<string, string>} */
let catalogue = {};

/** A number as it is shown: four digits, with a power of ten where it is very small or large. @param {number | null | undefined} value */
export const numeral = value => value === null || value === undefined || Number.isNaN(value) ? "–" :
  (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5) ? value.toExponential(2) : value.toPrecision(4)).replace("-", "−");

/** Something in the language of the page: a text with places in braces for what is given, a number, what the lab has said, or several of them.
 * @param {any} text @param {Record<string, any>} [given] @returns {string} */
export function t(text, given = {}) {
  if (typeof text === "number") return Number.isInteger(text) ? String(text).replace("-", "−") : numeral(text);
  if (Array.isArray(text)) return text.map(each => t(each)).join(", ");
  if (typeof text === "object") return text === null ? "–" : t(text.say, text.with);
  return (catalogue[text] ?? text).replace(/\{(\w+)\}/g, (place, name) => name in given ? t(given[name]) : place);
}

/** Learns a language, and says in it what stands in the page. @param {string} language */
export async function speak(language) {
  document.documentElement.lang = language;
  catalogue = language === "en" ? {} : await ask("catalogue", { language });
  const nodes = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  for (let node = nodes.nextNode(); node; node = nodes.nextNode()) {
    const text = node.textContent ?? "", key = text.trim().replace(/\s+/g, " ");
    if (catalogue[key]) node.textContent = text.match(/^\s*/)?.[0] + t(key) + text.match(/\s*$/)?.[0];
  }
  for (const name of ["title", "aria-label"]) for (const element of document.querySelectorAll(`[${name}]`)) element.setAttribute(name, t(element.getAttribute(name)));
}
