// Reads the model, makes the store, and mounts the panels.
import { challengesPanel } from "./challenges_panel.js";
import { controlsPanel } from "./controls.js";
import { gradientPanel } from "./gradient_panel.js";
import { inspectorPanel } from "./inspector.js";
import { learnersPanel } from "./learners.js";
import { modelOf, withGamma, withNoise } from "./model.js";
import { picturePanel } from "./picture.js";
import { bestAnswer, greedyRows, rowValues } from "./solve.js";
import { createStore } from "./store.js";
import { sweepsPanel } from "./sweeps.js";
import { tablePanel } from "./table.js";
import { tabs } from "./tabs.js";
import { themeSwitch } from "./theme.js";
import * as challenges from "./challenges.js";
import * as dom from "./dom.js";
import * as expected from "./expected.js";
import * as experiment from "./experiment.js";
import * as gradient from "./gradient.js";
import * as learn from "./learn.js";
import * as models from "./model.js";
import * as moments from "./moments.js";
import * as paths from "./paths.js";
import * as runs from "./runs.js";
import * as sampling from "./sampling.js";
import * as solve from "./solve.js";
import * as ticks from "./ticks.js";
import * as uniforms from "./uniforms.js";

// <section data-panel="name"> is filled by the panel of this name, and left out where there is none. The picture and
// what reads `shown` come before the panels that set it.
const PANELS = {
  controls: controlsPanel,
  picture: picturePanel,
  inspector: inspectorPanel,
  table: tablePanel,
  sweeps: sweepsPanel,
  learners: learnersPanel,
  gradient: gradientPanel,
  challenges: challengesPanel,
};
// What tests in a browser ask for by name.
const PARTS = { challenges, dom, expected, experiment, gradient, learn, models, moments, paths, runs, sampling, solve, ticks, uniforms };

// The model with the sliders where they are, and its answer: as Python proved it where they have not been moved.
function solvedAt(base, gamma, noise) {
  const model = withGamma(withNoise(base, noise), gamma);
  const given = gamma === base.gamma && noise === 0 ? base.answer.v : null;
  if (given === null || base.horizon !== null) return { gamma, noise, model, answer: bestAnswer(model) };
  const v = Float64Array.from(given);
  const q = rowValues(model, v);
  return { gamma, noise, model, answer: { v, q, greedy: greedyRows(model, q), times: null } };
}

function start() {
  themeSwitch();
  const base = modelOf(JSON.parse(document.getElementById("lesson-data").textContent));
  const likeliest = base.start.indexOf(Math.max(...base.start));
  const store = createStore({
    base, selected: Math.max(likeliest, 0), hovered: null, panel: "sweeps", shown: null, ...solvedAt(base, base.gamma, 0),
  });
  // Panels ask for another gamma or noise by this. All that follows from it changes in one `set`.
  store.setModel = ({ gamma = store.state.gamma, noise = store.state.noise }) => store.set(solvedAt(base, gamma, noise));
  window.lesson = { store, base, ...PARTS };
  for (const host of document.querySelectorAll("[data-panel]")) {
    const panel = PANELS[host.dataset.panel];
    if (panel) panel(store, host);
    else host.remove();
  }
  tabs(store);
}

start();
