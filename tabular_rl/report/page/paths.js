// How long the way of a policy is.
import { factorize, solveFactored } from "./linear.js";

// The steps to the end that a policy takes on average from the start, Infinity where it need not end; tied actions
// equally often.
export function expectedSteps(model, greedy) {
  const ends = reachesEnd(model, greedy);
  const live = [...ends.keys()].filter((s) => !model.terminal[s]);
  if (live.some((s) => !ends[s] && model.start[s] > 0)) return Infinity;
  const at = new Int32Array(model.S).fill(-1);
  const states = live.filter((s) => ends[s]);
  states.forEach((s, j) => { at[s] = j; });
  const n = states.length;
  const A = new Float64Array(n * n);
  for (const s of states) {
    A[at[s] * n + at[s]] += 1;
    for (const i of greedy[s]) {
      for (let k = model.rowPtr[i]; k < model.rowPtr[i + 1]; k += 1) {
        if (at[model.next[k]] >= 0) A[at[s] * n + at[model.next[k]]] -= model.prob[k] / greedy[s].length;
      }
    }
  }
  const factors = factorize(A, n);
  if (factors === null) return Infinity;
  const steps = solveFactored(factors, new Float64Array(n).fill(1), 1);
  return states.reduce((sum, s, j) => sum + model.start[s] * steps[j], 0);
}

// Whether the episode surely ends from each state: no state that it may come to is cut off from the end.
function reachesEnd(model, greedy) {
  const follow = (marked, from) => {
    for (let changed = true; changed;) {
      changed = false;
      for (let s = 0; s < model.S; s += 1) {
        if (marked[s] || model.terminal[s]) continue;
        const some = greedy[s].some((i) => {
          for (let k = model.rowPtr[i]; k < model.rowPtr[i + 1]; k += 1) if (model.prob[k] > 0 && from(model.next[k])) return true;
          return false;
        });
        if (some) {
          marked[s] = 1;
          changed = true;
        }
      }
    }
    return marked;
  };
  const may = Uint8Array.from(model.terminal);
  follow(may, (s) => may[s]);
  const lost = Uint8Array.from(may, (x) => 1 - x);
  follow(lost, (s) => lost[s]);
  return Uint8Array.from(lost, (x) => 1 - x);
}
