// Challenges that the page checks. Each is made from the model and holds a test of the page's state, and a state that
// passes it: one that the test does not pass at the start and does pass there is kept, so that none is solved already
// and none is impossible.
import { climbed, createClimb, STEP_SIZES } from "./climb.js";
import { createExperiment, diverges, goTo, tableError } from "./experiment.js";
import { LEARNERS } from "./learn.js";
import { number } from "./dom.js";
import { actionOf, withGamma, withNoise } from "./model.js";
import { expectedSteps } from "./paths.js";
import { bestAnswer } from "./solve.js";
import { changeText } from "./ticks.js";

const LONGER = 1.15; // how much longer a way counts as a long one
const RUN = 2000; // steps of a learner after which it is judged
const HURT = 2; // how many times the error that a mistake must make
const LARGEST_CLIMB = 120; // pairs up to which a climb is tried out
const MOST_CLIMB = 60; // steps of it
const NEAR = 0.01;
const START = { // of the learners' panel
  method: "td0", policy: "uniform", behavior: "uniform", kind: "constant", alpha: 0.1, epsilon: 0.1, startValue: 0, seed: 0,
  mistakes: [], terminalValue: 1, simulated: false,
};

// The state of the page with the sliders there.
function stateAt(base, gamma, noise) {
  const model = withGamma(withNoise(base, noise), gamma);
  return { base, gamma, noise, model, answer: bestAnswer(model), climb: null, experiment: null };
}

// { kind, title, text, hint, solved(state), witness() -> state }: those that can be solved and are not yet, at most one
// of a kind. `start` is the page's state as the file has the model. Between them comes null, where a page may pause.
export function* challengesOf(start, intervals) {
  if (start.answer === null) return;
  const makers = [
    farSighted, otherAction, cautiousPath, caution, targetValue, brokenLearner, harmlessMistake, settledLearner, topOfTheHill, plateau,
  ];
  const seen = new Set();
  for (const make of makers) {
    const challenge = yield* make(start.base, start, intervals);
    if (!challenge || seen.has(challenge.kind)) continue;
    const kept = !challenge.solved(start) && challenge.solved(challenge.witness());
    yield null;
    if (!kept) continue;
    seen.add(challenge.kind);
    yield challenge;
  }
}

// -- paths -------------------------------------------------------------------------------------------------------

const middle = ({ from, to }) => (from + to) / 2;
const hasEnd = (base) => base.horizon === null && base.terminal.includes(1);

function* farSighted(base, start, intervals) {
  if (!hasEnd(base) || intervals.length < 2) return null;
  const steps = ({ answer }) => (answer ? expectedSteps(base, answer.greedy) : NaN);
  const now = steps(start);
  const others = [];
  for (const one of intervals) {
    yield null;
    others.push({ gamma: middle(one), steps: steps(stateAt(base, middle(one), 0)) });
  }
  const longest = others.find((x) => Number.isFinite(x.steps) && x.steps > LONGER * now) ?? others.find((x) => x.steps === Infinity);
  const chosen = longest ?? others.find((x) => now > LONGER * x.steps);
  if (!chosen || !Number.isFinite(now)) return null;
  const limit = Number(((now + chosen.steps) / 2).toPrecision(3));
  const goal = chosen.steps === Infinity ? "need never come to the end" : `takes ${longest ? "at least" : "at most"} ${number(limit, 3)} steps from the start to the end, on average`;
  return {
    kind: "path", title: longest ? "The long way round" : "In a hurry",
    text: `Choose γ so that the best policy ${goal}. At γ = ${number(base.gamma)} it takes ${number(now, 3)}.`,
    hint: longest ? "How much is the end worth, and how much the way? Look for the marks under the slider." : "An agent that is in a hurry has a small γ.",
    solved: (state) => state.noise === 0 && (longest ? steps(state) >= limit : steps(state) <= limit),
    witness: () => stateAt(base, chosen.gamma, 0),
  };
}

// -- the sliders ---------------------------------------------------------------------------------------------------

