// Backups and what is made of them. Sums run in the order of storage, as in the kernels in Python that prove bounds,
// so that the numbers are the same to the last bit. All values are in the user's sign.
import { better } from "./model.js";

const ROUNDING = 2 ** -52;
const CLOSE = 1e-10; // values that differ by less, in units of the largest, are equal but for rounding

// q = r(i) + gamma sum p v(s')
export function rowValue(model, i, v) {
  let expected = 0;
  for (let k = model.rowPtr[i]; k < model.rowPtr[i + 1]; k += 1) expected += model.prob[k] * v[model.next[k]];
  return model.r[i] + model.gamma * expected;
}

// q of every row, (L,).
export function rowValues(model, v) {
  const q = new Float64Array(model.L);
  for (let i = 0; i < model.L; i += 1) q[i] = rowValue(model, i, v);
  return q;
}

// The best value of a state with actions and the first row that has it.
export function bestRow(model, s, v) {
  let row = -1;
  let value = 0;
  for (let i = model.pairPtr[s]; i < model.pairPtr[s + 1]; i += 1) {
    const q = rowValue(model, i, v);
    if (row < 0 || better(model, q, value)) {
      value = q;
      row = i;
    }
  }
  return { row, value };
}

// sum_a pi(a|s) q(s,a), with weights (L,)
export function mixedValue(model, s, weights, v) {
  let total = 0;
  for (let i = model.pairPtr[s]; i < model.pairPtr[s + 1]; i += 1) {
    if (weights[i] !== 0) total += weights[i] * rowValue(model, i, v);
  }
  return total;
}

// What a backup makes of state s: the best, or the mean of a policy where there are weights.
export function stateValue(model, s, v, weights) {
  return weights ? mixedValue(model, s, weights, v) : bestRow(model, s, v).value;
}

// One sweep: all states from v (order null), or in place in an order of states. Terminal states keep their values.
export function sweep(model, v, { weights = null, order = null } = {}) {
  const made = Float64Array.from(v);
  const used = order ? made : v;
  for (let at = 0; at < model.S; at += 1) {
    const s = order ? order[at] : at;
    if (model.pairPtr[s] < model.pairPtr[s + 1]) made[s] = stateValue(model, s, used, weights);
  }
  return made;
}

// The values that state s is backed up from in a sweep: in place those that came before in the order are new.
export function usedIn(before, after, s, order) {
  if (!order) return before;
  const used = Float64Array.from(before);
  for (const other of order) {
    if (other === s) break;
    used[other] = after[other];
  }
  return used;
}

// The largest |v - w|.
export function distance(v, w) {
  let most = 0;
  for (let s = 0; s < v.length; s += 1) most = Math.max(most, Math.abs(v[s] - w[s]));
  return most;
}

export function largest(v) {
  let most = 0;
  for (let s = 0; s < v.length; s += 1) most = Math.max(most, Math.abs(v[s]));
  return most;
}

// How far two values may lie apart and still count as equal.
export function tieWidth(model, q) {
  return CLOSE * Math.max(largest(q), largest(model.r));
}

// For each state the rows whose q is the best, ties included; none at terminal states.
export function greedyRows(model, q) {
  const width = tieWidth(model, q);
  const found = [];
  for (let s = 0; s < model.S; s += 1) {
    let best = null;
    const rows = [];
    for (let i = model.pairPtr[s]; i < model.pairPtr[s + 1]; i += 1) {
      if (best === null || better(model, q[i], best)) best = q[i];
    }
    for (let i = model.pairPtr[s]; i < model.pairPtr[s + 1]; i += 1) {
      if (Math.abs(q[i] - best) <= width) rows.push(i);
    }
    found.push(rows);
  }
  return found;
}

// Weights (L,) of a policy that takes one row a state.
export function weightsOf(model, rows) {
  const weights = new Float64Array(model.L);
  for (const i of rows) if (i >= 0) weights[i] = 1;
  return weights;
}

export function uniformWeights(model) {
  const weights = new Float64Array(model.L);
  for (let s = 0; s < model.S; s += 1) {
    const n = model.pairPtr[s + 1] - model.pairPtr[s];
    for (let i = model.pairPtr[s]; i < model.pairPtr[s + 1]; i += 1) weights[i] = 1 / n;
  }
  return weights;
}

