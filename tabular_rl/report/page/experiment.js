// A learner beside what is known of it: its path, the band of what is expected, and the exact answer. No element of the
// page is touched here.
import { createLaw, lawStep, lawValues, valuesOfPairs, valuesOfPolicy, whyNoLaw } from "./expected.js";
import { createLearner, LEARNERS, learnStep, valuesOf } from "./learn.js";
import { chosenPolicy, samplingModel, uniformPolicy } from "./sampling.js";
import { greedyRows, rowValues } from "./solve.js";

const FIRST = 100; // steps that the axis shows at first; it doubles
const POINTS = 400; // of a curve
const SIMULATED = 200; // runs
export const MOST_STEPS = 102400;

// The first best row of each state of a sampling model, -1 at terminal states.
function bestRows(whole, answer, model) {
  const rows = new Int32Array(model.S).fill(-1);
  for (let t = 0; t < (whole.horizon || 1); t += 1) {
    const greedy = answer.times ? greedyRows(whole, rowValues(whole, answer.times[t + 1])) : answer.greedy;
    greedy.forEach((tied, s) => { if (tied.length && !whole.terminal[s]) rows[t * whole.S + s] = tied[0] + t * whole.L; });
  }
  return rows;
}

// v* of each state of a sampling model, in the sign of maximisation.
function bestValues(whole, answer, model) {
  const v = new Float64Array(model.S);
  for (let s = 0; s < model.S; s += 1) {
    const t = Math.floor(s / whole.S);
    if (!model.terminal[s]) v[s] = model.sign * (answer.times ? answer.times[t] : answer.v)[s % whole.S];
  }
  return v;
}

// The options of the learner of a run, for createLearner.
function optionsOf(experiment, run, right) {
  const { own, policy, behavior } = experiment;
  return {
    method: own.method, seed: own.seed, run, policy, behavior, epsilon: own.epsilon, startValue: own.startValue,
    stepSize: stepSizeOf(own), mistakes: right ? [] : own.mistakes, terminalValue: own.terminalValue, watched: !right,
  };
}

export function stepSizeOf({ kind, alpha }) {
  return kind === "power" ? { kind, a: 1, b: 0.7 } : kind === "harmonic" ? { kind, a: 1 } : { kind: "constant", a: alpha };
}

// createExperiment(model, its answer or null, { method, policy: "uniform" | "optimal", behavior: "uniform" | "policy",
// kind, alpha, epsilon, startValue, seed, mistakes, terminalValue, simulated }): at step 0.
export function createExperiment(whole, answer, own) {
  const model = samplingModel(whole);
  const traits = LEARNERS[own.method];
  const chosen = answer ? bestRows(whole, answer, model) : null;
  const policy = !traits.evaluates ? null : own.policy === "optimal" && chosen ? chosenPolicy(model, chosen) : uniformPolicy(model);
  const behavior = own.method === "q-evaluation" && own.behavior === "uniform" ? uniformPolicy(model) : null;
  const v = traits.evaluates ? valuesOfPolicy(model, policy) : answer && bestValues(whole, answer, model);
  const experiment = {
    whole, model, traits, own, policy, behavior,
    truth: v ? v.map((x) => model.sign * x) : null,
    tableTruth: v && (traits.states ? v : valuesOfPairs(model, v)),
    why: whyNoLaw(model, { method: own.method, stepSize: stepSizeOf(own), policy, behavior }),
    last: FIRST, stride: 1, path: [], band: [], source: null,
  };
  startLearner(experiment);
  experiment.source = bandSource(experiment);
  if (experiment.source) experiment.band.push({ ...experiment.path[0], sd: new Float64Array(model.S), rmsSd: 0 });
  return experiment;
}

function startLearner(experiment) {
  experiment.learner = createLearner(experiment.model, optionsOf(experiment, 0, false));
  experiment.path = [pointOf(experiment, experiment.learner)];
}

