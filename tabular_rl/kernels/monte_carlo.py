"""Monte Carlo: state values from the returns of whole episodes.

`rows` and `rewards` hold the steps of the running episode: a line of each run, as long as an episode may be; or one
line, a log. Row i of the model stands there as -i - 1 at a later visit of its state, which first-visit methods pass
over.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.one_step import tally
from tabular_rl.kernels.walk import rate, scan, search


@kernel
def learn_returns(
    rows,
    rewards,
    b,
    first,
    keep,
    last,
    pair_state,
    gamma,
    rho,
    importance,
    step_size,
    per_step,
    k,
    e,
    mass,
    visits,
    total,
    since,
    v,
):
    """Learn from steps first ... last - 1 of row b, the last one first; of the visits before `keep` alone.

    G ← r + γ G and W ← ρ W. importance 0: v(s) ← v(s) + α [ W G - v(s) ]; 1: v(s) ← v(s) + α W [ G - v(s) ], where α
    counts by `mass`, the sum of the weights W; 2: the same as 0 with G ← ρ (r + γ G) in place of W G.
    """
    G = 0.0
    W = 1.0
    for t in range(last - 1, first - 1, -1):
        i = rows[b, t]
        again = i < 0
        if again:
            i = -i - 1
        G = rewards[b, t] + gamma * G
        if importance == 2:
            G *= rho[i]
        else:
            W *= rho[i]
        if again or t >= keep or (importance == 1 and W == 0.0):
            continue
        s = pair_state[i]
        if total.shape[1] > 0:
            tally(v, e, s, k, total, since)
        visits[e, s] += 1
        n = float(visits[e, s])
        if importance == 1:
            mass[e, s] += W
            n = mass[e, s]
        if per_step:
            n = k + 1.0
        if importance == 0:
            v[e, s] += rate(step_size, n) * (W * G - v[e, s])
        elif importance == 1:
            v[e, s] += rate(step_size, n) * W * (G - v[e, s])
        else:
            v[e, s] += rate(step_size, n) * (G - v[e, s])


@kernel
def returns_walk(
    model,
    cum,
    rho,
    importance,
    first_visit,
    step_size,
    per_step,
    missing,
    restart,
    uniforms,
    step,
    clock,
    row,
    rows,
    rewards,
    seen,
    episode,
    cut,
    mass,
    visits,
    total,
    since,
    v,
):
    """Walk by the behaviour policy `cum`, and learn at the end of each episode from all of its returns.

    An episode that fills `rows` is cut off, counted by `cut`, and its last `missing` visits are not learned from; then
    the walk starts anew (`restart`) or goes on as a new episode. A step takes three uniforms, as in td0.
    """
    pair_ptr, pair_state, row_ptr, next_state, outcome = (
        model.pair_ptr, model.pair_state, model.row_ptr, model.next_state, model.cum,
    )  # fmt: skip
    reward, r, gamma, terminal, start = model.reward, model.r, model.gamma, model.terminal, model.start
    for k in range(uniforms.shape[1]):
        for e in range(len(row)):
            i = row[e]
            out = scan(outcome, row_ptr[i], uniforms[e, k, 0])
            s2 = next_state[out]
            done = terminal[s2]
            t = clock[e]
            rows[e, t] = i
            rewards[e, t] = reward[out] if len(reward) > 0 else r[i]
            if first_visit:
                s = pair_state[i]
                if seen[e, s] == episode[e]:
                    rows[e, t] = -i - 1
                seen[e, s] = episode[e]
            t += 1
            if done or t == rows.shape[1]:
                keep = t if done else t - missing
                learn_returns(
                    rows, rewards, e, 0, keep, t, pair_state, gamma, rho, importance, step_size, per_step,
                    step + k, e, mass, visits, total, since, v,
                )  # fmt: skip
                if not done:
                    cut[e] += 1
                if done or restart:
                    s2 = search(start, uniforms[e, k, 1])
                episode[e] += 1
                t = 0
            clock[e] = t
            row[e] = scan(cum, pair_ptr[s2], uniforms[e, k, 2])


@kernel
def returns_given(
    rows,
    rewards,
    begun,
    keep,
    pair_state,
    gamma,
    rho,
    importance,
    step_size,
    per_step,
    steps,
    step,
    episode,
    mass,
    visits,
    total,
    since,
    v,
):
    """The same on the episodes of a log, in turn and over again; every run alike.

    `begun` (N,) is where the episode began whose last step this is, -1 within episodes; its visits before `keep` (N,)
    are learned from.
    """
    N = rows.shape[1]
    for k in range(steps):
        at = (step + k) % N
        if begun[at] < 0:
            continue
        for e in range(len(v)):
            learn_returns(
                rows, rewards, 0, begun[at], keep[at], at + 1, pair_state, gamma, rho, importance, step_size, per_step,
                step + k, e, mass, visits, total, since, v,
            )  # fmt: skip
            episode[e] += 1
