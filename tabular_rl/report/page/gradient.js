// The policy gradient, exactly. A softmax policy has a preference θ(s,a) a pair:
//     π(a|s) = exp(θ(s,a)) / Σ_b exp(θ(s,b)),    dJ/dθ(s,a) = d(s) π(a|s) [ q(s,a) - v(s) ],
// with d(s) the discounted visits from the start. Tables over states or pairs are flat and row by row: d numbers for
// each. What looks ahead obeys X_t = local_t + w P_π X_{t+1}, what looks back D_{t+1} = w P_πᵀ D_t + inflow_t. With a
// last step there is a layer for each t, without one a single layer, of a linear system.

import { factorize, solveFactored } from "./linear.js";

export function softmaxPolicy(model, theta) {
  const pi = new Float64Array(model.L);
  for (let s = 0; s < model.S; s++) {
    const [first, last] = [model.pairPtr[s], model.pairPtr[s + 1]];
    let [largest, sum] = [-Infinity, 0];
    for (let i = first; i < last; i++) largest = Math.max(largest, theta[i]);
    for (let i = first; i < last; i++) sum += pi[i] = Math.exp(theta[i] - largest);
    for (let i = first; i < last; i++) pi[i] /= sum;
  }
  return pi;
}

export function stateOfRows(model) {
  const state = new Int32Array(model.L);
  for (let s = 0; s < model.S; s++) state.fill(s, model.pairPtr[s], model.pairPtr[s + 1]);
  return state;
}

// The reward of each outcome.
export function rewardOfOutcomes(model) {
  if (model.reward) return model.reward;
  const reward = new Float64Array(model.next.length);
  for (let i = 0; i < model.L; i++) reward.fill(model.r[i], model.rowPtr[i], model.rowPtr[i + 1]);
  return reward;
}

// The model that ends after each step with probability 1 - γ, undiscounted: state S is "stopped".
export function stoppingModel(model) {
  const reward = rewardOfOutcomes(model);
  const out = { next: [], prob: [], reward: [] };
  const rowPtr = new Int32Array(model.L + 1);
  const put = (s2, p, r) => {
    if (p > 0) [out.next.push(s2), out.prob.push(p), out.reward.push(r)];
  };
  for (let i = 0; i < model.L; i++) {
    for (let k = model.rowPtr[i]; k < model.rowPtr[i + 1]; k++) {
      const onward = model.terminal[model.next[k]] ? 1 : model.gamma;
      put(model.next[k], model.prob[k] * onward, reward[k]);
      put(model.S, model.prob[k] * (1 - onward), reward[k]);
    }
    rowPtr[i + 1] = out.next.length;
  }
  return {
    ...model,
    S: model.S + 1,
    gamma: 1,
    pairPtr: Int32Array.from([...model.pairPtr, model.L]),
    rowPtr,
    next: Int32Array.from(out.next),
    prob: Float64Array.from(out.prob),
    reward: Float64Array.from(out.reward),
    terminal: Uint8Array.from([...model.terminal, 1]),
    start: Float64Array.from([...model.start, 0]),
  };
}

const settled = new WeakMap(); // what does not depend on the policy, by model

function once(model, key, make) {
  if (!settled.has(model)) settled.set(model, {});
  const known = settled.get(model);
  if (!(key in known)) known[key] = make(model);
  return known[key];
}

// The states to which the policy, which takes every action, returns for ever: `idle` where nothing is earned there.
export function recurringStates(model) {
  const reach = [];
  for (let s = 0; s < model.S; s++) {
    const seen = new Uint8Array(model.S);
    const open = [s];
    while (open.length) {
      const at = open.pop();
      for (let k = model.rowPtr[model.pairPtr[at]]; k < model.rowPtr[model.pairPtr[at + 1]]; k++) {
        if (model.prob[k] > 0 && !seen[model.next[k]]) open.push(model.next[k]), (seen[model.next[k]] = 1);
      }
    }
    seen[s] = 1;
    reach.push(seen);
  }
  const reward = rewardOfOutcomes(model);
  const idle = Uint8Array.from(model.terminal);
  const collecting = new Uint8Array(model.S);
  for (let s = 0; s < model.S; s++) {
    const others = [...reach[s].keys()].filter((s2) => reach[s][s2]);
    if (model.terminal[s] || !others.every((s2) => reach[s2][s])) continue;
    const pays = others.some((s2) => {
      const [from, to] = [model.rowPtr[model.pairPtr[s2]], model.rowPtr[model.pairPtr[s2 + 1]]];
      return reward.subarray(from, to).some((r) => r !== 0);
    });
    (pays ? collecting : idle)[s] = 1;
  }
  return { idle, collecting };
}

