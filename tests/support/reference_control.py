"""Slow, obvious twins of the kernels of replay, double Q-learning, Dyna-Q and prioritized sweeping.

A twin takes what its kernel takes and must leave the same bits behind, one run after another. Priorities are a plain
list, the queue of prioritized sweeping a dict; only sums are made in the order of the tree, as rounding depends on it.
"""

from __future__ import annotations

import math

import numpy as np
from random_models import random_model


def first_above(cum, first, u):
    """The first j with u < cum[j]."""
    while not u < cum[first]:
        first += 1
    return first


def x_of(schedule, n):
    kind, a, b, c = (float(z) for z in schedule[:4])
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


def go_on(model, walk, t, u, s2, done, e, clock, row, visits, q):
    """The next row of a walk."""
    if walk.source == 1:
        row[e] = first_above(walk.pairs, 0, u[1])
    elif walk.source == 2:
        row[e] = (row[e] + 1) % q.shape[1]
    else:
        clock[e] += 1
        if done or clock[e] == walk.episode_steps:
            clock[e] = 0
            s2 = first_above(model.start, 0, u[1])
        rows = range(model.pair_ptr[s2], model.pair_ptr[s2 + 1])
        x = x_of(walk.explore_rate, t + 1)
        row[e] = chosen(walk.explore, x, rows, walk.cum, q[e], visits[e], u[2])


def outcome_of(model, i, u):
    """A sampled outcome of row i: its number, its reward, where it leads, whether that is the end."""
    return told(model, i, first_above(model.cum, model.row_ptr[i], u))


def told(model, i, out):
    reward = float(model.reward[out]) if len(model.reward) else float(model.r[i])
    s2 = int(model.next_state[out])
    return out, reward, s2, bool(model.terminal[s2])


def learn_entry(walk, q, e, i, aim, weight, k, visits, total, since):
    visits[e, i] += 1
    if total.shape[1]:
        total[e, i] += q[e, i] * (k - since[e, i])
        since[e, i] = k
    n = k + 1 if walk.per_step else int(visits[e, i])
    q[e, i] += x_of(walk.step_size, n) * weight * (aim - float(q[e, i]))


def follow_target(walk, q, e, k, bar):
    if walk.target == 1 and (k + 1) % int(walk.by) == 0:
        bar[e] = q[e]
    if walk.target == 2:
        for j in range(q.shape[1]):
            bar[e, j] += walk.by * (q[e, j] - bar[e, j])


def worth(model, walk, largest, x, s, e, visits, q, bar):
    kind, cum, rows = walk.explore, walk.cum, range(model.pair_ptr[s], model.pair_ptr[s + 1])
    if largest:
        return float(bar[e, best_row(bar[e], rows)])
    if len(walk.pi):
        value = 0.0
        for i in rows:
            value += walk.pi[i] * bar[e, i]
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


def learn_from(walk, buffer, e, j, i, aim, k, p, visits, mean, q):
    weight = 1.0
    if p:
        weight = math.pow(min(z for z in p if z > 0) / p[j], buffer.beta)
        p[j] = math.pow(abs(aim - float(q[e, i])) + 0.01, buffer.omega)
        buffer.top[e] = max(buffer.top[e], p[j])
    learn_entry(walk, q, e, i, aim, weight, k, visits, mean.total, mean.since)


def replay(model, log, walk, uniforms, step, clock, row, buffer, visits, mean, bar, q):
    for e in range(len(q)):
        p = leaves(buffer.sums, e)
        for k, u in enumerate(uniforms[e], start=step):
            x = x_of(walk.explore_rate, k + 1)
            if log is None:
                u, draws = u[:3], u[3:]
                real, p = store(model, buffer, e, u, row, p)
                held = list(zip(buffer.held_row[e].tolist(), buffer.held_outcome[e].tolist(), strict=True))
                buffered = [(i, *told(model, i, out)[1:]) for i, out in held[: buffer.stored[e]]]
            else:
                draws = u
                buffered = [
                    (int(i), float(r), int(s2), bool(done)) for i, r, s2, done, _ in zip(*log, strict=True)
                ]
            for each in draws:
                j = take(p, each * summed(p)) if p else int(each * len(buffered))
                i, aim, s2, done = buffered[j]
                if not done:
                    aim += model.gamma * worth(model, walk, buffer.largest, x, s2, e, visits, q, bar)
                learn_from(walk, buffer, e, j, i, aim, k, p, visits, mean, q)
            follow_target(walk, q, e, k, bar)
            if log is None:
                go_on(model, walk, k, u, *real, e, clock, row, visits, q)
        if p:
            put(buffer.sums, buffer.least, e, p)


