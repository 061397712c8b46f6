// Policy gradient: a softmax policy that climbs J along its exact gradient, and how far estimates of one episode scatter.
import { button, choice, drawn, element, number, replace, shownNumber, tickbox } from "./dom.js";
import { climbed, createClimb, firstStepSize, onPlateau, STEP_SIZES } from "./climb.js";
import { actionOf, better, rowsOf } from "./model.js";
import { ESTIMATORS, ellipseOf, estimatorMoments } from "./moments.js";

const MOST_ROWS = 12; // parameters in the table at first
const MOST_PAIRS = 120; // pairs up to which covariances are computed
const MOST_ENTRIES = 60000; // states x pairs x steps up to which they are
const FIRST = ["return", "reward-to-go", "reward-to-go-value", "advantage"];
const SIDE = 320; // pixels of the plane of two parameters

// The parameters with the largest derivatives, of two states if there are two.
export function twoParameters(model, gradient) {
  const order = byDerivative(gradient);
  const state = (i) => model.pairPtr.findIndex((end) => end > i) - 1;
  const second = order.slice(1).find((i) => state(i) !== state(order[0]) && gradient[i] !== 0);
  return [order[0], second ?? order[1] ?? order[0]];
}

function byDerivative(gradient) {
  return [...gradient.keys()].sort((i, j) => Math.abs(gradient[j]) - Math.abs(gradient[i]) || i - j);
}

// The rows with the largest probability in each state.
function likeliest(model, pi) {
  return Array.from({ length: model.S }, (_, s) => {
    const rows = rowsOf(model, s);
    const most = Math.max(...rows.map((i) => pi[i]));
    return rows.filter((i) => pi[i] >= most - 1e-9);
  });
}

