"""Slow, obvious twins of the kernels of replay, double Q-learning, Dyna-Q and prioritized sweeping.

A twin takes what its kernel takes and must leave the same bits behind, one run after another. Priorities are a plain
list, the queue of prioritized sweeping a dict; only sums are made in the order of the tree, as rounding depends on it.
"""

from __future__ import annotations

import math

import numpy as np


def first_above(cum, first, u):
    """The first j with u < cum[j]."""
    while not u < cum[first]:
        first += 1
    return first


def x_of(schedule, n):
    kind, a, b, c = (float(z) for z in schedule)
    return [
        lambda: a, lambda: a / n, lambda: a * math.pow(n, -b), lambda: a + (b - a) * min((n - 1) / c, 1.0),
        lambda: max(a * math.pow(b, n - 1), c),
    ][int(kind)]()  # fmt: skip


def best_row(q, rows):
    return max(rows, key=lambda i: (q[i], -i))  # the first of the largest


def tied(q, rows, u):
    """One of the best rows, by what is left of a uniform."""
    ties = [i for i in rows if q[i] == max(q[j] for j in rows)]
    return ties[min(int(u * len(ties)), len(ties) - 1)]


def boltzmann(q, rows, x):
    best = max(float(q[i]) for i in rows)
    return [math.exp((float(q[i]) - best) / x) for i in rows]


def chosen(kind, x, rows, cum, q, visits, u):
    """The row that a way of exploring takes: 0 a policy, 1 ε-greedy, 2 Boltzmann, 3 upper confidence bounds."""
    if kind == 0:
        return first_above(cum, rows[0], u)
    if kind == 1:
        if u < x:
            return rows[min(int(u / x * len(rows)), len(rows) - 1)]
        return tied(q, rows, (u - x) / (1.0 - x))
    if kind == 2:
        weights = boltzmann(q, rows, x)
        left, total = u, 0.0
        for w in weights:
            total += w
        left *= total
        for i, w in zip(rows, weights, strict=True):
            left -= w
            if left < 0:
                return i
        return best_row(q, rows)
    untried = [i for i in rows if visits[i] == 0]
    if untried:
        return untried[0]
    n = sum(int(visits[i]) for i in rows)
    return max(rows, key=lambda i: (float(q[i]) + x * math.sqrt(math.log(n) / visits[i]), -i))


def onward(
    pair_ptr,
    start,
    pairs,
    source,
    kind,
    x,
    cum,
    episode_steps,
    e,
    s2,
    done,
    u,
    u2,
    clock,
    row,
    visits,
    q,
):
    if source == 1:
        row[e] = first_above(pairs, 0, u)
    elif source == 2:
        row[e] = (row[e] + 1) % q.shape[1]
    else:
        clock[e] += 1
        if done or clock[e] == episode_steps:
            clock[e] = 0
            s2 = first_above(start, 0, u)
        rows = range(pair_ptr[s2], pair_ptr[s2 + 1])
        row[e] = chosen(kind, x, rows, cum, q[e], visits[e], u2)


def outcome_of(model, i, u):
    """A sampled outcome of row i: its number, its reward, where it leads, whether that is the end."""
    return told(model, i, first_above(model.cum, model.row_ptr[i], u))


def told(model, i, out):
    reward = float(model.reward[out]) if len(model.reward) else float(model.r[i])
    s2 = int(model.next_state[out])
    return out, reward, s2, bool(model.terminal[s2])


def learn_entry(q, e, i, aim, weight, step_size, per_step, k, visits, total, since):
    visits[e, i] += 1
    if total.shape[1]:
        total[e, i] += q[e, i] * (k - since[e, i])
        since[e, i] = k
    q[e, i] += x_of(step_size, k + 1 if per_step else int(visits[e, i])) * weight * (aim - float(q[e, i]))


def follow_target(q, e, k, target, by, bar):
    if target == 1 and (k + 1) % int(by) == 0:
        bar[e] = q[e]
    if target == 2:
        for j in range(q.shape[1]):
            bar[e, j] += by * (q[e, j] - bar[e, j])


