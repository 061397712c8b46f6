"""Double Q-learning: two tables, each valued by the other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.one_step import tally
from tabular_rl.kernels.walk import Floats, greedy, next_row, rate, transition


class Halves(NamedTuple):
    """The two tables (runs, L), and how often the first was updated."""

    heads: NDArray[np.int64]
    qa: Floats
    qb: Floats


@kernel
def learn_half(model, walk, t, n, e, i, r, s2, mine, other):
    """mine(s,a) ← mine(s,a) + α [ r + γ other(s', argmax mine(s',·)) - mine(s,a) ], its update number n"""
    aim = r
    if s2 >= 0:
        aim += model.gamma * other[e, greedy(mine, e, model.pair_ptr[s2], model.pair_ptr[s2 + 1])]
    mine[e, i] += rate(walk.step_size, t + 1 if walk.per_step else n) * (aim - mine[e, i])


@kernel
def double_q(model, log, walk, uniforms, step, clock, row, visits, total, since, halves, q):
    """qa(s,a) ← qa(s,a) + α [ r + γ qb(s', argmax qa(s',·)) - qa(s,a) ] below a coin of 1/2, else qb likewise.

    Actions are chosen by q = (qa + qb) / 2. `halves.heads` counts the updates of qa, `visits` those of both. The coin
    is the last uniform of a step.
    """
    heads, qa, qb = halves.heads, halves.qa, halves.qb
    for k in range(uniforms.shape[1]):
        t = step + k
        x = rate(walk.explore_rate, t + 1)
        for e in range(len(q)):
            u = uniforms[e, k]
            i, r, s2 = transition(model, log, t, e, u, row)
            if total.shape[1] > 0:
                tally(q, e, i, t, total, since)
            visits[e, i] += 1
            if u[len(u) - 1] < 0.5:
                heads[e, i] += 1
                learn_half(model, walk, t, heads[e, i], e, i, r, s2, qa, qb)
            else:
                learn_half(model, walk, t, visits[e, i] - heads[e, i], e, i, r, s2, qb, qa)
            q[e, i] = 0.5 * (qa[e, i] + qb[e, i])
            next_row(model, walk, x, u, s2, -1, e, clock, row, visits, q)
