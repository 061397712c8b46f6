"""Planning with a model that is learned on the way: Dyna-Q and prioritized sweeping.

The learned model is the counts (runs, K) of the outcomes that were seen and `tried` (runs, L), how often each row was.
"""

from __future__ import annotations

import math

from tabular_rl.kernels._jit import kernel
from tabular_rl.kernels.one_step import update
from tabular_rl.kernels.walk import greedy, onward, rate, scan


@kernel
def drawn(counts, e, first, n, u):
    """The outcome from `first` on that u falls on, by counts whose sum is n."""
    rest = u * n - counts[e, first]
    while rest >= 0.0:
        first += 1
        rest -= counts[e, first]
    return first


@kernel
def dyna_walk(
    model,
    kind,
    explore_rate,
    cum,
    step_size,
    per_step,
    episode_steps,
    planning,
    uniforms,
    step,
    clock,
    row,
    known,
    size,
    tried,
    counts,
    visits,
    total,
    since,
    q,
):
    """Dyna-Q: a Q-learning update from each real transition, then `planning` more from the learned model.

    A step takes 3 + 2 planning uniforms: the outcome, the restart, the next action; for each update of planning the
    row, one of the `size` in `known` (those tried so far), and its outcome. The n of `per_step` counts real steps.
    """
    pair_ptr, row_ptr, next_state, outcome = model.pair_ptr, model.row_ptr, model.next_state, model.cum
    reward, r, gamma, terminal, start = model.reward, model.r, model.gamma, model.terminal, model.start
    for k in range(uniforms.shape[1]):
        x = rate(explore_rate, step + k + 1)
        for e in range(len(row)):
            i = row[e]
            real = scan(outcome, row_ptr[i], uniforms[e, k, 0])
            if tried[e, i] == 0:
                known[e, size[e]] = i
                size[e] += 1
            tried[e, i] += 1
            counts[e, real] += 1
            out = real
            for p in range(planning + 1):
                if p > 0:
                    i = known[e, int(uniforms[e, k, 1 + 2 * p] * size[e])]
                    out = drawn(counts, e, row_ptr[i], tried[e, i], uniforms[e, k, 2 + 2 * p])
                s2 = next_state[out]
                aim = reward[out] if len(reward) > 0 else r[i]
                if not terminal[s2]:
                    aim += gamma * q[e, greedy(q, e, pair_ptr[s2], pair_ptr[s2 + 1])]
                update(q, e, i, aim, 1.0, step_size, per_step, step + k, visits, total, since)
            s2 = next_state[real]
            onward(
                pair_ptr, start, cum, 0, kind, x, cum, episode_steps, e, s2, terminal[s2],
                uniforms[e, k, 1], uniforms[e, k, 2], clock, row, tried, q,
            )  # fmt: skip


@kernel
def before(priority, e, i, j):
    """Whether row i comes before row j: the larger priority first, then the lower row."""
    return priority[e, i] > priority[e, j] or (priority[e, i] == priority[e, j] and i < j)


@kernel
def swap(heap, place, e, m, n):
    """Exchange two places of the heap."""
    i = heap[e, m]
    j = heap[e, n]
    heap[e, m] = j
    heap[e, n] = i
    place[e, i] = n
    place[e, j] = m


@kernel
def sift(heap, place, priority, size, e, m):
    """Move what stands at place m of a heap up or down to where it belongs; m has the children 2m + 1 and 2m + 2."""
    while m > 0 and before(priority, e, heap[e, m], heap[e, (m - 1) // 2]):
        swap(heap, place, e, m, (m - 1) // 2)
        m = (m - 1) // 2
    while 2 * m + 1 < size[e]:
        child = 2 * m + 1
        if child + 1 < size[e] and before(priority, e, heap[e, child + 1], heap[e, child]):
            child += 1
        if not before(priority, e, heap[e, child], heap[e, m]):
            break
        swap(heap, place, e, m, child)
        m = child


@kernel
def push(heap, place, priority, size, e, i, new, threshold):
    """Give row i a priority: it enters the heap where that is above the threshold; in the heap it moves."""
    if place[e, i] < 0:
        if not new > threshold:
            return
        heap[e, size[e]] = i
        place[e, i] = size[e]
        size[e] += 1
    priority[e, i] = new
    sift(heap, place, priority, size, e, place[e, i])


@kernel
def pop(heap, place, priority, size, e):
    """Take the first row off the heap."""
    i = heap[e, 0]
    size[e] -= 1
    swap(heap, place, e, 0, size[e])
    place[e, i] = -1
    if size[e] > 0:
        sift(heap, place, priority, size, e, 0)
    return i


@kernel
def learned_backup(row_ptr, next_state, reward, r, gamma, terminal, tried, counts, e, i, v):
    """r̂(s,a) + γ Σ p̂(s'|s,a) v(s') by the counts of row i."""
    value = 0.0
    for out in range(row_ptr[i], row_ptr[i + 1]):
        if counts[e, out] > 0:
            each = reward[out] if len(reward) > 0 else r[i]
            if not terminal[next_state[out]]:
                each += gamma * v[e, next_state[out]]
            value += counts[e, out] * each
    return value / tried[e, i]


@kernel
def sweeping_walk(
    model,
    in_ptr,
    in_row,
    in_outcome,
    kind,
    explore_rate,
    cum,
    episode_steps,
    planning,
    threshold,
    uniforms,
    step,
    clock,
    row,
    heap,
    place,
    priority,
    size,
    tried,
    counts,
    v,
    visits,
    q,
):
    """Prioritized sweeping: full backups by the learned model, where the Bellman error is largest first.

    The row just tried comes first of all, then `planning` more from the heap, while it lasts. `v` is max_a q; where it
    changes, the rows seen to lead there (`in_row`, `in_outcome`, by `in_ptr`) get their errors anew. A step takes
    three uniforms.
    """
    pair_ptr, pair_state, row_ptr, next_state, outcome = (
        model.pair_ptr, model.pair_state, model.row_ptr, model.next_state, model.cum,
    )  # fmt: skip
    reward, r, gamma, terminal, start = model.reward, model.r, model.gamma, model.terminal, model.start
    for k in range(uniforms.shape[1]):
        x = rate(explore_rate, step + k + 1)
        for e in range(len(row)):
            i = row[e]
            out = scan(outcome, row_ptr[i], uniforms[e, k, 0])
            tried[e, i] += 1
            counts[e, out] += 1
            push(heap, place, priority, size, e, i, math.inf, threshold)
            for _ in range(planning + 1):
                if size[e] == 0:
                    break
                i = pop(heap, place, priority, size, e)
                s = pair_state[i]
                visits[e, i] += 1
                q[e, i] = learned_backup(
                    row_ptr, next_state, reward, r, gamma, terminal, tried, counts, e, i, v
                )
                best = q[e, greedy(q, e, pair_ptr[s], pair_ptr[s + 1])]
                if best == v[e, s]:
                    continue
                v[e, s] = best
                for n in range(in_ptr[s], in_ptr[s + 1]):
                    if counts[e, in_outcome[n]] > 0:
                        j = in_row[n]
                        new = learned_backup(
                            row_ptr, next_state, reward, r, gamma, terminal, tried, counts, e, j, v
                        )
                        push(heap, place, priority, size, e, j, abs(new - q[e, j]), threshold)
            s2 = next_state[out]
            onward(
                pair_ptr, start, cum, 0, kind, x, cum, episode_steps, e, s2, terminal[s2],
                uniforms[e, k, 1], uniforms[e, k, 2], clock, row, tried, q,
            )  # fmt: skip
