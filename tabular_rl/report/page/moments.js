// Mean and covariance of the estimators of the policy gradient, exactly, by recursion over the steps.
// An estimate of one episode is g = Σ_t w^t x_t Ψ_t with x_t = ∇log π(a_t|s_t), and
//     Ψ_t = Y_t - b_t(s_t),    Y_t = y_t + decay Y_{t+1}.
// Those of the whole return have Ψ_t = Y_0 - b and w = 1.

import { addScaled, inflow, layer, lookBack, lookForth, makeEpisodes, mix, outcomes } from "./gradient.js";

export const ESTIMATORS = [
  ["return", "R", "the whole return"],
  ["return-mean", "R - E[R]", "less its mean"],
  ["return-best", "R - b*", "less the best constant"],
  ["reward-to-go", "Rₜ", "what comes from here on"],
  ["reward-to-go-value", "Rₜ - v(s)", "less the value of the state"],
  ["reward-to-go-best", "Rₜ - b*(s)", "less the best function of the state"],
  ["q", "q(s,a)", "exact action values"],
  ["bootstrap", "r + γ v(s′)", "one reward, then the exact value"],
  ["advantage", "δ = r + γ v(s′) - v(s)", "actor-critic with an exact critic"],
  ["gae:0.95", "Σ (γλ)ᵏ δ, λ = 0.95", "generalised advantages"],
];

// Σ_a π(a|s) x(s,a) f(s,a), where x is the score: (S, L) of f (L).
function mixScores(E, f) {
  const { S, L } = E.model;
  const mean = mix(E, f, 1);
  const out = new Float64Array(S * L);
  for (let i = 0; i < L; i++) out[E.state[i] * L + i] = E.pi[i] * (f[i] - mean[E.state[i]]);
  return out;
}

// The score of each pair times f: (L, L), row by row. A score is 1 at its pair less π(·|s).
function scoresTimes(E, f) {
  const { L } = E.model;
  const out = new Float64Array(L * L);
  eachRow(E, (i, first, last) => {
    for (let j = first; j < last; j++) out[i * L + j] = ((i === j ? 1 : 0) - E.pi[j]) * f[i];
  });
  return out;
}

function eachRow(E, visit) {
  const { S, pairPtr } = E.model;
  for (let s = 0; s < S; s++) {
    for (let i = pairPtr[s]; i < pairPtr[s + 1]; i++) visit(i, pairPtr[s], pairPtr[s + 1]);
  }
}

// |x|² of each pair, and x(s,a) · y(s,a) for y (L, L).
function scoreNorms(E) {
  const out = new Float64Array(E.model.L);
  eachRow(E, (i, first, last) => {
    for (let j = first; j < last; j++) out[i] += ((i === j ? 1 : 0) - E.pi[j]) ** 2;
  });
  return out;
}

function scoreDots(E, y) {
  const { L } = E.model;
  const out = new Float64Array(L);
  eachRow(E, (i, first, last) => {
    for (let j = first; j < last; j++) out[i] += ((i === j ? 1 : 0) - E.pi[j]) * y[i * L + j];
  });
  return out;
}

function weigh(x, weights, d) {
  return x.map((value, j) => value * weights[Math.floor(j / d)]);
}

const dot = (x, y) => x.reduce((sum, value, j) => sum + value * y[j], 0);

// E[Y_t | s] and E[Y_t² | s] of each step.
function returnsAhead(E, form) {
  const m1 = lookBack(E, form.decay, 1, (t) => mix(E, outcomes(E, null, 1, layer(form.signal, t)), 1));
  const m2 = lookBack(E, form.decay ** 2, 1, (t) => {
    const y = layer(form.signal, t);
    const own = outcomes(E, null, 1, y.map((x) => x * x));
    return mix(E, addScaled(own, 2 * form.decay, outcomes(E, layer(m1, t + 1), 1, y)), 1);
  });
  return { m1, m2 };
}

// E[Y_t | s, a] and E[Y_t² | s, a].
function firstOfRow(E, form, m1, t) {
  const own = outcomes(E, null, 1, layer(form.signal, t));
  return addScaled(own, form.decay, outcomes(E, layer(m1, t + 1), 1));
}

