"""Slow, obvious twins of kernels/monte_carlo.py, kernels/monte_carlo_control.py and kernels/batch.py."""

from __future__ import annotations

import itertools
import math

import reference_learning


def rate_at(schedule, n):
    """x(n) of (kind, a, b, c)."""
    kind, a, b, c = map(float, schedule[:4])
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


def learn_returns(model, walk, importance, steps, keep, t, e, mass, visits, total, since, v):
    """Each visit by itself: its return and its weight are computed from the end of the episode down to it."""
    rows, rewards, first, last = steps
    for at in reversed(range(first, min(keep, last))):
        if rows[at] < 0:
            continue
        G, W, decided = 0.0, 1.0, 0.0
        for later in reversed(range(at, last)):
            ratio = float(walk.rho[max(rows[later], -rows[later] - 1)])
            G = float(rewards[later]) + model.gamma * G
            decided = ratio * (float(rewards[later]) + model.gamma * decided)
            W *= ratio
        if importance == 1 and W == 0:
            continue
        s = model.pair_state[rows[at]]
        if total.shape[1]:
            total[e, s] += v[e, s] * (t - since[e, s])
            since[e, s] = t
        visits[e, s] += 1
        count = visits[e, s]
        if importance == 1:
            mass[e, s] += W
            count = mass[e, s]
        alpha = rate_at(walk.step_size, t + 1 if walk.per_step else count)
        if importance == 1:
            v[e, s] += alpha * W * (G - v[e, s])
        else:
            v[e, s] += alpha * ((W * G if importance == 0 else decided) - v[e, s])


def record(model, how, at, i, r, e, episodes):
    s = model.pair_state[i]
    before = [model.pair_state[max(x, -x - 1)] for x in episodes.rows[e, :at]]
    episodes.rows[e, at] = -i - 1 if how.first_visit and s in before else i
    episodes.rewards[e, at] = r
    if how.first_visit:
        episodes.seen[e, s] = episodes.number[e]


def monte_carlo(model, log, walk, uniforms, step, clock, row, how, episodes, counts, v):
    for e in range(len(v)):  # one run after the other
        for t, u in enumerate(uniforms[e], start=step):
            if log is not None:
                at = t % len(log.row)
                if how.begun[at] >= 0:
                    steps = how.rows, log.reward, how.begun[at], at + 1
                    learn_returns(model, walk, how.importance, steps, how.keep[at], t, e, *counts, v)
                    episodes.number[e] += 1
                continue
            i, at = int(row[e]), int(clock[e])
            out = first_above(model.cum, model.row_ptr[i], u[0])
            s2 = int(model.next_state[out])
            record(model, how, at, i, model.reward[out] if len(model.reward) else model.r[i], e, episodes)
            clock[e] += 1
            done, full = bool(model.terminal[s2]), clock[e] == episodes.rows.shape[1]
            if done or full:
                keep = at + 1 if done else at + 1 - how.missing
                steps = episodes.rows[e], episodes.rewards[e], 0, at + 1
                learn_returns(model, walk, how.importance, steps, keep, t, e, *counts, v)
                episodes.cut[e] += not done
                episodes.number[e] += 1
                clock[e] = 0
            if done or (full and walk.episode_steps):
                s2 = first_above(model.start, 0, u[1])
            row[e] = first_above(walk.cum, model.pair_ptr[s2], u[2])


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


# -- control --------------------------------------------------------------------------------------------------------


def learn_pairs(model, walk, steps, keep, t, e, counts, q):
    """The returns of an episode are all computed first; then its visits are gone through from the end."""
    rows, rewards, first, last = steps
    G = {int(last): 0.0}
    for at in reversed(range(first, last)):
        G[at] = float(rewards[at]) + model.gamma * G[at + 1]
    for at in reversed(range(first, min(keep, last))):
        i = int(rows[at])
        if i < 0:
            continue
        if counts.total.shape[1]:
            counts.total[e, i] += q[e, i] * (t - counts.since[e, i])
            counts.since[e, i] = t
        counts.visits[e, i] += 1
        q[e, i] += rate_at(walk.step_size, t + 1 if walk.per_step else counts.visits[e, i]) * (
            G[at] - q[e, i]
        )


def record_pair(how, at, i, r, e, episodes):
    again = how.first_visit and episodes.seen[e, i] == episodes.number[e]
    episodes.rows[e, at] = -i - 1 if again else i
    episodes.rewards[e, at] = r
    episodes.seen[e, i] = episodes.number[e]


def monte_carlo_control(model, log, walk, uniforms, step, clock, row, how, episodes, counts, q):
    for e in range(len(q)):  # one run after the other
        for t, u in enumerate(uniforms[e], start=step):
            if log is not None:
                at = t % len(log.row)
                if how.begun[at] >= 0:
                    learn_pairs(
                        model,
                        walk,
                        (how.rows, log.reward, how.begun[at], at + 1),
                        how.keep[at],
                        t,
                        e,
                        counts,
                        q,
                    )
                    episodes.number[e] += 1
                continue
            i, at = int(row[e]), int(clock[e])
            out = first_above(model.cum, model.row_ptr[i], u[0])
            s2 = int(model.next_state[out])
            record_pair(how, at, i, model.reward[out] if len(model.reward) else model.r[i], e, episodes)
            clock[e] += 1
            done, full = bool(model.terminal[s2]), clock[e] == episodes.rows.shape[1]
            if done or full:
                keep = at + 1 if done else at + 1 - how.missing
                learn_pairs(
                    model, walk, (episodes.rows[e], episodes.rewards[e], 0, at + 1), keep, t, e, counts, q
                )
                episodes.cut[e] += not done
                episodes.number[e] += 1
                clock[e] = 0
            if done or (full and walk.episode_steps):
                s2 = first_above(model.start, 0, u[1])
            if (done or full) and how.exploring:
                row[e] = first_above(walk.pairs, 0, u[1])
                continue
            x, pair_ptr = rate_at(walk.explore_rate, t + 1), model.pair_ptr
            row[e] = reference_learning.explore(
                walk.explore, x, int(pair_ptr[s2]), int(pair_ptr[s2 + 1]), walk.cum, q, counts.visits, e, u[2]
            )
