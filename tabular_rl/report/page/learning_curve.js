// The curve of a learner: its path, the band behind it, and why the band is what it is.
import { curve } from "./curve.js";
import { choice, element, number, replace, tickbox } from "./dom.js";
import { tableError } from "./experiment.js";
import { valuesOf } from "./learn.js";
import { stateName } from "./learner_view.js";
import { symbols } from "./texts.js";

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

// learningCurve(host, { simulated, onsimulate, onchange }) -> { draw(experiment, s) }: s is a state of its sampling model.
export function learningCurve(host, { simulated, onsimulate, onchange }) {
  let show = "value";
  const shows = choice({
    name: "curve-shows", label: "curve", value: show, options: [["value", "the value of the selected state"], ["rms", "the error of the whole table"]],
    onchange: (x) => {
      show = x;
      onchange();
    },
  });
  const simulate = tickbox({ name: "simulate", label: "200 simulated runs", value: simulated, onchange: onsimulate });
  const figure = element("figure", { class: "learning" });
  const legend = element("p", { class: "curve-legend" });
  const note = element("p", { class: "note band-note" });
  replace(host, element("div", { class: "settings" }, shows.host, simulate.host), figure, legend, note);

  function draw(experiment, s) {
    const rms = show === "rms";
    const data = curveData(experiment, s, show);
    const label = rms ? "root mean square error of the table" : `v(${stateName(experiment, s)})`;
    const now = data.path[data.path.length - 1][1];
    const summary = `${label} against steps: now ${number(now)} after ${experiment.learner.steps} steps, exactly ${number(data.exact)}`;
    replace(figure, curve({
      width: Math.max(240, Math.min(figure.clientWidth || 400, 900)), height: 230, last: experiment.last, summary,
      floor: rms ? 0 : undefined, ...data,
    }));
    replace(legend, legendOf(experiment, rms, label, now, data.exact));
    note.textContent = bandText(experiment);
    simulate.host.hidden = !experiment.why;
  }

  return { draw };
}

function legendOf({ source, traits }, rms, label, now, exact) {
  const band = source && (source.kind === "simulated" ? "200 simulated runs, mean ± 2 sd" : "expected, ± 2 sd");
  return [
    element("span", { class: "key path" }, `${label}, this run`),
    band ? element("span", { class: "key band" }, band) : null,
    rms ? null : element("span", { class: "key exact" }, symbols(traits.evaluates ? "v_π" : "v*"), ", exact"),
    element("span", { class: "now-value" }, "now ", element("b", { "data-part": "curve-now" }, number(now)), rms ? null : [", exactly ", number(exact)]),
  ];
}