function squareOfRow(E, form, { m1, m2 }, t) {
  const y = layer(form.signal, t);
  const own = outcomes(E, null, 1, y.map((x) => x * x));
  const cross = addScaled(own, 2 * form.decay, outcomes(E, layer(m1, t + 1), 1, y));
  return addScaled(cross, form.decay ** 2, outcomes(E, layer(m2, t + 1), 1));
}

// E[H Y_t | s], H the sum of the scores from t on.
function scoreReturns(E, form, m1) {
  return lookBack(E, form.decay, E.model.L, (t) => mixScores(E, firstOfRow(E, form, m1, t)));
}

function rewardForm(E, whole, weight) {
  const last = E.reward.map((r, k) => r + E.gamma * (E.final ? E.final[E.model.next[k]] : 0));
  const signal = E.final ? Array.from({ length: E.steps }, (_, t) => (t + 1 < E.steps ? E.reward : last)) : [E.reward];
  return { whole, signal, decay: E.gamma, baseline: [new Float64Array(E.model.S)], weight };
}

function outcomeRows(E) {
  const row = new Int32Array(E.model.next.length);
  for (let i = 0; i < E.model.L; i++) row.fill(i, E.model.rowPtr[i], E.model.rowPtr[i + 1]);
  return row;
}

// An estimator in numbers.
export function estimatorForm(E, name) {
  const zero = new Float64Array(E.model.S);
  const weight = E.gamma;
  if (name.startsWith("return")) {
    const form = rewardForm(E, true, 1);
    const constant = { "return-mean": meanReturn, "return-best": bestConstant }[name];
    form.baseline = [zero.map(() => (constant ? constant(E) : 0))];
    return form;
  }
  if (name.startsWith("reward-to-go")) {
    const form = rewardForm(E, false, weight);
    if (name === "reward-to-go-value") form.baseline = E.v.slice(0, Math.max(E.v.length - 1, 1));
    if (name === "reward-to-go-best") form.baseline = bestBaseline(E, weight);
    return form;
  }
  const row = outcomeRows(E);
  if (name === "q") {
    return { whole: false, signal: E.q.map((q) => E.reward.map((_, k) => q[row[k]])), decay: 0, baseline: [zero], weight };
  }
  const errors = name !== "bootstrap";
  const signal = E.q.map((_, t) =>
    E.reward.map(
      (r, k) => r + E.gamma * layer(E.v, t + 1)[E.model.next[k]] - (errors ? E.v[t][E.state[row[k]]] : 0),
    ),
  );
  const trace = name.startsWith("gae:") ? Number(name.slice(4)) : 0;
  return { whole: false, signal, decay: E.gamma * trace, baseline: [zero], weight };
}

function meanReturn(E) {
  return dot(E.begin, returnsAhead(E, rewardForm(E, true, 1)).m1[0]);
}

// b* = E[R |H|²] / E[|H|²]: the constant of least trace.
function bestConstant(E) {
  const form = rewardForm(E, true, 1);
  const [norm, { m1 }] = [scoreNorms(E), returnsAhead(E, form)];
  const ahead = scoreReturns(E, form, m1);
  const there = lookForth(E, 1, E.begin, 1);
  const now = lookForth(E, E.gamma, E.begin, 1);
  const past = lookForth(E, 1, new Float64Array(E.model.S), 1, (t) =>
    inflow(E, E.pi.map((p, i) => p * layer(now, t)[E.state[i]]), 1, layer(form.signal, t)),
  );
  let [top, bottom] = [0, 0];
  there.forEach((visits, t) => {
    const first = firstOfRow(E, form, m1, t);
    const later = scoreDots(E, outcomes(E, layer(ahead, t + 1), E.model.L));
    E.pi.forEach((p, i) => {
      const s = E.state[i];
      top += p * (now[t][s] * (norm[i] * first[i] + 2 * E.gamma * later[i]) + past[t][s] * norm[i]);
      bottom += p * visits[s] * norm[i];
    });
  });
  return bottom > 0 ? top / bottom : 0;
}

