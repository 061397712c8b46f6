"""Values of one policy by sweeps, and by corrections that are constant on groups of states.

A sweep leaves of its changes b = T_π v - v what mixes slowly: parts that move alike. So states are put into groups of
like b, and the chain of the groups, Q, is solved for what is missing on each: (I - γ Q) y = γ Q b̄, with b̄ the mean of b
on each group. One group is MacQueen's shift (Bertsekas & Castañon 1989). Where the policy has a period, the groups are
its classes, between which nothing mixes.
"""

from __future__ import annotations

import contextlib

import numpy as np

from tabular_rl.methods.planning._along import Along
from tabular_rl.methods.planning._goal import Goal
from tabular_rl.methods.planning._kept_rows import SOON, STEPS, TINY, KeptRows
from tabular_rl.methods.planning._periods import periodic_classes
from tabular_rl.model.rows import Floats

GROUPS = 64
FEW = 256  # states, of which each is a group of its own: the correction is the solution
SWEEPS = 12  # between corrections
SLOW = 0.85  # what a sweep leaves of the span, above which corrections are tried
LONGEST_WAIT = 200
COARSELY = 8  # sweeps of coded changes in turn at most
FASTER = 0.7  # what each of them may leave of the span
FINEST = 1 / 64  # of the span that they began with is left to sweeps of values
PAYS = 0.1  # of the span is left where periodic classes are all that matters


