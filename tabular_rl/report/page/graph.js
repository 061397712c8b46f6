// The model as a graph: a state is a disc, an action a dot on the way to where it leads.
import { drawn, element, number, replace } from "./dom.js";
import { nextOf } from "./grid.js";
import { actionOf, rowsOf } from "./model.js";
import { looseTexts, roleIn } from "./texts.js";

const RADIUS = 33;
const COLUMN = 150; // pixels between columns at least, and between rows
const ROW = 132;
const LEVEL = 108; // between levels that stand below each other
const EDGE = 66; // around the whole
const STEM = RADIUS + 24; // from the middle of a state to the dot of an action
const APART = 0.62; // radians between two dots of a state
const ASIDE = 0.22; // radians that a dot stands to the right of its way, so that ways there and back are apart
const FEW = 24; // rows up to which all actions are drawn; beyond, the greedy ones and those of the selected state
const ALONG = [0.5, 0.62, 0.38, 0.74, 0.28, 0.84]; // of a way, where its probability may stand
const BESIDE = [14, -14, 24, -24, 34, -34]; // pixels from its middle, where there is no room on it
const MANY = 3000; // outcomes of greedy actions beyond which those of the selected state alone are drawn

export function graphView(store) {
  const { base } = store.state;
  const svg = drawn("svg", { class: "graph", role: "group", "aria-labelledby": "picture-title" });
  const scroller = element("div", { class: "scroll" }, svg);
  const links = drawn("g", { class: "links" });
  const names = drawn("g", { class: "labels" });
  const nodes = Array.from({ length: base.S }, (_, s) => node(s));
  svg.append(links, drawn("g", { onkeydown: move }, nodes.map((n) => n.host)), names);
  let points = [];
  let directions = null;
  let last = null;

  function node(s) {
    const disc = drawn("circle", { r: RADIUS, class: "disc" });
    const value = drawn("text", { class: "value", y: 13, "text-anchor": "middle" });
    const name = drawn("text", { class: "name", y: -5, "text-anchor": "middle" }, shortened(base.states[s], 11));
    if (base.states[s].length > 9) name.classList.add("long");
    const role = drawn("text", { class: "role", x: 2 - RADIUS, y: RADIUS + 4, "text-anchor": "end" });
    const host = drawn("g", {
      class: base.terminal[s] ? "node terminal" : "node", role: "button", tabindex: -1, "data-state": s,
      onclick: () => select(s), onpointerenter: () => store.set({ hovered: s }), onpointerleave: () => store.set({ hovered: null }),
    }, drawn("title", {}, base.states[s]), disc, base.terminal[s] ? drawn("circle", { r: RADIUS - 4, class: "inner" }) : null, value, name, role);
    return { host, disc, value, role };
  }

  function select(s) {
    store.set({ selected: s });
    nodes[s].host.focus({ preventScroll: true });
  }

  // The arrow keys go to the nearest state in a direction.
  function move(event) {
    const way = { ArrowUp: [0, -1], ArrowDown: [0, 1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] }[event.key];
    if (!way) {
      if (event.key === "Enter" || event.key === " ") event.preventDefault();
      return;
    }
    event.preventDefault();
    const from = points[store.state.selected];
    let best = null;
    points.forEach((p, s) => {
      const along = (p.x - from.x) * way[0] + (p.y - from.y) * way[1];
      const aside = Math.abs((p.x - from.x) * way[1]) + Math.abs((p.y - from.y) * way[0]);
      if (along > 1 && (best === null || along + 2 * aside < best.cost)) best = { s, cost: along + 2 * aside };
    });
    if (best) select(best.s);
  }

  function fit(width) {
    const [wide, tall] = [0, 1].map((d) => Math.max(...base.places.map((p) => p[d]), 0));
    // On a narrow screen columns become rows.
    const onSide = EDGE * 2 + wide * COLUMN * 0.7 > width && wide > tall;
    const [across, down] = onSide ? [tall, wide] : [wide, tall];
    const column = across > 0 ? Math.max(onSide ? 100 : 110, Math.min(COLUMN * 1.6, (width - 2 * EDGE) / across)) : 0;
    const size = { x: Math.max(width, across * column + 2 * EDGE), y: down * (onSide ? LEVEL : ROW) + 2 * EDGE };
    const left = (size.x - across * column) / 2;
    const row = onSide ? LEVEL : ROW;
    points = base.places.map(([x, y]) => (onSide ? { x: left + y * column, y: EDGE + x * row } : { x: left + x * column, y: EDGE + y * row }));
    svg.setAttribute("viewBox", `0 0 ${size.x} ${size.y}`);
    svg.setAttribute("width", size.x);
    svg.setAttribute("height", size.y);
    points.forEach((p, s) => nodes[s].host.setAttribute("transform", `translate(${p.x.toFixed(1)} ${p.y.toFixed(1)})`));
    changed();
    if (last) show(last);
  }

  function changed() {
    directions = directionsOf(store.state.model, points);
  }

  function show(what) {
    last = what;
    if (!points.length) return;
    const { shown, selected, hovered, scale } = what;
    const { model } = store.state;
    const texts = looseTexts(model, shown, 6);
    const next = nextOf(model, selected);
    nodes.forEach(({ host, value, role }, s) => {
      const x = shown ? shown.values[s] : NaN;
      const tone = scale.of(x);
      host.style.setProperty("--share", tone.share.toFixed(3));
      host.classList.toggle("good", tone.good);
      host.classList.toggle("selected", s === selected);
      host.classList.toggle("next", next.has(s) && s !== selected);
      host.classList.toggle("hovered", s === hovered);
      host.classList.toggle("marked", Boolean(shown && shown.marked && shown.marked.includes(s)));
      const part = roleIn(shown, s);
      host.classList.toggle("moved", part !== "");
      role.textContent = part;
      host.setAttribute("tabindex", s === selected ? 0 : -1);
      host.setAttribute("aria-pressed", String(s === selected));
      const greedy = shown ? shown.greedy[s].map((i) => actionOf(model, i)) : [];
      host.setAttribute("aria-label", `${base.states[s]}: ${texts[s]}${model.terminal[s] ? ", terminal" : greedy.length ? `, ${greedy.join(" or ")}` : ""}${part ? `; ${part} of the last transition` : ""}`);
      value.textContent = texts[s];
      value.dataset.value = String(x + 0);
    });
    const greedy = shown ? shown.greedy : [];
    const parts = [];
    const labels = [];
    const all = model.L <= FEW;
    const outcomes = greedy.reduce((sum, rows) => sum + rows.reduce((n, i) => n + model.rowPtr[i + 1] - model.rowPtr[i], 0), 0);
    const others = outcomes <= MANY;
    const moved = (shown && shown.transition) || { row: -1, s2: -1 };
    for (const s of model.terminal.keys()) {
      const chosen = new Set(greedy[s] || []);
      const rows = rowsOf(model, s).filter((i) => all || s === selected || (others && chosen.has(i)) || i === moved.row);
      for (const i of rows) draw(model, s, i, { greedy: chosen.has(i), active: s === selected, to: i === moved.row ? moved.s2 : -1 }, parts, labels);
    }
    replace(links, parts);
    replace(names, placed(labels, points));
  }

  // A row: a stem to its dot, and from there a branch to each next state.
  function draw(model, s, i, { greedy, active, to: took }, parts, labels) {
    const from = points[s];
    const outcomes = outcomesOf(model, i);
    const looks = `${greedy ? "greedy" : ""} ${active ? "active" : ""}`;
    const u = turned(directions[i]);
    const dot = { x: from.x + u.x * STEM, y: from.y + u.y * STEM };
    const line = (d, moved = took >= 0) => parts.push(drawn("path", { class: `link ${looks}${moved ? " moved" : ""}`, d }));
    const alone = outcomes.length === 1;
    if (!alone || outcomes[0].to !== s) line(`M${at(from)} L${at(dot)}`);
    for (const { to, p } of outcomes) {
      let bend;
      let end;
      if (to === s) {
        // Alone a loop to both sides of its dot; else back on the left, as the name of the action is on the right.
        const hand = alone ? 1 : -1;
        const side = turned(directions[i] + (hand * Math.PI) / 2);
        const back = turned(directions[i] + hand * 0.75);
        const first = turned(directions[i] - hand * 0.75);
        end = { x: from.x + back.x * (RADIUS + 3), y: from.y + back.y * (RADIUS + 3) };
        bend = { x: dot.x + side.x * 26 + u.x * 4, y: dot.y + side.y * 26 + u.y * 4 };
        if (alone) line(`M${at({ x: from.x + first.x * RADIUS, y: from.y + first.y * RADIUS })} Q${at({ x: dot.x - side.x * 26 + u.x * 4, y: dot.y - side.y * 26 + u.y * 4 })} ${at(dot)}`);
      } else {
        const far = Math.hypot(points[to].x - dot.x, points[to].y - dot.y);
        bend = { x: dot.x + u.x * far * 0.45, y: dot.y + u.y * far * 0.45 };
        end = towards(points[to], bend, RADIUS + 3);
      }
      line(`M${at(dot)} Q${at(bend)} ${at(end)}`, to === took);
      parts.push(headOf(bend, end, to === took ? `${looks} moved` : looks));
      if (active && !alone) {
        labels.push({ looks: "p", text: number(p, 3), rank: 1, places: [...ALONG.map((t) => onBend(dot, bend, end, t)), ...BESIDE.map((far) => besideBend(dot, bend, end, far))] });
      }
    }
    parts.push(drawn("circle", { class: `action ${looks}`, cx: dot.x, cy: dot.y, r: active || greedy ? 5 : 4 }, drawn("title", {}, actionOf(model, i))));
    if (greedy || active || model.L <= FEW) {
      // On the side of the stem on which the dot stands aside.
      const n = { x: -u.y, y: u.x };
      const beside = (x, y) => ({ x: dot.x + x * 10, y: dot.y + y * 14 + 4, side: x > 0.35 ? 1 : x < -0.35 ? -1 : 0 });
      labels.push({ looks: `action-name ${looks}`, text: shortened(actionOf(model, i), 14), rank: 0, places: [beside(n.x, n.y), beside(-n.x, -n.y), beside(u.x, u.y)] });
    }
  }

  return { host: scroller, fit, show, changed };
}