function* otherAction(base, start, intervals) {
  yield null;
  const here = start.answer.greedy;
  const likeliest = base.start.indexOf(Math.max(...base.start));
  const order = [likeliest, ...Array.from({ length: base.S }, (_, s) => s)];
  for (const s of order) {
    for (const one of [...intervals].sort((a, b) => b.to - b.from - a.to + a.from)) {
      const rows = one.sets[s];
      if (base.terminal[s] || rows.length !== 1 || here[s].includes(rows[0])) continue;
      return {
        kind: "action", title: "A change of mind",
        text: `Choose γ so that ${actionOf(base, rows[0])} is the only best action in ${base.states[s]}${base.horizon === null ? "" : " at the start"}. `
          + `Now it is ${here[s].map((i) => actionOf(base, i)).join(" or ")}.`,
        hint: `Click ${base.states[s]} and compare the two values of q while γ moves; the marks under the slider show where a best action changes, first at ${changeText(intervals[1].from)}.`,
        solved: ({ answer, noise }) => answer !== null && noise === 0 && answer.greedy[s].length === 1 && answer.greedy[s][0] === rows[0],
        witness: () => stateAt(base, middle(one), 0),
      };
    }
  }
  return null;
}

const NOISES = Array.from({ length: 19 }, (_, k) => (k + 1) / 20);

function* cautiousPath(base, start) {
  if (!hasEnd(base)) return null;
  const steps = ({ answer }) => (answer ? expectedSteps(base, answer.greedy) : NaN);
  const now = steps(start);
  for (const noise of NOISES) {
    yield null;
    const there = steps(stateAt(base, base.gamma, noise));
    if (!(there > LONGER * now) || !Number.isFinite(there)) continue;
    const limit = Number(((now + there) / 2).toPrecision(3));
    return {
      kind: "noise", title: "Better safe than sorry",
      text: `Raise the noise, with γ as in the file, until the best policy plans a way round: one that would take at least ${number(limit, 3)} steps `
        + `without noise. Now it takes ${number(now, 3)}.`,
      hint: "Which step of the present way would be the worst to go wrong?",
      solved: (state) => state.gamma === base.gamma && steps(state) >= limit,
      witness: () => stateAt(base, base.gamma, noise),
    };
  }
  return null;
}

function* caution(base, start) {
  const here = start.answer.greedy;
  for (const noise of NOISES) {
    yield null;
    const state = stateAt(base, base.gamma, noise);
    if (!state.answer) continue;
    const s = here.findIndex((rows, at) => rows.length && !rows.some((i) => state.answer.greedy[at].includes(i)));
    if (s < 0) continue;
    return {
      kind: "noise", title: "When actions cannot be trusted",
      text: `Raise the noise, with γ as in the file, until what is best now in ${base.states[s]} (${here[s].map((i) => actionOf(base, i)).join(" or ")}) is best no more.`,
      hint: "An action that is good only if it works as meant loses most.",
      solved: ({ answer, gamma }) => answer !== null && gamma === base.gamma && answer.greedy[s].length > 0 && !here[s].some((i) => answer.greedy[s].includes(i)),
      witness: () => stateAt(base, base.gamma, noise),
    };
  }
  return null;
}

function* targetValue(base, start) {
  const s = base.start.indexOf(Math.max(...base.start));
  const now = start.answer.v[s];
  for (const gamma of [0.8, 0.9, 0.5, 0.3]) {
    yield null;
    const state = gamma === base.gamma ? null : stateAt(base, gamma, 0);
    if (!state || !state.answer) continue;
    const target = Number(state.answer.v[s].toPrecision(2));
    if (target === 0 || Math.abs(now - target) < 0.1 * Math.abs(target)) continue;
    const close = (x) => Math.abs(x - target) <= NEAR * Math.abs(target);
    const exact = bisected(base, s, target, base.gamma, gamma);
    return {
      kind: "value", title: "What the future is worth",
      text: `Choose γ so that v*(${base.states[s]}) is ${number(target)}, within 1 %. Now it is ${number(now, 4)}.`,
      hint: "Rewards that come k steps later count γᵏ times: halve the distance to the answer again and again.",
      solved: ({ answer, noise }) => answer !== null && noise === 0 && close(answer.v[s]),
      witness: () => stateAt(base, exact, 0),
    };
  }
  return null;
}

