// The steps of a method, one by one, with their true errors and contraction bounds: what the scrubber goes through.
import { rowsOf } from "./model.js";
import { backwardInduction, bestAnswer, distance, firstOrder, firstRows, greedyRows, largest } from "./solve.js";
import { policyAnswer, policySteps, rowValues, sweep } from "./solve.js";

const MOST = 1000; // sweeps that are kept
const WORK = 1e7; // outcomes that are backed up for them
const ENOUGH = 1e-9; // a change, in units of the largest value, after which there is nothing to see

// The orders of a sweep: [name, text, states in their order or null].
export function orders(model) {
  const first = firstOrder(model);
  const found = [
    ["synchronous", "all states at once", null],
    ["forward", "in place, first to last", first],
    ["backward", "in place, last to first", Int32Array.from(first).reverse()],
  ];
  if (model.terminal.includes(1)) found.push(["ends", "in place, from the ends outward", fromTheEnds(model)]);
  return found;
}

// How few moves can lead from each state to a terminal one, Infinity where none do.
function distancesToEnds(model) {
  const before = Array.from({ length: model.S }, () => []);
  for (let s = 0; s < model.S; s += 1) {
    for (let k = model.rowPtr[model.pairPtr[s]]; k < model.rowPtr[model.pairPtr[s + 1]]; k += 1) {
      if (model.prob[k] > 0) before[model.next[k]].push(s);
    }
  }
  const far = Float64Array.from(model.terminal, (ends) => (ends ? 0 : Infinity));
  const waiting = [...firstOrder(model)].filter((s) => model.terminal[s]);
  for (let at = 0; at < waiting.length; at += 1) {
    for (const s of before[waiting[at]]) {
      if (far[s] === Infinity) {
        far[s] = far[waiting[at]] + 1;
        waiting.push(s);
      }
    }
  }
  return far;
}

// States by how few moves lead from them to a terminal state, those that cannot end last.
export function fromTheEnds(model) {
  const far = distancesToEnds(model);
  return Int32Array.from(firstOrder(model)).sort((s, t) => (far[s] === far[t] ? s - t : far[s] - far[t]));
}

// A policy that ends wherever one can: its rows lead nearer to an end, with some probability. The first rows elsewhere.
export function endingRows(model) {
  const far = distancesToEnds(model);
  return firstRows(model).map((first, s) => {
    if (first < 0 || far[s] === Infinity) return first;
    for (let i = first; i < model.pairPtr[s + 1]; i += 1) {
      for (let k = model.rowPtr[i]; k < model.rowPtr[i + 1]; k += 1) {
        if (model.prob[k] > 0 && far[model.next[k]] < far[s]) return i;
      }
    }
    return first;
  });
}

// { steps: [{ k, v, q, greedy, used?, changed? }], errors, bounds, exact, optimalFrom, complete } of a method:
// "value-iteration", "policy-evaluation", "policy-iteration" or "backward-induction". `optimalFrom` is the first step
// from which on all greedy actions are optimal ones; null where no step is. `weights` are those of the policy that is
// evaluated, or from which policy iteration starts instead of `rows`.
export function runOf(model, method, { order = null, weights = null, rows = null, answer = bestAnswer(model) } = {}) {
  if (method === "backward-induction") return backwardRun(model, answer);
  if (method === "policy-iteration") return policyRun(model, rows || firstRows(model), weights, answer);
  return sweptRun(model, method === "policy-evaluation" ? weights : null, order, answer);
}

function sweptRun(model, weights, order, answer) {
  const exact = weights ? policyAnswer(model, weights) : answer;
  const most = Math.max(10, Math.min(MOST, Math.floor(WORK / Math.max(model.K, 1))));
  const steps = [stepOf(model, 0, new Float64Array(model.S))];
  const bounds = [null];
  let complete = false;
  for (let k = 1; k <= most && !complete; k += 1) {
    const before = steps[k - 1].v;
    const v = sweep(model, before, { weights, order });
    const change = distance(v, before);
    steps.push(stepOf(model, k, v));
    bounds.push(model.gamma < 1 ? (model.gamma / (1 - model.gamma)) * change : null);
    complete = change <= ENOUGH * largest(v);
  }
  return finished(steps, bounds, exact, answer, complete);
}

function policyRun(model, rows, weights, answer) {
  const found = policySteps(model, rows, { weights });
  if (found === null) return null;
  const steps = found.map(({ v, rows: taken, changed }, k) => stepOf(model, k, v, { rows: taken, changed }));
  const bounds = steps.map(({ v, q }) => (model.gamma < 1 ? distance(bestOf(model, q), v) / (1 - model.gamma) : null));
  const run = finished(steps, bounds, answer, answer, true);
  return { ...run, optimalFrom: optimalFrom(steps, answer, (step) => takenRows(model, step.rows)) };
}

// The rows of each state that a policy takes: one, or all where `rows` is null.
export function takenRows(model, rows) {
  return Array.from({ length: model.S }, (_, s) => (rows === null ? rowsOf(model, s) : rows[s] < 0 ? [] : [rows[s]]));
}

// The rows of each state that a policy with weights (L,) takes with some probability.
export function weightedRows(model, weights) {
  return Array.from({ length: model.S }, (_, s) => rowsOf(model, s).filter((i) => weights[i] > 0));
}

function backwardRun(model, answer) {
  const times = backwardInduction(model);
  const made = (t) => (t < model.horizon ? greedyRows(model, rowValues(model, times[t + 1])) : noRows(model));
  const steps = times.map((v, t) => stepOf(model, t, v, { made: () => made(t) }));
  return { steps: steps.reverse(), errors: null, bounds: null, exact: answer, optimalFrom: null, complete: true };
}

function noRows(model) {
  return Array.from({ length: model.S }, () => []);
}

function bestOf(model, q) {
  return Float64Array.from({ length: model.S }, (_, s) => {
    let best = 0;
    for (let i = model.pairPtr[s]; i < model.pairPtr[s + 1]; i += 1) {
      if (i === model.pairPtr[s] || (model.sign > 0 ? q[i] > best : q[i] < best)) best = q[i];
    }
    return best;
  });
}

// A step, whose q and greedy rows are found when they are first asked for.
function stepOf(model, k, v, more = {}) {
  let q = null;
  let greedy = null;
  return {
    k, v, ...more,
    get q() {
      q = q || rowValues(model, v);
      return q;
    },
    get greedy() {
      greedy = greedy || (more.made ? more.made() : greedyRows(model, this.q));
      return greedy;
    },
  };
}

function finished(steps, bounds, exact, answer, complete) {
  return {
    steps, bounds, exact, complete,
    errors: exact ? steps.map(({ v }) => distance(v, exact.v)) : null,
    optimalFrom: optimalFrom(steps, answer),
  };
}

function optimalFrom(steps, answer, rowsOf = (step) => step.greedy) {
  if (!answer) return null;
  const good = answer.greedy.map((rows) => new Set(rows));
  let from = steps.length;
  while (from > 0 && rowsOf(steps[from - 1]).every((rows, s) => rows.every((i) => good[s].has(i)))) from -= 1;
  return from < steps.length ? from : null;
}
