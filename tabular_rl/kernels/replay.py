"""Experience replay: expected SARSA and Q-learning on transitions drawn from a buffer of earlier ones.

A buffer is a ring: the newest transition takes the place of the oldest. Priorities are the leaves of two trees, of
sums and of minima: node n has the children 2n and 2n + 1, node 1 is the root, leaf j is node half + j.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.one_step import expected, follow, update
from tabular_rl.kernels.walk import Floats, draw, highest, line, next_row, outcome, rate

MARGIN = 0.01  # what is added to |δ|, so that every transition can be drawn again (Schaul et al. 2016, 3.3)


class Buffer(NamedTuple):
    """Transitions (runs, capacity), their priorities as trees, and how they are drawn, weighted and learned from."""

    largest: bool
    omega: float
    beta: float
    stored: NDArray[np.int64]
    held_row: NDArray[np.int64]
    held_outcome: NDArray[np.int64]
    sums: Floats
    least: Floats
    top: Floats


@kernel
def put(sums, least, e, j, priority):
    """Leaf j ← priority, and all above it anew: sums of two children, so that rounding does not pile up."""
    n = sums.shape[1] // 2 + j
    sums[e, n] = priority
    least[e, n] = priority
    while n > 1:
        n //= 2
        sums[e, n] = sums[e, 2 * n] + sums[e, 2 * n + 1]
        least[e, n] = min(least[e, 2 * n], least[e, 2 * n + 1])


@kernel
def take(sums, e, u):
    """The first leaf j with u Σ p < p(0) + ... + p(j), never one of priority 0."""
    half = sums.shape[1] // 2
    rest = u * sums[e, 1]
    n = 1
    while n < half:
        n *= 2
        if rest >= sums[e, n] and sums[e, n + 1] > 0.0:
            rest -= sums[e, n]
            n += 1
    return n - half


@kernel
def worth(model, walk, largest, x, s, e, visits, q, bar):
    """What s is worth: the largest of bar(s, ·), or its mean, as expected SARSA takes it."""
    if largest:
        return highest(bar, e, model.pair_ptr[s], model.pair_ptr[s + 1])
    return expected(model, walk, x, s, e, visits, q, bar)


@kernel
def reweigh(sums, least, top, e, j, delta, omega, beta):
    """The weight (min p / p(j))^β of an update by transition j; then p(j) ← (|δ| + MARGIN)^ω."""
    weight = math.pow(least[e, 1] / sums[e, sums.shape[1] // 2 + j], beta)
    priority = math.pow(abs(delta) + MARGIN, omega)
    top[e] = max(top[e], priority)
    put(sums, least, e, j, priority)
    return weight


@kernel
def store(model, buffer, e, u, row):
    """Sample the next transition of run e into its buffer; s' of it, -1 at the end."""
    i = row[e]
    slot = buffer.stored[e] % buffer.held_row.shape[1]
    buffer.held_row[e, slot] = i
    buffer.held_outcome[e, slot] = draw(model, i, u)
    buffer.stored[e] += 1
    if buffer.sums.shape[1] > 0:
        put(buffer.sums, buffer.least, e, slot, buffer.top[e])
    return outcome(model, i, buffer.held_outcome[e, slot])[1]


@kernel
def replay(model, log, walk, uniforms, step, clock, row, buffer, visits, mean, bar, q):
    """q(s,a) ← q(s,a) + α w [ r + γ (what s' is worth) - q(s,a) ], of transitions drawn from a buffer, or a log.

    A step stores one transition, then learns from one for each uniform that is left; a log is a buffer itself. `sums`
    has no columns where all are equally likely. The n of `per_step`, of targets and of averages counts steps.
    """
    sums, least, top = buffer.sums, buffer.least, buffer.top
    for k in range(uniforms.shape[1]):
        t = step + k
        x = rate(walk.explore_rate, t + 1)
        for e in range(len(q)):
            u = uniforms[e, k]
            if log is None:
                real = store(model, buffer, e, u[0], row)
                size = min(buffer.stored[e], buffer.held_row.shape[1])
                first = 3
            else:
                real = -1
                size = len(log.row)
                first = 0
            for n in range(first, len(u)):
                j = take(sums, e, u[n]) if sums.shape[1] > 0 else int(u[n] * size)
                if log is None:
                    i = buffer.held_row[e, j]
                    aim, s2 = outcome(model, i, buffer.held_outcome[e, j])
                else:
                    i, aim, s2 = line(log, j)
                if s2 >= 0:
                    aim += model.gamma * worth(model, walk, buffer.largest, x, s2, e, visits, q, bar)
                weight = 1.0
                if sums.shape[1] > 0:
                    weight = reweigh(sums, least, top, e, j, aim - q[e, i], buffer.omega, buffer.beta)
                update(q, e, i, aim, weight, walk.step_size, walk.per_step, t, visits, mean.total, mean.since)
            if walk.target > 0:
                follow(q, e, t, walk.target, walk.by, bar)
            next_row(model, walk, x, u, real, -1, e, clock, row, visits, q)
