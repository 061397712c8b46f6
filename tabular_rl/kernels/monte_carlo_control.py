"""Monte Carlo control: action values from the returns of whole episodes.

`rows` and `rewards` hold the steps of an episode. Row i of the model stands there as -i - 1 at a later visit of it,
which first-visit methods pass over.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.monte_carlo import Episodes as Episodes
from tabular_rl.kernels.one_step import tally
from tabular_rl.kernels.walk import Floats, next_row, rate, search, transition


class Control(NamedTuple):
    """How returns are learned from, and where the episodes of a log are.

    `exploring` says whether an episode begins with a pair drawn by `walk.pairs`. The last `missing` visits of an
    episode that is cut off are passed over. `rows`, `begun` and `keep` (N,) are as in kernels.monte_carlo.Returns.
    """

    first_visit: bool
    exploring: bool
    missing: int
    rows: NDArray[np.int64]
    begun: NDArray[np.int64]
    keep: NDArray[np.int64]


class PairCounts(NamedTuple):
    """How often each pair (runs, L) was learned from, and what an average is made of."""

    visits: NDArray[np.int64]
    total: Floats
    since: NDArray[np.int64]


@kernel
def learn_pairs(model, walk, steps, keep, t, e, counts, q):
    """Learn from an episode, the last step first; of the visits before `keep` alone.

    `steps` are those of number first ... last - 1 in `rows` and `rewards`.

    G ← r + γ G and q(s,a) ← q(s,a) + α [ G - q(s,a) ]
    """
    rows, rewards, first, last = steps
    G = 0.0
    for at in range(last - 1, first - 1, -1):
        i = rows[at]
        G = rewards[at] + model.gamma * G
        if i < 0 or at >= keep:
            continue
        if counts.total.shape[1] > 0:
            tally(q, e, i, t, counts.total, counts.since)
        counts.visits[e, i] += 1
        n = t + 1 if walk.per_step else counts.visits[e, i]
        q[e, i] += rate(walk.step_size, n) * (G - q[e, i])


@kernel
def record_pair(how, at, i, r, e, episodes):
    """Write step number `at` of the running episode down, marked where its pair was met before."""
    episodes.rows[e, at] = i
    episodes.rewards[e, at] = r
    if how.first_visit and episodes.seen[e, i] == episodes.number[e]:
        episodes.rows[e, at] = -i - 1
    episodes.seen[e, i] = episodes.number[e]


@kernel
def monte_carlo_control(model, log, walk, uniforms, step, clock, row, how, episodes, counts, q):
    """At the end of each episode learn from all of its returns, by `learn_pairs`.

    An episode that fills `rows` is cut off, counted by `cut`, and its last visits are passed over; then the walk starts
    again, or goes on as a new episode where `episode_steps` is 0.
    """
    for k in range(uniforms.shape[1]):
        t = step + k
        x = rate(walk.explore_rate, t + 1)
        for e in range(len(q)):
            if log is not None:
                at = t % len(log.row)
                first = how.begun[at]
                if first >= 0:
                    steps = how.rows, log.reward, first, at + 1
                    learn_pairs(model, walk, steps, how.keep[at], t, e, counts, q)
                    episodes.number[e] += 1
            if clock is not None:
                u = uniforms[e, k]
                i, r, s2 = transition(model, log, t, e, u, row)
                last = clock[e] + 1
                over = s2 < 0 or last == episodes.rows.shape[1]
                record_pair(how, last - 1, i, r, e, episodes)
                if over:
                    steps = episodes.rows[e], episodes.rewards[e], 0, last
                    keep = last if s2 < 0 else last - how.missing
                    learn_pairs(model, walk, steps, keep, t, e, counts, q)
                    episodes.number[e] += 1
                    episodes.cut[e] += s2 >= 0
                next_row(model, walk, x, u, s2, -1, e, clock, row, counts.visits, q)
                if over:
                    clock[e] = 0
                    if how.exploring:
                        row[e] = search(walk.pairs, u[1])