// The labels as texts, each in the first of its places where it covers no state and no other label, else in the first.
function placed(labels, points) {
  const boxes = [];
  const made = [];
  for (const { looks, text, places } of [...labels].sort((a, b) => a.rank - b.rank)) {
    const wide = text.length * 6.4;
    const boxOf = ({ x, y, side }) => ({ left: x + (wide * (side - 1)) / 2, right: x + (wide * (side + 1)) / 2, top: y - 10, bottom: y + 2 });
    const free = (box) => boxes.every((b) => box.right < b.left || box.left > b.right || box.bottom < b.top || box.top > b.bottom)
      && points.every((p) => Math.hypot(Math.max(box.left - p.x, 0, p.x - box.right), Math.max(box.top - p.y, 0, p.y - box.bottom)) > RADIUS);
    const place = places.find((one) => free(boxOf(one))) || places[0];
    boxes.push(boxOf(place));
    made.push(drawn("text", { class: looks, x: place.x, y: place.y, "text-anchor": ["end", "middle", "start"][place.side + 1] }, text));
  }
  return made;
}

// The point at t of a way that bends, a little below it for a text.
function onBend(from, bend, to, t) {
  const [a, b, c] = [(1 - t) ** 2, 2 * t * (1 - t), t ** 2];
  return { x: a * from.x + b * bend.x + c * to.x, y: a * from.y + b * bend.y + c * to.y + 4, side: 0 };
}

