// Learners as the kernels of Python's: over the same uniforms they make the same tables, bit for bit, with a constant
// step size or c/n. A learner holds its tables in the sign of maximisation; what it did last is in `last`.
//
// `mistakes` plants known faults: the keys are those of tabular_rl.testing.MISTAKES.

import { cumulativeSums, samplingModel, searchCum, uniformPolicy } from "./sampling.js";
import { uniformStream } from "./uniforms.js";

const TINY = 1e-300;
const MISSED = 1e-4; // share of the largest value that the return of an endless episode may miss
const LONGEST = 32768; // steps of an episode that are kept where the discount asks for no number

// What each learner is: the name in Python, whether its table is of states, whether it takes a policy to evaluate, the
// mistakes that can be made with it.
export const LEARNERS = {
  "td0": {
    name: "TD(0)", states: true, evaluates: true, uniforms: 3,
    mistakes: ["minus", "no discount", "no mask", "values at s"],
  },
  "monte-carlo": {
    name: "Monte Carlo", states: true, evaluates: true, uniforms: 3,
    mistakes: ["minus", "no discount", "returns run on"],
  },
  "sarsa": {
    name: "SARSA", states: false, evaluates: false, uniforms: 4,
    mistakes: ["minus", "no discount", "no mask", "maximum", "values at s"],
  },
  "q-evaluation": {
    name: "Expected SARSA, off policy", states: false, evaluates: true, uniforms: 3,
    mistakes: ["minus", "no discount", "no mask", "maximum", "values at s"],
  },
  "q-learning": {
    name: "Q-learning", states: false, evaluates: false, uniforms: 3,
    mistakes: ["minus", "no discount", "no mask", "expectation", "values at s"],
  },
  "double-q-learning": {
    name: "Double Q-learning", states: false, evaluates: false, uniforms: 4,
    mistakes: ["minus", "no discount", "no mask", "own values", "values at s"],
  },
};

// x(n) of a step size { kind: "constant" | "harmonic" | "power", a, b }, n >= 1.
export function stepSizeAt({ kind, a, b }, n) {
  if (kind === "harmonic") return a / n;
  if (kind === "power") return a * n ** -b;
  return a;
}

// How many steps of an episode Monte Carlo keeps, and how many visits at the end of a cut one it passes over.
export function episodeLimits(model) {
  const { gamma } = model;
  let needed = Infinity;
  if (gamma === 0) needed = 1;
  else if (gamma < 1) needed = Math.max(1, Math.ceil(Math.log(MISSED) / Math.log(gamma) - 1e-9));
  const longest = model.longest || Math.min(2 * needed, LONGEST);
  return { longest, missing: Math.min(needed - 1, Math.floor(longest / 2)) };
}

// createLearner(samplingModel(model), {
//   method, seed, run, stepSize, epsilon, policy: (L,) or null, behavior: (L,) or null, startValue, mistakes: [keys],
//   terminalValue: what stands in the table at terminal states, watched: keep what an inspector shows })
export function createLearner(model, options) {
  const traits = LEARNERS[options.method];
  const entries = traits.states ? model.S : model.L;
  const begin = model.sign * (options.startValue || 0);
  const has = (key) => (options.mistakes || []).includes(key);
  const acts = options.behavior || (traits.evaluates ? options.policy : null);
  const double = options.method === "double-q-learning";
  const learner = {
    model, traits, method: options.method, watched: Boolean(options.watched),
    draw: uniformStream(options.seed, options.run || 0),
    stepSize: options.stepSize, epsilon: options.epsilon || 0, policy: options.policy || null,
    cum: acts ? cumulativeSums(acts, model.pairPtr) : null,
    table: new Float64Array(entries).fill(begin), visits: new Int32Array(entries),
    qa: double ? new Float64Array(entries).fill(begin) : null,
    qb: double ? new Float64Array(entries).fill(begin) : null,
    heads: double ? new Int32Array(entries) : null,
    steps: 0, episodes: 0, number: 0, clock: 0, row: -1,
    minus: has("minus"), gamma: has("no discount") ? 1 : model.gamma, noMask: has("no mask"),
    maximum: has("maximum"), expectation: has("expectation"), ownValues: has("own values"),
    atS: has("values at s"), runsOn: has("returns run on"), behind: 0,
    terminalValue: model.sign * (options.terminalValue || 0),
    last: { row: -1, r: 0, s2: -1, end: -1, next: -1, after: 0, entry: -1, before: 0, aim: 0, alpha: 0, made: 0, which: 0, cut: false },
    read: [], updates: [],
  };
  if (traits.states) for (let s = 0; s < model.S; s += 1) if (model.terminal[s]) learner.table[s] = NaN;
  if (options.method === "monte-carlo") {
    const limits = episodeLimits(model);
    Object.assign(learner, limits, { rows: [], rewards: [], seen: new Int32Array(model.S).fill(-1) });
  }
  const s = searchCum(model.startCum, 0, model.S, learner.draw());
  learner.row = takenRow(learner, s, learner.draw());
  return learner;
}

