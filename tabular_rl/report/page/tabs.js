// The tabs over the panels: sweeps, learners, gradient. The arrow keys go from one to the next.
import { element, replace } from "./dom.js";

// Each <section data-tab="name" data-title="..."> is the panel of a tab.
export function tabs(store) {
  const host = document.querySelector("[data-tabs]");
  const panels = [...document.querySelectorAll("[data-tab]")];
  const buttons = panels.map((panel) => element("button", {
    type: "button", role: "tab", id: `tab-${panel.dataset.tab}`, "aria-controls": panel.id,
    "data-control": `tab-${panel.dataset.tab}`, onclick: () => store.set({ panel: panel.dataset.tab }),
  }, panel.dataset.title));
  host.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const at = (buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length;
    store.set({ panel: panels[at].dataset.tab });
    buttons[at].focus();
    event.preventDefault();
  });
  function show() {
    panels.forEach((panel, i) => {
      const active = panel.dataset.tab === store.state.panel;
      panel.hidden = !active;
      buttons[i].setAttribute("aria-selected", String(active));
      buttons[i].tabIndex = active ? 0 : -1;
    });
  }
  replace(host, buttons);
  store.subscribe((_, patch) => { if ("panel" in patch) show(); });
  show();
}
