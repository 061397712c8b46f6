// What a learner is expected to know after k steps, exactly: the mean and the covariance of its table, over all runs
// that it could make along a trajectory. The update of TD(0) and of expected SARSA of a fixed policy is linear in the
// table; each event e (a row and an outcome, of probability p in state s) moves one entry j:
//
//     z ← z + α e_j y,    y = g·z + c,    c = r + γ look·centre - centre_j,    g = γ look - e_j
//
// z is the table less its `centre`. With u = E[z 1{state}] and W = E[z zᵀ 1{state}] a step is
//
//     u' = Σ p [ u + α e_j h ],                                 h = g·u + c Pr
//     W' = Σ p [ W + α (e_j qᵀ + q e_jᵀ) + α² e_j e_jᵀ y₂ ],    q = W g + c u,    y₂ = g·q + c h
//
// and what comes to the end of an episode is dealt out by the start distribution. These are the recursions of
// tabular_rl.laws.expected. All is in the sign of maximisation.

import { rewardOf } from "./model.js";
import { policyValues } from "./solve.js";

const MOST_MEMORY = 64e6; // bytes of second moments
const MOST_WORK = 2e6; // products a step

// v_π (S,) of a sampling model, 0 at terminal states; null where γ = 1 and its rewards have no finite sum.
export function valuesOfPolicy(model, pi) {
  if (!model.longest) return policyValues(model, pi);
  const v = new Float64Array(model.S);
  for (let s = model.S - 1; s >= 0; s -= 1) { // time goes on with each step
    for (let i = model.pairPtr[s]; i < model.pairPtr[s + 1]; i += 1) {
      if (pi[i] > 0) v[s] += pi[i] * pairValue(model, i, v);
    }
  }
  return v;
}

// r(s,a) + γ Σ p v(s') of a row.
function pairValue(model, i, v) {
  let q = 0;
  for (let k = model.rowPtr[i]; k < model.rowPtr[i + 1]; k += 1) {
    const s2 = model.next[k];
    q += model.prob[k] * (rewardOf(model, i, k) + model.gamma * (model.terminal[s2] ? 0 : v[s2]));
  }
  return q;
}

// q (L,) of a sampling model by the values of s'.
export function valuesOfPairs(model, v) {
  return Float64Array.from({ length: model.L }, (_, i) => pairValue(model, i, v));
}

// Why a learner has no law here, in a sentence; "" where it has one.
export function whyNoLaw(model, { method, stepSize, policy, behavior }) {
  if (method === "monte-carlo") {
    return "Monte Carlo moves by whole returns, whose moments obey no closed recursion.";
  }
  if (method !== "td0" && method !== "q-evaluation") {
    return "Its actions depend on its own table, so that the update is not linear, and no closed recursion exists.";
  }
  if (stepSize.kind !== "constant") {
    return "A step size that counts visits depends on the past, so that no closed recursion exists; a constant one has it.";
  }
  const size = lawSize(model, method, behavior || policy);
  if (size.memory > MOST_MEMORY || size.work > MOST_WORK) {
    const entries = method === "td0" ? "states" : "pairs";
    return `The covariance of ${size.N} ${entries} in each of ${size.nodes} states takes too long in a page; `
      + "tabular_rl.laws.expected computes it.";
  }
  return "";
}

function lawSize(model, method, behavior) {
  let nodes = 0;
  for (let s = 0; s < model.S; s += 1) nodes += model.terminal[s] ? 0 : 1;
  let outcomes = 0;
  for (let i = 0; i < model.L; i += 1) if (behavior[i] > 0) outcomes += model.rowPtr[i + 1] - model.rowPtr[i];
  const N = method === "td0" ? nodes : model.L;
  return { nodes, N, memory: 8 * (nodes + 1) * N * N, work: outcomes * N * 3 + Math.min(outcomes, nodes * nodes) * triangle(N) };
}

