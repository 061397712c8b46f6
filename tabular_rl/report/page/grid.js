// States in the cells of a grid, or as tiles in the order of the model: values as number and colour, and the greedy
// actions as arrows where they have a direction, else by name.
import { drawn, element, replace } from "./dom.js";
import { actionOf } from "./model.js";
import { roleIn, stateTexts } from "./texts.js";

const GAP = 2;
const LARGEST = 88; // pixels of a cell
const SMALLEST = 24; // what a finger can hit
// The direction of an arrow in degrees, from the right clockwise.
const ANGLES = { "→": 0, "↘": 45, "↓": 90, "↙": 135, "←": 180, "↖": 225, "↑": 270, "↗": 315 };

// gridView(store, laidOut) -> { host, fit(width), show(what), changed() }
export function gridView(store, laidOut) {
  const { base } = store.state;
  const columns = laidOut ? base.layout.columns : Math.min(base.S, Math.max(4, Math.ceil(Math.sqrt(base.S * 1.6))));
  const rows = laidOut ? base.layout.rows : Math.ceil(base.S / columns);
  const stateAt = new Map();
  for (let s = 0; s < base.S; s += 1) stateAt.set(laidOut ? base.layout.cells[s] : s, s);
  const elsewhere = new Set(laidOut ? base.layout.elsewhere : []);
  const arrows = laidOut ? base.arrows : base.actions.map(() => null);
  const cells = new Array(base.S);
  const only = [...base.start].filter((p) => p > 0).length === 1 ? base.start.findIndex((p) => p > 0) : -1;
  const drawsArrows = arrows.some(Boolean);
  let size = LARGEST;
  let last = null;

  function cell(c) {
    const s = stateAt.get(c);
    if (s === undefined) {
      const wall = !laidOut && c >= base.S ? "nothing" : elsewhere.has(c) ? "elsewhere" : "wall";
      return element("div", { class: `cell ${wall}`, role: "gridcell", "aria-label": wall, title: wall === "elsewhere" ? "leads to another cell at once" : null }, wall === "elsewhere" ? "↷" : "");
    }
    const made = {
      host: element("div", { class: "cell", role: "gridcell", "data-state": s, tabindex: -1, title: base.states[s], onclick: () => select(s), onpointerenter: () => store.set({ hovered: s }), onpointerleave: () => store.set({ hovered: null }) }),
      arrows: drawn("svg", { class: "arrows", viewBox: "0 0 100 100", "aria-hidden": "true" }),
      value: element("span", { class: "value" }),
      actions: element("span", { class: "actions" }),
    };
    made.host.append(made.arrows, element("span", { class: "name", "aria-hidden": "true" }, s === only ? element("b", {}, "S ") : null, base.states[s]), made.value, made.actions);
    if (base.terminal[s]) made.host.classList.add("terminal");
    cells[s] = made;
    return made.host;
  }

  const host = element("div", {
    class: laidOut ? "grid" : "grid tiles", role: "grid", "aria-labelledby": "picture-title", onkeydown: move, style: `--columns: ${columns}`,
  }, Array.from({ length: rows }, (_, i) => element("div", { role: "row", class: "grid-row" },
    Array.from({ length: columns }, (__, j) => cell(i * columns + j)))));
  const scroller = element("div", { class: "scroll" }, host);

  function select(s) {
    store.set({ selected: s });
    cells[s].host.focus({ preventScroll: true });
  }

  // The arrow keys go to the next state in a direction; Home and End to the first and the last one.
  function move(event) {
    const steps = { ArrowUp: -columns, ArrowDown: columns, ArrowLeft: -1, ArrowRight: 1 };
    const c = laidOut ? base.layout.cells[store.state.selected] : store.state.selected;
    let to = null;
    if (event.key === "Home") to = 0;
    else if (event.key === "End") to = base.S - 1;
    else if (event.key in steps) {
      const step = steps[event.key];
      const line = (x) => Math.floor(x / columns);
      for (let at = c + step; at >= 0 && at < rows * columns && (Math.abs(step) > 1 || line(at) === line(c)); at += step) {
        if (stateAt.has(at)) {
          to = stateAt.get(at);
          break;
        }
      }
    } else return;
    event.preventDefault();
    if (to !== null) select(to);
  }

  function fit(width) {
    const room = Math.floor((width - GAP * (columns - 1) - 2) / columns);
    size = Math.max(SMALLEST, Math.min(LARGEST, room));
    host.style.setProperty("--size", `${size}px`);
    host.classList.toggle("narrow", size < 60);
    host.classList.toggle("tiny", size < 40);
    if (last) show(last);
  }

  function arrowShape(sign, rank, count) {
    if (sign in ANGLES) {
      return drawn("path", { d: "M98 50 L84 40 L84 60 Z", transform: `rotate(${ANGLES[sign]} 50 50)` });
    }
    return drawn("circle", { cx: 50 + 14 * (rank - (count - 1) / 2), cy: 88, r: 5 });
  }

  function show(what) {
    last = what;
    const { shown, selected, hovered, scale } = what;
    const { model } = store.state;
    const room = Math.max(3, Math.floor((drawsArrows ? size * 0.6 : size - 4) / (fontSize() * 0.58)));
    const texts = stateTexts(model, shown, room);
    const next = nextOf(model, selected);
    for (let s = 0; s < model.S; s += 1) {
      const { host: box, arrows: svg, value, actions } = cells[s];
      const x = shown ? shown.values[s] : NaN;
      const tone = scale.of(x);
      box.style.setProperty("--share", tone.share.toFixed(3));
      box.classList.toggle("good", tone.good);
      box.classList.toggle("selected", s === selected);
      box.classList.toggle("next", next.has(s) && s !== selected);
      box.classList.toggle("hovered", s === hovered);
      box.classList.toggle("marked", Boolean(shown && shown.marked && shown.marked.includes(s)));
      const role = roleIn(shown, s);
      if (role) box.dataset.role = role;
      else delete box.dataset.role;
      box.tabIndex = s === selected ? 0 : -1;
      box.setAttribute("aria-selected", String(s === selected));
      value.textContent = texts[s];
      value.dataset.value = String(x + 0);
      const greedy = shown ? shown.greedy[s] : [];
      const signs = greedy.map((i) => arrows[model.pairAction[i]]);
      const drawable = signs.length > 0 && signs.every(Boolean);
      replace(svg, drawable ? signs.map((sign, rank) => arrowShape(sign, rank, signs.length)) : []);
      box.classList.toggle("up", drawable && signs.includes("↑"));
      const names = greedy.map((i) => actionOf(model, i));
      actions.textContent = model.terminal[s] ? "end" : drawable ? "" : names.join(", ");
      box.setAttribute("aria-label", `${base.states[s]}${s === only ? ", the start" : ""}: ${texts[s]}${model.terminal[s] ? ", terminal" : names.length ? `, ${names.join(" or ")}` : ""}${role ? `; ${role} of the last transition` : ""}`);
    }
  }

  function fontSize() {
    return Math.max(9, Math.min(16, size * 0.185));
  }

  return { host: scroller, fit, show, changed() {}, words: only >= 0 ? "S start" : "" };
}

// The states that a move from s can lead to.
export function nextOf(model, s) {
  const found = new Set();
  for (let k = model.rowPtr[model.pairPtr[s]]; k < model.rowPtr[model.pairPtr[s + 1]]; k += 1) {
    if (model.prob[k] > 0) found.add(model.next[k]);
  }
  return found;
}
