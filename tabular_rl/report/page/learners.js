// The panel of learners: one run of a learner, step by step, beside the exact answer and what is expected.
import { button, choice, element, replace } from "./dom.js";
import { createExperiment, diverges, goTo, MOST_STEPS, widenBand } from "./experiment.js";
import { learnerSettings } from "./learner_settings.js";
import { commandOf, partsOf, shownOf } from "./learner_view.js";
import { learningCurve } from "./learning_curve.js";
import { transitionText } from "./update.js";

const SLICE = 12; // milliseconds of a frame for the band
const MOST_OWED = 2000; // steps of a frame
const SPEEDS = [["2", "2 / s"], ["10", "10 / s"], ["60", "60 / s"], ["1000", "1000 / s"]];
const EPISODE = 10000; // steps after which "to the end of the episode" gives up

export function learnersPanel(store, host) {
  const own = {
    method: "td0", policy: "uniform", behavior: "uniform", kind: "constant", alpha: 0.1, epsilon: 0.1, startValue: 0, seed: 0,
    mistakes: [], terminalValue: 1, simulated: true,
  };
  const pace = { speed: 10, playing: false, owed: 0, before: 0, next: 0, frame: 0 };
  const side = document.querySelector("[data-learning-curve]");
  let experiment = null;
  let stale = true; // the experiment is of an earlier model
  let time = 0; // of a model with a horizon, that is shown
  const settings = learnerSettings(own, { change, showTime });
  const command = element("p", { class: "note command" });
  replace(host, settings.host, command);
  const bar = runBar(document.querySelector("[data-learning-run]"), {
    go: (steps) => go(experiment.learner.steps + steps), restart: () => go(0), play: () => setPlaying(!pace.playing), toEpisodeEnd,
    setSpeed: (x) => { pace.speed = x; }, speed: pace.speed,
  });
  const curve = learningCurve(side, { simulated: own.simulated, onsimulate: (x) => change({ simulated: x }), onchange: draw });

  function visible() {
    return store.state.panel === "learners";
  }

  // -- the run -----------------------------------------------------------------------------------------------------
  function change(patch) {
    Object.assign(own, patch);
    rebuild();
  }

  function rebuild() {
    const { model, answer } = store.state;
    const steps = experiment ? experiment.learner.steps : 0;
    if (own.policy === "optimal" && !answer) own.policy = "uniform";
    time = Math.min(time, (model.horizon || 1) - 1);
    experiment = createExperiment(model, answer, { ...own, mistakes: [...own.mistakes] });
    stale = false;
    goTo(experiment, steps);
    settings.show(model, answer);
    publish();
  }

  function showTime(t) {
    time = Math.min(Math.max(0, Math.floor(t)), (store.state.model.horizon || 1) - 1);
    publish();
    return time;
  }

  function go(steps) {
    goTo(experiment, steps);
    publish();
  }

  function toEpisodeEnd() {
    const { learner } = experiment;
    const { episodes } = learner;
    for (let k = 0; k < EPISODE && learner.episodes === episodes && learner.steps < MOST_STEPS; k += 1) {
      goTo(experiment, learner.steps + 1);
      if (learner.last.cut) break;
    }
    publish();
  }

  function setPlaying(on) {
    Object.assign(pace, { playing: on, owed: 0, before: performance.now() });
    bar.playing(on);
    if (!on) publish();
    wake();
  }

  // A frame: the steps that are due, then the band for the rest of a slice of time.
  function tick(now) {
    pace.frame = 0;
    if (!visible()) {
      if (pace.playing) setPlaying(false);
      return;
    }
    if (pace.playing) playOn(now);
    const points = experiment.band.length;
    const more = widenBand(experiment, performance.now() + SLICE);
    if (experiment.band.length !== points) draw();
    if (more || pace.playing) wake();
  }

  function playOn(now) {
    pace.owed = Math.min(pace.owed + ((now - pace.before) / 1000) * pace.speed, MOST_OWED);
    pace.before = now;
    const steps = Math.floor(pace.owed);
    if (steps < 1 || now < pace.next) return;
    pace.owed -= steps;
    goTo(experiment, experiment.learner.steps + steps);
    const begun = performance.now();
    publish();
    pace.next = now + 3 * (performance.now() - begun); // the picture gets a quarter of the time
    if (experiment.learner.steps >= MOST_STEPS || diverges(experiment)) setPlaying(false);
  }

  function wake() {
    if (!pace.frame) pace.frame = requestAnimationFrame(tick);
  }

  // -- what is shown -----------------------------------------------------------------------------------------------
  function publish() {
    if (!visible()) return;
    store.set({ experiment, shown: shownOf(experiment, time, () => store.state.selected) });
    const { model, learner } = experiment;
    // Without an end only Monte Carlo has episodes: those that it cuts off.
    bar.show(statusOf(experiment), learner.steps, own.method === "monte-carlo" || model.terminal.includes(1));
    const line = commandOf(experiment, store.state.base, store.state.noise);
    replace(command, line ? ["The same run in a terminal: ", element("code", {}, line)] : []);
    draw();
    wake();
  }

  function draw() {
    if (visible()) curve.draw(experiment, time * experiment.whole.S + store.state.selected);
  }

  store.subscribe((_, patch) => {
    if ("model" in patch) stale = true;
    if ("panel" in patch) bar.host.hidden = side.hidden = !visible();
    if (visible() && stale) rebuild();
    else if ("panel" in patch) publish();
    else if ("selected" in patch) draw();
  });
  new ResizeObserver(draw).observe(side);
}

// The sentence of the status line.
function statusOf(experiment) {
  const { learner } = experiment;
  if (diverges(experiment)) return `Step ${learner.steps}: the table is not finite any more: it diverges.`;
  const ends = learner.steps >= MOST_STEPS ? ` The run ends here, after ${MOST_STEPS.toLocaleString("en")} steps.` : "";
  return transitionText(partsOf(experiment)) + ends;
}

// The buttons that run a learner, and the status line.
function runBar(host, { go, restart, play, toEpisodeEnd, setSpeed, speed }) {
  const playing = button("play", "play", play);
  const back = button("back", "back", () => go(-1), { title: "one step back" });
  const speeds = choice({ name: "speed", label: "speed", options: SPEEDS, value: String(speed), onchange: (x) => setSpeed(Number(x)) });
  const status = element("p", { class: "status", role: "status", "aria-live": "polite" });
  const again = button("restart", "restart", restart, { title: "to the start, with the same seed" });
  const episode = button("episode", "episode", toEpisodeEnd, { title: "to the end of the episode", "aria-label": "to the end of the episode" });
  const buttons = element("div", { class: "buttons" }, again, back,
    button("step", "step", () => go(1), { title: "one transition" }), playing,
    episode,
    button("hundred", "100 steps", () => go(100)));
  replace(host, element("div", { class: "settings" }, buttons, speeds.host), status);
  return {
    host,
    playing(on) {
      playing.textContent = on ? "pause" : "play";
      status.setAttribute("aria-live", on ? "off" : "polite"); // a screen reader is not told of every step
    },
    show(text, steps, ends) {
      episode.disabled = !ends;
      status.textContent = text;
      back.disabled = again.disabled = steps === 0;
    },
  };
}
