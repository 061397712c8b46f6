"""Learners with eligibility traces: TD(λ) over states, SARSA(λ) and Watkins's Q(λ) over pairs.

Step sizes are part of the traces: a visit adds α, not 1, so that it is worth what its own step size says. Only entries
with a trace are touched: `active` (runs, entries) lists them, its first `size` places. A trace below 1e-300 is 0. The
stream of uniforms is that of kernels/one_step.py, so that λ = 0 has the bits of TD(0), of SARSA and of Q-learning.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.one_step import taken, tally
from tabular_rl.kernels.walk import greedy, highest, is_over, next_row, rate, transition

ACCUMULATING, REPLACING, TRUE_ONLINE = range(3)


class Traces(NamedTuple):
    """The kind of traces, γλ, and the traces z (runs, entries); `before` is what s' was worth, one step ago."""

    kind: int
    decay: float
    before: NDArray[np.float64]
    size: NDArray[np.int64]
    active: NDArray[np.int64]
    z: NDArray[np.float64]


@kernel
def forget(traces, e):
    """All traces of run e ← 0, at the end of an episode."""
    for at in range(traces.size[e]):
        traces.z[e, traces.active[e, at]] = 0.0
    traces.size[e] = 0


@kernel
def spread(traces, walk, t, e, j, aim, rho, visits, total, since, table):
    """One transition from entry j: z ← ρ (γλ z + α e_j), table ← table + [ aim - table(j) ] z.

    So accumulating traces do. Replacing ones set z(j) ← ρ α. True online ones set z(j) ← γλ z(j) + α (1 - γλ z(j)),
    and then also table ← table + d (z - α e_j), where d is the change of table(j) since it was aimed at, when it was
    `before`.
    """
    active, size, z = traces.active, traces.size, traces.z
    visits[e, j] += 1
    alpha = rate(walk.step_size, t + 1 if walk.per_step else visits[e, j])
    delta = aim - table[e, j]
    d = table[e, j] - traces.before[e]
    own = traces.decay * z[e, j]
    if traces.kind == ACCUMULATING:
        own += alpha
    elif traces.kind == REPLACING:
        own = alpha
    else:
        own += alpha * (1.0 - own)
    if z[e, j] == 0.0:
        active[e, size[e]] = j
        size[e] += 1
    kept = 0
    for at in range(size[e]):
        i = active[e, at]
        new = rho * (own if i == j else traces.decay * z[e, i])
        if new < 1e-300:
            z[e, i] = 0.0
            continue
        z[e, i] = new
        active[e, kept] = i
        kept += 1
        if total.shape[1] > 0:
            tally(table, e, i, t, total, since)
        table[e, i] += delta * new
        if traces.kind == TRUE_ONLINE:
            table[e, i] += d * (new - alpha if i == j else new)
    size[e] = kept


@kernel
def td_lambda(model, log, walk, uniforms, step, clock, row, traces, visits, total, since, v):
    """v ← v + [ r + γ v(s') - v(s) ] z,    z ← ρ (γλ z + α e_s)"""
    for k in range(uniforms.shape[1]):
        t = step + k
        for e in range(len(v)):
            u = uniforms[e, k]
            i, aim, s2 = transition(model, log, t, e, u, row)
            worth = 0.0
            if s2 >= 0:
                worth = v[e, s2]
                aim += model.gamma * worth
            spread(traces, walk, t, e, model.pair_state[i], aim, walk.rho[i], visits, total, since, v)
            traces.before[e] = worth
            if is_over(log, walk, t, s2, e, clock):
                forget(traces, e)
            next_row(model, walk, 0.0, u, s2, -1, e, clock, row, None, None)


@kernel
def sarsa_lambda(model, log, walk, uniforms, step, clock, row, traces, visits, total, since, q):
    """q ← q + [ r + γ q(s',a') - q(s,a) ] z,    z ← γλ z + α e_(s,a),    a' the action taken next"""
    for k in range(uniforms.shape[1]):
        t = step + k
        x = rate(walk.explore_rate, t + 1)
        for e in range(len(q)):
            u = uniforms[e, k]
            i, aim, s2 = transition(model, log, t, e, u, row)
            i2 = taken(model, log, walk, x, t, u, s2, e, visits, q)
            if s2 < 0 or i2 >= 0:
                worth = 0.0
                if s2 >= 0:
                    worth = q[e, i2]
                    aim += model.gamma * worth
                spread(traces, walk, t, e, i, aim, 1.0, visits, total, since, q)
                traces.before[e] = worth
            if is_over(log, walk, t, s2, e, clock):
                forget(traces, e)
            next_row(model, walk, x, u, s2, i2, e, clock, row, visits, q)


@kernel
def q_lambda(model, log, walk, uniforms, step, clock, row, traces, visits, total, since, q):
    """q ← q + [ r + γ max_a' q(s',a') - q(s,a) ] z,    z ← γλ z + α e_(s,a), or 0 where a' is not a best action"""
    for k in range(uniforms.shape[1]):
        t = step + k
        x = rate(walk.explore_rate, t + 1)
        for e in range(len(q)):
            u = uniforms[e, k]
            i, aim, s2 = transition(model, log, t, e, u, row)
            if s2 >= 0:
                aim += model.gamma * highest(q, e, model.pair_ptr[s2], model.pair_ptr[s2 + 1])
            spread(traces, walk, t, e, i, aim, 1.0, visits, total, since, q)
            over = is_over(log, walk, t, s2, e, clock)
            best = -1 if over else greedy(q, e, model.pair_ptr[s2], model.pair_ptr[s2 + 1])
            next_row(model, walk, x, u, s2, -1, e, clock, row, visits, q)
            i2 = row[e] if log is None else log.next_row[t % len(log.row)]
            if over or q[e, i2] < q[e, best]:
                forget(traces, e)
