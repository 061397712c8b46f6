// The picture of the model with the values that are shown: a grid, a graph or tiles, under one heading.
import { choice, element, number, replace } from "./dom.js";
import { graphView } from "./graph.js";
import { gridView } from "./grid.js";
import { symbols } from "./texts.js";

const MOST_IN_GRAPH = 60; // states up to which a graph is drawn unless another picture is chosen

export function picturePanel(store, host) {
  const { base } = store.state;
  const kinds = [...(base.layout ? [["grid", "grid"]] : []), ["graph", "graph"], ["tiles", "tiles"], ["none", "none: the table alone"]];
  let kind = base.layout ? "grid" : base.S <= MOST_IN_GRAPH ? "graph" : "tiles";
  let view = null;
  const heading = element("h2", { id: "picture-title" });
  const legend = element("div", { class: "legend" });
  const place = element("div", { class: "picture" });
  const kindChoice = choice({
    name: "picture", label: "picture", options: kinds, value: kind, onchange: (x) => { kind = x; build(); },
  });
  replace(host, element("div", { class: "row heading" }, heading, kindChoice.host), place, legend);

  function build() {
    view = kind === "none" ? null : kind === "graph" ? graphView(store) : gridView(store, kind === "grid");
    replace(place, view ? view.host : null);
    fit();
    show();
  }

  function fit() {
    if (view) view.fit(place.clientWidth);
  }

  // Colours and how strong they are: blue is good, orange is bad, whatever the sign of the model.
  function tones() {
    const { shown, answer, base: { sign } } = store.state;
    const known = [...(shown ? shown.values : []), ...(answer ? answer.v : [])].filter((x) => Number.isFinite(x)).map(Math.abs);
    const most = Math.max(...known, 0);
    return {
      most,
      of: (x) => ({ share: most > 0 && Number.isFinite(x) ? Math.abs(x) / most : 0, good: sign * x >= 0 }),
    };
  }

  function show() {
    const { shown, selected, hovered } = store.state;
    replace(heading, shown ? [element("span", { class: "symbol" }, symbols(shown.name)), " ", element("span", { class: "title" }, shown.title)] : "no values");
    const scale = tones();
    if (view) view.show({ shown, selected, hovered, scale });
    showLegend(shown, scale);
  }

  function showLegend(shown, scale) {
    const { base: { sign } } = store.state;
    const values = shown ? [...shown.values].filter((x) => Number.isFinite(x)) : [];
    const both = [values.some((x) => sign * x < 0), values.some((x) => sign * x > 0)];
    replace(legend,
      both[0] ? ["worse ", element("span", { class: "bar bad" }), ` ${number(-sign * scale.most, 3)} … `] : both[1] ? "worse " : null,
      "0",
      both[0] && !both[1] ? " better" : null,
      both[1] ? [` … ${number(sign * scale.most, 3)} `, element("span", { class: "bar good" }), " better"] : null,
      view && view.words ? element("span", { class: "words" }, view.words) : null,
      shown && shown.legend ? element("span", { class: "arrows" }, kind === "grid" ? "▲ " : kind === "graph" ? "━ " : "", symbols(shown.legend)) : null);
  }

  new ResizeObserver(fit).observe(place);
  store.subscribe((_, patch) => {
    if ("model" in patch && view) view.changed();
    if ("shown" in patch || "selected" in patch || "hovered" in patch) show();
  });
  build();
}
