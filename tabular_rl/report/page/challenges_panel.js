// The list of challenges, and which of them are solved.
import { challengesOf } from "./challenges.js";
import { element, replace } from "./dom.js";

const SLICE = 12; // milliseconds of work before the page may answer

export function challengesPanel(store, host) {
  const start = { ...store.state, climb: null, experiment: null };
  const open = []; // { challenge, mark, host }
  let solved = 0;
  const list = element("ol", { class: "challenges" });
  const count = element("p", { class: "status", role: "status", "aria-live": "polite" }, "Looking for challenges in this model …");
  replace(host, element("h2", {}, "Challenges"), count, list);

  function add(challenge) {
    const mark = element("span", { class: "mark" }, "open");
    const item = element("li", { "data-challenge": challenge.kind, "data-solved": "no" },
      element("h3", {}, challenge.title, " ", mark), element("p", {}, challenge.text),
      element("details", {}, element("summary", { "data-control": `hint-${challenge.kind}` }, "a hint"), element("p", {}, challenge.hint)));
    list.append(item);
    open.push({ challenge, mark, item, done: false });
  }

  function check() {
    const news = [];
    for (const one of open) {
      if (one.done || !one.challenge.solved(store.state)) continue;
      one.done = true;
      solved += 1;
      one.item.dataset.solved = "yes";
      one.mark.textContent = "✓ solved";
      news.push(one.challenge.title);
    }
    if (news.length) tell(`Solved: ${news.join(", ")}.`);
  }

  function tell(news = "") {
    count.textContent = open.length === 0 ? "This model poses no challenge that the page could check."
      : `${news} ${solved} of ${open.length} solved. The page checks them while you work.`.trim();
  }

  function generate(intervals) {
    const makers = challengesOf(start, intervals);
    function slice() {
      const until = performance.now() + SLICE;
      let step = { done: false };
      while (!step.done && performance.now() < until) {
        step = makers.next();
        if (step.value) add(step.value);
      }
      if (!step.done) {
        setTimeout(slice);
        return;
      }
      host.dataset.ready = "yes";
      tell();
      check();
    }
    setTimeout(slice);
  }

  // The marks of γ come first, for a model as the file has it.
  let begun = false;
  function begin() {
    const { ticks, noise } = store.state;
    if (begun || (ticks === null && noise === 0)) return;
    begun = true;
    generate(noise === 0 && ticks ? ticks.intervals : []);
  }
  store.subscribe((_, patch) => {
    if ("ticks" in patch) begin();
    if (host.dataset.ready && ("model" in patch || "climb" in patch || "experiment" in patch)) check();
  });
  begin();
}
