"""Twins of kernels/elimination.py: chains as dicts of successors, states taken out one by one in fractions.

A twin leaves the same order, counts and marks behind, bit for bit, and values that agree but for rounding: those of
the kernels are sums of the same positive numbers in another order.
"""

from __future__ import annotations

import itertools
from fractions import Fraction


def successors(chain, s):
    """{next state: γ p} of a state."""
    begin, end, next_state, prob, gamma, _ = chain
    return {int(next_state[k]): Fraction(gamma) * Fraction(float(prob[k])) for k in range(begin[s], end[s])}


def look_outside(chain, label, s, x):
    outside = {s2: p for s2, p in successors(chain, s).items() if label[s2] != label[s]}
    met = sum(p * Fraction(float(x[s2])) for s2, p in outside.items())
    return float(met), float(sum(outside.values()) + Fraction(chain.lost))


def list_parts(label, cuts, states):
    parts = [[s for s in range(len(label)) if label[s] == part] for part in range(len(cuts) - 1)]
    states[:] = list(itertools.chain.from_iterable(parts))
    cuts[1:] = list(itertools.accumulate(map(len, parts)))


def solve_part(chain, label, part, limit, crowd, entries, heads, taken, waiting, order, x):
    room, left = len(entries[0]), [int(s) for s in part]
    rows, value, leave, size = {}, {}, {}, 0
    for s in left:
        outside = {s2: p for s2, p in successors(chain, s).items() if label[s2] != label[s]}
        value[s] = Fraction(float(x[s])) + sum(p * Fraction(float(x[s2])) for s2, p in outside.items())
        leave[s] = sum(outside.values()) + Fraction(chain.lost)
        rows[s] = {s2: p for s2, p in successors(chain, s).items() if s2 not in outside and s2 != s and p > 0}
        size += len(rows[s])
        if size > room:
            return -1
    degree = {s: len(rows[s]) + sum(s in row for row in rows.values()) for s in left}
    least, gone, easy = 1, [], True
    while left:
        bound, least, stay, begun = least, 2 * len(part), [], len(gone)
        limit -= len(left)
        for s in left:
            before = [i for i in set(rows) - set(gone) if s in rows[i]]
            if degree[s] > bound or (easy and max((degree[i] for i in before), default=0) > crowd):
                stay.append(s)
                least = min(least, degree[s])
                continue
            limit -= degree[s] ** 2
            if limit < 0:
                return -1
            out = leave[s] + sum(rows[s].values())
            if not out > 0:
                return -2
            rows[s] = {s2: p / out for s2, p in rows[s].items()}
            value[s], leave[s] = value[s] / out, leave[s] / out
            for i in set(rows) - set(gone) - {s}:
                p = rows[i].pop(s, None)
                if p is not None:
                    value[i] += p * value[s]
                    leave[i] += p * leave[s]
                    for j, q in rows[s].items():
                        if j != i:
                            size += j not in rows[i]
                            rows[i][j] = rows[i].get(j, 0) + p * q
            if size > room:
                return -1
            gone.append(s)
            still = set(rows) - set(gone)
            degree = {t: len(rows[t]) + sum(t in rows[u] for u in still) for t in still}
        left, easy = stay, len(gone) > begun
    for s in reversed(gone):
        value[s] += sum(p * value[s2] for s2, p in rows[s].items())
        x[s] = float(value[s])
    for at, s in enumerate(gone):
        order[at] = s
    return len(gone)


def solve_parts(chain, label, states, cuts, first, limit, crowd, entries, heads, taken, order, x):
    for part in range(first, len(cuts) - 1):
        own = states[cuts[part] : cuts[part + 1]]
        if len(own) == 1:
            met, leaves = look_outside(chain, label, own[0], x)
            if leaves == 0:
                return part
            x[own[0]] = (x[own[0]] + met) / leaves
        elif solve_part(chain, label, own, limit * len(own), crowd, entries, heads, taken, *order, x) < 0:
            return part
    return len(cuts) - 1


def solve_dense(A, leave, x):
    n = len(x)
    M = [[Fraction(float(A[i, j])) if i != j else Fraction(0) for j in range(n)] for i in range(n)]
    for i in range(n):
        M[i][i] = -sum(M[i]) - Fraction(float(leave[i]))
    b = [-Fraction(float(y)) for y in x]
    for k in reversed(range(n)):
        if M[k][k] == 0:
            return False
        for i in range(n):
            if i != k:
                f = M[i][k] / M[k][k]
                M[i] = [a - f * c for a, c in zip(M[i], M[k], strict=True)]
                b[i] -= f * b[k]
    x[:] = [float(b[k] / M[k][k]) for k in range(n)]
    return True


def sweep_part(chain, states, first, last, step, b, x):
    worst = 0.0
    for s in [int(states[at]) for at in range(first, last, step)]:
        others = {s2: p for s2, p in successors(chain, s).items() if s2 != s}
        out = float(sum(others.values()) + Fraction(chain.lost))
        change = float(b[s]) + sum(float(p) * x[s2] for s2, p in others.items()) - out * x[s]
        x[s] += change / out
        worst = max(worst, abs(change))
    return worst
