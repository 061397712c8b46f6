// The panel of learners: one run of a learner, step by step, beside the exact answer and what is expected.
import { curve } from "./curve.js";
import { button, choice, element, newId, number, replace, slider, tickbox } from "./dom.js";
import { createExperiment, diverges, goTo, MOST_STEPS, tableError, widenBand } from "./experiment.js";
import { LEARNERS, valuesOf } from "./learn.js";
import { actionOf } from "./model.js";
import { symbols } from "./texts.js";
import { knownView, mistakeText, transitionText, updateView } from "./update.js";

const SLICE = 12; // milliseconds of a frame for the band
const SPEEDS = [["2", "2 / s"], ["10", "10 / s"], ["60", "60 / s"], ["1000", "1000 / s"]];
const EPISODE = 10000; // steps after which "to the end of the episode" gives up

export function stateName(experiment, s) {
  const { whole } = experiment;
  const name = whole.states[s % whole.S];
  return whole.horizon ? `${name} at time ${Math.floor(s / whole.S)}` : name;
}

function rowName(experiment, i) {
  return actionOf(experiment.whole, i % experiment.whole.L);
}

// What the inspector shows of the last step, in the user's sign.
export function partsOf(experiment) {
  const { learner, model, own, whole, traits } = experiment;
  const { last } = learner;
  const { sign } = model;
  const parts = {
    method: own.method, mistakes: own.mistakes, best: sign > 0 ? "max" : "min", step: learner.steps, read: [], updates: [], update: null,
  };
  if (learner.steps === 0) return parts;
  const state = model.pairState[last.row];
  const numbers = (u, row) => ({
    name: traits.states ? `v(${whole.states[model.pairState[row] % whole.S]})` : `q(${whole.states[model.pairState[row] % whole.S]}, ${rowName(experiment, row)})`,
    state: stateName(experiment, model.pairState[row]),
    r: sign * u.r, before: sign * u.before, after: sign * u.after, aim: sign * u.aim, made: sign * u.made, alpha: Math.abs(u.alpha),
    minus: learner.minus, gamma: own.mistakes.includes("no discount") ? null : model.gamma,
    bootstraps: own.method === "monte-carlo" || u.s2 >= 0 || learner.noMask,
  });
  const marks = markerOf(experiment, last);
  return {
    ...parts,
    state: stateName(experiment, state), action: rowName(experiment, last.row), r: sign * last.r,
    next: stateName(experiment, last.end), ended: last.s2 < 0, which: last.which, twice: Boolean(learner.qa),
    update: last.entry < 0 ? null : own.method === "monte-carlo" && learner.updates.length
      ? numbers(learner.updates[learner.updates.length - 1], learner.updates[learner.updates.length - 1].row) : numbers(last, last.row),
    updates: learner.updates.map((u) => numbers(u, u.row)),
    read: learner.read.map(([entry, value, weight, other], at) => ({
      action: traits.states ? "" : rowName(experiment, entry), value: sign * value, weight,
      other: learner.qa ? sign * other : null, mark: marks(entry, at),
    })),
    nextAction: last.next >= 0 ? rowName(experiment, last.next) : null,
    begins: last.s2 < 0 ? stateName(experiment, model.pairState[learner.row]) : null,
  };
}

// Which of the values that were read counted, in a word.
function markerOf({ learner, own }, last) {
  const values = learner.read.map(([, value]) => value);
  const top = values.indexOf(Math.max(...values));
  if (own.method === "sarsa" && !learner.maximum) return (entry) => (entry === (learner.atS ? last.row : last.next) ? "← a'" : "");
  if (own.method === "q-evaluation" && !learner.maximum) return () => "";
  if (learner.expectation) return () => "";
  return (_, at) => (at === top ? "← best" : "");
}

// The same run in a terminal; "" where there is none.
export function commandOf(experiment, base, noise) {
  const { own, traits, model, learner } = experiment;
  if (own.mistakes.length || noise !== 0 || learner.steps === 0) return "";
  const step = { constant: String(own.alpha), harmonic: "1/n", power: "n^-0.7" }[own.kind];
  const words = ["tabular-rl learn FILE", `--method ${own.method}`];
  if (traits.evaluates) words.push(`--policy ${own.policy}`);
  if (own.method === "q-evaluation" && own.behavior !== own.policy && own.behavior === "uniform") words.push("--behavior uniform");
  if (!traits.evaluates) words.push(`--explore epsilon-greedy:${own.epsilon}`);
  words.push(`--steps ${learner.steps}`, `--step-size ${step}`, `--seed ${own.seed}`);
  if (own.startValue !== 0) words.push(`--start-value ${own.startValue}`);
  if (model.gamma !== base.gamma) words.push(`--gamma ${model.gamma}`);
  return words.join(" ");
}

