// Where the best policy changes with γ: marks under the slider, and buttons that jump from one to the next.
//
// One policy is best on a whole interval of γ: its values are rational functions of γ, so that it ceases to be best at
// a point. The page solves the model at a grid of γ, keeps for each state the actions that were best at all of them
// since the last mark, and where no action is left finds the point by halving. What changes and changes back between
// two points of the grid is missed.
import { button, element, number, replace } from "./dom.js";
import { withGamma } from "./model.js";
import { bestAnswer, rowValues } from "./solve.js";

const GRID = [...Array.from({ length: 100 }, (_, k) => k / 100), 0.995, 0.999];
const PARTS = 200; // a change this near to a fraction p/q, q at most so large, is taken to be there
const WIDTH = 1e-9; // how near the two sides of a change are brought together
const MOST_STATES = 150;
const MOST_CHANGES = 50; // after which the search ends
const LOCAL = 1e-10; // values of actions that differ by less, relative to their own size, are equal but for rounding
const GLOBAL = 1e-14; // or relative to the largest value of the model
const SLICE = 12; // milliseconds of work before the page may answer

// The rows that are best in each state, and with a horizon at each time and state: a list of lists.
export function bestSets(model) {
  const answer = bestAnswer(model);
  if (answer === null) return null;
  if (model.horizon === null) return bestRowsOf(model, rowValues(model, answer.v));
  return answer.times.slice(1).flatMap((v) => bestRowsOf(model, rowValues(model, v)));
}

function bestRowsOf(model, q) {
  const largest = q.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  return Array.from({ length: model.S }, (_, s) => {
    const rows = [];
    for (let i = model.pairPtr[s]; i < model.pairPtr[s + 1]; i += 1) rows.push(i);
    const best = Math.max(...rows.map((i) => model.sign * q[i]));
    return rows.filter((i) => best - model.sign * q[i] <= LOCAL * Math.abs(best) + GLOBAL * largest);
  });
}

// What both have; null where a state that has actions is left without any.
function sharedSets(one, other) {
  const shared = one.map((rows, s) => rows.filter((i) => other[s].includes(i)));
  return shared.some((rows, s) => rows.length === 0 && one[s].length > 0) ? null : shared;
}

// The intervals of γ with one best policy: { from, to, sets } one after the other, from γ = 0 on. A generator, so that a page can
// pause it; a caller who does not mind runs it to its end: [...changing(model)].at(-1).
export function* changing(model, most = MOST_CHANGES) {
  const intervals = [];
  let current = null; // actions that were best since the last change
  let low = 0;
  for (const gamma of model.gamma === 1 || model.horizon !== null ? [...GRID, 1] : GRID) {
    yield intervals;
    const sets = bestSets(withGamma(model, gamma));
    if (sets === null) continue;
    if (current === null) {
      current = sets;
      intervals.push({ from: gamma, to: gamma, sets });
    }
    for (let shared = sharedSets(current, sets); shared === null; shared = sharedSets(current, sets)) {
      let high = gamma;
      let beyond = sets;
      while (high - low > WIDTH) {
        yield intervals;
        const middle = (low + high) / 2;
        const there = bestSets(withGamma(model, middle));
        const common = there && sharedSets(current, there);
        if (common) [low, current] = [middle, common];
        else [high, beyond] = [middle, there ?? beyond];
      }
      const change = simplest((low + high) / 2);
      Object.assign(intervals[intervals.length - 1], { to: change, sets: current });
      intervals.push({ from: change, to: high, sets: beyond });
      [current, low] = [beyond, high];
      if (intervals.length > most) {
        yield intervals;
        return;
      }
    }
    current = sharedSets(current, sets);
    low = gamma;
    Object.assign(intervals[intervals.length - 1], { to: gamma, sets: current });
  }
  yield intervals;
}

// The fraction with the smallest denominator that is as near as a change is known, else the number itself.
export function simplest(x) {
  for (let q = 1; q <= PARTS; q += 1) {
    const p = Math.round(x * q);
    if (Math.abs(p / q - x) <= WIDTH) return p / q;
  }
  return x;
}

