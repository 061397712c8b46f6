"""Sweeps of the policy of the chosen rows, over-relaxed where they are slow and where that pays.

    v(s) ← v(s) + ω (q(s) - v(s))

Where errors spread as heat does, both ways along the line, they take as many sweeps as the square of their reach, and
an ω between 1 and 2 takes about the root of that (Young 1954). Where they are carried in one direction, as on a grid
without holes, ω > 1 diverges within a few sweeps. So it is tried in steps, and taken back where it does not pay.
"""

from __future__ import annotations

import math

from tabular_rl.methods.planning._goal import Goal
from tabular_rl.methods.planning._ordered import Packed, Stored

SHRINK = 0.1  # an evaluation ends when its changes are this share of the improvement's
MOST_INNER = 20
OMEGAS = (1.0, 1.3, 1.5, 1.6, 1.7)
SLOW = 0.8  # what a sweep leaves of the changes, above which a larger ω is tried
LASTING = 3  # slow evaluations in a row before that: changes that travel along the line are slow as well
PAYS = 0.1  # of the changes, at most, is what it leaves
ALIKE = 0.001  # of what a sweep takes away: by so little its rate may differ from that of the sweep before
FARTHEST = 1000  # sweeps that are foreseen at once, at most
GROWTH = 2.0  # times the changes of the first sweep: it diverges
WAIT = 4  # evaluations after one that did not pay; twice as many after each one that diverged


class Evaluation:
    """Evaluations of a policy that changes now and then, each with the ω that has done best lately."""

    def __init__(self, goal: Goal, search: Stored | Packed) -> None:
        self.goal, self.search = goal, search
        self.level = self.slow = self.count = self.again = 0
        self.wait = self.leap_wait = WAIT
        self.leap_again = 0
        self.lower_rate: float | None = None  # of the ω before, where this one is new

    def sweep(self, change: float, most: int) -> int:
        """Sweep until changes are small beside the last improvement's, at most so often; return how often."""
        goal, search, omega = self.goal, self.search, OMEGAS[self.level]
        held = search.v.copy() if omega > 1 else search.v
        little, growth = goal.least_change(), GROWTH if omega > 1 else math.inf
        changes = search.evaluate_often(most, omega, max(SHRINK * change, little), growth)
        goal.run.did("evaluation sweeps", len(changes))
        settled, enough = changes[-1] <= SHRINK * change, changes[-1] <= little
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
        elif not (self._alike(changes) and self._leapt(changes)):
            self._judge(
                (changes[MOST_INNER - 1] / changes[MOST_INNER // 2])
                ** (1 / (MOST_INNER - 1 - MOST_INNER // 2))
            )
        return len(changes)

    def _alike(self, changes: list[float]) -> bool:
        """Whether plain sweeps shrink all that is left alike, so that what they will change in all is known."""
        rate = changes[-1] / changes[-2]
        wait = self.level or self.count < self.leap_again
        return not wait and abs(rate - changes[-2] / changes[-3]) <= ALIKE * (1 - rate)

    def _leapt(self, changes: list[float]) -> bool:
        """Take at once what sweeps will change in all, after one more; return False where that was not it.

        Then it is taken back, and not tried for a while. The changes of both sweeps are put behind the others.
        """
        v, before = self.search.v, changes[-1]
        held = v.copy()
        (change,) = self.search.evaluate_often(1, 1.0, 0.0)
        last = v.copy()
        v += change / max(before - change, change / FARTHEST) * (v - held)
        (after,) = self.search.evaluate_often(1, 1.0, 0.0)
        self.goal.run.did("evaluation sweeps", 2)
        changes += [change, after]
        if after <= PAYS * change:
            return True
        v[:] = last
        self.leap_again, self.leap_wait = self.count + self.leap_wait, 2 * self.leap_wait
        return False

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
