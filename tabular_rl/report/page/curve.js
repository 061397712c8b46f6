// A learning curve as SVG: a sampled path, the band of what is expected, and the exact value.
import { drawn, newId, number } from "./dom.js";

const EDGE = { top: 8, right: 12, bottom: 30, left: 54 };

// Round numbers from low to high, about `count` of them.
export function roundTicks(low, high, count) {
  const raw = (high - low) / count;
  const size = 10 ** Math.floor(Math.log10(raw));
  const step = size * [1, 2, 5, 10].find((factor) => factor * size >= raw * 0.999);
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k += 1) ticks.push(Number((k * step).toPrecision(12)));
  return ticks;
}

// The range of the vertical axis: all that is expected, and the path as far as it stays near that.
export function rangeOf({ path, band, exact, floor }) {
  const core = [];
  const largest = Math.min(1e12 * Math.max(1, Math.abs(exact) || 0), 1e306); // what diverges does not make the range
  const keep = (x) => { if (Number.isFinite(x) && Math.abs(x) < largest) core.push(x); };
  keep(exact);
  if (path.length) keep(path[0][1]);
  for (const [, mean, sd] of band) {
    keep(mean - 2 * sd);
    keep(mean + 2 * sd);
  }
  let low = Math.min(...core);
  let high = Math.max(...core);
  if (!core.length) [low, high] = [0, 1];
  const room = Math.max(high - low, 1e-3 * Math.max(Math.abs(low), Math.abs(high)), 1e-9);
  const [least, most] = [low - 1.5 * room, high + 1.5 * room];
  for (const [, x] of path) {
    if (Number.isNaN(x)) continue;
    low = Math.min(low, Math.max(x, least));
    high = Math.max(high, Math.min(x, most));
  }
  const margin = 0.06 * (high - low || room);
  return [floor === undefined ? low - margin : Math.max(low - margin, floor), high + margin];
}

// curve({ width, height, last, path: [[step, value]], band: [[step, mean, sd]], exact, floor, summary }) -> svg
export function curve(given) {
  const { width, height, last, path, band, exact, summary } = given;
  const [low, high] = rangeOf(given);
  const x = (step) => EDGE.left + (step / last) * (width - EDGE.left - EDGE.right);
  const y = (value) => EDGE.top + ((high - value) / (high - low)) * (height - EDGE.top - EDGE.bottom);
  const inside = (value) => Math.min(Math.max(value, low - 2 * (high - low)), high + 2 * (high - low));
  const text = (points) => points.map(([step, value]) => `${x(step).toFixed(1)},${y(inside(value)).toFixed(1)}`).join(" ");
  const clip = newId("clip");
  const sure = band.filter((point) => Number.isFinite(point[1]) && Number.isFinite(point[2]));
  const upper = sure.map(([step, mean, sd]) => [step, mean + 2 * sd]);
  const lower = sure.map(([step, mean, sd]) => [step, mean - 2 * sd]).reverse();
  const finite = path.filter(([, value]) => !Number.isNaN(value));
  const end = finite.length ? finite[finite.length - 1] : null;
  return drawn("svg", { class: "curve", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": summary },
    drawn("clipPath", { id: clip }, drawn("rect", {
      x: EDGE.left, y: EDGE.top, width: width - EDGE.left - EDGE.right, height: height - EDGE.top - EDGE.bottom,
    })),
    roundTicks(low, high, Math.max(2, Math.floor(height / 50))).map((tick) => [
      drawn("line", { class: "gridline", x1: EDGE.left, x2: width - EDGE.right, y1: y(tick), y2: y(tick) }),
      drawn("text", { class: "axis-label", x: EDGE.left - 6, y: y(tick) + 4, "text-anchor": "end" }, number(tick, 5)),
    ]),
    roundTicks(0, last, Math.max(2, Math.floor(width / 110))).map((tick) => drawn("text", {
      class: "axis-label", x: x(tick), y: height - EDGE.bottom + 16, "text-anchor": "middle",
    }, number(tick))),
    drawn("text", { class: "axis-label", x: width - EDGE.right, y: height - 1, "text-anchor": "end" }, "steps"),
    drawn("g", { "clip-path": `url(#${clip})` },
      sure.length > 1 ? drawn("polygon", { class: "band", points: text([...upper, ...lower]) }) : null,
      sure.length > 1 ? drawn("polyline", { class: "mean", points: text(sure) }) : null,
      exact >= low && exact <= high ? drawn("line", { class: "exact", x1: EDGE.left, x2: width - EDGE.right, y1: y(exact), y2: y(exact) }) : null,
      finite.length > 1 ? drawn("polyline", { class: "path", points: text(finite) }) : null),
    end ? drawn("circle", { class: "now", cx: x(end[0]), cy: y(Math.min(Math.max(end[1], low), high)), r: 4 }) : null);
}
