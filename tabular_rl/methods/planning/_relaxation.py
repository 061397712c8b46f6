"""Sweeps of the policy of the chosen rows, over-relaxed where they are slow and where that pays.

    v(s) ← v(s) + ω (q(s) - v(s))

Where errors spread as heat does, both ways along the line, they take as many sweeps as the square of their reach, and
an ω between 1 and 2 takes about the root of that (Young 1954). Where they are carried in one direction, as on a grid
without holes, ω > 1 diverges within a few sweeps. So it is tried in steps, and taken back where it does not pay.
"""

from __future__ import annotations

from tabular_rl.methods.planning._goal import Goal
from tabular_rl.methods.planning._ordered import Packed, Stored

SHRINK = 0.1  # an evaluation ends when its changes are this share of the improvement's
MOST_INNER = 20
OMEGAS = (1.0, 1.3, 1.5, 1.6, 1.7)
SLOW = 0.8  # what a sweep leaves of the changes, above which a larger ω is tried
LASTING = 3  # slow evaluations in a row before that: changes that travel along the line are slow as well
GROWTH = 2.0  # times the changes of the first sweep: it diverges
WAIT = 4  # evaluations after one that did not pay; twice as many after each one that diverged


class Evaluation:
    """Evaluations of a policy that changes now and then, each with the ω that has done best lately."""

    def __init__(self, goal: Goal, search: Stored | Packed) -> None:
        self.goal, self.search = goal, search
        self.level = self.slow = self.count = self.again = 0
        self.wait = WAIT
        self.lower_rate: float | None = None  # of the ω before, where this one is new

    def sweep(self, change: float, most: int) -> int:
        """Sweep until changes are small beside the last improvement's, at most so often; return how often."""
        goal, search, omega = self.goal, self.search, OMEGAS[self.level]
        held = search.v.copy() if omega > 1 else search.v
        changes: list[float] = []
        settled = enough = diverged = False
        while len(changes) < most and not (settled or enough or diverged):
            low, high = search.evaluate(omega)
            goal.run.did("evaluation sweeps")
            changes.append(max(high, 0.0) - min(low, 0.0))
            settled, enough = changes[-1] <= SHRINK * change, goal.enough(low, high)
            diverged = omega > 1 and not changes[-1] <= GROWTH * changes[0]
        self.count += 1
        if diverged:
            search.v[:] = held
            self.wait *= 2
            self._step_back()
        elif settled or enough or most < MOST_INNER:
            self.slow, self.lower_rate = 0, None
            if enough:  # what is left is rounding, which ω > 1 makes larger
                self.level = 0
        else:
            self._judge((changes[-1] / changes[MOST_INNER // 2]) ** (1 / (MOST_INNER - 1 - MOST_INNER // 2)))
        return len(changes)

    def _judge(self, rate: float) -> None:
        """Choose the next ω, now that a sweep has left this share of the changes."""
        if self.level and rate >= (1.0 if self.lower_rate is None else self.lower_rate):
            self._step_back()
            return
        self.slow, self.lower_rate = self.slow + 1, None
        if (
            self.slow >= LASTING
            and rate >= SLOW
            and self.level + 1 < len(OMEGAS)
            and self.count >= self.again
        ):
            self.level, self.lower_rate = self.level + 1, rate

    def _step_back(self) -> None:
        self.level, self.lower_rate, self.again = self.level - 1, None, self.count + self.wait