export function gradientPanel(store, host) {
  let climb = null;
  let stepSize = 1;
  let natural = false;
  let episodes = 1;
  let axes = [0, 0];
  let every = false; // all parameters in the table
  const chosen = new Set(FIRST);
  const name = (i) => `θ(${store.state.model.states[stateOf(i)]}, ${actionOf(store.state.model, i)})`;
  const stateOf = (i) => store.state.model.pairPtr.findIndex((end) => end > i) - 1;

  const stepButton = button("gradient-step", "step", () => climbBy(1));
  const tenButton = button("gradient-ten", "10 steps", () => climbBy(10));
  const restart = button("gradient-restart", "start again", () => begin(false));
  const size = choice({
    name: "gradient-step-size", label: "step size α", options: STEP_SIZES.map((x) => [String(x), String(x)]), value: "1",
    onchange: (x) => { stepSize = Number(x); },
  });
  const naturally = tickbox({
    name: "gradient-natural", label: "natural gradient F⁺ ∇J", value: false, onchange: (x) => { natural = x; },
  });
  const status = element("p", { class: "status", role: "status", "aria-live": "polite" });
  const curve = element("div", { class: "curve" });
  const parameters = element("div", { class: "parameters" });
  const along = ["across", "up"].map((label, at) => choice({
    name: `gradient-${label}`, label, options: [], value: "", onchange: (x) => { axes[at] = Number(x); showPlane(); },
  }));
  const many = choice({
    name: "gradient-episodes", label: "mean of", options: [1, 10, 100, 1000].map((n) => [String(n), n === 1 ? "1 episode" : `${n} episodes`]),
    value: "1", onchange: (x) => { episodes = Number(x); showPlane(); },
  });
  const plane = element("div", { class: "plane" });
  const estimators = element("div", {});
  const scatter = element("div", { class: "scatter" });
  const body = element("div", {});

  replace(host, element("h2", {}, "Policy gradient"), body);

  // From θ = 0; a step size and parameters are proposed for a model that is new.
  function begin(fresh = true) {
    const { model, answer } = store.state;
    climb = createClimb(model, answer);
    if (climb.found && fresh) {
      stepSize = firstStepSize(climb.found);
      size.set(String(stepSize));
      axes = twoParameters(model, climb.found.gradient);
    }
    layOut();
    show();
  }

  function layOut() {
    const { model } = store.state;
    if (!climb.found) {
      store.set({ shown: null });
      replace(body, element("p", { class: "status", role: "status" },
        "The policy takes every action with some probability, and its total reward then has no limit. With γ below 1 it has one."));
      return;
    }
    const up = model.sign > 0 ? "climbs: θ ← θ + α ∇J" : "goes down, as the model has costs: θ ← θ − α ∇J";
    for (const [at, one] of along.entries()) {
      replace(one.select, Array.from({ length: model.L }, (_, i) => element("option", { value: i }, name(i))));
      one.set(String(axes[at]));
    }
    replace(body,
      element("p", {}, "A preference θ(s,a) for each pair makes the policy π(a|s) = exp θ(s,a) / Σ", element("sub", {}, "b"),
        " exp θ(s,b). J is its value from the start. The exact gradient is ",
        model.horizon === null ? "∂J/∂θ(s,a) = d(s) π(a|s) [ q(s,a) − v(s) ], where d(s) counts the "
          : ["∂J/∂θ(s,a) = Σ", element("sub", {}, "t"), " dₜ(s) π(a|s) [ qₜ(s,a) − vₜ(s) ], where dₜ(s) counts the "],
        `visits of s, discounted. A step ${up}.`),
      element("div", { class: "row" }, element("div", { class: "buttons" }, stepButton, tenButton, restart), size.host, naturally.host),
      status, curve, parameters, scatter);
  }

  function climbBy(steps) {
    let worse = 0; // as happens with a horizon, where the same policy acts at all times
    let stuck = false;
    for (let n = 0; n < steps && !stuck; n += 1) {
      const next = climbed(climb, stepSize, natural);
      stuck = next === null;
      if (stuck) break;
      if (better(climb.model, climb.found.J, next.found.J)) worse += 1;
      climb = next;
    }
    show(stuck ? "A step of this size leaves the range of floats: take a smaller α." : worse
      ? `J got worse in ${worse === 1 ? "a step" : `${worse} steps`}: a step of this size is too long.`
      : onPlateau(climb) ? "∇J is nearly 0, and J is not the best: a plateau. The policy hardly tries other actions any more." : "");
  }

  function show(remark = "") {
    if (store.state.panel !== "gradient" || !climb || !climb.found) return;
    const { model, answer } = store.state;
    const { found, best, curve: past, theta } = climb;
    const steps = past.length - 1;
    const norm = Math.hypot(...found.gradient);
    replace(status, `θ after ${steps} step${steps === 1 ? "" : "s"}: J = `, shownNumber(found.J, { "data-number": "J" }), ", the best policy has ",
      answer ? shownNumber(best, { "data-number": "best" }) : "no finite value", "; |∇J| = ", shownNumber(norm, { "data-number": "norm" }, 4), ". ", remark);
    replace(curve, steps ? climbCurve(past, best) : element("p", { class: "quiet" }, "The curve of J begins with the first step."));
    showParameters(theta, found);
    showPlane();
    const timed = model.horizon !== null;
    store.set({
      climb,
      shown: {
        title: timed ? "v of the softmax policy, at t = 0" : "v of the softmax policy", name: "v_π", values: found.v[0], q: found.q[0],
        greedy: likeliest(model, found.pi),
        legend: "the likeliest actions of the policy", exact: answer ? answer.v : null, exactName: "v*",
        explanation: { kind: "backup", label: "the policy's own equation", made: timed ? "v_0" : "v_π", from: timed ? "v_1" : "v_π", policy: found.pi, usedFor: () => found.v[timed ? 1 : 0] },
      },
    });
  }

  function showParameters(theta, found) {
    const { model } = store.state;
    const order = byDerivative(found.gradient);
    const rows = every ? [...order].sort((i, j) => i - j) : order.slice(0, MOST_ROWS);
    const timed = found.visits.length > 1;
    const heads = ["state", "action", "θ", "π", ...(timed ? [] : ["d(s)", "q − v"]), "∂J/∂θ"];
    const row = (i) => element("tr", { "data-row": i },
      element("th", { scope: "row" }, model.states[stateOf(i)]), element("td", {}, actionOf(model, i)),
      [theta[i], found.pi[i], ...(timed ? [] : [found.visits[0][stateOf(i)], found.advantage[0][i]]), found.gradient[i]]
        .map((x, at, all) => element("td", {}, shownNumber(x, at === all.length - 1 ? { "data-number": "derivative" } : {}, 4))));
    replace(parameters, element("p", { class: "caption", id: "parameters-caption" }, "The parameters", !every && model.L > MOST_ROWS ? ` with the ${MOST_ROWS} largest derivatives` : ""),
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "the parameters" }, element("table", { "aria-labelledby": "parameters-caption" },
      element("thead", {}, element("tr", {}, heads.map((x) => element("th", { scope: "col" }, x)))),
      element("tbody", {}, rows.map(row)))),
    model.L > MOST_ROWS ? button("gradient-all", every ? "the largest alone" : `all ${model.L} parameters`, () => { every = !every; show(); }) : null);
  }

  function showPlane() {
    const { model } = store.state;
    if (store.state.panel !== "gradient" || !climb || !climb.found) return;
    if (model.L > MOST_PAIRS || model.S * model.L * (model.horizon ?? 1) > MOST_ENTRIES) {
      replace(scatter, element("p", {}, `How estimates scatter is shown for models of up to ${MOST_PAIRS} pairs of state and action; `
        + "`tabular-rl gradient FILE` computes it for larger ones."));
      return;
    }
    const found = estimatorMoments(model, climb.theta, climb.found.gradient, ESTIMATORS.map(([key]) => key).filter((key) => chosen.has(key)));
    if (!scatter.contains(plane)) {
      replace(scatter, element("h3", {}, "What one episode tells"),
        element("p", {}, "g(τ) = Σ", element("sub", {}, "t"), " ∇log π(aₜ|sₜ) Ψₜ estimates ∇J from an episode τ. Each ellipse is one standard deviation "
          + `around the mean of an estimator, computed exactly.${model.horizon === null && model.gamma < 1
            ? " An episode ends after each step with probability 1 − γ, and is not discounted then." : ""} `
          + "An ellipse that holds the origin is one that often points the wrong way."),
        element("div", { class: "row" }, along.map((one) => one.host), many.host),
        element("div", { class: "ellipses" }, plane, estimators));
    }
    replace(plane, planePicture(found));
    const focus = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.control : null;
    replace(estimators, estimatorTable(found));
    if (focus && focus.startsWith("estimator-")) estimators.querySelector(`[data-control="${focus}"]`).focus();
  }

  function planePicture(found) {
    const [i, j] = axes;
    const g = climb.found.gradient;
    const shapes = found.map((one) => {
      const round = ellipseOf(one.covariance(i, i), one.covariance(i, j), one.covariance(j, j));
      const scale = 1 / Math.sqrt(episodes);
      return { ...one, long: round.long * scale, short: round.short * scale, angle: round.angle, x: one.mean[i], y: one.mean[j] };
    });
    // Squares of rewards of 1e200 and more are beyond floats.
    const drawable = shapes.filter((e) => [e.x, e.y, e.long, e.short, e.angle].every(Number.isFinite));
    if (drawable.length < shapes.length) {
      return element("p", { class: "quiet" }, "The covariances leave the range of floats: nothing can be drawn. Divide the rewards by a constant.");
    }
    const reach = Math.max(1e-300, 1.15 * Math.max(Math.abs(g[i]), Math.abs(g[j]), ...shapes.map((e) => Math.max(Math.abs(e.x), Math.abs(e.y)) + e.long)));
    const to = (x) => (x / reach) * (SIDE / 2 - 24);
    const tick = roundBelow(0.8 * reach);
    const marks = [-1, 1].map((side) => [
      drawn("text", { x: to(side * tick), y: 14, class: "tick", "text-anchor": "middle" }, number(side * tick)),
      drawn("text", { x: 4, y: -to(side * tick) + 4, class: "tick" }, number(side * tick)),
      drawn("path", { class: "axis", d: `M${to(side * tick)},-3V3M-3,${-to(side * tick)}H3` }),
    ]);
    return drawn("svg", { viewBox: `${-SIDE / 2} ${-SIDE / 2} ${SIDE} ${SIDE}`, role: "img", "aria-label":
      `Ellipses of ${found.length} estimators: ${name(i)} across, ${name(j)} up; the gradient is at ${number(g[i], 3)}, ${number(g[j], 3)}` },
    drawn("path", { class: "axis", d: `M${-SIDE / 2},0H${SIDE / 2}M0,${-SIDE / 2}V${SIDE / 2}` }), marks,
    [...shapes].sort((a, b) => b.long - a.long).map((e) => drawn("ellipse", {
      class: `estimator ${className(e.name)}`, "data-estimator": e.name, rx: to(e.long), ry: Math.max(to(e.short), 0.5),
      transform: `translate(${to(e.x)} ${-to(e.y)}) rotate(${(-e.angle * 180) / Math.PI})`,
    }, drawn("title", {}, e.name))),
    drawn("path", { class: "gradient", d: `M0,0L${to(g[i])},${-to(g[j])}` }),
    drawn("circle", { class: "gradient", cx: to(g[i]), cy: -to(g[j]), r: 4 }, drawn("title", {}, "the exact gradient")));
  }

  function estimatorTable(found) {
    const row = ([key, formula, meaning]) => {
      const one = found.find((x) => x.name === key);
      const box = tickbox({
        name: `estimator-${key}`, label: key, value: chosen.has(key),
        onchange: (on) => { if (on) chosen.add(key); else chosen.delete(key); showPlane(); },
      });
      return element("tr", { "data-estimator": key },
        element("th", { scope: "row" }, box.host, element("div", { class: "psi", title: meaning },
          drawn("svg", { viewBox: "0 0 32 8", class: "key", "aria-hidden": "true" }, drawn("path", { class: `estimator ${className(key)}`, d: "M0,4H32" })),
          ` ${formula}`)),
        element("td", {}, one ? shownNumber(one.trace, { "data-number": "trace" }, 4) : "–"),
        element("td", {}, one ? episodesText(one.episodes) : "–"));
    };
    return element("table", {}, element("caption", {}, "Trace: of the covariance. Episodes: so many point uphill, on average, with probability 95 %."),
      element("thead", {}, element("tr", {}, ["estimator, Ψₜ", "trace", "episodes"].map((x) => element("th", { scope: "col" }, x)))),
      element("tbody", {}, ESTIMATORS.map(row)));
  }

  store.subscribe((_, patch) => {
    if ("model" in patch) {
      climb = null;
      store.set({ climb });
      if (store.state.panel === "gradient") begin();
    } else if (patch.panel === "gradient") {
      if (climb) show();
      else begin();
    }
  });
}