// γ between two at which v*(s) is the target, by halving: v* is continuous in γ below 1.
function bisected(base, s, target, one, other) {
  let [low, high] = [one, other];
  const above = (gamma) => {
    const { answer } = stateAt(base, gamma, 0);
    return answer !== null && answer.v[s] > target;
  };
  const side = above(low);
  for (let k = 0; k < 40; k += 1) {
    const half = (low + high) / 2;
    if (above(half) === side) low = half;
    else high = half;
  }
  return high;
}

// -- learners --------------------------------------------------------------------------------------------------------

function experimentAt(state, own, steps) {
  const experiment = createExperiment(state.model, state.answer, { ...START, ...own });
  goTo(experiment, steps);
  return experiment;
}

const errorOf = (experiment) => (diverges(experiment) ? Infinity : tableError(experiment, experiment.learner));

let right = null; // the last run without a mistake that was compared with: it goes on as the other does

// The same run without its mistakes.
function rightOf(experiment, { model, answer }) {
  const { own, learner } = experiment;
  const key = JSON.stringify({ ...own, mistakes: [], simulated: false });
  if (!right || right.model !== model || right.key !== key) {
    right = { model, key, made: createExperiment(model, answer, { ...own, mistakes: [], simulated: false }) };
  }
  goTo(right.made, learner.steps);
  return right.made;
}

// How far the rewards and values of a model reach: what an error is measured by.
function scaleOf(state) {
  return state.answer.v.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
}

function judged({ experiment }, method, mistakes) {
  return Boolean(experiment) && experiment.own.method === method && experiment.own.mistakes.length === mistakes
    && (experiment.learner.steps >= RUN || diverges(experiment));
}

function* brokenLearner(base, start) {
  yield null;
  const hurt = (state) => {
    const error = errorOf(rightOf(state.experiment, state));
    return errorOf(state.experiment) > Math.max(HURT * error, error + 0.1 * scaleOf(state));
  };
  const solved = (state) => judged(state, "q-learning", 1) && state.answer !== null && hurt(state);
  const key = LEARNERS["q-learning"].mistakes.find((mistake) => mistake !== "minus"
    && solved({ ...start, experiment: experimentAt(start, { method: "q-learning", mistakes: [mistake] }, RUN) })) ?? "minus";
  return {
    kind: "broken", title: "Break Q-learning with one switch",
    text: `Under Learners, take Q-learning and plant one mistake, so that after ${RUN.toLocaleString("en")} steps or more its table is at least ${HURT} times as far `
      + "from q* as without the mistake.",
    hint: "Not every mistake hurts in every model: ask what s′ is worth in the target, and where this model ends.",
    solved,
    witness: () => ({ ...start, experiment: experimentAt(start, { method: "q-learning", mistakes: [key] }, RUN) }),
  };
}

function* harmlessMistake(base, start) {
  yield null;
  const same = (state) => rightOf(state.experiment, state).learner.table.every((x, j) => x === state.experiment.learner.table[j]);
  const solved = (state) => judged(state, "q-learning", 1) && state.answer !== null && same(state);
  const at = (mistake) => ({ ...start, experiment: experimentAt(start, { method: "q-learning", mistakes: [mistake] }, RUN) });
  const key = LEARNERS["q-learning"].mistakes.find((mistake) => solved(at(mistake)));
  if (!key) return null;
  return {
    kind: "harmless", title: "A mistake that does no harm",
    text: `One of the mistakes makes no difference to Q-learning in this model. Plant it and run ${RUN.toLocaleString("en")} steps or more. Can you say why?`,
    hint: "Which part of the target never matters here?",
    solved,
    witness: () => at(key),
  };
}

const WORTH = 0.75; // of the error at the start: a limit above it asks for nothing