// The first row of each state, -1 at terminal states.
export function firstRows(model) {
  return Int32Array.from({ length: model.S }, (_, s) => (model.pairPtr[s] < model.pairPtr[s + 1] ? model.pairPtr[s] : -1));
}

// States that a policy never leaves for a reward: worth 0 at gamma = 1 without solving.
function restingStates(model, weights) {
  const rests = new Uint8Array(model.S).fill(1);
  for (let changed = true; changed;) {
    changed = false;
    for (let s = 0; s < model.S; s += 1) {
      if (!rests[s]) continue;
      for (let i = model.pairPtr[s]; i < model.pairPtr[s + 1] && rests[s]; i += 1) {
        if (weights[i] === 0) continue;
        let stays = model.r[i] === 0;
        for (let k = model.rowPtr[i]; k < model.rowPtr[i + 1] && stays; k += 1) {
          if (model.prob[k] !== 0 && !rests[model.next[k]]) stays = false;
        }
        if (!stays) {
          rests[s] = 0;
          changed = true;
        }
      }
    }
  }
  return rests;
}

// v_pi, by sweeps or by Gaussian elimination, whichever is less work; null where the sum of its rewards has no limit.
export function policyValues(model, weights) {
  const sweeps = model.gamma < 1 ? Math.max(Math.ceil(Math.log(ROUNDING) / Math.log(model.gamma)), 1) : Infinity;
  let outcomes = 0;
  for (let i = 0; i < model.L; i += 1) if (weights[i] !== 0) outcomes += model.rowPtr[i + 1] - model.rowPtr[i];
  return sweeps * outcomes < model.S ** 3 / 3 ? sweptValues(model, weights, sweeps) : eliminatedValues(model, weights);
}

// v_pi by sweeps in place, until rounding is all that changes.
function sweptValues(model, weights, most) {
  const order = firstOrder(model);
  let v = new Float64Array(model.S);
  for (let k = 0; k < most; k += 1) {
    const made = sweep(model, v, { weights, order });
    const done = distance(made, v) <= ROUNDING * largest(made);
    v = made;
    if (done) break;
  }
  return v;
}

function eliminatedValues(model, weights) {
  const rests = model.gamma === 1 ? restingStates(model, weights) : model.terminal;
  const at = new Int32Array(model.S).fill(-1);
  const states = [];
  for (let s = 0; s < model.S; s += 1) {
    if (rests[s]) continue;
    at[s] = states.length;
    states.push(s);
  }
  const n = states.length;
  const matrix = states.map((s, j) => {
    const row = new Float64Array(n + 1);
    row[j] = 1;
    for (let i = model.pairPtr[s]; i < model.pairPtr[s + 1]; i += 1) {
      if (weights[i] === 0) continue;
      row[n] += weights[i] * model.r[i];
      for (let k = model.rowPtr[i]; k < model.rowPtr[i + 1]; k += 1) {
        const to = at[model.next[k]];
        if (to >= 0) row[to] -= model.gamma * weights[i] * model.prob[k];
      }
    }
    return row;
  });
  const x = solved(matrix, n);
  if (x === null) return null;
  const v = new Float64Array(model.S);
  states.forEach((s, j) => { v[s] = x[j]; });
  return v;
}

// Gaussian elimination with pivots; null where the matrix is singular but for rounding.
function solved(matrix, n) {
  for (let c = 0; c < n; c += 1) {
    let pivot = c;
    for (let j = c + 1; j < n; j += 1) if (Math.abs(matrix[j][c]) > Math.abs(matrix[pivot][c])) pivot = j;
    [matrix[c], matrix[pivot]] = [matrix[pivot], matrix[c]];
    const top = matrix[c];
    if (!(Math.abs(top[c]) > 1e-13)) return null;
    for (let j = c + 1; j < n; j += 1) {
      const row = matrix[j];
      if (row[c] === 0) continue;
      const factor = row[c] / top[c];
      row[c] = 0;
      for (let d = c + 1; d <= n; d += 1) if (top[d] !== 0) row[d] -= factor * top[d];
    }
  }
  const x = new Float64Array(n);
  for (let c = n - 1; c >= 0; c -= 1) {
    let rest = matrix[c][n];
    for (let d = c + 1; d < n; d += 1) rest -= matrix[c][d] * x[d];
    x[c] = rest / matrix[c][c];
    if (!Number.isFinite(x[c])) return null;
  }
  return x;
}