// The root of the mean square error of a table over its entries with actions, NaN where no answer is known.
export function tableError(experiment, learner) {
  const { tableTruth, model, traits } = experiment;
  if (!tableTruth) return NaN;
  let square = 0;
  let count = 0;
  for (let j = 0; j < tableTruth.length; j += 1) {
    if (traits.states && model.terminal[j]) continue;
    square += (learner.table[j] - tableTruth[j]) ** 2;
    count += 1;
  }
  return Math.sqrt(square / count);
}

function pointOf(experiment, learner) {
  return { step: learner.steps, values: valuesOf(learner), rms: tableError(experiment, learner) };
}

// The axis shows `last` steps; where that doubles, every other point of the curves is left out.
function widen(experiment, steps) {
  while (experiment.last < Math.min(steps, MOST_STEPS)) experiment.last *= 2;
  experiment.stride = Math.max(1, experiment.last / POINTS);
  const kept = ({ step }) => step % experiment.stride === 0;
  experiment.path = experiment.path.filter(kept);
  experiment.band = experiment.band.filter(kept);
}

// The learner goes to this step: on, or again from the start.
export function goTo(experiment, steps) {
  const target = Math.max(0, Math.min(steps, MOST_STEPS));
  if (target < experiment.learner.steps) startLearner(experiment);
  widen(experiment, target);
  while (experiment.learner.steps < target) {
    learnStep(experiment.learner);
    if (experiment.learner.steps % experiment.stride === 0) experiment.path.push(pointOf(experiment, experiment.learner));
  }
}

// Whether a number of the table is not finite any more.
export function diverges(experiment) {
  const { model, traits, learner } = experiment;
  return learner.table.some((x, j) => !Number.isFinite(x) && !(traits.states && model.terminal[j]));
}

// -- the band ------------------------------------------------------------------------------------------------------

// { kind, step, reach(step, deadline) -> whether it is there, read() -> { values, sd, rms, rmsSd } } or null.
function bandSource(experiment) {
  const { model, own, policy, behavior, why } = experiment;
  if (!why) {
    let law = null; // made when it is asked for: it can be large
    return {
      kind: "law", step: 0,
      reach(step, deadline) {
        law = law || createLaw(model, { method: own.method, policy, behavior, alpha: own.alpha, startValue: own.startValue });
        while (law.step < step) {
          if (performance.now() > deadline) return false;
          lawStep(law);
        }
        return true;
      },
      read: () => ({ ...lawValues(law), rmsSd: 0 }),
    };
  }
  return own.simulated ? simulated(experiment) : null;
}

function simulated(experiment) {
  let learners = null;
  return {
    kind: "simulated", step: 0,
    reach(step, deadline) {
      learners = learners || Array.from({ length: SIMULATED }, (_, run) => createLearner(experiment.model, optionsOf(experiment, run, true)));
      for (const learner of learners) {
        while (learner.steps < step) {
          if (learner.steps % 16 === 0 && performance.now() > deadline) return false;
          learnStep(learner);
        }
      }
      return true;
    },
    read() {
      const points = learners.map((learner) => pointOf(experiment, learner));
      const S = experiment.model.S;
      const values = new Float64Array(S);
      const sd = new Float64Array(S);
      for (let s = 0; s < S; s += 1) [values[s], sd[s]] = spread(points.map((point) => point.values[s]));
      const [rms, rmsSd] = spread(points.map((point) => point.rms));
      return { values, sd, rms, rmsSd };
    },
  };
}

// The mean and the standard deviation of a sample.
export function spread(sample) {
  const mean = sample.reduce((a, b) => a + b, 0) / sample.length;
  return [mean, Math.sqrt(sample.reduce((a, b) => a + (b - mean) ** 2, 0) / (sample.length - 1))];
}

// The band is computed on until the deadline; returns whether there is more to do.
export function widenBand(experiment, deadline) {
  const { source } = experiment;
  if (!source) return false;
  while (source.step < experiment.last) {
    const step = (Math.floor(source.step / experiment.stride) + 1) * experiment.stride;
    if (!source.reach(step, deadline)) return true;
    source.step = step;
    experiment.band.push({ step, ...source.read() });
    if (performance.now() > deadline) return source.step < experiment.last;
  }
  return false;
}