// The episodes of a policy as a chain; null where the total reward is not finite. With `stopping`, an endless
// discounted model is stopped with probability 1 - γ after each step, as the estimators play it.
export function makeEpisodes(asked, theta, stopping = false) {
  const timed = asked.horizon != null;
  const model = stopping && !timed && asked.gamma < 1 ? once(asked, "stopping", stoppingModel) : asked;
  let end = Uint8Array.from(model.terminal);
  if (!timed) {
    const { idle, collecting } = once(model, "recurring", recurringStates);
    if (model.gamma >= 1 && collecting.some((x) => x)) return null;
    end = idle;
  }
  const state = stateOfRows(model);
  const E = {
    model,
    end,
    state,
    steps: timed ? asked.horizon : null,
    gamma: model.gamma,
    pi: softmaxPolicy(model, theta).map((p, i) => (end[state[i]] ? 0 : p)),
    reward: rewardOfOutcomes(model),
    final: timed ? model.finalReward ?? null : null,
    begin: Float64Array.from(model.start, (p, s) => (end[s] ? 0 : p)),
    factors: new Map(),
  };
  const expected = mix(E, outcomes(E, null, 1, E.reward), 1);
  if (!timed) E.v = [solveChain(E, E.gamma, expected, 1)];
  else {
    E.v = [E.final ? Float64Array.from(E.final) : new Float64Array(model.S)];
    for (let t = E.steps - 1; t >= 0; t--) {
      const next = mix(E, outcomes(E, E.v[0], 1), 1);
      E.v.unshift(expected.map((r, s) => r + E.gamma * next[s]));
    }
  }
  E.q = E.v.slice(0, timed ? E.steps : 1).map((_, t) => {
    const next = outcomes(E, layer(E.v, t + 1), 1);
    return outcomes(E, null, 1, E.reward).map((r, i) => r + E.gamma * next[i]);
  });
  return E;
}

// The table of step t; the last one holds from there on.
export function layer(layers, t) {
  return layers[Math.min(t, layers.length - 1)];
}

// E[y x(s')] of each pair, (L, d) of x (S, d) and y an outcome; x null: E[y].
export function outcomes(E, x, d, y = null) {
  const { rowPtr, next, prob, L } = E.model;
  const out = new Float64Array(L * d);
  for (let i = 0; i < L; i++) {
    for (let k = rowPtr[i]; k < rowPtr[i + 1]; k++) {
      const weight = y ? prob[k] * y[k] : prob[k];
      if (weight === 0) continue;
      for (let c = 0; c < d; c++) out[i * d + c] += x ? weight * x[next[k] * d + c] : weight;
    }
  }
  return out;
}

// What flows to each state, (S, d) of x (L, d): each outcome by its probability times y.
export function inflow(E, x, d, y = null) {
  const { rowPtr, next, prob, L, S } = E.model;
  const out = new Float64Array(S * d);
  for (let i = 0; i < L; i++) {
    for (let k = rowPtr[i]; k < rowPtr[i + 1]; k++) {
      const weight = y ? prob[k] * y[k] : prob[k];
      if (weight === 0) continue;
      for (let c = 0; c < d; c++) out[next[k] * d + c] += weight * x[i * d + c];
    }
  }
  return out;
}

// Σ_a π(a|s) x(s,a): (S, d) of x (L, d).
export function mix(E, x, d) {
  const out = new Float64Array(E.model.S * d);
  for (let i = 0; i < E.model.L; i++) {
    const s = E.state[i];
    for (let c = 0; c < d; c++) out[s * d + c] += E.pi[i] * x[i * d + c];
  }
  return out;
}

// Each row of x (S, d) times the probability of the pair: (L, d).
export function spread(E, x, d) {
  const out = new Float64Array(E.model.L * d);
  for (let i = 0; i < E.model.L; i++) {
    for (let c = 0; c < d; c++) out[i * d + c] = E.pi[i] * x[E.state[i] * d + c];
  }
  return out;
}

export function addScaled(x, factor, y) {
  return x.map((a, j) => a + factor * y[j]);
}

