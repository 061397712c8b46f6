// What the page shows of a learner: its last step in numbers, its table as values and actions, the same run as a command.
import { LEARNERS, valuesOf } from "./learn.js";
import { actionOf } from "./model.js";
import { knownView, updateView } from "./update.js";

export function stateName(experiment, s) {
  const { whole } = experiment;
  const name = whole.states[s % whole.S];
  return whole.horizon ? `${name} at time ${Math.floor(s / whole.S)}` : name;
}

function rowName(experiment, i) {
  return actionOf(experiment.whole, i % experiment.whole.L);
}

// What the inspector shows of the last step, in the user's sign.
export function partsOf(experiment) {
  const { learner, model, own, whole, traits } = experiment;
  const { last } = learner;
  const { sign } = model;
  const parts = {
    method: own.method, mistakes: own.mistakes, best: sign > 0 ? "max" : "min", step: learner.steps, read: [], updates: [], update: null,
  };
  if (learner.steps === 0) return parts;
  const state = model.pairState[last.row];
  const numbers = (u, row) => ({
    name: traits.states ? `v(${whole.states[model.pairState[row] % whole.S]})` : `q(${whole.states[model.pairState[row] % whole.S]}, ${rowName(experiment, row)})`,
    state: stateName(experiment, model.pairState[row]),
    r: sign * u.r, before: sign * u.before, after: sign * u.after, aim: sign * u.aim, made: sign * u.made, alpha: Math.abs(u.alpha),
    minus: learner.minus, gamma: own.mistakes.includes("no discount") ? null : model.gamma,
    bootstraps: own.method === "monte-carlo" || u.s2 >= 0 || learner.noMask,
  });
  const marks = markerOf(experiment, last);
  return {
    ...parts,
    state: stateName(experiment, state), action: rowName(experiment, last.row), r: sign * last.r,
    next: stateName(experiment, last.end), ended: last.s2 < 0, which: last.which, twice: Boolean(learner.qa),
    update: last.entry < 0 ? null : own.method === "monte-carlo" && learner.updates.length
      ? numbers(learner.updates[learner.updates.length - 1], learner.updates[learner.updates.length - 1].row) : numbers(last, last.row),
    updates: learner.updates.map((u) => numbers(u, u.row)),
    read: learner.read.map(([entry, value, weight, other], at) => ({
      action: traits.states ? "" : rowName(experiment, entry), value: sign * value, weight,
      other: learner.qa ? sign * other : null, mark: marks(entry, at),
    })),
    nextAction: last.next >= 0 ? rowName(experiment, last.next) : null,
    begins: last.s2 < 0 ? stateName(experiment, model.pairState[learner.row]) : null,
  };
}

// Which of the values that were read counted, in a word.
function markerOf({ learner, own }, last) {
  const values = learner.read.map(([, value]) => value);
  const top = values.indexOf(Math.max(...values));
  if (own.method === "sarsa" && !learner.maximum) return (entry) => (entry === (learner.atS ? last.row : last.next) ? "← a'" : "");
  if (own.method === "q-evaluation" && !learner.maximum) return () => "";
  if (learner.expectation) return () => "";
  return (_, at) => (at === top ? "← best" : "");
}

// The same run in a terminal; "" where there is none.
export function commandOf(experiment, base, noise) {
  const { own, traits, model, learner } = experiment;
  if (own.mistakes.length || noise !== 0 || learner.steps === 0) return "";
  const step = { constant: String(own.alpha), harmonic: "1/n", power: "n^-0.7" }[own.kind];
  const words = ["tabular-rl learn FILE", `--method ${own.method}`];
  if (traits.evaluates) words.push(`--policy ${own.policy}`);
  if (own.method === "q-evaluation" && own.behavior !== own.policy && own.behavior === "uniform") words.push("--behavior uniform");
  if (!traits.evaluates) words.push(`--explore epsilon-greedy:${own.epsilon}`);
  words.push(`--steps ${learner.steps}`, `--step-size ${step}`, `--seed ${own.seed}`);
  if (own.startValue !== 0) words.push(`--start-value ${own.startValue}`);
  if (model.gamma !== base.gamma) words.push(`--gamma ${model.gamma}`);
  return words.join(" ");
}

// The rows that the learner would take (S arrays): those of its policy, or the best by its table, all that are tied.
function rowsShown(experiment, t) {
  const { whole, model, policy, learner } = experiment;
  return Array.from({ length: whole.S }, (_, s) => {
    const at = t * whole.S + s;
    const rows = [];
    let top = -Infinity;
    for (let i = model.pairPtr[at]; i < model.pairPtr[at + 1]; i += 1) {
      if (policy) {
        if (policy[i] > 0) rows.push(i - t * whole.L);
      } else {
        if (learner.table[i] > top) rows.length = 0;
        if (learner.table[i] >= top) rows.push(i - t * whole.L);
        top = Math.max(top, learner.table[i]);
      }
    }
    return rows;
  });
}

// What the table knows of state s at time t, in the user's sign: [{ action, learned, exact, visits }].
export function knownOf(experiment, s, t) {
  const { whole, model, traits, learner, tableTruth } = experiment;
  const at = t * whole.S + s;
  const entries = [];
  if (model.terminal[at]) return entries;
  if (traits.states) entries.push(at);
  else for (let i = model.pairPtr[at]; i < model.pairPtr[at + 1]; i += 1) entries.push(i);
  return entries.map((j) => ({
    action: traits.states ? null : rowName(experiment, j), learned: model.sign * learner.table[j],
    exact: tableTruth ? model.sign * tableTruth[j] : null, visits: learner.visits[j],
  }));
}

// What the picture and the inspector show of an experiment at time t (0 without a horizon); `selected()` is a state.
export function shownOf(experiment, t, selected) {
  const { whole, model, own, traits, learner, truth } = experiment;
  const { last } = learner;
  const point = learner.table;
  const values = new Float64Array(whole.S);
  const all = valuesOf(learner);
  for (let s = 0; s < whole.S; s += 1) values[s] = all[t * whole.S + s];
  const q = traits.states ? null : Float64Array.from({ length: whole.L }, (_, i) => model.sign * point[t * whole.L + i]);
  const transition = learner.steps === 0 ? null : {
    s: model.pairState[last.row] % whole.S, row: last.row % whole.L, s2: last.end % whole.S, episodeEnds: last.s2 < 0,
  };
  const when = whole.horizon ? ` at time ${t}` : "";
  const exactName = traits.states ? "v_π" : traits.evaluates ? "q_π" : "q*";
  const view = (parts) => [updateView(parts), knownView(stateName(experiment, t * whole.S + selected()), knownOf(experiment, selected(), t), exactName)];
  return {
    title: `${LEARNERS[own.method].name} after ${learner.steps.toLocaleString("en")} step${learner.steps === 1 ? "" : "s"}${when}`,
    name: "v", legend: !traits.evaluates ? "the best actions by q" : "the policy π that is evaluated",
    exact: truth ? truth.slice(t * whole.S, (t + 1) * whole.S) : null, exactName: traits.evaluates ? "v_π" : "v*",
    values, q, greedy: rowsShown(experiment, t), transition,
    explanation: { kind: "update", heading: "The last update", parts: partsOf(experiment), view },
  };
}