function* settledLearner(base, start) {
  const tries = [{}, { kind: "harmonic" }, { kind: "power" }, { alpha: 0.03 }, { alpha: 0.01 }, { alpha: 0.3 }, { alpha: 1 }];
  const runs = [];
  for (const own of tries) {
    yield null;
    runs.push({ own, error: errorOf(experimentAt(start, own, RUN)) });
  }
  const [first, ...others] = runs;
  const best = others.reduce((a, b) => (b.error < a.error ? b : a));
  const limit = Number(Math.sqrt(first.error * best.error).toPrecision(2));
  if (!(best.error < limit && limit < WORTH * first.error && first.error > NEAR * scaleOf(start))) return null;
  return {
    kind: "settled", title: "A step size that settles",
    text: `TD(0) with α = 0.1 is off by ${number(first.error, 2)} after ${RUN.toLocaleString("en")} steps (uniform policy, seed 0, values that start at 0; root mean square). `
      + `Find a step size that brings the error below ${number(limit, 2)} after ${RUN.toLocaleString("en")} steps or more of the same.`,
    hint: "A constant α never lets the table settle, and a small one is slow. What about one that falls?",
    solved: (state) => judged(state, "td0", 0) && state.gamma === base.gamma && state.noise === 0 && state.experiment.own.policy === "uniform"
      && state.experiment.own.startValue === 0 && state.experiment.own.seed === 0 && errorOf(state.experiment) < limit,
    witness: () => ({ ...start, experiment: experimentAt(start, best.own, RUN) }),
  };
}

// -- policy gradient -----------------------------------------------------------------------------------------------

function climbing(start, { natural, stepSize, done }) {
  let climb = createClimb(start.model, start.answer);
  for (let k = 0; climb && climb.found && k < MOST_CLIMB && !done({ climb }); k += 1) climb = climbed(climb, stepSize, natural);
  return climb && climb.found ? { ...start, climb } : start;
}

const gapOf = ({ best, curve }, k) => Math.abs(best - curve[k]);

function* topOfTheHill(base, start) {
  if (base.L > LARGEST_CLIMB) return null;
  const done = ({ climb }) => Boolean(climb) && climb.model.gamma === base.gamma && climb.curve.length > 1 && gapOf(climb, 0) > 0
    && gapOf(climb, climb.curve.length - 1) <= NEAR * gapOf(climb, 0);
  let found = null;
  for (const stepSize of [1, 10, 100, 1000]) {
    yield null;
    found = found ?? (done(climbing(start, { natural: true, stepSize, done })) ? stepSize : null);
  }
  if (found === null) return null;
  return {
    kind: "climb", title: "To the top by gradient steps",
    text: "Under Policy gradient, climb until J has made up 99 % of what the uniform policy lacks.",
    hint: "The plain gradient slows down where the policy hardly tries an action any more; the natural gradient does not.",
    solved: done,
    witness: () => climbing(start, { natural: true, stepSize: found, done }),
  };
}

function* plateau(base, start) {
  if (base.L > LARGEST_CLIMB) return null;
  const done = ({ climb }) => Boolean(climb) && climb.model.gamma === base.gamma && climb.curve.length > 1 && gapOf(climb, climb.curve.length - 1) > 0.1 * gapOf(climb, 0)
    && Math.hypot(...climb.found.gradient) < 1e-3 * gapOf(climb, climb.curve.length - 1);
  let found = null;
  for (const stepSize of [...STEP_SIZES].reverse()) {
    yield null;
    found = found ?? (done(climbing(start, { natural: false, stepSize, done })) ? stepSize : null);
  }
  if (found === null) return null;
  return {
    kind: "plateau", title: "Stuck on a plateau",
    text: "Under Policy gradient, let a step of the plain gradient come to a place where |∇J| is a thousandth of what J still lacks, and J still lacks a tenth or more.",
    hint: "A long step makes the policy nearly deterministic. What it never tries it never learns about.",
    solved: done,
    witness: () => climbing(start, { natural: false, stepSize: found, done }),
  };
}
