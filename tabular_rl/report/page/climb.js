// Gradient ascent, step by step. No element of the page is touched here.
import { exactGradient, naturalDirection } from "./gradient.js";

export const STEP_SIZES = [0.001, 0.01, 0.1, 1, 10, 100, 1000];

// What the panel knows: θ, the exact gradient there, J after each step, the best J.
export function createClimb(model, answer, theta = new Float64Array(model.L)) {
  const found = exactGradient(model, theta);
  const best = answer ? model.start.reduce((sum, p, s) => (p > 0 ? sum + p * answer.v[s] : sum), 0) : NaN;
  return { model, theta, found, best, curve: found ? [found.J] : [] };
}

// θ + α ∇J, or θ - α ∇J where the model has costs; null where that leaves the range of floats.
export function climbed(climb, stepSize, natural = false) {
  const { model, theta, found, best, curve } = climb;
  const direction = natural ? naturalDirection(model, found) : found.gradient;
  const moved = theta.map((x, i) => x + model.sign * stepSize * direction[i]);
  const next = moved.every(Number.isFinite) ? exactGradient(model, moved) : null;
  if (!next || !Number.isFinite(next.J)) return null;
  return { model, theta: moved, found: next, best, curve: [...curve, next.J] };
}

// The power of 10 with which no preference moves by more than 1, between the smallest and the largest that can be chosen.
export function firstStepSize(found) {
  const size = Math.max(...found.gradient.map(Math.abs));
  return [...STEP_SIZES].reverse().find((x) => x * size <= 1) ?? STEP_SIZES[0];
}

// Whether the gradient has nearly vanished far from the best.
export function onPlateau({ found, best, curve }) {
  return curve.length > 1 && Math.hypot(...found.gradient) < 1e-3 * Math.abs(best - found.J) && Math.abs(best - found.J) > 1e-3 * Math.abs(best);
}
