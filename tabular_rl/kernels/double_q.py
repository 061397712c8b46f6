"""Double Q-learning: two tables, each valued by the other."""

from __future__ import annotations

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.one_step import tally
from tabular_rl.kernels.walk import greedy, onward, rate, scan


@kernel
def double_update(
    e, i, aim, gamma, done, first, last, coin, step_size, per_step, k, visits, heads, total, since, qa, qb, q
):  # fmt: skip
    """qa(s,a) ← qa(s,a) + α [ r + γ qb(s', argmax qa(s',·)) - qa(s,a) ] below a coin of 1/2, else qb likewise.

    `heads` counts the updates of qa, `visits` those of both; q ← (qa + qb) / 2 is what is reported.
    """
    if total.shape[1] > 0:
        tally(q, e, i, k, total, since)
    visits[e, i] += 1
    if coin < 0.5:
        heads[e, i] += 1
        n = k + 1 if per_step else heads[e, i]
        if not done:
            aim += gamma * qb[e, greedy(qa, e, first, last)]
        qa[e, i] += rate(step_size, n) * (aim - qa[e, i])
    else:
        n = k + 1 if per_step else visits[e, i] - heads[e, i]
        if not done:
            aim += gamma * qa[e, greedy(qb, e, first, last)]
        qb[e, i] += rate(step_size, n) * (aim - qb[e, i])
    q[e, i] = 0.5 * (qa[e, i] + qb[e, i])


@kernel
def double_q_walk(
    model,
    kind,
    explore_rate,
    cum,
    step_size,
    per_step,
    source,
    pairs,
    episode_steps,
    uniforms,
    step,
    clock,
    row,
    visits,
    heads,
    total,
    since,
    qa,
    qb,
    q,
):
    """Double Q-learning on samples of the model; actions are chosen by the mean q of the tables.

    A step takes four uniforms: the outcome; the restart or next pair; the next action; the coin.
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
            double_update(
                e, i, aim, gamma, terminal[s2], pair_ptr[s2], pair_ptr[s2 + 1], uniforms[e, k, 3], step_size, per_step,
                step + k, visits, heads, total, since, qa, qb, q,
            )  # fmt: skip
            onward(
                pair_ptr, start, pairs, source, kind, x, cum, episode_steps, e, s2, terminal[s2],
                uniforms[e, k, 1], uniforms[e, k, 2], clock, row, visits, q,
            )  # fmt: skip


@kernel
def double_q_given(
    given,
    pair_ptr,
    gamma,
    step_size,
    per_step,
    uniforms,
    step,
    visits,
    heads,
    total,
    since,
    qa,
    qb,
    q,
):
    """Double Q-learning on given transitions, in turn and over again; a step takes one uniform, the coin."""
    row, reward, next_state, over = given.row, given.reward, given.next_state, given.done
    for k in range(uniforms.shape[1]):
        at = (step + k) % len(row)
        s2 = next_state[at]
        for e in range(len(q)):
            double_update(
                e, row[at], reward[at], gamma, over[at], pair_ptr[s2], pair_ptr[s2 + 1], uniforms[e, k, 0], step_size,
                per_step, step + k, visits, heads, total, since, qa, qb, q,
            )  # fmt: skip
