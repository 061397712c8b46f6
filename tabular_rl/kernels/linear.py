"""Semi-gradient learners with linear features: v(s) = w·x(s), q(s,a) = w·x(s,a).

Weights `w` are (runs, d). Uniforms, sources and targets are as in one_step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.one_step import follow, tally
from tabular_rl.kernels.walk import Floats, action, next_pair, next_row, next_state, rate, transition


class Features(NamedTuple):
    """The rows of a matrix X (entries, d): those of entry j are ptr[j] ... ptr[j + 1] - 1."""

    ptr: NDArray[np.int64]
    col: NDArray[np.int64]
    value: Floats
    d: int


class Weights(NamedTuple):
    """Weights (runs, d), those that targets are read from, and what their average is made of."""

    total: Floats
    since: NDArray[np.int64]
    bar: Floats
    w: Floats


@kernel
def dot(x, j, w, e):
    """w[e]·x(j)"""
    total = 0.0
    for m in range(x.ptr[j], x.ptr[j + 1]):
        total += x.value[m] * w[e, x.col[m]]
    return total


@kernel
def climb(x, j, aim, rho, walk, t, e, visits, weights):
    """w ← w + α ρ [ aim - w·x(j) ] x(j), update number t + 1; then the weights that targets are read from follow"""
    w = weights.w
    visits[e, j] += 1
    alpha = rate(walk.step_size, t + 1 if walk.per_step else visits[e, j])
    change = alpha * rho * (aim - dot(x, j, w, e))
    for m in range(x.ptr[j], x.ptr[j + 1]):
        if weights.total.shape[1] > 0:
            tally(w, e, x.col[m], t, weights.total, weights.since)
        w[e, x.col[m]] += change * x.value[m]
    if walk.target > 0:
        follow(w, e, t, walk.target, walk.by, weights.bar)


@kernel
def linear_td(model, log, walk, uniforms, step, clock, row, x, visits, weights):
    """w ← w + α ρ [ r + γ w̄·x(s') - w·x(s) ] x(s),    w̄·x(s') counts 0 at the end"""
    for k in range(uniforms.shape[1]):
        t = step + k
        for e in range(len(visits)):
            u = uniforms[e, k]
            i, r, s2 = transition(model, log, t, e, u, row)
            aim = r + model.gamma * dot(x, s2, weights.bar, e) if s2 >= 0 else r
            climb(x, model.pair_state[i], aim, walk.rho[i], walk, t, e, visits, weights)
            next_row(model, walk, 0.0, u, s2, -1, e, clock, row, None, None)


@kernel
def after(model, walk, x, s, e, bar):
    """Σ_a π(a|s) w̄·x(s,a), π the policy of the walk or, where it has none, max_a w̄·x(s,a)"""
    first = model.pair_ptr[s]
    value = 0.0
    for j in range(first, model.pair_ptr[s + 1]):
        one = dot(x, j, bar, e)
        if len(walk.pi) > 0:
            value += walk.pi[j] * one
        elif j == first or one > value:
            value = one
    return value


@kernel
def linear_q(model, log, walk, uniforms, step, clock, row, x, visits, q, weights):
    """w ← w + α [ r + γ Σ_a' π(a'|s') w̄·x(s',a') - w·x(s,a) ] x(s,a), with max_a' in place of Σ π where there is no π

    q (runs, L) is scratch: w·x of the rows of a state when they are asked for.
    """
    for k in range(uniforms.shape[1]):
        t = step + k
        epsilon = rate(walk.explore_rate, t + 1)
        for e in range(len(q)):
            u = uniforms[e, k]
            i, r, s2 = transition(model, log, t, e, u, row)
            aim = r + model.gamma * after(model, walk, x, s2, e, weights.bar) if s2 >= 0 else r
            climb(x, i, aim, 1.0, walk, t, e, visits, weights)
            if walk.source == 0:
                s = next_state(model, walk, u, s2, e, clock)
                if walk.explore > 0:
                    for j in range(model.pair_ptr[s], model.pair_ptr[s + 1]):
                        q[e, j] = dot(x, j, weights.w, e)
                row[e] = action(model, walk, epsilon, s, u[2], e, visits, q)
            else:
                row[e] = next_pair(model, walk, u, i)
