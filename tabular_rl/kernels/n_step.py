"""Learners that look n rewards ahead: n-step TD over states, n-step tree backup over pairs.

Step t of an episode keeps its row and its reward in place t mod n of `held` and `earned` (runs, n). The stream of
uniforms is that of kernels/one_step.py, so that n = 1 has the bits of TD(0) and of expected SARSA.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.one_step import expectation, update
from tabular_rl.kernels.walk import is_over, next_row, transition

PRODUCT, PER_DECISION, TREE = range(3)


class Ahead(NamedTuple):
    """The kind of return, and what is kept until it is known; `age` are the steps of an episode, as `clock`s are."""

    kind: int
    age: NDArray[np.int64]
    held: NDArray[np.int64]
    earned: NDArray[np.float64]


@kernel
def mixed(pi, first, last, chosen, G, q, e):
    """Σ_a π(a|s) q(s, a) over the rows of a state, with G in place of the value of the row that was chosen."""
    value = 0.0
    for i in range(first, last):
        value += pi[i] * (G if i == chosen else q[e, i])
    return value


@kernel
def look_back(model, walk, ahead, t, last, s2, e, table):
    """(i, G, ρ): the row of step t of an episode, its return by steps t ... last, which led to s2 (-1: the end).

    By the product: G = r_1 + γ r_2 + ... + γ^n v(s_n), ρ the product of all ratios. Per decision: G ← r + γ (ρ G +
    (1 - ρ) v(s)). Tree backup: G ← r + γ Σ_a π(a|s) q(s, a), with G itself for the action taken, and ρ = 1.
    """
    pair_ptr, pi, rho = model.pair_ptr, walk.pi, walk.rho
    n = ahead.held.shape[1]
    at = last % n
    i = ahead.held[e, at]
    G = ahead.earned[e, at]
    if s2 >= 0:
        if ahead.kind == TREE:
            G += model.gamma * expectation(pi, pair_ptr[s2], pair_ptr[s2 + 1], table, e)
        else:
            G += model.gamma * table[e, s2]
    weight = 1.0 if ahead.kind == TREE else rho[i]
    for _ in range(last - t):
        s = model.pair_state[i]
        if ahead.kind == PER_DECISION:
            G = rho[i] * G + (1.0 - rho[i]) * table[e, s]
        elif ahead.kind == TREE:
            G = mixed(pi, pair_ptr[s], pair_ptr[s + 1], i, G, table, e)
        at = at - 1 if at > 0 else n - 1
        i = ahead.held[e, at]
        G = ahead.earned[e, at] + model.gamma * G
        if ahead.kind == PRODUCT:
            weight *= rho[i]
        elif ahead.kind == PER_DECISION:
            weight = rho[i]
    return i, G, weight


@kernel
def n_step(model, log, walk, uniforms, step, clock, row, ahead, visits, total, since, table):
    """v(s) ← v(s) + α ρ [ G - v(s) ], or q(s,a) likewise, of the step n - 1 before; at an end of all that still wait"""
    age = ahead.age
    n = ahead.held.shape[1]
    for k in range(uniforms.shape[1]):
        t = step + k
        for e in range(len(table)):
            u = uniforms[e, k]
            i, r, s2 = transition(model, log, t, e, u, row)
            over = is_over(log, walk, t, s2, e, age)
            now = age[e]
            ahead.held[e, now % n] = i
            ahead.earned[e, now % n] = r
            for wait in range(max(now - n + 1, 0), now + 1 if over else now - n + 2):
                i, G, rho = look_back(model, walk, ahead, wait, now, s2, e, table)
                j = i if ahead.kind == TREE else model.pair_state[i]
                update(table, e, j, G, rho, walk.step_size, walk.per_step, t, visits, total, since)
            if log is not None:
                age[e] = 0 if over else now + 1  # next_row does it in a walk
            next_row(model, walk, 0.0, u, s2, -1, e, clock, row, None, None)
