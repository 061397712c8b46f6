"""One-step learners: TD(0) over states; SARSA, expected SARSA and Q-learning over pairs.

Many runs advance together: step k of every run before step k + 1 of any. A step takes the uniforms of walk.py,
whatever happens in it; SARSA takes a fourth, the action after a restart, as its target may have used the third. q̄ and
v̄ are `bar`, the table itself where there is no target table. `total` and `since` have no columns where no average is
kept; a walk that is `usual` has None there.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.kernels._jit import at, kernel
from tabular_rl.kernels.walk import (
    Floats,
    action,
    explore,
    fading,
    fetch_row,
    greedy,
    highest,
    look_ahead,
    next_row,
    rate,
    search,
    transition,
)


class Mean(NamedTuple):
    """What an average is made of (runs, L); without columns where none is kept."""

    total: Floats
    since: NDArray[np.int64]


@kernel
def begin(model, kind, x, cum, source, pairs, visits, q, uniforms, row):
    """The first row of each run, from two uniforms (runs, 2): the start state, or pair, and the action."""
    pair_ptr, start = model.pair_ptr, model.start
    for e in range(len(row)):
        if source == 0:
            s = search(start, uniforms[e, 0])
            row[e] = explore(kind, x, pair_ptr[s], pair_ptr[s + 1], cum, q, visits, e, uniforms[e, 1])
        elif source == 1:
            row[e] = search(pairs, uniforms[e, 0])
        else:
            row[e] = 0


@kernel
def tally(table, e, j, k, total, since):
    """Before table[e, j] changes in update number k + 1: total ← Σ of what it was after each update so far."""
    total[e, j] += table[e, j] * (k - since[e, j])
    since[e, j] = k


@kernel
def follow(table, e, k, kind, by, bar):
    """The target table after update number k + 1: 1 a copy every `by` updates, 2 bar ← bar + by (table - bar)."""
    if kind == 1:
        if (k + 1) % int(by) == 0:
            for j in range(table.shape[1]):
                bar[e, j] = table[e, j]
    elif kind == 2:
        for j in range(table.shape[1]):
            bar[e, j] += by * (table[e, j] - bar[e, j])


@kernel
def update(table, e, j, aim, rho, step_size, per_step, k, visits, total, since):
    """table(j) ← table(j) + α ρ [ aim - table(j) ], update number k + 1"""
    visits[e, at(j)] += 1
    if total is not None and total.shape[1] > 0:
        tally(table, e, j, k, total, since)
    n = k + 1 if per_step else visits[e, at(j)]
    table[e, at(j)] += rate(step_size, n) * rho * (aim - table[e, at(j)])


@kernel
def td0(model, log, walk, uniforms, step, clock, row, visits, total, since, bar, v):
    """v(s) ← v(s) + α ρ [ r + γ v̄(s') - v(s) ],    v̄(s') = 0 at the end"""
    for k in range(uniforms.shape[1]):
        t = step + k
        look_ahead(model, log, walk, k, uniforms, row, None)
        for e in range(len(v)):
            u = uniforms[e, k]
            i, r, s2 = transition(model, log, t, e, u, row)
            aim = r + model.gamma * bar[e, at(s2)] if s2 >= 0 else r
            update(
                v,
                e,
                model.pair_state[at(i)],
                aim,
                walk.rho[at(i)],
                walk.step_size,
                walk.per_step,
                t,
                visits,
                total,
                since,
            )
            if walk.target > 0:
                follow(v, e, t, walk.target, walk.by, bar)
            next_row(model, walk, 0.0, u, s2, -1, e, clock, row, None, None)
            fetch_row(model, log, walk, e, row, None, None)


@kernel
def expectation(pi, first, last, bar, e):
    """Σ_a π(a|s) bar(s,a) over the rows of a state."""
    value = 0.0
    for i in range(first, last):
        value += pi[i] * bar[e, i]
    return value


@kernel
def own_value(kind, x, first, last, cum, visits, q, e, bar):
    """Σ_a b(a|s) bar(s,a) under the policy b that explores by q."""
    value = 0.0
    if kind == 0:
        below = 0.0
        for i in range(first, last):
            value += (min(cum[i], 1.0) - below) * bar[e, i]
            below = min(cum[i], 1.0)
        return value
    best = greedy(q, e, first, last)
    if kind == 4 or kind == 6:
        x = fading(x, first, last, visits, e)
    if kind == 1 or kind > 3:
        tied = 0.0  # the best rows by q, all equally likely
        ties = 0
        for i in range(first, last):
            value += bar[e, i]
            if i == best or (q[e, i] == q[e, best] and kind < 5):
                tied += bar[e, i]
                ties += 1
        return x * (value / (last - first)) + (1.0 - x) * (tied / ties)
    if kind == 2:
        total = 0.0
        for i in range(first, last):
            weight = math.exp((q[e, i] - q[e, best]) / x)
            total += weight
            value += weight * bar[e, i]
        return value / total
    return bar[e, explore(kind, x, first, last, cum, q, visits, e, 0.0)]


@kernel
def expected(model, walk, x, s, e, visits, q, bar):
    """Σ_a π(a|s) bar(s,a), π the policy of the walk or, where it has none, the one that it explores with."""
    first = model.pair_ptr[s]
    last = model.pair_ptr[s + 1]
    if len(walk.pi) > 0:
        return expectation(walk.pi, first, last, bar, e)
    return own_value(walk.explore, x, first, last, walk.cum, visits, q, e, bar)


@kernel
def taken(model, log, walk, x, t, u, s2, e, visits, q):
    """The row that is taken in s2 next, -1 at the end, or where a log does not say."""
    if log is not None:
        return log.next_row[t % len(log.row)]
    return action(model, walk, x, s2, u[walk.act], e, visits, q) if s2 >= 0 else -1


@kernel
def sarsa(model, log, walk, uniforms, step, clock, row, visits, total, since, bar, q):
    """q(s,a) ← q(s,a) + α [ r + γ q̄(s',a') - q(s,a) ],    a' the action taken next; without one nothing is learned"""
    for k in range(uniforms.shape[1]):
        t = step + k
        x = rate(walk.explore_rate, t + 1)
        look_ahead(model, log, walk, k, uniforms, row, q)
        for e in range(len(q)):
            u = uniforms[e, k]
            i, r, s2 = transition(model, log, t, e, u, row)
            i2 = taken(model, log, walk, x, t, u, s2, e, visits, q)
            if s2 < 0 or i2 >= 0:
                aim = r + model.gamma * bar[e, i2] if s2 >= 0 else r
                update(q, e, i, aim, 1.0, walk.step_size, walk.per_step, t, visits, total, since)
            if walk.target > 0:
                follow(q, e, t, walk.target, walk.by, bar)
            next_row(model, walk, x, u, s2, i2, e, clock, row, visits, q)
            fetch_row(model, log, walk, e, row, visits, q)


@kernel
def expected_sarsa(model, log, walk, uniforms, step, clock, row, visits, total, since, bar, q):
    """q(s,a) ← q(s,a) + α [ r + γ Σ_a' π(a'|s') q̄(s',a') - q(s,a) ]"""
    for k in range(uniforms.shape[1]):
        t = step + k
        x = rate(walk.explore_rate, t + 1)
        look_ahead(model, log, walk, k, uniforms, row, q)
        for e in range(len(q)):
            u = uniforms[e, k]
            i, r, s2 = transition(model, log, t, e, u, row)
            aim = r
            if s2 >= 0:
                aim += model.gamma * expected(model, walk, x, s2, e, visits, q, bar)
            update(q, e, i, aim, 1.0, walk.step_size, walk.per_step, t, visits, total, since)
            if walk.target > 0:
                follow(q, e, t, walk.target, walk.by, bar)
            next_row(model, walk, x, u, s2, -1, e, clock, row, visits, q)
            fetch_row(model, log, walk, e, row, visits, q)


@kernel
def q_learning(model, log, walk, uniforms, step, clock, row, visits, total, since, bar, q):
    """q(s,a) ← q(s,a) + α [ r + γ max_a' q̄(s',a') - q(s,a) ]"""
    for k in range(uniforms.shape[1]):
        t = step + k
        x = rate(walk.explore_rate, t + 1)
        look_ahead(model, log, walk, k, uniforms, row, q)
        for e in range(len(q)):
            u = uniforms[e, k]
            i, r, s2 = transition(model, log, t, e, u, row)
            aim = r
            if s2 >= 0:
                aim += model.gamma * highest(bar, e, model.pair_ptr[at(s2)], model.pair_ptr[at(s2 + 1)])
            update(q, e, i, aim, 1.0, walk.step_size, walk.per_step, t, visits, total, since)
            if walk.usual is None and walk.target > 0:
                follow(q, e, t, walk.target, walk.by, bar)
            next_row(model, walk, x, u, s2, -1, e, clock, row, visits, q)
            fetch_row(model, log, walk, e, row, visits, q)