// X_t = local(t) + w P_π X_{t+1}: T + 1 layers with X_T = 0, or one.
export function lookBack(E, w, d, local) {
  if (E.steps === null) return [solveChain(E, w, local(0), d)];
  const layers = [new Float64Array(E.model.S * d)];
  for (let t = E.steps - 1; t >= 0; t--) {
    layers.unshift(addScaled(local(t), w, mix(E, outcomes(E, layers[0], d), d)));
  }
  return layers;
}

// D_0 = begin, D_{t+1} = w P_πᵀ D_t + inflow(t): T layers; without a last step their sum.
export function lookForth(E, w, begin, d, flow = null) {
  if (E.steps === null) return [solveChain(E, w, flow ? addScaled(begin, 1, flow(0)) : begin, d, true)];
  const layers = [begin];
  for (let t = 0; t + 1 < E.steps; t++) {
    const onward = inflow(E, spread(E, layers[t], d), d).map((x) => w * x);
    layers.push(flow ? addScaled(onward, 1, flow(t)) : onward);
  }
  return layers;
}

// (I - w P_π)⁻¹ b, or its transpose, where the episode has not ended.
export function solveChain(E, w, b, d, transposed = false) {
  const { S, L, rowPtr, next, prob } = E.model;
  const live = [...E.end.keys()].filter((s) => !E.end[s]);
  const n = live.length;
  const place = new Int32Array(S).fill(-1);
  live.forEach((s, j) => (place[s] = j));
  if (!E.factors.has(w)) {
    const A = new Float64Array(n * n);
    for (let j = 0; j < n; j++) A[j * n + j] = 1;
    for (let i = 0; i < L; i++) {
      const j = place[E.state[i]];
      for (let k = rowPtr[i]; j >= 0 && k < rowPtr[i + 1]; k++) {
        if (place[next[k]] >= 0) A[j * n + place[next[k]]] -= w * E.pi[i] * prob[k];
      }
    }
    E.factors.set(w, factorize(A, n));
  }
  const out = new Float64Array(S * d);
  const B = new Float64Array(n * d);
  live.forEach((s, j) => B.set(b.subarray(s * d, (s + 1) * d), j * d));
  const X = n ? solveFactored(E.factors.get(w), B, d, transposed) : B;
  live.forEach((s, j) => out.set(X.subarray(j * d, (j + 1) * d), s * d));
  return out;
}

// J, its gradient (L), and what it is made of: the advantage q - v and the discounted visits of each step.
export function exactGradient(model, theta) {
  const E = makeEpisodes(model, theta);
  if (!E) return null;
  const visits = lookForth(E, E.gamma, E.begin, 1);
  const gradient = new Float64Array(model.L);
  const advantage = E.q.map((q, t) => advantagesOf(model, E.state, q, E.v[t]));
  visits.forEach((d, t) => {
    for (let i = 0; i < model.L; i++) gradient[i] += d[E.state[i]] * E.pi[i] * advantage[t][i];
  });
  let J = 0;
  for (let s = 0; s < model.S; s++) J += model.start[s] * E.v[0][s];
  return { J, gradient, v: E.v, q: E.q, advantage, visits, pi: softmaxPolicy(model, theta) };
}

// q - v of each pair: 0 where a state has one action, or where the difference is the rounding of q and v.
function advantagesOf(model, state, q, v) {
  const noise = 16 * Number.EPSILON * v.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  return q.map((x, i) => {
    const s = state[i];
    const difference = x - v[s];
    return model.pairPtr[s + 1] - model.pairPtr[s] === 1 || Math.abs(difference) <= noise ? 0 : difference;
  });
}

// The natural gradient F⁺ ∇J (L): the advantage but for a constant in each state.
export function naturalDirection(model, { gradient, visits, pi }) {
  const out = new Float64Array(model.L);
  for (let s = 0; s < model.S; s++) {
    const [first, last] = [model.pairPtr[s], model.pairPtr[s + 1]];
    const there = visits.reduce((sum, d) => sum + d[s], 0);
    if (!(there > 0)) continue;
    let mean = 0;
    for (let i = first; i < last; i++) {
      out[i] = pi[i] > 0 ? gradient[i] / (there * pi[i]) : 0;
      mean += out[i] / (last - first);
    }
    for (let i = first; i < last; i++) out[i] -= mean;
  }
  return out;
}