def store(model, buffer, e, u, row, p):
    """What the newest transition leads to, and the priorities with its own."""
    out, _, s2, done = outcome_of(model, row[e], u[0])
    slot = buffer.stored[e] % buffer.held_row.shape[1]
    buffer.held_row[e, slot], buffer.held_outcome[e, slot] = row[e], out
    buffer.stored[e] += 1
    return (s2, done), p and [*p[:slot], float(buffer.top[e]), *p[slot + 1 :]]


# -- double Q-learning ------------------------------------------------------------------------------------------------


def double_q(model, log, walk, uniforms, step, clock, row, visits, total, since, halves, q):
    for e in range(len(q)):
        for k, u in enumerate(uniforms[e], start=step):
            if log is None:
                i = int(row[e])
                _, aim, s2, done = outcome_of(model, i, u[0])
            else:
                i, aim, s2, done = (x[k % len(log.row)].item() for x in log[:4])
            coin = bool(u[-1] < 0.5)
            mine, other = (halves.qa, halves.qb) if coin else (halves.qb, halves.qa)
            if total.shape[1]:
                total[e, i] += q[e, i] * (k - since[e, i])
                since[e, i] = k
            visits[e, i] += 1
            halves.heads[e, i] += coin
            n = int(halves.heads[e, i] if coin else visits[e, i] - halves.heads[e, i])
            if not done:
                rows = range(model.pair_ptr[s2], model.pair_ptr[s2 + 1])
                aim += model.gamma * other[e, best_row(mine[e], rows)]
            mine[e, i] += x_of(walk.step_size, k + 1 if walk.per_step else n) * (aim - mine[e, i])
            q[e, i] = (halves.qa[e, i] + halves.qb[e, i]) / 2
            if log is None:
                go_on(model, walk, k, u, s2, done, e, clock, row, visits, q)


# -- learned models ---------------------------------------------------------------------------------------------------


def drawn(counts, e, first, n, u):
    """One of the n outcomes seen, all in a row."""
    seen = [out for out in range(first, counts.shape[1]) for _ in range(counts[e, out])]
    return seen[int(u * n)]


def dyna_q(model, log, walk, uniforms, step, clock, row, memory, visits, total, since, q):
    known, size, tried, counts = memory

    def learn(e, i, out, k):
        _, aim, s2, done = told(model, i, out)
        if not done:
            aim += model.gamma * worth(model, walk, True, 0, s2, e, visits, q, q)
        learn_entry(walk, q, e, i, aim, 1.0, k, visits, total, since)

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
            for u1, u2 in u[3:].reshape(-1, 2):
                j = int(known[e, int(u1 * size[e])])
                learn(e, j, drawn(counts, e, model.row_ptr[j], tried[e, j], u2), k)
            go_on(model, walk, k, u, s2, done, e, clock, row, tried, q)


def learned_backup(model, tried, counts, e, i, v):
    value = 0.0
    for out in range(model.row_ptr[i], model.row_ptr[i + 1]):
        if counts[e, out]:
            _, each, s2, done = told(model, i, out)
            value += counts[e, out] * (each if done else each + model.gamma * v[e, s2])
    return value / tried[e, i]


def sweeping(model, log, walk, uniforms, step, clock, row, into, queue, memory, visits, q):
    """The queue is a dict, row -> error, from which the largest is popped; the arrays of the heap are left alone."""
    tried, counts, v = memory
    for e in range(len(row)):
        waiting = queues.setdefault(queue.priority[e].__array_interface__["data"], {})
        for k, u in enumerate(uniforms[e], start=step):
            i = int(row[e])
            out, _, s2, done = outcome_of(model, i, u[0])
            tried[e, i] += 1
            counts[e, out] += 1
            waiting[i] = math.inf
            for _ in range(queue.planning + 1):
                if not waiting:
                    break
                i = max(waiting, key=lambda i: (waiting[i], -i))
                del waiting[i]
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
                            if j in waiting or error > queue.threshold:
                                waiting[j] = error
            go_on(model, walk, k, u, s2, done, e, clock, row, tried, q)


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


def check_bits_of_twin(monkeypatch, learner, module, kernel, options, but=()):
    """Assert that a learner leaves the same arrays behind with the twin in place of its kernel, on three models."""
    for seed, problem, sense in (
        (1, "discounted", "max"),
        (2, "total-reward", "min"),
        (3, "finite-horizon", "max"),
    ):
        mdp = random_model(seed, problem, exact=False, sense=sense, ends=1)
        how = {"runs": 2, "seed": seed, "reference": False, "start_value": 1.0, **options}
        fast = learner(mdp, **how)
        with monkeypatch.context() as patch:
            swapped_in(patch, module, kernel)
            same_bits(fast, learner(mdp, **how), but)
