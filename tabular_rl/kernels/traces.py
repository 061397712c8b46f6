"""Learners with eligibility traces: TD(λ) over states, Watkins's Q(λ) over pairs.

Step sizes are part of the traces: a visit adds α, not 1, so that it is worth what its own step size says. Only entries
with a trace are touched: `active` (runs, entries) lists them, its first `count` places. A trace below 1e-300 is 0. The
stream of uniforms is that of kernels/one_step.py, so that λ = 0 has the bits of TD(0) and of Q-learning.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.one_step import tally
from tabular_rl.kernels.walk import explore, greedy, rate, scan, search


@kernel
def forget(e, count, active, traces):
    """All traces of run e ← 0, at the end of an episode."""
    for at in range(count[e]):
        traces[e, active[e, at]] = 0.0
    count[e] = 0


@kernel
def trace_step(
    kind,
    decay,
    j,
    aim,
    rho,
    step_size,
    per_step,
    k,
    e,
    before,
    count,
    active,
    traces,
    visits,
    total,
    since,
    table,
):
    """One transition from entry j: z ← ρ (γλ z + α e_j), table ← table + [ aim - table(j) ] z.

    kind 0: so; 1: replacing, z(j) ← ρ α; 2: true online, z(j) ← γλ z(j) + α (1 - γλ z(j)), and then also
    table ← table + d (z - α e_j), where d is the change of table(j) since it was aimed at, when it was `before`.
    `decay` is γλ.
    """
    visits[e, j] += 1
    alpha = rate(step_size, k + 1 if per_step else visits[e, j])
    delta = aim - table[e, j]
    d = table[e, j] - before[e]
    own = decay * traces[e, j]
    if kind == 0:
        own += alpha
    elif kind == 1:
        own = alpha
    else:
        own += alpha * (1.0 - own)
    if traces[e, j] == 0.0:
        active[e, count[e]] = j
        count[e] += 1
    kept = 0
    for at in range(count[e]):
        i = active[e, at]
        z = rho * (own if i == j else decay * traces[e, i])
        if z < 1e-300:
            traces[e, i] = 0.0
            continue
        traces[e, i] = z
        active[e, kept] = i
        kept += 1
        if total.shape[1] > 0:
            tally(table, e, i, k, total, since)
        table[e, i] += delta * z
        if kind == 2:
            table[e, i] += d * (z - alpha if i == j else z)
    count[e] = kept


@kernel
def td_lambda_walk(
    model,
    kind,
    decay,
    rho,
    cum,
    step_size,
    per_step,
    episode_steps,
    uniforms,
    step,
    clock,
    row,
    before,
    count,
    active,
    traces,
    visits,
    total,
    since,
    v,
):
    """TD(λ) on one trajectory with restarts of the behaviour policy `cum`; ρ (L,) is π / b of each row."""
    pair_ptr, pair_state, row_ptr, next_state, outcome = (
        model.pair_ptr, model.pair_state, model.row_ptr, model.next_state, model.cum,
    )  # fmt: skip
    reward, r, gamma, terminal, start = model.reward, model.r, model.gamma, model.terminal, model.start
    for k in range(uniforms.shape[1]):
        for e in range(len(row)):
            i = row[e]
            out = scan(outcome, row_ptr[i], uniforms[e, k, 0])
            s2 = next_state[out]
            aim = reward[out] if len(reward) > 0 else r[i]
            done = terminal[s2]
            worth = 0.0 if done else v[e, s2]
            if not done:
                aim += gamma * worth
            trace_step(
                kind, decay, pair_state[i], aim, rho[i], step_size, per_step, step + k, e, before, count, active,
                traces, visits, total, since, v,
            )  # fmt: skip
            before[e] = worth
            clock[e] += 1
            if done or clock[e] == episode_steps:
                clock[e] = 0
                forget(e, count, active, traces)
                s2 = search(start, uniforms[e, k, 1])
            row[e] = scan(cum, pair_ptr[s2], uniforms[e, k, 2])


@kernel
def td_lambda_given(
    given,
    kind,
    decay,
    rho,
    gamma,
    pair_state,
    step_size,
    per_step,
    steps,
    step,
    before,
    count,
    active,
    traces,
    visits,
    total,
    since,
    v,
):
    """TD(λ) on given transitions, in turn and over again; one without a next action ends its episode."""
    row, reward, next_state, done, next_row = (
        given.row, given.reward, given.next_state, given.done, given.next_row,
    )  # fmt: skip
    for k in range(steps):
        at = (step + k) % len(row)
        i = row[at]
        for e in range(len(v)):
            aim = reward[at]
            worth = 0.0 if done[at] else v[e, next_state[at]]
            if not done[at]:
                aim += gamma * worth
            trace_step(
                kind, decay, pair_state[i], aim, rho[i], step_size, per_step, step + k, e, before, count, active,
                traces, visits, total, since, v,
            )  # fmt: skip
            before[e] = worth
            if next_row[at] < 0:
                forget(e, count, active, traces)


@kernel
def q_lambda_walk(
    model,
    kind,
    decay,
    explore_kind,
    explore_rate,
    cum,
    step_size,
    per_step,
    episode_steps,
    uniforms,
    step,
    clock,
    row,
    before,
    count,
    active,
    traces,
    visits,
    total,
    since,
    q,
):
    """Watkins's Q(λ) on a trajectory; an action that is not a best one, as it is chosen, ends all traces."""
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
                aim += gamma * q[e, greedy(q, e, pair_ptr[s2], pair_ptr[s2 + 1])]
            trace_step(
                kind, decay, i, aim, 1.0, step_size, per_step, step + k, e, before, count, active, traces, visits,
                total, since, q,
            )  # fmt: skip
            clock[e] += 1
            if done or clock[e] == episode_steps:
                clock[e] = 0
                forget(e, count, active, traces)
                s2 = search(start, uniforms[e, k, 1])
            first = pair_ptr[s2]
            last = pair_ptr[s2 + 1]
            best = greedy(q, e, first, last)
            row[e] = explore(explore_kind, x, first, last, cum, q, visits, e, best, uniforms[e, k, 2])
            if q[e, row[e]] < q[e, best]:
                forget(e, count, active, traces)


@kernel
def q_lambda_given(
    given,
    kind,
    decay,
    gamma,
    pair_ptr,
    step_size,
    per_step,
    steps,
    step,
    before,
    count,
    active,
    traces,
    visits,
    total,
    since,
    q,
):
    """Watkins's Q(λ) on given transitions, in turn and over again."""
    row, reward, next_state, done, next_row = (
        given.row, given.reward, given.next_state, given.done, given.next_row,
    )  # fmt: skip
    for k in range(steps):
        at = (step + k) % len(row)
        first = pair_ptr[next_state[at]]
        last = pair_ptr[next_state[at] + 1]
        for e in range(len(q)):
            aim = reward[at]
            if not done[at]:
                aim += gamma * q[e, greedy(q, e, first, last)]
            trace_step(
                kind, decay, row[at], aim, 1.0, step_size, per_step, step + k, e, before, count, active, traces, visits,
                total, since, q,
            )  # fmt: skip
            if next_row[at] < 0 or q[e, next_row[at]] < q[e, greedy(q, e, first, last)]:
                forget(e, count, active, traces)