// The row that the learner takes in state s by a uniform u: by the behaviour policy, or ε-greedily by its table, ties
// broken by what is left of u.
function takenRow(learner, s, u) {
  const { model, cum, table, epsilon } = learner;
  const first = model.pairPtr[s];
  const last = model.pairPtr[s + 1];
  if (cum) return searchCum(cum, first, last, u);
  const best = bestRow(table, first, last);
  if (u < epsilon) return first + Math.min(Math.trunc((u / Math.max(epsilon, TINY)) * (last - first)), last - first - 1);
  let ties = 0;
  for (let i = best; i < last; i += 1) if (table[i] === table[best]) ties += 1;
  if (ties < 2) return best;
  let skip = Math.min(Math.trunc(((u - epsilon) / (1 - epsilon)) * ties), ties - 1);
  for (let i = best; i < last; i += 1) {
    if (table[i] !== table[best]) continue;
    if (skip === 0) return i;
    skip -= 1;
  }
  return best;
}

// The first of the best rows first .. last - 1.
export function bestRow(table, first, last) {
  let best = first;
  for (let i = first + 1; i < last; i += 1) if (table[i] > table[best]) best = i;
  return best;
}

function highestOf(table, first, last) {
  return table[bestRow(table, first, last)];
}

// Σ_a π(a|s) q(s,a), π the policy that is evaluated or, without one, ε-greedy by the table.
function expectedOf(learner, first, last) {
  const { table, policy, epsilon } = learner;
  let value = 0;
  if (policy) {
    for (let i = first; i < last; i += 1) value += policy[i] * table[i];
    return value;
  }
  const top = highestOf(table, first, last);
  let tied = 0;
  let ties = 0;
  for (let i = first; i < last; i += 1) {
    value += table[i];
    if (table[i] === top) {
      tied += table[i];
      ties += 1;
    }
  }
  return epsilon * (value / (last - first)) + (1 - epsilon) * (tied / ties);
}

// What the rule takes s' to be worth; `next` is the row taken there, `mine` and `other` the tables of double Q-learning.
function worthOf(learner, s2, next, mine, other) {
  const { model, method, table } = learner;
  if (method === "td0") return table[s2];
  const first = model.pairPtr[s2];
  const last = model.pairPtr[s2 + 1];
  if (mine) return (learner.ownValues ? mine : other)[bestRow(mine, first, last)];
  if (learner.maximum) return highestOf(table, first, last);
  if (method === "sarsa") return table[next];
  if (method === "q-evaluation" || learner.expectation) return expectedOf(learner, first, last);
  return highestOf(table, first, last);
}

// What an inspector shows of the values that were read, before they change: [[entry, value, weight], ...].
function noteRead(learner, s2, next, mine, other) {
  const { model, method, table, policy } = learner;
  if (method === "td0") return [[s2, table[s2], 1]];
  const rows = [];
  for (let i = model.pairPtr[s2]; i < model.pairPtr[s2 + 1]; i += 1) {
    if (mine) rows.push([i, mine[i], null, other[i]]);
    else rows.push([i, table[i], method === "q-evaluation" ? policy[i] : null]);
  }
  return rows.map((row) => (row[0] === next ? [...row, "next"] : row));
}

// The learner goes one step on, and returns `learner.last`.
export function learnStep(learner) {
  const { model, draw, last, traits, method } = learner;
  const i = learner.row;
  const out = searchCum(model.cum, model.rowPtr[i], model.rowPtr[i + 1], draw());
  const restart = draw();
  const take = draw();
  const fourth = traits.uniforms === 4 ? draw() : 0;
  const end = model.next[out];
  const s2 = model.terminal[end] ? -1 : end;
  const r = model.reward ? model.reward[out] : model.r[i];
  let next = method === "sarsa" && s2 >= 0 ? takenRow(learner, s2, take) : -1;
  Object.assign(last, { row: i, r, s2, end, next, cut: false, which: 0 });
  learner.updates = [];
  learner.steps += 1;
  if (method === "monte-carlo") learnAtEnd(learner, i, r, s2);
  else if (learner.qa) {
    const heads = fourth < 0.5;
    updateHalf(learner, heads, heads ? learner.qa : learner.qb, heads ? learner.qb : learner.qa);
  } else updateOne(learner);
  learner.clock += 1;
  let s = s2;
  if (s2 < 0) {
    learner.clock = 0;
    learner.episodes += 1;
    s = searchCum(model.startCum, 0, model.S, restart);
    next = -1;
  }
  if (method === "monte-carlo" && last.cut) learner.clock = 0;
  learner.row = next >= 0 ? next : takenRow(learner, s, method === "sarsa" ? fourth : take);
  return last;
}