// createLaw(samplingModel(model), { method, policy, behavior, alpha, startValue }): at step 0; lawStep goes one step on.
// The policies are (L,), those of a learner; on policy `behavior` is null.
export function createLaw(model, { method, policy, behavior, alpha, startValue }) {
  const states = method === "td0";
  const live = [];
  const at = new Int32Array(model.S).fill(-1);
  for (let s = 0; s < model.S; s += 1) if (!model.terminal[s]) at[s] = live.push(s) - 1;
  const nodes = live.length;
  const N = states ? nodes : model.L;
  const v = valuesOfPolicy(model, policy);
  const exact = v && (states ? Float64Array.from(live, (s) => v[s]) : valuesOfPairs(model, v));
  const centre = exact || new Float64Array(N);
  const law = {
    model, states, policy, live, at, nodes, N, alpha, centre, step: 0, truth: exact,
    chance: Float64Array.from(live, (s) => model.start[s]),
    u: new Float64Array((nodes + 1) * N), W: new Float64Array((nodes + 1) * triangle(N)),
    u2: new Float64Array((nodes + 1) * N), W2: new Float64Array((nodes + 1) * triangle(N)),
    q: new Float64Array(N),
    ...lawEvents(model, states, policy, behavior || policy, live, at, centre),
  };
  const z = centre.map((x) => model.sign * (startValue || 0) - x);
  for (let node = 0; node < nodes; node += 1) {
    for (let j = 0; j < N; j += 1) {
      law.u[node * N + j] = law.chance[node] * z[j];
      for (let l = 0; l <= j; l += 1) law.W[node * triangle(N) + triangle(j) + l] = law.chance[node] * z[j] * z[l];
    }
  }
  return law;
}

// Everything that can happen in a step, and where the state goes: events { from, to, p, j, c, g: [[entry, factor]] },
// moves [from, to, p], to = nodes at the end of an episode.
function lawEvents(model, states, policy, behavior, live, at, centre) {
  const events = [];
  const moves = new Map();
  live.forEach((s, from) => {
    for (let i = model.pairPtr[s]; i < model.pairPtr[s + 1]; i += 1) {
      if (!(behavior[i] > 0)) continue;
      for (let k = model.rowPtr[i]; k < model.rowPtr[i + 1]; k += 1) {
        const p = behavior[i] * model.prob[k];
        if (!(p > 0)) continue;
        const s2 = model.next[k];
        const to = at[s2] >= 0 ? at[s2] : live.length;
        const j = states ? from : i;
        const g = new Map([[j, -1]]);
        let c = rewardOf(model, i, k) - centre[j];
        const look = (entry, weight) => {
          g.set(entry, (g.get(entry) || 0) + model.gamma * weight);
          c += model.gamma * weight * centre[entry];
        };
        if (at[s2] >= 0) {
          if (states) look(at[s2], 1);
          else for (let l = model.pairPtr[s2]; l < model.pairPtr[s2 + 1]; l += 1) if (policy[l] > 0) look(l, policy[l]);
        }
        events.push({ from, to, p, j, c, g: [...g] });
        const key = from * (live.length + 1) + to;
        moves.set(key, (moves.get(key) || 0) + p);
      }
    }
  });
  return { events, moves: [...moves].map(([key, p]) => [Math.floor(key / (live.length + 1)), key % (live.length + 1), p]) };
}

// Second moments are kept as triangles: entry (j, l), l <= j, stands at triangle(j) + l.
function triangle(j) {
  return (j * (j + 1)) / 2;
}

// y ← y + p x, of `size` numbers from b and a on
function addTimes(y, b, p, x, a, size) {
  for (let j = 0; j < size; j += 1) y[b + j] += p * x[a + j];
}