def worth(rule, pi, kind, x, cum, first, last, visits, q, e, bar):
    rows = range(first, last)
    if rule == 2:
        return float(bar[e, best_row(bar[e], rows)])
    if rule == 1:
        value = 0.0
        for i in rows:
            value += pi[i] * bar[e, i]
        return value
    if kind == 0:
        value, below = 0.0, 0.0
        for i in rows:
            value += (min(cum[i], 1.0) - below) * bar[e, i]
            below = min(cum[i], 1.0)
        return value
    if kind == 1:
        value = 0.0
        for i in rows:
            value += bar[e, i]
        ties = [i for i in rows if q[e, i] == max(q[e, j] for j in rows)]
        tied = 0.0
        for i in ties:
            tied += bar[e, i]
        return x * (value / len(rows)) + (1.0 - x) * (tied / len(ties))
    if kind == 2:
        weights, total, value = boltzmann(q[e], rows, x), 0.0, 0.0
        for i, w in zip(rows, weights, strict=True):
            total += w
            value += w * bar[e, i]
        return value / total
    return float(bar[e, chosen(kind, x, rows, cum, q[e], visits[e], 0.0)])


# -- priorities -------------------------------------------------------------------------------------------------------


def summed(p):
    """The sum of a list whose length is a power of two, half by half."""
    return p[0] if len(p) == 1 else summed(p[: len(p) // 2]) + summed(p[len(p) // 2 :])


def take(p, rest):
    """The place where p(0) + p(1) + ... passes `rest`, half by half."""
    if len(p) == 1:
        return 0
    half = len(p) // 2
    left = summed(p[:half])
    if rest >= left and summed(p[half:]) > 0:
        return half + take(p[half:], rest - left)
    return take(p[:half], rest)


def put(sums, least, e, p):
    """Write the trees of a list: node n over leaves a ... b - 1 is the sum, or the least, of p[a:b]."""
    half = len(p)
    for n in range(1, 2 * half):
        level = n.bit_length() - 1
        width = half >> level
        a = (n - (1 << level)) * width
        part = p[a : a + width]
        sums[e, n] = summed(part)
        least[e, n] = min((z for z in part if z > 0), default=math.inf)


def leaves(sums, e):
    return [float(z) for z in sums[e, sums.shape[1] // 2 :]]


def learn_from(e, j, i, aim, step_size, per_step, k, omega, beta, p, top, visits, total, since, q):
    weight = 1.0
    if p:
        weight = math.pow(min(z for z in p if z > 0) / p[j], beta)
        p[j] = math.pow(abs(aim - float(q[e, i])) + 0.01, omega)
        top[e] = max(top[e], p[j])
    learn_entry(q, e, i, aim, weight, step_size, per_step, k, visits, total, since)


def q_replay(
    model, rule, pi, kind, explore_rate, cum, step_size, per_step, source, pairs, target, by, episode_steps, batch,
    omega, beta, uniforms, step, clock, row, stored, held_row, held_outcome, sums, least, top, visits, total, since,
    bar, q,
):  # fmt: skip
    capacity = held_row.shape[1]
    for e in range(len(row)):
        p = leaves(sums, e)
        for k, u in enumerate(uniforms[e], start=step):
            x = x_of(explore_rate, k + 1)
            out, _, s2, done = outcome_of(model, row[e], u[0])
            slot = stored[e] % capacity
            held_row[e, slot], held_outcome[e, slot] = row[e], out
            stored[e] += 1
            if p:
                p[slot] = float(top[e])
            for each in u[3:]:
                size = min(int(stored[e]), capacity)
                j = take(p, each * summed(p)) if p else int(each * size)
                i = int(held_row[e, j])
                _, aim, to, over = told(model, i, held_outcome[e, j])
                if not over:
                    first, last = model.pair_ptr[to], model.pair_ptr[to + 1]
                    aim += model.gamma * worth(rule, pi, kind, x, cum, first, last, visits, q, e, bar)
                learn_from(e, j, i, aim, step_size, per_step, k, omega, beta, p, top, visits, total, since, q)
            follow_target(q, e, k, target, by, bar)
            onward(
                model.pair_ptr, model.start, pairs, source, kind, x, cum, episode_steps, e, s2, done, u[1], u[2],
                clock, row, visits, q,
            )  # fmt: skip
        if p:
            put(sums, least, e, p)


def q_replay_given(
    given, pair_ptr, gamma, rule, pi, step_size, per_step, target, by, omega, beta, uniforms, step, sums, least, top,
    visits, total, since, bar, q,
):  # fmt: skip
    for e in range(len(q)):
        p = leaves(sums, e)
        for k, u in enumerate(uniforms[e], start=step):
            j = take(p, u[0] * summed(p)) if p else int(u[0] * len(given.row))
            aim, s2 = float(given.reward[j]), given.next_state[j]
            if not given.done[j]:
                aim += gamma * worth(rule, pi, 0, 0, None, pair_ptr[s2], pair_ptr[s2 + 1], visits, q, e, bar)
            learn_from(
                e, j, given.row[j], aim, step_size, per_step, k, omega, beta, p, top, visits, total, since, q
            )
            follow_target(q, e, k, target, by, bar)
        if p:
            put(sums, least, e, p)


# -- double Q-learning ------------------------------------------------------------------------------------------------


def double_update(
    e, i, aim, gamma, done, first, last, coin, step_size, per_step, k, visits, heads, total, since, qa, qb, q
):  # fmt: skip
    mine, other = (qa, qb) if coin < 0.5 else (qb, qa)
    if total.shape[1]:
        total[e, i] += q[e, i] * (k - since[e, i])
        since[e, i] = k
    visits[e, i] += 1
    heads[e, i] += coin < 0.5
    n = int(heads[e, i] if coin < 0.5 else visits[e, i] - heads[e, i])
    if not done:
        aim += gamma * other[e, best_row(mine[e], range(first, last))]
    mine[e, i] += x_of(step_size, k + 1 if per_step else n) * (aim - mine[e, i])
    q[e, i] = (qa[e, i] + qb[e, i]) / 2


def double_q_walk(
    model, kind, explore_rate, cum, step_size, per_step, source, pairs, episode_steps, uniforms, step, clock, row,
    visits, heads, total, since, qa, qb, q,
):  # fmt: skip
    for e in range(len(row)):
        for k, u in enumerate(uniforms[e], start=step):
            i = int(row[e])
            _, reward, s2, done = outcome_of(model, i, u[0])
            double_update(
                e, i, reward, model.gamma, done, model.pair_ptr[s2], model.pair_ptr[s2 + 1], u[3], step_size, per_step,
                k, visits, heads, total, since, qa, qb, q,
            )  # fmt: skip
            onward(
                model.pair_ptr, model.start, pairs, source, kind, x_of(explore_rate, k + 1), cum, episode_steps,
                e, s2, done, u[1], u[2], clock, row, visits, q,
            )  # fmt: skip


def double_q_given(
    given, pair_ptr, gamma, step_size, per_step, uniforms, step, visits, heads, total, since, qa, qb, q
):  # fmt: skip
    for e in range(len(q)):
        for k, u in enumerate(uniforms[e], start=step):
            row, reward, s2, done, _ = (x[k % len(given.row)] for x in given)
            double_update(
                e, row, float(reward), gamma, done, pair_ptr[s2], pair_ptr[s2 + 1], u[0], step_size, per_step, k,
                visits, heads, total, since, qa, qb, q,
            )  # fmt: skip


# -- learned models ---------------------------------------------------------------------------------------------------


def drawn(counts, e, first, n, u):
    """One of the n outcomes seen, all in a row."""
    seen = [out for out in range(first, counts.shape[1]) for _ in range(counts[e, out])]
    return seen[int(u * n)]


def dyna_walk(
    model, kind, explore_rate, cum, step_size, per_step, episode_steps, planning, uniforms, step, clock, row, known,
    size, tried, counts, visits, total, since, q,
):  # fmt: skip
    def learn(e, i, out, k):
        _, aim, s2, done = told(model, i, out)
        if not done:
            aim += model.gamma * worth(
                2, None, 0, 0, None, model.pair_ptr[s2], model.pair_ptr[s2 + 1], visits, q, e, q
            )
        learn_entry(q, e, i, aim, 1.0, step_size, per_step, k, visits, total, since)

    for e in range(len(row)):
        for k, u in enumerate(uniforms[e], start=step):
            i = int(row[e])
            out, _, s2, done = outcome_of(model, i, u[0])
            if i not in known[e, : size[e]]:
                known[e, size[e]] = i
                size[e] += 1
            tried[e, i] += 1
            counts[e, out] += 1
            learn(e, i, out, k)
            for u1, u2 in u[3:].reshape(planning, 2):
                j = int(known[e, int(u1 * size[e])])
                learn(e, j, drawn(counts, e, model.row_ptr[j], tried[e, j], u2), k)
            onward(
                model.pair_ptr, model.start, None, 0, kind, x_of(explore_rate, k + 1), cum, episode_steps, e, s2,
                done, u[1], u[2], clock, row, tried, q,
            )  # fmt: skip


def learned_backup(model, tried, counts, e, i, v):
    value = 0.0
    for out in range(model.row_ptr[i], model.row_ptr[i + 1]):
        if counts[e, out]:
            _, each, s2, done = told(model, i, out)
            value += counts[e, out] * (each if done else each + model.gamma * v[e, s2])
    return value / tried[e, i]


def sweeping_walk(
    model, in_ptr, in_row, in_outcome, kind, explore_rate, cum, episode_steps, planning, threshold, uniforms, step,
    clock, row, heap, place, priority, size, tried, counts, v, visits, q,
):  # fmt: skip
    """The queue is a dict, row -> error, from which the largest is popped; the arrays of the heap are left alone."""
    for e in range(len(row)):
        queue = queues.setdefault(priority[e].__array_interface__["data"], {})
        for k, u in enumerate(uniforms[e], start=step):
            i = int(row[e])
            out, _, s2, done = outcome_of(model, i, u[0])
            tried[e, i] += 1
            counts[e, out] += 1
            queue[i] = math.inf
            for _ in range(planning + 1):
                if not queue:
                    break
                i = max(queue, key=lambda i: (queue[i], -i))
                del queue[i]
                visits[e, i] += 1
                q[e, i] = learned_backup(model, tried, counts, e, i, v)
                s = model.pair_state[i]
                best = max(q[e, model.pair_ptr[s] : model.pair_ptr[s + 1]])
                if best != v[e, s]:
                    v[e, s] = best
                    for j in range(q.shape[1]):
                        outs = range(model.row_ptr[j], model.row_ptr[j + 1])
                        if any(counts[e, o] and model.next_state[o] == s for o in outs):
                            error = abs(learned_backup(model, tried, counts, e, j, v) - q[e, j])
                            if j in queue or error > threshold:
                                queue[j] = error
            onward(
                model.pair_ptr, model.start, None, 0, kind, x_of(explore_rate, k + 1), cum, episode_steps, e, s2,
                done, u[1], u[2], clock, row, tried, q,
            )  # fmt: skip


queues: dict = {}  # by the address of a run's array: a twin is called block by block


def swapped_in(monkeypatch, module, *names):
    """Let learners call the twins in place of the kernels of a module."""
    queues.clear()
    for name in names:
        monkeypatch.setattr(f"tabular_rl.kernels.{module}.{name}", globals()[name])


def same_bits(a, b, but=()):
    """Assert that two learners left the same arrays behind, bit by bit."""
    assert np.array_equal(a.estimates, b.estimates, equal_nan=True)
    for name, array in a.state["arrays"].items():
        if name not in but:
            assert np.array_equal(array, b.state["arrays"][name], equal_nan=True), name
    assert a.state["streams"] == b.state["streams"]
