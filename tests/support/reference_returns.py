"""Slow, obvious twins of kernels/monte_carlo.py and kernels/batch.py."""

from __future__ import annotations

import itertools
import math


def rate_at(schedule, n):
    """x(n) of (kind, a, b, c)."""
    kind, a, b, c = map(float, schedule)
    n = float(n)
    return [
        lambda: a,
        lambda: a / n,
        lambda: a * math.pow(n, -b),
        lambda: a + (b - a) * min((n - 1) / c, 1.0),
        lambda: max(a * math.pow(b, n - 1), c),
    ][int(kind)]()


def first_above(cum, first, u):
    return next(j for j in itertools.count(int(first)) if u < cum[j])


def learn_returns(rows, rewards, b, first, keep, last, pair_state, gamma, rho, importance, step_size, per_step, k, e,
                  mass, visits, total, since, v):  # fmt: skip
    """Each visit by itself: its return and its weight are reckoned from the end of the episode down to it."""
    for t in reversed(range(first, min(keep, last))):
        if rows[b, t] < 0:
            continue
        G, W, decided = 0.0, 1.0, 0.0
        for later in reversed(range(t, last)):
            ratio = float(rho[max(rows[b, later], -rows[b, later] - 1)])
            G = float(rewards[b, later]) + gamma * G
            decided = ratio * (float(rewards[b, later]) + gamma * decided)
            W *= ratio
        if importance == 1 and W == 0:
            continue
        s = pair_state[rows[b, t]]
        if total.shape[1]:
            total[e, s] += v[e, s] * (k - since[e, s])
            since[e, s] = k
        visits[e, s] += 1
        count = visits[e, s]
        if importance == 1:
            mass[e, s] += W
            count = mass[e, s]
        alpha = rate_at(step_size, k + 1 if per_step else count)
        if importance == 1:
            v[e, s] += alpha * W * (G - v[e, s])
        else:
            v[e, s] += alpha * ((W * G if importance == 0 else decided) - v[e, s])


def returns_walk(model, cum, rho, importance, first_visit, step_size, per_step, missing, restart, uniforms, step, clock,
                 row, rows, rewards, seen, episode, cut, mass, visits, total, since, v):  # fmt: skip
    for e in range(len(row)):  # one run after the other
        for k, (u_outcome, u_start, u_action) in enumerate(uniforms[e]):
            i = int(row[e])
            out = first_above(model.cum, model.row_ptr[i], u_outcome)
            t, s2, s = int(clock[e]), int(model.next_state[out]), model.pair_state[i]
            before = [model.pair_state[max(x, -x - 1)] for x in rows[e, :t]]
            rows[e, t] = -i - 1 if first_visit and s in before else i
            rewards[e, t] = model.reward[out] if len(model.reward) else model.r[i]
            if first_visit:
                seen[e, s] = episode[e]
            clock[e] += 1
            done, full = bool(model.terminal[s2]), clock[e] == rows.shape[1]
            if done or full:
                keep = t + 1 if done else t + 1 - missing
                learn_returns(rows, rewards, e, 0, keep, t + 1, model.pair_state, model.gamma, rho, importance,
                              step_size, per_step, step + k, e, mass, visits, total, since, v)  # fmt: skip
                cut[e] += not done
                episode[e] += 1
                clock[e] = 0
            if done or (full and restart):
                s2 = first_above(model.start, 0, u_start)
            row[e] = first_above(cum, model.pair_ptr[s2], u_action)


def returns_given(rows, rewards, begun, keep, pair_state, gamma, rho, importance, step_size, per_step, steps, step,
                  episode, mass, visits, total, since, v):  # fmt: skip
    for e in range(len(v)):
        for k in range(step, step + steps):
            at = k % rows.shape[1]
            if begun[at] >= 0:
                learn_returns(rows, rewards, 0, begun[at], keep[at], at + 1, pair_state, gamma, rho, importance,
                              step_size, per_step, k, e, mass, visits, total, since, v)  # fmt: skip
                episode[e] += 1


def count(model, log, walk, uniforms, step, clock, row, counts):
    for e in range(len(row)):
        for u_outcome, u_other, u_action in uniforms[e]:
            i = int(row[e])
            out = first_above(model.cum, model.row_ptr[i], u_outcome)
            counts[e, out] += 1
            s2 = model.next_state[out]
            if walk.source == 0:
                clock[e] += 1
                if model.terminal[s2] or clock[e] == walk.episode_steps:
                    clock[e] = 0
                    s2 = first_above(model.start, 0, u_other)
                row[e] = first_above(walk.cum, model.pair_ptr[s2], u_action)
            elif walk.source == 1:
                row[e] = first_above(walk.pairs, 0, u_other)
            else:
                row[e] = (i + 1) % len(model.pair_state)


def find_ways_out(weight, state, next_state, over, mass, found):
    """As many rounds as there are transitions: no way out is longer."""
    for _ in weight:
        for w, s, s2, end in zip(weight, state, next_state, over, strict=True):
            if w > 0 and (end or mass[s2] == 0 or found[s2]):
                found[s] = True


def present(weight, state, reward, next_state, over, gamma, mass, sweeps, error, v):
    change = 0.0
    for _ in range(sweeps):
        error[:] = 0.0
        for w, s, r, s2, end in zip(weight, state, reward, next_state, over, strict=True):
            if w > 0 and mass[s] > 0:
                error[s] += w * (r + (0.0 if end else gamma * v[s2]) - v[s])
        live = [s for s in range(len(v)) if mass[s] > 0]
        steps = {s: error[s] / mass[s] for s in live}
        for s in live:
            v[s] += steps[s]
        change = max(map(abs, steps.values()), default=0.0)
        if change <= 2.0**-50 * max((abs(v[s]) for s in live), default=0.0):
            return 0.0
    return change