// γ in few digits, with its fraction where it is one: "0.9091 = 10/11".
export function changeText(gamma) {
  const short = number(gamma, 4);
  if (Number(short) === gamma) return short;
  for (let q = 2; q <= PARTS; q += 1) {
    if (Math.round(gamma * q) / q === gamma) return `${Math.round(gamma * q)}/${q} ≈ ${short}`;
  }
  return short;
}

// The changes between intervals: { gamma, states }, where no action of a state is best on both sides.
export function changesOf(intervals, S) {
  return intervals.slice(1).map(({ from, sets }, j) => {
    const before = intervals[j].sets;
    const moved = sets.flatMap((rows, s) => (rows.length && !rows.some((i) => before[s].includes(i)) ? [s % S] : []));
    return { gamma: from, states: [...new Set(moved)].sort((a, b) => a - b) };
  });
}

export function ticksPanel(store, host) {
  let run = 0; // the number of the search that goes on
  let changes = [];
  const marks = element("div", { class: "marks", "aria-hidden": "true" });
  const back = button("tick-back", "‹ change", () => jump(-1), { title: "the next smaller γ at which the best policy changes" });
  const onward = button("tick-onward", "change ›", () => jump(1), { title: "the next larger γ at which the best policy changes" });
  const words = element("p", { class: "note", "data-ticks-text": "" });
  replace(host, marks, element("div", { class: "buttons" }, back, onward), words);

  function jump(direction) {
    const { gamma } = store.state;
    const ahead = changes.filter((x) => direction * (x.gamma - gamma) > 2 * WIDTH);
    if (ahead.length) store.setModel({ gamma: (direction > 0 ? ahead[0] : ahead[ahead.length - 1]).gamma });
  }

  function search() {
    const { model } = store.state;
    run += 1;
    const mine = run;
    changes = [];
    store.set({ ticks: null });
    if (model.S > MOST_STATES) {
      host.hidden = true;
      store.set({ ticks: { intervals: [], changes: [] } });
      return;
    }
    const steps = changing(withGamma(model, store.state.base.gamma));
    let intervals = [];
    function slice() {
      if (mine !== run) return;
      const until = performance.now() + SLICE;
      let done = false;
      while (!done && performance.now() < until) {
        const step = steps.next();
        done = step.done;
        if (!done) intervals = step.value;
      }
      if (!done) {
        setTimeout(slice);
        return;
      }
      changes = changesOf(intervals, model.S);
      store.set({ ticks: { intervals, changes } });
      show();
    }
    replace(words, "Looking for the γ at which the best policy changes …");
    setTimeout(slice);
  }

  function show() {
    const { gamma, model, ticks } = store.state;
    if (!ticks) return;
    replace(marks, changes.map((x) => element("i", { style: `left:${100 * x.gamma}%`, "data-gamma": x.gamma })));
    back.disabled = !changes.some((x) => x.gamma < gamma - 2 * WIDTH);
    onward.disabled = !changes.some((x) => x.gamma > gamma + 2 * WIDTH);
    const here = changes.find((x) => Math.abs(x.gamma - gamma) <= 2 * WIDTH);
    const listed = changes.slice(0, 8).map((x) => changeText(x.gamma)).join(", ");
    const many = changes.length >= MOST_CHANGES ? `${MOST_CHANGES} values of γ or more` : `${changes.length} value${changes.length === 1 ? "" : "s"} of γ`;
    replace(words, changes.length === 0 ? `One policy is best at all γ${ticks.intervals.at(-1)?.to < 1 ? " below 1" : ""}.`
      : `The best policy changes at ${many}: ${listed}${changes.length > 8 ? " …" : "."}`,
    here ? ` Here it changes in ${statesText(model, here.states)}.` : "");
    words.title = "Found by solving at steps of 0.01 and halving to 1e-9; what changes and changes back within a step is missed.";
  }

  let noise = null;
  store.subscribe((state, patch) => {
    if (!("model" in patch)) return;
    if (state.noise !== noise) {
      noise = state.noise;
      search();
    } else show();
  });
  noise = store.state.noise;
  search();
}

function statesText(model, states) {
  const named = states.slice(0, 3).map((s) => model.states[s]).join(", ");
  return states.length > 3 ? `${named} and ${states.length - 3} more` : named;
}
