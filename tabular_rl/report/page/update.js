// One update of a learner in words and numbers: its rule, the same with the numbers in it, and the transition.
import { element, number, shownNumber } from "./dom.js";
import { LEARNERS } from "./learn.js";
import { symbols } from "./texts.js";

// Known mistakes: what a switch says, and what the mistake does.
export const MISTAKES = {
  "minus": ["minus sign", "The sign is wrong: the table goes away from the target."],
  "no discount": ["no γ", "The discount γ is missing from the target."],
  "no mask": ["terminal value read", "The table's entry of a terminal s' is read, which must count 0."],
  "maximum": ["max for expectation", "The best next action is taken instead of the expectation over the next actions."],
  "expectation": ["expectation for max", "The expectation over what it would do next is taken instead of the maximum: that is expected SARSA."],
  "own values": ["one table does both", "The table that chooses the action also values it: the maximum of noisy values is too high."],
  "values at s": ["s for s'", "The values of s are read instead of those of s'."],
  "returns run on": ["returns run on", "The return is not set to 0 at the end of an episode."],
};

// The switch of a mistake as it reads for a learner.
export function mistakeText(method, key) {
  if (key === "maximum" && method === "sarsa") {
    return ["max for a'", "The best next action is taken instead of a', the one that is taken next: that is Q-learning."];
  }
  return MISTAKES[key];
}

// The equation of a learner as [[text, planted], ...]; planted parts are those that a mistake has changed.
export function ruleParts(method, mistakes, best = "max") {
  const has = (key) => mistakes.includes(key);
  const at = has("values at s") ? "s" : "s'";
  const sign = [has("minus") ? " − " : " + ", has("minus")];
  const gamma = has("no discount") ? ["", true] : ["γ ", false];
  const read = (text, planted) => [text, planted || has("values at s")];
  const arg = best === "max" ? "argmax" : "argmin";
  if (method === "monte-carlo") {
    const behind = has("returns run on") ? ["G of the episode before", true] : ["0 at the end", false];
    return [["v(s) ← v(s)", false], sign, ["α [ G − v(s) ],   G ← r + ", false], gamma[0] ? gamma : ["(no γ) ", true], ["G, ", false], behind];
  }
  const own = { "td0": "v(s)", "double-q-learning": "q₁(s,a)" }[method] || "q(s,a)";
  let worth;
  if (method === "td0") worth = read(`v(${at})`, false);
  else if (method === "sarsa") worth = has("maximum") ? read(`${best}ₐ' q(${at},a')`, true) : read(has("values at s") ? "q(s,a)" : "q(s',a')", false);
  else if (method === "q-evaluation") worth = has("maximum") ? read(`${best}ₐ' q(${at},a')`, true) : read(`Σₐ' π(a'|${at}) q(${at},a')`, false);
  else if (method === "q-learning") worth = has("expectation") ? read(`Σₐ' b(a'|${at}) q(${at},a')`, true) : read(`${best}ₐ' q(${at},a')`, false);
  else worth = has("own values") ? read(`q₁(${at}, ${arg} q₁(${at},·))`, true) : read(`q₂(${at}, ${arg} q₁(${at},·))`, false);
  const parts = [[`${own} ← ${own}`, false], sign, ["α [ r + ", false], gamma[0] ? gamma : ["(no γ) ", true], worth, [` − ${own} ]`, false]];
  if (has("no mask")) parts.push([", s' terminal too", true]);
  return parts;
}

export function ruleView(method, mistakes, best) {
  return element("p", { class: "rule" }, ruleParts(method, mistakes, best).map(([text, planted]) => (
    planted ? element("mark", { class: "planted", title: "a planted mistake" }, text) : text)));
}

// A number inside a formula: in brackets where it is negative.
function inFormula(x) {
  return x < 0 ? ["(", shownNumber(x), ")"] : shownNumber(x);
}

// x(j) ← x(j) + α [ r + γ after - x(j) ] with its numbers.
function numbersView(u) {
  const discount = u.bootstraps ? [" + ", u.gamma === null ? null : [shownNumber(u.gamma), " · "], inFormula(u.after)] : null;
  return element("p", { class: "numbers" },
    shownNumber(u.before), u.minus ? " − " : " + ", shownNumber(u.alpha), " [ ", shownNumber(u.r), discount, " − ", inFormula(u.before),
    " ] = ", element("strong", {}, shownNumber(u.made)));
}

