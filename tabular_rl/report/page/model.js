// The model in typed arrays, as Python stores it: rows pairPtr[s] .. pairPtr[s + 1] of state s, outcomes
// rowPtr[i] .. rowPtr[i + 1] of row i. Values and rewards are in the user's sign: costs are costs, and the
// best is then the least.

export function modelOf(data) {
  const S = data.states.length;
  const terminal = new Uint8Array(S);
  for (const s of data.terminal) terminal[s] = 1;
  return {
    ...data,
    S,
    A: data.actions.length,
    L: data.pairAction.length,
    K: data.next.length,
    sign: data.sense === "min" ? -1 : 1,
    pairPtr: Int32Array.from(data.pairPtr),
    pairAction: Int32Array.from(data.pairAction),
    rowPtr: Int32Array.from(data.rowPtr),
    next: Int32Array.from(data.next),
    prob: Float64Array.from(data.prob),
    reward: data.reward ? Float64Array.from(data.reward) : null,
    r: Float64Array.from(data.r),
    start: Float64Array.from(data.start),
    finalReward: data.finalReward ? Float64Array.from(data.finalReward) : null,
    terminal,
  };
}

export function withGamma(model, gamma) {
  return gamma === model.gamma ? model : { ...model, gamma };
}

// Each row mixed with the average over the actions of its state:
//     p(s'|s,a) <- (1 - x) p(s'|s,a) + x / |A(s)| sum_b p(s'|s,b),    r(s,a) likewise.
// With probability x the action that happens is drawn from all actions of the state.
export function withNoise(model, x) {
  if (x === 0) return model;
  const rowPtr = new Int32Array(model.L + 1);
  const next = [];
  const prob = [];
  const reward = [];
  const r = new Float64Array(model.L);
  for (let s = 0; s < model.S; s += 1) {
    const first = model.pairPtr[s];
    const last = model.pairPtr[s + 1];
    const share = x / (last - first);
    let mean = 0;
    for (let i = first; i < last; i += 1) mean += model.r[i] / (last - first);
    for (let i = first; i < last; i += 1) {
      const at = new Map();
      const put = (j, weight) => {
        for (let k = model.rowPtr[j]; k < model.rowPtr[j + 1]; k += 1) {
          const paid = model.reward ? model.reward[k] : model.r[j];
          const key = `${model.next[k]} ${paid}`;
          if (at.has(key)) prob[at.get(key)] += weight * model.prob[k];
          else {
            at.set(key, next.length);
            next.push(model.next[k]);
            prob.push(weight * model.prob[k]);
            reward.push(paid);
          }
        }
      };
      put(i, 1 - x);
      for (let j = first; j < last; j += 1) put(j, share);
      r[i] = (1 - x) * model.r[i] + x * mean;
      rowPtr[i + 1] = next.length;
    }
  }
  return {
    ...model, rowPtr, r, K: next.length, next: Int32Array.from(next), prob: Float64Array.from(prob),
    reward: Float64Array.from(reward),
  };
}

// The reward of outcome k of row i.
export function rewardOf(model, i, k) {
  return model.reward ? model.reward[k] : model.r[i];
}

export function actionOf(model, i) {
  return model.actions[model.pairAction[i]];
}

export function rowsOf(model, s) {
  const rows = [];
  for (let i = model.pairPtr[s]; i < model.pairPtr[s + 1]; i += 1) rows.push(i);
  return rows;
}

// Whether x is better than y: more, or less where the model has costs.
export function better(model, x, y) {
  return model.sign > 0 ? x > y : x < y;
}
