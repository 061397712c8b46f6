"""One-step learners: TD(0) over states; SARSA, expected SARSA and Q-learning over pairs.

Many runs advance together: step k of every run before step k + 1 of any. A step takes three uniforms, whatever
happens in it: the outcome; the restart, or the next independent pair; the next action. SARSA takes a fourth,
the action after a restart, as its target may have used the third. `source` says where the next row comes from:
0 a trajectory, 1 independent pairs by the cumulative distribution `pairs` (L,), 2 all rows in turn. `total` and
`since` have no columns where no average is kept.
"""

from __future__ import annotations

import math

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.walk import explore, greedy, next_row, rate, scan, search, transition


@kernel
def begin(model, kind, x, cum, source, pairs, visits, q, uniforms, row):
    """The first row of each run, from two uniforms (runs, 2): the start state, or pair, and the action."""
    pair_ptr, start = model.pair_ptr, model.start
    for e in range(len(row)):
        if source == 0:
            s = search(start, uniforms[e, 0])
            first = pair_ptr[s]
            last = pair_ptr[s + 1]
            best = greedy(q, e, first, last) if kind > 0 else first
            row[e] = explore(kind, x, first, last, cum, q, visits, e, best, uniforms[e, 1])
        elif source == 1:
            row[e] = search(pairs, uniforms[e, 0])
        else:
            row[e] = 0


@kernel
def tally(table, e, j, k, total, since):
    """Before table[e, j] changes in update number k + 1: total ← Σ of what it was after each update so far."""
    total[e, j] += table[e, j] * (k - since[e, j])
    since[e, j] = k


@kernel
def follow(table, e, k, kind, by, bar):
    """The target table after update number k + 1: 1 a copy every `by` updates, 2 bar ← bar + by (table - bar)."""
    if kind == 1:
        if (k + 1) % int(by) == 0:
            for j in range(table.shape[1]):
                bar[e, j] = table[e, j]
    elif kind == 2:
        for j in range(table.shape[1]):
            bar[e, j] += by * (table[e, j] - bar[e, j])


@kernel
def update(table, e, j, aim, rho, step_size, per_step, k, visits, total, since):
    """table(j) ← table(j) + α ρ [ aim - table(j) ], update number k + 1"""
    visits[e, j] += 1
    if total.shape[1] > 0:
        tally(table, e, j, k, total, since)
    n = k + 1 if per_step else visits[e, j]
    table[e, j] += rate(step_size, n) * rho * (aim - table[e, j])


@kernel
def td0(model, log, walk, uniforms, step, clock, row, visits, total, since, bar, v):
    """v(s) ← v(s) + α ρ [ r + γ v̄(s') - v(s) ],    v̄(s') = 0 at the end"""
    for k in range(uniforms.shape[1]):
        t = step + k
        for e in range(len(v)):
            u = uniforms[e, k]
            i, r, s2 = transition(model, log, t, e, u, row)
            aim = r + model.gamma * bar[e, s2] if s2 >= 0 else r
            update(
                v,
                e,
                model.pair_state[i],
                aim,
                walk.rho[i],
                walk.step_size,
                walk.per_step,
                t,
                visits,
                total,
                since,
            )
            if walk.target > 0:
                follow(v, e, t, walk.target, walk.by, bar)
            next_row(model, walk, 0.0, u, s2, -1, -1, e, clock, row, None, None)


@kernel
def own_value(kind, x, first, last, cum, visits, q, e, best, bar):
    """Σ_a b(a|s) bar(s,a) under the policy b that explores by q."""
    value = 0.0
    if kind == 0:
        below = 0.0
        for i in range(first, last):
            value += (min(cum[i], 1.0) - below) * bar[e, i]
            below = min(cum[i], 1.0)
        return value
    if kind == 1:
        tied = 0.0  # the best rows by q, all equally likely
        ties = 0
        for i in range(first, last):
            value += bar[e, i]
            if q[e, i] == q[e, best]:
                tied += bar[e, i]
                ties += 1
        return x * (value / (last - first)) + (1.0 - x) * (tied / ties)
    if kind == 2:
        total = 0.0
        for i in range(first, last):
            weight = math.exp((q[e, i] - q[e, best]) / x)
            total += weight
            value += weight * bar[e, i]
        return value / total
    return bar[e, explore(kind, x, first, last, cum, q, visits, e, best, 0.0)]


