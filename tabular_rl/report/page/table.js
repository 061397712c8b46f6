// The table of all states: the values shown, the exact ones, their difference, and the actions.
import { element, replace, shownNumber, tickbox } from "./dom.js";
import { actionOf } from "./model.js";
import { symbols } from "./texts.js";

export function tablePanel(store, host) {
  const { base } = store.state;
  let digits = 6;
  const all = tickbox({ name: "all-digits", label: "all digits", value: false, onchange: (x) => { digits = x ? 17 : 6; show(); } });
  const head = element("tr", {});
  const rows = Array.from({ length: base.S }, (_, s) => {
    const cells = [0, 1, 2, 3].map(() => element("td", {}));
    const name = element("button", { type: "button", class: "plain", "data-control": "state", onclick: () => store.set({ selected: s }) }, base.states[s]);
    return { cells, host: element("tr", { "data-state": s }, element("th", { scope: "row" }, name), cells) };
  });
  replace(host,
    element("div", { class: "row heading" }, element("h2", {}, "All states"), all.host),
    element("div", { class: "scroll table", tabindex: 0, role: "region", "aria-label": "the table of all states" },
      element("table", {}, element("thead", {}, head), element("tbody", {}, rows.map((row) => row.host)))));

  function show() {
    const { model, shown, answer, selected } = store.state;
    const exact = shown && "exact" in shown ? shown.exact : answer && answer.v;
    const exactName = (shown && shown.exactName) || "v*";
    replace(head, ["state", shown ? symbols(shown.name) : "value", ...(exact ? [symbols(exactName), "difference"] : []), shown ? "actions" : ""]
      .filter((x) => x !== "").map((x) => element("th", { scope: "col", class: x === "actions" ? "words" : null }, x)));
    rows.forEach(({ cells, host: row }, s) => {
      const x = shown ? shown.values[s] : NaN;
      const shownCells = [shownNumber(x, { "data-fact": "value" }, digits), ...(exact ? [shownNumber(exact[s], { "data-fact": "exact" }, digits), shownNumber(x - exact[s], {}, digits > 6 ? 17 : 3)] : []),
        model.terminal[s] ? "terminal" : shown ? shown.greedy[s].map((i) => actionOf(model, i)).join(", ") : ""];
      cells.forEach((cell, i) => {
        cell.hidden = i >= shownCells.length;
        cell.classList.toggle("words", i === shownCells.length - 1);
        replace(cell, cell.hidden ? null : shownCells[i]);
      });
      row.classList.toggle("selected", s === selected);
    });
  }

  store.subscribe((_, patch) => { if ("shown" in patch || "selected" in patch) show(); });
  show();
}
