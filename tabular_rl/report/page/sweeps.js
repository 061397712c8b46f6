// The scrubber: a method, the order of its sweeps, and the steps one by one, with the error beside its bound.
import { errorChart } from "./chart.js";
import { button, choice, element, newId, number, replace, shownNumber } from "./dom.js";
import { actionOf } from "./model.js";
import { endingRows, orders, runOf, takenRows, weightedRows } from "./runs.js";
import { firstRows, uniformWeights, usedIn, weightsOf } from "./solve.js";
import { symbols } from "./texts.js";

const METHODS = [
  ["value-iteration", "value iteration"], ["policy-evaluation", "policy evaluation"], ["policy-iteration", "policy iteration"],
];
const PAUSE = 700; // milliseconds between two steps that are played

// What is chosen: a method, an order, a policy; and the step.
function defaults(model) {
  return { method: model.horizon === null ? "value-iteration" : "backward-induction", order: "synchronous", policy: "uniform", actions: "policy", start: "first", at: 0 };
}

export function sweepsPanel(store, host) {
  const { base } = store.state;
  const timed = base.horizon !== null;
  let chosen = defaults(base);
  let own = firstRows(base);
  let run = null;
  let playing = null;

  const method = choice({
    name: "method", label: "method", value: chosen.method, onchange: (x) => choose({ method: x, at: 0 }),
    options: timed ? [["backward-induction", "backward induction"]] : METHODS,
  });
  const order = choice({
    name: "order", label: "order", value: chosen.order, onchange: (x) => choose({ order: x }),
    options: orders(base).map(([name, text]) => [name, text]),
  });
  const policy = choice({
    name: "policy", label: "policy", value: chosen.policy, onchange: (x) => choose({ policy: x }),
    options: [["uniform", "all actions equally often"], ["first", "the first action of each state"],
      ["optimal", "a best one"], ["own", "my own: choose actions at the right"], ...(base.policy ? [["given", "the given policy"]] : [])],
  });
  const marked = choice({
    name: "marked-actions", label: "actions shown", value: chosen.actions, onchange: (x) => choose({ actions: x }),
    options: [["policy", "of the policy"], ["greedy", "greedy by V_k"]],
  });
  const start = choice({
    name: "start-policy", label: "first policy", value: chosen.start, onchange: (x) => choose({ start: x, at: 0 }),
    options: [["first", "the first action of each state"], ["uniform", "all actions equally often"], ...(base.terminal.includes(1) ? [["ends", "one that ends"]] : []),
      ["own", "my own: choose actions at the right"]],
  });
  const id = newId("sweep");
  const range = element("input", { type: "range", id, min: 0, max: 1, step: 1, value: 0, "data-control": "sweep", oninput: () => go(Number(range.value)) });
  const box = element("input", {
    type: "number", class: "small", min: 0, step: 1, value: 0, "aria-label": "the step, as a number", "data-control": "sweep-number",
    onchange: () => go(atOf(Number(box.value))),
  });
  const label = element("label", { for: id });
  const play = button("play", "play", () => (playing ? stop() : playOn()));
  const buttons = element("div", { class: "buttons", role: "group", "aria-label": "steps" },
    button("first", "«", () => go(0), { "aria-label": "the first step", title: "the first step" }),
    button("back", "‹", () => go(chosen.at - 1), { "aria-label": "one step back", title: "one step back" }),
    play,
    button("forward", "›", () => go(chosen.at + 1), { "aria-label": "one step on", title: "one step on" }),
    button("last", "»", () => go(Infinity), { "aria-label": "the last step", title: "the last step" }));
  const facts = element("div", { class: "facts-of-step", role: "status", "aria-live": "polite" });
  const chart = errorChart((at) => go(at));
  replace(host,
    element("div", { class: "row choices" }, method.host, order.host, policy.host, marked.host, start.host),
    element("div", { class: "row scrubber" }, buttons, element("div", { class: "slider wide" }, label, range, box)),
    element("div", { class: "row progress" }, facts, chart.host));

  function weights() {
    const { model, answer } = store.state;
    if (chosen.policy === "uniform") return uniformWeights(model);
    if (chosen.policy === "given") return Float64Array.from(base.policy);
    if (chosen.policy === "own") return weightsOf(model, own);
    if (chosen.policy === "optimal" && answer) return weightsOf(model, answer.greedy.map((rows) => (rows.length ? rows[0] : -1)));
    return weightsOf(model, firstRows(model));
  }

  function firstPolicy() {
    const { model } = store.state;
    return { first: firstRows, uniform: firstRows, ends: endingRows, own: () => own }[chosen.start](model);
  }

  function firstWeights() {
    return chosen.start === "uniform" ? uniformWeights(store.state.model) : null;
  }

  function take(i, s) {
    own = Int32Array.from(own);
    own[s] = i;
    compute();
  }

  function stop() {
    clearInterval(playing);
    playing = null;
    play.textContent = "play";
  }

  function playOn() {
    if (!run) return;
    if (chosen.at >= run.steps.length - 1) go(0);
    play.textContent = "pause";
    playing = setInterval(() => {
      if (!run || chosen.at >= run.steps.length - 1 || store.state.panel !== "sweeps") stop();
      else go(chosen.at + 1);
    }, PAUSE);
  }

  function choose(patch) {
    stop();
    chosen = { ...chosen, ...patch };
    compute();
  }

  // Of backward induction the first step is the last time.
  function atOf(k) {
    return timed ? store.state.model.horizon - k : k;
  }

  function go(at) {
    if (!run || Number.isNaN(at)) return;
    chosen.at = Math.min(Math.max(Math.round(at), 0), run.steps.length - 1);
    show();
  }

  function compute() {
    const { model, answer } = store.state;
    const evaluates = chosen.method === "policy-evaluation";
    const found = orders(model).find(([name]) => name === chosen.order);
    const made = () => runOf(model, chosen.method, {
      order: found ? found[2] : null, weights: evaluates ? weights() : firstWeights(), rows: firstPolicy(), answer,
    });
    run = made();
    // At γ = 1 the first actions may never end: others do.
    for (const name of ["uniform", "ends"]) {
      if (run === null && chosen.start !== "own" && start.select.querySelector(`[value=${name}]`)) {
        chosen.start = name;
        run = made();
      }
    }
    order.host.hidden = !["value-iteration", "policy-evaluation"].includes(chosen.method);
    policy.host.hidden = marked.host.hidden = !evaluates;
    start.host.hidden = chosen.method !== "policy-iteration";
    if (run) {
      range.max = String(run.steps.length - 1);
      chosen.at = Math.min(chosen.at, run.steps.length - 1);
    }
    chart.set(run);
    show();
  }

  function show() {
    method.set(chosen.method);
    order.set(chosen.order);
    policy.set(chosen.policy);
    marked.set(chosen.actions);
    start.set(chosen.start);
    if (store.state.panel !== "sweeps") return;
    if (!run) {
      replace(facts, element("p", {}, "The first policy never ends, and its total reward has no limit: at γ = 1 policy iteration cannot start from it. Choose another one."));
      store.set({ shown: null });
      return;
    }
    const step = run.steps[chosen.at];
    range.value = String(chosen.at);
    for (const x of buttons.querySelectorAll("[data-control=first], [data-control=back]")) x.disabled = chosen.at === 0;
    for (const x of buttons.querySelectorAll("[data-control=forward], [data-control=last]")) x.disabled = chosen.at === run.steps.length - 1;
    range.setAttribute("aria-valuetext", nameOf(step.k));
    box.max = String(run.steps.length - 1);
    box.value = String(step.k);
    label.textContent = chosen.method === "policy-iteration" ? "policy k" : timed ? "time t" : "sweep k";
    replace(facts, factsOf(step));
    chart.mark(chosen.at);
    store.set({ shown: shownOf(step) });
  }

  function nameOf(k) {
    return chosen.method === "policy-iteration" ? `v_π${k}` : `V_${k}`;
  }

  function titleOf(step) {
    const { model } = store.state;
    const sweeps = `${step.k} ${step.k === 1 ? "sweep" : "sweeps"}`;
    if (timed) {
      const left = model.horizon - step.k;
      return left === 0 ? "at the end: the final rewards" : `${left} ${left === 1 ? "decision" : "decisions"} left`;
    }
    if (chosen.method === "policy-iteration") return step.k === 0 ? "the values of the first policy" : `the values of policy ${step.k}`;
    if (step.k === 0) return "the start of " + (chosen.method === "policy-evaluation" ? "policy evaluation" : "value iteration");
    return `after ${sweeps} of ${chosen.method === "policy-evaluation" ? "policy evaluation" : "value iteration"}`;
  }

  function shownOf(step) {
    const { model } = store.state;
    const byPolicy = chosen.method === "policy-iteration";
    const ofPolicy = chosen.method === "policy-evaluation" && chosen.actions === "policy";
    return {
      name: nameOf(step.k),
      title: titleOf(step),
      values: step.v,
      q: step.q,
      greedy: byPolicy ? takenRows(model, step.rows) : ofPolicy ? weightedRows(model, weights()) : step.greedy,
      legend: byPolicy ? `the policy π_${step.k}, whose values these are`
        : ofPolicy ? "the policy π that is evaluated"
        : timed ? "the best actions at this time, all ties"
          : "greedy actions by the values shown, all ties",
      exact: timed ? null : run.exact && run.exact.v,
      exactName: chosen.method === "policy-evaluation" ? "v_π" : "v*",
      marked: byPolicy ? step.changed : [],
      explanation: explanationOf(step, model),
    };
  }

  // How these values arose, and what they lead to next.
  function explanationOf(step, model) {
    const at = chosen.at;
    const found = orders(model).find(([name]) => name === chosen.order);
    const sequence = found && ["value-iteration", "policy-evaluation"].includes(chosen.method) ? found[2] : null;
    const mixed = chosen.method === "policy-evaluation" ? weights() : null;
    const pick = mixed && chosen.policy === "own" ? take : null;
    if (chosen.method === "policy-iteration") {
      const policyOf = (k) => (run.steps[k].rows ? weightsOf(model, run.steps[k].rows) : firstWeights());
      return {
        kind: "backup",
        views: [
          { key: "arose", label: `v_π${step.k}: the policy's own equation`, made: `v_π${step.k}`, from: `v_π${step.k}`, policy: policyOf(at), usedFor: () => step.v, pick: at === 0 && chosen.start === "own" ? take : null },
          { key: "next", label: `is another action better? π_${step.k + 1}`, made: `T v_π${step.k}`, from: `v_π${step.k}`, policy: null, usedFor: () => step.v },
        ],
      };
    }
    const between = (from, to) => ({
      made: nameOf(run.steps[to].k),
      from: sequence ? "V" : nameOf(run.steps[from].k),
      note: sequence ? `in place: states before this one in the order have their values of ${nameOf(run.steps[to].k)} already` : null,
      policy: mixed,
      pick,
      usedFor: (s) => usedIn(run.steps[from].v, run.steps[to].v, s, sequence),
    });
    const views = [];
    if (at > 0) views.push({ key: "arose", label: `how ${nameOf(step.k)} arose`, ...between(at - 1, at) });
    if (at < run.steps.length - 1) {
      views.push({ key: "next", label: `what comes next: ${nameOf(run.steps[at + 1].k)}`, ...between(at, at + 1) });
    }
    return { kind: "backup", views };
  }

  function factsOf(step) {
    const { model } = store.state;
    const at = chosen.at;
    if (timed) {
      return [element("p", {}, "Backward induction goes from the end, t = ", element("b", {}, model.horizon), ", to the start, t = 0. Each ", symbols("V_t"), " is exact.")];
    }
    const exactName = chosen.method === "policy-evaluation" ? "v_π" : "v*";
    const lines = [];
    if (run.errors) {
      const bound = run.bounds[at];
      const formula = chosen.method === "policy-iteration" ? `‖T v_π${step.k} − v_π${step.k}‖ / (1 − γ)` : `γ/(1 − γ) ‖V_${step.k} − V_${step.k - 1}‖`;
      lines.push(element("p", { class: "error" },
        element("span", { class: "key true-error" }, "error "), symbols(`‖${nameOf(step.k)} − ${exactName}‖ = `), shownNumber(run.errors[at], { "data-fact": "error" }, 4),
        bound === null ? null : [element("br", {}), element("span", { class: "key bound" }, "bound "), symbols(`${formula} = `), shownNumber(bound, { "data-fact": "bound" }, 4)]));
      if (model.gamma === 1) lines.push(element("p", { class: "quiet" }, "At γ = 1 a sweep need not contract: there is no bound of this kind."));
    }
    if (chosen.method === "policy-iteration" && step.k > 0) {
      lines.push(element("p", {}, `The action changed in ${step.changed.length} ${step.changed.length === 1 ? "state" : "states"}: `,
        step.changed.slice(0, 6).map((s, i) => [i ? ", " : "", element("b", {}, model.states[s]), ` (${actionOf(model, step.rows[s])})`]), step.changed.length > 6 ? " …" : ""));
    }
    lines.push(element("p", { "data-fact": "optimal-from" }, optimalText()));
    return lines;
  }

  function optimalText() {
    const what = { "policy-iteration": "The policy is", "policy-evaluation": "What is greedy by these values is" }[chosen.method] || "The greedy policy is";
    const unit = chosen.method === "policy-iteration" ? "policy" : "sweep";
    if (run.optimalFrom === null) return store.state.answer ? `${what} not optimal within these ${number(run.steps.length - 1)} steps.` : "";
    return [`${what} optimal from `, element("b", {}, `${unit} ${run.optimalFrom}`), " on", run.complete ? "." : ` (of the ${run.steps.length - 1} sweeps made here).`];
  }

  store.subscribe((_, patch) => {
    if ("model" in patch) compute();
    else if ("panel" in patch) show();
  });
  compute();
}