// The same beside its middle.
function besideBend(from, bend, to, far) {
  const { x, y, side } = onBend(from, bend, to, 0.5);
  const length = Math.hypot(to.x - from.x, to.y - from.y) || 1;
  return { x: x - ((to.y - from.y) / length) * far, y: y + ((to.x - from.x) / length) * far, side };
}

// In which direction the dot of each row stands from its state: towards where it leads, and apart from other rows.
function directionsOf(model, points) {
  const found = new Float64Array(model.L);
  for (let s = 0; s < model.S; s += 1) {
    const rows = rowsOf(model, s);
    const moving = [];
    const staying = [];
    for (const i of rows) {
      const others = outcomesOf(model, i).filter(({ to }) => to !== s);
      if (!others.length) {
        staying.push(i);
        continue;
      }
      const way = others.reduce((sum, { to, p }) => {
        const far = Math.hypot(points[to].x - points[s].x, points[to].y - points[s].y) || 1;
        return { x: sum.x + (p * (points[to].x - points[s].x)) / far, y: sum.y + (p * (points[to].y - points[s].y)) / far };
      }, { x: 0, y: 0 });
      found[i] = Math.atan2(way.y, way.x) + ASIDE;
      moving.push(i);
    }
    staying.forEach((i, rank) => { found[i] = -Math.PI / 2 + (rank - (staying.length - 1) / 2) * APART; });
    apart([...moving, ...staying], found);
  }
  return found;
}

// Pushes directions apart that are nearer than APART, or than what room there is for so many.
function apart(rows, found) {
  const least = Math.min(APART, (2 * Math.PI) / Math.max(rows.length, 1));
  for (let turn = 0; turn < 60; turn += 1) {
    const sorted = [...rows].sort((i, j) => found[i] - found[j] || i - j);
    let moved = false;
    sorted.forEach((i, at) => {
      const j = sorted[(at + 1) % sorted.length];
      if (i === j) return;
      const gap = found[j] - found[i] + (at + 1 === sorted.length ? 2 * Math.PI : 0);
      if (gap >= least - 1e-3) return;
      found[i] -= (least - gap) / 2;
      found[j] += (least - gap) / 2;
      moved = true;
    });
    if (!moved) return;
  }
}

// The states that a row leads to, each once, with their probabilities.
function outcomesOf(model, i) {
  const found = new Map();
  for (let k = model.rowPtr[i]; k < model.rowPtr[i + 1]; k += 1) {
    if (model.prob[k] > 0) found.set(model.next[k], (found.get(model.next[k]) || 0) + model.prob[k]);
  }
  return [...found].map(([to, p]) => ({ to, p }));
}

function turned(angle) {
  return { x: Math.cos(angle), y: Math.sin(angle) };
}

function at({ x, y }) {
  return `${x.toFixed(1)} ${y.toFixed(1)}`;
}

// The point at a distance from `end`, on the way from `from`.
function towards(end, from, distance) {
  const [dx, dy] = [end.x - from.x, end.y - from.y];
  const length = Math.hypot(dx, dy) || 1;
  return { x: end.x - (dx / length) * distance, y: end.y - (dy / length) * distance };
}

function headOf(bend, { x, y }, looks) {
  const angle = (Math.atan2(y - bend.y, x - bend.x) * 180) / Math.PI;
  return drawn("path", { class: `head ${looks}`, d: "M2 0 L-8 -4.5 L-8 4.5 Z", transform: `translate(${x.toFixed(1)} ${y.toFixed(1)}) rotate(${angle.toFixed(1)})` });
}

function shortened(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