// The rows that the learner would take (S arrays): those of its policy, unless that takes all alike, or the best by its
// table, all that are tied.
function rowsShown(experiment, t) {
  const { whole, model, policy, learner } = experiment;
  return Array.from({ length: whole.S }, (_, s) => {
    const at = t * whole.S + s;
    const rows = [];
    let top = -Infinity;
    for (let i = model.pairPtr[at]; i < model.pairPtr[at + 1]; i += 1) {
      if (policy) {
        if (policy[i] === 1) rows.push(i - t * whole.L);
      } else {
        if (learner.table[i] > top) rows.length = 0;
        if (learner.table[i] >= top) rows.push(i - t * whole.L);
        top = Math.max(top, learner.table[i]);
      }
    }
    return rows;
  });
}

// What the table knows of state s at time t, in the user's sign: [{ action, learned, exact, visits }].
export function knownOf(experiment, s, t) {
  const { whole, model, traits, learner, tableTruth } = experiment;
  const at = t * whole.S + s;
  const entries = [];
  if (model.terminal[at]) return entries;
  if (traits.states) entries.push(at);
  else for (let i = model.pairPtr[at]; i < model.pairPtr[at + 1]; i += 1) entries.push(i);
  return entries.map((j) => ({
    action: traits.states ? null : rowName(experiment, j), learned: model.sign * learner.table[j],
    exact: tableTruth ? model.sign * tableTruth[j] : null, visits: learner.visits[j],
  }));
}

// What the picture and the inspector show of an experiment at time t (0 without a horizon); `selected()` is a state.
export function shownOf(experiment, t, selected) {
  const { whole, model, own, traits, learner, truth } = experiment;
  const { last } = learner;
  const point = learner.table;
  const values = new Float64Array(whole.S);
  const all = valuesOf(learner);
  for (let s = 0; s < whole.S; s += 1) values[s] = all[t * whole.S + s];
  const q = traits.states ? null : Float64Array.from({ length: whole.L }, (_, i) => model.sign * point[t * whole.L + i]);
  const transition = learner.steps === 0 ? null : {
    s: model.pairState[last.row] % whole.S, row: last.row % whole.L, s2: last.end % whole.S, episodeEnds: last.s2 < 0,
  };
  const when = whole.horizon ? ` at time ${t}` : "";
  const view = (parts) => [updateView(parts), knownView(stateName(experiment, t * whole.S + selected()), knownOf(experiment, selected(), t))];
  return {
    title: `${LEARNERS[own.method].name} after ${learner.steps.toLocaleString("en")} step${learner.steps === 1 ? "" : "s"}${when}`,
    name: "v", legend: !traits.evaluates ? "the best actions by q" : own.policy === "optimal" ? "the policy π" : null,
    exact: truth ? truth.slice(t * whole.S, (t + 1) * whole.S) : null, exactName: traits.evaluates ? "v_π" : "v*",
    values, q, greedy: rowsShown(experiment, t), transition,
    explanation: { kind: "update", heading: "The last update", parts: partsOf(experiment), view },
  };
}

// A labelled box for a number. numberBox({ name, label, value, step, onchange }) -> { host, input }
function numberBox({ name, label, value, step, min, onchange }) {
  const id = newId(name);
  const input = element("input", { type: "number", id, class: "small", value, step, min, "data-control": name });
  input.addEventListener("change", () => {
    if (input.value !== "" && Number.isFinite(Number(input.value))) onchange(Number(input.value));
  });
  return { host: element("div", { class: "box" }, element("label", { for: id }, label), input), input };
}

