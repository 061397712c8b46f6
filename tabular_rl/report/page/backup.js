// A backup three ways: the equation, the same with the numbers of a state, and the tree s -> a -> s'.
import { button, drawn, element, number, shownNumber } from "./dom.js";
import { actionOf, better, rewardOf, rowsOf } from "./model.js";
import { rowValue, stateValue, tieWidth } from "./solve.js";
import { fittingText, symbols } from "./texts.js";

const SPREAD = 9; // outcomes of all actions together that the tree shows at once
const FEW = 6; // actions whose values stand in one line
const MOST = 8; // outcomes of one action that the tree shows

// What a view says of a state: its rows with their outcomes and q, the value that they make, and the rows that win.
export function backupOf(model, s, view) {
  const used = view.usedFor(s);
  const rows = rowsOf(model, s).map((i) => ({ row: i, q: rowValue(model, i, used), share: view.policy ? view.policy[i] : null }));
  const value = rows.length ? stateValue(model, s, used, view.policy) : used[s];
  const width = tieWidth(model, rows.map(({ q }) => q));
  const best = view.policy ? rows.filter(({ share }) => share > 0) : rows.filter(({ q }) => Math.abs(q - value) <= width);
  const rest = rows.filter(({ q }) => Math.abs(q - value) > width).map(({ q }) => Math.abs(q - value));
  return { s, used, rows, value, best: new Set(best.map(({ row }) => row)), gap: view.policy || best.length > 1 || !rest.length ? null : Math.min(...rest) };
}

export function outcomesOf(model, i, used) {
  const found = [];
  for (let k = model.rowPtr[i]; k < model.rowPtr[i + 1]; k += 1) {
    found.push({ k, next: model.next[k], p: model.prob[k], r: rewardOf(model, i, k), v: used[model.next[k]] });
  }
  return found;
}

// The equation, in parts that can be linked.
export function equation(model, view) {
  const part = (link, ...children) => element("span", { "data-link": link }, children);
  const best = model.sign > 0 ? "max" : "min";
  const lines = view.policy
    ? [part("made", symbols(view.made), "(s)"), " = Σ", element("sub", {}, "a"), " ", part("pi", "π(a|s)"), " ", part("q", "q(s,a)")]
    : [part("made", symbols(view.made), "(s)"), ` = ${best}`, element("sub", {}, "a"), " ", part("q", "q(s,a)")];
  return element("div", { class: "equation" },
    element("p", {}, lines),
    element("p", {}, part("q", "q(s,a)"), " = Σ", element("sub", {}, "s′"), " ", part("p", "p(s′|s,a)"), " [ ", part("r", model.reward ? "r(s,a,s′)" : "r(s,a)"),
      " + ", part("gamma", "γ"), " ", part("v", symbols(view.from), "(s′)"), " ]"));
}

// The numbers: a line an action, the outcomes of the open one below it.
export function numbers(model, backup, view, open, onopen) {
  const { s, used, rows, value, best } = backup;
  const name = model.states[s];
  if (!rows.length) {
    return element("p", { class: "result" }, symbols(view.made), `(${name}) = `, shownNumber(value, { "data-fact": "value" }),
      model.terminal[s] ? ": the state is terminal, nothing follows." : "");
  }
  const bestWord = model.sign > 0 ? "max" : "min";
  return element("div", { class: "numbers" },
    element("p", { class: "result" }, element("span", { "data-link": "made" }, symbols(view.made), `(${name})`), " = ",
      view.policy ? "Σ π q = " : rows.length > 1 ? [bestWord, rows.length <= FEW ? ["(", rows.map(({ row, q }, i) => [i ? ", " : "", shownNumber(q, { "data-link": `q:${row}` }, 5)]), ")"] : "", " = "] : "", element("b", {}, shownNumber(value, { "data-fact": "value", "data-link": "made" }))),
    element("ul", { class: "actions" }, rows.map(({ row, q, share }) => element("li", { class: best.has(row) ? "best" : null, "data-row": row },
      element("div", { class: "action-line" },
        button("action", [element("span", { class: "twist", "aria-hidden": "true" }, row === open ? "▾" : "▸"), ` ${actionOf(model, row)}`], () => onopen(row === open ? null : row), { class: "plain", "aria-expanded": String(row === open), "data-link": `a:${row}` }),
        element("span", { class: "q", "data-link": `q:${row}` }, share === null ? "" : [element("span", { "data-link": `pi:${row}` }, shownNumber(share, {}, 4)), " · "], shownNumber(q, { "data-fact": "q" })),
        best.has(row) && !view.policy ? element("span", { class: "badge" }, best.size > 1 ? "tie" : "best") : null,
        view.pick ? button("take", share > 0 ? "taken" : "take", () => view.pick(row, s), { disabled: share > 0, "aria-label": `take ${actionOf(model, row)} in ${name}` }) : null),
      row === open ? outcomeLines(model, row, q, used) : null))),
    verdict(model, backup, view));
}