@kernel
def expectation(pi, first, last, bar, e):
    """Σ_a π(a|s) bar(s,a) over the rows of a state."""
    value = 0.0
    for i in range(first, last):
        value += pi[i] * bar[e, i]
    return value


@kernel
def q_walk(
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
    uniforms,
    step,
    clock,
    row,
    visits,
    total,
    since,
    bar,
    q,
):
    """SARSA (rule 0), expected SARSA (1 of π, 3 of its own exploration) and Q-learning (2).

    q(s,a) ← q(s,a) + α [ r + γ (what the rule takes s' to be worth) - q(s,a) ]. The next action is chosen after the
    update; by SARSA before it, which learns from it. `bar` is q itself where there is no target table. Exploration at
    update number k is x(k).
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
            i2 = i
            best = 0
            known = -1  # the state whose best row is `best`, and stays so in this update
            if not done:
                first = pair_ptr[s2]
                last = pair_ptr[s2 + 1]
                best = first
                if rule == 2:
                    best = greedy(bar, e, first, last)
                elif kind > 0:
                    best = greedy(q, e, first, last)
                if (i < first or i >= last) and (rule != 2 or target == 0):
                    known = s2
                if rule == 2:
                    aim += gamma * bar[e, best]
                elif rule == 1:
                    aim += gamma * expectation(pi, first, last, bar, e)
                elif rule == 0:
                    i2 = explore(kind, x, first, last, cum, q, visits, e, best, uniforms[e, k, 2])
                    aim += gamma * bar[e, i2]
                else:
                    aim += gamma * own_value(kind, x, first, last, cum, visits, q, e, best, bar)
            update(q, e, i, aim, 1.0, step_size, per_step, step + k, visits, total, since)
            if target > 0:
                follow(q, e, step + k, target, by, bar)
            if source == 0:
                clock[e] += 1
                u = uniforms[e, k, 2]
                if done or clock[e] == episode_steps:
                    clock[e] = 0
                    s2 = search(start, uniforms[e, k, 1])
                    if rule == 0:
                        u = uniforms[e, k, 3]
                elif rule == 0:
                    row[e] = i2
                    continue
                first = pair_ptr[s2]
                last = pair_ptr[s2 + 1]
                if (kind == 1 and u < x) or kind == 0:
                    best = first  # not asked for
                elif known != s2:
                    best = greedy(q, e, first, last)
                row[e] = explore(kind, x, first, last, cum, q, visits, e, best, u)
            elif source == 1:
                row[e] = search(pairs, uniforms[e, k, 1])
            else:
                row[e] = i + 1 if i + 1 < q.shape[1] else 0


@kernel
def q_given(
    given,
    pair_ptr,
    gamma,
    rule,
    pi,
    step_size,
    per_step,
    target,
    by,
    steps,
    step,
    visits,
    total,
    since,
    bar,
    q,
):
    """Rules 0, 1 and 2 on given transitions, in turn and over again; SARSA passes over those without a next action."""
    row, reward, next_state, over, next_row = (
        given.row, given.reward, given.next_state, given.done, given.next_row,
    )  # fmt: skip
    for k in range(steps):
        at = (step + k) % len(row)
        done = over[at]
        known = rule != 0 or done or next_row[at] >= 0
        for e in range(len(q)):
            aim = reward[at]
            if known and not done:
                first = pair_ptr[next_state[at]]
                last = pair_ptr[next_state[at] + 1]
                if rule == 2:
                    aim += gamma * bar[e, greedy(bar, e, first, last)]
                elif rule == 1:
                    aim += gamma * expectation(pi, first, last, bar, e)
                else:
                    aim += gamma * bar[e, next_row[at]]
            if known:
                update(q, e, row[at], aim, 1.0, step_size, per_step, step + k, visits, total, since)
            if target > 0:
                follow(q, e, step + k, target, by, bar)
