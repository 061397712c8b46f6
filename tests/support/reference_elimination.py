"""Twins of kernels/elimination.py: chains as dicts of successors, states taken out one by one in fractions.

A twin leaves the same order, counts and marks behind, bit for bit, and values that agree but for rounding: those of
the kernels are sums of the same positive numbers in another order.
"""

from __future__ import annotations

import itertools
import math
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
    count = len(cuts) - 1
    label[label < -1] += count + 1
    parts = [[s for s in range(len(label)) if label[s] == part] for part in range(count)]
    states[:] = list(itertools.chain.from_iterable(parts))
    cuts[:] = [0, *itertools.accumulate(map(len, parts))]
    return max(map(len, parts), default=1)


class Part:
    """A part whose states are taken out one by one: rows as dicts, numbers as fractions."""

    def __init__(self, chain, label, part, room, x):
        self.left, self.room, self.size, self.failed = [int(s) for s in part], room, 0, 0
        self.rows, self.value, self.leave = {}, {}, {}
        self.least, self.gone, self.easy = 1, [], True
        for s in self.left:
            outside = {s2: p for s2, p in successors(chain, s).items() if label[s2] != label[s]}
            self.value[s] = Fraction(float(x[s])) + sum(
                p * Fraction(float(x[s2])) for s2, p in outside.items()
            )
            self.leave[s] = sum(outside.values()) + Fraction(chain.lost)
            others = {s2: p for s2, p in successors(chain, s).items() if s2 not in outside and s2 != s}
            self.rows[s] = {s2: p for s2, p in others.items() if p > 0}
            self.size += len(self.rows[s])
        if self.size > room:
            self.failed = -1

    def degrees(self):
        still = set(self.rows) - set(self.gone)
        return {t: len(self.rows[t]) + sum(t in self.rows[u] for u in still) for t in still}

    def take_out(self, s):
        rows, value, leave = self.rows, self.value, self.leave
        out = leave[s] + sum(rows[s].values())
        if not out > 0:
            self.failed = -2
            return
        rows[s] = {s2: p / out for s2, p in rows[s].items()}
        value[s], leave[s] = value[s] / out, leave[s] / out
        for i in set(rows) - set(self.gone) - {s}:
            p = rows[i].pop(s, None)
            if p is not None:
                value[i] += p * value[s]
                leave[i] += p * leave[s]
                for j, q in rows[s].items():
                    if j != i:
                        self.size += j not in rows[i]
                        rows[i][j] = rows[i].get(j, 0) + p * q
        if self.size > self.room:
            self.failed = -1
        self.gone.append(s)

    def go_on(self, limit, crowd):
        while self.left and limit >= 0 and not self.failed:
            bound, stay, begun = self.least, [], len(self.gone)
            self.least = math.inf
            limit -= len(self.left)
            for s in self.left:
                degree = self.degrees()
                before = [i for i in degree if s in self.rows[i]]
                crowded = self.easy and max((degree[i] for i in before), default=0) > crowd
                if self.failed or limit < 0 or degree[s] > bound or crowded:
                    stay.append(s)
                    self.least = min(self.least, degree[s])
                else:
                    limit -= degree[s] ** 2
                    self.take_out(s)
            self.left, self.easy = stay, len(self.gone) > begun

    def solution(self, known):
        """The values of all states, given those of the ones that are left."""
        x = dict(known)
        for s in reversed(self.gone):
            x[s] = self.value[s] + sum(p * x[s2] for s2, p in self.rows[s].items())
        return {s: float(y) for s, y in x.items()}

    def progress(self, order, waiting, progress):
        order[: len(self.gone)] = self.gone
        waiting[: len(self.left)] = self.left
        least = self.least if self.left else -1
        progress[:] = [len(self.left), len(self.gone), least, self.easy, self.size]


def solve_part(chain, label, part, limit, crowd, entries, heads, taken, waiting, order, progress, x):
    own = Part(chain, label, part, len(entries[0]), x)
    own.go_on(limit, crowd)
    if own.failed:
        return own.failed
    own.progress(order, waiting, progress)
    if own.left:
        return -1
    for s, y in own.solution({}).items():
        x[s] = y
    return len(own.gone)


def go_on(chain, label, part, limits, crowd, entries, x, given):
    """What several calls that take out states lead to, each with a limit of its own.

    The rows that are left, dense and with what leaves them, what they hold of x, and the solution where those left have
    `given` values.
    """
    own = Part(chain, label, part, len(entries[0]), x)
    for limit in limits:
        own.go_on(limit, crowd)
    if own.failed:
        return own.failed
    dense = [[float(own.rows[s].get(t, 0)) for t in own.left] + [float(own.leave[s])] for s in own.left]
    done = own.solution({s: Fraction(float(given[s])) for s in own.left})
    return (
        own.gone,
        own.left,
        own.size,
        dense,
        [float(own.value[s]) for s in own.left],
        [done[s] for s in own.gone],
    )


def solve_parts(chain, label, states, cuts, first, limit, crowd, entries, heads, taken, order, x):
    for part in range(first, len(cuts) - 1):
        own = states[cuts[part] : cuts[part + 1]]
        if len(own) == 1:
            met, leaves = look_outside(chain, label, own[0], x)
            if leaves == 0:
                return part
            x[own[0]] = (x[own[0]] + met) / leaves
        else:
            most = limit * max(len(own), 64)
            if solve_part(chain, label, own, most, crowd, entries, heads, taken, *order, x) < 0:
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