function factsView(u, name) {
  const rows = [
    [`old value ${name}`, u.before, "before"], ["target", u.aim, "target"], ["TD error δ, target − old value", u.aim - u.before, "delta"],
    ["step size α", u.alpha, "alpha"], [`new value ${name}`, u.made, "made"],
  ];
  return element("table", { class: "facts" }, element("tbody", {}, rows.map(([text, x, key]) => element("tr", {},
    element("th", { scope: "row" }, text), element("td", {}, shownNumber(x, { "data-part": key }))))));
}

// The values that were read at s', one action a line.
function readView(parts) {
  const { read, twice } = parts;
  if (!read.length || parts.method === "td0") return null;
  const weights = read.some((x) => x.weight !== null);
  const head = ["action at s'", twice ? "chooses" : "q(s',a')", twice ? "values" : null, weights ? "π(a'|s')" : null, ""].filter((x) => x !== null);
  return element("div", { class: "scroll" }, element("table", { class: "read" },
    element("caption", {}, "What was read of s'"),
    element("thead", {}, element("tr", {}, head.map((x) => element("th", { scope: "col" }, x)))),
    element("tbody", {}, read.map((x) => element("tr", {},
      element("th", { scope: "row" }, x.action), element("td", {}, shownNumber(x.value)),
      twice ? element("td", {}, shownNumber(x.other)) : null, weights ? element("td", {}, shownNumber(x.weight)) : null,
      element("td", { class: "mark" }, x.mark))))));
}

// The updates of Monte Carlo at the end of an episode, the last visit first.
function episodeView(updates) {
  const head = ["state", "r", "G", "old v", "α", "new v"];
  const shown = updates.slice(0, 50);
  return element("div", { class: "scroll" }, element("table", { class: "read" },
    element("caption", {}, `The updates at the end of the episode, the last visit first${shown.length < updates.length ? ` (50 of ${updates.length})` : ""}`),
    element("thead", {}, element("tr", {}, head.map((x) => element("th", { scope: "col" }, x)))),
    element("tbody", {}, shown.map((u) => element("tr", {}, element("th", { scope: "row" }, u.state),
      [u.r, u.aim, u.before, u.alpha, u.made].map((x) => element("td", {}, shownNumber(x))))))));
}

// A sentence about the last transition.
export function transitionText(parts) {
  if (parts.step === 0) return "No step was made yet.";
  const ends = parts.ended ? ", where the episode ends" : "";
  return `Step ${parts.step}: in ${parts.state}, ${parts.action} pays ${number(parts.r)} and leads to ${parts.next}${ends}.`;
}

// updateView(parts) -> element. `parts` are those of partsOf in learner_view.js.
export function updateView(parts) {
  const { method, mistakes, update } = parts;
  const box = element("div", { class: "update" },
    element("h3", {}, LEARNERS[method].name), element("p", { class: "transition" }, transitionText(parts)), ruleView(method, mistakes, parts.best));
  if (parts.which) box.append(element("p", {}, `The coin says: q₁ is table ${parts.which} here.`));
  if (method === "monte-carlo" && !update) {
    box.append(element("p", {}, parts.step ? "Values change at the end of the episode." : ""));
  }
  if (update) box.append(numbersView(update), factsView(update, update.name));
  if (method === "monte-carlo" && parts.updates.length > 1) box.append(episodeView(parts.updates));
  const read = readView(parts);
  if (read) box.append(read);
  if (parts.nextAction) box.append(element("p", {}, `The next action a' is ${parts.nextAction}.`));
  if (parts.begins) box.append(element("p", {}, `A new episode begins in ${parts.begins}.`));
  return box;
}

// What was learned of a state beside the exact answer; known: [{ action, learned, exact, visits }].
export function knownView(name, known, exactName) {
  if (!known.length) return element("div", { class: "update known" }, element("h3", {}, element("b", {}, name), " is terminal: worth 0"));
  const actions = known[0].action !== null;
  const head = [...(actions ? ["action"] : []), actions ? "learned q" : "learned v", ["exact ", symbols(exactName)], "visits"];
  return element("div", { class: "update known" }, element("h3", {}, "What was learned of ", element("b", {}, name)),
    element("div", { class: "scroll" }, element("table", { class: "read" },
      element("thead", {}, element("tr", {}, head.map((x) => element("th", { scope: "col" }, x)))),
      element("tbody", {}, known.map((x) => element("tr", {}, actions ? element("th", { scope: "row" }, x.action) : null,
        element("td", {}, shownNumber(x.learned)), element("td", {}, shownNumber(x.exact)), element("td", {}, x.visits)))))));
}
