// How the value of the selected state arises: a backup, or a learner's update.
import { element, replace, shownNumber } from "./dom.js";
import { actionOf, rewardOf, rowsOf } from "./model.js";
import { rowValue, stateValue } from "./solve.js";

export function inspectorPanel(store, host) {
  function backup(explanation) {
    const { model, selected: s } = store.state;
    const used = explanation.usedFor(s);
    const rows = rowsOf(model, s);
    return [
      element("p", {}, `${explanation.made}(${model.states[s]}) = `, shownNumber(rows.length ? stateValue(model, s, used, explanation.policy) : 0)),
      rows.map((i) => element("p", {}, `q(${actionOf(model, i)}) = `, shownNumber(rowValue(model, i, used)), " from ",
        Array.from({ length: model.rowPtr[i + 1] - model.rowPtr[i] }, (_, j) => model.rowPtr[i] + j).map((k) => [
          " ", shownNumber(model.prob[k]), " [", shownNumber(rewardOf(model, i, k)), " + γ ", shownNumber(used[model.next[k]]), "]"]))),
    ];
  }
  function show() {
    const { shown, model, selected } = store.state;
    const heading = element("h2", {}, "state ", element("b", {}, model.states[selected]));
    if (!shown || !shown.explanation) replace(host, heading);
    else if (shown.explanation.kind === "backup") replace(host, heading, backup(shown.explanation));
    else replace(host, heading, shown.explanation.view(shown.explanation.parts));
  }
  store.subscribe((_, patch) => { if ("shown" in patch || "selected" in patch) show(); });
  show();
}
