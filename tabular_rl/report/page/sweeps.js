// The scrubber over sweeps.
import { replace, slider } from "./dom.js";
import { distance, greedyRows, rowValues, sweep, usedIn } from "./solve.js";

export function sweepsPanel(store, host) {
  let k = 0;
  let steps = [];
  function compute() {
    const { model, answer } = store.state;
    steps = [new Float64Array(model.S)];
    while (steps.length <= 200) {
      const v = sweep(model, steps[steps.length - 1]);
      steps.push(v);
      if (answer && distance(v, answer.v) <= 1e-12) break;
    }
    scrub.input.max = String(steps.length - 1);
    k = Math.min(k, steps.length - 1);
    show();
  }
  function show() {
    const { model, panel } = store.state;
    scrub.set(k);
    if (panel !== "sweeps") return;
    const q = rowValues(model, steps[k]);
    store.set({
      shown: {
        title: `V_${k}`, name: `V_${k}`, values: steps[k], q, greedy: greedyRows(model, q),
        explanation: k === 0 ? null : { kind: "backup", made: `V_${k}`, from: `V_${k - 1}`, policy: null, usedFor: (s) => usedIn(steps[k - 1], steps[k], s, null) },
      },
    });
  }
  const scrub = slider({ name: "sweep", label: "sweep k", min: 0, max: 10, step: 1, value: 0, onchange: (x) => { k = Math.round(x); show(); } });
  replace(host, scrub.host);
  store.subscribe((_, patch) => {
    if ("model" in patch) compute();
    else if ("panel" in patch) show();
  });
  compute();
}