// Rows that are better by v than those of a policy: the first of the best, where these are better by more than rounding.
export function improvedRows(model, v, rows) {
  const greedy = greedyRows(model, rowValues(model, v));
  return rows.map((row, s) => (row < 0 || greedy[s].includes(row) ? row : greedy[s][0]));
}

// Policy after policy: [{ rows, v, changed }], the last one is the end; null where one has no finite value. The first is
// `rows`, or has weights (L,): it is random then, and its rows are null.
export function policySteps(model, rows, { weights = null, most = 1000 } = {}) {
  const steps = [];
  let before = null;
  for (let current = weights ? null : rows; steps.length < most;) {
    const v = policyValues(model, current ? weightsOf(model, current) : weights);
    if (v === null) return null;
    steps.push({ rows: current, v, changed: steps.length ? changedStates(model, before, current) : [] });
    before = current;
    current = current ? improvedRows(model, v, current) : firstGreedy(model, v);
    if (before && !changedStates(model, before, current).length) break;
  }
  return steps;
}

// The states with actions whose row is another one.
function changedStates(model, before, rows) {
  return [...rows.keys()].filter((s) => rows[s] >= 0 && (before === null || rows[s] !== before[s]));
}

function firstGreedy(model, v) {
  return Int32Array.from(greedyRows(model, rowValues(model, v)), (rows) => (rows.length ? rows[0] : -1));
}

// V_T, V_{T-1} ... V_0 of a model with a horizon: times[t] = V_t.
export function backwardInduction(model, weights = null) {
  const times = new Array(model.horizon + 1);
  let v = model.finalReward ? Float64Array.from(model.finalReward) : new Float64Array(model.S);
  times[model.horizon] = v;
  for (let t = model.horizon - 1; t >= 0; t -= 1) {
    v = sweep(model, v, { weights });
    for (let s = 0; s < model.S; s += 1) if (model.terminal[s]) v[s] = 0;
    times[t] = v;
  }
  return times;
}

// Rows that sweeps from 0 lead to: policy iteration then takes few steps; and where gamma = 1 it may start only from a
// policy that ends or rests.
function sweptRows(model) {
  const most = Math.max(100, Math.min(model.gamma < 1 ? 200 : 1000, Math.floor(5e6 / Math.max(model.K, 1))));
  const forward = firstOrder(model);
  const backward = Int32Array.from(forward).reverse();
  let v = new Float64Array(model.S);
  for (let k = 0; k < most; k += 1) {
    const made = sweep(model, v, { order: k % 2 === 0 ? backward : forward });
    const done = distance(made, v) <= 1e-13 * largest(made);
    v = made;
    if (done) break;
  }
  return Int32Array.from({ length: model.S }, (_, s) => bestRow(model, s, v).row);
}

export function firstOrder(model) {
  return Int32Array.from({ length: model.S }, (_, s) => s);
}

// The answer { v, q, greedy, times } of the best policy; null where there is no finite one.
export function bestAnswer(model) {
  if (model.horizon !== null) {
    const times = backwardInduction(model);
    const q = rowValues(model, times[Math.min(1, model.horizon)]);
    return { v: times[0], q, greedy: greedyRows(model, q), times };
  }
  const steps = policySteps(model, sweptRows(model));
  if (steps === null) return null;
  const { v } = steps[steps.length - 1];
  const q = rowValues(model, v);
  return { v, q, greedy: greedyRows(model, q), times: null };
}

// The answer for a policy with weights (L,): its values; null where they are not finite.
export function policyAnswer(model, weights) {
  if (model.horizon !== null) {
    const times = backwardInduction(model, weights);
    const q = rowValues(model, times[Math.min(1, model.horizon)]);
    return { v: times[0], q, greedy: greedyRows(model, q), times };
  }
  const v = policyValues(model, weights);
  if (v === null) return null;
  const q = rowValues(model, v);
  return { v, q, greedy: greedyRows(model, q), times: null };
}