class Evaluation:
    """Sweeps of the policy of the best rows, with corrections where they pay.

    A trial is some rounds of a correction and SWEEPS sweeps. It goes on while two rounds at least halve the span. If it
    is not better than as many sweeps would have been, the values before it come back, and the next trial waits twice
    as long: where the groups tell little of the states, corrections diverge. Periodic classes are looked for before a
    trial, and dropped where they leave much of the span: another policy may have others.
    """

    def __init__(self, goal: Goal, kept: KeptRows) -> None:
        from tabular_rl.kernels import search_groups

        self.goal, self.kept, self.kernels = goal, kept, search_groups
        self.along = Along(kept, goal.mdp.gamma)
        self.wait, self.done, self.low, self.spread, self.slow = SWEEPS, 0, -np.inf, 0.0, False
        self.group = np.arange(kept.S, dtype=np.int32)
        self.groups = kept.S if kept.S <= FEW else GROUPS
        if kept.S <= FEW:
            self.group[goal.model.terminal] = kept.S
        self.before = np.empty(0)
        # The number of periodic classes of the policy; calls of `sweep` so far, and from which on to look for classes.
        self.classes, self.calls, self.next_look = 0, 0, 0

    def sweep(
        self, v: Floats, spare: Floats, target: float, most: int, before: Floats | None = None
    ) -> tuple[Floats, Floats]:
        """Sweep until the span is at most `target`, or for `most` sweeps; the values, and an array to write to.

        Parameters
        ----------
        v, spare : values, and an array to write to
        target, most : when to end
        before : values of which v is T_π, where they are known; it may be `spare`
        """
        self.done, spread, rate = 0, np.inf, 0.0
        self.calls += 1
        if self.slow and self.along.solved(v, spare, self.calls):
            self.goal.run.did("solves along the way")
            v, spare, *_ = self._some(spare, v, 0.0, 1)
            return v, spare
        coarse = before is not None and self.kept.coarse and not self.slow
        if coarse and self._coarsely(v, before, spare, target, most):
            return v, spare
        while self.done < most:
            v, spare, spread, rate = self._some(v, spare, target, min(self.wait, most - self.done))
            if spread <= target or not np.isfinite(spread):
                break
            if rate >= SLOW:
                self.slow, self.kept.before_packing = True, SOON
                v, spare, spread = self._trial(v, spare, target, most, (spread, rate))
                if spread <= target:
                    break
        return v, spare

    def _coarsely(self, v: Floats, before: Floats | None, change: Floats, target: float, most: int) -> bool:
        """Sweep changes, in codes, while they shrink fast: whether their span is at most `target` in the end.

        As v is T_π of `before`, T_π v - v is γ P_π (v - before). A code is off by half a step, and what is lost so in
        a sweep is not made good for before values are swept again.
        """
        assert before is not None
        np.subtract(v, before, out=change)
        low, high = float(change.min()), float(change.max())
        lost, spread = 0.0, self.goal.spread(low, high)
        least = max(target, FINEST * spread)
        for _ in range(min(COARSELY, most)):
            if self.goal.ends:
                low, high = min(low, 0.0), max(high, 0.0)
            if not STEPS * TINY < high - low < np.inf:
                return False
            lost += (high - low) / (2 * STEPS)
            low, high = self.kept.swept_coarsely(v, change, low, high)
            old, spread = spread, self.goal.spread(low, high)
            self.done += 1
            self.goal.run.did("evaluation sweeps")
            if spread <= least or spread > FASTER * old:
                break
        self.low, self.spread = low - lost, spread
        return spread <= target

    def _some(
        self, v: Floats, spare: Floats, target: float, count: int
    ) -> tuple[Floats, Floats, float, float]:
        """Sweep `count` times, or until the span is small: the values, the span, what the last sweeps left of it."""
        spreads = []
        for _ in range(count):
            self.low, high = self.kept.evaluated(v, spare)
            spreads.append(self.goal.spread(self.low, high))
            v, spare = spare, v
            self.done += 1
            self.goal.run.did("evaluation sweeps")
            self.spread = spreads[-1]
            if spreads[-1] <= target:
                break
        old = spreads[-4] if len(spreads) > 3 else 0.0
        rate = (spreads[-1] / old) ** (1 / 3) if 0 < old < np.inf else 0.0
        return v, spare, spreads[-1], rate

    def _trial(
        self, v: Floats, spare: Floats, target: float, most: int, now: tuple[float, float]
    ) -> tuple[Floats, Floats, float]:
        """Correct and sweep while that pays: the values, the span. `now` is the span, and what a sweep leaves of it."""
        if not self.before.size:
            self.before = np.empty_like(v)
        self.before[:] = v
        (start, rate), first, low = now, self.done, self.low
        if not self.classes and self.kept.S > FEW:
            self._look()
        spreads = [start]
        while True:
            v, spare = self._corrected(v, spare)
            v, spare, spread, _ = self._some(v, spare, target, SWEEPS)
            spreads.append(spread)
            halved = len(spreads) < 3 or spread <= 0.5 * spreads[-3]
            if spread <= target or not halved or self.done >= most or not np.isfinite(spread):
                break
        if spread > PAYS * start:
            self.classes = 0
        if spread <= start * rate ** (self.done - first) and spread < start:
            self.wait = SWEEPS
            return v, spare, spread
        v[:], self.low = self.before, low
        self.wait = min(2 * self.wait, LONGEST_WAIT)
        return v, spare, start

    def _look(self) -> None:
        """Look once a call whether the policy has a period, and where it has none only after twice as many calls."""
        if self.calls < self.next_look:
            return
        self.classes = periodic_classes(self.kept.policy_outcomes(), self.group)
        self.next_look = 1 + (self.calls if self.classes else 2 * self.calls)

    def _corrected(self, v: Floats, spare: Floats) -> tuple[Floats, Floats]:
        """One sweep, and the values that it gives with a shift for each group."""
        kept, m = self.kept, self.groups
        low, high = kept.evaluated(v, spare)
        self.done += 2  # the chain of the groups takes about as long
        self.goal.run.did("evaluation sweeps", 2)
        if not 0 < high - low < np.inf:
            return spare, v
        if self.classes:
            m = self.classes
        elif kept.S > FEW:
            self.kernels.grouped(kept.chosen, v, spare, low, m / (high - low), m, self.group)
        count, change, chain = np.zeros(m + 1), np.zeros(m + 1), np.zeros((m + 1, m + 1))
        self.kernels.group_chain(
            kept.width, kept.outcomes, kept.kept, v, spare, self.group, count, change, chain
        )
        count[count == 0] = 1.0
        A = np.eye(m + 1) - self.goal.mdp.gamma * chain / count[:, None]
        b = change / count
        A[m], A[m, m], b[m] = 0.0, 1.0, 0.0  # terminals keep their values
        with contextlib.suppress(np.linalg.LinAlgError):  # γ so near to 1 that nothing can be said
            self.kernels.shift_groups(self.group, np.linalg.solve(A, b - A @ b), spare)
        return spare, v
