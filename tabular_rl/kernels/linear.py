"""Semi-gradient learners with linear features: v(s) = w·x(s), q(s,a) = w·x(s,a).

Features are rows of a sparse matrix (ptr, col, value), weights `w` (runs, d). Uniforms, sources and targets
are as in one_step.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.one_step import follow, tally
from tabular_rl.kernels.walk import explore, greedy, rate, scan, search


@kernel
def dot(ptr, col, value, j, w, e):
    """w[e]·x(j)"""
    total = 0.0
    for m in range(ptr[j], ptr[j + 1]):
        total += value[m] * w[e, col[m]]
    return total


@kernel
def climb(ptr, col, value, j, change, k, total, since, w, e):
    """w[e] ← w[e] + change x(j), update number k + 1; sums for an average as in one_step."""
    for m in range(ptr[j], ptr[j + 1]):
        if total.shape[1] > 0:
            tally(w, e, col[m], k, total, since)
        w[e, col[m]] += change * value[m]


@kernel
def linear_td_walk(
    model,
    ptr,
    col,
    value,
    cum,
    rho,
    step_size,
    per_step,
    source,
    pairs,
    target,
    by,
    episode_steps,
    uniforms,
    step,
    clock,
    row,
    visits,
    total,
    since,
    bar,
    w,
):
    """w ← w + α ρ [ r + γ w̄·x(s') - w·x(s) ] x(s); w̄·x(s') counts 0 where s' is terminal."""
    pair_ptr, pair_state, row_ptr, next_state, outcome = (
        model.pair_ptr, model.pair_state, model.row_ptr, model.next_state, model.cum,
    )  # fmt: skip
    reward, r, gamma, terminal, start = model.reward, model.r, model.gamma, model.terminal, model.start
    for k in range(uniforms.shape[1]):
        for e in range(len(row)):
            i = row[e]
            s = pair_state[i]
            out = scan(outcome, row_ptr[i], uniforms[e, k, 0])
            s2 = next_state[out]
            aim = reward[out] if len(reward) > 0 else r[i]
            done = terminal[s2]
            if not done:
                aim += gamma * dot(ptr, col, value, s2, bar, e)
            visits[e, s] += 1
            alpha = rate(step_size, step + k + 1 if per_step else visits[e, s])
            delta = aim - dot(ptr, col, value, s, w, e)
            climb(ptr, col, value, s, alpha * rho[i] * delta, step + k, total, since, w, e)
            if target > 0:
                follow(w, e, step + k, target, by, bar)
            if source == 0:
                clock[e] += 1
                if done or clock[e] == episode_steps:
                    clock[e] = 0
                    s2 = search(start, uniforms[e, k, 1])
                row[e] = scan(cum, pair_ptr[s2], uniforms[e, k, 2])
            elif source == 1:
                row[e] = search(pairs, uniforms[e, k, 1])
            else:
                row[e] = i + 1 if i + 1 < len(pair_state) else 0


@kernel
def linear_q_walk(
    model,
    ptr,
    col,
    value,
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
    uniforms,
    step,
    clock,
    row,
    visits,
    total,
    since,
    q,
    bar,
    w,
):
    """w ← w + α [ r + γ (1: Σ π w̄·x(s',a'), 2: max w̄·x(s',a')) - w·x(s,a) ] x(s,a)

    q (runs, L) is scratch: w·x of the rows of a state when they are asked for.
    """
    pair_ptr, row_ptr, next_state, outcome = model.pair_ptr, model.row_ptr, model.next_state, model.cum
    reward, r, gamma, terminal, start = model.reward, model.r, model.gamma, model.terminal, model.start
    for k in range(uniforms.shape[1]):
        x = rate(explore_rate, step + k + 1)
        for e in range(len(row)):
            i = row[e]
            out = scan(outcome, row_ptr[i], uniforms[e, k, 0])
            s2 = next_state[out]
            aim = reward[out] if len(reward) > 0 else r[i]
            done = terminal[s2]
            if not done:
                after = 0.0
                for j in range(pair_ptr[s2], pair_ptr[s2 + 1]):
                    one = dot(ptr, col, value, j, bar, e)
                    if rule == 1:
                        after += pi[j] * one
                    elif j == pair_ptr[s2] or one > after:
                        after = one
                aim += gamma * after
            visits[e, i] += 1
            alpha = rate(step_size, step + k + 1 if per_step else visits[e, i])
            delta = aim - dot(ptr, col, value, i, w, e)
            climb(ptr, col, value, i, alpha * delta, step + k, total, since, w, e)
            if target > 0:
                follow(w, e, step + k, target, by, bar)
            if source == 0:
                clock[e] += 1
                if done or clock[e] == episode_steps:
                    clock[e] = 0
                    s2 = search(start, uniforms[e, k, 1])
                first = pair_ptr[s2]
                last = pair_ptr[s2 + 1]
                best = first
                if kind > 0:
                    for j in range(first, last):
                        q[e, j] = dot(ptr, col, value, j, w, e)
                    best = greedy(q, e, first, last)
                row[e] = explore(kind, x, first, last, cum, q, visits, e, best, uniforms[e, k, 2])
            elif source == 1:
                row[e] = search(pairs, uniforms[e, k, 1])
            else:
                row[e] = i + 1 if i + 1 < q.shape[1] else 0
