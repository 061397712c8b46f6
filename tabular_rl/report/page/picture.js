// The picture of the model with the values that are shown: a grid, a graph, or nothing beside the table.
import { element, number, replace } from "./dom.js";
import { actionOf } from "./model.js";

export function picturePanel(store, host) {
  function cell(s) {
    const { model, shown, selected } = store.state;
    const actions = shown ? shown.greedy[s].map((i) => actionOf(model, i)).join(" ") : "";
    return element("button", {
      type: "button", class: s === selected ? "cell selected" : "cell", "data-state": s, onclick: () => store.set({ selected: s }),
    }, element("span", { class: "name" }, model.states[s]), element("strong", {}, number(shown ? shown.values[s] : NaN, 4)), element("span", {}, actions));
  }
  function show() {
    const { model, shown } = store.state;
    replace(host, element("h2", {}, shown ? shown.title : ""), element("div", { class: "cells" }, Array.from({ length: model.S }, (_, s) => cell(s))));
  }
  store.subscribe((_, patch) => { if ("shown" in patch || "selected" in patch) show(); });
  show();
}
