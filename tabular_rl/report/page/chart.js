// The true error and the contraction bound of each step, on a logarithmic scale.
import { drawn, element, number, replace } from "./dom.js";

const WIDTH = 400;
const HEIGHT = 110;
const LEFT = 52;
const BOTTOM = 22;
const TOP = 8;
const FLOOR = 1e-12; // a smaller error, in units of the largest, is drawn here

// errorChart(onpick) -> { host, set(run), mark(at) }
export function errorChart(onpick) {
  const host = element("figure", { class: "chart" });
  let scale = null;
  let marker = null;
  function set(run) {
    const errors = run && run.errors;
    host.hidden = !errors || errors.length < 3 || Math.max(...errors) === 0;
    if (host.hidden) return;
    const seen = [...errors, ...run.bounds].filter((x) => x !== null && Number.isFinite(x));
    const most = Math.max(...seen);
    const low = Math.log10(Math.max(Math.min(...seen.filter((x) => x > 0)), most * FLOOR));
    const high = Math.max(Math.log10(most), low + 1e-9);
    const last = errors.length - 1;
    const x = (at) => LEFT + ((WIDTH - LEFT - 10) * at) / Math.max(last, 1);
    const y = (e) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - (Math.max(Math.log10(Math.max(e, 1e-300)), low) - low) / (high - low));
    const line = (values, name) => drawn("path", {
      class: name, d: values.map((e, at) => [e, at]).filter(([e]) => e !== null && Number.isFinite(e))
        .map(([e, at], i) => `${i ? "L" : "M"}${x(at).toFixed(1)} ${y(e).toFixed(1)}`).join(""),
    });
    const ticks = [];
    const each = Math.max(1, Math.ceil((high - low) / 4));
    for (let p = Math.ceil(low); p <= high; p += each) {
      ticks.push(drawn("line", { class: "tick-line", x1: LEFT, x2: WIDTH - 10, y1: y(10 ** p), y2: y(10 ** p) }));
      ticks.push(drawn("text", { x: LEFT - 6, y: y(10 ** p) + 4, "text-anchor": "end" }, number(10 ** p, 2)));
    }
    marker = drawn("line", { class: "marker", x1: 0, x2: 0, y1: TOP, y2: HEIGHT - BOTTOM });
    scale = x;
    const picture = drawn("svg", {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": "the error of each step, and its bound, on a logarithmic scale",
      onclick: (event) => {
        const box = picture.getBoundingClientRect();
        onpick(((event.clientX - box.left) / box.width * WIDTH - x(0)) / Math.max(x(1) - x(0), 1e-9));
      },
    },
    ticks, run.optimalFrom === null ? null : drawn("rect", { class: "optimal", x: x(run.optimalFrom), y: HEIGHT - BOTTOM, width: Math.max(x(last) - x(run.optimalFrom), 2), height: 4 }),
    line(run.bounds, "bound"), line(errors, "true-error"), marker,
    drawn("text", { x: LEFT, y: HEIGHT - 4 }, "0"), drawn("text", { x: WIDTH - 10, y: HEIGHT - 4, "text-anchor": "end" }, String(last)));
    replace(host, picture, element("figcaption", {},
      element("span", { class: "key true-error" }, "— error"), run.bounds.some((b) => b !== null) ? [" ", element("span", { class: "key bound" }, "- - bound")] : null,
      run.optimalFrom === null ? null : [" ", element("span", { class: "key optimal" }, "▬ greedy policy optimal")]));
  }
  function mark(at) {
    if (host.hidden || !marker) return;
    for (const end of ["x1", "x2"]) marker.setAttribute(end, scale(at));
  }
  return { host, set, mark };
}