// b*(s), or b*_t(s) with a last step: the state baseline of least trace.
function bestBaseline(E, w) {
  const { S, L } = E.model;
  const form = rewardForm(E, false, w);
  const [norm, { m1 }] = [scoreNorms(E), returnsAhead(E, form)];
  const G = lookBack(E, w, L, (t) => mixScores(E, firstOfRow(E, form, m1, t)));
  const there = lookForth(E, w * w, E.begin, 1);
  const before = lookForth(E, w * E.gamma, new Float64Array(S * L), L, (t) => {
    const weights = E.pi.map((p, i) => w * E.gamma * p * layer(there, t)[E.state[i]]);
    return inflow(E, scoresTimes(E, weights), L);
  });
  const mean = mix(E, norm, 1);
  return there.map((visits, t) => {
    const R = firstOfRow(E, form, m1, t);
    const ahead = scoreDots(E, outcomes(E, layer(G, t + 1), L));
    const own = mix(E, norm.map((x, i) => x * R[i] + w * ahead[i]), 1);
    const slope = mixScores(E, R);
    return visits.map((visit, s) => {
      let earlier = 0;
      for (let j = 0; j < L; j++) earlier += slope[s * L + j] * before[t][s * L + j];
      const below = visit * mean[s];
      return below > 1e-280 ? (visit * own[s] + earlier) / below : 0;
    });
  });
}

// E[g], and what stands with x xᵀ (L) and with x (L, L) in E[g gᵀ].
function stepByStep(E, form) {
  const { L, S } = E.model;
  const { decay: k, weight: w } = form;
  const m = returnsAhead(E, form);
  const base = (t) => E.pi.map((_, i) => layer(form.baseline, t)[E.state[i]]);
  const less = (t) => addScaled(firstOfRow(E, form, m.m1, t), -1, base(t));
  const G = lookBack(E, w, L, (t) => mixScores(E, less(t)));
  const GY = k
    ? lookBack(E, w * k, L, (t) => {
        const first = firstOfRow(E, form, m.m1, t);
        const b = base(t);
        const own = squareOfRow(E, form, m, t).map((x, i) => x - b[i] * first[i]);
        const future = mix(E, outcomes(E, layer(G, t + 1), L, layer(form.signal, t)), L);
        return addScaled(mixScores(E, own), w, future);
      })
    : [new Float64Array(S * L)];
  let square = new Float64Array(L);
  let cross = new Float64Array(L * L);
  lookForth(E, w * w, E.begin, 1).forEach((visits, t) => {
    const weights = E.pi.map((p, i) => p * visits[E.state[i]]);
    const first = firstOfRow(E, form, m.m1, t);
    const b = base(t);
    const second = squareOfRow(E, form, m, t);
    square = square.map((x, i) => x + weights[i] * (second[i] - 2 * b[i] * first[i] + b[i] * b[i]));
    let u = outcomes(E, layer(G, t + 1), L, layer(form.signal, t));
    u = addScaled(u, -1, weigh(outcomes(E, layer(G, t + 1), L), b, L));
    if (k) u = addScaled(u, k, outcomes(E, layer(GY, t + 1), L));
    cross = addScaled(cross, w, weigh(u, weights, L));
  });
  return { mean: meanOf(E, G), square, cross };
}

// The same for H (R - b): R - b is what is past and γ^t R_t.
function wholeReturn(E, form) {
  const { L } = E.model;
  const k = form.decay;
  const b = form.baseline[0][0];
  const m = returnsAhead(E, form);
  const a1 = scoreReturns(E, form, m.m1);
  const ahead = (t) => outcomes(E, layer(a1, t + 1), L, layer(form.signal, t)).map((x) => 2 * k * x);
  const a2 = lookBack(E, k * k, L, (t) => addScaled(mixScores(E, squareOfRow(E, form, m, t)), 1, mix(E, ahead(t), L)));
  const flow = (D, t, y, factor) => inflow(E, E.pi.map((p, i) => factor * p * layer(D, t)[E.state[i]]), 1, y);
  const now2 = lookForth(E, k * k, E.begin, 1);
  const now1 = lookForth(E, k, E.begin.map((x) => -2 * b * x), 1, (t) => flow(now2, t, layer(form.signal, t), 2 * k));
  const now0 = lookForth(E, 1, E.begin.map((x) => b * b * x), 1, (t) => {
    const y = layer(form.signal, t);
    return addScaled(flow(now1, t, y, 1), 1, flow(now2, t, y.map((x) => x * x), 1));
  });
  let square = new Float64Array(L);
  let cross = new Float64Array(L * L);
  now2.forEach((_, t) => {
    const [n2, n1, n0] = [now2, now1, now0].map((n) => E.pi.map((p, i) => p * n[t][E.state[i]]));
    const first = firstOfRow(E, form, m.m1, t);
    const second = squareOfRow(E, form, m, t);
    square = square.map((x, i) => x + n2[i] * second[i] + n1[i] * first[i] + n0[i]);
    const later2 = addScaled(ahead(t), k * k, outcomes(E, layer(a2, t + 1), L));
    const later1 = outcomes(E, layer(a1, t + 1), L).map((x) => k * x);
    cross = addScaled(addScaled(cross, 1, weigh(later2, n2, L)), 1, weigh(later1, n1, L));
  });
  return { mean: meanOf(E, a1), square, cross };
}

