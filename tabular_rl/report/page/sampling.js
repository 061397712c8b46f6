// A model made ready to be sampled, as Python's learners sample it: rewards in the sign of maximisation, cumulative
// probabilities, one table for each time where there is a horizon.

// Running sums within the groups of `ptr`, 2 from the last positive entry of a group on.
export function cumulativeSums(weight, ptr) {
  const out = new Float64Array(weight.length);
  for (let g = 0; g + 1 < ptr.length; g += 1) {
    let total = 0;
    let last = ptr[g];
    for (let j = ptr[g]; j < ptr[g + 1]; j += 1) {
      if (weight[j] > 0) last = j;
      total += weight[j];
      out[j] = total;
    }
    for (let j = last; j < ptr[g + 1]; j += 1) out[j] = 2;
  }
  return out;
}

// A model with a horizon T as one without: state t S + s is s at time t, row t L + i is row i then; time T is the end,
// whose final rewards are paid on the way there.
export function unrolledModel(model) {
  const { S, L, K, horizon: T } = model;
  if (!T) return model;
  const many = (array, size, step) => {
    const out = new array.constructor(size);
    for (let t = 0; t < T; t += 1) for (let j = 0; j < array.length; j += 1) out[t * array.length + j] = array[j] + t * step;
    return out;
  };
  const pairPtr = new Int32Array((T + 1) * S + 1).fill(T * L);
  const rowPtr = new Int32Array(T * L + 1).fill(T * K);
  for (let t = 0; t < T; t += 1) {
    for (let s = 0; s < S; s += 1) pairPtr[t * S + s] = model.pairPtr[s] + t * L;
    for (let i = 0; i < L; i += 1) rowPtr[t * L + i] = model.rowPtr[i] + t * K;
  }
  const next = many(model.next, T * K, S).map((s) => s + S);
  let reward = model.reward ? many(model.reward, T * K, 0) : null;
  if (model.finalReward) {
    if (!reward) {
      reward = new Float64Array(T * K);
      for (let t = 0; t < T; t += 1) {
        for (let i = 0; i < L; i += 1) reward.fill(model.r[i], t * K + model.rowPtr[i], t * K + model.rowPtr[i + 1]);
      }
    }
    for (let k = 0; k < K; k += 1) reward[(T - 1) * K + k] += model.gamma * model.finalReward[model.next[k]];
  }
  const terminal = new Uint8Array((T + 1) * S).fill(1);
  for (let t = 0; t < T; t += 1) terminal.set(model.terminal, t * S);
  const start = new Float64Array((T + 1) * S);
  start.set(model.start);
  return {
    ...model, S: (T + 1) * S, L: T * L, K: T * K, pairPtr, rowPtr, next, reward, terminal, start,
    pairAction: many(model.pairAction, T * L, 0), prob: many(model.prob, T * K, 0), r: many(model.r, T * L, 0),
    finalReward: null,
  };
}

// The model as learners sample it; `whole` is the one that was given, with its horizon.
export function samplingModel(whole) {
  const model = unrolledModel(whole);
  const { sign } = model;
  const pairState = new Int32Array(model.L);
  for (let s = 0; s < model.S; s += 1) pairState.fill(s, model.pairPtr[s], model.pairPtr[s + 1]);
  const flipped = (x) => (x && sign < 0 ? x.map((y) => -y) : x);
  return {
    ...model, whole, horizon: null, longest: whole.horizon || 0, pairState,
    reward: flipped(model.reward), r: flipped(model.r),
    cum: cumulativeSums(model.prob, model.rowPtr),
    startCum: cumulativeSums(model.start, [0, model.S]),
  };
}

// The first j, first <= j < last, with u < cum[j].
export function searchCum(cum, first, last, u) {
  let low = first;
  let high = last - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (u < cum[middle]) high = middle;
    else low = middle + 1;
  }
  return low;
}

// Policies as probabilities of rows (L,), of a sampling model.

export function uniformPolicy(model) {
  const pi = new Float64Array(model.L);
  for (let s = 0; s < model.S; s += 1) {
    const first = model.pairPtr[s];
    const last = model.pairPtr[s + 1];
    for (let i = first; i < last; i += 1) pi[i] = 1 / (last - first);
  }
  return pi;
}

// One row a state, `chosen` (S,) of a sampling model, -1 where there is none.
export function chosenPolicy(model, chosen) {
  const pi = new Float64Array(model.L);
  for (const i of chosen) if (i >= 0) pi[i] = 1;
  return pi;
}