export function lawStep(law) {
  const { nodes, N, alpha, chance, u, W, u2, W2, q, events, moves, model, live } = law;
  const size = triangle(N);
  const chance2 = new Float64Array(nodes + 1);
  u2.fill(0);
  W2.fill(0);
  for (const [from, to, p] of moves) {
    chance2[to] += p * chance[from];
    addTimes(u2, to * N, p, u, from * N, N);
    addTimes(W2, to * size, p, W, from * size, size);
  }
  for (const { from, to, p, j, c, g } of events) {
    let h = c * chance[from];
    for (let l = 0; l < N; l += 1) q[l] = c * u[from * N + l];
    for (const [entry, factor] of g) {
      h += factor * u[from * N + entry];
      const row = from * size + triangle(entry);
      for (let l = 0; l < entry; l += 1) q[l] += factor * W[row + l];
      for (let l = entry; l < N; l += 1) q[l] += factor * W[from * size + triangle(l) + entry];
    }
    let y2 = c * h;
    for (const [entry, factor] of g) y2 += factor * q[entry];
    u2[to * N + j] += p * alpha * h;
    const b = to * size;
    for (let l = 0; l <= j; l += 1) W2[b + triangle(j) + l] += p * alpha * q[l];
    for (let l = j; l < N; l += 1) W2[b + triangle(l) + j] += p * alpha * q[l];
    W2[b + triangle(j) + j] += p * alpha * alpha * y2;
  }
  for (let node = 0; node < nodes; node += 1) { // episodes that are over begin again
    const share = model.start[live[node]];
    if (share === 0) continue;
    chance2[node] += share * chance2[nodes];
    addTimes(u2, node * N, share, u2, nodes * N, N);
    addTimes(W2, node * size, share, W2, nodes * size, size);
  }
  u2.fill(0, nodes * N);
  W2.fill(0, nodes * size);
  law.chance = chance2.subarray(0, nodes);
  [law.u, law.u2, law.W, law.W2] = [u2, u, W2, W];
  law.step += 1;
}

// The mean (N,) and the covariance (N, N), flat, of the table; of terminal states nothing is held.
export function lawMoments(law) {
  const { nodes, N, u, W, centre } = law;
  const m = new Float64Array(N);
  const covariance = new Float64Array(N * N);
  for (let node = 0; node < nodes; node += 1) {
    for (let j = 0; j < N; j += 1) m[j] += u[node * N + j];
    for (let j = 0; j < N; j += 1) {
      for (let l = 0; l <= j; l += 1) covariance[j * N + l] += W[node * triangle(N) + triangle(j) + l];
    }
  }
  for (let j = 0; j < N; j += 1) {
    for (let l = 0; l <= j; l += 1) {
      covariance[j * N + l] -= m[j] * m[l];
      covariance[l * N + j] = covariance[j * N + l];
    }
  }
  return { mean: m.map((x, j) => centre[j] + x), covariance };
}

// What a curve shows of the law: mean and standard deviation of the value of each state (S,), in the user's sign, and
// the root of the mean square error over the table.
export function lawValues(law) {
  const { model, states, policy, live, N, truth } = law;
  const { mean, covariance } = lawMoments(law);
  const values = new Float64Array(model.S);
  const sd = new Float64Array(model.S);
  live.forEach((s, node) => {
    let value = 0;
    let variance = 0;
    if (states) {
      value = mean[node];
      variance = covariance[node * N + node];
    } else {
      for (let i = model.pairPtr[s]; i < model.pairPtr[s + 1]; i += 1) {
        value += policy[i] * mean[i];
        for (let l = model.pairPtr[s]; l < model.pairPtr[s + 1]; l += 1) variance += policy[i] * policy[l] * covariance[i * N + l];
      }
    }
    values[s] = model.sign * value;
    sd[s] = Math.sqrt(Math.max(variance, 0));
  });
  let square = NaN;
  if (truth) {
    square = 0;
    for (let j = 0; j < N; j += 1) square += ((mean[j] - truth[j]) ** 2 + Math.max(covariance[j * N + j], 0)) / N;
  }
  return { values, sd, rms: Math.sqrt(square) };
}