function meanOf(E, layers) {
  const { L, S } = E.model;
  const mean = new Float64Array(L);
  for (let s = 0; s < S; s++) for (let j = 0; j < L; j++) mean[j] += E.begin[s] * layers[0][s * L + j];
  return mean;
}

// Σ = xᵀ diag(square) x + xᵀ cross + crossᵀ x - mean meanᵀ, at the parameters j and k.
function covarianceAt(E, { mean, square, cross }, j, k) {
  const { L, pairPtr } = E.model;
  const times = (a, c) => {
    let sum = cross[a * L + c];
    for (let i = pairPtr[E.state[a]]; i < pairPtr[E.state[a] + 1]; i++) sum -= E.pi[a] * cross[i * L + c];
    return sum;
  };
  let second = 0;
  if (E.state[j] === E.state[k]) {
    for (let i = pairPtr[E.state[j]]; i < pairPtr[E.state[j] + 1]; i++) {
      second += square[i] * ((i === j ? 1 : 0) - E.pi[j]) * ((i === k ? 1 : 0) - E.pi[k]);
    }
  }
  return second + times(j, k) + times(k, j) - mean[j] * mean[k];
}

// gᵀ Σ g: the variance of an estimate along g (L).
function varianceAlong(E, { mean, square, cross }, g) {
  const { L } = E.model;
  const centre = mix(E, g, 1);
  let sum = 0;
  for (let i = 0; i < L; i++) {
    const x = g[i] - centre[E.state[i]];
    sum += square[i] * x * x + 2 * x * dot(cross.subarray(i * L, (i + 1) * L), g);
  }
  return sum - dot(mean, g) ** 2;
}

// Episodes after which the mean of the estimates points uphill with probability 95%, by the normal approximation:
// 1.645² gᵀ Σ g / (g · E[estimate])² with g = ∇J.
function episodesNeeded(E, found, g) {
  const size = Math.max(...g.map(Math.abs));
  if (!(size > 0)) return NaN;
  const unit = g.map((x) => x / size);
  const uphill = dot(unit, found.mean);
  return uphill > 0 ? (1.645 ** 2 * Math.max(0, varianceAlong(E, found, unit))) / uphill ** 2 : Infinity;
}

// Of each estimator: mean (L), their trace (the sum of the variances), covariance(j, k), and
// the episodes it needs to tell the direction of `gradient`.
export function estimatorMoments(model, theta, gradient, names = ESTIMATORS.map(([name]) => name)) {
  const E = makeEpisodes(model, theta, true);
  if (!E) return null;
  return names.map((name) => {
    const form = estimatorForm(E, name);
    const found = (form.whole ? wholeReturn : stepByStep)(E, form);
    const covariance = (j, k) => covarianceAt(E, found, j, k);
    let trace = 0;
    for (let j = 0; j < model.L; j++) trace += covariance(j, j);
    return { name, mean: found.mean, trace, covariance, episodes: episodesNeeded(E, found, gradient) };
  });
}

// The ellipse of one standard deviation of a covariance [[a, b], [b, c]]: half axes and the angle of the first.
export function ellipseOf(a, b, c) {
  const [mean, half] = [(a + c) / 2, Math.hypot((a - c) / 2, b)];
  return {
    long: Math.sqrt(Math.max(0, mean + half)),
    short: Math.sqrt(Math.max(0, mean - half)),
    angle: half > 0 ? Math.atan2(2 * b, a - c) / 2 : 0,
  };
}
