"""Policy iteration in the midst of ordered sweeps at γ = 1: where these take long, and elimination takes few steps."""

from __future__ import annotations

import math

import numpy as np

from tabular_rl.methods.planning._goal import Goal
from tabular_rl.methods.planning._ordered import Packed, Stored
from tabular_rl.model.graph.search import repaired
from tabular_rl.model.rows import Floats, Ints
from tabular_rl.solving.elimination import chain_parts

FIRST = 800  # sweeps before the first attempt, and
STEPS = 16  # steps of elimination a state that each of its chains may take: as long as some 50 sweeps
LATER, MORE = 2, 8  # times as many of these until the next attempt, and in it
SHORT = 0.5  # of the sweeps made: where so few are left, at their speed, they go on
POLICIES = 20  # in one attempt


class Chains:
    """Attempts to go on by policy iteration, from the policy of a search that has done so many sweeps."""

    def __init__(self, goal: Goal, search: Stored | Packed, done: int) -> None:
        self.goal, self.search = goal, search
        self.again = done + FIRST if goal.mdp.problem.must_end else math.inf
        self.steps = STEPS
        self.changes: list[tuple[int, float]] = []

    def solve(self, done: int, change: float) -> bool:
        """Give the search the values of better policies; False where it is too early, or a chain takes too many steps.

        Parameters
        ----------
        done : sweeps so far
        change : what the last improvement changed
        """
        self.changes.append((done, change))
        if done < self.again or self._nearly_there(done, change):
            return False
        from tabular_rl.methods.exact.linear_solve import improve

        goal, best = self.goal, None
        rows = np.array(self.search.rows())
        if not goal.total.must_end:
            rows, _ = repaired(goal.model, rows, goal.model.terminal, goal.rows())
            rows = rows.astype(goal.model.pair_ptr.dtype)
        for _ in range(POLICIES):
            v = self._values(rows)
            if v is None:
                break
            best = v
            if not improve(goal.sweeper, v, rows, ahead=True)[0]:
                break
        self.again, self.steps = LATER * done, MORE * self.steps
        if best is not None:
            self.search.go_on_from(best)
        return best is not None

    def _values(self, rows: Ints) -> Floats | None:
        """The values (S,) of a policy; None where that takes too many steps."""
        goal, zero, sweeper = self.goal, self.goal.model.terminal, self.goal.sweeper
        r = np.where(zero, 0.0, sweeper.rows[5] * sweeper.rows[3][np.where(zero, 0, rows)])
        v = chain_parts(sweeper.flow, rows, 1.0, zero, goal.run).solve(r, 0, self.steps)
        if v is not None:
            goal.run.did("linear solves")
        return v

    def _nearly_there(self, done: int, change: float) -> bool:
        """Whether few sweeps are left at the speed of the later half of those made."""
        wanted = self.goal.wanted / self.goal.factor if self.goal.factor else math.inf
        if change <= wanted:
            return True
        before, then = next(x for x in self.changes if 2 * x[0] >= done)
        if not change < then:
            return False
        return math.log(change / wanted) * (done - before) < math.log(then / change) * SHORT * done