// The largest 1, 2 or 5 times a power of 10 that is not above x.
function roundBelow(x) {
  const power = 10 ** Math.floor(Math.log10(x));
  return power * [5, 2, 1].find((k) => k * power <= x * (1 + 1e-12));
}

function className(key) {
  return `estimator-${ESTIMATORS.findIndex(([name]) => name === key)}`;
}

function episodesText(n) {
  if (Number.isNaN(n)) return "no direction";
  return n === Infinity ? "never" : String(Math.max(1, Math.ceil(n)));
}

// J after each step, and the best.
function climbCurve(past, best) {
  const [width, height] = [320, 90];
  const known = [...past, ...(Number.isFinite(best) ? [best] : [])];
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const x = (k) => 8 + (k / Math.max(past.length - 1, 1)) * (width - 16);
  const y = (J) => height - 12 - ((J - low) / (high - low || 1)) * (height - 24);
  return drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label":
    `J after each of ${past.length - 1} steps, from ${number(past[0])} to ${number(past[past.length - 1])}; the best is ${number(best)}` },
  Number.isFinite(best) ? [drawn("path", { class: "best", d: `M0,${y(best)}H${width}` }),
    drawn("text", { class: "tick", x: 4, y: y(best) + (y(best) < 20 ? 14 : -5) }, `best ${number(best)}`)] : [],
  drawn("path", { class: "climb", d: past.map((J, k) => `${k ? "L" : "M"}${x(k)},${y(J)}`).join("") }),
  drawn("circle", { class: "climb", cx: x(past.length - 1), cy: y(past[past.length - 1]), r: 3.5 }));
}
