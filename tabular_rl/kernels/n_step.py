"""Learners that look n rewards ahead: n-step TD over states, n-step tree backup over pairs.

Step t of an episode keeps its row and its reward in place t mod n of `held` and `earned` (runs, n); `clock` is t. The
stream of uniforms is that of kernels/one_step.py, so that n = 1 has the bits of TD(0) and of expected SARSA.
"""

from __future__ import annotations

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.one_step import expectation, update
from tabular_rl.kernels.walk import scan, search


@kernel
def mixed(pi, first, last, chosen, aim, q, e):
    """Σ_a π(a|s) q(s, a) over the rows of a state, with `aim` in place of the value of the row that was chosen."""
    value = 0.0
    for i in range(first, last):
        value += pi[i] * (aim if i == chosen else q[e, i])
    return value


@kernel
def look_back(
    kind,
    ratio,
    t,
    last,
    s2,
    gamma,
    pair_ptr,
    pair_state,
    step_size,
    per_step,
    k,
    e,
    held,
    earned,
    visits,
    total,
    since,
    table,
):
    """Update the entry of step t of the episode by the rewards of steps t ... last and the value of s2 (-1: none).

    kind 0: the return times the product of the ratios ρ; 1: ratios per decision, G ← r + γ (ρ G + (1 - ρ) v(s));
    2: tree backup, G ← r + γ Σ_a π(a|s) q(s, a) with G itself for the action taken, where `ratio` is π.
    """
    n = held.shape[1]
    at = last % n
    i = held[e, at]
    aim = earned[e, at]
    if s2 >= 0:
        if kind == 2:
            aim += gamma * expectation(ratio, pair_ptr[s2], pair_ptr[s2 + 1], table, e)
        else:
            aim += gamma * table[e, s2]
    weight = ratio[i]
    for _ in range(last - t):
        s = pair_state[i]
        if kind == 1:
            aim = ratio[i] * aim + (1.0 - ratio[i]) * table[e, s]
        elif kind == 2:
            aim = mixed(ratio, pair_ptr[s], pair_ptr[s + 1], i, aim, table, e)
        at = at - 1 if at > 0 else n - 1
        i = held[e, at]
        aim = earned[e, at] + gamma * aim
        weight = weight * ratio[i] if kind == 0 else ratio[i]
    if kind == 2:
        update(table, e, i, aim, 1.0, step_size, per_step, k, visits, total, since)
    else:
        update(table, e, pair_state[i], aim, weight, step_size, per_step, k, visits, total, since)


@kernel
def n_step(
    kind,
    ratio,
    i,
    r,
    s2,
    over,
    gamma,
    pair_ptr,
    pair_state,
    step_size,
    per_step,
    k,
    e,
    clock,
    held,
    earned,
    visits,
    total,
    since,
    table,
):
    """One transition of run e: the step n - 1 before it is updated; where it is the last, all that still wait are."""
    n = held.shape[1]
    t = clock[e]
    held[e, t % n] = i
    earned[e, t % n] = r
    clock[e] = 0 if over else t + 1
    for wait in range(max(t - n + 1, 0), t + 1 if over else t - n + 2):
        look_back(
            kind, ratio, wait, t, s2, gamma, pair_ptr, pair_state, step_size, per_step, k, e, held, earned, visits,
            total, since, table,
        )  # fmt: skip


@kernel
def n_step_walk(
    model,
    kind,
    ratio,
    cum,
    step_size,
    per_step,
    episode_steps,
    uniforms,
    step,
    clock,
    row,
    held,
    earned,
    visits,
    total,
    since,
    table,
):
    """n-step returns on a trajectory of the behaviour policy `cum`; `kind` and `ratio` as in look_back."""
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
            over = done or clock[e] + 1 == episode_steps
            n_step(
                kind, ratio, i, reward[out] if len(reward) > 0 else r[i], -1 if done else s2, over, gamma, pair_ptr,
                pair_state, step_size, per_step, step + k, e, clock, held, earned, visits, total, since, table,
            )  # fmt: skip
            if over:
                s2 = search(start, uniforms[e, k, 1])
            row[e] = scan(cum, pair_ptr[s2], uniforms[e, k, 2])


@kernel
def n_step_given(
    given,
    kind,
    ratio,
    gamma,
    pair_ptr,
    pair_state,
    step_size,
    per_step,
    steps,
    step,
    clock,
    held,
    earned,
    visits,
    total,
    since,
    table,
):
    """n-step returns on given transitions, in turn and over again; one without a next action ends its episode."""
    row, reward, next_state, done, next_row = (
        given.row, given.reward, given.next_state, given.done, given.next_row,
    )  # fmt: skip
    for k in range(steps):
        at = (step + k) % len(row)
        for e in range(len(table)):
            n_step(
                kind, ratio, row[at], reward[at], -1 if done[at] else next_state[at], next_row[at] < 0, gamma, pair_ptr,
                pair_state, step_size, per_step, step + k, e, clock, held, earned, visits, total, since, table,
            )  # fmt: skip
