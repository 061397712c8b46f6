// The table of all states: the values shown, the exact ones, and the greedy actions.
import { element, replace, shownNumber } from "./dom.js";
import { actionOf } from "./model.js";

export function tablePanel(store, host) {
  function row(s) {
    const { model, shown, answer, selected } = store.state;
    const pick = () => store.set({ selected: s });
    return element("tr", { class: s === selected ? "selected" : null, "data-state": s },
      element("th", { scope: "row" }, element("button", { type: "button", class: "plain", onclick: pick }, model.states[s])),
      element("td", {}, shownNumber(shown ? shown.values[s] : NaN)),
      element("td", {}, shownNumber(answer ? answer.v[s] : NaN)),
      element("td", {}, model.terminal[s] ? "terminal" : shown ? shown.greedy[s].map((i) => actionOf(model, i)).join(", ") : ""));
  }
  function show() {
    const { model, shown } = store.state;
    replace(host, element("div", { class: "scroll" }, element("table", {},
      element("thead", {}, element("tr", {}, ["state", shown ? shown.name : "value", "v*", "greedy actions"].map((x) => element("th", { scope: "col" }, x)))),
      element("tbody", {}, Array.from({ length: model.S }, (_, s) => row(s))))));
  }
  store.subscribe((_, patch) => { if ("shown" in patch || "model" in patch || "selected" in patch) show(); });
  show();
}
