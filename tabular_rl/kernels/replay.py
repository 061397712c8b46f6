"""Experience replay: expected SARSA and Q-learning on transitions drawn from a buffer of earlier ones.

A buffer is a ring: the newest transition takes the place of the oldest. Priorities are the leaves of two trees, of
sums and of minima: node n has the children 2n and 2n + 1, node 1 is the root, leaf j is node half + j.
"""

from __future__ import annotations

import math

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.one_step import expectation, follow, own_value, update
from tabular_rl.kernels.walk import greedy, onward, rate, scan

MARGIN = 0.01  # what is added to |δ|, so that every transition can be drawn again (Schaul et al. 2016, 3.3)


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
def worth(rule, pi, kind, x, cum, first, last, visits, q, e, bar):
    """What a rule takes a state to be worth, by its rows: 1 Σ π bar, 2 max bar, 3 the mean of its own exploration."""
    if rule == 2:
        return bar[e, greedy(bar, e, first, last)]
    if rule == 1:
        return expectation(pi, first, last, bar, e)
    best = greedy(q, e, first, last) if kind > 0 else first
    return own_value(kind, x, first, last, cum, visits, q, e, best, bar)


@kernel
def reweigh(sums, least, top, e, j, delta, omega, beta):
    """The weight (min p / p(j))^β of an update by transition j; then p(j) ← (|δ| + MARGIN)^ω."""
    weight = math.pow(least[e, 1] / sums[e, sums.shape[1] // 2 + j], beta)
    priority = math.pow(abs(delta) + MARGIN, omega)
    top[e] = max(top[e], priority)
    put(sums, least, e, j, priority)
    return weight


@kernel
def q_replay(
    model,
    rule,
    pi,
    kind,
    explore_rate,
    cum,
    step_size,
    per_step,
    source,
    pairs,
    target,
    by,
    episode_steps,
    batch,
    omega,
    beta,
    uniforms,
    step,
    clock,
    row,
    stored,
    held_row,
    held_outcome,
    sums,
    least,
    top,
    visits,
    total,
    since,
    bar,
    q,
):
    """Rules 1, 2 and 3 by replay: a step stores one transition, then learns from `batch` of those in the buffer.

    A step takes 3 + batch uniforms: outcome, restart or next pair, next action, and one a draw. `sums` has no columns
    where all are equally likely. The n of `per_step`, of targets and of averages counts steps, not updates.
    """
    pair_ptr, row_ptr, next_state, outcome = model.pair_ptr, model.row_ptr, model.next_state, model.cum
    reward, r, gamma, terminal, start = model.reward, model.r, model.gamma, model.terminal, model.start
    capacity = held_row.shape[1]
    for k in range(uniforms.shape[1]):
        x = rate(explore_rate, step + k + 1)
        for e in range(len(row)):
            slot = stored[e] % capacity
            held_row[e, slot] = row[e]
            newest = scan(outcome, row_ptr[row[e]], uniforms[e, k, 0])
            held_outcome[e, slot] = newest
            stored[e] += 1
            size = min(stored[e], capacity)
            if sums.shape[1] > 0:
                put(sums, least, e, slot, top[e])
            for b in range(batch):
                u = uniforms[e, k, 3 + b]
                j = take(sums, e, u) if sums.shape[1] > 0 else int(u * size)
                i = held_row[e, j]
                out = held_outcome[e, j]
                s2 = next_state[out]
                aim = reward[out] if len(reward) > 0 else r[i]
                if not terminal[s2]:
                    aim += gamma * worth(
                        rule, pi, kind, x, cum, pair_ptr[s2], pair_ptr[s2 + 1], visits, q, e, bar
                    )
                weight = 1.0
                if sums.shape[1] > 0:
                    weight = reweigh(sums, least, top, e, j, aim - q[e, i], omega, beta)
                update(q, e, i, aim, weight, step_size, per_step, step + k, visits, total, since)
            if target > 0:
                follow(q, e, step + k, target, by, bar)
            s2 = next_state[newest]
            onward(
                pair_ptr, start, pairs, source, kind, x, cum, episode_steps, e, s2, terminal[s2],
                uniforms[e, k, 1], uniforms[e, k, 2], clock, row, visits, q,
            )  # fmt: skip


@kernel
def q_replay_given(
    given,
    pair_ptr,
    gamma,
    rule,
    pi,
    step_size,
    per_step,
    target,
    by,
    omega,
    beta,
    uniforms,
    step,
    sums,
    least,
    top,
    visits,
    total,
    since,
    bar,
    q,
):
    """Rules 1 and 2 on transitions drawn from a log, which is the buffer; a step is one update and one uniform."""
    row, reward, next_state, over = given.row, given.reward, given.next_state, given.done
    for k in range(uniforms.shape[1]):
        for e in range(len(q)):
            u = uniforms[e, k, 0]
            j = take(sums, e, u) if sums.shape[1] > 0 else int(u * len(row))
            i = row[j]
            s2 = next_state[j]
            aim = reward[j]
            if not over[j]:
                first = pair_ptr[s2]
                last = pair_ptr[s2 + 1]
                if rule == 2:
                    aim += gamma * bar[e, greedy(bar, e, first, last)]
                else:
                    aim += gamma * expectation(pi, first, last, bar, e)
            weight = 1.0
            if sums.shape[1] > 0:
                weight = reweigh(sums, least, top, e, j, aim - q[e, i], omega, beta)
            update(q, e, i, aim, weight, step_size, per_step, step + k, visits, total, since)
            if target > 0:
                follow(q, e, step + k, target, by, bar)
