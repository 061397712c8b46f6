// Reads the model, makes the store, and mounts the panels.
import { controlsPanel } from "./controls.js";
import { element } from "./dom.js";
import { gradientPanel } from "./gradient_panel.js";
import { inspectorPanel } from "./inspector.js";
import { learnersPanel } from "./learners.js";
import { modelOf, withGamma, withNoise } from "./model.js";
import { picturePanel } from "./picture.js";
import { bestAnswer } from "./solve.js";
import { createStore } from "./store.js";
import { sweepsPanel } from "./sweeps.js";
import { tablePanel } from "./table.js";
import { tabs } from "./tabs.js";
import * as expected from "./expected.js";
import * as experiment from "./experiment.js";
import * as gradient from "./gradient.js";
import * as learn from "./learn.js";
import * as moments from "./moments.js";
import * as sampling from "./sampling.js";
import * as solve from "./solve.js";
import * as ticks from "./ticks.js";
import * as uniforms from "./uniforms.js";

const PANELS = {
  controls: controlsPanel, sweeps: sweepsPanel, learners: learnersPanel, gradient: gradientPanel, picture: picturePanel,
  inspector: inspectorPanel, table: tablePanel,
};

// The model with the sliders where they are, and its answer.
function solvedAt(base, gamma, noise) {
  const model = withGamma(withNoise(base, noise), gamma);
  return { gamma, noise, model, answer: bestAnswer(model) };
}

function start() {
  const base = modelOf(JSON.parse(document.getElementById("lesson-data").textContent));
  const first = base.terminal.indexOf(0);
  const store = createStore({
    base, selected: Math.max(first, 0), hovered: null, panel: "sweeps", shown: null, ...solvedAt(base, base.gamma, 0),
  });
  // Panels ask for another gamma or noise by this; all that follows from it changes with it.
  store.setModel = ({ gamma = store.state.gamma, noise = store.state.noise }) => store.set(solvedAt(base, gamma, noise));
  window.lesson = { store, base, solve, expected, experiment, gradient, learn, moments, sampling, ticks, uniforms };
  for (const host of document.querySelectorAll("[data-panel]")) {
    const panel = PANELS[host.dataset.panel];
    if (panel) panel(store, host);
    else host.append(element("p", {}, `There is no panel ${host.dataset.panel}.`));
  }
  tabs(store);
}

start();