// r + γ (what s' is worth): 0 at a terminal s', unless that is the mistake; at s where that is the mistake.
function aimOf(learner, mine, other) {
  const { last, model } = learner;
  last.after = 0;
  learner.read = [];
  if (last.s2 < 0) {
    if (!learner.noMask) return last.r;
    last.after = learner.terminalValue;
  } else {
    const at = learner.atS ? model.pairState[last.row] : last.s2;
    const next = learner.atS ? last.row : last.next;
    last.after = worthOf(learner, at, next, mine, other);
    if (learner.watched) learner.read = noteRead(learner, at, next, mine, other);
  }
  return last.r + learner.gamma * last.after;
}

// x(j) ← x(j) + α [ aim - x(j) ]; n counts the updates of the entry.
function change(learner, table, j, n, aim) {
  const { last } = learner;
  const alpha = learner.minus ? -stepSizeAt(learner.stepSize, n) : stepSizeAt(learner.stepSize, n);
  last.entry = j;
  last.before = table[j];
  last.aim = aim;
  last.alpha = alpha;
  table[j] += alpha * (aim - table[j]);
  last.made = table[j];
}

function updateOne(learner) {
  const { last, model, traits } = learner;
  const j = traits.states ? model.pairState[last.row] : last.row;
  learner.visits[j] += 1;
  change(learner, learner.table, j, learner.visits[j], aimOf(learner, null, null));
}

function updateHalf(learner, heads, mine, other) {
  const { last, visits } = learner;
  const j = last.row;
  visits[j] += 1;
  if (heads) learner.heads[j] += 1;
  const n = heads ? learner.heads[j] : visits[j] - learner.heads[j];
  change(learner, mine, j, n, aimOf(learner, mine, other));
  last.which = heads ? 1 : 2;
  learner.table[j] = 0.5 * (learner.qa[j] + learner.qb[j]);
}

// Monte Carlo: write the step down; at the end of the episode learn from its returns, the last step first, at first
// visits. An episode that is too long is cut off, and its last visits are passed over.
function learnAtEnd(learner, i, r, s2) {
  const { model, rows, rewards, seen, last } = learner;
  const s = model.pairState[i];
  rows.push(seen[s] === learner.number ? -i - 1 : i);
  rewards.push(r);
  seen[s] = learner.number;
  last.entry = -1;
  const full = rows.length === learner.longest;
  if (s2 >= 0 && !full) return;
  const keep = s2 < 0 ? rows.length : rows.length - learner.missing;
  let G = learner.runsOn ? learner.behind : 0;
  for (let at = rows.length - 1; at >= 0; at -= 1) {
    const again = rows[at] < 0;
    const row = again ? -rows[at] - 1 : rows[at];
    const after = G;
    G = rewards[at] + learner.gamma * G;
    if (again || at >= keep) continue;
    const j = model.pairState[row];
    learner.visits[j] += 1;
    change(learner, learner.table, j, learner.visits[j], G);
    if (learner.watched) learner.updates.push({ ...last, row, r: rewards[at], after, aim: G });
  }
  learner.behind = G;
  learner.number += 1;
  last.cut = s2 >= 0;
  rows.length = 0;
  rewards.length = 0;
}

// The values of the states (S,) in the user's sign: v, or by q the mean over the policy, or the best.
export function valuesOf(learner, table = learner.table) {
  const { model, traits, policy } = learner;
  const v = new Float64Array(model.S);
  for (let s = 0; s < model.S; s += 1) {
    if (model.terminal[s]) continue;
    const first = model.pairPtr[s];
    const last = model.pairPtr[s + 1];
    let value = 0;
    if (traits.states) value = table[s];
    else if (traits.evaluates) for (let i = first; i < last; i += 1) value += policy[i] * table[i];
    else value = highestOf(table, first, last);
    v[s] = model.sign * value;
  }
  return v;
}

// The tables of a run of `steps` steps, in the user's sign, as Python's `estimates`: for tests.
export function learnedTable(model, options, steps) {
  const sampling = samplingModel(model);
  const policy = options.policy === "uniform" ? uniformPolicy(sampling) : options.policy;
  const behavior = options.behavior === "uniform" ? uniformPolicy(sampling) : options.behavior;
  const learner = createLearner(sampling, { ...options, policy, behavior });
  for (let k = 0; k < steps; k += 1) learnStep(learner);
  return Array.from(learner.table, (x) => (Number.isNaN(x) ? 0 : sampling.sign * x));
}
