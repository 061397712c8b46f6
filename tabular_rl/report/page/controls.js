// The sliders of the model: gamma and noise.
import { button, element, number, replace, slider } from "./dom.js";
import { ticksPanel } from "./ticks.js";

export function controlsPanel(store, host) {
  const { base } = store.state;
  const gamma = slider({
    name: "gamma", label: "γ, the discount", min: 0, max: 1, step: 0.01, value: base.gamma,
    onchange: (x) => store.setModel({ gamma: x }),
  });
  const noise = slider({
    name: "noise", label: "noise", min: 0, max: 1, step: 0.01, value: 0,
    hint: "how often chance takes any action of the state instead of the one chosen",
    onchange: (x) => store.setModel({ noise: x }),
  });
  const reset = button("reset", "as in the file", () => store.setModel({ gamma: base.gamma, noise: 0 }));
  const status = element("p", { class: "status", role: "status", "aria-live": "polite" });
  const ticks = element("div", { "data-ticks": "gamma" });
  gamma.host.append(ticks);
  ticksPanel(store, ticks);
  replace(host, gamma.host, noise.host, element("div", { class: "as-given" }, reset, status));
  if (base.onEntry) {
    gamma.input.disabled = true;
    gamma.box.disabled = true;
    gamma.host.title = "rewards of terminal states are in the transitions into them, times γ: another γ makes another file";
  }
  const stated = document.querySelector("[data-fact=gamma]"); // γ in the heading of the page
  const asGiven = stated && stated.textContent;
  function show() {
    const { state } = store;
    gamma.set(state.gamma);
    noise.set(state.noise);
    const changed = state.gamma !== base.gamma || state.noise !== 0;
    reset.disabled = !changed;
    if (stated) stated.textContent = state.gamma === base.gamma ? asGiven : `γ = ${number(state.gamma)} (the file has ${number(base.gamma)})`;
    status.textContent = state.answer === null
      ? `At γ = ${number(state.gamma)} there is no finite answer: a total reward grows without end.`
      : changed ? `γ = ${number(state.gamma)}, noise ${number(state.noise)}: solved again, in this page, with floating-point numbers.` : `The model as the file has it. ${provenText(base)}`;
  }
  store.subscribe((_, patch) => { if ("model" in patch) show(); });
  show();
}

// How well the answer that came with the page is known.
function provenText({ answer, horizon }) {
  const name = horizon === null ? "v*" : "The values";
  if (answer.exact) return `${name} ${horizon === null ? "is" : "are"} exact, in fractions.`;
  return answer.bound === null ? `${name}: nothing is proven.` : `${name} proven to ± ${number(answer.bound, 2)}.`;
}
