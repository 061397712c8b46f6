"""Twins of kernels/search_flow.py: parts are states that reach each other, and are solved as systems of equations."""

from __future__ import annotations

import numpy as np
from reference_elimination import successors, sweep_part


def eliminate_part(chain, part, b, place, A, x):
    own = [int(s) for s in part]
    M, right = np.eye(len(own)), np.array([float(b[s]) for s in own])
    for i, s in enumerate(own):
        for s2, p in successors(chain, s).items():
            if s2 in own:
                M[i, own.index(s2)] -= float(p)
            else:
                right[i] += float(p) * x[s2]
    x[part] = np.linalg.solve(M, right)
    place[part] = np.arange(len(own))


def settle_part(chain, part, b, most, x):
    for sweep in range(1, most + 1):
        worst = sweep_part(chain, part, 0, len(part), 1, b, x)
        if worst <= np.max(np.abs(x[part])) / 2**46:
            return sweep
    return -1


class GivenUp(Exception):
    """A limit was met."""


def solve_along(chain, b, limits, number, low, stack, path, outcome, A, x):
    n, (waiting, most) = len(x), limits
    to = [[s2 for s2, p in successors(chain, s).items() if p > 0] for s in range(n)]
    reach = np.eye(n, dtype=bool)
    for s in range(n):
        reach[s, to[s]] = True
    for _ in range(n):
        reach |= reach @ reach
    met, last, solved, sweeps = [], [], set(), []

    def visit(s):
        met.append(s)
        if len(met) - len(solved) > waiting:
            raise GivenUp(-2)
        for s2 in to[s]:
            if s2 not in met:
                visit(s2)
        last.append(s)
        if {t for t in range(n) if reach[s, t] and reach[t, s]} <= set(last):
            solve(np.array([t for t in last if reach[s, t] and reach[t, s]]))

    def solve(part):
        if len(part) == 1:
            settle_part(chain, part, b, 1, x)
        elif len(part) <= len(A) - 2:
            eliminate_part(chain, part, b, np.empty(n, dtype=int), A, x)
        else:
            sweeps.append(settle_part(chain, part, b, most, x))
            if sweeps[-1] < 0:
                raise GivenUp(-1)
        solved.update(part.tolist())

    try:
        for s in range(n):
            if s not in met:
                visit(s)
    except GivenUp as limit:
        return limit.args[0]
    number[met] = np.arange(n)
    low[:] = n
    return sum(sweeps)
