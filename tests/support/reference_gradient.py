"""Slow, obvious twins of kernels/gradient.py."""

from __future__ import annotations


def episode_estimates(
    pair_state, scores, whole, signal, decay, baseline, weight, rows, outcomes, last, psi, out
):
    """Each episode by itself: Y_t by its own sum from the end down to t."""
    episodes, now = [], []
    for i, k, is_last in zip(rows.tolist(), outcomes.tolist(), last.tolist(), strict=True):
        now.append((i, k))
        if is_last:
            episodes.append(now)
            now = []
    for e, steps in enumerate(episodes):
        out[e] = 0.0
        w = 1.0
        for t, (i, _) in enumerate(steps):
            if whole:
                change = ahead(signal, decay, steps, 0) - float(baseline[0, 0])
            else:
                b = float(baseline[min(t, len(baseline) - 1), pair_state[i]])
                change = w * (ahead(signal, decay, steps, t) - b)
                w *= weight
            for j in range(out.shape[1]):
                out[e, j] += change * float(scores[i, j])
    return len(episodes)


def ahead(signal, decay, steps, t):
    """Y_t = signal[t] + decay Y_{t+1}."""
    if t == len(steps):
        return 0.0
    return float(signal[min(t, len(signal) - 1), steps[t][1]]) + decay * ahead(signal, decay, steps, t + 1)


def given_estimates(scores, given, whole, decay, weight, decided, psi, out, product):
    """Each episode by itself, and each of its terms by the products that it counts with."""
    episodes, now = [], []
    columns = (x.tolist() for x in given)
    for i, is_last, y, b, rho in zip(*columns, strict=True):
        now.append((i, y, b, rho))
        if is_last:
            episodes.append(now)
            now = []
    for e, steps in enumerate(episodes):
        out[e] = 0.0
        before, past, power, w, product[e] = 1.0, 0.0, 1.0, 1.0, 1.0
        for t, (i, y, b, rho) in enumerate(steps):
            product[e] *= rho
            now = before * (rho if decided else 1.0)
            Y = ahead_of(steps, t, decay, decided)
            change = now * (past - b) + power * before * Y if whole else w * (before * Y - now * b)
            past, power, w, before = past + power * y, power * decay, w * weight, now
            for j in range(out.shape[1]):
                out[e, j] += change * float(scores[i, j])
    return len(episodes)


def ahead_of(steps, t, decay, decided):
    """Y_t = y_t + decay Y_{t+1}, times ρ_t where ratios are counted decision by decision."""
    if t == len(steps):
        return 0.0
    _, y, _, rho = steps[t]
    return (y + decay * ahead_of(steps, t + 1, decay, decided)) * (rho if decided else 1.0)
