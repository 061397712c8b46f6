"""Policies of a handful of states, evaluated and improved in lists: sooner done than arrays are made."""

from __future__ import annotations

import math
from itertools import pairwise
from operator import mul

import numpy as np

from tabular_rl.errors import NumericalError
from tabular_rl.methods.exact.linear_solve import Singular
from tabular_rl.methods.planning._goal import Goal
from tabular_rl.model.rounding import shared_error
from tabular_rl.model.rows import Floats, Ints

STATES, OUTCOMES = 4, 64  # up to which lists are quicker than arrays


class Lists:
    """Evaluates policies of a small model and improves them, until none is better by more than rounding.

    Parameters
    ----------
    goal : of the model
    improvements : that the run may make in all
    """

    def __init__(self, goal: Goal, improvements: int) -> None:
        self.mdp, self.run, self.improvements = goal.mdp, goal.run, improvements
        mdp, self.ptr = goal.mdp, goal.mdp.pair_ptr.tolist()
        self.r = [mdp.sign * x for x in mdp.r.tolist()]
        to, prob = mdp.next_state.tolist(), mdp.prob.tolist()
        self.outcomes = [
            list(zip(prob[i:j], to[i:j], strict=True)) for i, j in pairwise(mdp.row_ptr.tolist())
        ]
        self.states = [s for s in range(mdp.S) if self.ptr[s] < self.ptr[s + 1]]
        self.centred = not (goal.ends or goal.relative)  # as the certificate does it

    @staticmethod
    def fit(goal: Goal) -> bool:
        """Whether a model is so small, and discounted."""
        mdp = goal.mdp
        return mdp.S <= STATES and mdp.K <= OUTCOMES and mdp.gamma < 1 and not mdp.problem.must_end

    def improved(self, begin: Floats, rows: Ints) -> tuple[Floats, bool, float, float]:
        """Evaluate rows and exchange those that are worse by more than rounding, until none is.

        Parameters
        ----------
        begin : (S,) values; the first rows of a run are the best ones from these
        rows : (S,) the row of each state, -1 at terminal ones; changed in place

        Returns
        -------
        The values, whether rows were exchanged at last, and the least and the largest T v - v of states with actions.
        """
        chosen, seen, work = rows.tolist(), set(), self.run.work
        if not work:
            self.exchanged(begin.tolist(), chosen, -math.inf)
        while True:
            self.run.check_stop()
            seen.add(tuple(chosen))
            v = self.evaluated(chosen)
            noise = 2 * shared_error(self.mdp, max(map(abs, v), default=0.0))
            changed, low, high = self.exchanged(v, chosen, noise)
            if not changed or tuple(chosen) in seen or work.get("improvements", 0) + 1 >= self.improvements:
                break
            self.run.did("improvements")
        rows[:] = chosen
        return np.array(v), changed, low, high

    def exchanged(self, v: list[float], chosen: list[int], noise: float) -> tuple[bool, float, float]:
        """Exchange rows that are worse by more than the noise, for the first of the best: whether any, and the span."""
        changes, changed, gamma, outcomes = [], False, self.mdp.gamma, self.outcomes
        for s in self.states:
            first, last = self.ptr[s], self.ptr[s + 1]
            q = [self.r[i] + gamma * sum([p * v[s2] for p, s2 in outcomes[i]]) for i in range(first, last)]
            best = max(q)
            changes.append(best - v[s])
            if best - q[chosen[s] - first] > noise:
                chosen[s], changed = first + q.index(best), True
        return changed, min(changes, default=0.0), max(changes, default=0.0)

    def evaluated(self, chosen: list[int]) -> list[float]:
        """Return the values of rows, less a constant where no state is terminal."""
        n = self.mdp.S
        P, b = [[0.0] * n for _ in range(n)], [0.0] * n
        for s in self.states:
            b[s] = self.r[chosen[s]]
            for p, s2 in self.outcomes[chosen[s]]:
                P[s][s2] += p
        try:
            v = solved(P, b, self.mdp.gamma)
        except ZeroDivisionError:
            raise Singular("the linear system cannot be solved in floating point") from None
        if not all(map(math.isfinite, v)):
            raise NumericalError("the linear system cannot be solved in floating point (overflow)")
        self.run.did("linear solves")
        middle = max(v) / 2 + min(v) / 2 if self.centred else 0.0
        return [x - middle for x in v]


def solved(P: list[list[float]], b: list[float], gamma: float) -> list[float]:
    """Solve v = b + γ P v, refined once: without pivoting, which I - γP does not need at γ < 1.

    Parameters
    ----------
    P : the chain, n rows of n probabilities
    b : the right-hand side
    gamma : γ

    Returns
    -------
    The n values v.
    """
    n = len(b)
    A = [[(i == j) - gamma * p for j, p in enumerate(row)] for i, row in enumerate(P)]
    factors = [list(row) for row in A]
    for k in range(n - 1):
        pivot = factors[k]
        for row in factors[k + 1 :]:
            row[k] = share = row[k] / pivot[k]
            for j in range(k + 1, n):
                row[j] -= share * pivot[j]

    def substituted(x: list[float]) -> list[float]:
        for i in range(1, n):
            x[i] -= sum(map(mul, factors[i][:i], x))
        for i in range(n - 1, -1, -1):
            x[i] = (x[i] - sum(map(mul, factors[i][i + 1 :], x[i + 1 :]))) / factors[i][i]
        return x

    v = substituted(list(b))
    rest = [x - sum(map(mul, row, v)) for x, row in zip(b, A, strict=True)]
    return [x + y for x, y in zip(v, substituted(rest), strict=True)]