function outcomeLines(model, row, q, used) {
  const outcomes = outcomesOf(model, row, used);
  return element("div", { class: "outcomes" },
    outcomes.map(({ k, next, p, r, v }, at) => element("p", { "data-link": `o:${k}`, "data-next": next, tabindex: 0 },
      element("span", { class: "sign" }, at ? "+ " : "= "), element("span", { "data-link": `p:${k}` }, shownNumber(p)), " [ ",
      element("span", { "data-link": `r:${k}` }, shownNumber(r)), " + ", element("span", { "data-link": "gamma" }, shownNumber(model.gamma)), " · ",
      element("span", { "data-link": `v:${k}` }, negative(v)), " ] ", element("span", { class: "to" }, "s′ = ", model.states[next]))),
    outcomes.length > 1 || outcomes[0].p !== 1 || outcomes[0].r !== 0 || outcomes[0].v !== 0 ? element("p", { "data-link": `q:${row}` }, element("span", { class: "sign" }, "= "), shownNumber(q)) : null);
}

function negative(v) {
  return v < 0 ? ["(", shownNumber(v), ")"] : shownNumber(v);
}

function verdict(model, backup, view) {
  const { rows, best, gap } = backup;
  if (view.policy || rows.length < 2) return null;
  if (best.size > 1) return element("p", { class: "quiet" }, best.size === rows.length ? "All actions are equally good here." : "A tie: these actions are equally good.");
  return gap === null ? null : element("p", { class: "quiet" }, "The next best action is worse by ", shownNumber(gap, { "data-fact": "gap" }), ".");
}

// The tree: the state, its actions, and the outcomes of all of them, or of the open one where they are many.
export function tree(model, backup, view, open) {
  const { s, used, rows, best } = backup;
  if (!rows.length) return null;
  const total = rows.reduce((n, { row }) => n + model.rowPtr[row + 1] - model.rowPtr[row], 0);
  const all = total <= SPREAD;
  const shownRows = all || rows.length <= 6 ? rows : rows.filter(({ row }) => row === open || best.has(row)).slice(0, 6);
  const lines = [];
  let y = 0;
  for (const { row, q, share } of shownRows) {
    const outcomes = all || row === open ? outcomesOf(model, row, used) : [];
    const kept = outcomes.slice(0, MOST);
    const height = Math.max(kept.length * 40, 46);
    lines.push({ row, q, share, kept, more: outcomes.length - kept.length, y: y + height / 2, top: y + (height - kept.length * 40) / 2 });
    y += height + 8;
  }
  const height = Math.max(y, 60);
  const middle = height / 2;
  const made = [];
  for (const { row, q, share, kept, more, y: at, top } of lines) {
    const looks = best.has(row) ? "best" : "";
    made.push(drawn("path", { class: `link ${looks}`, "data-link": `a:${row}`, d: `M58 ${middle} C95 ${middle} 85 ${at} 122 ${at}` }));
    kept.forEach(({ k, next, p, r, v }, j) => {
      const to = top + 20 + j * 40;
      made.push(drawn("path", { class: `link ${looks}`, "data-link": `o:${k}`, d: `M128 ${at} C180 ${at} 190 ${to} 226 ${to}` }),
        drawn("text", { class: "p", "data-link": `p:${k}`, x: 222, y: to - 6, "text-anchor": "end" }, number(p, 4)),
        drawn("text", { class: "r", "data-link": `r:${k}`, x: 222, y: to + 15, "text-anchor": "end" }, `r ${number(r, 4)}`),
        drawn("g", { class: "leaf", "data-link": `v:${k}`, "data-next": next, transform: `translate(228 ${to - 17})` },
          drawn("rect", { width: 168, height: 34, rx: 17 }),
          drawn("text", { x: 14, y: 22 }, shortened(model.states[next], Math.max(3, 18 - number(v, 5).length))),
          drawn("text", { class: "value", x: 156, y: 22, "text-anchor": "end" }, number(v, 5))));
    });
    if (more > 0) made.push(drawn("text", { class: "quiet", x: 228, y: top + kept.length * 40 + 4 }, `and ${more} more`));
    made.push(drawn("circle", { class: `action ${looks}`, "data-link": `a:${row}`, cx: 126, cy: at, r: 6 }),
      drawn("text", { "data-link": `a:${row}`, x: 126, y: at - 11, "text-anchor": "middle", class: "action-name" }, shortened(actionOf(model, row), 12)),
      drawn("text", { "data-link": `q:${row}`, x: 126, y: at + 22, "text-anchor": "middle", class: "q" }, `${share === null ? "" : `${number(share, 3)} · `}${number(q, 5)}`));
  }
  const name = model.states[s];
  return drawn("svg", { class: "tree", viewBox: `0 -4 400 ${height + 8}`, role: "img", "aria-label": `the tree of state ${name}: its actions, and where they lead` },
    made.filter((x) => x.tagName !== "text"), made.filter((x) => x.tagName === "text"), // no line runs over a text
    drawn("g", { "data-link": "made", class: "root" }, drawn("circle", { cx: 32, cy: middle, r: 27 }),
      drawn("text", { x: 32, y: middle + 5, "text-anchor": "middle", class: "value" }, fittingText(backup.value, 6)),
      drawn("text", { x: 32, y: middle + 44, "text-anchor": "middle" }, shortened(name, 9))));
}

function shortened(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

// The row that is open at first: the one that wins, else the first.
export function firstOpen(model, backup, view) {
  if (view.policy) return backup.rows.length ? backup.rows.reduce((one, two) => (two.share > one.share ? two : one)).row : null;
  return backup.rows.length ? backup.rows.reduce((one, two) => (better(model, two.q, one.q) ? two : one)).row : null;
}
