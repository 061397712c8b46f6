"""Monte Carlo: state values from the returns of whole episodes.

`rows` and `rewards` hold the steps of an episode. Row i of the model stands there as -i - 1 at a later visit of its
state, which first-visit methods pass over.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.one_step import tally
from tabular_rl.kernels.walk import Floats, next_row, rate, transition


class Returns(NamedTuple):
    """How returns are learned from, and where the episodes of a log are.

    `importance` is 0 for ordinary weights, 1 for weighted, 2 for those by decision. The last `missing` visits of an
    episode that is cut off are passed over. `rows` (N,) are those of the log, later visits marked. `begun` (N,) is
    where the episode began whose last step this is, -1 within episodes; visits before `keep` (N,) are learned from.
    """

    importance: int
    first_visit: bool
    missing: int
    rows: NDArray[np.int64]
    begun: NDArray[np.int64]
    keep: NDArray[np.int64]


class Episodes(NamedTuple):
    """The running episode of each run (runs, longest), when each state was last met in one, and how many there were."""

    rows: NDArray[np.int64]
    rewards: Floats
    seen: NDArray[np.int64]
    number: NDArray[np.int64]
    cut: NDArray[np.int64]


class Counts(NamedTuple):
    """What each state (runs, S) was learned from: weights W, visits, and what an average is made of."""

    mass: Floats
    visits: NDArray[np.int64]
    total: Floats
    since: NDArray[np.int64]


@kernel
def learn_returns(model, walk, importance, steps, keep, t, e, mass, visits, total, since, v):
    """Learn from an episode, the last step first; of the visits before `keep` alone.

    `steps` are those of number first ... last - 1 in `rows` and `rewards`.

    G ← r + γ G and W ← ρ W. importance 0: v(s) ← v(s) + α [ W G - v(s) ]; 1: v(s) ← v(s) + α W [ G - v(s) ], where α
    counts by `mass`, the sum of the weights W; 2: v(s) ← v(s) + α [ G - v(s) ] with G ← ρ (r + γ G).
    """
    rows, rewards, first, last = steps
    G = 0.0
    W = 1.0
    for at in range(last - 1, first - 1, -1):
        i = rows[at]
        again = i < 0
        if again:
            i = -i - 1
        G = rewards[at] + model.gamma * G
        if importance == 2:
            G *= walk.rho[i]
        else:
            W *= walk.rho[i]
        if again or at >= keep or (importance == 1 and W == 0.0):
            continue
        s = model.pair_state[i]
        if total.shape[1] > 0:
            tally(v, e, s, t, total, since)
        visits[e, s] += 1
        n = float(visits[e, s])
        if importance == 1:
            mass[e, s] += W
            n = mass[e, s]
        if walk.per_step:
            n = t + 1.0
        if importance == 0:
            v[e, s] += rate(walk.step_size, n) * (W * G - v[e, s])
        elif importance == 1:
            v[e, s] += rate(walk.step_size, n) * W * (G - v[e, s])
        else:
            v[e, s] += rate(walk.step_size, n) * (G - v[e, s])


@kernel
def record(model, how, at, i, r, e, episodes):
    """Write step number `at` of the running episode down, marked where its state was met before."""
    episodes.rows[e, at] = i
    episodes.rewards[e, at] = r
    if how.first_visit:
        s = model.pair_state[i]
        if episodes.seen[e, s] == episodes.number[e]:
            episodes.rows[e, at] = -i - 1
        episodes.seen[e, s] = episodes.number[e]


@kernel
def monte_carlo(model, log, walk, uniforms, step, clock, row, how, episodes, counts, v):
    """At the end of each episode learn from all of its returns, by `learn_returns`.

    A walk goes by the behaviour policy. An episode that fills `rows` is cut off, counted by `cut`, and its last visits
    are passed over; then the walk starts again, or goes on as a new episode where `episode_steps` is 0.
    """
    mass, visits, total, since = counts.mass, counts.visits, counts.total, counts.since
    for k in range(uniforms.shape[1]):
        t = step + k
        for e in range(len(v)):
            if log is not None:
                at = t % len(log.row)
                first = how.begun[at]
                if first >= 0:
                    steps = how.rows, log.reward, first, at + 1
                    learn_returns(
                        model, walk, how.importance, steps, how.keep[at], t, e, mass, visits, total, since, v
                    )
                    episodes.number[e] += 1
            if clock is not None:
                u = uniforms[e, k]
                i, r, s2 = transition(model, log, t, e, u, row)
                last = clock[e] + 1
                record(model, how, last - 1, i, r, e, episodes)
                if s2 < 0 or last == episodes.rows.shape[1]:
                    steps = episodes.rows[e], episodes.rewards[e], 0, last
                    keep = last if s2 < 0 else last - how.missing
                    learn_returns(
                        model, walk, how.importance, steps, keep, t, e, mass, visits, total, since, v
                    )
                    episodes.number[e] += 1
                    episodes.cut[e] += s2 >= 0
                next_row(model, walk, 0.0, u, s2, -1, e, clock, row, None, None)
                if last == episodes.rows.shape[1]:
                    clock[e] = 0
