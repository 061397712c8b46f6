// How the value of the selected state arises: a backup three ways, or a learner's update.
import { backupOf, equation, firstOpen, numbers, tree } from "./backup.js";
import { button, element, replace } from "./dom.js";
import { watchLinks } from "./links.js";
import { symbols } from "./texts.js";

export function inspectorPanel(store, host) {
  let view = "arose"; // or "next"
  let open = { state: null, row: null }; // the action that was opened by hand
  const heading = element("h2", {});
  const body = element("div", { class: "explanation" });
  replace(host, heading, body);
  watchLinks(store, body);

  function backupParts(explanation) {
    const { model, selected } = store.state;
    const views = explanation.views || [explanation];
    const chosen = views.find((x) => x.key === view) || views[0];
    const backup = backupOf(model, selected, chosen);
    const row = open.state === selected ? open.row : firstOpen(model, backup, chosen);
    const toggle = views.length > 1 ? element("div", { class: "segments", role: "group", "aria-label": "which backup" },
      views.map((x) => button(`view-${x.key}`, symbols(x.label), () => { view = x.key; show(); refocus(`view-${x.key}`); }, { "aria-pressed": String(x === chosen) })))
      : element("p", { class: "quiet" }, symbols(chosen.label || ""));
    return [
      toggle,
      chosen.note ? element("p", { class: "quiet" }, symbols(chosen.note)) : null,
      element("h3", {}, "The equation"),
      equation(model, chosen),
      element("h3", {}, "With the numbers of ", element("b", {}, model.states[selected])),
      numbers(model, backup, chosen, row, (i) => { open = { state: selected, row: i }; show(); refocus("action", i ?? row); }),
      backup.rows.length ? element("h3", {}, "As a tree") : null,
      tree(model, backup, chosen, row),
    ];
  }

  // What was pressed is a new element after everything was drawn again.
  function refocus(control, row) {
    const where = row === undefined ? body : body.querySelector(`[data-row="${row}"]`);
    const found = where && where.querySelector(`[data-control="${control}"]`);
    if (found) found.focus();
  }

  function show() {
    const { shown, model, selected } = store.state;
    replace(heading, "state ", element("b", { class: "state-name" }, model.states[selected]), model.terminal[selected] ? " (terminal)" : "");
    const explanation = shown && shown.explanation;
    if (explanation && explanation.heading) replace(heading, explanation.heading);
    if (!explanation || (explanation.kind === "backup" && explanation.views && !explanation.views.length)) {
      replace(body, element("p", { class: "quiet" }, shown ? "These are the start values: nothing has been computed yet. Make a step." : "Nothing is shown."));
    } else if (explanation.kind === "backup") replace(body, backupParts(explanation));
    else replace(body, explanation.view(explanation.parts));
  }

  store.subscribe((_, patch) => { if ("shown" in patch || "selected" in patch) show(); });
  show();
}
