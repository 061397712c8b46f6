"""Total reward as lists of rationals: small models, the value of each policy, and what is true of all of them.

rows[s] = [(action, {next state: p}, r, floats or None), ...]; a state without rows is terminal. But for `as_model`
nothing of the package is used.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np

from tabular_rl import MDP


def random_rows(rng, states, *, ends=0.6, signs=(-1, 0, 1), float64=False):
    """Small, sparse, with zero rewards, self-loops and improper policies in plenty."""
    terminal = {s for s in range(states) if s > 0 and rng.random() < ends / (states - 1)}
    rows = []
    for s in range(states):
        rows.append([])
        for a in range(0 if s in terminal else rng.choice((1, 2, 2, 3))):
            to = rng.sample(range(states), rng.choice((1, 1, 2, min(3, states))))
            if float64:
                p = np.array([rng.random() + 0.05 for _ in to])
                p /= p.sum()
                total = sum(Fraction(float(x)) for x in p)
                law = {s2: Fraction(float(x)) / total for s2, x in zip(to, p, strict=True)}
                floats = dict(zip(to, p.tolist(), strict=True))
            else:
                cuts = [rng.choice((1, 1, 2, 3)) for _ in to]
                law = {s2: Fraction(c, sum(cuts)) for s2, c in zip(to, cuts, strict=True)}
                floats = None
            r = Fraction(rng.choice(signs) * rng.choice((1, 1, 2)))
            rows[s].append((a, law, r, floats))
    return rows


def as_model(rows, sense="max", by_outcome=None):
    """The model of such lists: exact, or of floats where the lists hold them; costs are negated rewards."""
    sign = 1 if sense == "max" else -1
    outcomes = []
    for s, own in enumerate(rows):
        for a, law, r, floats in own:
            for j, (s2, p) in enumerate(law.items()):
                reward = sign * r
                if by_outcome is not None and len(law) > 1 and j < 2:
                    # The same expected reward, from outcomes of both signs.
                    others = list(law.values())
                    reward += by_outcome * (others[1] if j == 0 else -others[0])
                outcomes.append((s, a, s2, p if floats is None else floats[s2], reward))
    if all(len(own) == 0 for own in rows):
        S = len(rows)
        return MDP(np.zeros((S, 1, S)), np.zeros((S, 1)), 1, terminal=range(S), sense=sense)
    terminal = [s for s, own in enumerate(rows) if not own]
    return MDP.from_outcomes(outcomes, 1, terminal=terminal, states=range(len(rows)), sense=sense)


def solve_fractions(A, b):
    """Gauss-Jordan."""
    n = len(b)
    M = [[*row, x] for row, x in zip(A, b, strict=True)]
    for i in range(n):
        pivot = next(j for j in range(i, n) if M[j][i] != 0)
        M[i], M[pivot] = M[pivot], M[i]
        M[i] = [x / M[i][i] for x in M[i]]
        for j in range(n):
            if j != i and M[j][i] != 0:
                M[j] = [x - M[j][i] * y for x, y in zip(M[j], M[i], strict=True)]
    return [row[n] for row in M]


def policy_values(law, r):
    """Total reward of a chain: a value a state (Fraction, ±inf, or nan where it does not settle).

    law[s] = {} is terminal.
    """
    S = len(law)
    reach = [[s == t or law[s].get(t, 0) > 0 for t in range(S)] for s in range(S)]
    for k, i, j in itertools.product(range(S), repeat=3):
        reach[i][j] = reach[i][j] or (reach[i][k] and reach[k][j])
    recurs = [all(reach[t][s] for t in range(S) if reach[s][t]) for s in range(S)]
    worth = {}
    for s in range(S):
        if recurs[s]:
            cls = [t for t in range(S) if reach[s][t]]
            if all(r[t] == 0 for t in cls) or not law[s]:
                worth[s] = Fraction(0)
                continue
            n = len(cls)
            A = [[law[u].get(t, Fraction(0)) - (t == u) for u in cls] for t in cls]
            A[0] = [Fraction(1)] * n
            stationary = solve_fractions(A, [Fraction(1)] + [Fraction(0)] * (n - 1))
            mean = sum(m * r[t] for m, t in zip(stationary, cls, strict=True))
            worth[s] = math.inf if mean > 0 else -math.inf if mean < 0 else math.nan
    moving = [s for s in range(S) if not recurs[s]]
    A = [[Fraction(s == t) - law[s].get(t, Fraction(0)) for t in moving] for s in moving]
    b = [r[s] for s in moving]
    finite = dict(zip(moving, solve_fractions(A, b), strict=True)) if moving else {}
    values = []
    for s in range(S):
        ends = [worth[t] for t in range(S) if recurs[t] and reach[s][t]]
        odd = [x for x in ends if x != 0]
        if s in worth:
            values.append(worth[s])
        elif odd:
            values.append(math.nan if any(x != odd[0] for x in odd) else odd[0])
        else:
            values.append(finite[s])
    return values


def all_policies(rows):
    yield from itertools.product(*(range(len(own)) if own else [None] for own in rows))


def chain_of(rows, choice):
    law = [{} if a is None else rows[s][a][1] for s, a in enumerate(choice)]
    r = [Fraction(0) if a is None else rows[s][a][2] for s, a in enumerate(choice)]
    return law, r


def truth(rows):
    """(kind, values): "finite" with v*, or "+inf", "unsettled", "both" (of these, in one model), "-inf"."""
    found = [policy_values(*chain_of(rows, choice)) for choice in all_policies(rows)]
    grows = any(x == math.inf for v in found for x in v)
    swings = any(x != x for v in found for x in v)
    if grows or swings:
        return "both" if grows and swings else "+inf" if grows else "unsettled", None
    best = [max(v[s] for v in found) for s in range(len(rows))]
    return ("-inf" if -math.inf in best else "finite"), best
