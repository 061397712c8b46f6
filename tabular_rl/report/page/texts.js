// Numbers that stand side by side, and symbols with their indices.
import { element, fixed, number, trimmed } from "./dom.js";

// Texts of numbers with the same decimals, as many as fit `room` characters (at most 4), none that all end with 0.
export function alignedTexts(values, room) {
  const known = values.filter((x) => Number.isFinite(x));
  const most = known.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
  if (most > 0 && (most < 1e-3 || most >= 1e6)) return values.map((x) => fittingText(x, room));
  let decimals = 4;
  const text = (x, d) => (Number.isFinite(x) ? minus(fixed(x, d)) : number(x));
  while (decimals > 0 && known.some((x) => text(x, decimals).length > room)) decimals -= 1;
  while (decimals > 0 && known.every((x) => text(x, decimals).endsWith("0"))) decimals -= 1;
  return values.map((x) => text(x, decimals));
}

// The values that are shown, as texts of at most `room` characters; those of terminal states as short as they are.
export function stateTexts(model, shown, room) {
  const values = shown ? [...shown.values] : new Array(model.S).fill(NaN);
  const texts = alignedTexts(values.map((x, s) => (model.terminal[s] ? NaN : x)), room);
  return texts.map((text, s) => (model.terminal[s] ? fittingText(values[s], room) : text));
}

// The same where no column is to be aligned: without zeros at the end.
export function looseTexts(model, shown, room) {
  return stateTexts(model, shown, room).map((text) => (text.includes("e") ? text : trimmed(text)));
}

// A number in at most `room` characters where that can be.
export function fittingText(x, room) {
  for (let digits = 5; digits > 1; digits -= 1) {
    const text = number(x, digits);
    if (text.length <= room) return text;
  }
  return number(x, 1);
}

function minus(text) {
  return /^-0(\.0*)?$/.test(text) ? text.slice(1) : text.replace("-", "−");
}

// "V_3(s')" with its index below: a list of texts and elements.
export function symbols(text) {
  return text.split(/(_[\wπ*]+)/).map((part) => (part.startsWith("_") ? element("sub", {}, part.slice(1)) : part));
}

// What a state is in the transition that is shown: "s", "s'", both, or nothing.
export function roleIn(shown, s) {
  const moved = shown && shown.transition;
  if (!moved) return "";
  return [moved.s === s ? "s" : "", moved.s2 === s ? "s'" : ""].filter((x) => x !== "").join(" = ");
}