// What the curve shows: [[step, value]], [[step, mean, sd]], the exact value.
export function curveData(experiment, selected, show) {
  const { learner, path, band, truth } = experiment;
  if (show === "rms") {
    const now = [learner.steps, tableError(experiment, learner)];
    return { path: [...path.map((p) => [p.step, p.rms]), now], band: band.map((p) => [p.step, p.rms, p.rmsSd]), exact: 0 };
  }
  const now = [learner.steps, valuesOf(learner)[selected]];
  return {
    path: [...path.map((p) => [p.step, p.values[selected]]), now],
    band: band.map((p) => [p.step, p.values[selected], p.sd[selected]]),
    exact: truth ? truth[selected] : NaN,
  };
}

// Why the band is what it is, in sentences.
export function bandText(experiment) {
  const { own, why, source, traits } = experiment;
  const said = [];
  if (!why) said.push("The band is exact: the mean ± 2 standard deviations over all runs that this learner could make.");
  else said.push(`There is no exact band. ${why}`);
  if (source && source.kind === "simulated") said.push("Shown instead: the mean ± 2 standard deviations of 200 simulated runs.");
  if (own.mistakes.length) said.push("Band and exact value are those of the rule without the mistake.");
  if (own.method === "sarsa") said.push("With a constant ε SARSA goes to the values of the best policy that explores so, not to v*.");
  if (!experiment.truth) said.push(traits.evaluates ? "The policy has no finite values here." : "The model has no finite answer here.");
  return said.join(" ");
}

