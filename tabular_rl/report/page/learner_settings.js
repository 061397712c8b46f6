// The controls of a learner: which one, of which policy, its step size, exploration, seed, and the mistakes planted in it.
import { button, choice, element, newId, replace, slider, tickbox } from "./dom.js";
import { LEARNERS } from "./learn.js";
import { mistakeText } from "./update.js";

// A labelled box for a number. numberBox({ name, label, value, step, onchange }) -> { host, input }
function numberBox({ name, label, value, step, min, onchange }) {
  const id = newId(name);
  const input = element("input", { type: "number", id, class: "small", value, step, min, "data-control": name });
  input.addEventListener("change", () => {
    if (input.value !== "" && Number.isFinite(Number(input.value))) onchange(Number(input.value));
  });
  return { host: element("div", { class: "box" }, element("label", { for: id }, label), input), input };
}

// learnerSettings(own, { change(patch), showTime(t) }) -> { host, show(model, answer) }. `own` are the settings as they are;
// a control calls `change` with what becomes different.
export function learnerSettings(own, { change, showTime }) {
  const { methods, policy, behavior, kind, alpha, epsilon } = ruleControls(own, change);
  const { seed, startValue, terminalValue, time } = numberControls(own, change, showTime);
  const switches = element("fieldset", { class: "mistakes" });
  const planted = element("ul", { class: "planted-notes" });
  const host = element("div", {},
    element("div", { class: "settings" }, methods.host, policy.host, behavior.host, startValue.host, seed.host, time.host),
    element("div", { class: "settings" }, kind.host, alpha.host, epsilon.host),
    switches, planted);

  function showSwitches() {
    const focused = switches.contains(document.activeElement) ? document.activeElement.dataset.control : null;
    replace(switches, element("legend", {}, "Plant a mistake"), LEARNERS[own.method].mistakes.map((key) => mistakeSwitch(own, key, change)), terminalValue.host);
    replace(planted, own.mistakes.map((key) => element("li", {}, mistakeText(own.method, key)[1])));
    if (focused) switches.querySelector(`[data-control="${focused}"]`).focus();
  }

  return {
    host,
    show(model, answer) {
      const { evaluates } = LEARNERS[own.method];
      policy.set(own.policy);
      policy.select.querySelector("[value=optimal]").disabled = !answer;
      policy.host.hidden = !evaluates;
      behavior.host.hidden = own.method !== "q-evaluation";
      epsilon.host.hidden = evaluates;
      alpha.host.hidden = own.kind !== "constant";
      time.host.hidden = !model.horizon;
      terminalValue.host.hidden = !own.mistakes.includes("no mask");
      showSwitches();
    },
  };
}

// The learner, its policies and its rates.
function ruleControls(own, change) {
  return {
    methods: choice({
      name: "learner", label: "learner", options: Object.entries(LEARNERS).map(([key, { name }]) => [key, name]), value: own.method,
      onchange: (x) => change({ method: x, mistakes: own.mistakes.filter((key) => LEARNERS[x].mistakes.includes(key)) }),
    }),
    policy: choice({
      name: "learner-policy", label: "policy π", options: [["uniform", "uniform"], ["optimal", "the best one"]], value: own.policy,
      onchange: (x) => change({ policy: x }),
    }),
    behavior: choice({
      name: "learner-behavior", label: "actions by", options: [["uniform", "uniform b"], ["policy", "π itself"]], value: own.behavior,
      onchange: (x) => change({ behavior: x }),
    }),
    kind: choice({
      name: "step-size-kind", label: "step size", value: own.kind,
      options: [["constant", "constant α"], ["harmonic", "1/n, n the updates of the entry"], ["power", "n^−0.7"]], onchange: (x) => change({ kind: x }),
    }),
    alpha: slider({ name: "step-size", label: "α", min: 0.01, max: 1, step: 0.01, value: own.alpha, onchange: (x) => change({ alpha: x }) }),
    epsilon: slider({
      name: "epsilon", label: "ε, exploration", min: 0, max: 1, step: 0.01, value: own.epsilon, onchange: (x) => change({ epsilon: x }),
    }),
  };
}

// The boxes for numbers.
function numberControls(own, change, showTime) {
  const seed = numberBox({
    name: "seed", label: "seed", value: own.seed, step: 1, min: 0,
    onchange: (x) => takeSeed(Math.min(Math.max(0, Math.floor(x)), Number.MAX_SAFE_INTEGER)),
  });
  function takeSeed(x) {
    seed.input.value = String(x);
    change({ seed: x });
  }
  seed.host.append(button("new-seed", "next", () => takeSeed(own.seed + 1), {
    "aria-label": "next seed", title: "the same learner with other random numbers",
  }));
  const time = numberBox({
    name: "learner-time", label: "time t shown", value: 0, step: 1, min: 0, onchange: (x) => { time.input.value = String(showTime(x)); },
  });
  return {
    seed, time,
    startValue: numberBox({ name: "start-value", label: "values at the start", value: own.startValue, step: "any", onchange: (x) => change({ startValue: x }) }),
    terminalValue: numberBox({
      name: "terminal-value", label: "the table's entry of terminal states", value: own.terminalValue, step: "any",
      onchange: (x) => change({ terminalValue: x }),
    }),
  };
}

function mistakeSwitch(own, key, change) {
  const [label, sentence] = mistakeText(own.method, key);
  const tick = tickbox({
    name: `mistake-${key.replaceAll(" ", "-")}`, label, value: own.mistakes.includes(key),
    onchange: (on) => change({ mistakes: on ? [...own.mistakes, key] : own.mistakes.filter((x) => x !== key) }),
  });
  tick.host.setAttribute("title", sentence);
  return tick.host;
}