export function learnersPanel(store, host) {
  const own = {
    method: "td0", policy: "uniform", behavior: "uniform", kind: "constant", alpha: 0.1, epsilon: 0.1, startValue: 0, seed: 0,
    mistakes: [], terminalValue: 1, simulated: true,
  };
  const view = { show: "value", speed: 10, time: 0, playing: false, owed: 0, before: 0, next: 0, frame: 0 };
  let experiment = null;

  // -- controls ----------------------------------------------------------------------------------------------------
  const change = (patch) => {
    Object.assign(own, patch);
    rebuild();
  };
  const method = choice({
    name: "learner", label: "learner", options: Object.entries(LEARNERS).map(([key, { name }]) => [key, name]), value: own.method,
    onchange: (x) => change({ method: x, mistakes: own.mistakes.filter((key) => LEARNERS[x].mistakes.includes(key)) }),
  });
  const policy = choice({
    name: "learner-policy", label: "policy π", options: [["uniform", "uniform"], ["optimal", "the best one"]], value: own.policy,
    onchange: (x) => change({ policy: x }),
  });
  const behavior = choice({
    name: "learner-behavior", label: "actions by", options: [["uniform", "uniform b"], ["policy", "π itself"]], value: own.behavior,
    onchange: (x) => change({ behavior: x }),
  });
  const kind = choice({
    name: "step-size-kind", label: "step size", value: own.kind,
    options: [["constant", "constant α"], ["harmonic", "1/n, n the updates of the entry"], ["power", "n^−0.7"]], onchange: (x) => change({ kind: x }),
  });
  const alpha = slider({
    name: "step-size", label: "α", min: 0.01, max: 1, step: 0.01, value: own.alpha, onchange: (x) => change({ alpha: x }),
  });
  const epsilon = slider({
    name: "epsilon", label: "ε, exploration", min: 0, max: 1, step: 0.01, value: own.epsilon, onchange: (x) => change({ epsilon: x }),
  });
  const seed = numberBox({
    name: "seed", label: "seed", value: own.seed, step: 1, min: 0,
    onchange: (x) => {
      const whole = Math.min(Math.max(0, Math.floor(x)), Number.MAX_SAFE_INTEGER);
      seed.input.value = String(whole);
      change({ seed: whole });
    },
  });
  const startValue = numberBox({ name: "start-value", label: "values at the start", value: own.startValue, step: "any", onchange: (x) => change({ startValue: x }) });
  const terminalValue = numberBox({
    name: "terminal-value", label: "the table's entry of terminal states", value: own.terminalValue, step: "any", onchange: (x) => change({ terminalValue: x }),
  });
  const time = numberBox({
    name: "learner-time", label: "time t shown", value: 0, step: 1, min: 0,
    onchange: (x) => {
      view.time = Math.min(Math.max(0, Math.floor(x)), (store.state.model.horizon || 1) - 1);
      time.input.value = String(view.time);
      publish();
    },
  });
  const speed = choice({ name: "speed", label: "speed", options: SPEEDS, value: String(view.speed), onchange: (x) => { view.speed = Number(x); } });
  const shows = choice({
    name: "curve-shows", label: "curve", value: view.show, options: [["value", "the value of the selected state"], ["rms", "the error of the whole table"]],
    onchange: (x) => { view.show = x; draw(); },
  });
  const simulate = tickbox({ name: "simulate", label: "200 simulated runs", value: own.simulated, onchange: (x) => change({ simulated: x }) });
  const play = button("play", "play", () => setPlaying(!view.playing));
  const back = button("back", "back", () => go(experiment.learner.steps - 1), { title: "one step back" });
  const buttons = element("div", { class: "buttons" },
    button("restart", "restart", () => go(0), { title: "to the start, with the same seed" }), back,
    button("step", "step", () => go(experiment.learner.steps + 1), { title: "one transition" }), play,
    button("episode", "episode", () => toEpisodeEnd(), { title: "to the end of the episode", "aria-label": "to the end of the episode" }),
    button("hundred", "100 steps", () => go(experiment.learner.steps + 100)));
  seed.host.append(button("new-seed", "next", () => {
    seed.input.value = String(own.seed + 1);
    change({ seed: own.seed + 1 });
  }, { "aria-label": "next seed", title: "the same learner with other random numbers" }));
  const switches = element("fieldset", { class: "mistakes" });
  const planted = element("ul", { class: "planted-notes" });
  const status = element("p", { class: "status", role: "status", "aria-live": "polite" });
  const side = document.querySelector("[data-learning-curve]");
  const bar = document.querySelector("[data-learning-run]");
  const figure = element("figure", { class: "learning" });
  const legend = element("p", { class: "curve-legend" });
  const note = element("p", { class: "note band-note" });
  const command = element("p", { class: "note command" });
  replace(host,
    element("div", { class: "settings" }, method.host, policy.host, behavior.host, startValue.host, seed.host, time.host),
    element("div", { class: "settings" }, kind.host, alpha.host, epsilon.host),
    switches, planted,
    command);
  replace(bar, element("div", { class: "settings" }, buttons, speed.host), status);
  replace(side, element("div", { class: "settings" }, shows.host, simulate.host), figure, legend, note);

  function drawSwitches() {
    const { mistakes } = LEARNERS[own.method];
    replace(switches, element("legend", {}, "Plant a mistake"),
      mistakes.map((key) => {
        const [label, sentence] = mistakeText(own.method, key);
        const tick = tickbox({
          name: `mistake-${key.replaceAll(" ", "-")}`, label, value: own.mistakes.includes(key),
          onchange: (on) => change({ mistakes: on ? [...own.mistakes, key] : own.mistakes.filter((x) => x !== key) }),
        });
        tick.host.setAttribute("title", sentence);
        return tick.host;
      }), terminalValue.host);
    replace(planted, own.mistakes.map((key) => element("li", {}, mistakeText(own.method, key)[1])));
  }

  function drawControls() {
    const { evaluates, mistakes } = LEARNERS[own.method];
    policy.host.hidden = !evaluates;
    behavior.host.hidden = own.method !== "q-evaluation";
    epsilon.host.hidden = evaluates;
    alpha.host.hidden = own.kind !== "constant";
    time.host.hidden = !store.state.model.horizon;
    terminalValue.host.hidden = !(mistakes.includes("no mask") && own.mistakes.includes("no mask"));
    simulate.host.hidden = !experiment.why;
    policy.select.querySelector("[value=optimal]").disabled = !store.state.answer;
  }

  // -- the run -----------------------------------------------------------------------------------------------------
  function rebuild() {
    const steps = experiment ? experiment.learner.steps : 0;
    if (own.policy === "optimal" && !store.state.answer) own.policy = "uniform";
    policy.set(own.policy);
    view.time = Math.min(view.time, (store.state.model.horizon || 1) - 1);
    experiment = createExperiment(store.state.model, store.state.answer, { ...own, mistakes: [...own.mistakes] });
    goTo(experiment, steps);
    const focused = document.activeElement && switches.contains(document.activeElement) ? document.activeElement.dataset.control : null;
    drawSwitches();
    if (focused) switches.querySelector(`[data-control="${focused}"]`).focus();
    drawControls();
    publish();
  }

  function go(steps) {
    goTo(experiment, steps);
    publish();
  }

  function toEpisodeEnd() {
    const { learner } = experiment;
    const { episodes } = learner;
    for (let k = 0; k < EPISODE && learner.episodes === episodes && !learner.last.cut && learner.steps < MOST_STEPS; k += 1) {
      goTo(experiment, learner.steps + 1);
    }
    publish();
  }

  function setPlaying(on) {
    view.playing = on;
    view.owed = 0;
    view.before = performance.now();
    play.textContent = on ? "pause" : "play";
    status.setAttribute("aria-live", on ? "off" : "polite");
    if (!on) publish();
    wake();
  }

  function finished() {
    return experiment.learner.steps >= MOST_STEPS || diverges(experiment);
  }

  // A frame: the steps that are due, then the band for the rest of a slice of time.
  function tick(now) {
    view.frame = 0;
    if (store.state.panel !== "learners") {
      if (view.playing) setPlaying(false);
      return;
    }
    if (view.playing) {
      view.owed = Math.min(view.owed + ((now - view.before) / 1000) * view.speed, 2000);
      view.before = now;
      const steps = Math.floor(view.owed);
      if (steps > 0 && now >= view.next) {
        view.owed -= steps;
        goTo(experiment, experiment.learner.steps + steps);
        const begun = performance.now();
        publish();
        view.next = now + 3 * (performance.now() - begun); // the picture gets a quarter of the time
        if (finished()) setPlaying(false);
      }
    }
    const points = experiment.band.length;
    const more = widenBand(experiment, performance.now() + SLICE);
    if (experiment.band.length !== points) draw();
    if (more || view.playing) wake();
  }

  function wake() {
    if (!view.frame) view.frame = requestAnimationFrame(tick);
  }

  // -- what is shown -----------------------------------------------------------------------------------------------
  function publish() {
    if (store.state.panel !== "learners") return;
    store.set({ experiment, shown: shownOf(experiment, view.time, () => store.state.selected) });
    const { learner } = experiment;
    let text = transitionText(partsOf(experiment));
    if (diverges(experiment)) text = `Step ${learner.steps}: the table is not finite any more: it diverges.`;
    else if (learner.steps >= MOST_STEPS) text += ` The run ends here, after ${MOST_STEPS.toLocaleString("en")} steps.`;
    status.textContent = text;
    back.disabled = learner.steps === 0;
    const line = commandOf(experiment, store.state.base, store.state.noise);
    replace(command, line ? ["The same run in a terminal: ", element("code", {}, line)] : []);
    draw();
    wake();
  }

  function draw() {
    if (store.state.panel !== "learners") return;
    const { whole } = experiment;
    const selected = view.time * whole.S + store.state.selected;
    const data = curveData(experiment, selected, view.show);
    const rms = view.show === "rms";
    const label = rms ? "root mean square error of the table" : `v(${stateName(experiment, selected)})`;
    const now = data.path[data.path.length - 1][1];
    const summary = `${label} against steps: now ${number(now)} after ${experiment.learner.steps} steps, exactly ${number(data.exact)}`;
    replace(figure, curve({
      width: Math.max(240, Math.min(figure.clientWidth || 400, 900)), height: 230, last: experiment.last, summary,
      floor: rms ? 0 : undefined, ...data,
    }));
    const exact = rms ? null : experiment.traits.evaluates ? "v_π" : "v*";
    const simulated = experiment.source && experiment.source.kind === "simulated";
    replace(legend, element("span", { class: "key path" }, `${label}, this run`),
      experiment.source ? element("span", { class: "key band" }, simulated ? "200 simulated runs, mean ± 2 sd" : "expected, ± 2 sd") : null,
      exact ? element("span", { class: "key exact" }, symbols(exact), ", exact") : null,
      element("span", { class: "now-value" }, "now ", element("b", { "data-part": "curve-now" }, number(now)), rms ? null : [", exactly ", number(data.exact)]));
    note.textContent = bandText(experiment);
  }

  store.subscribe((_, patch) => {
    if ("model" in patch) rebuild();
    else if ("panel" in patch) {
      bar.hidden = side.hidden = store.state.panel !== "learners";
      publish();
    }
    else if ("selected" in patch) draw();
  });
  new ResizeObserver(() => draw()).observe(side);
  rebuild();
}
